"""Fit the weights of `rag.support` and print them: `python -m rag.evaluate.fit`.

Logistic regression by Newton's method with an L2 penalty, on the measurements of every candidate sentence of the training
questions whose events the reader has not seen (`rag.evaluate.train.held_out`): its judgement of what it learned from is too
good to be calibrated on. Gold sentences are positive, all others negative; each question weighs the same, however many
candidates it has, and questions without an answer have negatives only. The second model is fitted on what the first makes of
the same questions. Deterministic: no random numbers are involved.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from rag.ask import Chipdesk
from rag.evaluate.questions import Item, read_questions
from rag.evaluate.train import held_out
from rag.settings import load
from rag.support import FEATURES, SIGNS, signs, support
from rag.types import Evidence

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


def _answers(item: Evidence, gold: Collection[tuple[str, str]]) -> float:
    return float((item.article.id, item.quote) in gold)


def _fitted(
    names: Sequence[str], rows: Sequence[tuple[Sequence[float], float, float]], penalty: float
) -> dict[str, float]:
    x = np.asarray([[*values, 1.0] for values, _, _ in rows])
    y, weight = (np.asarray([row[i] for row in rows]) for i in (1, 2))
    return dict(zip((*names, "bias"), map(float, fit(x, y, weight, penalty=penalty)), strict=True))


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


def main() -> None:
    """Measure the held-out questions against the repository's index and print the new weights."""
    items = [item for item in read_questions("train") if held_out(item)]
    measured = measure(Chipdesk(load()), items, lambda line: print(f"\r{line:60}", end="", file=sys.stderr, flush=True))
    weights = fit_support(measured)
    for name, fitted in (("WEIGHTS", weights), ("ANSWERED", fit_answered(measured, weights))):
        print(f"{name}:", *(f'    "{key}": {value:.3f},' for key, value in fitted.items()), sep="\n")


if __name__ == "__main__":
    main()
