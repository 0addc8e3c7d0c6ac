from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from conftest import table

from rag.evaluate.questions import read_questions, validate
from rag.followup import make_standalone
from rag.glossary import Glossary, read_glossary
from rag.read import read_corpus
from rag.settings import home, load
from rag.types import Turn
from rag.words import language_of

TODAY = date(2026, 7, 10)
CASES: list[dict[str, Any]] = table("followups.yaml")
DRAGGED = 0.01
"""Share of questions that may take another topic along; 0.2 % do."""


@pytest.fixture(scope="module")
def glossary() -> Glossary:
    found, problems = read_glossary(home() / "corpus")
    assert not problems
    return found


def standalone(text: str, glossary: Glossary, *history: str) -> str:
    """`history` is what user and assistant said in turn."""
    turns = [Turn("assistant" if n % 2 else "user", said) for n, said in enumerate(history)]
    before = language_of(history[0]) if history else "en"
    return make_standalone(text, turns, language_of(text, default=before), glossary, TODAY)


@pytest.mark.parametrize("case", CASES, ids=[case["asks"] for case in CASES])
def test_follow_ups_take_along_what_they_leave_out_and_nothing_else(case: dict[str, Any], glossary: Glossary) -> None:
    expected = case["asks"] if case.get("same") else case["becomes"]
    assert standalone(case["asks"], glossary, case["before"], "…") == expected


@pytest.mark.parametrize("case", CASES, ids=[case["asks"] for case in CASES])
def test_without_a_conversation_every_question_stays_as_it_is(case: dict[str, Any], glossary: Glossary) -> None:
    assert standalone(case["asks"], glossary) == case["asks"]


def test_a_chain_is_followed_from_its_first_question(glossary: Glossary) -> None:
    said = ("How much did Intel lose in 2023?", "…", "And AMD?", "…", "Why was R2 delayed?", "…")
    assert standalone("and 2024?", glossary, *said[:4]) == "How much did AMD lose in 2024?"
    assert standalone("who said so?", glossary, *said) == "who said so? (Why was R2 delayed)"


def test_a_question_that_names_nothing_does_not_end_the_topic(glossary: Glossary) -> None:
    said = ("How much memory does AMD's MI300X have?", "…", "How many transistors?", "…")
    asked = standalone("and who presented it?", glossary, *said)
    assert asked == "who presented it? (How much memory does AMD's MI300X have)"
    assert "MI300X" not in standalone("and who presented it?", glossary, *said, "What is Google's TPU v4?", "…")


def test_a_person_whom_only_the_answer_names_is_named(glossary: Glossary) -> None:
    said = ("Wer wurde neuer Chef von Intel?", "Lip-Bu Tan übernahm im März 2025 die Leitung. [1]")
    assert standalone("Welche Firma hatte er davor geleitet?", glossary, *said).startswith(
        "Welche Firma hatte Lip-Bu Tan"
    )


def test_nobody_is_named_where_several_may_be_meant(glossary: Glossary) -> None:
    said = ("Did Jensen Huang meet Lip-Bu Tan?", "Yes. [1]")
    assert standalone("what did he say?", glossary, *said) == "what did he say? (Did Jensen Huang meet Lip-Bu Tan)"


def test_a_long_question_is_cut_down_to_what_it_is_about(glossary: Glossary) -> None:
    long = "Please tell me in detail " + "and at length " * 12 + "what Nvidia said about Huawei's Ascend chips?"
    assert standalone("why?", glossary, long, "…") == "why? (Nvidia, Ascend, chip)"


def test_messages_of_any_length_are_no_burden(glossary: Glossary) -> None:
    said = ("why was R2 delayed? " * 1000, "because " * 2500) * 10
    assert standalone("why?", glossary, *said).startswith("why? (")


def test_a_question_on_another_topic_takes_nothing_along(glossary: Glossary) -> None:
    """Each training question after the one before it, which is about something else."""
    items = read_questions("train")
    pairs = [(old, new) for old, new in zip(items, items[97:], strict=False) if not set(old.events) & set(new.events)]
    pairs = pairs[::3]
    dragged = [
        (old.question, new.question)
        for old, new in pairs
        if make_standalone(
            new.question, (Turn("user", old.question), Turn("assistant", "…")), new.language, glossary, TODAY
        )
        != new.question
    ]
    assert len(pairs) > 500
    assert len(dragged) <= DRAGGED * len(pairs), dragged


def test_the_follow_ups_to_learn_from_fit_the_corpus_and_share_nothing_with_dev_and_test() -> None:
    found = read_corpus(home() / "corpus", most_bytes=load().article_bytes)
    items = read_questions("followups")
    assert validate(items, {article.id: article for article in found.articles}) == []
    assert all(item.history and item.kind == "followup" for item in items)
    assert {item.language for item in items} == {"de", "en"}
    measured = {event for split in ("dev", "test") for item in read_questions(split) for event in item.events}
    assert not {event for item in items for event in item.events} & measured


def test_half_of_the_follow_ups_point_back_by_themselves(glossary: Glossary) -> None:
    """The others are left to what is found for them (`rag.continues`)."""
    items = read_questions("followups")
    joined = [
        item
        for item in items
        if make_standalone(item.question, item.history, item.language, glossary, TODAY) != item.question
    ]
    assert len(items) > 200
    assert 0.45 < len(joined) / len(items) < 0.8


def test_any_question_can_take_the_topic_along(glossary: Glossary) -> None:
    history = (Turn("user", "Who owns Stargate Norway?"), Turn("assistant", "…"))
    text = "How many transistors?"
    assert make_standalone(text, history, "en", glossary, TODAY, joined=True) == f"{text} (Who owns Stargate Norway)"
    assert make_standalone(text, (), "en", glossary, TODAY, joined=True) == text
