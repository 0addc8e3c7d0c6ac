from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest
from made import article, evidence, question

from rag.choose import CORRECTS, REPEATS, choose, nearest, together
from rag.types import Evidence, Language, Period, Selection, Span


def selected(
    *items: Evidence,
    language: Language = "en",
    most: int = 5,
    least: float = 0.5,
    wants: str = "",
    period: Period | None = None,
) -> Selection:
    ranked = sorted(items, key=lambda item: -item.support)
    asked = question(language=language, wants=frozenset(wants.split()), period=period)
    return choose(asked, ranked, most=most, least=least, sure=best_support)


def best_support(ranked: Sequence[Evidence], among: int) -> float:
    """Stands in for the fitted model, so that the tests say which evidence is enough."""
    assert among >= len(ranked)
    return ranked[0].support if ranked else 0.0


def chosen(
    *items: Evidence, language: Language = "en", most: int = 5, least: float = 0.5, wants: str = ""
) -> list[Evidence]:
    """What is quoted, in its order."""
    found = selected(*items, language=language, most=most, least=least, wants=wants)
    assert found.reason is None
    return [statement[0] for statement in found.statements]


NEAR = {"chunk_cosine": 0.0, "context_coverage": 0.0, "cross_context": 0.0}
"""Measurements of a passage that is about what is asked."""


def other(
    quote: str, support: float = 0.9, *, day: int = 14, event: str = "other", language: Language = "en"
) -> Evidence:
    """Evidence from another event's article."""
    identity = f"2025-08-{day}-{event}.{language}"
    return evidence(quote, support, id=identity, event=event, language=language, published=date(2025, 8, day))


def test_nothing_is_chosen_from_nothing() -> None:
    assert selected() == Selection((), reason="no_coverage")


def test_nothing_is_chosen_where_the_best_is_not_supported_enough() -> None:
    assert selected(evidence(support=0.49), other("Something else entirely.", 0.45)) == Selection(
        (), reason="no_coverage"
    )


def test_the_best_is_chosen_where_it_just_reaches_what_is_asked() -> None:
    best = evidence(support=0.5)
    assert chosen(best) == [best]


def test_no_more_than_asked_for() -> None:
    items = [other(f"Statement {word} {word}ly told.", event=word) for word in ("alpha", "bravo", "carol", "delta")]
    assert len(chosen(*items, most=2)) == 2


def test_a_much_weaker_sentence_does_not_join() -> None:
    best, weak = evidence(support=0.95), other("Nobody expected the Spanish inquisition.", 0.05)
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
def test_the_same_statement_is_quoted_once_and_cites_both(repeat: str) -> None:
    best, again = evidence("Chips from Huawei could not train the R2 model.", 0.95), other(repeat, 0.94)
    assert selected(best, again).statements == ((best, again),)


def test_who_asks_how_accounts_differ_is_told_more() -> None:
    strong, weak = evidence("The fab costs 5 billion.", 0.9), evidence("Bloomberg had it at 7 billion.", 0.9 * 0.04)
    assert chosen(strong, weak) == [strong]
    assert chosen(strong, weak, wants="conflict") == [strong, weak]


def test_the_same_words_with_another_figure_are_another_statement() -> None:
    best, again = evidence("Huawei shipped 200 chips.", 0.95), other("Huawei shipped 300 chips.", 0.94)
    assert chosen(best, again) == [best, again]


def test_one_statement_has_few_citations_and_none_twice_from_one_article() -> None:
    best = evidence("R2 is late.", 0.99)
    others = [other("R2 is late.", 0.9, event=f"e{n}") for n in range(REPEATS + 2)]
    (statement,) = selected(best, *others, replace(others[0], support=0.8)).statements
    assert len(statement) == REPEATS
    assert len({item.article.id for item in statement}) == REPEATS


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


# --- the latest, both sides, another time, false premises ------------------------------------------------------------


def test_who_asks_for_the_latest_is_told_the_newest_first() -> None:
    old, new = other("R2 was planned for May.", 0.95, day=1, event="x"), other("R2 is on hold.", 0.6, day=20, event="y")
    assert chosen(old, new) == [old, new]
    assert chosen(old, new, wants="latest") == [new, old]


def test_the_newest_does_not_lead_where_it_hardly_answers() -> None:
    old, new = other("R2 was planned for May.", 0.95, day=1, event="x"), other("Nvidia rose.", 0.15, day=20, event="y")
    assert chosen(old, new, wants="latest")[0] == old


@pytest.mark.parametrize(
    "contrary",
    [
        "Particle, by contrast, writes 910C.",
        "Huawei denied this.",
        "Particle widerspricht dem.",
        "Andere Berichte nennen den 910C.",
    ],
)
def test_an_account_that_differs_joins_and_is_announced(contrary: str) -> None:
    told = article(f"The Register names the 910B. {contrary} Nothing else is known here.")
    best = Evidence(told, Span(0, 28), 0.9)
    contrast = Evidence(told, Span(29, 29 + len(contrary)), 0.04)
    rest = Evidence(told, Span(30 + len(contrary), len(told.text)), 0.04)
    found = selected(best, contrast, rest)
    assert [statement[0] for statement in found.statements] == [best, contrast]
    assert found.differ


@pytest.mark.parametrize(
    "unrelated",
    [
        "Up to 50 different state rules were feared.", "Talks in the Nexperia dispute went on.", "A conflict of interest was seen.",
        "He rejected the idea of a darkest hour.", "There were disputes with unions.",
    ],
)  # fmt: skip
def test_what_only_sounds_like_a_dispute_does_not_join(unrelated: str) -> None:
    told = article(f"The Register names the 910B. {unrelated} Nothing else is known here.")
    best = Evidence(told, Span(0, 28), 0.9)
    found = selected(best, Evidence(told, Span(29, 29 + len(unrelated)), 0.04))
    assert [statement[0] for statement in found.statements] == [best]
    assert not found.differ


def test_a_contrast_in_another_event_does_not_join() -> None:
    best, contrast = evidence(support=0.95), other("Huawei denied this.", 0.04)
    assert chosen(best, contrast) == [best]
    assert not selected(best, contrast).differ


AUGUST = Period("in August 2025", date(2025, 8, 1), date(2025, 8, 31))
MARCH = Period("in March 2024", date(2024, 3, 1), date(2024, 3, 31))


def test_only_evidence_of_the_time_named_is_chosen() -> None:
    inside, outside = evidence(support=0.6), other("It was late.", 0.9)
    outside = replace(outside, article=replace(outside.article, published=date(2023, 1, 1)))
    found = selected(inside, outside, period=AUGUST)
    assert [statement[0] for statement in found.statements] == [inside]


def test_a_sentence_that_speaks_of_the_time_named_counts_as_of_it() -> None:
    told = evidence("In March 2024 the chips failed.", 0.9)
    assert [statement[0] for statement in selected(told, period=MARCH).statements] == [told]


def test_a_sentence_is_of_the_fiscal_quarter_that_it_names() -> None:
    third = Period("Q3 FY2025", date(2024, 8, 1), date(2024, 10, 31), year_ends=1)
    named = evidence("Nvidia expects more in the third quarter of fiscal 2025.", published=date(2023, 8, 14))
    another = other("Nvidia expects more in the fourth quarter of fiscal 2026.", 0.8)
    assert selected(named, another, period=third).evidence == (named,)


def test_where_all_evidence_is_of_another_time_the_question_is_declined_for_that() -> None:
    assert selected(evidence(support=0.9), period=MARCH).reason == "outside_filters"
    assert selected(evidence(support=0.1), period=MARCH).reason == "no_coverage"


def test_a_sentence_that_corrects_a_declined_question_is_shown() -> None:
    correcting = replace(evidence("R2 has not been released.", 0.1), corrects=CORRECTS + 0.1)
    found = selected(correcting, other("R2 is a model.", 0.2))
    assert found == Selection(((correcting,),), reason="false_premise")


def test_an_answer_is_not_declined_for_a_correction() -> None:
    best = evidence(support=CORRECTS + 0.2)
    correcting = replace(other("R2 has not been released.", 0.1), corrects=CORRECTS + 0.1)
    assert chosen(best, correcting)[0] == best


# --- the nearest ------------------------------------------------------------------------------------------------------


def test_the_nearest_events_are_named_once_each_in_the_askers_language() -> None:
    items = [
        other("Erstens.", 0.09, event="a", language="de"),
        other("First.", 0.08, event="a"),
        other("Second.", 0.07, event="b"),
        other("Again.", 0.06, event="b"),
        other("Drittens.", 0.05, event="c", language="de"),
        other("Fourth.", 0.04, event="d"),
    ]
    found = nearest(question(language="en"), [replace(item, features=NEAR) for item in items])
    assert [statement[0].quote for statement in found] == ["First.", "Second.", "Drittens."]


def test_what_is_about_something_else_is_not_named_as_near() -> None:
    near = replace(other("R2 is late.", 0.02), features=NEAR)
    far = [replace(other(f"{word}.", 0.03, event=word), features=NEAR | {"chunk_cosine": -1.5}) for word in ("a", "b")]
    assert nearest(question(), [*far, near]) == ((near,),)
    assert nearest(question(), far) == ()


# --- questions that compare ------------------------------------------------------------------------------------------


def test_the_parts_of_a_question_share_the_answer() -> None:
    first = [other(f"Nvidia {word}.", event=word) for word in ("alpha", "bravo", "carol")]
    second = [other(f"Apple {word}.", event=word) for word in ("delta", "eagle", "fancy")]
    whole = together([selected(*first), selected(*second)], most=4)
    assert [statement[0] for statement in whole.statements] == [*first[:2], *second[:2]]


def test_what_one_part_leaves_free_is_for_the_others() -> None:
    first, second = (
        [other("Nvidia.", event="alpha")],
        [other(f"Apple {word}.", event=word) for word in ("delta", "eagle")],
    )
    for parts in (first, second), (second, first):
        whole = together([selected(*part) for part in parts], most=3)
        assert [statement[0] for statement in whole.statements] == [*parts[0], *parts[1]]


def test_a_part_without_an_answer_leaves_the_place_to_the_others() -> None:
    items = [other(f"Nvidia {word}.", event=word) for word in ("alpha", "bravo", "carol")]
    assert together([selected(), selected(*items)], most=3).statements == selected(*items, most=3).statements


def test_nothing_is_told_twice_by_two_parts() -> None:
    item, weaker = evidence(support=0.9), evidence(support=0.8)
    assert together([selected(item), selected(weaker)], most=5).statements == ((item,),)


def test_where_every_part_declines_the_whole_does() -> None:
    period = Period("in May", date(2024, 5, 1), date(2024, 5, 31))
    whole = selected(evidence(), period=period)
    assert whole.reason == "outside_filters"
    assert together([selected(evidence(support=0.1)), selected(), whole], most=5) == whole


def test_the_first_sentence_leads_where_it_gives_the_cause_that_is_asked_for() -> None:
    at_first = "R2 is late because training failed."
    lead = Evidence(article(f"{at_first} Trouble was the main reason."), Span(0, len(at_first)), 0.03)
    reason = evidence("Trouble was the main reason for the delay.", 0.9)
    assert chosen(lead, reason, wants="why")[0] == lead
    assert chosen(lead, reason)[0] == reason
