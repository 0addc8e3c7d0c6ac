from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from made import R2_EVENT, R2_QUESTIONS, article, evidence, question

from rag.ask import Chipdesk
from rag.evidence import FEATURES, WEIGHTS, choose, support
from rag.types import Evidence, Language, Span

pytest_plugins = ("fixtures_desk",)


def found(desk: Chipdesk, text: str) -> list[Evidence]:
    return desk.evidence(*desk.read(text))


@pytest.fixture(scope="module")
def wide(desk: Chipdesk) -> Chipdesk:
    """Measures every sentence of the story."""
    return Chipdesk(desk.settings.model_copy(update={"hits": 100, "candidates": 500}), embedder=desk.embedder)


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


def test_every_measurement_has_a_weight_and_the_other_way_round() -> None:
    assert WEIGHTS.keys() == {"bias", *FEATURES}


def test_support_is_a_probability_however_large_the_measurements() -> None:
    for size in (-1e9, 0.0, 1e9):
        assert 0 <= support(dict.fromkeys(FEATURES, size)) <= 1


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


def test_a_name_that_no_article_mentions_is_missing_everywhere(desk: Chipdesk) -> None:
    assert all(item.features["names_missing"] == 1 for item in found(desk, "Why was Q9X delayed?"))


def test_a_name_is_recognised_in_the_other_language(desk: Chipdesk) -> None:
    german = [item for item in found(desk, "why was R2 delayed?") if item.article.id == f"{R2_EVENT}.de"]
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


# --- choosing --------------------------------------------------------------------------------------------------------


def chosen(*items: Evidence, language: Language = "en", most: int = 5, least: float = 0.5) -> list[Evidence]:
    ranked = sorted(items, key=lambda item: -item.support)
    return choose(question(language=language), ranked, most=most, least=least)


def other(
    quote: str, support: float = 0.9, *, day: int = 14, event: str = "other", language: Language = "en"
) -> Evidence:
    """Evidence from another event's article."""
    identity = f"2025-08-{day}-{event}.{language}"
    return evidence(quote, support, id=identity, event=event, language=language, published=date(2025, 8, day))


def test_nothing_is_chosen_from_nothing() -> None:
    assert chosen() == []


def test_nothing_is_chosen_where_the_best_is_not_supported_enough() -> None:
    assert chosen(evidence(support=0.49), other("Something else entirely.", 0.45)) == []


def test_the_best_is_chosen_where_it_just_reaches_what_is_asked() -> None:
    best = evidence(support=0.5)
    assert chosen(best) == [best]


def test_no_more_than_asked_for() -> None:
    items = [other(f"Statement {word} {word}ly told.", event=word) for word in ("alpha", "bravo", "carol", "delta")]
    assert len(chosen(*items, most=2)) == 2


def test_a_much_weaker_sentence_does_not_join() -> None:
    best, weak = evidence(support=0.95), other("Nobody expected the Spanish inquisition.", 0.2)
    assert chosen(best, weak) == [best]


def test_a_nearly_as_good_one_joins() -> None:
    best, good = evidence(support=0.95), other("Nobody expected the Spanish inquisition.", 0.93)
    assert chosen(best, good) == [best, good]


@pytest.mark.parametrize(
    "repeat",
    [
        "Chips from Huawei could not train the R2 model.",
        "chips FROM Huawei could not train the R2 model, sources said.",
    ],
    ids=["word for word", "with an addition"],
)
def test_the_same_statement_is_quoted_once(repeat: str) -> None:
    best = evidence("Chips from Huawei could not train the R2 model.", 0.95)
    assert chosen(best, other(repeat, 0.94)) == [best]


@pytest.mark.parametrize("language", ["de", "en"])
def test_an_event_told_in_the_askers_language_is_not_quoted_in_the_other(language: Language) -> None:
    versions = {
        "en": other("R2 is late because of its chips.", 0.9, language="en"),
        "de": other("Wegen der Chips kommt R2 erst später.", 0.9, language="de"),
    }
    foreign = "de" if language == "en" else "en"
    stronger = replace(versions[foreign], support=0.95)
    assert chosen(versions[language], stronger, language=language) == [versions[language]]


def test_an_event_told_in_the_other_language_only_is_quoted_in_it() -> None:
    german = other("Wegen der Chips kommt R2 erst später.", 0.9, language="de")
    assert chosen(german, language="en") == [german]


def test_the_best_leads_its_article_follows_in_reading_order_and_then_the_others_by_date() -> None:
    home = article("Alpha came first. Bravo came second. Charlie came third.")
    first, second, third = (
        Evidence(home, Span(start, end), support)
        for start, end, support in ((0, 17, 0.9), (18, 36, 0.95), (37, 56, 0.91))
    )
    earlier, later = (
        other("Delta was seen.", 0.92, day=10, event="x"),
        other("Echo was heard.", 0.94, day=20, event="y"),
    )
    assert chosen(first, second, third, later, earlier) == [second, first, third, earlier, later]


def test_choosing_does_not_depend_on_anything_but_its_arguments() -> None:
    items = [evidence(support=0.95), other("Nobody expected the Spanish inquisition.", 0.93)]
    assert chosen(*items) == chosen(*reversed(items))
