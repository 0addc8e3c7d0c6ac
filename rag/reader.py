"""The reader: how well does each sentence of a passage answer a question? And the entailer: does a passage tell a claim?

A small cross-encoder: question and passage pass through the first layers of multilingual-e5-small together, and each
sentence gets its scores from a weighted average of its own tokens beside that of the question's. So a sentence is judged
with its neighbours, its article's title and its date in view, in one pass for the whole passage. The entailer is its twin:
it reads a claim in the place of the question, and what the claim's own tokens have become beside the passage says whether
that tells it. `chipdesk train` makes the weights of both; they lie beside this file in 8 bits, without the word vectors,
which the package of the embedding model has. ONNX Runtime runs them without torch.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rag import weights
from rag.errors import ModelError
from rag.types import Passage, Reading

FILE: Final = Path(__file__).with_name("reader.onnx")
ENTAILER: Final = Path(__file__).with_name("entailer.onnx")
QUESTION_TOKENS: Final = 64
"""Longest question that is read; one of 2,000 characters is cut here, not refused."""
CLAIM_TOKENS: Final = 128
"""The same for a claim: a sentence of a draft."""
CONTEXT_TOKENS: Final = 48
"""Longest title with date."""
TOKENS: Final = 400
"""Longest input, well inside the model's 512 positions; sentences are cut from the end so that it holds."""
BATCH: Final = 4
"""Passages read at once, neighbours in length: padding is what costs on a CPU."""

UNREAD: Final = Reading(-20.0, -20.0)
"""For sentences that did not fit: certainly no answer."""

Encoded = tuple[list[int], list[tuple[int, int]]]
"""Token ids of question and passage, and the bounds of the question's tokens and of each sentence's (empty where it did not
fit)."""
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


class _Network:
    """Weights that are loaded with the first use. Safe to use from several threads.

    Args:
        threads: CPU threads, 0 for ONNX Runtime's own choice.
        file: the weights.
    """

    def __init__(self, file: Path, *, threads: int = 0) -> None:
        self._threads = threads
        self._file = file
        self._loading = threading.Lock()

    def _encode(self, text: str, passages: Sequence[Passage], most: int) -> list[Encoded]:
        with self._loading:
            _ = self._session, self._words  # made once, whoever comes first
            tokenizer = self._tokenizer
        return encode(tokenizer, text, passages, most=most)

    def _run(self, encoded: Sequence[Encoded]) -> Iterator[tuple[int, Floats]]:
        """(row, what the network says of it), in batches of neighbours in length."""
        order = sorted(range(len(encoded)), key=lambda i: len(encoded[i][0]))
        for at in range(0, len(order), BATCH):
            rows = order[at : at + BATCH]
            ids, mask, spans = pad([encoded[i] for i in rows])
            (values,) = self._session.run(None, {"words": self._words(ids), "mask": mask, "spans": spans})
            yield from zip(rows, values, strict=True)

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        if not self._file.is_file():
            raise ModelError(f"The weights {self._file} are missing.", "Make them with `chipdesk train`.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(str(self._file), options, providers=["CPUExecutionProvider"])

    @cached_property
    def _words(self) -> weights.WordVectors:
        return weights.WordVectors()

    @cached_property
    def _tokenizer(self) -> Any:
        return weights.tokenizer()


class OnnxReader(_Network):
    """Reads with the bundled weights, or those in `file`."""

    def __init__(self, *, threads: int = 0, file: Path = FILE) -> None:
        super().__init__(file, threads=threads)

    def read(self, question: str, passages: Sequence[Passage]) -> list[list[Reading]]:
        """For each passage how each sentence reads against the question.

        Raises:
            ModelError: the weights are missing or cannot be used here.
        """
        encoded = self._encode(question, passages, QUESTION_TOKENS)
        readings: list[list[Reading]] = [[] for _ in passages]
        for row, values in self._run(encoded):
            readings[row] = [
                Reading(float(answers), float(corrects)) if end > start else UNREAD
                for (answers, corrects), (start, end) in zip(values, encoded[row][1][1:], strict=False)
            ]
        return readings


class OnnxEntailer(_Network):
    """Weighs claims with the bundled weights, or those in `file`."""

    def __init__(self, *, threads: int = 0, file: Path = ENTAILER) -> None:
        super().__init__(file, threads=threads)

    def entails(self, claim: str, passages: Sequence[Passage]) -> list[float]:
        """For each passage the logit that its sentences together tell the claim.

        Raises:
            ModelError: the weights are missing or cannot be used here.
        """
        logits = [0.0] * len(passages)
        for row, value in self._run(self._encode(claim, passages, CLAIM_TOKENS)):
            logits[row] = float(value)
        return logits


def encode(tokenizer: Any, question: str, passages: Sequence[Passage], *, most: int = QUESTION_TOKENS) -> list[Encoded]:
    """`<s> query: question </s> passage: title (date) </s> sentence </s> sentence </s> ...` for each passage.

    Each sentence is tokenised on its own, so its tokens do not depend on its neighbours; its bounds include the `</s>`
    after it. The two prefixes are those the model was trained with.
    """
    texts = [f"query: {question}"]
    for passage in passages:
        texts += [f"passage: {passage.context}", *passage.sentences]
    parts = [part.ids for part in tokenizer.encode_batch(texts, add_special_tokens=False)]
    begin, stop = tokenizer.token_to_id("<s>"), tokenizer.token_to_id("</s>")
    asked = [begin, *parts[0][:most], stop]
    encoded: list[Encoded] = []
    at = 1
    for passage in passages:
        ids = [*asked, *parts[at][:CONTEXT_TOKENS], stop]
        spans = [(0, len(asked))]
        for sentence in parts[at + 1 : at + 1 + len(passage.sentences)]:
            start = len(ids)
            if room := max(0, TOKENS - start - 1):
                ids += [*sentence[:room], stop]
            spans.append((start, len(ids)))
        encoded.append((ids, spans))
        at += 1 + len(passage.sentences)
    return encoded


def pad(encoded: Sequence[Encoded]) -> tuple[Ints, Floats, Floats]:
    """Token ids (n, t), mask (n, t) and the averaging matrix (n, 1 + s, t): the question, then the sentences."""
    longest = max(len(ids) for ids, _ in encoded)
    most = max(len(spans) for _, spans in encoded)
    rows = np.zeros((len(encoded), longest), np.int64)
    mask = np.zeros((len(encoded), longest), np.float32)
    averages = np.zeros((len(encoded), most, longest), np.float32)
    for i, (ids, spans) in enumerate(encoded):
        rows[i, : len(ids)] = ids
        mask[i, : len(ids)] = 1.0
        for j, (start, end) in enumerate(spans):
            if end > start:
                averages[i, j, start:end] = 1.0 / (end - start)
    return rows, mask, averages
