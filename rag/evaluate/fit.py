"""Fit the weights of the support model and print them: `python -m rag.evaluate.fit`.

Logistic regression by Newton's method with an L2 penalty, on the measurements of every candidate sentence of the training
questions whose events the reader has not seen (`rag.evaluate.train.held_out`): its judgement of what it learned from is too
good to be calibrated on. Gold sentences are positive, all others negative; each question weighs the same, however many
candidates it has, and questions without an answer have negatives only. Deterministic: no random numbers are involved.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from rag.ask import Chipdesk
from rag.evaluate.questions import Item, read_questions
from rag.evaluate.train import held_out
from rag.evidence import FEATURES
from rag.settings import load

PENALTY: Final = 1.0
"""L2 penalty on all weights but the bias; anything from 0.1 to 10 gives the same answers on dev."""
CANDIDATES: Final = 20.0
"""Weight of a question, spread evenly over its candidates: about their number, so that the penalty keeps its meaning.
Gold and other sentences keep their natural frequencies: the fitted probability is that of an answer."""

Matrix = npt.NDArray[np.float64]


def measure(desk: Chipdesk, items: Sequence[Item]) -> tuple[Matrix, Matrix, Matrix]:
    """Measurements (n, features + 1; the last column is the bias), labels (n,) and weights (n,) of all candidates."""
    rows: list[list[float]] = []
    labels: list[float] = []
    weights: list[float] = []
    for item in items:
        # what corrects a false premise is no answer to it, and no failure either: such questions have negatives only
        gold = {(g.article, g.quote) for g in item.gold} if item.answerable else set()
        evidence = desk.evidence(*desk.read(item.question, history=item.history))
        for found in evidence:
            rows.append([found.features[name] for name in FEATURES] + [1.0])
            labels.append(float((found.article.id, found.quote) in gold))
            weights.append(CANDIDATES / len(evidence))
    return np.asarray(rows), np.asarray(labels), np.asarray(weights)


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
    desk = Chipdesk(load())
    beta = fit(*measure(desk, [item for item in read_questions("train") if held_out(item)]))
    names = [*FEATURES, "bias"]
    sys.stdout.write("".join(f'    "{name}": {value:.3f},\n' for name, value in zip(names, beta, strict=True)))


if __name__ == "__main__":
    main()
