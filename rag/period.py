"""Time as people name it, in German and English: what a question asks about, what a sentence tells of.

A question that names a time wants evidence from that time, so that a wrong reading hides answers. What is no clear
stretch of the past is therefore not read at all: plans for the future, comparisons, two times at once, and fiscal years of
whoever's calendar is not known.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from rag.dates import NUMBER_OF_MONTH, months, written
from rag.types import Language, Period, Precision
from rag.words import STOPWORDS

Stretch = tuple[date, date]
"""First and last day, both inclusive."""

DAY: Final = timedelta(days=1)
REPORTED_LATER: Final = timedelta(days=75)
"""News about a quarter or a year, its figures above all, come out until ten weeks after its end."""
SHARE_LATER: Final = 0.5
"""News about a shorter stretch come out until half its length later; a day, until the next one."""
EARLIEST: Final = 2001
"""A bare number below this is no year: 1500 and 2000 count chips."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a text that names a time."""

    start: int
    end: int
    since: date
    until: date
    clear: bool = True
    """False where the words need company to be a time: "may" is a verb, too, and "May 25" may be a year."""
    quarters: tuple[str, str] | None = None
    """The two quarters that it is made of, each in words that can stand alone; None where it is something else."""


@dataclass(frozen=True, slots=True)
class _Clock:
    """Fills in the year that a text leaves out."""

    today: date
    nearest: bool
    """True for the nearest such day (an article's "on 3 January"), False for the last one that has come (a question's)."""
    year_ends: int | None = None
    """Month in which the fiscal years end that are spoken of; None where that is not known."""

    def year_of(self, month: int, day: int = 1) -> int:
        """Raises ValueError where no year has this day."""
        years = range(self.today.year - 8, self.today.year + 2)
        days = [date(year, month, day) for year in years if day <= calendar.monthrange(year, month)[1]]
        if not self.nearest:
            days = [found for found in days if found <= self.today]
        return min(days, key=lambda found: abs(found - self.today)).year


# --- the grammar -----------------------------------------------------------------------------------------------------

_Read = Callable[[re.Match[str], _Clock], Stretch]


@dataclass(frozen=True, slots=True)
class _Form:
    """One way to write a time."""

    pattern: re.Pattern[str]
    read: _Read
    clear: bool
    language: Language | None
    """The only language that writes so; None for both."""


_FORMS: Final[list[_Form]] = []


def _form(pattern: str, *, clear: bool = True, language: Language | None = None) -> Callable[[_Read], _Read]:
    """Registers a form with its reader, which raises ValueError for what is no date, such as 31 February."""

    def register(read: _Read) -> _Read:
        compiled = re.compile(rf"(?:{pattern})(?!\w)", re.IGNORECASE)
        _FORMS.append(_Form(compiled, read, clear, language))
        return read

    return register


_NUMBERS: Final = NUMBER_OF_MONTH | {"jänner": 1}
_MONTH: Final = rf"(?P<month>{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})(?!\w)\.?"
_NAME: Final = rf"(?P<month>{'|'.join(sorted((name for name in _NUMBERS if len(name) > 4 or name in ('june', 'july', 'juni', 'juli', 'märz', 'may', 'mai')), key=len, reverse=True))})"  # fmt: skip
_DAY: Final = r"(?P<day>0?[1-9]|[12]\d|3[01])"
_NTH_DAY: Final = rf"{_DAY}(?:\.|st|nd|rd|th)?"
_YEAR: Final = r"(?P<year>(?:19|20)\d\d)(?![.,/]?\d)(?!\s?%)"
_SHORT_YEAR: Final = r"(?P<year>(?:(?:19|20)\d\d)|['’]?2\d)(?![.,/]?\d)"
_OF: Final = r"(?:\s+(?:of|in|des\s+jahres|im\s+jahr)\s+|[\s/-]+)"
_NEAR: Final = r"(?:\s+(?:of|in|des\s+jahres|im\s+jahr)\s+|[\s/-]*)"
_EDGE: Final = (
    r"(?:(?P<early>early|(?:the\s+)?(?:beginning|start)\s+of|(?:zu\s+)?anfang|beginn)"
    r"|(?P<mid>mid|(?:the\s+)?middle\s+of|mitte)"
    r"|(?P<late>late|(?:the\s+)?end(?:\s+of)?|ende|jahresende))[\s-]+(?:des\s+jahres\s+)?"
)
_ORDINAL: Final = (
    r"(?:(?P<n1>1\.|1st|first|erste[snrm]?)|(?P<n2>2\.|2nd|second|zweite[snrm]?)|(?P<n3>3\.|3rd|third|dritte[snrm]?)"
    r"|(?P<n4>4\.|4th|fourth|vierte[snrm]?|last|final|letzte[snrm]?))[\s-]+"
)
_SEASON: Final = (
    r"(?:(?P<spring>spring|fr(?:ü|ue)hjahr|fr(?:ü|ue)hling)|(?P<summer>summer|sommer)|(?P<autumn>autumn|fall|herbst)"
    r"|(?P<winter>winter))"
)
_UNIT: Final = (
    r"(?:(?P<days>days?|tage?n?)|(?P<weeks>weeks?|wochen?)|(?P<months>months?|monate?[ns]?)"
    r"|(?P<quarters>quarters?|quartale?[ns]?)|(?P<years>years?|jahre?[ns]?))"
)
_LAST: Final = r"(?:last|past|letzte[snrm]?|vergangene[snrm]?|vorige[snrm]?)"
_THIS: Final = r"(?:this|diese[snrm]?)"
_COUNTS: Final = {
    word: number
    for number, words in enumerate(
        ("two zwei", "three drei", "four vier", "five fünf fuenf", "six sechs", "seven sieben", "eight acht", "nine neun",
         "ten zehn", "eleven elf", "twelve zwölf zwoelf"), start=2,
    )
    for word in words.split()
}  # fmt: skip


@_form(r"(?P<year>(?:19|20)\d\d)-(?P<month>0[1-9]|1[0-2])(?:-(?P<day>\d\d))?(?!-?\d)")
def _iso(match: re.Match[str], _: _Clock) -> Stretch:
    year, month = int(match["year"]), int(match["month"])
    return _one(date(year, month, int(match["day"]))) if match["day"] else _month(year, month)


@_form(rf"{_DAY}\.(?P<month>0?[1-9]|1[0-2])\.(?P<year>(?:20)?\d\d)(?!\.?\d)")
def _dotted(match: re.Match[str], _: _Clock) -> Stretch:
    return _one(date(_full(match["year"]), int(match["month"]), int(match["day"])))


@_form(r"(?<![\d/])(?P<month>0?[1-9]|1[0-2])/(?P<year>20\d\d)")
def _slashed(match: re.Match[str], _: _Clock) -> Stretch:
    return _month(int(match["year"]), int(match["month"]))


@_form(
    rf"(?:(?P<from>[12]?\d|3[01])\.?\s*(?:bis|und|oder|or|and|to|-|–|/)\s*)?{_NTH_DAY}\s*(?:of\s+)?{_MONTH}(?:,?\s+{_YEAR})?"
)
def _day_and_month(match: re.Match[str], clock: _Clock) -> Stretch:
    month, day = _NUMBERS[match["month"].lower()], int(match["day"])
    year = int(match["year"]) if match["year"] else clock.year_of(month, day)
    return date(year, month, int(match["from"] or day)), date(year, month, day)


@_form(rf"{_MONTH}\s*{_NTH_DAY},?\s+{_YEAR}")
def _month_and_day(match: re.Match[str], _: _Clock) -> Stretch:
    return _one(date(int(match["year"]), _NUMBERS[match["month"].lower()], int(match["day"])))


@_form(rf"{_MONTH}\s*{_NTH_DAY}(?!\s*,?\s*\d)", clear=False, language="en")
def _month_and_day_alone(match: re.Match[str], clock: _Clock) -> Stretch:
    month, day = _NUMBERS[match["month"].lower()], int(match["day"])
    return _one(date(clock.year_of(month, day), month, day))


@_form(rf"(?:{_EDGE})?{_MONTH}{_OF}{_YEAR}")
def _month_of_year(match: re.Match[str], _: _Clock) -> Stretch:
    return _part(_month(int(match["year"]), _NUMBERS[match["month"].lower()]), match)


@_form(rf"(?:{_EDGE})?{_NAME}", clear=False)
def _month_alone(match: re.Match[str], clock: _Clock) -> Stretch:
    month = _NUMBERS[match["month"].lower()]
    return _part(_month(clock.year_of(month), month), match)


@_form(rf"(?:{_LAST}|{_THIS})\s+(?:{_NAME}|{_SEASON})(?!\s+(?:of\s+)?\d)")
def _last_month_or_season(match: re.Match[str], clock: _Clock) -> Stretch:
    if match["month"]:
        month = _NUMBERS[match["month"].lower()]
        return _month(clock.year_of(month), month)
    begun = [_season(year, match) for year in (clock.today.year - 1, clock.today.year)]
    return max(stretch for stretch in begun if stretch[0] <= clock.today)


@_form(rf"(?:{_EDGE})(?:the\s+year\s+)?{_YEAR}")
def _part_of_year(match: re.Match[str], _: _Clock) -> Stretch:
    return _part(_months(int(match["year"]), 1, 12), match)


@_form(rf"(?:q(?P<q>[1-4])|(?P<q_>[1-4])q|{_ORDINAL}(?:quarter|quartals?)){_NEAR}{_SHORT_YEAR}")
def _quarter(match: re.Match[str], _: _Clock) -> Stretch:
    quarter = int(match["q"] or match["q_"] or _nth(match))
    return _months(_full(match["year"]), 3 * quarter - 2, 3)


@_form(rf"(?:h(?P<h>[12])|(?P<h_>[12])h|{_ORDINAL}(?:half|halbjahre?s?)){_NEAR}{_SHORT_YEAR}")
def _half(match: re.Match[str], _: _Clock) -> Stretch:
    half = int(match["h"] or match["h_"] or min(_nth(match), 2))
    return _months(_full(match["year"]), 6 * half - 5, 6)


@_form(rf"(?:{_MONTH}|{_SEASON})\s+(?P<year>['’]?2\d)(?![.,:]?\d)", language="de")
def _short_year(match: re.Match[str], _: _Clock) -> Stretch:
    """ "mai 25", "Herbst 24": Germans write the day before the month, so the number behind it is a year."""
    year = _full(match["year"])
    return _month(year, _NUMBERS[match["month"].lower()]) if match["month"] else _season(year, match)


@_form(rf"(?!fall\s+in\b){_SEASON}{_OF}(?P<year>20\d\d)(?:/\d\d(?:\d\d)?)?")  # "did prices fall in 2024?"
def _season_of_year(match: re.Match[str], _: _Clock) -> Stretch:
    return _season(int(match["year"]), match)


_QUARTER: Final = (
    rf"(?:q(?P<q>[1-4])|(?P<q_>[1-4])q|(?P<closing>schlussquartals?)|(?P<opening>(?:auftakt|eröffnungs)quartals?)"
    rf"|{_ORDINAL}(?:fiscal\s+)?(?:(?:geschäfts|geschaefts|fiskal)?quartals?|quarter))"
)
_FISCAL_YEAR: Final = (
    r"(?:fiscal(?:\s+year)?|financial\s+year|fy|gj|(?:geschäfts|geschaefts|fiskal)jahre?s?)[\s-]*"
    r"(?:(?:20)?\d\d/)?(?P<year>(?:20)?\d\d)(?![.,/]?\d)"
)
_OF_ITS: Final = r"[\s,]*(?:(?:of|in|im|des|vom|seines|ihres)\s+)?(?:(?:the|its|their|[\w.]+[’']s|dem)\s+)?"


@_form(rf"(?:{_QUARTER}{_OF_ITS})?{_FISCAL_YEAR}")
@_form(rf"fy\s?(?P<year>(?:20)?\d\d)[\s-]*{_QUARTER}")
def _fiscal(match: re.Match[str], clock: _Clock) -> Stretch:
    """A fiscal year, named for the calendar year in which it ends, or its quarter. Days by which companies move the end of a
    quarter to a weekend are not kept."""
    if clock.year_ends is None:
        raise ValueError("nobody's calendar is known")
    year, first = _full(match["year"]), clock.year_ends - 11
    quarter = _quarter_of(match)
    return _months(year, first + 3 * (quarter - 1), 3) if quarter else _months(year, first, 12)


@_form(rf"(?:fiscal\s+)?{_QUARTER}(?:\s+of|,)?\s+{_SHORT_YEAR}")
def _fiscal_quarter(match: re.Match[str], clock: _Clock) -> Stretch:
    if not re.search("fiscal|fiskal|gesch(?:ä|ae)fts", match[0], re.IGNORECASE):
        raise ValueError("a quarter of the calendar")
    return _fiscal(match, clock)


@_form(_YEAR)
def _year(match: re.Match[str], _: _Clock) -> Stretch:
    year = int(match["year"])
    if year < EARLIEST:
        raise ValueError(f"{year} is not taken for a year")
    return _months(year, 1, 12)


@_form(r"(?P<before>vorgestern|(?:the\s+)?day\s+before\s+yesterday)|yesterday|gestern")
def _yesterday(match: re.Match[str], clock: _Clock) -> Stretch:
    return _one(clock.today - DAY * (2 if match["before"] else 1))


@_form(rf"(?:(?P<last>{_LAST})|{_THIS})\s+{_UNIT}(?!\s+(?:of|before)\b)")
def _last_unit(match: re.Match[str], clock: _Clock) -> Stretch:
    today = clock.today
    if match["days"]:
        raise ValueError("a last day ends something")
    if match["weeks"]:
        monday = today - DAY * (today.weekday() + 7 * bool(match["last"]))
        return monday, monday + 6 * DAY
    size = 1 if match["months"] else 3 if match["quarters"] else 12
    return _months(today.year, (today.month - 1) // size * size + 1 - size * bool(match["last"]), size)


@_form(rf"{_LAST}\s+(?:(?P<n>\d{{1,2}})|(?P<word>{'|'.join(_COUNTS)}))\s+{_UNIT}(?!\s+of\b)")
def _last_units(match: re.Match[str], clock: _Clock) -> Stretch:
    count = int(match["n"] or _COUNTS[match["word"].lower()])
    days = 1 if match["days"] else 7 if match["weeks"] else 31 if match["months"] else 92 if match["quarters"] else 366
    return clock.today - DAY * days * count, clock.today


def _quarter_of(match: re.Match[str] | None) -> int | None:
    """Which quarter a match of `_QUARTER` names; None where that is none."""
    found = match.groupdict() if match else {}
    if found.get("closing") or found.get("opening"):
        return 4 if found["closing"] else 1
    number = found.get("q") or found.get("q_") or next((n for n in range(1, 5) if found.get(f"n{n}")), None)
    return int(number) if number else None


def _one(day: date) -> Stretch:
    return day, day


def _month(year: int, month: int) -> Stretch:
    return _months(year, month, 1)


def _months(year: int, month: int, count: int) -> Stretch:
    """`count` whole months; `month` may lie outside 1..12, in years before or after."""
    first, last = year * 12 + month - 1, year * 12 + month + count - 2
    end = date(last // 12, last % 12 + 1, 1)
    return date(first // 12, first % 12 + 1, 1), end.replace(day=calendar.monthrange(end.year, end.month)[1])


def _part(whole: Stretch, match: re.Match[str]) -> Stretch:
    """The beginning, middle or end of a stretch: a generous half, because writers mean it loosely."""
    since, until = whole
    quarter = (until - since) / 4
    if match["early"]:
        return since, since + 1.5 * quarter
    if match["mid"]:
        return since + quarter, until - quarter
    return (since + 2.5 * quarter, until) if match["late"] else whole


def _season(year: int, match: re.Match[str]) -> Stretch:
    """Astronomical and meteorological seasons together; the winter of a year may be the one that ends or begins in it."""
    if match["winter"]:
        return _months(year, 0, 15)
    return _months(year, 3 if match["spring"] else 6 if match["summer"] else 9, 4)


def _nth(match: re.Match[str]) -> int:
    return next(n for n in range(1, 5) if match[f"n{n}"])


def _full(year: str) -> int:
    """2025, 25 and '25 are the same year."""
    return int(year[-2:]) + 2000 if len(year) < 4 else int(year)


_START = re.compile(
    # what a time may begin with; most places of a text are passed over by this alone. A number inside a name ("GPT-3", "COM(2026)") or
    # behind a comma is none
    r"(?<![\w.,])(?<!\w\()(?<![^\W\d]-(?=\d))(?:\d{1,4}|(?:q|h)[1-4]|(?:fy|gj)(?=\d)|(?:"
    + "|".join((*sorted(_NUMBERS, key=len, reverse=True), "early", "the", "beginning", "start", "zu", "anfang", "beginn", "mid", "middle", "mitte", "late", "end", "ende",
      "jahresende", "first", "second", "third", "fourth", "last", "final", "past", "this", "(?:erste|zweite|dritte|vierte|letzte|vergangene|vorige|diese)[snrm]?",
      "fiscal", "financial", "fy", "gj", "(?:geschäfts|geschaefts|fiskal)jahre?s?", "schlussquartals?", "(?:auftakt|eröffnungs)quartals?",
      "spring", "fr(?:ü|ue)h(?:jahr|ling)", "summer", "sommer", "autumn", "fall", "herbst", "winter", "vorgestern", "gestern", "yesterday", "day"))
    + r")(?!\w))", re.IGNORECASE,
)  # fmt: skip


def spots(
    text: str, language: Language, today: date, *, nearest: bool = False, year_ends: int | None = None
) -> list[Spot]:
    """All places of `text` that name a time, in order, without overlaps; ranges are one spot.

    Args:
        text: where to look; the words of both languages are known in both.
        language: of the text; decides what "mai 25" is.
        today: what "last week" and a month without a year are seen from.
        nearest: a month without a year is the nearest one instead of the last one that has come.
        year_ends: month in which the fiscal years end that are spoken of, 1..12; None where that is not known.
    """
    clock = _Clock(today, nearest, year_ends)
    found: list[Spot] = []
    at = 0
    while start := _START.search(text, at):
        here = [spot for form in _FORMS if (spot := _match(form, text, start.start(), language, clock))]
        found += sorted(here, key=lambda spot: -spot.end)[:1]
        at = found[-1].end if here else start.end()
    return _joined(text, clock, language, found)


def _match(form: _Form, text: str, start: int, language: Language, clock: _Clock) -> Spot | None:
    match = form.pattern.match(text, start) if form.language in (None, language) else None
    if match is None:
        return None
    try:
        since, until = form.read(match, clock)
    except ValueError:
        return None
    return Spot(start, match.end(), since, until, form.clear) if since <= until else None


_JOINS = re.compile(
    r"\s*(?:(?:to|until|till|through|bis|and|und|or|oder)\s+(?:(?:the|im|in|zum|dem|den)\s+)?|[-–—/]\s*)", re.IGNORECASE
)


def _joined(text: str, clock: _Clock, language: Language, found: list[Spot]) -> list[Spot]:
    """Two times with "to", "and" or a dash between them are one stretch; the first may take its year from the second."""
    joined: list[Spot] = []
    for spot in found:
        before = joined[-1] if joined else None
        if before and _JOINS.fullmatch(text, before.end, spot.start):
            first = spots(text[before.start : before.end], language, spot.until, year_ends=clock.year_ends)
            if first and first[0].since <= spot.since:
                clear = before.clear or spot.clear
                both = text[before.start : before.end], text[spot.start : spot.end]
                quarters = both if all(map(_OWN_QUARTER.match, both)) else None
                joined[-1] = Spot(before.start, spot.end, first[0].since, spot.until, clear, quarters)
                continue
        joined.append(_with_quarter_before(text, spot, before.end if before else 0))
    return joined


_OWN_QUARTER = re.compile(_QUARTER, re.IGNORECASE)
_NEW_QUARTER: Final = (
    rf"(?P<words>q(?P<q>[1-4])|(?P<q_>[1-4])q|{_ORDINAL}(?P<unit>(?:fiscal\s+)?(?:quarter|quartals?))?)\s*"
)
"""A quarter that may leave even that word to another one: "the third and fourth quarter"."""
_QUARTER_BEFORE = re.compile(
    rf"(?<!\w){_NEW_QUARTER}"
    r"(?:(?:to|and|or|und|oder|bis|auf|zum?|vs\.?|versus)\s+(?:(?:the|dem|das|im)\s+)?|[-–/&+]\s*)\Z",
    re.IGNORECASE,
)
_LONE_QUARTER = re.compile(
    rf"\s*(?:(?:in|im|for|of|für|fuer)\s+)?(?:(?:the|its|their|dem|das|den)\s+)?{_NEW_QUARTER}", re.IGNORECASE
)


def _with_quarter_before(text: str, spot: Spot, at: int) -> Spot:
    """ "Q1 and Q2 2025": the first of two quarters takes its year from the second; it stands behind `at`."""
    own = _OWN_QUARTER.match(text, spot.start)
    before = _QUARTER_BEFORE.search(text[: spot.start], at) if own else None
    earlier, later = _quarter_of(before), _quarter_of(own)
    if not own or not before or not earlier or not later or earlier >= later:
        return spot
    since, _ = _months(spot.since.year, spot.since.month - 3 * (later - earlier), 3)
    named = before["words"].strip()
    if not (before["q"] or before["q_"] or before["unit"]):
        named += f" {own[0].split()[-1]}"  # "the third and fourth quarter"
    quarters = f"{named}{text[own.end() : spot.end]}", text[spot.start : spot.end]
    return replace(spot, start=before.start(), since=since, quarters=quarters)


def in_quarter(question: str, asked: str, language: Language, today: date) -> str | None:
    """`question` about another quarter of the year that it names: "and in the second?", "Und im vierten Quartal?".

    Args:
        question: that came before.
        asked: what follows it; None is returned where it is more than a quarter without its year.
        language: of both.
        today: as for `spots`.
    """
    lone = _LONE_QUARTER.fullmatch(f"{asked.rstrip(' ?.!')} ")
    # whose fiscal year it is does not matter for where it is named
    named = [spot for spot in spots(question, language, today, year_ends=12) if not spot.quarters]
    own = _OWN_QUARTER.match(question, named[0].start) if len(named) == 1 else None
    if lone is None or own is None or (number := _quarter_of(lone)) is None:
        return None
    in_words = not (lone["q"] or lone["q_"] or own["q"] or own["q_"])
    new = f"{lone['words'].split()[0]} {own[0].split()[-1]}" if in_words else f"Q{number}"
    return f"{question[: own.start()]}{new}{question[own.end() :]}"


# --- what a question asks about --------------------------------------------------------------------------------------

_Shift = Callable[[Spot], tuple[date | None, date | None]]
_OPENERS: Final[tuple[tuple[re.Pattern[str], _Shift, bool], ...]] = tuple(
    (re.compile(rf"(?<!\w)(?:{words})\s+\Z", re.IGNORECASE), shift, shown)
    for words, shift, shown in (
        # words right before a time, what they make of it, and whether they belong to it when it is shown
        (r"(?:since|seit|ab|starting(?: in)?)(?: dem| der| jahresbeginn)?", lambda spot: (spot.since, None), True),
        (r"(?:until|till|up to|through|by|bis)(?: zum| zur| in den)?", lambda spot: (None, spot.until), True),
        (r"(?:before|prior to|vor)(?: dem| der)?", lambda spot: (None, spot.since - DAY), True),
        (r"(?:after|nach)(?: dem| der)?", lambda spot: (spot.until + DAY, None), True),
        (r"(?:in|im|during|within|on|am|between|zwischen|zum|zur)(?: the| den| dem)?(?: jahre?| year)?", lambda spot: (spot.since, spot.until), True),
        (r"(?:of|for|from|für|fuer|von|vom|den)(?: the)?", lambda spot: (spot.since, spot.until), False),
    )
)  # fmt: skip
_ONWARDS = re.compile(r"\s+(?:onwards?|(?:on|an)(?=\s*[?.,]|\s*\Z))", re.IGNORECASE)
_OTHERWISE = re.compile(
    # a comparison, or a time counted from another: "than in 2024", "after the October 2023 listing", "weeks before May 2024"
    r"\b(?:(?:compared (?:to|with)|than|versus|vs\.?|gegenüber|gegenueber|im vergleich (?:zu|mit)|verglichen mit|als)"
    r"\s+(?:in |im |dem |the )?(?:jahr )?"
    r"|(?:before|after|since|until|by)\s+(?:the|its|their|his|her|\w+[’']s)\s+"
    r"|(?:days?|weeks?|months?|quarters?|years?|tage?n?|wochen?|monate?n?|quartale?n?|jahre?n?)\s+"
    r"(?:before|after|following|from|to|until|through|ending|bis|vor|nach)\s+(?:dem |der )?)\Z",
    re.IGNORECASE,
)
_FISCAL = re.compile(
    r"\b(?:fiscal|(?:fy|gj)\s?\d*|(?:geschäfts|geschaefts|fiskal)(?:jahr|quartal|halbjahr)\w*)\b", re.IGNORECASE
)


def find_period(text: str, language: Language, today: date, *, year_ends: int | None = None) -> Period | None:
    """The stretch of time a question names, or None where it names none, or none that is surely meant.

    Args:
        text: the question.
        language: of the question.
        today: what "last week" is seen from. What lies after it is a plan, and was reported before.
        year_ends: month in which the fiscal year of whom the question is about ends, 1..12; None where that is not known.
    """
    named = spots(text, language, today, year_ends=year_ends)
    fiscal = [match.start() for match in _FISCAL.finditer(text)]
    if any(not any(spot.start <= at < spot.end for spot in named) for at in fiscal):
        return None
    found = [period for spot in named if (period := _read(text, spot, language, today))]
    if len(found) != 1:
        return None
    return _by_calendar_of(found[0], year_ends, language) if fiscal and year_ends else found[0]


def _by_calendar_of(period: Period, year_ends: int, language: Language) -> Period:
    """A fiscal period that shows which months it was taken for."""
    words = period.words
    if period.since and period.until:
        words += f" ({months(period.since, period.until, language)})"
    return replace(period, words=words, year_ends=year_ends)


def with_months(text: str, period: Period | None, language: Language, today: date) -> str:
    """`text` with a fiscal time as news write it: "the second quarter to July 2025" for "the second quarter of fiscal 2026",
    which reports of that quarter seldom say.

    Read so, the right sentence is told for 53 of 55 fiscal questions of train and dev and 21 of 34 near misses are declined
    (51 and 19 as typed).
    """
    if period is None or not (period.year_ends and period.until):
        return text
    ends = f"{'bis' if language == 'de' else 'to'} {written(period.until, language, 'month')}"
    for spot in spots(text, language, today, year_ends=period.year_ends):
        words = text[spot.start : spot.end]
        if (spot.since, spot.until) == (period.since, period.until) and _FISCAL.search(words) and not spot.quarters:
            quarter = _OWN_QUARTER.search(words)
            named = quarter[0] if quarter else "Geschäftsjahr" if language == "de" else "fiscal year"
            return f"{text[: spot.start]}{named} {ends}{text[spot.end :]}"
    return text


def _read(text: str, spot: Spot, language: Language, today: date) -> Period | None:
    """A spot with the words around it, which open, close or shift it."""
    lead = text[: spot.start]
    if _OTHERWISE.search(lead):
        return None
    since: date | None = spot.since
    until: date | None = spot.until
    start, end = spot.start, spot.end
    for pattern, shift, shown in _OPENERS:
        if before := pattern.search(lead):
            since, until = shift(spot)
            start = before.start() if shown else start
            break
    else:
        if not spot.clear:
            return None
    if language == "en" and _names_an_event(text[start:end], text[end:]):
        return None
    if onwards := _ONWARDS.match(text, end):
        until, end = None, onwards.end()
    if since and since > today:
        return None
    if since is None and until and until >= today:
        return None
    return Period(text[start:end], since, until)


def _names_an_event(words: str, rest: str) -> bool:
    """ "after July 2025 cuts": the month names the cuts, and their news may lie in it."""
    following = re.match(r"([’']s)?\s+([\w-]+)", rest)
    return bool(
        re.match(r"before\b|after\b|prior to\b", words, re.IGNORECASE)
        and following
        and (following[1] or following[2].lower() not in STOPWORDS["en"])
    )


# --- what an article tells of ----------------------------------------------------------------------------------------


def mentions(text: str, language: Language, reference: date, *, year_ends: int | None = None) -> list[Stretch]:
    """All stretches of time that a sentence of an article names.

    Args:
        text: the sentence.
        language: of the article.
        reference: the article's date: "last week" is seen from it, and a month without a year is the one nearest to it.
        year_ends: month in which the fiscal years end that it speaks of, 1..12; None to take them for calendar years.
    """
    # in articles a month's name has a capital, which tells "May" from "may"
    return [
        (spot.since, spot.until)
        for spot in spots(text, language, reference, nearest=True, year_ends=year_ends)
        if spot.clear or text[spot.start : spot.end] != text[spot.start : spot.end].lower()
    ]


def fits(period: Period, published: date, precision: Precision, spans: Sequence[Stretch]) -> bool:
    """Whether an article's date, or a time that its sentence names, lies in the period or overlaps it.

    Args:
        period: from the question.
        published: the article's date.
        precision: how exactly that is known; the whole month or year counts where the day is unknown.
        spans: from `mentions`, with the article's date as reference.
    """
    whole = {
        "day": _one(published),
        "month": _month(published.year, published.month),
        "year": _months(published.year, 1, 12),
    }
    since, until = period.since or date.min, period.until or date.max
    later = reported_until(period) or date.max
    return _overlap(whole[precision], (since, later)) or any(_overlap(span, (since, until)) for span in spans)


def reported_until(period: Period) -> date | None:
    """The last day on which news about the period come out; None where it has no end."""
    return period.until + _reported_later(period) if period.until else None


def _reported_later(period: Period) -> timedelta:
    if period.since is None or period.until is None:
        return DAY
    return min(REPORTED_LATER, DAY + SHARE_LATER * (period.until - period.since))


def _overlap(one: Stretch, other: Stretch) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]
