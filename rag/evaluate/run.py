"""Run a suite and gather its results: `qa` and `headlines` over the corpus, `xquad` and `xquad-r` over public data."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from rag.ask import Chipdesk
from rag.errors import BadRequest
from rag.evaluate.metrics import (
    calibration_error,
    citation_precision,
    citation_recall,
    hit_at,
    language_match,
    lead,
    mean,
    ndcg_at,
    on_event,
    percentile,
    precision_recall,
    premise_handled,
    rank_of,
    reciprocal_rank,
)
from rag.evaluate.questions import Item, checksum, read_questions
from rag.settings import Settings
from rag.types import Hit

SUITES: Final = ("qa", "headlines", "xquad", "xquad-r", "corruptions", "rte3", "wice")
Table = tuple[str, list[str], list[list[str]]]
"""Title, column heads, rows."""
KIND: Final = "kind "
"""Begins the name of a group of one kind of question."""
PREMISE: Final = "false_premise"


Verdict = Literal["right", "wrong answer", "should have declined", "wrongly declined"]
"""What became of a question, in words. Each question has one; a false premise that passed unnoticed is a wrong answer."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence of an article, cited or gold."""

    article: str
    quote: str


@dataclass(frozen=True, slots=True)
class Score:
    """One question's scores. None means that the score does not apply to this question."""

    id: str
    question: str
    history: tuple[str, ...]
    """What was said before, oldest first."""
    kind: str
    language: str
    pair: str
    """Question language -> languages in which the answer exists: "en>de", "de>de+en"; "unanswerable" without gold."""
    same_language: bool | None
    """Whether the answer exists in the question's language; None without gold."""
    answerable: bool
    verdict: Verdict
    rank: int | None
    """Of the first gold event among the retrieved ones, from 1; None if it was not retrieved, or without gold."""
    hit1: float | None
    hit5: float | None
    reciprocal_rank: float | None
    ndcg10: float | None
    evidence_precision: float | None
    evidence_recall: float | None
    abstained: bool
    correct: float | None
    """Whether the answer's quotes contain what the gold patterns ask for; 0 for an abstention."""
    citation_precision: float | None
    citation_recall: float | None
    lead: float | None
    on_event: float | None
    language_match: float
    premise_handled: float | None
    milliseconds: float
    support: float | None
    """Of the answer's first sentence; None for an abstention."""
    answer: str
    citations: tuple[Quote, ...]
    """What the answer cites; the nearest coverage for an abstention."""
    gold: tuple[Quote, ...]


Figure = Callable[[Sequence[Score]], float | None]
"""Makes one figure of the scores of a group; None where it applies to none of them."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of the summary."""

    about: str
    """Which questions count, and what the figure says of them."""
    figure: Figure
    less_is_better: bool = False


def _mean(name: str, kind: str | None = None) -> Figure:
    """The mean of one score over the questions (of one kind) that it applies to."""
    return lambda scores: mean(
        value for score in scores if kind in (None, score.kind) and (value := getattr(score, name)) is not None
    )


METRICS: Final[dict[str, Metric]] = {
    "n": Metric("Questions.", len),
    "hit@1": Metric("Questions with gold: the first event retrieved is a gold event.", _mean("hit1")),
    "hit@5": Metric("Questions with gold: a gold event is among the first five retrieved.", _mean("hit5")),
    "MRR": Metric(
        "Questions with gold: 1 / rank of the first gold event, 0 if it was not retrieved.", _mean("reciprocal_rank")
    ),
    "nDCG@10": Metric("Questions with gold: how near the top the gold events stand.", _mean("ndcg10")),
    "ev. prec.": Metric("Answered answerable questions: cited sentences that are gold.", _mean("evidence_precision")),
    "ev. rec.": Metric(
        "Answerable questions: gold sentences, of the languages cited, that are cited; 0 if declined.",
        _mean("evidence_recall"),
    ),
    "correct": Metric(
        "Answerable questions: the quotes contain what the gold patterns ask for; 0 if declined.", _mean("correct")
    ),
    "cit. prec.": Metric(
        "Answers: citations that hold, that is whose quote stands at its offsets in a stored article that is not "
        "withdrawn, and is the sentence it is cited for.",
        _mean("citation_precision"),
    ),
    "cit. rec.": Metric("Answers: sentences covered by a citation that holds.", _mean("citation_recall")),
    "lead": Metric(
        "Answers: the first sentence cites a gold sentence; 0 where the question has no answer.", _mean("lead")
    ),
    "calib.": Metric(
        "Answers: expected calibration error of the first sentence's support against `lead`. Less is better.",
        lambda scores: calibration_error(
            (s.support, s.lead) for s in scores if s.support is not None and s.lead is not None
        ),
        less_is_better=True,
    ),
    "on event": Metric("Answers to questions with gold: citations that tell a gold event.", _mean("on_event")),
    "language": Metric(
        "All questions: answered or declined in the question's language, and beginning with evidence in it where gold "
        "exists in it.",
        _mean("language_match"),
    ),
    "abst. prec.": Metric(
        "Declined questions: unanswerable, off topic or built on a false premise. Declining a false premise is right, "
        "though correcting it is too.",
        lambda scores: mean(float(not score.answerable) for score in scores if score.abstained),
    ),
    "abst. rec.": Metric(
        "Unanswerable and off-topic questions: declined. False premises are scored apart.",
        lambda scores: mean(float(s.abstained) for s in scores if not s.answerable and s.kind != PREMISE),
    ),
    "false ref.": Metric(
        "Answerable questions: declined. Less is better.",
        lambda scores: mean(float(score.abstained) for score in scores if score.answerable),
        less_is_better=True,
    ),
    "latest": Metric("Questions for the latest state: correct.", _mean("correct", "latest")),
    "conflict": Metric(
        "Questions on which sources differ: correct, which takes both sides.", _mean("correct", "conflict")
    ),
    "followup": Metric("Questions that need the conversation before them: correct.", _mean("correct", "followup")),
    "false premise": Metric(
        "Questions built on a false premise: declined, or the first sentence cites a correction of it.",
        _mean("premise_handled", PREMISE),
    ),
    "ms": Metric(
        "All questions: mean milliseconds of one answer, in one process.", _mean("milliseconds"), less_is_better=True
    ),
    "ms p50": Metric(
        "All questions: milliseconds that half of the answers stay within.",
        lambda scores: percentile((score.milliseconds for score in scores), 0.50),
        less_is_better=True,
    ),
    "ms p95": Metric(
        "All questions: milliseconds that 95 of 100 answers stay within.",
        lambda scores: percentile((score.milliseconds for score in scores), 0.95),
        less_is_better=True,
    ),
}
"""Every figure of the suite qa by its name: the columns of the tables, the keys of --json, the names of the floors. All
but n and ms are 0..1. A metric counts every question it applies to, and is None in a group where it applies to none."""

RETRIEVAL: Final = ("n", "hit@1", "hit@5", "MRR", "nDCG@10", "ev. prec.", "ev. rec.")
ANSWERS: Final = (
    "n", "correct", "cit. prec.", "cit. rec.", "on event", "language", "abst. prec.", "abst. rec.", "false ref.",
)  # fmt: skip
ONCE: Final = ("lead", "calib.", "latest", "conflict", "followup", "false premise", "ms", "ms p50", "ms p95")
"""Shown for all questions together only: by group they are empty or repeat `correct`."""


@dataclass(frozen=True)
class Result:
    """A suite's results: overall, by group, and per question."""

    suite: str
    data: dict[str, Any]
    overall: dict[str, Any]
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    scores: tuple[Score, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "suite": self.suite,
            "data": self.data,
            "overall": self.overall,
            "groups": self.groups,
            "questions": [asdict(score) for score in self.scores],
        }

    def tables(self) -> list[Table]:
        """For a terminal: groups as rows, metrics as columns; in two tables of the same rows where there are many metrics."""
        about = f"{self.suite}: " + ", ".join(f"{name} {value}" for name, value in self.data.items())
        if self.suite != "qa":
            return [self._table(about, list(self.overall))]
        return [
            self._table(f"{about} – retrieval and evidence", RETRIEVAL),
            self._table("answers, citations and refusals", ANSWERS),
            ("all questions", list(ONCE), [[shown(self.overall[name]) for name in ONCE]]),
        ]

    def _table(self, title: str, columns: Sequence[str]) -> Table:
        rows: list[list[str]] = []
        previous = None
        for name, values in (*self.groups.items(), ("all", self.overall)):
            by_kind = name.startswith(KIND)
            if previous is not None and by_kind != previous:
                rows.append([""] * (len(columns) + 1))
            rows.append([name, *(shown(values.get(column)) for column in columns)])
            previous = by_kind
        return title, ["", *columns], rows


def evaluate(
    suite: str, settings: Settings, *, split: str = "dev", data: Path | None = None, progress: Callable[[str], None]
) -> Result:
    """Run one suite.

    Args:
        suite: one of SUITES.
        split: for qa: dev, test, all, followups or off-topic.
        data: folder with the public benchmarks, for xquad, xquad-r, rte3 and wice.
        progress: told what is being done.

    Raises:
        BadRequest: no such suite, or `data` is needed.
    """
    if suite == "qa":
        return evaluate_questions(Chipdesk(settings), read_questions(split), split=split, progress=progress)
    if suite == "headlines":
        return evaluate_headlines(Chipdesk(settings), progress=progress)
    if suite == "corruptions":
        from rag.evaluate.corruptions import evaluate_corruptions

        return evaluate_corruptions(Chipdesk(settings), progress=progress)
    if suite in SUITES:
        from rag.evaluate import claims, external

        if data is None:
            raise BadRequest(f"The suite {suite} needs its data.", "Name the folder with --data DIR.")
        runs = {
            "xquad": external.evaluate_passages, "xquad-r": external.evaluate_sentences,
            "rte3": claims.evaluate_rte, "wice": claims.evaluate_wice,
        }  # fmt: skip
        return runs[suite](settings, data, progress=progress)
    raise BadRequest(f"There is no suite {suite!r}.", f"Choose one of {', '.join(SUITES)}.")


def evaluate_questions(desk: Chipdesk, items: Sequence[Item], *, split: str, progress: Callable[[str], None]) -> Result:
    """Ask every question and score retrieval, evidence, answer, citations and refusal; METRICS says how.

    Groups are the answers that exist in the question's language and those that do not, the language pairs, the kinds.
    """
    scores = []
    if items:
        # the first question opens index and model: it is asked once without a clock
        desk.ask(items[0].question, history=items[0].history)
    for number, item in enumerate(items, start=1):
        progress(f"question {number} of {len(items)}")
        scores.append(_score(desk, item))
    progress("")
    groups = {
        "same language": [s for s in scores if s.same_language],
        "cross language": [s for s in scores if s.same_language is False],
    }
    groups |= {pair: [s for s in scores if s.pair == pair] for pair in sorted({s.pair for s in scores})}
    groups |= {f"{KIND}{kind}": [s for s in scores if s.kind == kind] for kind in sorted({s.kind for s in scores})}
    about = {"split": split, "questions": len(items), "gold": checksum(items), "index": desk.index.manifest.identity}
    figures = {name: summary(members) for name, members in groups.items() if members}
    return Result("qa", about, summary(scores), figures, tuple(scores))


def evaluate_headlines(desk: Chipdesk, *, progress: Callable[[str], None]) -> Result:
    """Ask for every event by its headline, in each language it is told in; the event should be among the first 5.

    Across languages means: the headline of one language against the articles of the other alone.
    """
    articles = desk.index.catalog.articles()
    languages = {event: {a.language for a in articles if a.event == event} for event in {a.event for a in articles}}
    found: dict[str, list[tuple[float, float, float]]] = {}
    for number, article in enumerate(articles, start=1):
        progress(f"headline {number} of {len(articles)}")
        question, vector = desk.read(article.title)
        hits = desk.retrieve(question, vector)
        for language in sorted(languages[article.event]):
            ranking = events_of([hit for hit in hits if hit.article.language == language])
            gold = {article.event}
            scores = (hit_at(ranking, gold, 1), hit_at(ranking, gold, 5), reciprocal_rank(ranking, gold))
            found.setdefault(f"{article.language}>{language}", []).append(scores)
    progress("")

    def figures(scores: list[tuple[float, float, float]]) -> dict[str, Any]:
        one, five, reciprocal = (mean(column) for column in zip(*scores, strict=True))
        return {"n": len(scores), "hit@1": one, "hit@5": five, "MRR": reciprocal}

    everything = [score for scores in found.values() for score in scores]
    about = {"articles": len(articles), "index": desk.index.manifest.identity}
    return Result("headlines", about, figures(everything), {pair: figures(found[pair]) for pair in sorted(found)})


def events_of(hits: Sequence[Hit]) -> list[str]:
    """The events of a ranking of chunks, best first, each once."""
    return list(dict.fromkeys(hit.article.event for hit in hits))


def summary(scores: Sequence[Score]) -> dict[str, Any]:
    """All METRICS of a group of questions."""
    return {name: metric.figure(scores) for name, metric in METRICS.items()}


def shown(value: float | None) -> str:
    """A figure for people: counts and milliseconds without decimals, shares with three, a dash for None."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.0f}" if value > 1.5 else f"{value:.3f}"


def _score(desk: Chipdesk, item: Item) -> Score:
    started = time.perf_counter()
    answer = desk.ask(item.question, history=item.history)
    took = (time.perf_counter() - started) * 1000
    joined = answer.standalone_question != answer.question
    question, vector = desk.read(item.question, history=item.history, joined=joined)
    ranking = events_of(desk.retrieve(question, vector))
    events = set(item.events) if item.gold else set()
    told = {gold.article.rsplit(".", 1)[-1] for gold in item.gold}
    gold = {(g.article, g.quote) for g in item.gold}
    cited = set() if answer.abstained else {(c.article, c.quote) for c in answer.citations}
    # one language's gold is enough: the other one says the same
    usable = {pair for pair in gold if pair[0].rsplit(".", 1)[-1] in {c.language for c in answer.citations}} or gold
    precision, recall = precision_recall(cited, usable)
    right = not answer.abstained and item.is_answered_by(" ".join(citation.quote for citation in answer.citations))
    handled = premise_handled(answer, gold) if item.kind == PREMISE else None
    return Score(
        id=item.id,
        question=item.question,
        history=tuple(turn.content for turn in item.history),
        kind=item.kind,
        language=item.language,
        pair=f"{item.language}>{'+'.join(sorted(told))}" if told else "unanswerable",
        same_language=item.language in told if told else None,
        answerable=item.answerable,
        verdict=_verdict(item, answer.abstained, right if handled is None else bool(handled)),
        rank=rank_of(ranking, events) if events else None,
        hit1=hit_at(ranking, events, 1) if events else None,
        hit5=hit_at(ranking, events, 5) if events else None,
        reciprocal_rank=reciprocal_rank(ranking, events) if events else None,
        ndcg10=ndcg_at(ranking, events, 10) if events else None,
        evidence_precision=precision if item.answerable and not answer.abstained else None,
        evidence_recall=recall if item.answerable else None,
        abstained=answer.abstained,
        correct=float(right) if item.answerable else None,
        citation_precision=citation_precision(answer, desk.index.article),
        citation_recall=citation_recall(answer, desk.index.article),
        lead=lead(answer, gold if item.answerable else ()),
        on_event=on_event(answer, events),
        language_match=language_match(answer, item.language, told=item.language in told),
        premise_handled=handled,
        milliseconds=took,
        support=answer.sentences[0].support if answer.sentences else None,
        answer=answer.answer,
        citations=tuple(Quote(c.article, c.quote) for c in answer.citations),
        gold=tuple(Quote(g.article, g.quote) for g in item.gold),
    )


def _verdict(item: Item, abstained: bool, right: bool) -> Verdict:
    if item.answerable:
        return "wrongly declined" if abstained else "right" if right else "wrong answer"
    if item.kind == PREMISE:
        return "right" if right else "wrong answer"
    return "right" if abstained else "should have declined"
