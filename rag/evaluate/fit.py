"""Fit the weights of `rag.support` and `rag.continues` and print them: `python -m rag.evaluate.fit`.

Logistic regression by Newton's method with an L2 penalty, on the measurements of every candidate sentence of the training
questions whose events the reader has not seen (`rag.evaluate.train.held_out`): its judgement of what it learned from is too
good to be calibrated on. Gold sentences are positive, all others negative; each question weighs the same, however many
candidates it has, and questions without an answer have negatives only. The second model is fitted on what the first makes of
the same questions, and of some about anything but chips; the third on tests/qa/followups.jsonl against some of those questions
behind a conversation about another event. Deterministic: no random numbers are involved.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from rag import continues
from rag.ask import Chipdesk
from rag.evaluate.off_topic import to_fit_on
from rag.evaluate.questions import Item, read_questions
from rag.evaluate.train import held_out
from rag.settings import load
from rag.support import FEATURES, SIGNS, signs, support
from rag.types import Evidence, Turn

PENALTY: Final = 1.0
"""L2 penalty on all weights but the bias; anything from 0.1 to 10 gives the same answers on dev."""
CANDIDATES: Final = 20.0
"""Weight of a question, spread evenly over its candidates: about their number, so that the penalty keeps its meaning.
Gold and other sentences keep their natural frequencies: the fitted probability is that of an answer."""

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measured:
    """A training question with all candidate sentences that were found for it."""

    gold: frozenset[tuple[str, str]]
    """(article id, quote) of what answers it. What corrects a false premise is no answer."""
    evidence: tuple[Evidence, ...]


def measure(desk: Chipdesk, items: Sequence[Item], progress: Callable[[str], None]) -> list[Measured]:
    """Ask for the evidence of each question; questions that find none at all are left out."""
    measured = []
    for number, item in enumerate(items, start=1):
        if number % 20 == 0:
            progress(f"measuring question {number:,} of {len(items):,}")
        gold = {(g.article, g.quote) for g in item.gold} if item.answerable else set()
        evidence = desk.evidence(*desk.read(item.question, history=item.history))
        if evidence:
            measured.append(Measured(frozenset(gold), tuple(evidence)))
    progress("")
    return measured


def fit_support(measured: Sequence[Measured], *, penalty: float = PENALTY) -> dict[str, float]:
    """The weights of `rag.support.support`: which sentence answers."""
    rows = [
        ([item.features[name] for name in FEATURES], _answers(item, each.gold), CANDIDATES / len(each.evidence))
        for each in measured
        for item in each.evidence
    ]
    return _fitted(FEATURES, rows, penalty)


def fit_answered(
    measured: Sequence[Measured], weights: Mapping[str, float], *, penalty: float = PENALTY
) -> dict[str, float]:
    """The weights of `rag.support.answered`: whether any does, seen from supports that `weights` make."""
    rows = []
    for each in measured:
        again = [replace(item, support=support(item.features, weights)) for item in each.evidence]
        seen = signs(sorted(again, key=lambda item: -item.support))
        rows.append(([seen[name] for name in SIGNS], max(_answers(item, each.gold) for item in again), 1.0))
    return _fitted(SIGNS, rows, penalty)


Second = tuple[Item, Sequence[Turn], bool]
"""A question, the conversation before it, and whether it continues that."""


def second_questions(followups: Sequence[Item], others: Sequence[Item]) -> list[Second]:
    """Follow-ups in their conversation, and about as many other questions in the same conversations."""
    step = max(1, len(others) // len(followups))
    chosen = zip(others[::step], itertools.cycle(followups))
    return [
        *((item, item.history, True) for item in followups),
        *((item, told.history, False) for item, told in chosen if not set(item.events) & set(told.events)),
    ]


def measure_second(
    desk: Chipdesk, asked: Sequence[Second], progress: Callable[[str], None]
) -> list[tuple[Mapping[str, float], bool]]:
    """The signs of `rag.continues` for the questions that point back to nothing, and whether they continue."""
    measured: list[tuple[Mapping[str, float], bool]] = []
    for number, (item, history, follows) in enumerate(asked, start=1):
        if number % 20 == 0:
            progress(f"measuring second question {number:,} of {len(asked):,}")
        alone, vector = desk.read(item.question, history=history)
        within, its_vector = desk.read(item.question, history=history, joined=True)
        if alone.standalone == alone.text != within.standalone:
            found = (desk.evidence(alone, vector), desk.evidence(within, its_vector))
            measured.append((continues.signs(alone, history, *found), follows))
    progress("")
    return measured


def fit_continues(
    measured: Sequence[tuple[Mapping[str, float], bool]], *, penalty: float = PENALTY
) -> dict[str, float]:
    """The weights of `rag.continues`. Follow-ups and others weigh the same."""
    labels = [follows for _, follows in measured]
    rows = [
        ([seen[name] for name in continues.SIGNS], float(follows), weight)
        for (seen, follows), weight in zip(measured, even(labels, labels), strict=True)
    ]
    return _fitted(continues.SIGNS, rows, penalty)


def _answers(item: Evidence, gold: Collection[tuple[str, str]]) -> float:
    return float((item.article.id, item.quote) in gold)


def _fitted(
    names: Sequence[str], rows: Sequence[tuple[Sequence[float], float, float]], penalty: float
) -> dict[str, float]:
    x = np.asarray([[*values, 1.0] for values, _, _ in rows])
    y, weight = (np.asarray([row[i] for row in rows]) for i in (1, 2))
    return dict(zip((*names, "bias"), map(float, fit(x, y, weight, penalty=penalty)), strict=True))


def even(labels: Sequence[bool], groups: Sequence[Hashable]) -> Matrix:
    """Weights (n,), 1 on average: both labels weigh the same, and all groups of a label."""
    sizes = Counter(groups)
    kinds = Counter(dict(zip(groups, labels, strict=True)).values())
    weight: Matrix = np.asarray([1 / (sizes[each] * kinds[label]) for label, each in zip(labels, groups, strict=True)])
    return weight / float(weight.mean())


def fit(x: Matrix, y: Matrix, weight: Matrix, *, penalty: float = PENALTY) -> Matrix:
    """The weights (features + 1,) of the penalised maximum likelihood."""
    beta = np.zeros(x.shape[1])
    ridge = np.diag([penalty] * (x.shape[1] - 1) + [1e-9])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        gradient = x.T @ (weight * (y - p)) - ridge @ beta
        curvature = (x * (weight * p * (1 - p))[:, None]).T @ x + ridge
        step = np.linalg.solve(curvature, gradient)
        beta += step
        if np.abs(step).max() < 1e-8:
            break
    return beta


def show_progress(line: str) -> None:
    """One line on stderr, over the one before."""
    print(f"\r{line:60}", end="", file=sys.stderr, flush=True)


def main() -> None:
    """Measure the held-out questions against the repository's index and print the new weights."""
    items = [item for item in read_questions("train") if held_out(item)]
    desk = Chipdesk(load())
    measured = measure(desk, items, show_progress)
    weights = fit_support(measured)
    off_topic = measure(desk, to_fit_on(), show_progress)
    second = measure_second(desk, second_questions(read_questions("followups"), items), show_progress)
    continuing = fit_continues(second)
    for name, fitted in (
        ("rag.support WEIGHTS", weights),
        ("rag.support ANSWERED", fit_answered([*measured, *off_topic], weights)),
        ("rag.continues WEIGHTS, with the weights of rag.support as they are", continuing),
    ):
        print(f"{name}:", *(f'    "{key}": {value:.3f},' for key, value in fitted.items()), sep="\n")
    for kind, name in ((True, "follow-ups"), (False, "others")):
        joined = [
            continues.probability(seen, continuing) >= continues.LEAST for seen, follows in second if follows == kind
        ]
        print(f"{name} that point back to nothing: {len(joined)}, joined {np.mean(joined):.3f}", file=sys.stderr)


if __name__ == "__main__":
    main()
