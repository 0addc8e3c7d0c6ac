from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from rag.errors import IndexDamaged
from rag.index import Index
from rag.settings import Settings
from rag.store import Store, write_store
from rag.types import Article, Chunk, Embedder, Filters, Language, Span
from rag.words import terms

FILTERS = {
    "nothing": Filters(),
    "since": Filters(since=date(2024, 6, 2)),
    "since the day after": Filters(since=date(2024, 6, 3)),
    "until": Filters(until=date(2024, 6, 2)),
    "until the day before": Filters(until=date(2024, 6, 1)),
    "one day": Filters(since=date(2025, 8, 14), until=date(2025, 8, 14)),
    "no day": Filters(since=date(2030, 1, 1)),
    "publisher": Filters(publishers=("Financial Times",)),
    "publisher behind a copy": Filters(publishers=("Reuters",)),
    "the copy itself": Filters(publishers=("Reuters (copy: Yahoo)",)),
    "two publishers": Filters(publishers=("The Quay", "Handelszeitung")),
    "unknown publisher": Filters(publishers=("Nobody",)),
    "part of a publisher's name": Filters(publishers=("Financial",)),
    "topic": Filters(topics=("chips",)),
    "two topics": Filters(topics=("models", "factories")),
    "unknown topic": Filters(topics=("zeppelins",)),
    "everything": Filters(date(2024, 1, 1), date(2024, 12, 31), ("Handelszeitung", "Reuters"), ("chips",)),
}


@pytest.fixture(scope="module")
def query(embedder: Embedder) -> np.ndarray:
    return embedder.questions(["Why was R2 delayed?"])[0]


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("name", FILTERS)
def test_filters_allow_the_same_in_vectors_words_and_listing(
    name: str, language: Language, small_index: Index, query: np.ndarray
) -> None:
    filters = FILTERS[name]
    articles = [a for a in small_index.catalog.articles() if a.language == language and a.status != "withdrawn"]
    every_word = sorted({term for article in articles for term in terms(article.text, language)})
    by_vector = {row for row, _ in small_index.nearest(query, 1_000, language, filters)}
    by_words = {row for row, _ in small_index.by_words(every_word, [], language, 1_000, filters)}
    allowed = {a.id for a in small_index.catalog.articles(filters) if a in articles}
    assert by_vector == by_words
    assert {part.article for part, _ in small_index.chunks(sorted(by_vector)).values()} == allowed


def test_filters_leave_what_the_table_says(small_index: Index, query: np.ndarray) -> None:
    counts = {name: len(small_index.nearest(query, 1_000, "en", filters)) for name, filters in FILTERS.items()}
    assert (
        counts
        | {
            "nothing": 4,
            "since": 3,
            "since the day after": 2,
            "until": 2,
            "until the day before": 1,
            "one day": 1,
            "no day": 0,
            "publisher": 1,
            "publisher behind a copy": 1,
            "part of a publisher's name": 0,
            "two publishers": 2,
            "unknown topic": 0,
        }
        == counts
    )


def test_scores_are_cosines_best_first(small_index: Index, query: np.ndarray) -> None:
    found = small_index.nearest(query, 3, "en", Filters())
    assert len(found) == 3
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert scores == pytest.approx(small_index.cosines(query, [row for row, _ in found]), abs=1e-5)
    assert small_index.chunks([found[0][0]])[found[0][0]][0].article == "2025-08-14-r2-delay.en"


def test_cosines_keep_the_order_of_the_rows(small_index: Index, query: np.ndarray) -> None:
    rows = list(range(small_index.manifest.chunks))
    forward, backward = small_index.cosines(query, rows), small_index.cosines(query, rows[::-1])
    assert (forward == backward[::-1]).all()
    assert small_index.cosines(query, []).shape == (0,)


def test_sentences_have_the_vectors_of_their_own_text(small_index: Index, embedder: Embedder) -> None:
    row, _ = small_index.nearest(embedder.questions(["MI300X"])[0], 1, "en", Filters())[0]
    part, first = small_index.chunks([row])[row]
    article = small_index.article(part.article)
    assert article is not None
    for number, span in enumerate(part.sentences):
        vector = embedder.passages([article.text[span.start : span.end]], few=True)[0]
        cosines = small_index.sentence_cosines(vector, first, len(part.sentences))
        assert cosines.argmax() == number
        assert cosines[number] > 0.99


def test_every_stored_vector_is_found_and_has_unit_length(small_index: Index) -> None:
    assert small_index.store.audit() == []
    contents = small_index.store.contents()
    assert len(contents) == small_index.manifest.chunks
    assert [np.linalg.norm(vector) for _, vector in contents.values()] == pytest.approx([1] * len(contents), abs=1e-5)


def test_two_readers_of_one_build_do_not_close_one_another(
    small_settings: Settings, embedder: Embedder, query: np.ndarray, tmp_path: Path
) -> None:
    shutil.copytree(small_settings.index, tmp_path / "index")
    settings = small_settings.model_copy(update={"index": tmp_path / "index"})
    first, second = Index(settings, embedder.identity), Index(settings, embedder.identity)
    first.close()
    assert len(second.nearest(query, 3, "en", Filters())) == 3
    second.close()


@pytest.mark.parametrize(("chunks", "sentences", "dimension"), [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_counts_that_do_not_fit_the_manifest_are_reported(
    chunks: int, sentences: int, dimension: int, small_settings: Settings, small_index: Index
) -> None:
    manifest = small_index.manifest
    with pytest.raises(IndexDamaged, match="the manifest says"):
        Store(
            small_settings.index / manifest.build,
            chunks=manifest.chunks + chunks,
            sentences=manifest.sentences + sentences,
            dimension=manifest.dimension + dimension,
        )


MANY = 1_200
"""More chunks than Chroma keeps outside its index files."""


def write_many(folder: Path) -> np.ndarray:
    """A store of many random unit vectors in `folder`."""
    vectors = np.random.default_rng(7).normal(size=(MANY, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    article = Article("a", "a", "en", "T", date(2025, 8, 14), "day", (), (), "current", (), (), "Text.", "")
    chunks = [Chunk(f"a#{n}", "a", 0, 5, (Span(0, 5),)) for n in range(MANY)]
    write_store(folder, chunks, {"a": article}, vectors, vectors, lambda done: None)
    return vectors


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    write_many(folder)
    return folder


def test_every_vector_of_many_finds_itself(many: Path) -> None:
    store = Store(many, chunks=MANY, sentences=MANY, dimension=32)
    assert store.audit() == []
    store.close()


def search_many(folder: Path) -> None:
    store = Store(folder, chunks=MANY, sentences=MANY, dimension=32)
    try:
        assert len(store.search(np.eye(32, dtype=np.float32)[0], 10, "en", Filters())) == 10
    finally:
        store.close()


@pytest.mark.parametrize("file", ["data_level0.bin", "header.bin", "link_lists.bin", ""])
def test_a_lost_index_file_of_chroma_is_reported_as_damage(file: str, many: Path, tmp_path: Path) -> None:
    shutil.copytree(many, tmp_path / "build")
    (folder,) = {path.parent for path in (tmp_path / "build").glob("chroma/*/header.bin")}
    if file:
        (folder / file).unlink()
    else:
        shutil.rmtree(folder)
    with pytest.raises(IndexDamaged, match="chipdesk build"):
        search_many(tmp_path / "build")
