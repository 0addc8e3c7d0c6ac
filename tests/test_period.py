from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from conftest import table
from hypothesis import given
from hypothesis import strategies as st

from rag.dates import months, written
from rag.evaluate.questions import Item, read_questions
from rag.glossary import read_glossary
from rag.period import find_period, fits, mentions, spots, with_months
from rag.read import read_corpus
from rag.settings import home, load
from rag.types import Article, Language, Period
from rag.words import language_of

TODAY = date(2026, 7, 10)
ARTICLE = date(2026, 1, 20)
CASES: dict[str, Any] = table("periods.yaml")
HIDDEN = 0.02
"""Share of questions with a period whose gold sentence may lie outside; .6 % of the training questions do."""


def found(text: str) -> Period | None:
    return find_period(text, language_of(text, default="en"), TODAY)


@pytest.mark.parametrize("text", CASES["named"])
def test_times_are_read_as_they_are_meant_and_shown_as_they_were_typed(text: str) -> None:
    words, since, until = CASES["named"][text]
    assert found(text) == Period(str(words), since, until)
    assert str(words) in text


@pytest.mark.parametrize("text", CASES["unnamed"])
def test_what_is_no_time_or_in_doubt_narrows_nothing(text: str) -> None:
    assert found(text) is None


@pytest.mark.parametrize("text", CASES["fiscal"])
def test_fiscal_years_are_read_by_the_calendar_of_whom_the_question_is_about(text: str) -> None:
    words, since, until = CASES["fiscal"][text]
    language = language_of(text, default="en")
    shown = str(words) + (f" ({months(since, until, language)})" if until else "")
    assert find_period(text, language, TODAY, year_ends=1) == Period(shown, since, until, year_ends=1)
    assert find_period(text, language, TODAY) is None, "whose calendar is not known"


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("How much in the second quarter of fiscal 2026?", "How much in the second quarter to July 2025?"),
        ("nvidia umsatz q1 gj2027 wachstum", "nvidia umsatz q1 bis April 2026 wachstum"),
        ("What was the revenue in fiscal 2025?", "What was the revenue in fiscal year to January 2025?"),
        ("How much in the second quarter of 2026?", "How much in the second quarter of 2026?"),
        ("What has changed since Q3 of fiscal 2026?", "What has changed since Q3 of fiscal 2026?"),
    ],
)
def test_a_fiscal_time_is_searched_for_as_news_write_it(text: str, becomes: str) -> None:
    language = language_of(text, default="en")
    period = find_period(text, language, TODAY, year_ends=1)
    assert with_months(text, period, language, TODAY) == becomes


def test_a_fiscal_quarter_without_its_year_is_not_read() -> None:
    for text in ("What did Nvidia sell in its fiscal Q2?", "In its second fiscal quarter, in 2025?"):
        assert find_period(text, "en", TODAY, year_ends=1) is None


@pytest.mark.parametrize("text", CASES["quarters"])
def test_two_quarters_are_one_stretch_and_can_stand_alone(text: str) -> None:
    since, until, *quarters = CASES["quarters"][text]
    [spot] = spots(text, language_of(text, default="en"), TODAY, year_ends=1)
    assert (spot.since, spot.until, spot.quarters) == (since, until, tuple(quarters))


def test_a_sentence_that_speaks_of_a_fiscal_quarter_fits_a_question_for_it() -> None:
    told = "Nvidia forecast revenue of 78 billion dollars for the first quarter of fiscal 2027."
    asked = find_period("nvidia q1 fy2027 forecast", "en", TODAY, year_ends=1)
    assert asked
    assert fits(asked, date(2026, 2, 25), "day", mentions(told, "en", ARTICLE, year_ends=1))
    another = find_period("nvidia q1 fy2026 forecast", "en", TODAY, year_ends=1)
    assert another
    assert not fits(another, date(2026, 2, 25), "day", mentions(told, "en", ARTICLE, year_ends=1))


@pytest.mark.parametrize("text", CASES["mentioned"])
def test_a_sentence_names_times(text: str) -> None:
    named = mentions(text, language_of(text, default="en"), ARTICLE)
    assert [list(stretch) for stretch in named] == CASES["mentioned"][text]


@pytest.mark.parametrize("case", CASES["fits"], ids=range(len(CASES["fits"])))
def test_an_article_fits_by_its_date_or_by_what_it_tells_of(case: dict[str, Any]) -> None:
    period = Period("then", case["since"], case["until"])
    named = [(since, until) for since, until in case.get("named", ())]
    assert fits(period, case["published"], case.get("precision", "day"), named) is case["fits"]


@given(st.dates(date(2005, 1, 1), TODAY), st.sampled_from(["de", "en"]), st.sampled_from(["day", "month", "year"]))
def test_every_date_that_we_write_is_read_as_the_stretch_it_names(
    day: date, language: Language, precision: Any
) -> None:
    text = written(day, language, precision)
    period = find_period(text, language, TODAY)
    assert period is not None
    assert (period.words, str(period.since)[:4]) == (text, str(day.year))
    assert fits(period, day, "day", [])


@given(st.text(st.sampled_from("0123456789.-/ ,'abeimMQqHh2025\nJanMaiju"), max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    named = spots(text, "de", TODAY)
    assert all(spot.since <= spot.until and spot.start < spot.end for spot in named)
    assert all(one.end <= other.start for one, other in pairwise(named))
    find_period(text, "en", TODAY)


@pytest.mark.parametrize("split", ["dev", "train"])
def test_the_times_in_questions_do_not_hide_their_answers(split: str) -> None:
    articles: dict[str, Article] = {
        article.id: article for article in read_corpus(home() / "corpus", most_bytes=load().article_bytes).articles
    }

    def is_hidden(item: Item, period: Period) -> bool:
        return not any(
            fits(
                period,
                told.published,
                told.precision,
                mentions(gold.quote, told.language, told.published, year_ends=period.year_ends),
            )
            for gold in item.gold
            for told in [articles[gold.article]]
        )

    glossary, _ = read_glossary(home() / "corpus")

    def asked(item: Item) -> Period | None:
        ends = glossary.year_ends(item.question, item.language)
        return find_period(item.question, item.language, TODAY, year_ends=ends)

    dated = [
        (item, period) for item in read_questions(split) if item.answerable and item.gold and (period := asked(item))
    ]
    hidden = [f"{item.question} [{period.words}]" for item, period in dated if is_hidden(item, period)]
    assert len(dated) >= 50
    assert len(hidden) <= HIDDEN * len(dated), hidden
