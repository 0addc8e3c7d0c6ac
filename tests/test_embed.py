from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import DATA, table

from rag.embed import BundledE5, open_embedder
from rag.errors import ModelError
from rag.read import read_corpus
from rag.settings import load
from rag.types import Embedder

QUESTIONS = [question for questions in table("languages.yaml").values() for question in questions][::3]


@pytest.fixture(scope="module")
def passages() -> list[str]:
    articles = read_corpus(DATA, most_bytes=2_000_000).articles
    return [f"{article.title}: {article.text}" for article in articles] + ["R2.", "word " * 90]


@pytest.fixture(scope="session")
def torch_engine(embedder: Embedder) -> Any:
    """The bundled weights in sentence-transformers; loading torch takes seconds, so all parity tests share it."""
    assert isinstance(embedder, BundledE5)
    return embedder.large


def test_both_engines_agree_on_questions(embedder: Embedder, torch_engine: Embedder) -> None:
    cosines = (embedder.questions(QUESTIONS) * torch_engine.questions(QUESTIONS)).sum(axis=1)
    assert cosines.min() > 0.999


def test_both_engines_agree_on_passages(embedder: Embedder, torch_engine: Embedder, passages: list[str]) -> None:
    """So that one index may hold vectors of both. Line breaks would make the difference: builds embed texts without."""
    flat = [" ".join(passage.split()) for passage in passages]
    cosines = (embedder.passages(flat, few=True) * torch_engine.passages(flat)).sum(axis=1)
    assert cosines.min() > 0.9995


def test_the_torch_engine_keeps_order_and_reports_progress(torch_engine: Embedder, passages: list[str]) -> None:
    done: list[int] = []
    vectors = torch_engine.passages(passages, done.append)
    assert sum(done) == len(passages)
    alone = torch_engine.passages(passages[:1])
    assert np.abs(vectors[0] - alone[0]).max() < 2e-3


def test_vectors_have_unit_length_and_the_models_dimension(embedder: Embedder, passages: list[str]) -> None:
    for vectors in (embedder.questions(QUESTIONS), embedder.passages(passages)):
        assert vectors.dtype == np.float32
        assert vectors.shape[1] == 384
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_question_is_not_a_passage(embedder: Embedder) -> None:
    texts = ["R2 was delayed because training on Ascend chips failed."]
    assert (embedder.questions(texts) * embedder.passages(texts)).sum() < 0.99


def test_the_passage_that_answers_is_nearest_in_both_languages(embedder: Embedder) -> None:
    answers = embedder.passages(
        [
            "Das Modell R2 kommt später, weil das Training auf Ascend-Chips scheiterte.",
            "Nordwald builds a plant in Görlitz.",
            "Harbour University orders 400 cards.",
        ]
    )
    for question in ("Why was R2 delayed?", "Warum wurde R2 verschoben?"):
        assert (answers @ embedder.questions([question])[0]).argmax() == 0


def test_one_text_has_one_vector_whatever_stands_beside_it(embedder: Embedder) -> None:
    together = embedder.questions(QUESTIONS)
    alone = np.vstack([embedder.questions([question]) for question in QUESTIONS])
    assert np.abs(together - alone).max() < 1e-6


def test_threads_do_not_disturb_one_another(embedder: Embedder) -> None:
    expected = embedder.questions(QUESTIONS)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda question: embedder.questions([question])[0], QUESTIONS))
    assert np.abs(expected - np.vstack(found)).max() < 1e-6


def test_no_texts_give_no_vectors(embedder: Embedder, torch_engine: Embedder) -> None:
    assert embedder.questions([]).shape == (0, 384)
    assert embedder.passages([]).shape == (0, 384)
    assert torch_engine.passages([]).shape == (0, 384)


@pytest.mark.parametrize("text", ["", "\x00", "a\x00b", "\u2028", "😀" * 50, "深度求索", "\ud7ff\uffff"])
def test_odd_texts_have_vectors_too(text: str, embedder: Embedder) -> None:
    vectors = embedder.questions([text, "R2"])
    assert np.isfinite(vectors).all()
    assert vectors.shape == (2, 384)


def test_a_text_longer_than_the_model_reads_has_a_vector(embedder: Embedder) -> None:
    assert np.isfinite(embedder.passages(["chip " * 700])).all()


def test_progress_counts_every_passage(embedder: Embedder, passages: list[str]) -> None:
    done: list[int] = []
    embedder.passages(passages, done.append)
    assert sum(done) == len(passages)


def test_the_identity_names_weights_and_prefixes(tmp_path: Path) -> None:
    bundled, folder = open_embedder(load()), open_embedder(load(model=str(tmp_path)))
    other = open_embedder(load(model=str(tmp_path), passage_prefix=""))
    assert len({bundled.identity, folder.identity, other.identity}) == 3
    assert bundled.identity == open_embedder(load()).identity


def test_opening_loads_nothing_and_a_missing_model_is_named_with_the_first_text(tmp_path: Path) -> None:
    missing = open_embedder(load(model=str(tmp_path / "no-such-model")))
    with pytest.raises(ModelError, match=r"no-such-model.*CHIPDESK_MODEL"):
        missing.questions(["R2"])
