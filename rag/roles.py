"""Who does what to whom, as far as the words around two names tell: has a claim changed their places?

No grammar of German or English is at hand offline, and news sentences of both languages keep few patterns: a name has a
preposition or a possessive before it, or none; a passive turns the agent into "by" or "von". Where two sentences are of
one language, the words beside each name are compared as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from rag.glossary import Glossary
from rag.types import Language
from rag.words import fold, stem, tokens

WINDOW: Final = 3
"""Words on each side of a name that are compared."""
CROSSED: Final = 0.5
"""How much better names must fit crosswise than straight: the sum of two similarities, 0..2."""
PLACE: Final = "\N{WHITE SQUARE}"
"""Stands for any name in the words beside a name."""

_PREPOSITIONS: Final = {
    # roughly one role each, in both languages
    "to": "to", "an": "to", "nach": "to", "für": "to", "for": "to", "against": "to", "gegen": "to", "zu": "to", "zum": "to", "zur": "to", "at": "to",
    "into": "to", "toward": "to", "towards": "to", "from": "from", "aus": "from", "bei": "from", "vom": "from", "with": "with", "mit": "with",
    "than": "than", "als": "than", "over": "than", "gegenüber": "than", "by": "by", "durch": "by", "von": "of", "of": "of",
}  # fmt: skip
_SMALL: Final = frozenset(
    "the a an its their new der die das den dem des ein eine einen einem einer eines chip maker start-up startup chinese us american german hersteller konzern".split()
)
_PASSIVE = re.compile(
    r"\b(?:wurden?|worden|werden|wird|(?:was|were|been|being|is|are) \w+(?:ed|en|ld|ught|de|lt|nt))\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Mention:
    """One name in a sentence."""

    id: str
    words: str
    role: str
    """to, from, with, than, by, of, owner, or first/later for a bare name before or after the other bare ones."""
    beside: frozenset[tuple[str, str]]
    """(side, term) of the words around it, other names as PLACE."""


def mentions(text: str, language: Language, glossary: Glossary) -> list[Mention]:
    """The names of `text` that the glossary knows, in order, each once, with their places."""
    written = tokens(text)
    at = 0
    spans: list[tuple[str, int, int]] = []
    for entry, words in glossary.mentions(text, language):
        parts = tokens(words)
        while written[at : at + len(parts)] != parts:
            at += 1
        if entry.kind in ("company", "agency", "person"):
            spans.append((entry.id, at, at + len(parts)))
        at += len(parts)
    passive = bool(_PASSIVE.search(text))
    taken = {i for _, start, end in spans for i in range(start, end)}
    masked = [PLACE if i in taken else stem(fold(word), language) for i, word in enumerate(written)]
    found: dict[str, Mention] = {}
    bare = 0
    for identity, start, end in spans:
        role = _marked(written, start, end, language, passive)
        if not role:
            role = "first" if bare == 0 else "later"
            bare += 1
        beside = {("<", term) for term in masked[max(0, start - WINDOW) : start]}
        beside |= {(">", term) for term in masked[end : end + WINDOW]}
        beside |= {("|", masked[start - 1] if start else ""), ("||", masked[end] if end < len(masked) else "")}
        words = " ".join(written[start:end])
        found.setdefault(identity, Mention(identity, words, role, frozenset(beside)))
    return list(found.values())


def _marked(written: Sequence[str], start: int, end: int, language: Language, passive: bool) -> str:
    last = written[end - 1].lower()
    if last.endswith(("'s", "’s")) or last.endswith(("'", "’")):
        return "owner"
    at = start - 1
    while at >= 0 and at >= start - 4 and written[at].lower() in _SMALL:
        at -= 1
    role = _PREPOSITIONS.get(written[at].lower(), "") if at >= 0 else ""
    if role == "of" and language == "de" and passive:
        return "by"
    return role


def swapped(
    claim: Sequence[Mention], told: Sequence[Mention], *, same_language: bool
) -> tuple[Mention, Mention] | None:
    """Two names of the claim that have each other's place in the other sentence, or None.

    Args:
        claim: from `mentions`.
        told: of the sentence that is compared.
        same_language: whether the words beside the names can be compared.
    """
    there = {mention.id: mention for mention in told}
    shared = [mention for mention in claim if mention.id in there]
    for one, two in combinations(shared, 2):
        one_there, two_there = there[one.id], there[two.id]
        roles_cross = one.role != two.role and (one.role, two.role) == (two_there.role, one_there.role)
        if same_language:
            straight = _alike(one, one_there) + _alike(two, two_there)
            cross = _alike(one, two_there) + _alike(two, one_there)
            if cross - straight > CROSSED or (roles_cross and straight < 1.0):
                return one, two
        elif roles_cross and {one.role, two.role} & {"to", "from", "by", "than"}:
            return one, two
    return None


def _alike(one: Mention, two: Mention) -> float:
    both = one.beside & two.beside
    return len(both) / max(1, min(len(one.beside), len(two.beside)))
