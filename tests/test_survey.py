"""Counts, timeline, and the data card that must not go stale."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rag.cli import app
from rag.glossary import read_glossary
from rag.read import Corpus, read_corpus
from rag.survey import count, data_card, timeline

CORPUS = Path(__file__).parent.parent / "corpus"


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return read_corpus(CORPUS, most_bytes=2_000_000)


def test_counts_add_up(corpus: Corpus) -> None:
    counted = count(corpus.articles)
    assert counted.articles == len(corpus.articles) == sum(n for _, n in counted.articles_by_language)
    assert counted.events == sum(n for _, n in counted.events_by_year)
    assert counted.articles == counted.events + counted.events_in_both_languages


def test_data_card_is_current(corpus: Corpus) -> None:
    text = (CORPUS / "README.md").read_text("utf-8")
    shown = text.split("<!-- begin counts -->")[1].split("<!-- end counts -->")[0].strip()
    assert shown == data_card(count(corpus.articles), corpus.articles).strip(), "paste `chipdesk corpus stats --card`"


def test_every_article_is_usable(corpus: Corpus) -> None:
    assert corpus.problems == ()


def test_timeline_is_in_order_and_finds_an_entity_by_any_of_its_names(corpus: Corpus) -> None:
    glossary, problems = read_glossary(CORPUS)
    assert problems == []
    by_short = timeline(corpus.articles, glossary, topic=None, entity="910C", language="en")
    by_long = timeline(corpus.articles, glossary, topic=None, entity="Ascend 910C", language="en")
    assert [moment.published for moment in by_short] == sorted(moment.published for moment in by_short)
    assert {moment.event for moment in by_short} == {moment.event for moment in by_long}
    assert "2024-09-29-huawei-910c-samples" in {moment.event for moment in by_short}


def test_timeline_by_topic_shows_titles_in_the_language_asked_for(corpus: Corpus) -> None:
    glossary, _ = read_glossary(CORPUS)
    german = timeline(corpus.articles, glossary, topic="deepseek", entity=None, language="de")
    titles = {article.title: article.language for article in corpus.articles}
    assert german
    assert all(titles[moment.title] == "de" for moment in german if "de" in moment.languages)


def test_commands_print_json() -> None:
    runner = CliRunner()
    stats = runner.invoke(app, ["corpus", "stats", "--json"])
    moments = runner.invoke(app, ["corpus", "timeline", "--topic", "deepseek", "--json"])
    assert stats.exit_code == moments.exit_code == 0
    assert json.loads(stats.stdout)["events"] >= 35
    assert {"event", "published", "title"} <= json.loads(moments.stdout)[0].keys()
