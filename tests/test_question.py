from __future__ import annotations

from datetime import date

import pytest

from rag.errors import BadRequest
from rag.glossary import Entry, Glossary
from rag.names import names
from rag.question import understand
from rag.types import Filters, Language, Period, Question, Turn

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


# --- the latest, and accounts that differ ----------------------------------------------------------------------------

WANTS_LATEST = (
    "What is the latest on R2?", "Is R2 still delayed?", "What does the H20 cost now?", "How many GPUs does xAI have today?",
    "Was ist der aktuelle Stand bei R2?", "Ist der H20 noch verboten?", "Gilt die Lizenzpflicht noch?", "Und was gilt inzwischen?",
    "Was ist das neueste Modell von DeepSeek?", "Was kostet der H20 heute?", "Darf Nvidia jetzt H20 nach China liefern?",
    "Wer ist jetzt Chef von Intel?", "Is the H20 now allowed in China?", "Who is Intel's current CEO?", "Who is now in charge of Intel?",
)  # fmt: skip
WANTS_NO_LATEST = (
    "What did Nvidia announce today about R2 in Austin?", "Who may now buy the H20?", "Had it still been sold in 2024?",
    "How old is the technology ASML may still sell?", "Wer kam noch auf die Liste?", "Was bekommt Meta noch dazu?",
    "Was stand noch im Bericht?", "Was wurde heute bekannt gegeben?", "why was R2 delayed?", "Kann Intel noch mehr bauen?",
    "What did Intel say about the current quarter?", "What is the current draw of the H20?", "Was soll jetzt in Magdeburg gebaut werden?",
)  # fmt: skip
WANTS_CONFLICT = (
    "Do reports agree on why R2 was delayed?", "Which outlets disagree about the price?", "asml high-na price, differing figures",
    "Why do the figures for the investment differ?", "Who says what about the delay?", "How far apart are the estimates?",
    "Welche Angaben widersprechen sich?", "Es gibt unterschiedliche Zahlen zu R2, welche?", "Sind sich die Quellen beim Preis einig?",
    "Stimmen die Berichte über R2 überein?", "Was schreiben die Medien über den Grund?", "Welche Quellen nennen welches Datum?",
)  # fmt: skip
WANTS_NO_CONFLICT = (
    "Did Nvidia or AMD sell more?", "Welche Quelle hatte Reuters?", "What are the differences between H20 and H800?",
    "Is R2 a chip or a model?", "Wie unterscheidet sich der H20 vom H800?", "Which company disagreed with the ban?",
)  # fmt: skip


@pytest.mark.parametrize("text", WANTS_LATEST)
def test_the_latest_is_wanted(text: str) -> None:
    assert "latest" in understood(text).wants


@pytest.mark.parametrize("text", WANTS_NO_LATEST)
def test_a_word_of_time_does_not_ask_for_the_latest(text: str) -> None:
    assert "latest" not in understood(text).wants


@pytest.mark.parametrize("text", WANTS_CONFLICT)
def test_accounts_that_differ_are_wanted(text: str) -> None:
    assert "conflict" in understood(text).wants


@pytest.mark.parametrize("text", WANTS_NO_CONFLICT)
def test_alternatives_are_no_accounts_that_differ(text: str) -> None:
    assert "conflict" not in understood(text).wants


# --- the period ------------------------------------------------------------------------------------------------------

AUGUST = Period("in August 2025", date(2025, 8, 1), date(2025, 8, 31))
ASKED = "What happened to R2 in August 2025?"


def test_a_time_in_the_question_is_its_period() -> None:
    assert understood(ASKED).period == AUGUST
    assert understood("why was R2 delayed?").period is None


def test_the_period_is_not_read_where_it_is_not_wanted_or_filters_name_another() -> None:
    assert understood(ASKED, dates=False).period is None
    for filters in (Filters(since=date(2024, 1, 1)), Filters(until=date(2024, 1, 1))):
        assert understood(ASKED, filters=filters).period is None
    assert understood(ASKED, filters=Filters(topics=("r2",))).period == AUGUST


def test_last_week_is_seen_from_today() -> None:
    period = understood("What happened to R2 last week?", today=date(2026, 7, 10)).period
    assert period == Period("last week", date(2026, 6, 29), date(2026, 7, 5))
    assert understood("What happened to R2 last week?").period is not None


def test_a_follow_up_keeps_the_period_of_the_conversation_unless_it_names_its_own() -> None:
    history = (Turn("user", ASKED), Turn("assistant", "…"))
    assert understood("who said so?", history=history).period == AUGUST
    changed = understood("and in May 2025?", history=history)
    assert changed.standalone == "What happened to R2 in May 2025?"
    assert changed.period == Period("in May 2025", date(2025, 5, 1), date(2025, 5, 31))


def test_a_follow_up_is_shown_as_typed_and_searched_as_meant() -> None:
    history = (Turn("user", "Warum hat DeepSeek das Modell R2 verschoben?"), Turn("assistant", "…"))
    question = understood("Und wer hat das gesagt?", history=history)
    assert question.text == "Und wer hat das gesagt?"
    assert question.standalone == "Wer hat das gesagt? (Warum hat DeepSeek das Modell R2 verschoben)"
    assert set(question.names) == {"DeepSeek", "R2"}
    assert "who" in question.wants
