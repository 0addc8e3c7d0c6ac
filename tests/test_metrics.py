from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from rag.evaluate.metrics import hit_at, mean, ndcg_at, precision_recall, reciprocal_rank

RANKINGS = {
    # ranking, gold, hit@1, hit@3, reciprocal rank, nDCG@3
    "first": ("abc", "a", 1, 1, 1, 1),
    "second": ("bac", "a", 0, 1, 1 / 2, 1 / math.log2(3)),
    "third": ("bca", "a", 0, 1, 1 / 3, 1 / 2),
    "beyond": ("bcda", "a", 0, 0, 1 / 4, 0),
    "absent": ("bcd", "a", 0, 0, 0, 0),
    "nothing ranked": ("", "a", 0, 0, 0, 0),
    "two of two, apart": ("axb", "ab", 1, 1, 1, 1.5 / (1 + 1 / math.log2(3))),
    "one of two": ("xxb", "ab", 0, 1, 1 / 3, 0.5 / (1 + 1 / math.log2(3))),
    "more gold than places": ("abc", "abcde", 1, 1, 1, 1),
}


@pytest.mark.parametrize(("ranking", "gold", "one", "three", "reciprocal", "ndcg"), RANKINGS.values(), ids=RANKINGS)
def test_rankings_by_hand(ranking: str, gold: str, one: float, three: float, reciprocal: float, ndcg: float) -> None:
    ranked = list(ranking)
    assert hit_at(ranked, set(gold), 1) == one
    assert hit_at(ranked, set(gold), 3) == three
    assert reciprocal_rank(ranked, set(gold)) == pytest.approx(reciprocal)
    assert ndcg_at(ranked, set(gold), 3) == pytest.approx(ndcg)


@pytest.mark.parametrize(
    "score",
    [lambda: hit_at(["a"], [], 1), lambda: reciprocal_rank(["a"], []), lambda: ndcg_at(["a"], [], 3)],
    ids=["hit", "reciprocal", "ndcg"],
)
def test_a_ranking_without_gold_cannot_be_scored(score: Callable[[], float]) -> None:
    with pytest.raises(ValueError, match="gold"):
        score()


@pytest.mark.parametrize(
    ("found", "gold", "precision", "recall"),
    [
        ("ab", "ab", 1, 1),
        ("ab", "bc", 1 / 2, 1 / 2),
        ("abcd", "a", 1 / 4, 1),
        ("a", "abcd", 1, 1 / 4),
        ("", "ab", 1, 0),
        ("ab", "", 0, 1),
        ("", "", 1, 1),
    ],
    ids=["all", "half", "too many", "too few", "nothing found", "no gold", "neither"],
)
def test_precision_and_recall(found: str, gold: str, precision: float, recall: float) -> None:
    assert precision_recall(list(found), list(gold)) == (precision, recall)


def test_repeats_count_once() -> None:
    assert precision_recall(["a", "a", "b"], ["a"]) == (0.5, 1.0)


def test_mean() -> None:
    assert mean([1, 0, 0.5]) == 0.5
    assert mean(value for value in (2.0,)) == 2.0


def test_the_mean_of_nothing_is_none_and_not_zero() -> None:
    assert mean([]) is None
    assert mean([0.0]) == 0.0
