"""What a comparing question is made of: "V3 vs V4-Pro parameters" asks for V3 and for V4-Pro.

One search finds what speaks of both, which news seldom do; so each is also searched for on its own. A question is taken apart
only where it plainly compares: "Amazon and Google ordered chips" may well be one deal. Times are two quarters ("from Q1 to Q2
2025"), or two that the question sets against each other; of other stretches one report mostly tells as a whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from rag.glossary import Glossary
from rag.period import spots
from rag.types import Language, Part

MOST: Final = 3
"""Parts that are searched for; a question that lists more is left whole. Each costs as much time as a question."""

_COMPARES = re.compile(
    r"\b(?:vs|versus|compare[ds]?|comparing|comparison|differ(?:ence)?s?|each|respectively|"
    r"\w*vergleich\w*|verglichen|unterschie\w*|unterscheiden|jeweils)\b",
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    r"\s*(?:,|/|&|\+|(?:,\s*)?\b(?:vs\.?|versus|and|und|or|oder|mit|with|sowie|than|als|gegenüber|gegenueber|"
    r"compared (?:to|with)|as well as|im vergleich (?:zu|mit))(?!\w))\s*(?:(?:the|that of|those of|der|die|das|dem|den|bei|for|at)\s+)?",
    re.IGNORECASE,
)
"""What may stand between two things that are compared."""
_STRETCH = re.compile(r"\b(?:between|zwischen)\s+\Z", re.IGNORECASE)
_OR = re.compile(r"\b(?:or|oder)\b", re.IGNORECASE)
_AGAINST = re.compile(
    r"[\s,]*(?:vs\.?|versus|than|als|gegen(?:ü|ue)ber|compared (?:to|with)|im vergleich (?:zu[mr]?|mit)|verglichen mit)"
    r"\s+(?:(?:in|im|the|dem|der|den|that of|those of)\s+)*",
    re.IGNORECASE,
)
"""What stands between two times that are compared."""
_AGAIN = re.compile(
    r"[,;?]\s*(?:(?:and|und|but|aber)\s+)?(?:how|what|wie|was)\s+(?:(?:about|of)\b|(?:is|was|are|were|did|does|do|sah|sieht|ist|war|steht|stand)\s+(?:it|that|this|they|things|es|das|sie)\b)",
    re.IGNORECASE,
)
"""Begins a clause that asks the same of another time: ", and how was it"."""
_ONE_RELATION = re.compile(
    r"\b(?:by how (?:much|many)|how (?:fast|many times|much (?:more|less|higher|lower))|by what|um wie ?viele?|wie (?:stark|schnell)|"
    r"um welche[nrs]?|wie ?viel(?:mal| mehr| weniger))\b",
    re.IGNORECASE,
)
"""Asks for the one figure that relates both times, which a sentence gives."""
_EACH = re.compile(r"\s+(?:each|jeweils|respectively)\b", re.IGNORECASE)
_CODE = re.compile(r"\b(?=[\w.-]*\d)(?=[\w.-]*[A-Za-z])[A-Za-z][\w.-]*\w\b")
_ALIKE: Final = ({"chip", "model", "product"}, {"company", "agency"}, {"person"}, {"place"})
"""Kinds of glossary entries that can be compared with one another."""


def parts(text: str, language: Language, glossary: Glossary, today: date) -> tuple[Part, ...]:
    """The questions that `text` is made of, each about one of the things, or one of the two times, that it compares; () where
    it is one question.

    Args:
        text: a question that stands on its own.
        language: of the question.
        glossary: knows names and their kinds.
        today: what "last year" is seen from.
    """
    return _by_name(text, language, glossary) or _by_time(text, language, glossary, today)


def _by_time(text: str, language: Language, glossary: Glossary, today: date) -> tuple[Part, ...]:
    times = spots(text, language, today, year_ends=glossary.year_ends(text, language))
    if not 1 <= len(times) <= 2 or _ONE_RELATION.search(text) or not all(time.clear for time in times):
        return ()
    first, last = times[0], times[-1]
    before, between, after = text[: first.start], text[first.end : last.start], text[last.end :]
    about = tuple(text[time.start : time.end] for time in times)
    if first is last:
        if not first.quarters or _STRETCH.search(before) or _OR.search(text, first.start, first.end):
            return ()
        about = first.quarters
    elif again := _AGAIN.search(between):
        after = f"{between[: again.start()]}?"
    elif not _AGAINST.fullmatch(between):
        return ()
    return tuple(Part(f"{before}{time}{after}", time, None) for time in about)


def _by_name(text: str, language: Language, glossary: Glossary) -> tuple[Part, ...]:
    if not _COMPARES.search(text):
        return ()
    group: list[_Named] = []
    for each in _named(text, language, glossary):
        if group and _alike(group[-1].kind, each.kind) and _BETWEEN.fullmatch(text[group[-1].end : each.start]):
            group.append(each)
        elif len(group) < 2:
            group = [each]
    if not 2 <= len(group) <= MOST:
        return ()
    before, after = text[: group[0].start], text[group[-1].end :]
    named = [text[each.start : each.end] for each in group]
    texts = [_EACH.sub("", f"{before}{name}{after}") for name in named]
    return tuple(Part(text, name, each.concept) for text, name, each in zip(texts, named, group, strict=True))


@dataclass(frozen=True, slots=True)
class _Named:
    """A name at its place in the question."""

    start: int
    end: int
    kind: str
    concept: str | None


def _named(text: str, language: Language, glossary: Glossary) -> list[_Named]:
    """The names that can be found again as they are written, in order: the glossary's, and codes it does not know."""
    found: list[_Named] = []
    at = 0
    for entry, words in glossary.mentions(text, language):
        start = text.find(words, at)
        if start >= 0:
            at = start + len(words)
            found.append(_Named(start, at, entry.kind, entry.id))
    for code in _CODE.finditer(text):
        if all(code.end() <= each.start or code.start() >= each.end for each in found):
            found.append(_Named(code.start(), code.end(), "model", None))
    return sorted(found, key=lambda each: each.start)


def _alike(one: str, other: str) -> bool:
    return any(one in kinds and other in kinds for kinds in _ALIKE)
