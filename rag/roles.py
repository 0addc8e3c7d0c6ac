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


@dataclass(frozen=True, slots=True)
class Token:
    """A word, or a name of several words, at [start:end] of a text."""

    start: int
    end: int
    key: str
    """The folded stem, or the id of the glossary entry after PLACE."""
    kind: str = ""
    """Of a name: the kind of its entry."""

    @property
    def id(self) -> str:
        return self.key.removeprefix(PLACE) if self.kind else ""


def placed(text: str, language: Language, glossary: Glossary) -> list[Token]:
    """The words of `text` in order, each name that the glossary knows as one."""
    spans = []
    at = 0
    for word in tokens(text):
        start = text.find(word, at)
        if start < 0:  # the text is not in composed form
            return []
        at = start + len(word)
        spans.append((word, start, at))
    made: list[Token] = []
    place = 0
    for entry, words in glossary.mentions(text, language):
        parts = tokens(words)
        while [word for word, _, _ in spans[place : place + len(parts)]] != parts:
            word, start, end = spans[place]
            made.append(Token(start, end, stem(fold(word), language)))
            place += 1
        first, last = spans[place], spans[place + len(parts) - 1]
        if entry.kind == "term":
            made += [
                Token(start, end, stem(fold(word), language)) for word, start, end in spans[place : place + len(parts)]
            ]
        else:
            made.append(Token(first[1], last[2], f"{PLACE}{entry.id}", entry.kind))
        place += len(parts)
    return made + [Token(start, end, stem(fold(word), language)) for word, start, end in spans[place:]]


def mentions(text: str, language: Language, glossary: Glossary) -> list[Mention]:
    """The companies, agencies and persons of `text` that the glossary knows, in order, each once, with their places."""
    words = placed(text, language, glossary)
    passive = bool(_PASSIVE.search(text))
    masked = [PLACE if word.kind else word.key for word in words]
    found: dict[str, Mention] = {}
    bare = 0
    for at, word in enumerate(words):
        if word.kind not in ("company", "agency", "person"):
            continue
        before = [text[each.start : each.end].lower() for each in words[max(0, at - 4) : at]]
        role = _marked(text[word.start : word.end], before, language, passive=passive)
        if not role:
            role = "first" if bare == 0 else "later"
            bare += 1
        beside = {("<", term) for term in masked[max(0, at - WINDOW) : at]}
        beside |= {(">", term) for term in masked[at + 1 : at + 1 + WINDOW]}
        beside |= {("|", masked[at - 1] if at else ""), ("||", masked[at + 1] if at + 1 < len(masked) else "")}
        found.setdefault(word.id, Mention(word.id, text[word.start : word.end], role, frozenset(beside)))
    return list(found.values())


def _marked(name: str, before: list[str], language: Language, *, passive: bool) -> str:
    """The role that the name's ending or the word before it gives; empty for a bare name."""
    if name.lower().endswith(("'s", "’s", "'", "’")):
        return "owner"
    while before and before[-1] in _SMALL:
        before = before[:-1]
    role = _PREPOSITIONS.get(before[-1], "") if before else ""
    return "by" if role == "of" and language == "de" and passive else role


def swapped(
    claim: Sequence[Mention], told: Sequence[Mention], *, same_language: bool, same_verb: bool
) -> tuple[Mention, Mention] | None:
    """Two names of the claim that have each other's place in the other sentence, or None.

    Args:
        claim: from `mentions`.
        told: of the sentence that is compared.
        same_language: whether the words beside the names can be compared.
        same_verb: whether both seem to tell the same doing: "gets from" is no "gives to" turned round.
    """
    there = {mention.id: mention for mention in told}
    shared = [mention for mention in claim if mention.id in there]
    for one, two in combinations(shared, 2):
        one_there, two_there = there[one.id], there[two.id]
        roles_cross = one.role != two.role and (one.role, two.role) == (two_there.role, one_there.role)
        if same_language:
            straight = _alike(one, one_there) + _alike(two, two_there)
            cross = _alike(one, two_there) + _alike(two, one_there)
            exchanged = same_verb and _does_to(one, two) and _does_to(two_there, one_there)
            exchanged |= same_verb and _does_to(two, one) and _does_to(one_there, two_there)
            if cross - straight > CROSSED or ((roles_cross or exchanged) and straight < 1.0):
                return one, two
        elif roles_cross and {one.role, two.role} & {"to", "from", "by", "than"}:
            return one, two
    return None


def _does_to(one: Mention, two: Mention) -> bool:
    """Whether the first is the one who does something, and the other stands behind a preposition."""
    return one.role in ("first", "by") and two.role in ("to", "from", "of", "with")


def _alike(one: Mention, two: Mention) -> float:
    both = one.beside & two.beside
    return len(both) / max(1, min(len(one.beside), len(two.beside)))
