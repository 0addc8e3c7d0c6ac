from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from conftest import DATA

from rag.catalog import FILE, Catalog
from rag.errors import IndexDamaged
from rag.glossary import read_glossary
from rag.index import Index
from rag.read import read_corpus
from rag.settings import Settings
from rag.types import Filters, Language
from rag.words import terms


def found(index: Index, query: str, language: Language, filters: Filters | None = None) -> list[str]:
    """Ids of the articles whose chunks the keyword index finds, best first."""
    rows = index.catalog.search(
        terms(query, language), index.glossary.concepts(query, language), language, 50, filters or Filters()
    )
    parts = index.chunks([row for row, _ in rows])
    return list(dict.fromkeys(parts[row][0].article for row, _ in rows))


@pytest.mark.parametrize(
    ("query", "language", "expected"),
    [
        ("R2", "de", {"2025-08-14-r2-delay.de"}),
        ("R2", "en", {"2025-08-14-r2-delay.en"}),
        ("910C", "de", {"2024-09-20-ascend-910c.de"}),
        ("910c", "de", {"2024-09-20-ascend-910c.de"}),
        ("Ascend-910C", "de", {"2024-09-20-ascend-910c.de", "2025-08-14-r2-delay.de"}),
        ("H20", "de", {"2024-06-02-h20-licence.de"}),
        ("H20", "en", {"2024-06-02-h20-licence.en"}),
        ("H200", "en", set()),
        ("MI300X", "en", {"2025-01-15-mi300x-cluster.en"}),
        ("Exportkontrolle", "de", {"2024-06-02-h20-licence.de", "2024-09-20-ascend-910c.de"}),
        ("Exportkontrollen", "de", {"2024-06-02-h20-licence.de", "2024-09-20-ascend-910c.de"}),
        ("EXPORTKONTROLLEN", "de", {"2024-06-02-h20-licence.de", "2024-09-20-ascend-910c.de"}),
        ("export restrictions", "de", {"2024-06-02-h20-licence.de", "2024-09-20-ascend-910c.de"}),
        ("Ausfuhrbeschränkungen", "en", {"2024-06-02-h20-licence.en"}),
        ("Goerlitz", "de", {"2024-03-11-nordwald-fab.de"}),
        ("Görlitz", "en", {"2024-03-11-nordwald-fab.en"}),
        ("zeppelin", "en", set()),
        ("Warum ist das so", "de", set()),
        ("", "en", set()),
    ],
)
def test_the_keyword_index_finds(query: str, language: Language, expected: set[str], small_index: Index) -> None:
    assert set(found(small_index, query, language)) == expected


def test_scores_are_positive_and_fall(small_index: Index) -> None:
    scores = [score for _, score in small_index.catalog.search(["chip", "h20", "licenc"], [], "en", 50, Filters())]
    assert len(scores) >= 2
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] > 0


def test_no_more_rows_than_asked_for(small_index: Index) -> None:
    assert len(small_index.catalog.search(["chip", "h20", "r2"], [], "en", 1, Filters())) == 1


@pytest.mark.parametrize(
    "term", ['"', "'", 'a"b', "AND", "OR NOT", "NEAR(", "*", "^x", "h2*", "title:x", "-", "(", ";--", "😀"]
)
def test_terms_are_words_not_query_syntax(term: str, small_index: Index) -> None:
    assert small_index.catalog.search([term], [term], "en", 5, Filters()) == []
    assert small_index.catalog.document_frequency(term, "en") == 0


def test_document_frequency_counts_chunks_of_one_language(small_index: Index) -> None:
    assert [small_index.catalog.document_frequency("h20", language) for language in ("de", "en")] == [1, 1]
    assert small_index.catalog.document_frequency("910c", "en") == 0


def test_frequency_counts_chunks_of_one_language(small_index: Index) -> None:
    assert small_index.frequency("unheard", "en") == 0
    assert 0 < small_index.frequency("h20", "en") <= small_index.size


def test_articles_come_back_as_they_were_read(small_index: Index, small_settings: Settings) -> None:
    expected = read_corpus(small_settings.corpus, most_bytes=small_settings.article_bytes).articles
    assert sorted(small_index.catalog.articles(), key=lambda article: article.id) == list(expected)
    assert [small_index.article(article.id) for article in expected] == list(expected)
    assert small_index.article("no-such-article") is None


def test_articles_are_listed_newest_first(small_index: Index) -> None:
    days = [article.published for article in small_index.catalog.articles()]
    assert days == sorted(days, reverse=True)
    assert small_index.catalog.span() == (days[-1], days[0]) == (date(2024, 3, 11), date(2025, 10, 1))


def test_listing_obeys_filters(small_index: Index) -> None:
    listed = small_index.catalog.articles(Filters(since=date(2025, 1, 1), publishers=("Financial Times",)))
    assert {article.id for article in listed} == {"2025-08-14-r2-delay.de", "2025-08-14-r2-delay.en"}


def test_labels_count_articles(small_index: Index) -> None:
    publishers = dict(small_index.catalog.labels("publisher"))
    assert (publishers["Reuters"], publishers["Reuters (copy: Yahoo)"], publishers["Financial Times"]) == (3, 2, 2)
    topics = small_index.catalog.labels("topic")
    assert topics[0] == ("chips", 5)
    assert dict(topics)["factories"] == 2


def test_chunks_lie_in_their_articles(small_index: Index) -> None:
    parts = small_index.chunks(range(small_index.manifest.chunks))
    assert len(parts) == small_index.manifest.chunks
    for part, first in parts.values():
        article = small_index.article(part.article)
        assert article is not None
        assert 0 <= part.start < part.end <= len(article.text)
        assert 0 <= first <= small_index.manifest.sentences - len(part.sentences)
    assert small_index.chunks([10_000]) == {}
    assert small_index.chunks([]) == {}


@pytest.mark.parametrize("content", [None, b"", b"not a database at all" * 500], ids=["missing", "empty", "junk"])
def test_a_catalogue_that_cannot_be_used_is_reported(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(IndexDamaged, match="chipdesk build --fresh"):
        Catalog(tmp_path)


def test_a_path_with_special_characters_is_opened(small_index: Index, small_settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "50 % of #1? köln"
    folder.mkdir()
    (folder / FILE).write_bytes((small_settings.index / small_index.manifest.build / FILE).read_bytes())
    catalog = Catalog(folder)
    assert catalog.article("2025-08-14-r2-delay.en") is not None
    catalog.close()


def test_the_glossary_is_kept_as_it_is(small_index: Index) -> None:
    glossary, _ = read_glossary(DATA)
    assert small_index.glossary.entries == glossary.entries
    assert small_index.glossary.year_ends("Nordwald", "en") == 9
