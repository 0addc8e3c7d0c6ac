from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from conftest import table
from hypothesis import given
from hypothesis import strategies as st

from rag.dates import written
from rag.evaluate.questions import Item, read_questions
from rag.period import find_period, fits, mentions, spots
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
            fits(period, told.published, told.precision, mentions(gold.quote, told.language, told.published))
            for gold in item.gold
            for told in [articles[gold.article]]
        )

    dated = [
        (item, period)
        for item in read_questions(split)
        if item.answerable and item.gold and (period := find_period(item.question, item.language, TODAY))
    ]
    hidden = [f"{item.question} [{period.words}]" for item, period in dated if is_hidden(item, period)]
    assert len(dated) >= 50
    assert len(hidden) <= HIDDEN * len(dated), hidden
