from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rag.build import build
from rag.chunk import chunk
from rag.evaluate.scale import SyntheticVectors, article, make_corpus
from rag.index import Index
from rag.read import read_corpus
from rag.settings import load
from rag.types import Embedder, Filters
from rag.words import terms

TEXTS = ["R2 is late.", "H20 needs a licence.", "The MI300X has memory."]


@pytest.fixture(scope="module")
def synthetic(embedder: Embedder) -> SyntheticVectors:
    return SyntheticVectors(embedder, embedder.passages([f"{text} Again." for text in TEXTS], few=True))


def test_the_same_number_is_the_same_article_and_others_differ() -> None:
    assert article(7) == article(7)
    assert len({article(number)[1] for number in range(200)}) == 200


def test_invented_articles_are_articles_of_two_chunks(tmp_path: Path) -> None:
    make_corpus(tmp_path, 60, tmp_path)
    found = read_corpus(tmp_path, most_bytes=100_000)
    assert not found.problems
    assert [a.language for a in found.articles].count("de") == 30
    assert sorted(a.id for a in found.articles) == sorted(article(number)[0] for number in range(60))
    assert {len(list(chunk(a, chunk_chars=600))) for a in found.articles} == {2}


def test_synthetic_vectors_have_unit_length_and_are_like_real_ones(
    synthetic: SyntheticVectors, embedder: Embedder
) -> None:
    done: list[int] = []
    vectors = synthetic.passages(TEXTS, done.append)
    assert sum(done) == len(TEXTS)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert (vectors == synthetic.passages(TEXTS)).all()
    assert (vectors @ embedder.passages(TEXTS, few=True).T).min() > 0.6
    assert synthetic.identity == embedder.identity


def test_an_invented_corpus_can_be_built_and_updated_and_its_questions_find_their_articles(
    tmp_path: Path, synthetic: SyntheticVectors, embedder: Embedder
) -> None:
    settings = load(corpus=tmp_path / "corpus", index=tmp_path / "index")
    make_corpus(settings.corpus, 60, tmp_path)
    build(settings, embedder=synthetic)
    identity, content, language, question = article(60)
    (settings.corpus / "articles" / f"{identity}.md").write_text(content, "utf-8")
    assert build(settings, embedder=embedder).added == 1
    index = Index(settings, embedder.identity)
    for wanted, _, of, asked in (article(3), article(4), (identity, content, language, question)):
        rows = [row for row, _ in index.by_words(terms(asked, of), [], of, 2, Filters())]
        assert {part.article for part, _ in index.chunks(rows).values()} == {wanted}
    index.close()
