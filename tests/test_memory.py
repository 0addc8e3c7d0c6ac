from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np

from rag.embed import SentenceTransformerEmbedder
from rag.memory import BATCH, FILE, Memory, Recent
from rag.types import Embedder

TEXTS = ["R2 is late.", "H20 needs a licence.", "The MI300X has memory."]


def remembered(folder: Path) -> int:
    db = sqlite3.connect(folder / FILE)
    try:
        return int(db.execute("SELECT count(*) FROM vectors").fetchone()[0])
    finally:
        db.close()


def ignore(done: int) -> None:
    """A progress callback that does nothing."""


def test_vectors_come_in_the_order_of_the_texts(tmp_path: Path, embedder: Embedder) -> None:
    expected = embedder.passages(TEXTS, few=True)
    with Memory(tmp_path, embedder) as memory:
        for order in ([0, 1, 2], [2, 0, 1], [1, 1, 0]):
            found = memory.passages([TEXTS[i] for i in order], ignore)
            assert np.abs(found - expected[order]).max() < 1e-6


def test_nothing_is_embedded_twice(tmp_path: Path, embedder: Embedder) -> None:
    with Memory(tmp_path, embedder) as memory:
        memory.passages(TEXTS[:2], ignore)
        assert remembered(tmp_path) == 2
        done: list[int] = []
        memory.passages(TEXTS, done.append)
        assert done == [2, 1]
        assert remembered(tmp_path) == 3


def test_a_repeated_text_is_embedded_once(tmp_path: Path, embedder: Embedder) -> None:
    with Memory(tmp_path, embedder) as memory:
        done: list[int] = []
        vectors = memory.passages([TEXTS[0]] * 5, done.append)
        assert sum(done) == 5
        assert (vectors == vectors[0]).all()
        assert remembered(tmp_path) == 1


def test_more_than_a_batch_comes_back_whole(tmp_path: Path, embedder: Embedder) -> None:
    texts = [f"R{n}" for n in range(BATCH + 5)]
    with Memory(tmp_path, embedder) as memory:
        done: list[int] = []
        vectors = memory.passages(texts, done.append)
    assert sum(done) == len(texts)
    assert np.abs(vectors[[0, -1]] - embedder.passages([texts[0], texts[-1]], few=True)).max() < 1e-6


def test_vectors_outlive_the_process(tmp_path: Path, embedder: Embedder) -> None:
    with Memory(tmp_path, embedder) as memory:
        first = memory.passages(TEXTS, ignore)
    with Memory(tmp_path, embedder) as memory:
        done: list[int] = []
        assert (memory.passages(TEXTS, done.append) == first).all()
    assert done == [3]


def test_another_model_has_other_vectors(tmp_path: Path, embedder: Embedder) -> None:
    other = SentenceTransformerEmbedder("x", identity="x", question_prefix="", passage_prefix="", threads=0, batch=1)
    with Memory(tmp_path, embedder) as memory:
        memory.passages(TEXTS, ignore)
    with Memory(tmp_path, other) as memory:
        memory.forget_all_but(TEXTS)
    assert remembered(tmp_path) == 0


def test_what_is_in_use_no_more_is_forgotten(tmp_path: Path, embedder: Embedder) -> None:
    with Memory(tmp_path, embedder) as memory:
        memory.passages(TEXTS, ignore)
        memory.forget_all_but(TEXTS[:1] * 2)
        assert remembered(tmp_path) == 1
        memory.forget_all_but(())
        assert remembered(tmp_path) == 0


def test_no_texts_give_no_rows(tmp_path: Path, embedder: Embedder) -> None:
    with Memory(tmp_path, embedder) as memory:
        assert len(memory.passages([], ignore)) == 0


def test_recent_vectors_are_those_of_the_embedder_and_old_ones_go(embedder: Embedder) -> None:
    recent = Recent(embedder, most=2)
    expected = embedder.passages(TEXTS, few=True)
    assert np.abs(recent.passages([*TEXTS, TEXTS[0]]) - expected[[0, 1, 2, 0]]).max() < 1e-6
    assert np.abs(recent.passages(TEXTS[:1]) - expected[:1]).max() < 1e-6
    recent.know([TEXTS[1]], expected[2:3])
    assert (recent.passages([TEXTS[1]]) == expected[2:3]).all()
