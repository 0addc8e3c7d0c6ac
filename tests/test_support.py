from __future__ import annotations

from dataclasses import replace

import pytest
from made import evidence

from rag.support import ALONE, ANSWERED, FAR, FAR_MET, FARTHEST, FEATURES, MET, SIGNS, WEIGHTS, answered, signs, support
from rag.types import Evidence


def ranked(*measured: tuple[float, float, float]) -> list[Evidence]:
    """Evidence with (support, the reader's logit, its share), best first."""
    return [
        replace(
            evidence(f"Sentence {number}.", value),
            features=dict.fromkeys(FEATURES, 0.0) | {"reader": logit, "reader_share": share},
        )
        for number, (value, logit, share) in enumerate(measured)
    ]


def test_every_measurement_has_a_weight_and_the_other_way_round() -> None:
    assert WEIGHTS.keys() == {"bias", *FEATURES}
    assert ANSWERED.keys() == {"bias", *SIGNS}


def test_support_is_a_probability_however_large_the_measurements() -> None:
    for size in (-1e9, 0.0, 1e9):
        assert 0 <= support(dict.fromkeys(FEATURES, size)) <= 1


def test_a_question_about_something_unknown_has_hardly_any_support() -> None:
    plain = dict.fromkeys(FEATURES, 1.0)
    assert support(plain | {"strange": 1.0}) < 0.1 * support(plain)


def test_nothing_answers_without_evidence() -> None:
    assert answered([], 0) == 0


@pytest.mark.parametrize("size", [0.0, 1e-12, 1.0])
def test_the_edges_of_probability_are_measured_too(size: float) -> None:
    one = ranked((size, 0.0, size))
    assert signs(one).keys() == set(SIGNS)
    assert 0 <= answered(one, 1) <= 1


def test_more_support_and_a_surer_reader_make_an_answer_likelier() -> None:
    near_miss = ranked((0.05, -1.0, 0.05), (0.04, -1.2, 0.04))
    clear = ranked((0.7, 1.0, 0.8), (0.2, -0.5, 0.1))
    assert answered(clear, 48) > answered(near_miss, 48)


def test_what_a_story_tells_again_is_likelier_an_answer() -> None:
    """Another sentence of the story, in whichever language, speaks for the best one; one of another story does not."""
    told = ranked((0.3, 0.0, 0.3), (0.2, -0.2, 0.2))
    elsewhere = replace(told[1].article, id="other.en", event="other")
    once = [told[0], replace(told[1], article=elsewhere)]
    assert told[0].article.event == told[1].article.event
    assert (signs(told)["again"], signs(once)["again"], signs(told[:1])["again"]) == (-0.2, ALONE, ALONE)
    assert answered(told, 48) > answered(once, 48) == answered(told[:1], 48)


def test_what_looks_like_an_answer_in_a_passage_about_something_else_is_hardly_one() -> None:
    close = ranked((0.3, 0.0, 0.3))
    away = [replace(close[0], features={**close[0].features, "chunk_cosine": FAR - 1.0})]
    edge = [replace(close[0], features={**close[0].features, "chunk_cosine": FAR})]
    assert signs(away)["far"] == 1.0
    other_model = [replace(close[0], features={**close[0].features, "chunk_cosine": -20.0})]
    assert signs(other_model)["far"] == FARTHEST
    assert answered(edge, 48) == answered(close, 48) > 1.5 * answered(away, 48)
    for words in ("context_coverage", "cross_context"):
        worded = [replace(away[0], features={**away[0].features, words: MET})]
        assert (signs(worded)["far"], answered(worded, 48)) == (0.0, answered(close, 48)), words
        anyway = [replace(away[0], features={**worded[0].features, "chunk_cosine": FAR_MET - 1.0})]
        assert signs(anyway)["far"] == 1.0, words


def test_the_best_of_few_sentences_is_likelier_an_answer() -> None:
    one = ranked((0.05, -1.0, 0.05))
    assert answered(one, 12) > answered(one, 48) == answered(one, 500)
    assert answered(one, 1) == answered(one, 12)
