"""Run a suite and gather its results: `qa` and `headlines` over the corpus, `xquad` and `xquad-r` over public data."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rag.ask import Chipdesk
from rag.errors import BadRequest
from rag.evaluate.metrics import hit_at, mean, ndcg_at, precision_recall, reciprocal_rank
from rag.evaluate.questions import Item, checksum, read_questions
from rag.settings import Settings
from rag.types import Answer, Hit

SUITES: Final = ("qa", "headlines", "xquad", "xquad-r")
Table = tuple[str, list[str], list[list[str]]]
"""Title, column heads, rows."""


@dataclass(frozen=True, slots=True)
class Score:
    """One question's scores. None means that the score does not apply to this kind of question."""

    id: str
    question: str
    kind: str
    language: str
    pair: str
    """Question language -> languages in which the answer exists: "en>de", "de>de+en"."""
    hit1: float | None
    hit5: float | None
    reciprocal_rank: float | None
    ndcg10: float | None
    evidence_precision: float | None
    evidence_recall: float | None
    abstained: bool
    should_abstain: bool
    correct: float | None
    """Whether the answer's quotes contain what the gold patterns ask for; 0 for an abstention."""
    quotes_exact: bool
    milliseconds: float
    answer: str = ""


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
        """For a terminal: groups as rows, metrics as columns."""
        columns = list(self.overall)
        rows = [[name, *(_shown(values.get(column)) for column in columns)] for name, values in self.groups.items()]
        rows.append(["all", *(_shown(self.overall[column]) for column in columns)])
        about = ", ".join(f"{name} {value}" for name, value in self.data.items())
        return [(f"{self.suite}: {about}", ["", *columns], rows)]


def evaluate(
    suite: str, settings: Settings, *, split: str = "dev", data: Path | None = None, progress: Callable[[str], None]
) -> Result:
    """Run one suite.

    Args:
        suite: one of SUITES.
        split: for qa: dev, test or all.
        data: folder with the public benchmarks, for xquad and xquad-r.
        progress: told what is being done.

    Raises:
        BadRequest: no such suite, or `data` is needed.
    """
    if suite == "qa":
        return evaluate_questions(Chipdesk(settings), read_questions(split), split=split, progress=progress)
    if suite == "headlines":
        return evaluate_headlines(Chipdesk(settings), progress=progress)
    if suite in SUITES:
        from rag.evaluate import external

        if data is None:
            raise BadRequest(f"The suite {suite} needs its data.", "Name the folder with --data DIR.")
        run = external.evaluate_passages if suite == "xquad" else external.evaluate_sentences
        return run(settings, data, progress=progress)
    raise BadRequest(f"There is no suite {suite!r}.", f"Choose one of {', '.join(SUITES)}.")


def evaluate_questions(desk: Chipdesk, items: Sequence[Item], *, split: str, progress: Callable[[str], None]) -> Result:
    """Ask every question and score retrieval, evidence, answer and refusal. Every metric counts every question it applies to."""
    scores = []
    for number, item in enumerate(items, start=1):
        progress(f"question {number} of {len(items)}")
        scores.append(_score(desk, item))
    progress("")
    pairs = sorted({score.pair for score in scores})
    kinds = sorted({score.kind for score in scores})
    groups = {pair: summary([s for s in scores if s.pair == pair]) for pair in pairs}
    groups |= {f"kind {kind}": summary([s for s in scores if s.kind == kind]) for kind in kinds}
    about = {"split": split, "questions": len(items), "gold": checksum(items), "index": desk.index.manifest.identity}
    return Result("qa", about, summary(scores), groups, tuple(scores))


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


def _score(desk: Chipdesk, item: Item) -> Score:
    question, vector = desk.read(item.question, history=item.history)
    ranking = events_of(desk.retrieve(question, vector))
    started = time.perf_counter()
    answer = desk.ask(item.question, history=item.history)
    took = (time.perf_counter() - started) * 1000
    gold = set(item.events) if item.gold else set()
    cited = {f"{c.article}|{c.quote}" for c in answer.citations} if not answer.abstained else set()
    right = {f"{g.article}|{g.quote}" for g in item.gold}
    # one language's gold is enough: the other one says the same
    usable = {
        key for key in right if key.split("|")[0].endswith(tuple(f".{lang}" for lang in _languages(answer)))
    } or right
    precision, recall = precision_recall(cited, usable)
    quoted = " ".join(citation.quote for citation in answer.citations)
    return Score(
        id=item.id,
        question=item.question,
        kind=item.kind,
        language=item.language,
        pair=_pair(item),
        hit1=hit_at(ranking, gold, 1) if gold else None,
        hit5=hit_at(ranking, gold, 5) if gold else None,
        reciprocal_rank=reciprocal_rank(ranking, gold) if gold else None,
        ndcg10=ndcg_at(ranking, gold, 10) if gold else None,
        evidence_precision=precision if item.answerable and not answer.abstained else None,
        evidence_recall=recall if item.answerable else None,
        abstained=answer.abstained,
        should_abstain=not item.answerable,
        correct=float(not answer.abstained and item.is_answered_by(quoted)) if item.answerable else None,
        quotes_exact=all(_exact(desk, answer)),
        milliseconds=took,
        answer=answer.answer,
    )


def _languages(answer: Answer) -> list[str]:
    return sorted({citation.language for citation in answer.citations})


def _exact(desk: Chipdesk, answer: Answer) -> list[bool]:
    return [desk.article(c.article).text[c.start : c.end] == c.quote for c in answer.citations]


def _pair(item: Item) -> str:
    if not item.gold:
        return "unanswerable"
    languages = sorted({gold.article.rsplit(".", 1)[-1] for gold in item.gold})
    return f"{item.language}>{'+'.join(languages)}"


def summary(scores: Sequence[Score]) -> dict[str, Any]:
    """Means over the questions each metric applies to; None where it applies to none.

    Abstention precision: of the questions that were declined, the share that should have been. Recall: of those that
    should have been declined, the share that was. False refusals: of the answerable ones, the share that was declined.
    """

    def over(name: str) -> float | None:
        return mean(value for score in scores if (value := getattr(score, name)) is not None)

    declined = [score for score in scores if score.abstained]
    unanswerable = [score for score in scores if score.should_abstain]
    answerable = [score for score in scores if not score.should_abstain]
    return {
        "n": len(scores),
        "hit@1": over("hit1"),
        "hit@5": over("hit5"),
        "MRR": over("reciprocal_rank"),
        "nDCG@10": over("ndcg10"),
        "correct": over("correct"),
        "ev. prec.": over("evidence_precision"),
        "ev. rec.": over("evidence_recall"),
        "quotes": mean(float(score.quotes_exact) for score in scores),
        "abst. prec.": mean(float(score.should_abstain) for score in declined),
        "abst. rec.": mean(float(score.abstained) for score in unanswerable),
        "false ref.": mean(float(score.abstained) for score in answerable),
        "ms": mean(score.milliseconds for score in scores),
    }


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.0f}" if value > 1.5 else f"{value:.3f}"
