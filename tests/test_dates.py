from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.dates import first_date, months, written
from rag.types import Language, Precision


@pytest.mark.parametrize(
    "text",
    [
        "date 2025-08-14 Das Unternehmen",
        "Stand: 14. August 2025.",
        "am 14. Aug. 2025 in Berlin",
        "am 14 August 2025",
        "on August 14, 2025, in Austin",
        "on Aug. 14, 2025",
        "from 14 Aug 2025 on",
        "am 31. Februar 2025 und am 14. August 2025",
        "im Mai 2024, dann am 14. August 2025",
        "im 3. Quartal 2024, dann 2025-08-14",
    ],
)
def test_the_first_full_date_is_found(text: str) -> None:
    assert first_date(text) == date(2025, 8, 14)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("3. März 2025", date(2025, 3, 3)),
        ("3. Maerz 2025", date(2025, 3, 3)),
        ("3. Mrz. 2025", date(2025, 3, 3)),
        ("Mar. 3, 2025", date(2025, 3, 3)),
        ("3. Okt. 2025", date(2025, 10, 3)),
        ("Sept. 3, 2025", date(2025, 9, 3)),
        ("1. Mai 2025", date(2025, 5, 1)),
        ("31. Dez. 2025", date(2025, 12, 31)),
    ],
)
def test_months_of_both_languages_are_known(text: str, day: date) -> None:
    assert first_date(text) == day


@pytest.mark.parametrize(
    "text", ["", "August 2025", "2025", "2025-13-01", "Im Jahr 2025 stieg", "114. August 2025", "3. Foo 2025"]
)
def test_without_a_full_date_there_is_none(text: str) -> None:
    assert first_date(text) is None


@pytest.mark.parametrize(
    ("language", "precision", "expected"),
    [
        ("de", "day", "14. August 2025"),
        ("en", "day", "14 August 2025"),
        ("de", "month", "August 2025"),
        ("en", "year", "2025"),
    ],
)
def test_dates_are_written_as_newspapers_do(language: Language, precision: Precision, expected: str) -> None:
    assert written(date(2025, 8, 14), language, precision) == expected


@given(st.integers(0, 20_000), st.sampled_from(["de", "en"]))
def test_what_is_written_is_read_back(days: int, language: Language) -> None:
    day = date(1990, 1, 1) + timedelta(days)
    assert first_date(written(day, language)) == day


def test_a_stretch_of_months_names_its_year_once_where_it_can() -> None:
    assert months(date(2025, 2, 1), date(2025, 4, 30), "en") == "February to April 2025"
    assert months(date(2025, 2, 1), date(2026, 1, 31), "de") == "Februar 2025 bis Januar 2026"
