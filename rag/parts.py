"""What a comparing question is made of: "V3 vs V4-Pro parameters" asks for V3 and for V4-Pro.

One search finds what speaks of both, which news seldom do; so each is also searched for on its own. A question is taken apart
only where it plainly compares: "Amazon and Google ordered chips" may well be one deal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rag.glossary import Glossary
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
_EACH = re.compile(r"\s+(?:each|jeweils|respectively)\b", re.IGNORECASE)
_CODE = re.compile(r"\b(?=[\w.-]*\d)(?=[\w.-]*[A-Za-z])[A-Za-z][\w.-]*\w\b")
_ALIKE: Final = ({"chip", "model", "product"}, {"company", "agency"}, {"person"}, {"place"})
"""Kinds of glossary entries that can be compared with one another."""


def parts(text: str, language: Language, glossary: Glossary) -> tuple[Part, ...]:
    """The questions that `text` is made of, each about one of the things it compares; () where it is one question.

    Args:
        text: a question that stands on its own.
        language: of the question.
        glossary: knows names and their kinds.
    """
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
