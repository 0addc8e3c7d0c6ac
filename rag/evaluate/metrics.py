"""Metrics as pure functions: one question's score each, and what an empty case means.

Rankings are lists of ids, best first, without repeats. All scores are 0..1, higher is better.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence


def hit_at(ranking: Sequence[str], gold: Collection[str], k: int) -> float:
    """1 if any gold id is among the first k, else 0. Without gold ids there is nothing to find: ValueError."""
    _require(gold)
    return float(any(item in gold for item in ranking[:k]))


def reciprocal_rank(ranking: Sequence[str], gold: Collection[str]) -> float:
    """1 / rank of the first gold id, 0 if none is ranked; ValueError without gold ids."""
    _require(gold)
    return next((1.0 / rank for rank, item in enumerate(ranking, start=1) if item in gold), 0.0)


def ndcg_at(ranking: Sequence[str], gold: Collection[str], k: int) -> float:
    """nDCG@k with binary gains: sum of 1 / log2(rank + 1) over gold ids in the first k, divided by the best possible.

    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 20 (2002). ValueError without gold.
    """
    _require(gold)
    gained = sum(1.0 / math.log2(rank + 1) for rank, item in enumerate(ranking[:k], start=1) if item in gold)
    best = sum(1.0 / math.log2(rank + 1) for rank in range(1, min(k, len(gold)) + 1))
    return gained / best


def precision_recall(found: Collection[str], gold: Collection[str]) -> tuple[float, float]:
    """Shares of `found` that are gold and of `gold` that were found. Nothing found is precise (1); no gold is found (1)."""
    right = len(set(found) & set(gold))
    return (right / len(set(found)) if found else 1.0, right / len(set(gold)) if gold else 1.0)


def mean(scores: Iterable[float]) -> float | None:
    """The mean; None, and not 0, where there is nothing to average."""
    values = list(scores)
    return sum(values) / len(values) if values else None


def _require(gold: Collection[str]) -> None:
    if not gold:
        raise ValueError("a ranking cannot be scored without gold ids")
