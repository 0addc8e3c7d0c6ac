"""What a language model writes, measured beside the quotations of the same evidence: `chipdesk eval --writer llm`.

Both answers are made of the same selection, so that only the writing differs: whether what is shown contains the gold
answer, whether each citation carries its sentence, what fell and why, and when a reader sees something.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rag.ask import Chipdesk
from rag.evaluate.metrics import mean, on_event, percentile
from rag.evaluate.questions import Item, checksum
from rag.evaluate.run import Table, shown
from rag.llm import Heard, LlmWriter, Model
from rag.types import Answer, Evidence, Span
from rag.write import ExtractiveWriter

WRITERS: Final = (ExtractiveWriter.name, LlmWriter.name)


@dataclass(frozen=True, slots=True)
class Written:
    """One answer by one writer. None where a figure does not apply."""

    answer: str
    by: str
    """Who wrote it in the end: "extractive" where nothing of the model stood."""
    abstained: bool
    correct: float | None
    """Whether what is shown, the sentences and the quotes under them, contains what the gold patterns ask for."""
    correct_text: float | None
    """The same for the sentences alone: what a reader knows who opens no quote."""
    citation_precision: float | None
    """Share of the (sentence, citation) pairs whose citation alone supports the sentence, by the checker."""
    on_event: float | None
    heard: tuple[Heard, ...]
    """Sentences that the model wrote, whether they were shown or not."""
    evidence_ms: float
    first_ms: float | None
    """Milliseconds to the first sentence; None where there is none."""
    took_ms: float


@dataclass(frozen=True, slots=True)
class Pair:
    """One question with both answers."""

    id: str
    question: str
    kind: str
    language: str
    answerable: bool
    extractive: Written
    llm: Written


@dataclass(frozen=True, slots=True)
class Comparison:
    """All questions, asked twice."""

    data: dict[str, Any]
    pairs: tuple[Pair, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "suite": "written",
            "data": self.data,
            "figures": {f"{name} {group}": self.figures(name, group) for name in WRITERS for group in self._groups()},
            "fell": self.reasons(),
            "questions": [asdict(pair) for pair in self.pairs],
        }

    def tables(self) -> list[Table]:
        about = ", ".join(f"{name} {value}" for name, value in self.data.items())
        columns = {f"{name} {group}": self.figures(name, group) for group in self._groups() for name in WRITERS}
        # a figure a row: fifteen columns do not fit a terminal
        rows = [
            [figure, *(shown(column[figure]) for column in columns.values())] for figure in next(iter(columns.values()))
        ]
        reasons = [[reason, str(count)] for reason, count in self.reasons().items()]
        return [(f"written: {about}", ["", *columns], rows), ("why sentences fell", ["", "sentences"], reasons)]

    def figures(self, writer: str, group: str) -> dict[str, float | None]:
        """Means over the questions (of one language) by name; times are percentiles, in milliseconds."""
        pairs = [pair for pair in self.pairs if group in ("all", pair.language)]
        told: list[Written] = [getattr(pair, writer) for pair in pairs]
        answered = [one for one in told if not one.abstained]

        def average(name: str) -> float | None:
            return mean(value for one in told if (value := getattr(one, name)) is not None)

        def times(name: str, share: float) -> float | None:
            return percentile((value for one in answered if (value := getattr(one, name)) is not None), share)

        heard = [sentence for one in answered for sentence in one.heard]
        fallen = [sentence for sentence in heard if sentence.reasons]
        return {
            "n": len(told),
            "correct": average("correct"),
            "correct text": average("correct_text"),
            "cit. prec.": average("citation_precision"),
            "on event": average("on_event"),
            "by model": mean(float(one.by == LlmWriter.name) for one in answered),
            "heard": len(heard),
            "fell": len(fallen) / len(heard) if heard else None,
            "replaced": sum(sentence.replaced for sentence in fallen) / len(heard) if heard else None,
            "evidence p50": times("evidence_ms", 0.5),
            "evidence p95": times("evidence_ms", 0.95),
            "first p50": times("first_ms", 0.5),
            "first p95": times("first_ms", 0.95),
            "end p50": times("took_ms", 0.5),
            "end p95": times("took_ms", 0.95),
        }

    def reasons(self) -> dict[str, int]:
        """How many of the model's sentences fell for each reason; a sentence may have several."""
        counted = Counter(reason for pair in self.pairs for sentence in pair.llm.heard for reason in sentence.reasons)
        return dict(counted.most_common())

    def _groups(self) -> list[str]:
        return ["all", *sorted({pair.language for pair in self.pairs})]


def spread(items: Sequence[Item], limit: int | None) -> list[Item]:
    """`limit` of the items, evenly from each kind and language, always the same ones; all without a limit."""
    if limit is None or limit >= len(items):
        return list(items)
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in sorted(items, key=lambda item: item.id):
        groups.setdefault((item.kind, item.language), []).append(item)
    ranked = [
        ((place + 0.5) / len(members), kind, item)
        for kind, members in groups.items()
        for place, item in enumerate(members)
    ]
    # the same share of every group comes first, so that any beginning of the list is a fair sample
    return [item for _, _, item in sorted(ranked, key=lambda one: (one[0], one[1], one[2].id))[:limit]]


def evaluate_written(
    desk: Chipdesk, model: Model, items: Sequence[Item], *, split: str, progress: Callable[[str], None]
) -> Comparison:
    """Ask every question twice, for quotations and for what `model` writes."""
    heard: list[Heard] = []
    writer = desk.llm_writer(model, listen=heard.append)
    both = Chipdesk(desk.settings, embedder=desk.embedder, reader=desk.reader, writers=[writer])
    if items:
        # the first question opens index and models: it is asked once without a clock
        for name in WRITERS:
            both.ask(items[0].question, history=items[0].history, writer=name)
    pairs = []
    for number, item in enumerate(items, start=1):
        progress(f"question {number} of {len(items)}")
        told = {}
        for name in WRITERS:
            heard.clear()
            told[name] = _written(both, item, name, heard)
        pairs.append(Pair(item.id, item.question, item.kind, item.language, item.answerable, **told))
    progress("")
    data = {"split": split, "questions": len(items), "gold": checksum(items), "index": both.index.manifest.identity}
    return Comparison(data, tuple(pairs))


def _written(desk: Chipdesk, item: Item, writer: str, heard: list[Heard]) -> Written:
    started = time.perf_counter()
    growing = desk.stream(item.question, history=item.history, writer=writer)
    answer = next(growing)
    evidence_ms = (time.perf_counter() - started) * 1000
    first_ms = None
    for answer in growing:
        if first_ms is None and answer.sentences:
            first_ms = (time.perf_counter() - started) * 1000
    took = (time.perf_counter() - started) * 1000
    sentences = " ".join(sentence.text for sentence in answer.sentences)
    quotes = " ".join(citation.quote for citation in answer.citations)
    right = not answer.abstained and item.is_answered_by(f"{sentences} {quotes}")
    right_text = not answer.abstained and item.is_answered_by(sentences)
    return Written(
        answer=answer.answer,
        by=answer.writer,
        abstained=answer.abstained,
        correct=float(right) if item.answerable else None,
        correct_text=float(right_text) if item.answerable else None,
        citation_precision=_carried(desk, answer, item),
        on_event=on_event(answer, set(item.events) if item.gold else set()),
        heard=tuple(heard),
        evidence_ms=evidence_ms,
        first_ms=first_ms,
        took_ms=took,
    )


def _carried(desk: Chipdesk, answer: Answer, item: Item) -> float | None:
    if answer.abstained:
        return None
    joined = answer.standalone_question != answer.question
    question, _ = desk.read(item.question, history=item.history, joined=joined)
    cited = {citation.number: citation for citation in answer.citations}
    held = []
    for sentence in answer.sentences:
        for number in sentence.citations:
            citation = cited[number]
            item_cited = Evidence(desk.article(citation.article), Span(citation.start, citation.end), sentence.support)
            said = citation.quote if citation.quote in sentence.text else sentence.text
            held.append(float(desk.check(said, [item_cited], question=question).verdict == "supported"))
    return mean(held)
