from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from conftest import DATA, REPOSITORY, table
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.chunk import LONGEST_SENTENCE, chunk, paragraphs, sentences
from rag.read import read_corpus
from rag.types import Article, Language

CASES = table("sentences.yaml")
PIECES = (
    "Nvidia", "Huawei-Chips", "verkauft", "the chip", "z. B.", "z.B.", "d. h.", "e.g.", "i.e.", "Dr.", "Prof.", "Mr.",
    "U.S.", "Inc.", "Corp.", "Mrd.", "1,5", "3.5", "10.000", "3.", "14.", "Okt.", "Quartal", "2025", "910C", "H20",
    "MI300X", "R2", "Das", "The", "Er", "It", "und", "and", ".", "!", "?", "...", "…", "?!", ",", ":", ";", "(", ")",
    "„", "“", "”", "»", "«", '"', "'", "’", "–", "- ", "• ", "\n", "\n\n", "\n\n\n", "\t", "\u00a0", " ",
    "  ", "\u2028", "\x0b",
    "😀", "深度求索", "é", "ß", "Ü", "$5", "%", "https://a.example/b.c?d=e", "x" * 40,
)  # fmt: skip
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=60).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join),
    st.lists(st.sampled_from(PIECES), min_size=100, max_size=200).map(" ".join),
    st.text(max_size=200),
)


def article_of(text: str, language: Language = "de") -> Article:
    return Article("a", "a", language, "T", date(2025, 8, 14), "day", (), (), "current", (), (), text, "")


def split(text: str, language: Language) -> list[str]:
    return [text[span.start : span.end] for span in sentences(text, language)]


def assert_exact(article: Article, chunk_chars: int) -> None:
    """Chunks and sentences lie in the text in order and cover each visible character exactly once."""
    parts = chunk(article, chunk_chars=chunk_chars)
    covered = [0] * len(article.text)
    at = 0
    for number, part in enumerate(parts):
        assert (part.id, part.article) == (f"{article.id}#{number}", article.id)
        assert part.sentences
        assert (part.start, part.end) == (part.sentences[0].start, part.sentences[-1].end)
        assert part.end - part.start <= chunk_chars or len(part.sentences) == 1
        for span in part.sentences:
            assert at <= span.start < span.end <= len(article.text)
            assert span.end - span.start <= LONGEST_SENTENCE
            assert article.text[span.start : span.end].strip()
            for position in range(span.start, span.end):
                covered[position] += 1
            at = span.end
    missed = [i for i, letter in enumerate(article.text) if not letter.isspace() and covered[i] != 1]
    assert not missed, article.text[missed[0] : missed[0] + 40]


@given(text=TEXTS, language=st.sampled_from(["de", "en"]), chunk_chars=st.sampled_from([200, 600, 1800]))
@settings(max_examples=200, deadline=None)
def test_sentences_cover_any_text_exactly_once(text: str, language: Language, chunk_chars: int) -> None:
    assert_exact(article_of(text, language), chunk_chars)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\n ",
        "x" * 5_000,
        "word " * 1_000,
        "a" + " " * 3_000 + "b.",
        "Ja. " * 2_000,
        "\n".join("- item" for _ in range(500)),
    ],
    ids=["empty", "blank", "no space", "no full stop", "only spaces between", "many short sentences", "a long list"],
)
def test_odd_texts_are_covered_too(text: str) -> None:
    assert_exact(article_of(text), 600)


@pytest.mark.parametrize("folder", [DATA, REPOSITORY / "corpus"], ids=["test articles", "corpus"])
def test_sentences_cover_the_articles_exactly_once(folder: Path) -> None:
    articles = read_corpus(folder, most_bytes=2_000_000).articles if folder.is_dir() else ()
    if not articles:
        pytest.skip(f"no articles in {folder}")
    for article in articles:
        assert_exact(article, 600)


@pytest.mark.parametrize("case", CASES, ids=[f"{case['language']}: {case['name']}" for case in CASES])
def test_texts_are_split_as_a_person_splits_them(case: dict[str, Any]) -> None:
    assert split(" ".join(case["sentences"]), case["language"]) == case["sentences"]


def test_the_table_of_tricky_cases_is_broad() -> None:
    assert min(sum(case["language"] == language for case in CASES) for language in ("de", "en")) >= 15


def test_a_blank_line_ends_a_sentence_without_punctuation_and_makes_it_unquotable() -> None:
    text = "Why it failed\n\nThe chips were hot."
    (part,) = chunk(article_of(text, "en"), chunk_chars=600)
    assert [(text[s.start : s.end], s.quotable) for s in part.sentences] == [
        ("Why it failed", False),
        ("The chips were hot.", True),
    ]


def test_a_heading_opens_a_chunk_with_what_follows_it() -> None:
    text = "The chips were hot.\n\nConsequences\n\nThe launch was late."
    parts = chunk(article_of(text, "en"), chunk_chars=600)
    assert [text[part.start : part.end] for part in parts] == [
        "The chips were hot.",
        "Consequences\n\nThe launch was late.",
    ]


def test_chunks_are_filled_up_to_their_size() -> None:
    text = " ".join(f"Sentence number {n} has exactly these words." for n in range(100, 120))
    parts = chunk(article_of(text, "en"), chunk_chars=200)
    assert {len(part.sentences) for part in parts[:-1]} == {4}


def test_pieces_of_an_overlong_sentence_are_not_quotable() -> None:
    text = "word " * 500 + "end."
    spans = [span for part in chunk(article_of(text, "en"), chunk_chars=600) for span in part.sentences]
    assert len(spans) >= 3
    assert not any(span.quotable for span in spans)


def test_bounds_limit_what_is_split() -> None:
    text = "One. Two. Three."
    assert [text[s.start : s.end] for s in sentences(text, "en", 5, 9)] == ["Two."]


def test_paragraphs_are_bounds_without_surrounding_space() -> None:
    text = "  One. \n\n\t- two\n- three  "
    assert [text[start:end] for start, end in paragraphs(text)] == ["One.", "- two", "- three"]
