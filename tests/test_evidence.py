from __future__ import annotations

import pytest
from made import R2_EVENT, R2_QUESTIONS, article, question

from rag.ask import Chipdesk
from rag.evidence import passage_of, worth_reading
from rag.support import FEATURES
from rag.types import Chunk, Evidence, Hit, Language, Span

pytest_plugins = ("fixtures_desk",)


def found(desk: Chipdesk, text: str) -> list[Evidence]:
    return desk.evidence(*desk.read(text))


@pytest.fixture(scope="module")
def wide(desk: Chipdesk) -> Chipdesk:
    """Measures every sentence of the story."""
    return Chipdesk(
        desk.settings.model_copy(update={"hits": 100, "candidates": 500, "read": 100}), embedder=desk.embedder
    )


def one(desk: Chipdesk, text: str, begins: str) -> Evidence:
    """The piece of evidence for a question whose quote begins so."""
    (item,) = [item for item in found(desk, text) if item.quote.startswith(begins)]
    return item


# --- measuring -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [text for text, _ in R2_QUESTIONS])
def test_evidence_is_quotable_measured_and_ordered(desk: Chipdesk, text: str) -> None:
    items = found(desk, text)
    assert [item.support for item in items] == sorted((item.support for item in items), reverse=True)
    assert len({(item.article.id, item.span) for item in items}) == len(items)
    for item in items:
        assert item.span.quotable
        assert item.quote == item.article.text[item.span.start : item.span.end]
        assert set(FEATURES) <= item.features.keys()
        assert 0 <= item.support <= 1


CAUSE = "DeepSeek has postponed R2 because"
TWO_DATES = "The R2 launch had been planned for May 2025"
UNDATED = "DeepSeek went back to Nvidia hardware"
COUNTED = "Jeffrey Kessler, US Under Secretary"
WANTS = {
    # measurement: (question that wants it, question that does not, a quote that has it, a quote that lacks it)
    "cause": ("cause_wanted", "why was R2 delayed?", "Who makes R2?", CAUSE, UNDATED),
    "date": ("date_wanted", "When will R2 be launched?", "Who makes R2?", TWO_DATES, UNDATED),
    "person": (
        "person_wanted",
        "Who leads R2 development?",
        "When will R2 be launched?",
        "Liang Wenfeng was reported",
        UNDATED,
    ),
}


@pytest.mark.parametrize(("name", "wanting", "other", "has", "lacks"), WANTS.values(), ids=WANTS)
def test_what_is_asked_for_counts_for_and_against(
    wide: Chipdesk, name: str, wanting: str, other: str, has: str, lacks: str
) -> None:
    assert one(wide, wanting, has).features[name] > 0 > one(wide, wanting, lacks).features[name]
    assert one(wide, other, has).features[name] == 0


def test_a_model_number_is_no_quantity(wide: Chipdesk) -> None:
    asked = "How many chips can Huawei make?"
    assert one(wide, asked, UNDATED).features["number_wanted"] < 0 < one(wide, asked, COUNTED).features["number_wanted"]


@pytest.mark.parametrize(
    ("text", "strange"),
    [
        ("Which Huawei system draws 559kW?", False), ("which chip draws 700W", False), ("first $4trn company", False),
        ("tsmc revenue 2h25 vs CY2024", False), ("a 30MHz clock, 5km of cable, 90pct of sales", False),
        ("How fast is the H777?", True), ("When does R77 come?", True), ("What does the Ascend 977C cost?", True),
    ],
)  # fmt: skip
def test_a_quantity_is_no_unknown_model(desk: Chipdesk, text: str, strange: bool) -> None:
    assert {item.features["strange"] for item in found(desk, text)} == {float(strange)}


def test_a_name_that_no_article_mentions_is_missing_everywhere(desk: Chipdesk) -> None:
    assert all(item.features["names_missing"] == 1 for item in found(desk, "Why was Q9X delayed?"))


def test_a_name_is_recognised_in_the_other_language(desk: Chipdesk) -> None:
    asked = "Does the Bureau of Industry and Security review H200 exports to China case by case?"
    german = [item for item in found(desk, asked) if item.article.id == "2026-01-13-bis-h200-case-by-case.de"]
    assert german
    assert all(item.features["names_missing"] == 0 for item in german)


def test_without_names_none_is_missing(desk: Chipdesk) -> None:
    assert all(item.features["names_missing"] == 0 for item in found(desk, "was there any delay?"))


def test_a_year_that_the_article_does_not_mention_is_missing(desk: Chipdesk) -> None:
    assert all(item.features["numbers_missing"] > 0 for item in found(desk, "why was R2 delayed in 1987?"))
    told = [item for item in found(desk, "why was R2 delayed in 2025?") if item.article.event == R2_EVENT]
    assert all(item.features["numbers_missing"] == 0 for item in told)


@pytest.mark.parametrize(("text", "language"), R2_QUESTIONS)
def test_a_missing_name_lowers_the_support(desk: Chipdesk, text: str, language: Language) -> None:
    assert found(desk, text.replace("R2", "Q9X"))[0].support < found(desk, text)[0].support


# --- what is read ----------------------------------------------------------------------------------------------------


def hit(event: str, language: Language, row: int) -> Hit:
    told = article(id=f"{event}.{language}", event=event, language=language)
    return Hit(Chunk(f"{told.id}#0", told.id, 0, 11, (Span(0, 11),)), told, row, row, 1.0, 0.9, 0.0)


def test_what_is_told_in_the_askers_language_is_not_read_in_the_other_too() -> None:
    both, only = [hit("a", "de", 0), hit("a", "en", 1)], hit("b", "de", 2)
    assert [h.row for h in worth_reading(question(language="en"), [*both, only], 10)] == [1, 2]
    assert [h.row for h in worth_reading(question(language="de"), [*both, only], 10)] == [0, 2]
    assert [h.row for h in worth_reading(question(language="en"), [*both, only], 1)] == [1]


def test_a_passage_is_whole_sentences_with_title_and_date() -> None:
    told = article("R2 is late. It failed.", language="de", precision="month")
    seen = passage_of(told, Chunk("a#0", told.id, 0, 22, (Span(0, 11), Span(12, 22))))
    assert (seen.context, seen.sentences) == ("R2 is late (August 2025)", ("R2 is late.", "It failed."))


@pytest.mark.parametrize(("text", "language"), R2_QUESTIONS)
def test_the_reader_is_heard_and_its_shares_add_up(desk: Chipdesk, text: str, language: Language) -> None:
    items = found(desk, text)
    assert len({item.features["reader"] for item in items}) > len(items) / 2
    assert 0 < sum(item.features["reader_share"] for item in items) <= 1.0001
    assert all(0 <= item.corrects <= 1 for item in items)
