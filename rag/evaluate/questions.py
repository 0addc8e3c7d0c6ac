"""The question-answer test set: tests/qa/*.jsonl, read and validated."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rag.errors import CorpusError
from rag.settings import home
from rag.types import Article, Language, Turn

KINDS: Final = (
    "factoid", "why", "how", "numeric", "who_said", "date", "latest", "conflict", "multi", "followup",
    "false_premise", "unanswerable", "off_topic",
)  # fmt: skip


OFF_TOPIC: Final = "off-topic"
SPLITS: Final = ("dev", "test", "all", "followups", OFF_TOPIC)
"""What is measured: "all" is dev and test, "off-topic" what `rag.evaluate.off_topic` measures. train and twins are for training
and fitting only."""


@dataclass(frozen=True, slots=True)
class Gold:
    """A sentence that answers a question."""

    article: str
    quote: str


@dataclass(frozen=True, slots=True)
class Item:
    """One question with what is known about its answer."""

    id: str
    question: str
    language: Language
    kind: str
    answerable: bool
    events: tuple[str, ...]
    gold: tuple[Gold, ...]
    answer: Mapping[str, tuple[str, ...]]
    """Language -> regular expressions that all match a right answer's text in that language."""
    history: tuple[Turn, ...] = ()

    def is_answered_by(self, text: str) -> bool:
        """Whether `text` contains everything that one language's patterns ask for."""
        return any(all(re.search(pattern, text) for pattern in patterns) for patterns in self.answer.values())


def read_questions(split: str, folder: Path | None = None) -> list[Item]:
    """The questions of one split (see `SPLITS`).

    Raises:
        CorpusError: the file is missing or a line is not a question; names file and line.
    """
    if split == OFF_TOPIC:
        from rag.evaluate.off_topic import to_measure  # which makes its questions from others

        return to_measure()
    folder = folder or home() / "tests" / "qa"
    items: list[Item] = []
    for name in ("dev", "test") if split == "all" else (split,):
        path = folder / f"{name}.jsonl"
        if not path.is_file():
            raise CorpusError(
                f"{path} is missing.",
                f"Choose --split {', '.join(SPLITS[:-1])} or {SPLITS[-1]}, in a checkout of the repository.",
            )
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            try:
                items.append(_item(json.loads(line)))
            except (ValueError, KeyError, TypeError) as error:
                raise CorpusError(f"{path}:{number}: not a question: {error!r}.") from error
    return items


def checksum(items: Iterable[Item]) -> str:
    """Names the exact questions a result was measured on."""
    return hashlib.sha256(repr(sorted((item.id, repr(item)) for item in items)).encode()).hexdigest()[:16]


def validate(items: Iterable[Item], articles: Mapping[str, Article]) -> list[str]:
    """What is wrong with the gold data, a sentence each: unknown articles, quotes that are not there, patterns that fail."""
    problems: list[str] = []
    ids: set[str] = set()
    texts: set[tuple[str, str]] = set()
    events = {article.event for article in articles.values()}
    for item in items:
        if item.id in ids:
            problems.append(f"{item.id}: the id is used twice")
        ids.add(item.id)
        key = (item.question.casefold(), repr(item.history))
        if key in texts:
            problems.append(f"{item.id}: the same question is asked twice")
        texts.add(key)
        if item.kind not in KINDS:
            problems.append(f"{item.id}: unknown kind {item.kind!r}")
        problems += [f"{item.id}: unknown event {event}" for event in item.events if event not in events]
        problems += [
            f"{item.id}: {gold.article} does not say {gold.quote[:60]!r}"
            for gold in item.gold
            if gold.article not in articles or gold.quote not in articles[gold.article].text
        ]
        if item.answerable != bool(item.gold) and item.kind != "false_premise":
            problems.append(f"{item.id}: an answerable question has gold sentences, any other has none")
        for language, patterns in item.answer.items():
            text = " ".join(gold.quote for gold in item.gold if gold.article.endswith(f".{language}"))
            problems += [
                f"{item.id}: {pattern!r} does not match its gold"
                for pattern in patterns
                if not re.search(pattern, text)
            ]
    return problems


def _item(record: dict[str, Any]) -> Item:
    return Item(
        id=record["id"],
        question=record["question"],
        language=record["language"],
        kind=record["kind"],
        answerable=record["answerable"],
        events=tuple(record["events"]),
        gold=tuple(Gold(gold["article"], gold["quote"]) for gold in record["gold"]),
        answer={language: tuple(patterns) for language, patterns in record["answer"].items()},
        history=tuple(Turn(turn["role"], turn["content"]) for turn in record.get("history", ())),
    )
