from __future__ import annotations

from datetime import date

import pytest

from rag.errors import BadRequest
from rag.glossary import Entry, Glossary
from rag.question import names, understand
from rag.types import Filters, Language, Question, Turn

GLOSSARY = Glossary(
    (
        Entry("arm", "company", ("Arm",), ("Arm",), case=True),
        Entry(
            "bis", "agency", ("US-Exportkontrollbehörde", "BIS"), ("Bureau of Industry and Security", "BIS"), case=True
        ),
        Entry("deepseek", "company", ("DeepSeek",), ("DeepSeek",)),
        Entry("export-control", "term", ("Exportkontrolle",), ("export control",)),
        Entry("liang-wenfeng", "person", ("Liang Wenfeng",), ("Liang Wenfeng",)),
    )
)
QUESTIONS = {
    # question -> language, some of the kinds of answer it asks for, names it must not lose
    "why was R2 delayed?": ("en", {"why"}, {"R2"}),
    "Warum wurde R2 verschoben?": ("de", {"why"}, {"R2"}),
    "Weshalb hat DeepSeek R2 verschoben?": ("de", {"why"}, {"R2", "DeepSeek"}),
    "Who is DeepSeek's founder?": ("en", {"who"}, set()),
    "Wer hat DeepSeek gegründet?": ("de", {"who"}, {"DeepSeek"}),
    "When did TSMC open its Arizona fab?": ("en", {"when"}, {"TSMC", "Arizona"}),
    "Seit wann gilt die Lizenzpflicht für den H20?": ("de", {"when"}, {"H20"}),
    "How many Ascend chips can Huawei make?": ("en", {"how_many"}, {"Ascend", "Huawei"}),
    "Wie viele Chips baut Huawei?": ("de", {"how_many"}, set()),
    "Wie hoch ist die Abschreibung?": ("de", {"how_many"}, set()),
    "Where is the MI300X cluster?": ("en", {"where"}, {"MI300X"}),
    "In welchem Land steht das Werk?": ("de", {"where"}, set()),
    "What did Liang Wenfeng say, according to the report?": ("en", {"said"}, {"Liang Wenfeng"}),
    "Welches System schlug den H800?": ("de", set(), {"H800"}),
}


def understood(text: str, **given: object) -> Question:
    return understand(text, **({"most_chars": 2000, "filters": Filters(), "glossary": GLOSSARY} | given))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", QUESTIONS)
def test_language_kind_and_names(text: str) -> None:
    language, wants, wanted_names = QUESTIONS[text]
    found = understood(text)
    assert found.language == language
    assert wants <= found.wants
    assert wanted_names <= set(found.names)


@pytest.mark.parametrize("text", ["R2", "DeepSeek", "H800?"])
def test_a_bare_name_asks_for_no_kind_of_answer(text: str) -> None:
    assert understood(text).wants == frozenset()


def test_german_nouns_are_no_names() -> None:
    assert names("Welcher Wettbewerber hat dadurch einen Vorteil?", "de", GLOSSARY) == ()


def test_years_are_no_names() -> None:
    assert names("What happened in 2025?", "en", GLOSSARY) == ()


def test_terms_of_the_glossary_are_no_names_but_its_agencies_are() -> None:
    assert names("Was sagt BIS zur Exportkontrolle?", "de", GLOSSARY) == ("BIS",)


def test_an_everyday_word_in_its_own_spelling_only_is_a_name() -> None:
    assert names("Was kostet ein Arm?", "de", GLOSSARY) == ("Arm",)
    assert names("what costs an arm and a leg?", "en", GLOSSARY) == ()


def test_a_name_is_found_once_and_its_parts_are_not_names_beside_it() -> None:
    assert names("Did Liang Wenfeng say what Liang Wenfeng meant?", "en", GLOSSARY) == ("Liang Wenfeng",)


@pytest.mark.parametrize(
    "text", ["", "   ", "\n\t\n", "\u200b\u200e", "\x00"], ids=["none", "spaces", "lines", "invisible", "null"]
)
def test_a_question_without_anything_visible_is_empty(text: str) -> None:
    with pytest.raises(BadRequest, match="empty"):
        understood(text)


def test_the_longest_question_is_read_and_a_longer_one_is_refused() -> None:
    assert len(understood("x" * 2000).text) == 2000
    with pytest.raises(BadRequest, match="2,001 characters"):
        understood("x" * 2001)


def test_control_characters_and_direction_marks_do_not_survive() -> None:
    assert understood("why\x00 was\u202e R2\x1b \r\n delayed?").text == "why was R2 delayed?"


def test_composed_and_decomposed_letters_are_the_same_question() -> None:
    assert understood("für R2?").text == understood("fu\u0308r R2?").text


def test_since_after_until_is_refused_and_names_both() -> None:
    with pytest.raises(BadRequest, match=r"2025-02-01.*2025-01-01"):
        understood("R2?", filters=Filters(date(2025, 2, 1), date(2025, 1, 1)))


def test_since_and_until_on_one_day_is_fine() -> None:
    day = date(2025, 2, 1)
    assert understood("R2?", filters=Filters(day, day)).filters == Filters(day, day)


def test_the_answer_language_can_be_chosen() -> None:
    assert understood("why was R2 delayed?", language="de").language == "de"
    assert understood("Warum wurde R2 verschoben?", language="en").language == "en"


@pytest.mark.parametrize(
    ("before", "language"), [("Warum wurde R2 verschoben?", "de"), ("why was R2 delayed?", "en")], ids=["de", "en"]
)
def test_a_bare_name_is_in_the_language_of_the_conversation(before: str, language: Language) -> None:
    history = (Turn("user", before), Turn("assistant", "…"))
    assert understood("R2?", history=history).language == language


def test_a_bare_name_without_a_conversation_is_english() -> None:
    assert understood("R2").language == "en"
