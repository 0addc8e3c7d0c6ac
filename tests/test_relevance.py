from __future__ import annotations

from conftest import REPOSITORY, table

from rag.glossary import read_glossary
from rag.read import read_corpus
from rag.relevance import relevance


def test_briefs_score_above_and_their_neighbours_below_the_middle() -> None:
    """The figures of the module's docstring."""
    corpus = REPOSITORY / "corpus"
    glossary, _ = read_glossary(corpus)
    briefs = read_corpus(corpus, most_bytes=2_000_000).articles
    least = min(relevance(one.title, one.text, one.language, glossary) for one in briefs)
    most = max(relevance(one["title"], one["text"], one["language"], glossary) for one in table("neighbours.yaml"))
    assert most < 0.25
    assert least > 0.75
