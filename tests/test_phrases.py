from __future__ import annotations

from datetime import date
from typing import get_args

import pytest
from made import evidence, question

from rag import phrases
from rag.types import LANGUAGES, Evidence, Filters, Language, Period, Reason, Selection
from rag.words import language_of

COVERED = (date(2022, 10, 1), date(2026, 6, 5))
NEAREST = [evidence(title="R2 is late"), evidence(title="Chips fail", precision="month")]
BOTH = pytest.mark.parametrize("language", LANGUAGES)


def declined(
    language: Language,
    reason: Reason = "no_coverage",
    filters: Filters | None = None,
    *,
    period: Period | None = None,
    near: list[Evidence] = NEAREST,
    covered: tuple[date, date] | None = COVERED,
) -> str:
    asked = question(language=language, filters=filters or Filters(), period=period)
    return phrases.declined(reason, asked, Selection(tuple((item,) for item in near)), covered)


@BOTH
@pytest.mark.parametrize("reason", [reason for reason in get_args(Reason) if reason != "false_premise"])
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
    text = declined(language, near=[NEAREST[1]])
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
        declined(language, "outside_filters", period=Period("in May", date(2025, 5, 1), date(2025, 5, 31))),
        declined(language, "false_premise"),
    }
    assert len(texts) == 6


@BOTH
def test_a_false_premise_is_answered_with_the_sentence_that_corrects_it(language: Language) -> None:
    text = declined(language, "false_premise", near=[evidence("R2 has not been released.")])
    assert text.endswith("“R2 has not been released.” [1]")
    assert language_of(text.split("“")[0]) == language


@BOTH
def test_a_time_that_was_read_from_the_question_is_named(language: Language) -> None:
    period = Period("im August 2025", date(2025, 8, 1), date(2025, 8, 31))
    assert "im August 2025" in declined(language, "outside_filters", period=period)


@BOTH
def test_where_nothing_is_near_that_is_said(language: Language) -> None:
    text = declined(language, near=[])
    assert ":" not in text
    assert ("Nichts darin" if language == "de" else "Nothing in it") in text
    assert language_of(text) == language


@BOTH
def test_an_empty_corpus_is_called_empty(language: Language) -> None:
    text = declined(language, near=[], covered=None)
    assert ("leer" if language == "de" else "empty") in text


@BOTH
def test_notes_about_the_other_language_are_in_the_askers(language: Language) -> None:
    notes = {phrases.other_language(language), phrases.some_other_language(language)}
    assert len(notes) == 2
    assert {language_of(note) for note in notes} == {language}
    assert all(note.endswith(":") for note in notes)


@pytest.mark.parametrize(
    ("language", "says"),
    [
        (
            "de",
            "hinterher: a (nichts Neues seit 14. August 2025), b (noch nie etwas Neues), c (noch nie etwas Neues), 1 weiterer. ",
        ),
        ("en", "behind: a (nothing new since 14 August 2025), b (nothing new yet), c (nothing new yet), 1 more. "),
    ],
)
def test_stale_feeds_are_named_with_what_to_do(language: Language, says: str) -> None:
    told = phrases.stale_feeds([("a", date(2025, 8, 14)), ("b", None), ("c", None), ("d", None)], language)
    assert says in told
    assert "`chipdesk feeds`" in told
    assert "`chipdesk collect`" in told
    assert "more" not in phrases.stale_feeds([("a", None)], "en")
