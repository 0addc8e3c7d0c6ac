from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import article, evidence

from rag.types import Citation, Draft, Evidence, Mark, Sentence, Source, Span
from rag.verify import numbered, verify

GOOD = evidence("R2 is late.", 0.9)
INVALID = {
    "end before start": replace(GOOD, span=Span(9, 8)),
    "empty": replace(GOOD, span=Span(8, 8)),
    "before the text": replace(GOOD, span=Span(-5, 8)),
    "wholly before the text": replace(GOOD, span=Span(-9, -2)),
    "beyond the text": replace(GOOD, span=Span(8, 10_000)),
    "only white space": replace(GOOD, article=article("One.\n\nTwo."), span=Span(4, 6)),
    "withdrawn": replace(GOOD, article=replace(GOOD.article, status="withdrawn")),
}


def verified(
    evidence: list[Evidence], *sentences: tuple[str, tuple[int, ...]]
) -> tuple[list[Sentence], list[Citation]]:
    return verify(Draft((), sentences), evidence)


def test_a_good_sentence_stands_with_its_quotation() -> None:
    sentences, citations = verified([GOOD], ("R2 is late.", (0,)))
    assert sentences == [Sentence("R2 is late.", (1,), 0.9)]
    (citation,) = citations
    assert (citation.number, citation.quote, citation.start, citation.end) == (1, "R2 is late.", 8, 19)
    assert (citation.article, citation.event, citation.title) == (
        GOOD.article.id,
        GOOD.article.event,
        GOOD.article.title,
    )
    assert (citation.published, citation.date_precision) == (GOOD.article.published, "day")


@pytest.mark.parametrize("bad", INVALID.values(), ids=INVALID)
def test_a_sentence_on_bad_evidence_falls_and_the_rest_is_renumbered(bad: Evidence) -> None:
    better = evidence("Chips failed.", 0.8)
    sentences, citations = verified([GOOD, bad, better], ("One.", (0,)), ("Two.", (1,)), ("Three.", (2,)))
    assert [(sentence.text, sentence.citations) for sentence in sentences] == [("One.", (1,)), ("Three.", (2,))]
    assert [(citation.number, citation.quote) for citation in citations] == [(1, "R2 is late."), (2, "Chips failed.")]


@pytest.mark.parametrize("number", [-1, 1, 99])
def test_a_number_that_points_nowhere_takes_its_sentence_with_it(number: int) -> None:
    assert verified([GOOD], ("Nowhere.", (number,))) == ([], [])
    assert verified([GOOD], ("Half.", (0, number))) == ([], [])


def test_a_sentence_without_a_citation_falls() -> None:
    assert verified([GOOD], ("I just know.", ())) == ([], [])


@pytest.mark.parametrize("text", ["", "  ", "\n"], ids=["empty", "spaces", "line"])
def test_a_sentence_without_words_falls(text: str) -> None:
    assert verified([GOOD], (text, (0,))) == ([], [])


def test_evidence_used_twice_has_one_citation() -> None:
    sentences, citations = verified([GOOD, evidence("Chips failed.")], ("A.", (1,)), ("B.", (0, 1)), ("C.", (1,)))
    assert [sentence.citations for sentence in sentences] == [(1,), (2, 1), (1,)]
    assert [citation.quote for citation in citations] == ["Chips failed.", "R2 is late."]


def test_citations_that_were_shown_keep_their_numbers() -> None:
    items = [GOOD, INVALID["withdrawn"], evidence("Chips failed.", 0.8)]
    shown = numbered(items)
    assert [(i, citation.number) for i, citation in shown.items()] == [(0, 1), (2, 2)]
    sentences, citations = verify(Draft((), (("Fails.", (1,)), ("Chips failed.", (2,)))), items, shown)
    assert [sentence.citations for sentence in sentences] == [(2,)]
    assert citations == [shown[2]]


def test_the_support_of_a_sentence_is_that_of_its_best_evidence() -> None:
    (sentence,), _ = verified([evidence("A.", 0.6), evidence("B.", 0.8)], ("A and B.", (0, 1)))
    assert sentence.support == 0.8


def test_a_citation_names_the_sources_of_its_own_marks() -> None:
    ft, rand = Source("Financial Times"), Source("Rand")
    text = "Alpha fails. Bravo works."
    marked = article(text, sources=(ft, rand), marks=(Mark(12, (0,)), Mark(25, (1,))))
    items = [Evidence(marked, Span(0, 12), 0.9), Evidence(marked, Span(13, 25), 0.9)]
    _, citations = verified(items, ("A.", (0,)), ("B.", (1,)))
    assert [citation.sources for citation in citations] == [(ft,), (rand,)]


def test_a_citation_of_an_unmarked_article_names_all_its_sources() -> None:
    sources = (Source("Financial Times"), Source("Rand"))
    _, citations = verified([evidence("A.", sources=sources)], ("A.", (0,)))
    assert citations[0].sources == sources


OFFSETS = st.integers(-20, 60)
ITEMS = st.builds(
    lambda text, start, end, support, status: Evidence(article(text, status=status), Span(start, end), support),
    st.text(max_size=40), OFFSETS, OFFSETS, st.floats(0, 1), st.sampled_from(["current", "corrected", "withdrawn"]),
)  # fmt: skip
SENTENCES = st.lists(st.tuples(st.text(max_size=5), st.lists(st.integers(-2, 8), max_size=4).map(tuple)), max_size=6)


@given(st.lists(ITEMS, max_size=6), SENTENCES)
def test_whatever_passes_is_exact_numbered_in_order_and_used(
    items: list[Evidence], drafted: list[tuple[str, tuple[int, ...]]]
) -> None:
    sentences, citations = verify(Draft((), tuple(drafted)), items)
    texts = {item.article.text for item in items if item.article.status != "withdrawn"}
    assert [citation.number for citation in citations] == list(range(1, len(citations) + 1))
    for citation in citations:
        assert citation.quote.strip()
        assert 0 <= citation.start < citation.end
        assert any(
            text[citation.start : citation.end] == citation.quote and citation.end <= len(text) for text in texts
        )
    used = [number for sentence in sentences for number in sentence.citations]
    assert list(dict.fromkeys(used)) == [citation.number for citation in citations]
    assert all(sentence.citations and sentence.text.strip() for sentence in sentences)
    remaining = iter([text for text, _ in drafted])
    assert all(sentence.text in remaining for sentence in sentences), "sentences keep their order"


@given(st.lists(st.text(min_size=1, max_size=30).filter(str.strip), min_size=1, max_size=5))
def test_the_extractive_case_loses_nothing(quotes: list[str]) -> None:
    items = [evidence(quote, 0.9) for quote in quotes]
    sentences, citations = verified(items, *((quote, (n,)) for n, quote in enumerate(quotes)))
    assert [sentence.text for sentence in sentences] == quotes
    assert [citation.quote for citation in citations] == quotes
