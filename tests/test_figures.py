from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from conftest import table
from hypothesis import given
from hypothesis import strategies as st

from rag.figures import Figure, agrees, counts_a_list, figures, nearest, same_number
from rag.types import Language

DAY = date(2025, 8, 14)


def one(text: str, language: Language) -> Figure:
    (figure,) = figures(text, language, DAY)
    return figure


@pytest.mark.parametrize("case", table("figures.yaml"), ids=lambda case: case["text"])
def test_figures_are_read_as_values(case: dict[str, Any]) -> None:
    found = figures(case["text"], case["language"], DAY)
    assert len(found) == len(case["figures"])
    for figure, (kind, first, second, *loose) in zip(found, case["figures"], strict=True):
        assert figure.kind == kind
        assert figure.loose == bool(loose)
        assert case["text"][figure.start : figure.end] == figure.words
        if kind == "time":
            assert (figure.since, figure.until) == (first, second)
        else:
            assert (figure.values[0], figure.unit) == (pytest.approx(first, rel=1e-6), second)


@pytest.mark.parametrize(
    ("claimed", "told"),
    [
        ("1,5 Mrd. Dollar", "$1.5bn"), ("20.000 Chips", "20,000 chips"), ("drei Prozent", "3%"), ("ein Drittel", "a third"),
        ("im August 2025", "on 14 August 2025"), ("zweites Quartal", "Q2 2025"), ("rund 100 Watt", "98 watts"), ("4 TB", "4,000 GB"), ("eine Woche", "7 days"),
        ("25 Prozent", "a quarter of it"), ("ein Fünftel", "19 percent"), ("50 Prozent", "half"), ("rund tausend Stellen", "1,000 jobs"),
        ("250 Millionen Dollar", "a quarter of a billion dollars"), ("in den ersten sechs Monaten 2025", "the first half of 2025"),
    ],
)  # fmt: skip
def test_a_german_figure_is_borne_out_by_the_english_one(claimed: str, told: str) -> None:
    assert agrees(one(claimed, "de"), one(told, "en"))


@pytest.mark.parametrize(
    ("claimed", "told"),
    [
        ("1,5 Mrd. Euro", "$1.5bn"), ("20.000 Chips", "2,000 chips"), ("3 Prozent", "3 percentage points"), ("vier Billionen Dollar", "4 billion dollars"),
        ("am 14. August 2025", "in August 2025"), ("im Mai 2025", "in May 2024"), ("drittes Quartal", "Q2 2025"), ("100 Watt", "98 watts"), ("4 TB", "4 GB"),
        ("ein Viertel", "30 percent"), ("ein Viertel", "25 dollars"), ("25 Prozentpunkte", "a quarter of it"), ("50 Prozent", "a third"),
        ("in den letzten sechs Monaten 2025", "the first half of 2025"),
    ],
)  # fmt: skip
def test_what_differs_does_not_agree(claimed: str, told: str) -> None:
    assert not agrees(one(claimed, "de"), one(told, "en"))


@pytest.mark.parametrize(
    ("text", "counts"), [("drei Hersteller", True), ("zwölf", True), ("3 makers", False), ("zwanzig Werke", False), ("drei Prozent", False)]
)  # fmt: skip
def test_small_numbers_in_words_may_count_what_is_listed(text: str, counts: bool) -> None:
    assert counts_a_list(one(text, "de")) is counts


def test_the_nearest_has_the_same_number_or_the_same_unit() -> None:
    told = figures("20,000 chips for $1.5bn at 700 watts, on 14 August 2025", "en", DAY)
    for claim, words in (("€1.5bn", "$1.5bn"), ("750 watts", "700 watts"), ("3 July 2025", "14 August 2025")):
        instead = nearest(one(claim, "en"), told)
        assert instead is not None
        assert instead.words == words
    assert nearest(one("5 kg", "en"), figures("on 14 August 2025", "en", DAY)) is None


@pytest.mark.parametrize(
    ("text", "language", "bound", "firm"),
    [
        ("nearly 20,000 chips", "en", "below", False), ("fast 20.000 Chips", "de", "below", False), ("less than $5bn", "en", "below", False),
        ("up to 805,000 dies", "en", "below", True), ("bis zu 3 Mrd. Dollar", "de", "below", True), ("höchstens 5 Prozent", "de", "below", True),
        ("no more than $5bn", "en", "below", True), ("nicht mehr als 5 Euro", "de", "below", True),
        ("more than 20,000 chips", "en", "above", False), ("over $5bn", "en", "above", False), ("weit über 20.000 Chips", "de", "above", False),
        ("gut 5 Milliarden Euro", "de", "above", False), ("at least 300 watts", "en", "above", True), ("mindestens 300 Watt", "de", "above", True),
        # these bound nothing
        ("about 20,000 chips", "en", "", False), ("rund 20.000 Chips", "de", "", False), ("über 5 Jahre", "de", "", False), ("over 5 years", "en", "", False),
        ("ein Bericht über 30 Firmen", "de", "", False), ("ein Vertrag über 500 Millionen Dollar", "de", "", False), ("unter zwei Chefs", "de", "", False),
        ("a dispute over 30 patents", "en", "", False), ("it adds up to $5bn", "en", "", False), ("kaum mehr als 5 Prozent", "de", "", False),
        ("fast 100-gigabit links", "en", "", False),
    ],
)  # fmt: skip
def test_bounds_of_amounts(text: str, language: Language, bound: str, firm: bool) -> None:
    figure = one(text, language)
    assert (figure.bound, figure.firm) == (bound, firm)
    assert text[: figure.start].endswith(figure.lead)


def test_one_number_may_be_rounded_in_two_ways_but_two_near_each_other_are_two() -> None:
    assert same_number(one("mehr als 20.000 Chips", "de"), one("nearly 20,000 chips", "en"))
    assert not same_number(one("rund 20.000 Chips", "de"), one("19,800 chips", "en"))
    assert not same_number(one("im Mai 2025", "de"), one("in May 2025", "en"))


@given(st.integers(1_000, 10**12))
def test_grouped_numbers_mean_the_same_in_both_languages(number: int) -> None:
    english, german = f"{number:,} chips", f"{number:,} Chips".replace(",", ".")
    assert agrees(one(german, "de"), one(english, "en"))


@given(st.text(alphabet="0123456789.,-/$€% MrdbnGBQ1und to\u00a0'", max_size=60), st.sampled_from(["de", "en"]))
def test_any_text_can_be_read(text: str, language: Language) -> None:
    for figure in figures(text, language, DAY):
        assert text[figure.start : figure.end] == figure.words
