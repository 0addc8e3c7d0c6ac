from __future__ import annotations

from datetime import date
from typing import get_args

import pytest
from made import article

from rag import phrases
from rag.types import LANGUAGES, Filters, Language, Reason
from rag.words import language_of

COVERED = (date(2022, 10, 1), date(2026, 6, 5))
NEAREST = [article(title="R2 is late"), article(title="Chips fail", precision="month")]
BOTH = pytest.mark.parametrize("language", LANGUAGES)


def declined(language: Language, reason: Reason = "no_coverage", filters: Filters | None = None) -> str:
    return phrases.declined(reason, language, NEAREST, COVERED, filters or Filters())


@BOTH
@pytest.mark.parametrize("reason", get_args(Reason))
def test_declining_is_in_the_askers_language_and_says_what_there_is(language: Language, reason: Reason) -> None:
    text = declined(language, reason)
    assert language_of(text.replace("R2 is late", "").replace("Chips fail", "")) == language
    assert "R2 is late" in text
    assert "Chips fail" in text
    assert "2022" in text
    assert "2026" in text
    assert text.endswith(".")
    assert "{" not in text


def test_dates_are_written_as_each_language_writes_them() -> None:
    assert "14. August 2025" in declined("de")
    assert "14 August 2025" in declined("en")
    assert "Oktober 2022" in declined("de")
    assert "October 2022" in declined("en")


@BOTH
def test_a_date_is_not_more_precise_than_it_is_known(language: Language) -> None:
    text = phrases.declined("no_coverage", language, [NEAREST[1]], COVERED, Filters())
    assert "14" not in text
    assert "August 2025" in text


@BOTH
def test_reasons_sound_different(language: Language) -> None:
    filtered = Filters(topics=("china",))
    texts = {
        declined(language),
        declined(language, "unsupported"),
        declined(language, "outside_filters", filtered),
        declined(language, "no_coverage", filtered),
    }
    assert len(texts) == 4


@BOTH
def test_nothing_near_is_not_mentioned(language: Language) -> None:
    text = phrases.declined("no_coverage", language, [], COVERED, Filters())
    assert ":" not in text
    assert text


@BOTH
def test_an_empty_corpus_is_called_empty(language: Language) -> None:
    text = phrases.declined("no_coverage", language, [], None, Filters())
    assert ("leer" if language == "de" else "empty") in text


@BOTH
def test_notes_about_the_other_language_are_in_the_askers(language: Language) -> None:
    notes = {phrases.other_language(language), phrases.some_other_language(language)}
    assert len(notes) == 2
    assert {language_of(note) for note in notes} == {language}
    assert all(note.endswith(":") for note in notes)
