"""Questions about texts that are in no corpus: how well the reader reads what it has not learned, and more to learn
from (`chipdesk train`).

tests/qa/asked.jsonl holds short texts about anything but chips, invented or common knowledge, each with questions written by
hand: five that one of its sentences answers, and three near misses. A reader that has seen chip news only learns its words;
these teach it what answering is.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from rag.dates import headed
from rag.evaluate.statements import invented, read_lines
from rag.types import Language, Passage

KINDS: Final = ("factoid", "why", "how", "numeric", "who_said", "date")
NO_ANSWER: Final = "unanswerable"
CHARS: Final = 600
"""Characters a passage aims at: as in the corpus."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a text."""

    text: str
    """Name of the text, which counts as an event of its own."""
    question: str
    language: Language
    kind: str
    passages: tuple[Passage, ...]
    """The text from its beginning to its end."""
    gold: tuple[tuple[bool, ...], ...]
    """For each sentence of each passage whether it answers, on its own; none does where the text has no answer."""

    @property
    def answerable(self) -> bool:
        return any(any(each) for each in self.gold)


def read_asked(folder: Path | None = None) -> list[Asked]:
    """The questions written by hand about texts that are not in the corpus.

    Raises:
        CorpusError: the file is missing or a line is not a text with questions; names file and line.
    """
    return [asked for each in read_lines(folder, "asked.jsonl", _asked) for asked in each]


def _asked(record: dict[str, Any]) -> list[Asked]:
    name, sentences = record["id"], record["sentences"]
    evidence = invented(sentences, record["language"], name, record["title"], date.fromisoformat(record["date"]))
    context = headed(evidence[0].article)
    groups = _grouped(sentences)
    passages = tuple(Passage(context, tuple(sentences[i] for i in group)) for group in groups)
    found = []
    for each in record["questions"]:
        gold = frozenset(each["gold"])
        if each["kind"] not in (KINDS if gold else (NO_ANSWER,)) or not gold <= frozenset(range(len(sentences))):
            raise ValueError(f"kind {each['kind']!r} with gold {sorted(gold)}")
        marked = tuple(tuple(i in gold for i in group) for group in groups)
        found.append(Asked(name, each["question"], each["language"], each["kind"], passages, marked))
    return found


def _grouped(sentences: Sequence[str]) -> list[list[int]]:
    """Positions of neighbouring sentences, together while they fit."""
    groups: list[list[int]] = []
    length = CHARS
    for i, sentence in enumerate(sentences):
        if length + 1 + len(sentence) > CHARS:
            groups.append([])
            length = -1
        groups[-1].append(i)
        length += 1 + len(sentence)
    return groups


RIVALS: Final = 10
"""Passages of other texts shown with a question, drawn by chance: with its own about as many as answering reads."""
SEED: Final = "asked 1"


def rivals(each: Asked, everything: Sequence[Asked]) -> list[tuple[str, Passage]]:
    """Passages of other texts, with the text's name, drawn by chance: what stands beside a question's own text."""
    chance = random.Random(f"{SEED} {each.text} {each.question}")  # noqa: S311 - sampling, not secrets
    others = {other.text: other.passages for other in everything if other.text != each.text}
    names = chance.sample(sorted(others), min(RIVALS, len(others)))
    return [(name, chance.choice(others[name])) for name in names]
