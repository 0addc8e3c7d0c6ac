"""Which texts are copies of one another: exactly, or nearly (agency copy in several outlets, light rewrites).

Near means that the texts share runs of words. A run of four survives changed headlines, cut endings and swapped
synonyms, and is seldom shared by accident. The share is taken of the shorter text, so that an excerpt is recognised in the whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from rag.words import fold, tokens

RUN: Final = 4
"""Words of a run."""
NEAR: Final = 0.3
"""Least share of common runs to be worth a note; a rewrite that keeps two sentences of three has about .6."""


@dataclass(frozen=True, slots=True)
class Near:
    """A text that resembles another one."""

    id: str
    overlap: float
    """Share of the shorter text's runs of words that the other one has, 0..1; of another language the probability that
    both tell one event."""
    kind: Literal["copy", "language"] = "copy"


def fingerprint(text: str) -> str:
    """The same (hex, 32 digits) for texts that differ only in case, white space and punctuation."""
    return hashlib.sha256(" ".join(map(fold, tokens(text))).encode()).hexdigest()[:32]


def runs(text: str) -> frozenset[int]:
    """The runs of words in `text`, as hashes that hold within this process."""
    words = [fold(word) for word in tokens(text)]
    return frozenset(hash(tuple(words[at : at + RUN])) for at in range(max(1, len(words) - RUN + 1)))


def near(text: str, others: Mapping[str, frozenset[int]]) -> tuple[Near, ...]:
    """Those of `others` (id -> runs) that resemble `text`, the most alike first."""
    own = runs(text)
    found = [Near(identity, round(_overlap(own, theirs), 2)) for identity, theirs in others.items()]
    return tuple(sorted((one for one in found if one.overlap >= NEAR), key=lambda one: (-one.overlap, one.id)))


def _overlap(one: frozenset[int], other: frozenset[int]) -> float:
    return len(one & other) / max(1, min(len(one), len(other)))
