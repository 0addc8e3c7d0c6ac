from __future__ import annotations

import dataclasses
from datetime import date
from functools import partial
from pathlib import Path
from unicodedata import normalize

import pytest
from conftest import DATA, put, small_corpus
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from rag.add import add, as_markdown
from rag.chunk import chunk
from rag.errors import ArticleError
from rag.read import Known, article_files, read_article, read_corpus
from rag.settings import Settings
from rag.types import Article, Mark, Source

MOST = 2_000_000
EXPORT = DATA / "export.txt"
FIELDS = [field.name for field in dataclasses.fields(Article) if field.name != "digest"]
LINE = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8).map(partial(normalize, "NFC"))
WORDS = st.lists(LINE, min_size=1, max_size=2).map(" ".join)


def fields(article: Article) -> dict[str, object]:
    return {name: getattr(article, name) for name in FIELDS}


def again(article: Article, folder: Path) -> Article:
    path = folder / "again.md"
    path.write_text(as_markdown(article), "utf-8")
    return read_article(path, most_bytes=MOST)


def test_title_date_and_language_are_derived_from_a_plain_export(settings: Settings) -> None:
    added = add(settings, EXPORT, Known())
    article = added.article
    assert added.new
    assert added.path == settings.corpus / "articles" / "2025" / "2025-08-14-export.de.md"
    assert (article.id, article.published, article.language) == ("2025-08-14-export.de", date(2025, 8, 14), "de")
    assert article.title.startswith("Das Start-up Seeadler hat den Marktstart")
    assert len(article.title) <= 112
    assert article.text.startswith("Das Start-up Seeadler hat den Marktstart")
    assert "2025-08-14" not in article.text


def test_bare_headings_of_an_export_are_kept_for_context_but_never_quoted(settings: Settings) -> None:
    article = add(settings, EXPORT, Known()).article
    spans = [span for part in chunk(article, chunk_chars=600) for span in part.sentences]
    assert [article.text[s.start : s.end] for s in spans if not s.quotable] == [
        "Training scheitert, Betrieb gelingt",
        "Folgen für den Wettbewerb",
    ]
    assert "Gründerin Dr. Ada Fink sagte, man werde z. B. im 2. Quartal erneut starten." in [
        article.text[s.start : s.end] for s in spans
    ]


def test_what_was_added_is_in_the_corpus(settings: Settings) -> None:
    added = add(settings, EXPORT, Known(publisher="Hafenkurier", url="https://hafen.example/r"))
    found = read_corpus(settings.corpus, most_bytes=MOST)
    assert found.problems == ()
    assert found.articles == (added.article,)
    assert found.articles[0].sources == (Source("Hafenkurier", url="https://hafen.example/r"),)


def test_adding_makes_the_corpus_folder(settings: Settings) -> None:
    fresh = settings.model_copy(update={"corpus": settings.corpus / "new" / "corpus"})
    assert add(fresh, EXPORT, Known()).path.is_file()


def test_adding_twice_is_no_change(settings: Settings) -> None:
    first = add(settings, EXPORT, Known())
    before = (first.path.read_bytes(), first.path.stat().st_mtime_ns)
    second = add(settings, EXPORT, Known())
    assert (second.new, second.path, second.article) == (False, first.path, first.article)
    assert (first.path.read_bytes(), first.path.stat().st_mtime_ns) == before


def test_another_text_with_the_same_id_is_refused_without_replace(settings: Settings, tmp_path: Path) -> None:
    first = add(settings, EXPORT, Known())
    before = first.path.read_bytes()
    other = tmp_path / "export.txt"
    other.write_text(EXPORT.read_text("utf-8").replace("Möwe", "Kormoran"), "utf-8")
    with pytest.raises(ArticleError, match="--replace") as caught:
        add(settings, other, Known())
    assert caught.value.field == "id"
    assert first.path.read_bytes() == before
    replaced = add(settings, other, Known(), replace=True)
    assert replaced.new
    assert replaced.path == first.path
    assert "Kormoran" in replaced.article.text
    assert list(article_files(settings.corpus)) == [first.path]


def test_replace_takes_over_what_the_user_says_about_the_same_text(settings: Settings) -> None:
    add(settings, EXPORT, Known(id="export"))
    add(settings, EXPORT, Known(id="export", title="Albatros verschoben"), replace=True)
    assert [article.title for article in read_corpus(settings.corpus, most_bytes=MOST).articles] == [
        "Albatros verschoben"
    ]


def test_a_broken_article_in_the_way_is_not_overwritten(settings: Settings) -> None:
    path = add(settings, EXPORT, Known()).path
    edited = path.read_text("utf-8").replace("status: current", "status: [current").replace("Möwe", "Kormoran")
    path.write_text(edited, "utf-8")
    with pytest.raises(ArticleError):
        add(settings, EXPORT, Known())
    assert path.read_text("utf-8") == edited


def test_another_article_in_the_way_is_not_overwritten(settings: Settings) -> None:
    path = settings.corpus / "articles" / "2025" / "2025-08-14-export.de.md"
    path.parent.mkdir()
    content = put(settings.corpus, "other", "Another text.").read_text("utf-8")
    (settings.corpus / "articles" / "other.md").rename(path)
    with pytest.raises(ArticleError):
        add(settings, EXPORT, Known())
    assert path.read_text("utf-8") == content


def test_a_topic_outside_the_vocabulary_is_refused_before_anything_is_written(settings: Settings) -> None:
    small_corpus(settings.corpus, "2025-08-14*")
    before = sorted(settings.corpus.rglob("*.md"))
    with pytest.raises(ArticleError, match="zeppelins"):
        add(settings, EXPORT, Known(topics=("zeppelins",)))
    assert sorted(settings.corpus.rglob("*.md")) == before


@pytest.mark.parametrize(
    "letter", ["\x01", "\x07", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\ufeff", "\ufffe", "\uffff", "😀"]
)
def test_odd_characters_in_a_headline_survive_or_go_but_break_nothing(
    letter: str, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "odd.txt"
    path.write_text(f"A head{letter}line of this day\n\nOn 14 August 2025 it rained{letter} on the harbour.\n", "utf-8")
    added = add(settings, path, Known())
    found = read_corpus(settings.corpus, most_bytes=MOST)
    assert found.problems == ()
    assert found.articles == (added.article,)


@pytest.mark.parametrize(
    ("known", "field"),
    [
        (Known(published="yesterday"), "published"),
        (Known(language="fr"), "language"),
        (Known(id="Not An Id"), "id"),
        (Known(title="t" * 301), "title"),
        (Known(url="javascript:alert(1)"), "sources"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_user_says_is_checked_before_anything_is_written(known: Known, field: str, settings: Settings) -> None:
    with pytest.raises(ArticleError) as caught:
        add(settings, EXPORT, known)
    assert caught.value.field == field
    assert not list(settings.corpus.rglob("*.md"))


def test_a_file_that_cannot_be_read_leaves_the_corpus_alone(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ArticleError, match="UTF-8"):
        add(settings, path, Known())
    assert list(settings.corpus.rglob("*")) == [settings.corpus / "articles"]


@pytest.mark.parametrize("path", sorted((DATA / "articles").glob("*.md")), ids=lambda path: path.stem)
def test_articles_come_back_from_markdown(path: Path, tmp_path: Path) -> None:
    article = read_article(path, most_bytes=MOST)
    assert fields(again(article, tmp_path)) == fields(article)


@st.composite
def articles(draw: st.DrawFn) -> Article:
    sources = draw(
        st.lists(
            st.builds(
                Source,
                WORDS,
                title=st.none() | WORDS,
                url=st.none() | st.just("https://a.example/b?c=d#e"),
                published=st.sampled_from([None, "2025", "2025-08", "2025-08-14"]),
                language=st.sampled_from([None, "de", "en"]),
            ),
            max_size=3,
        )
    )
    sentences = draw(
        st.lists(
            st.sampled_from(
                [
                    "Das ist so.",
                    "Am 3. Okt. kam z. B. Nvidia.",
                    "“Quoted” & <b>bold</b>.",
                    "It's: {a} [b] | #c %d @e",
                    "- Item.",
                    "Head",
                ]
            ),
            min_size=1,
            max_size=6,
        )
    )
    text = ""
    marks: list[Mark] = []
    for number, sentence in enumerate(sentences):
        text += ("\n\n" if number % 3 == 2 else " ") * bool(text) + sentence
        cited = draw(st.lists(st.integers(0, len(sources) - 1), max_size=2)) if sources else []
        marks += [Mark(len(text), (source,)) for source in cited]
    return Article(
        id="an-article.en",
        event=draw(st.just("an-event") | WORDS),
        language=draw(st.sampled_from(["de", "en"])),
        title=draw(WORDS),
        published=draw(st.dates(date(1990, 1, 1))),
        precision=draw(st.sampled_from(["day", "month", "year"])),
        topics=tuple(draw(st.lists(WORDS, max_size=3))),
        entities=tuple(draw(st.lists(WORDS, max_size=3))),
        status=draw(st.sampled_from(["current", "corrected", "withdrawn"])),
        sources=tuple(sources),
        marks=tuple(marks),
        text=text,
        digest="",
    )


@given(article=articles())
@hypothesis(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_article_comes_back_from_markdown(article: Article, tmp_path: Path) -> None:
    assert fields(again(article, tmp_path)) == fields(article)
