"""Figures in a text as values: amounts with their units, and times; German and English ways to write them are one.

"1,5 Mrd. Dollar" and "$1.5bn" are the same figure, "Billion" in German and "billion" in English are not. Price and unit
parsers from the registry were looked at: they know one language at a time and no German compounds
("20-Milliarden-Dollar-Projekt"), so the reading is ours; times are read by `rag.period`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Final, Literal

from rag.period import spots
from rag.types import Language

SAME: Final = 1e-3
"""Relative difference up to which two amounts are one: what is lost by writing 1.333 for four thirds."""
ABOUT: Final = 0.03
"""The same where the text says "about": "rund 100" tells 98 and 102, not 90."""
SHARE: Final = 0.08
"""The same where one of them is a fraction in words: "a quarter" tells 24 and 26 percent, not 30."""
FEW: Final = 12
"""Up to this a number in words without a unit counts what is listed: "the three makers"."""
YEARS_AHEAD: Final = 15
"""A bare number further ahead of the text's date than this is no year: 2048 counts chips."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure as it stands at [start:end] of a text."""

    start: int
    end: int
    words: str
    kind: Literal["amount", "time"]
    values: tuple[float, ...] = ()
    """Of an amount, in base units; two where the writing is open to two readings ("1.500"), the likelier first."""
    unit: str = ""
    """Base unit: usd, eur, percent, W, byte, m, month, ...; empty for a bare number, "share" of a fraction in words."""
    bare: float = 0.0
    """The number alone, without unit and scale: tells a changed unit from a changed number."""
    about: bool = False
    """Whether the text says it is not exact."""
    loose: bool = False
    """Whether it need not be borne out, though it may bear out another: ordinals, "a month", "both"."""
    since: date = date.min
    until: date = date.max
    """First and last day of a time."""
    bound: Literal["", "below", "above"] = ""
    """On which side of an amount the true one lies: "nearly" and "up to" say below, "more than" and "at least" above."""
    firm: bool = False
    """Whether the bound is a limit ("up to", "at least"), which is part of what is said, and no rounding ("nearly")."""
    lead: str = ""
    """The words of the bound as they stand in front of the amount, with the space behind them."""


def figures(text: str, language: Language, reference: date) -> list[Figure]:
    """All figures of `text`, in order, without overlaps.

    Args:
        text: a sentence or a few.
        language: decides what "1.500" and "Billion" are.
        reference: the text's date: "last week" is seen from it, and a month without a year is the one nearest to it.
    """
    times = list(_times(text, language, reference))
    taken = [(time.start, time.end) for time in times]
    amounts = [a for a in _amounts(text, language) if not any(a.start < end and start < a.end for start, end in taken)]
    bounded = (_bounded(text, amount, language) for amount in _shared_units(text, amounts))
    return sorted([*times, *bounded], key=lambda figure: figure.start)


def agrees(claimed: Figure, told: Figure) -> bool:
    """Whether `told` bears out `claimed`: the same amount, or a time that lies within the one claimed."""
    if claimed.kind == "time" and told.kind == "time":
        return claimed.since <= told.since and told.until <= claimed.until
    if claimed.kind == "amount" and told.kind == "time":
        return claimed.unit in _PARTS and claimed.values[0] == _part_number(told, claimed.unit)
    if claimed.kind == "time" and told.kind == "amount":
        return told.unit in _PARTS and told.values[0] == _part_number(claimed, told.unit)
    return fits_unit(claimed, told) and same_value(claimed, told)


def fits_unit(claimed: Figure, told: Figure) -> bool:
    """Whether two amounts are of one unit; a claim may leave out the unit of what is counted, but not add another."""
    if "share" in (claimed.unit, told.unit):
        return {claimed.unit, told.unit} <= {"share", "percent"}
    return claimed.unit == told.unit or (not claimed.unit and told.unit not in ("percent", "point", "times"))


def same_value(claimed: Figure, told: Figure) -> bool:
    """Whether two amounts are equal as far as their writers mean it."""
    room = ABOUT if claimed.about or told.about else SAME
    mine, theirs = claimed.values, told.values
    if claimed.unit != told.unit and "share" in (claimed.unit, told.unit):
        room = SHARE
        mine, theirs = (tuple(v * 100 if each.unit == "share" else v for v in each.values) for each in (claimed, told))
    return any(abs(a - b) <= room * max(abs(a), abs(b)) for a in mine for b in theirs)


def same_number(claimed: Figure, told: Figure) -> bool:
    """Whether two amounts are one number, however their texts round it: what their bounds say can be compared."""
    if claimed.kind != "amount" or told.kind != "amount" or not fits_unit(claimed, told):
        return False
    return same_value(replace(claimed, about=False), replace(told, about=False))


def counts_a_list(figure: Figure) -> bool:
    """Whether it may count what a text lists without a number: "the four groups" where four are named."""
    return figure.kind == "amount" and not figure.unit and figure.words.isalpha() and figure.values[0] <= FEW


def nearest(claimed: Figure, told: Sequence[Figure]) -> Figure | None:
    """What the other text has in the place of `claimed`: the same number in another unit, or the nearest of the kind."""
    if claimed.kind == "time":
        times = [each for each in told if each.kind == "time"]
        return min(times, key=lambda t: abs(_middle(t) - _middle(claimed)), default=None)
    amounts = [each for each in told if each.kind == "amount"]
    same = [a for a in amounts if a.bare == claimed.bare]
    of_unit = same or [a for a in amounts if a.unit == claimed.unit] or [a for a in amounts if a.unit and claimed.unit]
    return min(of_unit, key=lambda a: _ratio(a.values[0], claimed.values[0]), default=None)


def _middle(time: Figure) -> float:
    return (time.since.toordinal() + time.until.toordinal()) / 2


def _ratio(a: float, b: float) -> float:
    """How far two amounts are from one another, as a factor."""
    if a == b:
        return 1.0
    low, high = sorted((abs(a), abs(b)))
    return high / low if low else float("inf")


# --- times -----------------------------------------------------------------------------------------------------------

_PARTS: Final = {"quarter": 3, "half-year": 6}
"""Parts of a year as amounts, with their months: "im zweiten Quartal" without a year."""


def _times(text: str, language: Language, reference: date) -> Iterator[Figure]:
    halves = list(_HALF_YEAR.finditer(text))
    for match in halves:
        year = int(match["year"])
        since, until = (
            (date(year, 1, 1), date(year, 6, 30))
            if match["n1"] or match["n1_"]
            else (date(year, 7, 1), date(year, 12, 31))
        )
        yield Figure(match.start(), match.end(), match[0], "time", since=since, until=until)
    for spot in spots(text, language, reference, nearest=True):
        words = text[spot.start : spot.end]
        if any(match.start() <= spot.start < match.end() for match in halves):
            continue
        bare = words.isdigit()
        if bare and (int(words) > reference.year + YEARS_AHEAD or _counts(text, spot.end)):
            continue
        # a month's name has a capital, which tells "May" from "may"
        if spot.clear or words != words.lower():
            yield Figure(spot.start, spot.end, words, "time", since=spot.since, until=spot.until)


def _counts(text: str, end: int) -> bool:
    """Whether a unit follows, so that 2025 is no year."""
    return bool(_UNIT_AFTER.match(text, end))


def _part_number(time: Figure, unit: str) -> float:
    """Which quarter or half-year the time is, or lies in; 0 for none."""
    months = _PARTS[unit]
    first, last = (time.since.month - 1) // months, (time.until.month - 1) // months
    return first + 1.0 if first == last and time.since.year == time.until.year else 0.0


# --- amounts ---------------------------------------------------------------------------------------------------------

_SCALES: Final[dict[Language, dict[str, float]]] = {
    "de": {
        "hundert": 1e2, "tausend": 1e3, "tsd": 1e3, "millionen": 1e6, "million": 1e6, "mio": 1e6, "milliarden": 1e9,
        "milliarde": 1e9, "mrd": 1e9, "billionen": 1e12, "billion": 1e12, "bio": 1e12, "bn": 1e9, "trillionen": 1e18,
        "dutzend": 12,
    },
    "en": {
        "hundred": 1e2, "thousand": 1e3, "million": 1e6, "mn": 1e6, "mln": 1e6, "billion": 1e9, "bn": 1e9,
        "trillion": 1e12, "tn": 1e12, "trn": 1e12, "milliard": 1e9, "dozen": 12,
    },
}  # fmt: skip
_SHORT_SCALES: Final = {"k": 1e3, "K": 1e3, "m": 1e6, "M": 1e6, "B": 1e9, "b": 1e9, "T": 1e12, "t": 1e12}
"""Right behind the number of a sum of money only ("$40B"); "192M" elsewhere may be a name."""
_PREFIXES: Final = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18, "z": 1e21}
_PREFIX_WORDS: Final = {
    "": "", "kilo": "k", "mega": "m", "giga": "g", "tera": "t", "peta": "p", "exa": "e", "zetta": "z",
}  # fmt: skip
_UNITS: Final[tuple[tuple[str, str, float], ...]] = (
    # pattern (case-insensitive unless it says otherwise), base unit, factor
    (r"prozentpunkte?n?|percentage[ -]points?|prozentpunkt", "point", 1.0),
    (r"basispunkte?n?|basis[ -]points?", "point", 0.01),
    (r"%|prozent\w{0,3}|per ?cent|v\. ?h\.", "percent", 1.0),
    (r"us[ -]?\$|us-?dollars?|dollars?|usd", "usd", 1.0),
    (r"hk\$|hongkong-dollars?|hong kong dollars?", "hkd", 1.0),
    (r"nt\$|taiwan-dollars?|taiwan(?:ese)? dollars?", "twd", 1.0),
    (r"€|euros?|eur\b", "eur", 1.0),
    (r"£|(?:britische )?pfund|pounds?(?: sterling)?|gbp", "gbp", 1.0),
    (r"yuan|renminbi|rmb|cny", "cny", 1.0),
    (r"yen|jpy|¥", "jpy", 1.0),
    (r"won|krw|₩", "krw", 1.0),
    (r"rupien?|rupees?|inr|₹", "inr", 1.0),
    (r"(?:schweizer )?franken|(?:swiss )?francs?|chf", "chf", 1.0),
    (r"cents?\b", "cent", 1.0),
    (r"nanomet(?:er|re)[ns]?|nm", "m", 1e-9),
    (r"ångström\w?|angstroms?", "m", 1e-10),
    (r"mikromet(?:er|re)n?|micromet(?:er|re)s?|microns?|µm|μm", "m", 1e-6),
    (r"quadratmillimetern?|square millimet(?:er|re)s?|mm²|mm2", "m2", 1e-6),
    (r"quadratkilometern?|square kilomet(?:er|re)s?|km²|km2", "m2", 1e6),
    (r"quadratmetern?|square met(?:er|re)s?|m²|m2", "m2", 1.0),
    (r"quadratfuß|square f(?:ee|oo)t|sq\.? ?ft", "m2", 0.092903),
    (r"hektar\w?|hectares?", "m2", 1e4),
    (r"acres?", "m2", 4046.86),
    (r"millimet(?:er|re)[ns]?|mm", "m", 1e-3),
    (r"zentimetern?|centimet(?:er|re)s?|cm", "m", 1e-2),
    (r"kilomet(?:er|re)[ns]?|km", "m", 1e3),
    (r"meilen?|miles?", "m", 1609.344),
    (r"zoll|inch(?:es)?", "m", 0.0254),
    (r"met(?:er|re)[ns]?", "m", 1.0),
    (r"tonnen?|tons?|tonnes?", "kg", 1e3),
    (r"kilogramms?|kilograms?|kilos?|kg", "kg", 1.0),
    (r"gramms?|grams?", "kg", 1e-3),
    (r"millisekunden?|milliseconds?|ms", "s", 1e-3),
    (r"sekunden?|seconds?", "s", 1.0),
    (r"minuten?|minutes?", "s", 60.0),
    (r"stunden?|hours?", "s", 3600.0),
    (r"tage?n?|days?", "day", 1.0),
    (r"wochen?|weeks?", "day", 7.0),
    (r"monate?[ns]?|months?", "month", 1.0),
    (r"quartale?n?|quarters", "month", 3.0),
    (r"jahre?n?|years?", "month", 12.0),
    (r"jahrzehnten?|decades?", "month", 120.0),
    (r"grad(?: celsius)?|degrees?(?: celsius)?|°c?", "degree", 1.0),
    (r"(?:fach|mal)(?:e[nrs]?|ig\w*)?\b|times\b|fold\b|[x×]\b", "times", 1.0),
)
_BASES: Final[tuple[tuple[str, str, str, float], ...]] = (
    # word, symbol, base unit, factor: with the prefixes kilo to zetta
    (r"bytes?", "B", "byte", 1.0),
    (r"bits?", "bit", "bit", 1.0),
    (r"watt(?:stunden?|[ -]?hours?)|watth", "Wh", "Wh", 1.0),
    (r"watts?", "W", "W", 1.0),
    (r"hertz", "Hz", "Hz", 1.0),
    (r"(?:fl)?ops", "FLOPS", "ops", 1.0),
    (r"(?:fl)?ops", "FLOP", "ops", 1.0),
    (r"(?:fl)?ops", "OPS", "ops", 1.0),
)
_PER_SECOND: Final = r"(?:\s*/\s*s(?:ec|ek)?\b|ps\b|\s+(?:pro|je|per|a)\s+(?:sekunde|second))"


@cache
def _table() -> list[tuple[re.Pattern[str], str, float]]:
    made = [(re.compile(rf"(?:{p})(?![^\W\d_])", re.IGNORECASE), unit, factor) for p, unit, factor in _UNITS]
    for word, symbol, unit, factor in _BASES:
        for prefix, letter in _PREFIX_WORDS.items():
            names = rf"{prefix}[ -]?(?:{word})"
            # letters count as they stand: GB is not Gb; k is written small and large
            symbols = rf"(?-i:[{letter}{letter.upper()}]{symbol})" if letter else rf"(?-i:{symbol})"
            made.append(
                (re.compile(rf"(?:{names}|{symbols})(?![^\W\d_])", re.IGNORECASE), unit, factor * _PREFIXES[letter])
            )
    return made


_CURRENCY_BEFORE: Final = {
    "us$": "usd", "us-$": "usd", "$": "usd", "€": "eur", "£": "gbp", "¥": "jpy", "hk$": "hkd", "nt$": "twd", "rmb": "cny",
    "usd": "usd", "eur": "eur", "a$": "aud", "c$": "cad", "s$": "sgd", "₩": "krw", "₹": "inr",
}  # fmt: skip
_ONES: Final[dict[Language, dict[str, int]]] = {
    "de": {w: n for n, ws in enumerate(("null", "ein eine einem einen einer eines eins", "zwei", "drei", "vier", "fünf fuenf", "sechs", "sieben", "acht", "neun",
            "zehn", "elf", "zwölf zwoelf", "dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn")) for w in ws.split()},
    "en": {w: n for n, ws in enumerate(("zero", "one a an", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
            "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")) for w in ws.split()},
}  # fmt: skip
_TENS: Final[dict[Language, dict[str, int]]] = {
    "de": {"zwanzig": 20, "dreißig": 30, "dreissig": 30, "vierzig": 40, "fünfzig": 50, "sechzig": 60, "siebzig": 70, "achtzig": 80, "neunzig": 90},
    "en": {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90},
}  # fmt: skip
_HALVES: Final = {"anderthalb": 1.5, "eineinhalb": 1.5, "zweieinhalb": 2.5, "dreieinhalb": 3.5, "viereinhalb": 4.5}
_HALF = re.compile(r"(?:eine[mnrs]? )?halbe[nrs]?\b|half (?:a|an)\b|a half\b", re.IGNORECASE)
_FRACTION = re.compile(
    r"\b(?P<n>ein(?:em|es)?|one|a|zwei|two|drei|three|vier|four)[ -](?:(?P<third>drittels?n?|thirds?)|(?P<quarter>vierteln?|viertels?|quarters?(?= of)|quarters\b)"
    r"|(?P<fifth>fünfteln?|fifths?)|(?P<tenth>zehnteln?|zehntels?|tenths?))\b(?![ -](?:largest|biggest|party|generation))",
    re.IGNORECASE,
)
_HALF_OF = re.compile(
    r"\b(?:half(?! (?:an?|of (?:20\d\d|the year))\b)(?![ -](?:year|hour|time))|hälfte)\b", re.IGNORECASE
)
_PART_OF_YEAR = re.compile(
    r"\b(?:(?P<q>Q[1-4])|(?P<h>H[12])(?!\d)|(?:(?P<n1>first|erste[nrs]?|1\.|1st)|(?P<n2>second|zweite[nrs]?|2\.|2nd)|(?P<n3>third|dritte[nrs]?|3\.|3rd)|(?P<n4>fourth|vierte[nrs]?|4\.|4th))"
    r"\s+(?:fiscal\s+|Geschäfts)?(?:(?P<quarter>quarter|quartals?)|(?P<half>half|halbjahre?s?|(?:jahres)?hälfte)))(?!\w)",
    re.IGNORECASE,
)
_FACTOR_WORDS: Final = (
    # verbs and adjectives that tell a factor
    (re.compile(r"\b(?:doppelt\w*|verdoppel\w*|doubl(?:e|ed|es|ing)|twice|zweifach\w*|zweimal|twofold)\b", re.IGNORECASE), 2.0),
    (re.compile(r"\b(?:dreifach\w*|verdreifach\w*|dreimal|tripl(?:e|ed|es|ing)|threefold)\b", re.IGNORECASE), 3.0),
    (re.compile(r"\b(?:vierfach\w*|vervierfach\w*|viermal|quadrupl(?:e|ed|es|ing)|fourfold)\b", re.IGNORECASE), 4.0),
    (re.compile(r"\b(?:fünffach\w*|verfünffach\w*|fünfmal|fivefold)\b", re.IGNORECASE), 5.0),
    (re.compile(r"\b(?:zehnfach\w*|verzehnfach\w*|zehnmal|tenfold)\b", re.IGNORECASE), 10.0),
)  # fmt: skip
_DIGITS = re.compile(
    r"(?<![\w.,'’])(?<![^\W\d]-)(?P<number>\d{1,3}(?:(?P<sep>[.,'’   ])\d{3})(?:(?P=sep)\d{3})*(?:[.,]\d+)?|\d+(?:[.,]\d+)?)(?!\d)"
)
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)?")
_ORDINALS: Final = {
    word: number
    for number, words in enumerate(
        ("first erste", "second zweit", "third dritt", "fourth viert", "fifth fünft", "sixth sechst", "seventh siebt", "eighth acht", "ninth neunt", "tenth zehnt"), start=1
    )
    for word in words.split()
} | {"both": 2, "beide": 2, "beiden": 2, "beider": 2, "pair": 2, "trio": 3, "einzige": 1, "einzigen": 1, "single": 1, "once": 1, "einmal": 1}  # fmt: skip
_ORDINAL_WORD = re.compile(rf"\b({'|'.join(_ORDINALS)})(?:e[mnrs]?)?\b", re.IGNORECASE)
_HALF_YEAR = re.compile(
    r"\b(?:(?:(?P<n1>ersten?r?)|(?P<n2>zweiten?r?)) (?:Jahres)?hälfte(?: des Jahres| von| im Jahr)?"
    r"|(?:(?P<n1_>first|ersten)|last|letzten) (?:six|sechs) (?:months|Monaten?)(?: des Jahres| von| im Jahr| of| in)?) (?P<year>20\d\d)\b",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"\b(?:rund|etwa|ca\.?|circa|ungefähr|knapp|fast|gut|annähernd|nahezu|um die|über|mehr als|bis zu|about|around|roughly|some|nearly|almost|"
    r"approximately|close to|just (?:over|under)|more than|over|up to|~)\s*(?:us-?)?[$€£¥]?\s*\Z",
    re.IGNORECASE,
)
_Bound = tuple[Literal["below", "above"], bool, re.Pattern[str]]


def _bound(side: Literal["below", "above"], words: str, *, limit: bool = False) -> _Bound:
    """Words in front of an amount, on which side of it they put the true one, and whether they are a limit."""
    return side, limit, re.compile(rf"(?<![\w-])(?:{words})\s*\Z", re.IGNORECASE)


_BOUNDS: Final[dict[Language, tuple[_Bound, ...]]] = {
    # the limits first, because "no more than" ends in "more than"
    "de": (
        _bound("below", r"bis zu|höchstens|maximal|nicht mehr als", limit=True),
        _bound("above", r"mindestens|wenigstens|nicht weniger als", limit=True),
        _bound("below", r"knapp|fast|beinahe|nahezu|annähernd|unter|weniger als"),
        _bound("above", r"über|mehr als|gut"),
    ),
    "en": (
        _bound("below", r"up to|at most|(?:no|not) more than|a maximum of|as (?:many|much) as", limit=True),
        _bound("above", r"at least|(?:no|not) (?:less|fewer) than|a minimum of", limit=True),
        _bound("below", r"nearly|almost|under|below|(?:less|fewer) than"),
        _bound("above", r"over|above|more than"),
    ),
}
_LEAD: Final = 24
"""Characters in front of an amount in which its bound is looked for."""
_NO_BOUND = re.compile(r"\b(?:not|never|no|hardly|little|so|nicht|nie|kein\w*|kaum|wenig)\s+\Z", re.IGNORECASE)
"""What makes another thing of the bound behind it: "kaum mehr als"."""
_NO_LIMIT = re.compile(
    r"(?:\b(?:add\w*|sum\w*|go\w*|went|ramp\w*|scal\w*|stepp?\w*|mov\w*|is|are|was|were|br[io]\w+|bump\w*|push\w*|open\w*)|'s|’s)\s+\Z",
    re.IGNORECASE,
)
"""The same of "up to": "adds up to", "is up to"."""
_ABOUT_WHAT = re.compile(
    r"\b(?:advantage|battle|clash|concerns?|control|debate|dispute|fears?|feud|fight|gain|improvement|increase|lawsuit|lead|"
    r"probe|questions?|row|talks|war|worries)\s+\Z",
    re.IGNORECASE,
)
"""The same of "over": "a dispute over 3 patents"."""
_OPEN_TO_PLACE: Final = frozenset("über unter over under".split())
"""Prepositions that are bounds as well."""
_NOUN_BEFORE = re.compile(r"\b[A-ZÄÖÜ][\w-]*\s+\Z")
_SPANS_OF_TIME: Final = frozenset(("month", "day", "s"))
_GAP = r"[\s-]*"
_SPACES = re.compile(_GAP)
_UNIT_AFTER = re.compile(
    rf"{_GAP}(?:%|prozent|per ?cent|dollars?|euros?|yuan|mrd|mio|milli|thousand|tausend|megawatt|mw\b|gw\b|gb\b|tb\b|gpus?\b|chips?\b)", re.IGNORECASE
)  # fmt: skip


def _amounts(text: str, language: Language) -> list[Figure]:
    found: list[Figure] = []
    for match in _PART_OF_YEAR.finditer(text):
        unit = "quarter" if match["q"] or match["quarter"] else "half-year"
        number = int(match["q"][1]) if match["q"] else int(match["h"][1]) if match["h"] else _ordinal(match)
        found.append(Figure(*match.span(), match[0], "amount", (float(number),), unit, float(number)))
    for match in _FRACTION.finditer(text):
        parts = 3 if match["third"] else 4 if match["quarter"] else 5 if match["fifth"] else 10
        word = match["n"].lower()
        top = _ONES["de"].get(word) or _ONES["en"].get(word) or 1
        if (of := re.compile(r" of an? ").match(text, match.end())) is not None:  # "a quarter of a billion dollars"
            whole = _with_unit(text, match.start(), of.end() - 1, (top / parts,), language)
            if whole.values[0] != whole.bare:
                found.append(whole)
                continue
        found.append(Figure(*match.span(), match[0], "amount", (top / parts,), "share", top / parts))
    found += [Figure(*m.span(), m[0], "amount", (0.5,), "share", 0.5, loose=True) for m in _HALF_OF.finditer(text)]
    for pattern, factor in _FACTOR_WORDS:
        found += [Figure(*m.span(), m[0], "amount", (factor,), "times", factor) for m in pattern.finditer(text)]
    for start, end, numbers in _numbers(text, language):
        figure = _with_unit(text, start, end, numbers, language)
        inside_name = figure.words[-1:].isdigit() and text[figure.end : figure.end + 1].isalpha()  # "910C"
        if not inside_name:
            found.append(figure)
    for match in _ORDINAL_WORD.finditer(text):
        value = float(_ORDINALS[match[1].lower()])
        found.append(Figure(*match.span(), match[0], "amount", (value,), "", value, loose=True))
    kept: list[Figure] = []
    for figure in sorted(found, key=lambda f: (f.start, -f.end)):
        if not kept or figure.start >= kept[-1].end:
            kept.append(figure)
    return [figure for figure in kept if _tells(figure)]


def _ordinal(match: re.Match[str]) -> int:
    return next(n for n in range(1, 5) if match[f"n{n}"])


def _tells(figure: Figure) -> bool:
    """Whether it is a figure at all: "ein" and "one" alone are words."""
    return not (figure.values == (1.0,) and not figure.unit and not figure.words[:1].isdigit())


def _numbers(text: str, language: Language) -> Iterator[tuple[int, int, tuple[float, ...]]]:
    """(start, end, readings) of the numbers in digits and in words."""
    for match in _DIGITS.finditer(text):
        yield match.start(), match.end(), _readings(match["number"], language)
    for match in _HALF.finditer(text):
        yield match.start(), match.end(), (0.5,)
    for match in _WORD.finditer(text):
        value = _in_words(match[0].lower(), language)
        if value is not None:
            yield match.start(), match.end(), (value,)


def _readings(number: str, language: Language) -> tuple[float, ...]:
    plain = re.sub(r"['’   ]", "", number)
    group = "." if language == "de" else ","
    separators = [c for c in plain if c in ".,"]
    if not separators:
        return (float(plain),)
    if len(separators) > 1 and len(set(separators)) == 1:
        return (float(re.sub("[.,]", "", plain)),)
    if len(separators) > 1:
        last = separators[-1]
        return (float(plain.replace("," if last == "." else ".", "").replace(last, ".")),)
    grouped = re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", plain) is not None
    as_decimal, as_group = float(plain.replace(",", ".")), float(re.sub("[.,]", "", plain))
    if not grouped:
        return (as_decimal,)
    # the other language's habit is possible, but second
    return (as_group, as_decimal) if separators[0] == group else (as_decimal, as_group)


def _in_words(word: str, language: Language) -> float | None:
    """A number written as a word: "zwölf", "fünfundzwanzig", "zweihundert", "twenty-five"; None for other words."""
    if word in _HALVES:
        return _HALVES[word]
    ones, tens = _ONES[language], _TENS[language]
    if word in ones or word in tens:
        return float(ones.get(word, tens.get(word, 0)))
    if language == "en":
        ten, _, one = word.partition("-")
        return float(tens[ten] + ones[one]) if ten in tens and one in ones else None
    for name, size in (("tausend", 1000), ("hundert", 100)):
        head, found, tail = word.partition(name)
        if found:
            top = _in_words(head, language) if head else 1.0
            rest = _in_words(tail, language) if tail else 0.0
            return top * size + rest if top is not None and rest is not None else None
    one, found, ten = word.partition("und")
    return float(tens[ten] + ones[one]) if found and ten in tens and one in ones else None


def _with_unit(text: str, start: int, end: int, numbers: tuple[float, ...], language: Language) -> Figure:
    scale, unit, factor = 1.0, "", 1.0
    before = re.search(r"(?:us-?\$|[a-z]{0,2}\$|[€£¥₩₹]|(?<!\w)(?:rmb|usd|eur))\s?\Z", text[:start], re.IGNORECASE)
    currency = _CURRENCY_BEFORE.get(before[0].strip().lower(), "") if before else ""
    if before and currency:
        start = before.start()
        unit = currency
        short = re.compile(r"[kKmMBbTt](?!\w)").match(text, end)
        if short:
            scale, end = _SHORT_SCALES[short[0]], short.end()
    while True:  # "two hundred thousand"
        at = _SPACES.match(text, end)
        word = re.compile(r"[^\W\d_]+\.?").match(text, at.end() if at else end)
        found = _SCALES[language].get(word[0].rstrip(".").lower()) if word else None
        if word is None or found is None:
            break
        scale *= found
        end = word.end() - (word[0].endswith(".") and word[0].lower() not in ("mio.", "mrd.", "tsd.", "bio."))
    if not unit:
        at = _SPACES.match(text, end)
        for pattern, name, size in _table():
            after = pattern.match(text, at.end() if at else end)
            if after:
                unit, factor, end = name, size, after.end()
                break
    if unit in ("byte", "bit", "ops") and (rate := re.compile(_PER_SECOND, re.IGNORECASE).match(text, end)):
        unit, end = (unit, rate.end()) if unit == "ops" else (f"{unit}/s", rate.end())
    values = tuple(number * scale * factor for number in numbers)
    about = bool(_ABOUT.search(text[max(0, start - 20) : start]))
    loose = numbers == (1.0,) and not text[start].isdigit() and scale == 1.0  # "a month", "one day"
    return Figure(start, end, text[start:end], "amount", values, unit, numbers[0], about, loose)


def _bounded(text: str, amount: Figure, language: Language) -> Figure:
    """The amount with the bound that stands in front of it. In doubt there is none."""
    before = text[max(0, amount.start - _LEAD) : amount.start]
    for bound, firm, pattern in _BOUNDS[language]:
        match = pattern.search(before)
        if match is None:
            continue
        earlier, words = before[: match.start()], match[0].strip().lower()
        place = words in _OPEN_TO_PLACE and _is_place(amount, earlier, language)
        if place or _NO_BOUND.search(earlier) or (words == "up to" and _NO_LIMIT.search(earlier)):
            return amount
        return replace(amount, bound=bound, firm=firm, lead=match[0])
    return amount


def _is_place(amount: Figure, earlier: str, language: Language) -> bool:
    """Whether "über" and its like may be a preposition: "über 5 Jahre", "ein Bericht über 3 Firmen", "unter zwei Chefs"."""
    few = not amount.unit and amount.values[0] <= FEW
    named = (_NOUN_BEFORE if language == "de" else _ABOUT_WHAT).search(earlier)
    return few or amount.unit in _SPANS_OF_TIME or named is not None


_JOINED = re.compile(r"\s*(?:to|bis|und|and|or|oder|[-–—/]|bzw\.)\s*", re.IGNORECASE)


def _shared_units(text: str, amounts: Sequence[Figure]) -> list[Figure]:
    """ "200 bis 300 Millionen Dollar": the first of two joined numbers has the unit and the scale of the second."""
    made = list(amounts)
    for i in range(len(made) - 2, -1, -1):
        one, two = made[i], made[i + 1]
        plain = not one.unit and one.values[0] == one.bare and not one.loose and one.bare >= 1
        if plain and two.bare and _JOINED.fullmatch(text, one.end, two.start):
            size = two.values[0] / two.bare
            made[i] = replace(one, unit=two.unit, values=tuple(v * size for v in one.values))
        elif (
            one.unit
            and two.bare
            and not two.unit
            and _JOINED.fullmatch(text, one.end, two.start)
            and two.values[0] == two.bare
        ):
            pass
        elif (
            one.unit == two.unit
            and one.unit
            and one.values[0] == one.bare
            and two.bare
            and _JOINED.fullmatch(text, one.end, two.start)
        ):
            # "$200 to $300 million"
            made[i] = replace(one, values=tuple(v * two.values[0] / two.bare for v in one.values))
    return made
