from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import CorpusError
from rag.evaluate.questions import KINDS, Gold, Item, checksum, read_questions, validate
from rag.read import read_corpus
from rag.settings import home, load
from rag.types import Article

SPLITS = ("dev", "test", "train", "twins")
LEAST = 400
"""Questions that dev and test must have together."""
FEW = 12
"""Questions of each kind."""


@pytest.fixture(scope="module")
def items() -> dict[str, list[Item]]:
    return {split: read_questions(split) for split in SPLITS}


@pytest.fixture(scope="module")
def articles() -> dict[str, Article]:
    found = read_corpus(home() / "corpus", most_bytes=load().article_bytes)
    return {article.id: article for article in found.articles}


@pytest.mark.parametrize("split", SPLITS)
def test_the_gold_data_fits_the_corpus(items: dict[str, list[Item]], articles: dict[str, Article], split: str) -> None:
    assert validate(items[split], articles) == []


def test_no_question_is_in_two_splits(items: dict[str, list[Item]]) -> None:
    texts = Counter(item.question.casefold() for split in SPLITS for item in items[split] if not item.history)
    assert [text for text, count in texts.items() if count > 1] == []
    ids = Counter(item.id for split in SPLITS for item in items[split])
    assert [identity for identity, count in ids.items() if count > 1] == []


@pytest.mark.parametrize(
    ("one", "other"), [("dev", "test"), ("dev", "train"), ("test", "train"), ("dev", "twins"), ("test", "twins")]
)
def test_splits_share_no_event(items: dict[str, list[Item]], one: str, other: str) -> None:
    def events(split: str) -> set[str]:
        return {item.events[0] for item in items[split] if len(item.events) == 1}

    assert sorted(events(one) & events(other)) == []


def test_there_are_enough_questions_of_both_languages_and_of_every_kind(items: dict[str, list[Item]]) -> None:
    measured = items["dev"] + items["test"]
    assert len(measured) >= LEAST
    languages = Counter(item.language for item in measured)
    assert languages.keys() == {"de", "en"}
    assert min(languages.values()) >= 0.45 * len(measured)
    kinds = Counter(item.kind for item in measured)
    assert kinds.keys() == set(KINDS)
    assert min(kinds.values()) >= FEW
    assert kinds["unanswerable"] >= 4 * FEW


def test_some_questions_are_answered_in_the_other_language_only(items: dict[str, list[Item]]) -> None:
    crossing = [
        item
        for item in items["dev"] + items["test"]
        if item.gold and not any(gold.article.endswith(f".{item.language}") for gold in item.gold)
    ]
    assert {item.language for item in crossing} == {"de", "en"}


# --- the reader and the validator ------------------------------------------------------------------------------------


def made(**fields: object) -> Item:
    item = Item(
        "q1", "why was R2 delayed?", "en", "why", True, ("e",), (Gold("a.en", "R2 is late."),), {"en": ("late",)}
    )
    return replace(item, **fields)  # type: ignore[arg-type]


@pytest.fixture
def told() -> dict[str, Article]:
    from made import article

    return {"a.en": article("R2 is late. It failed.", id="a.en", event="e")}


def test_a_good_question_has_no_problems(told: dict[str, Article]) -> None:
    assert validate([made()], told) == []


WRONG = {
    "unknown article": (made(gold=(Gold("b.en", "R2 is late."),)), "b.en does not say"),
    "altered quote": (made(gold=(Gold("a.en", "R2 is Late."),)), "does not say"),
    "unknown kind": (made(kind="riddle"), "riddle"),
    "unknown event": (made(events=("f",)), "unknown event f"),
    "pattern that fails": (made(answer={"en": ("never",)}), "never"),
    "answerable without gold": (made(gold=(), answer={}), "answerable"),
    "unanswerable with gold": (made(answerable=False), "answerable"),
}


@pytest.mark.parametrize(("item", "says"), WRONG.values(), ids=WRONG)
def test_wrong_gold_data_is_named(told: dict[str, Article], item: Item, says: str) -> None:
    problems = validate([item], told)
    assert problems
    assert all(problem.startswith("q1: ") for problem in problems)
    assert any(says in problem for problem in problems)


def test_repeated_ids_and_questions_are_named(told: dict[str, Article]) -> None:
    assert any("twice" in problem for problem in validate([made(), made(question="another?")], told))
    assert any(
        "twice" in problem for problem in validate([made(), made(id="q2", question="WHY was R2 delayed?")], told)
    )


def test_an_answer_is_right_if_all_patterns_of_one_language_match() -> None:
    item = made(answer={"en": ("(?i)ascend", "train"), "de": ("Training",)})
    assert item.is_answered_by("ASCEND could not train it")
    assert item.is_answered_by("das Training")
    assert not item.is_answered_by("Ascend")
    assert not made(answer={}).is_answered_by("anything")


def test_the_checksum_names_the_questions_and_not_their_order() -> None:
    one, two = made(), made(id="q2", question="other?")
    assert checksum([one, two]) == checksum([two, one])
    assert checksum([one]) != checksum([made(answer={"en": ("lat",)})])


def test_a_missing_split_says_which_exist(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"nope\.jsonl is missing.*dev, test, all, followups or off-topic"):
        read_questions("nope", tmp_path)


@pytest.mark.parametrize("line", ["{", "[]", '{"id": "x"}'], ids=["broken", "no object", "fields missing"])
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    good = json.dumps(
        {
            "id": "x",
            "question": "?",
            "language": "en",
            "kind": "why",
            "answerable": True,
            "events": [],
            "gold": [],
            "answer": {},
        }
    )
    (tmp_path / "dev.jsonl").write_text(f"{good}\n{line}\n", "utf-8")
    with pytest.raises(CorpusError, match=r"dev\.jsonl:2"):
        read_questions("dev", tmp_path)
