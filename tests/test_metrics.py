from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import article

from rag.evaluate.metrics import (
    calibration_error,
    citation_precision,
    citation_recall,
    hit_at,
    holds,
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
from rag.types import Answer, Article, Citation, Language, Sentence

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
    assert rank_of(ranked, set(gold)) == (round(1 / reciprocal) if reciprocal else None)
    assert ndcg_at(ranked, set(gold), 3) == pytest.approx(ndcg)


@pytest.mark.parametrize(
    "score",
    [
        lambda: hit_at(["a"], [], 1),
        lambda: reciprocal_rank(["a"], []),
        lambda: ndcg_at(["a"], [], 3),
        lambda: rank_of(["a"], []),
    ],
    ids=["hit", "reciprocal", "ndcg", "rank"],
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


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1), (0.2, 1), (0.21, 2), (0.5, 3), (0.95, 9), (1.0, 9)], ids=lambda value: str(value)
)
def test_percentiles_are_values_that_were_measured(share: float, value: float) -> None:
    assert percentile([9, 1, 3, 4, 2], share) == value


def test_there_is_no_percentile_of_nothing() -> None:
    assert percentile([], 0.5) is None


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_a_percentile_is_not_exceeded_by_its_share(values: list[float], share: float) -> None:
    limit = percentile(values, share)
    assert limit is not None
    assert sum(value <= limit for value in values) / len(values) >= share


# --- citations -------------------------------------------------------------------------------------------------------

TEXT = "R2 is late. It failed."
STORED = article(TEXT, id="a.en", event="e")
QUOTE = "R2 is late."


def only(record: type[Any], **judged: Any) -> Any:
    """A record with the fields that a metric judges; all others are None."""
    return record(**(dict.fromkeys(field.name for field in fields(record)) | judged))


def cite(number: int = 1, quote: str = QUOTE, start: int = 0, **other: Any) -> Citation:
    place = {"article": "a.en", "event": "e", "language": "en", "start": start, "end": start + len(quote)}
    return only(Citation, number=number, quote=quote, **(place | other))


def answered(sentences: dict[str, tuple[int, ...]], *citations: Citation, language: Language = "en") -> Answer:
    """An answer of these sentences, each with the numbers it cites; without any it is an abstention."""
    told = tuple(Sentence(text, numbers, 0.9) for text, numbers in sentences.items())
    return only(Answer, language=language, abstained=not told, sentences=told, citations=citations)


def library(identity: str) -> Article | None:
    return {
        "a.en": STORED,
        "gone.en": replace(STORED, status="withdrawn"),
        "mended.en": replace(STORED, status="corrected"),
    }.get(identity)


HOLDING = {
    # sentence, citation, article's id, whether it holds
    "verbatim": (QUOTE, cite(), True),
    "corrected article": (QUOTE, cite(article="mended.en"), True),
    "between German quotation marks": (f"„{QUOTE}“", cite(), True),
    "between English quotation marks": (f"“{QUOTE}”", cite(), True),
    "only one quotation mark": (f"“{QUOTE}", cite(), False),
    "marks of two languages": (f"„{QUOTE}”", cite(), False),
    "paraphrase": ("R2 was late.", cite(), False),
    "part of the quote": ("R2 is", cite(), False),
    "more than the quote": (TEXT, cite(), False),
    "offsets beside it": (QUOTE, cite(start=1), False),
    "offsets past the end": (QUOTE, cite(start=400), False),
    "quote that was altered with its sentence": ("R2 is LATE.", cite(quote="R2 is LATE."), False),
    "withdrawn article": (QUOTE, cite(article="gone.en"), False),
    "article that does not exist": (QUOTE, cite(article="no.en"), False),
}


@pytest.mark.parametrize(("sentence", "citation", "held"), HOLDING.values(), ids=HOLDING)
def test_a_citation_holds_if_the_sentence_is_its_exact_quote(sentence: str, citation: Citation, held: bool) -> None:
    assert holds(sentence, citation, library(citation.article)) is held
    answer = answered({sentence: (1,)}, citation)
    assert citation_precision(answer, library) == citation_recall(answer, library) == float(held)


def test_precision_counts_citations_and_recall_counts_sentences() -> None:
    second = cite(2, "It failed.", 12)
    both = answered({QUOTE: (1, 2), "It failed.": (2,)}, cite(), second)
    assert citation_precision(both, library) == pytest.approx(2 / 3)
    assert citation_recall(both, library) == 1.0
    uncited = answered({QUOTE: (1,), "And so on.": ()}, cite())
    assert citation_precision(uncited, library) == 1.0
    assert citation_recall(uncited, library) == 0.5


def test_a_number_that_points_to_no_citation_does_not_hold() -> None:
    answer = answered({QUOTE: (2,)}, cite(1))
    assert citation_precision(answer, library) == citation_recall(answer, library) == 0.0


def test_sentences_without_any_citation_are_imprecise_and_an_abstention_is_neither() -> None:
    assert citation_precision(answered({QUOTE: ()}), library) == 0.0
    assert citation_recall(answered({QUOTE: ()}), library) == 0.0
    abstention = answered({}, cite())
    assert citation_precision(abstention, library) is None
    assert citation_recall(abstention, library) is None


def test_the_lead_is_the_first_sentence() -> None:
    answer = answered({QUOTE: (1, 3), "It failed.": (2,)}, cite(), cite(2, "It failed.", 12), cite(3, "It failed.", 12))
    assert lead(answer, {("a.en", QUOTE)}) == 1.0
    assert lead(answer, {("a.en", "It failed.")}) == 1.0
    assert (
        lead(answered({QUOTE: (1,), "It failed.": (2,)}, cite(), cite(2, "It failed.", 12)), {("a.en", "It failed.")})
        == 0.0
    )
    assert lead(answer, ()) == 0.0
    assert lead(answered({}, cite()), {("a.en", QUOTE)}) is None


@pytest.mark.parametrize(
    ("pairs", "error"),
    [
        ([(1.0, 1), (0.0, 0)], 0.0), ([(1.0, 0)], 1.0), ([(0.5, 1), (0.5, 0)], 0.0), ([(0.9, 1), (0.9, 0)], 0.4),
        ([(0.95, 1), (0.05, 1)], 0.5),
    ],
)  # fmt: skip
def test_calibration_error_is_the_distance_of_what_was_said_from_what_came_true(
    pairs: list[tuple[float, float]], error: float
) -> None:
    assert calibration_error(pairs) == pytest.approx(error)


def test_without_probabilities_there_is_no_calibration() -> None:
    assert calibration_error([]) is None


def test_citations_on_the_event() -> None:
    answer = answered({QUOTE: (1,)}, cite(), cite(2, event="f"))
    assert on_event(answer, {"e"}) == 0.5
    assert on_event(answer, {"e", "f"}) == 1.0
    assert on_event(answer, {"g"}) == 0.0
    assert on_event(answer, set()) is None
    assert on_event(answered({}, cite()), {"e"}) is None


LANGUAGES = {
    # answer, told in the question's language (English), score
    "own language": (answered({"a": (1,)}, cite()), True, 1),
    "own language, told in the other": (answered({"a": (1,)}, cite(language="de")), False, 1),
    "begins in the other though told in it": (answered({"a": (1,)}, cite(language="de"), cite(2)), True, 0),
    "goes on in the other": (answered({"a": (1, 2)}, cite(), cite(2, language="de")), True, 1),
    "answered in the other": (answered({"a": (1,)}, cite(), language="de"), True, 0),
    "declined in its language": (answered({}, cite(language="de")), True, 1),
    "declined in the other": (answered({}, language="de"), False, 0),
    "sentences that cite nothing": (answered({"a": ()}), True, 0),
}


@pytest.mark.parametrize(("answer", "told", "score"), LANGUAGES.values(), ids=LANGUAGES)
def test_the_language_of_an_answer(answer: Answer, told: bool, score: float) -> None:
    assert language_match(answer, "en", told=told) == score


CORRECTION = {("a.en", "It failed.")}
PREMISES = {
    "declined": (answered({}), 1),
    "corrected first": (answered({"It failed.": (1,), QUOTE: (2,)}, cite(1, "It failed.", 12), cite(2)), 1),
    "corrected later": (answered({QUOTE: (1,), "It failed.": (2,)}, cite(1), cite(2, "It failed.", 12)), 0),
    "not corrected": (answered({QUOTE: (1,)}, cite()), 0),
    "corrected by another article": (answered({"It failed.": (1,)}, cite(1, "It failed.", 12, article="b.en")), 0),
}


@pytest.mark.parametrize(("answer", "score"), PREMISES.values(), ids=PREMISES)
def test_a_false_premise_is_declined_or_corrected_at_once(answer: Answer, score: float) -> None:
    assert premise_handled(answer, CORRECTION) == score


def test_without_a_correction_only_declining_a_false_premise_is_right() -> None:
    assert premise_handled(answered({}), set()) == 1
    assert premise_handled(answered({QUOTE: (1,)}, cite()), set()) == 0
