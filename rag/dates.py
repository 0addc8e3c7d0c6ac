"""Dates as German and English write them."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from rag.types import Article, Language, Precision

MONTHS: Final[dict[Language, tuple[str, ...]]] = {
    "de": ("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
           "Dezember"),
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December"),
}  # fmt: skip
_SHORT: Final = {"mrz": 3, "maerz": 3, "sept": 9}
NUMBER_OF_MONTH: Final = _SHORT | {
    short: number
    for names in MONTHS.values()
    for number, name in enumerate(names, start=1)
    for short in (name.lower(), name[:3].lower())
}
_WRITTEN = re.compile(
    r"\b(?:(?P<iso>\d{4}-\d{2}-\d{2})"
    r"|(?P<day>\d{1,2})\.?[ \t]+(?P<month>[A-Za-zä]{3,9})\.?[ \t]+(?P<year>\d{4})"
    r"|(?P<month_>[A-Z][a-z]{2,8})\.?[ \t]+(?P<day_>\d{1,2}),[ \t]+(?P<year_>\d{4}))\b"
)


def first_date(text: str) -> date | None:
    """The first full date in `text`: 2025-08-14, 14 August 2025, 14. Aug. 2025 or August 14, 2025."""
    for match in _WRITTEN.finditer(text):
        try:
            if match["iso"]:
                return date.fromisoformat(match["iso"])
            month = NUMBER_OF_MONTH[(match["month"] or match["month_"]).lower()]
            return date(int(match["year"] or match["year_"]), month, int(match["day"] or match["day_"]))
        except (ValueError, KeyError):
            continue
    return None


def written(day: date, language: Language, precision: Precision = "day") -> str:
    """`day` as a newspaper prints it: 14. August 2025, 14 August 2025, August 2025 or 2025."""
    if precision == "year":
        return str(day.year)
    month = f"{MONTHS[language][day.month - 1]} {day.year}"
    if precision == "month":
        return month
    return f"{day.day}. {month}" if language == "de" else f"{day.day} {month}"


def months(since: date, until: date, language: Language) -> str:
    """A stretch of whole months in words: "February to April 2025", "Februar 2025 bis Januar 2026"."""
    first = written(since, language, "month")
    if since.year == until.year:
        first = first.removesuffix(f" {since.year}")
    return f"{first} {'bis' if language == 'de' else 'to'} {written(until, language, 'month')}"


def headed(article: Article) -> str:
    """Title and date of an article, the heading under which a network reads its sentences."""
    return f"{article.title} ({written(article.published, article.language, article.precision)})"
