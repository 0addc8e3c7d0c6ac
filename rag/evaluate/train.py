"""Train the reader on the training questions and the entailer on claims: `chipdesk train`. Needs the extra `train` (torch's
ONNX exporter).

Each question is shown with a few passages that retrieval really finds for it: one that answers it, in either language, and
others that do not, first of all from the same event. Two readers are trained: one on the questions about the corpus, the
other also on more twins and on questions about texts that are not in the corpus. The second reads other texts better (right
sentence .69 against .61) and this corpus a little worse (.66 against .67); the mean of their weights nearly keeps what each
is better at, and finds the right sentence more often than either (.69 here, .67 elsewhere).

The loss is that of a choice among all their sentences and "nothing here answers it" (whose score is 0), plus a yes/no for each
sentence. Some questions are shown without their answer, as are those that have none: the reader learns to find nothing. A
second score per sentence says whether it corrects what the question wrongly takes as given. The entailer is a network of the
same shape: it sees each claim beside some sentences of an article, and learns whether these tell it. (Both in one network,
trained on both by turns, was worse at either: claims .74 against .80, AUC on events held out.)

The first `LAYERS` layers of multilingual-e5-small are the beginning; word vectors stay as they are. Deterministic for one
machine and thread count: the seed fixes order, sampling and dropout.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import json
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from rag import weights
from rag.ask import Chipdesk
from rag.errors import BadRequest
from rag.evaluate.asked import Asked, read_asked, rivals
from rag.evaluate.metrics import mean
from rag.evaluate.questions import Item, checksum, read_questions
from rag.evaluate.statements import MADE, Stated, read_claims, read_elsewhere
from rag.evaluate.statements import gather as gather_claims
from rag.evidence import passage_of
from rag.reader import CLAIM_TOKENS, Encoded, OnnxEntailer, OnnxReader, encode, pad
from rag.settings import Settings
from rag.types import Entailer, Passage, Reader

Task = Literal["reader", "entailer"]

LAYERS: Final = 6
"""Of the model's 12. Reading 12 passages takes 120 ms with 6 and 260 ms with 12 layers (8 bits, 2 cores)."""
EPOCHS: Final = (4, 3)
"""Of the reader's trainings: on the questions about the corpus, and on all there are."""
PASSAGES: Final = 2
"""Passages shown with a question in one step; others in the next epoch."""
BATCH: Final = 8
"""Questions in one step."""
RATE: Final = 8e-5
"""Peak learning rate of the layers, after a warm-up over `WARM_UP` of all steps and before a linear descent to zero. With
2e-4 they forgot what they knew and learned nothing (right sentence .01)."""
HEAD_RATE: Final = 1e-3
"""The same for the new head."""
WARM_UP: Final = 0.06
CLAIMS: Final = 16
"""Claims in one step: they are short."""
EPOCHS_CLAIMS: Final = 3
EVERY_RULED: Final = 3
"""One in this many claims made by rule is shown: a sixth as many as there are by hand."""
TOGETHER: Final = 8
"""Inputs that go through the network together."""
BESIDE: Final = 5
"""Most sentences that a claim is shown with."""
CLAIMS_WITHOUT: Final = 0.3
"""Share of the told claims that are shown without what tells them: most untold sentences of a draft are of that sort. With
0.1 the network learned from the claims with one thing wrong, which share nearly all words with their text, that sharing
words speaks against a claim."""
DECAY: Final = 0.01
"""Weight decay of AdamW."""
HEAD: Final = 256
"""Width of the head's hidden layer."""
SHARES: Final = 8.0
"""Bound of the logit by which one token counts more than another."""
DROPOUT: Final = 0.1
WITHOUT: Final = 0.2
"""Share of the answerable questions that are shown without a passage that answers, often with others of the same event: a
near miss for nothing."""
SAME_EVENT: Final = 0.5
"""Chance that the second passage is another one of the event that answers."""
NEAR: Final = 6
FAR: Final = 20
"""Ranks from which the second and the third passage are drawn."""
HELD_OUT: Final = 6
"""One event in this many is held out from training: its questions calibrate the support (`rag.evaluate.fit`)."""
SEED: Final = 7


@dataclass(frozen=True, slots=True)
class Shown:
    """A passage that retrieval found for a question."""

    passage: Passage
    event: str
    gold: tuple[bool, ...]
    """For each sentence whether it answers the question, or corrects what the question wrongly takes as given."""


@dataclass(frozen=True, slots=True)
class Example:
    """A training question with the passages found for it, best first."""

    question: str
    answerable: bool
    shown: tuple[Shown, ...]


def held_out(item: Item) -> bool:
    """Whether a question belongs to the events that calibrate instead of training; decided by a hash of the event."""
    return is_held_out(event_of(item))


def is_held_out(event: str) -> bool:
    """The same for an event."""
    return int(hashlib.sha256(event.encode()).hexdigest(), 16) % HELD_OUT == 0


def event_of(item: Item) -> str:
    """The event a training question was written for: near misses name none but carry it in their id."""
    return item.events[0] if item.events else item.id.removeprefix("train-").rsplit("-", 1)[0]


def gather(desk: Chipdesk, items: Sequence[Item], progress: Callable[[str], None]) -> list[Example]:
    """What retrieval finds for each question, with the gold passages added where it missed them."""
    examples = []
    for number, item in enumerate(items, start=1):
        if number % 20 == 0:
            progress(f"retrieving for question {number:,} of {len(items):,}")
        question, vector = desk.read(item.question, history=item.history)
        gold = {(g.article, g.quote) for g in item.gold}
        found = {hit.chunk.id: (hit.chunk, hit.article) for hit in desk.retrieve(question, vector)}
        for identity in sorted({g.article for g in item.gold}):
            article = desk.article(identity)
            for chunk, _ in desk.index.chunks(desk.index.catalog.rows_of(identity)).values():
                if any((identity, article.text[s.start : s.end]) in gold for s in chunk.sentences):
                    found.setdefault(chunk.id, (chunk, article))
        shown = []
        for chunk, article in found.values():
            passage = passage_of(article, chunk)
            shown.append(Shown(passage, article.event, tuple((article.id, text) in gold for text in passage.sentences)))
        examples.append(Example(question.standalone, item.answerable, tuple(shown)))
    return examples


def gather_asked(asked: Sequence[Asked]) -> list[Example]:
    """The questions about texts that are not in the corpus: each with its own text first, then passages of others."""
    examples = []
    for each in asked:
        own = [Shown(*row) for row in zip(each.passages, (each.text,) * len(each.passages), each.gold, strict=True)]
        others = [Shown(passage, name, (False,) * len(passage.sentences)) for name, passage in rivals(each, asked)]
        examples.append(Example(each.question, each.answerable, (*own, *others)))
    return examples


def sample(example: Example, chance: random.Random) -> list[Shown]:
    """The passages of one step: one that answers (if any), one close to it, one farther away."""
    answering = [shown for shown in example.shown if any(shown.gold)]
    others = [shown for shown in example.shown if not any(shown.gold)]
    chosen: list[Shown] = []
    siblings = others[:2]
    if answering:
        events = {shown.event for shown in answering}
        siblings = [shown for shown in others if shown.event in events]
        if not example.answerable or chance.random() >= WITHOUT or not others:
            chosen.append(chance.choice(answering))
    while len(chosen) < PASSAGES:
        near = siblings if siblings and chance.random() < SAME_EVENT else others[: NEAR if len(chosen) < 2 else FAR]
        left = [shown for shown in near if shown not in chosen] or [shown for shown in others if shown not in chosen]
        if not left:
            break
        chosen.append(chance.choice(left))
    return chosen


def beside(stated: Stated, chance: random.Random) -> tuple[Passage, bool]:
    """A claim's article as it is shown in one step, some of its sentences in any order, and whether these tell the claim."""
    bearing, told = stated.bearing, stated.claim.told
    if told and stated.others and chance.random() < CLAIMS_WITHOUT:
        bearing, told = (), False
    most = max(len(bearing), chance.randint(1, BESIDE))
    chosen = [*bearing, *stated.others[: most - len(bearing)]]
    chance.shuffle(chosen)
    return Passage(stated.context, tuple(stated.sentences[i] for i in chosen)), told


def train(
    sets: Sequence[Sequence[Example]],
    file: Path,
    *,
    epochs: Sequence[int] = EPOCHS,
    rate: float = RATE,
    layers: int = LAYERS,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Train a reader on each set of examples, for so many epochs, and write the 8-bit weights of their mean to `file`; returns
    what was done, for the record.

    Networks fine-tuned from one beginning mostly lie in one valley of the loss, so that their mean does not lose what they
    learned ("model soups", Wortsman et al. 2022).
    """
    models, trainings = [], []
    for number, (examples, many) in enumerate(zip(sets, epochs, strict=True), start=1):
        model = start(layers, "reader")
        batches = partial(_batches, examples, BATCH, many)
        steps = many * math.ceil(len(examples) / BATCH)
        tell = _labelled(f"reader {number} of {len(sets)}", progress)
        done = _optimise(model, _loss, batches, steps, rate, tell)
        models.append(model)
        trainings.append({"questions": len(examples), "epochs": many} | done)
    export(mean_of(models), file)
    return {"trainings": trainings, "layers": layers, "rate": rate, "seed": SEED}


def train_claims(
    claims: Sequence[Stated],
    file: Path,
    *,
    epochs: int = EPOCHS_CLAIMS,
    rate: float = RATE,
    layers: int = LAYERS,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Train the entailer on `claims` and write its 8-bit weights to `file`; returns what was done, for the record."""
    model = start(layers, "entailer")
    batches = partial(_batches, claims, CLAIMS, epochs)
    steps = epochs * math.ceil(len(claims) / CLAIMS)
    done = _optimise(model, _claims_loss, batches, steps, rate, _labelled("entailer", progress))
    export(model, file)
    return {"claims": len(claims), "layers": layers, "epochs": epochs, "rate": rate, "seed": SEED} | done


def _labelled(label: str, progress: Callable[[str], None]) -> Callable[[str], None]:
    return lambda line: progress(f"{label}: {line}")


def mean_of(models: Sequence[Any]) -> Any:
    """A network whose weights are the means of those of `models`, which are of one shape."""
    states = [model.state_dict() for model in models]
    mean = copy.deepcopy(models[0])
    mean.load_state_dict({name: sum(state[name] for state in states) / len(states) for name in states[0]})
    return mean


def _batches(data: Sequence[Any], size: int, epochs: int, chance: random.Random) -> Iterator[Sequence[Any]]:
    """Everything in another order in each epoch."""
    for _ in range(epochs):
        order = list(data)
        chance.shuffle(order)
        for at in range(0, len(order), size):
            yield order[at : at + size]


def _optimise(
    model: Any,
    loss_of: Callable[[Any, Any, Any, Sequence[Any], random.Random], Any],
    batches: Callable[[random.Random], Iterator[Sequence[Any]]],
    steps: int,
    rate: float,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Descend the loss of each batch, one step each; `model` holds what was learned. A GPU is used where there is one; what
    comes out differs a little from a processor's.

    Args:
        model: from `start`.
        loss_of: the loss of the model with the table of word vectors and the tokenizer on a batch.
        batches: all of them, in an order by chance.
        steps: their number.
    """
    import torch

    chance = random.Random(SEED)  # noqa: S311 - sampling, not secrets
    tokenizer = weights.tokenizer()

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device)
    # sums are kept in float32 by `model`, all arithmetic is done in bfloat16 by its twin: three times faster on a CPU
    # that has it than torch's automatic casting, which mostly copies
    twin = copy.deepcopy(model).bfloat16().train()
    pairs = [
        (own, other) for own, other in zip(model.parameters(), twin.parameters(), strict=True) if own.requires_grad
    ]
    words = torch.from_numpy(weights.WordVectors()(np.arange(weights.vocabulary()))).bfloat16().to(device)
    head = {id(p) for part in (model.head, model.share) for p in part.parameters()}
    groups = [
        {"params": [p for p, _ in pairs if id(p) not in head], "lr": rate},
        {"params": [p for p, _ in pairs if id(p) in head], "lr": HEAD_RATE},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (WARM_UP * steps), max(0.0, (steps - step) / ((1 - WARM_UP) * steps)))
    )
    started = time.monotonic()
    smooth = None
    for step, batch in enumerate(batches(chance), start=1):
        loss = loss_of(twin, words, tokenizer, batch, chance)
        loss.backward()
        for own, other in pairs:
            own.grad, other.grad = other.grad.float(), None
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for own, other in pairs:
                other.copy_(own)
        smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
        if step % 10 == 0:
            left = (time.monotonic() - started) / step * (steps - step)
            progress(f"step {step:,} of {steps:,}, loss {smooth:.3f}, {left / 60:.0f} min left")
    minutes = round((time.monotonic() - started) / 60, 1)
    return {"device": device, "loss": round(smooth or 0.0, 4), "minutes": minutes}


def _loss(model: Any, words: Any, tokenizer: Any, batch: Sequence[Example], chance: random.Random) -> Any:
    import torch
    from torch.nn import functional

    encoded: list[Encoded] = []
    labels: list[tuple[bool, ...]] = []
    owner: list[int] = []
    for number, example in enumerate(batch):
        shown = sample(example, chance)
        encoded += encode(tokenizer, example.question, [each.passage for each in shown])
        labels += [each.gold for each in shown]
        owner += [number] * len(shown)
    logits = [scores[: len(label)] for scores, label in zip(_read(model, words, encoded), labels, strict=True)]
    losses = []
    for number, example in enumerate(batch):
        rows = [i for i in range(len(encoded)) if owner[i] == number]
        fits = torch.tensor([end > start for i in rows for start, end in encoded[i][1][1:]], device=words.device)
        marked = torch.tensor([label for i in rows for label in labels[i]], device=words.device)[fits]
        answers, corrects = torch.cat([logits[i] for i in rows])[fits].unbind(-1)
        correcting = marked & (not example.answerable)
        premise = functional.binary_cross_entropy_with_logits(corrects, correcting.float(), reduction="sum")
        gold = marked & ~correcting  # what corrects a question is about the same thing, and no answer
        everything = torch.logsumexp(torch.cat([answers, answers.new_zeros(1)]), 0)
        wanted = torch.logsumexp(answers[gold], 0) if gold.any() else answers.new_zeros(())
        each = functional.binary_cross_entropy_with_logits(answers, gold.float(), reduction="sum")
        losses.append(everything - wanted + YES_NO * (each + premise))
    return torch.stack(losses).mean()


def _claims_loss(model: Any, words: Any, tokenizer: Any, batch: Sequence[Stated], chance: random.Random) -> Any:
    import torch
    from torch.nn import functional

    shown = [beside(each, chance) for each in batch]
    encoded = [
        encode(tokenizer, each.claim.text, [passage], most=CLAIM_TOKENS)[0]
        for each, (passage, _) in zip(batch, shown, strict=True)
    ]
    wanted = torch.tensor([float(told) for _, told in shown], device=words.device)
    return functional.binary_cross_entropy_with_logits(torch.stack(_read(model, words, encoded)), wanted)


def _read(model: Any, words: Any, encoded: Sequence[Encoded]) -> list[Any]:
    """The network's output for each input. Neighbours in length go through together: padding is what costs on a CPU."""
    import torch
    from torch.nn import functional

    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i][0]))
    size = TOGETHER if words.device.type == "cpu" else len(order)
    found: list[Any] = [None] * len(order)
    for at in range(0, len(order), size):
        rows = order[at : at + size]
        ids, mask, spans = (torch.from_numpy(array).to(words.device) for array in pad([encoded[i] for i in rows]))
        output = model(functional.embedding(ids, words), mask.to(words.dtype), spans.to(words.dtype)).float()
        for row, i in enumerate(rows):
            found[i] = output[row]
    return found


YES_NO: Final = 0.2
"""Weight of the yes/no losses, summed over a question's sentences, against the choice among them."""


def start(layers: int, task: Task) -> Any:
    """The untrained reader or entailer: the first layers of the embedding model and a new head."""
    import torch
    from torch import nn
    from torch.nn import functional

    torch.manual_seed(SEED)

    class Drop(nn.Module):
        """Dropout that drops the same features in all tokens of a passage: as good, and a hundredth of the random numbers."""

        def forward(self, h: Any) -> Any:
            if not self.training:
                return h
            return h * (torch.empty_like(h[:, :1]).bernoulli_(1 - DROPOUT) / (1 - DROPOUT))

    class Layer(nn.Module):
        def __init__(self, hidden: int, heads: int, wide: int) -> None:
            super().__init__()
            self.heads, self.scale = heads, (hidden // heads) ** -0.5
            self.query, self.key, self.value, self.attended = (nn.Linear(hidden, hidden) for _ in range(4))
            self.widen, self.narrow = nn.Linear(hidden, wide), nn.Linear(wide, hidden)
            self.norms = nn.ModuleList(nn.LayerNorm(hidden, eps=1e-12) for _ in range(2))
            self.drop = Drop()

        def forward(self, h: Any, bias: Any) -> Any:
            n, t, hidden = h.shape
            q, k, v = (
                each(h).view(n, t, self.heads, hidden // self.heads).transpose(1, 2)
                for each in (self.query, self.key, self.value)
            )
            # by hand: torch's own takes twice the time in bfloat16 with a mask on a CPU
            seen = torch.softmax((q * self.scale) @ k.transpose(-1, -2) + bias, -1) @ v
            h = self.norms[0](h + self.drop(self.attended(seen.transpose(1, 2).reshape(n, t, hidden))))
            return self.norms[1](h + self.drop(self.narrow(functional.gelu(self.widen(h)))))

    class Network(nn.Module):
        def __init__(self, hidden: int, heads: int, wide: int, positions: int) -> None:
            super().__init__()
            self.positions = nn.Parameter(torch.zeros(positions, hidden), requires_grad=False)
            self.norm = nn.LayerNorm(hidden, eps=1e-12)
            self.layers = nn.ModuleList(Layer(hidden, heads, wide) for _ in range(layers))
            # which tokens speak for a sentence is learned: equal shares at the beginning
            self.share = nn.Linear(hidden, 1)
            nn.init.zeros_(self.share.weight)
            # what is compared for similarity stands here from the first step: without it training stayed at chance
            wide_in, out = (3 * hidden, 2) if task == "reader" else (hidden, 1)
            self.head = nn.Sequential(nn.Linear(wide_in, HEAD), nn.GELU(), nn.Linear(HEAD, out))

        def forward(self, words: Any, mask: Any, spans: Any) -> Any:
            h = self.norm(words + self.positions[: words.shape[1]])
            bias = ((1 - mask) * -1e4)[:, None, None, :]
            for layer in self.layers:
                h = layer(h, bias)
            shares = torch.exp(self.share(h).float().clamp(-SHARES, SHARES)).transpose(1, 2) * spans.float()
            shares = shares / shares.sum(-1, keepdim=True).clamp_min(1e-6)
            question, sentences = (shares.to(h.dtype) @ h).split([1, spans.shape[1] - 1], dim=1)
            if task == "entailer":  # by then the claim's own tokens have seen what stands beside it
                return self.head(question[:, 0]).squeeze(-1)
            return self.head(torch.cat([sentences, question * sentences, (question - sentences).abs()], -1))

    source = weights.Encoder()
    network = Network(source.hidden, source.heads, source.intermediate, source.positions)
    network.load_state_dict(
        {name: torch.from_numpy(value) for name, value in source.state(layers).items()}, strict=False
    )
    return network


def export(model: Any, file: Path) -> None:
    """Write the network as ONNX with 8-bit matrices; quantised per column, activations as they come. Its output is
    "logits": (n, sentences, 2) of the reader, (n,) of the entailer."""
    import tempfile

    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = copy.deepcopy(model).cpu().eval()
    n, s, t = 2, 3, 16
    example = (torch.zeros(n, t, weights.DIMENSION), torch.ones(n, t), torch.full((n, 1 + s, t), 1 / t))
    axes = {
        "words": {0: "n", 1: "t"},
        "mask": {0: "n", 1: "t"},
        "spans": {0: "n", 1: "rows", 2: "t"},
        "logits": {0: "n", 1: "s"},
    }
    with tempfile.TemporaryDirectory(prefix="chipdesk-") as folder:
        whole = Path(folder) / "reader.onnx"
        torch.onnx.export(
            model, example, str(whole), input_names=["words", "mask", "spans"], output_names=["logits"], dynamic_axes=axes,
            opset_version=17, dynamo=False,
        )  # fmt: skip
        quantize_dynamic(whole, file, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul"])


def judge_claims(entailer: Entailer, claims: Sequence[Stated]) -> dict[str, float | None]:
    """How well told claims, written by hand, are told apart from others that the entailer was not trained on (AUC; .5 is
    chance).

    Returns:
        claims: of one language with their article. claims across: of the other. elsewhere, elsewhere across: the same for
            texts that are not in the corpus.
    """
    told: dict[tuple[bool, bool, bool], list[float]] = {}
    for each in claims:
        if each.claim.kind not in MADE:
            near = sorted((*each.bearing, *each.others[: BESIDE - len(each.bearing)]))
            passage = Passage(each.context, tuple(each.sentences[i] for i in near))
            across = each.claim.language != each.language
            logits = entailer.entails(each.claim.text, [passage])
            told.setdefault((each.elsewhere, across, each.claim.told), []).extend(logits)
    return {
        f"{name}{' across' if across else ''}": _rounded(
            auc(told.get((elsewhere, across, True), []), told.get((elsewhere, across, False), []))
        )
        for elsewhere, name in ((False, "claims"), (True, "elsewhere"))
        for across in (False, True)
    }


def judge(reader: Reader, examples: Sequence[Example]) -> dict[str, float | None]:
    """How well the reader does on questions it was not trained on.

    Returns:
        right sentence: share of the answerable questions, where an answer is among the passages, whose best scored sentence
            answers. told apart: probability that an answerable question's best score is above that of one without answer
            (AUC; .5 is chance). corrections: the same for the best "corrects" score of false premises against all others.
    """
    right: list[float] = []
    best: dict[bool, list[float]] = {True: [], False: []}
    corrects: dict[bool, list[float]] = {True: [], False: []}
    for example in examples:
        readings = reader.read(example.question, [shown.passage for shown in example.shown[:READ]])
        rows = [
            pair
            for each, shown in zip(readings, example.shown, strict=False)
            for pair in zip(each, shown.gold, strict=True)
        ]
        top, gold = max(rows, key=lambda row: row[0].answers)
        premise = not example.answerable and any(any(shown.gold) for shown in example.shown)
        if example.answerable and any(label for _, label in rows):
            right.append(float(gold))
        if not premise:
            best[example.answerable].append(top.answers)
        corrects[premise].append(max(reading.corrects for reading, _ in rows))
    return {
        "right sentence": _rounded(mean(right)),
        "told apart": _rounded(auc(best[True], best[False])),
        "corrections": _rounded(auc(corrects[True], corrects[False])),
    }


READ: Final = 12
"""Passages judged for a question: as many as answering reads."""


def auc(above: Sequence[float], below: Sequence[float]) -> float | None:
    """Probability that one of `above` is greater than one of `below`, ties count half; None where either is empty."""
    if not above or not below:
        return None
    order = np.sort(below)
    smaller, not_greater = (np.searchsorted(order, above, side) for side in ("left", "right"))
    return float((smaller + not_greater).mean() / 2 / len(order))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def run(
    settings: Settings,
    folder: Path,
    *,
    only: Task | None = None,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Train both networks, or one, on the repository's questions and claims; writes them, and the record of what made each
    (.json), to `folder`.

    Args:
        only: just this one.

    Raises:
        IndexMissing, IndexMismatch: retrieval needs the corpus' index.
        BadRequest: the extra `train` is not installed.
    """
    if importlib.util.find_spec("onnx") is None:
        raise BadRequest("Training needs the package onnx.", "Install it with `pip install 'chipdesk[train]'`.")
    desk = Chipdesk(settings)
    done: dict[str, Any] = {}
    tasks: dict[Task, _Run] = {"entailer": run_entailer, "reader": run_reader}
    for name, each in tasks.items():
        if only not in (None, name):
            continue
        file = folder / f"{name}.onnx"
        record = each(desk, file, progress)
        record["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
        file.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
        done[name] = record
    progress("")
    return done


_Run = Callable[[Chipdesk, Path, Callable[[str], None]], dict[str, Any]]


def run_reader(desk: Chipdesk, file: Path, progress: Callable[[str], None]) -> dict[str, Any]:
    """Train the reader on tests/qa/train.jsonl, and with twins.jsonl and asked.jsonl beside it, and judge their mean on the
    questions held out, about the corpus and elsewhere; returns the record."""
    items, twins, asked = read_questions("train"), read_questions("twins"), read_asked()
    corpus = list(zip(map(held_out, items), gather(desk, items, progress), strict=True))
    more = list(zip(map(held_out, twins), gather(desk, twins, progress), strict=True))
    elsewhere = list(zip((is_held_out(each.text) for each in asked), gather_asked(asked), strict=True))
    sets = [[example for apart, example in some if not apart] for some in (corpus, [*corpus, *more, *elsewhere])]
    done = train(sets, file, progress=progress)
    progress("judging the reader on the questions held out")
    reader = OnnxReader(file=file)
    judged = {
        f"held out{of}": judge(reader, [example for apart, example in some if apart])
        for of, some in (("", corpus), (" elsewhere", elsewhere))
    }
    data = {"train": checksum(items), "twins": checksum(twins), "asked": asked_checksum(asked)}
    return done | {"data": data} | judged


def run_entailer(desk: Chipdesk, file: Path, progress: Callable[[str], None]) -> dict[str, Any]:
    """Train the entailer and judge it on the claims held out; returns the record."""
    progress("gathering claims")
    claims = gather_claims(desk)
    apart = [each for each in claims if is_held_out(each.claim.event)]
    shown = [each for each in claims if not is_held_out(each.claim.event)]
    made = [each for each in shown if each.claim.kind in MADE][::EVERY_RULED]
    done = train_claims(
        [*(each for each in shown if each.claim.kind not in MADE), *made],
        file,
        progress=progress,
    )
    progress("judging the entailer on the claims held out")
    return done | {"data": claims_checksum(), "held out": judge_claims(OnnxEntailer(file=file), apart)}


def asked_checksum(asked: Sequence[Asked]) -> str:
    """Of the questions about texts that are not in the corpus."""
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:16]


def claims_checksum() -> str:
    """Of everything that was written by hand for the entailer."""
    elsewhere = [(each.claim, each.context, each.sentences) for each in read_elsewhere()]
    return hashlib.sha256(repr((read_claims(), elsewhere)).encode()).hexdigest()[:16]
