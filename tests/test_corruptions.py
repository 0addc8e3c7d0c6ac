from __future__ import annotations

from collections import Counter

import pytest

from rag.ask import Chipdesk
from rag.evaluate.corruptions import (
    EACH,
    KINDS,
    cases,
    evaluate_corruptions,
    events_of_split,
    events_to_fit_on,
    parallel,
    told,
)

pytest_plugins = ("fixtures_desk",)


@pytest.fixture(scope="module")
def events(desk: Chipdesk) -> frozenset[str]:
    return frozenset(article.event for article in desk.index.catalog.articles())


def test_training_and_measuring_share_no_event() -> None:
    assert events_to_fit_on()
    assert not events_to_fit_on() & events_of_split("dev", "test")


def test_cases_are_the_same_every_time_and_bounded(desk: Chipdesk, events: frozenset[str]) -> None:
    stories = told(desk, events)
    made = cases(desk, stories)
    assert made == cases(desk, stories)
    assert max(Counter((c.kind, c.language, c.across) for c in made).values()) <= EACH
    assert {c.kind for c in made} >= {"true", "sibling", "number", "date", "quote", "name", "negation"}


def test_a_corrupted_sentence_differs_and_a_true_one_does_not(desk: Chipdesk, events: frozenset[str]) -> None:
    for case in cases(desk, told(desk, events)):
        assert (case.text != case.original) == case.wrong
        assert case.across or case.kind == "sibling" or case.original in {item.quote for item in case.evidence}


def test_parallel_sentences_are_paired_once(desk: Chipdesk, events: frozenset[str]) -> None:
    stories = told(desk, events)
    both = next(s for s in stories.values() if len(s) == 2)
    found = parallel(both["de"], both["en"], least=0.0)
    assert found
    assert len({j for _, j in found}) == len(found)
    assert parallel(both["en"], both["de"], least=0.0) == sorted((j, i) for i, j in found)


def test_the_suite_counts_every_case(desk: Chipdesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.evaluate.corruptions.EACH", 2)
    result = evaluate_corruptions(desk, progress=lambda _: None, splits=("train", "dev", "test"))
    assert result.overall["n"] == result.data["corrupted"] + result.data["true"]
    assert 0.8 <= result.overall["caught"] <= 1
    assert set(result.groups) & set(KINDS)
