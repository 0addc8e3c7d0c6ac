"""The vectors of an index: those of a whole build in Chroma, those that came later beside it. The only file that imports
chromadb.

Chroma is used in its embedded form with cosine distance and unit vectors; scores that leave this file are cosine
similarities, higher is better. Its index is approximate: it is built with more neighbours than the default, because
with few of them live records become unreachable (chroma-core/chroma issue 7758), and `audit` proves that none is.

What was built is never written to again: records become unreachable by deletes, and other processes go on finding what
was deleted (issue 3792). What came later lies in plain arrays that are searched whole (`Late`), and what is gone is passed
over. A new article so needs no chromadb at all, which takes two seconds to import.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from rag.catalog import as_number
from rag.errors import DiskError, IndexDamaged
from rag.types import Article, Chunk, Filters, Language, Vectors

COLLECTIONS: Final[dict[Language, str]] = {"de": "chunks-de", "en": "chunks-en"}
"""Each language has its own: with a filter on the language Chroma first lists all chunks in it, 26 ms of 10,000 where the
search itself takes two."""
FOLDER: Final = "chroma"
SENTENCES: Final = "sentences.npy"
LATE: Final = "late.npy"
LATE_SENTENCES: Final = "late-sentences.npy"
TRIED: Final = 10
"""Chunks of each language that an opened index must find."""
HNSW: Final = {"space": "cosine", "max_neighbors": 48, "ef_construction": 400, "ef_search": 400}
"""With these no record of 4,000 was lost after deletes and upserts, with the defaults 17 were."""


class Store:
    """One build's vectors, opened for reading.

    Args:
        folder: the build.
        dimension: of the vectors, from the manifest.

    Raises:
        IndexDamaged: files are missing or do not fit the manifest.
    """

    def __init__(self, folder: Path, *, chunks: int, sentences: int, dimension: int) -> None:
        try:
            self._sentences: Vectors = np.load(folder / SENTENCES, mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise IndexDamaged(f"{folder / SENTENCES} cannot be read: {error}.") from error
        self._folder = folder
        with self._guarded():
            self._client = _client(folder)
            # Chroma keeps one system per path for the life of the process, until its last client is closed
            self._finalizer = weakref.finalize(self, self._client.close)
            self._finalizer.atexit = False
            self._collections = {
                language: self._client.get_collection(name, embedding_function=None)
                for language, name in COLLECTIONS.items()
            }
            self._counts = {language: each.count() for language, each in self._collections.items()}
            found = (sum(self._counts.values()), *self._sentences.shape)
        if found != (chunks, sentences, dimension):
            raise IndexDamaged(
                f"{folder} holds {found[0]} chunks and {found[1]} sentences of {found[2]} numbers, "
                f"the manifest says {chunks}, {sentences} and {dimension}."
            )
        for language, count in self._counts.items():
            # where its files are lost, Chroma makes empty ones and finds nothing, or what it had not yet moved there,
            # without a word
            wanted = min(count, TRIED)
            if wanted and len(self.search(self._sentences[0], wanted, language, Filters())) < wanted:
                raise IndexDamaged(f"{folder / FOLDER} does not find its {count} chunks.")

    def close(self) -> None:
        """Let go of the files; so does the end of the last use."""
        self._finalizer()

    def search(
        self, vector: Vectors, k: int, language: Language, filters: Filters, gone: Container[int] = ()
    ) -> list[tuple[int, float]]:
        """The k nearest chunks among articles in `language` that the filters allow: [(row, cosine)], best first.

        Args:
            vector: one unit vector, shape (dimension,).
            gone: rows that are passed over.
        """
        count = self._counts[language]
        wanted = min(k, count)
        while wanted:
            with self._guarded():
                found = self._collections[language].query(
                    query_embeddings=[vector.tolist()],
                    n_results=wanted,
                    where=_where(filters),
                    include=["distances"],
                )
            rows = [int(identity) for identity in found["ids"][0]]
            live = [(r, 1.0 - float(d)) for r, d in zip(rows, found["distances"][0], strict=True) if r not in gone]
            if len(live) >= k or len(rows) < wanted or wanted == count:
                return live[:k]
            wanted = min(2 * wanted, count)
        return []

    def cosines(self, vector: Vectors, rows: Sequence[int]) -> Vectors:
        """Cosine of `vector` with the chunks of these rows, in their order, shape (n,)."""
        if not rows:
            return np.empty(0, np.float32)
        by_row: dict[int, Vectors] = {}
        for collection in self._collections.values():
            with self._guarded():
                found = collection.get(ids=[str(row) for row in rows], include=["embeddings"])
            by_row |= zip((int(i) for i in found["ids"]), np.asarray(found["embeddings"], np.float32), strict=True)
        return np.asarray([by_row[row] @ vector for row in rows], np.float32)

    def sentence_cosines(self, vector: Vectors, first: int, count: int) -> Vectors:
        """Cosine of `vector` with `count` neighbouring sentences from row `first` on, shape (count,)."""
        return np.asarray(self._sentences[first : first + count] @ vector, np.float32)

    def sentence_vectors(self, first: int, count: int) -> Vectors:
        """Unit vectors of `count` neighbouring sentences from row `first` on, shape (count, dimension)."""
        return np.asarray(self._sentences[first : first + count], np.float32)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Chroma's errors about its own files, in our words."""
        from chromadb.errors import ChromaError

        try:
            yield
        except (ChromaError, ValueError) as error:
            raise IndexDamaged(f"{self._folder / FOLDER} cannot be read: {error}.") from error

    def contents(self) -> dict[str, tuple[dict[str, Any], Vectors]]:
        """Everything stored, for comparisons: id -> (metadata, vector)."""
        stored: dict[str, tuple[dict[str, Any], Vectors]] = {}
        for collection in self._collections.values():
            found = collection.get(include=["metadatas", "embeddings"])
            vectors = np.asarray(found["embeddings"], np.float32)
            stored |= {i: (dict(m), v) for i, m, v in zip(found["ids"], found["metadatas"], vectors, strict=True)}
        return stored

    def audit(self, gone: Container[int] = ()) -> list[str]:
        """Chunk ids that a search for their own vector does not find: empty for a sound index."""
        lost = []
        for identity, (metadata, vector) in self.contents().items():
            found = dict(self.search(vector, 10, metadata["language"], Filters(), gone))
            if int(identity) not in gone and int(identity) not in found:
                lost.append(str(metadata["chunk"]))
        return lost


class Late:
    """The vectors of chunks that came after the whole build, searched one by one: exact, and 1 ms for thousands.

    Args:
        folder: the build; None where nothing came later.
        chunks, sentences: how many the manifest promises, those of articles that went again included.
        dimension: of the vectors.

    Raises:
        IndexDamaged: files are missing or do not fit the manifest.
    """

    def __init__(self, folder: Path | None, *, chunks: int, sentences: int, dimension: int) -> None:
        self.chunks: Vectors = np.empty((0, dimension), np.float32)
        self.sentences: Vectors = self.chunks
        if folder is None:
            return
        try:
            self.chunks, self.sentences = np.load(folder / LATE), np.load(folder / LATE_SENTENCES)
        except (OSError, ValueError, EOFError) as error:
            raise IndexDamaged(f"The late vectors in {folder} cannot be read: {error}.") from error
        if (self.chunks.shape, self.sentences.shape) != ((chunks, dimension), (sentences, dimension)):
            raise IndexDamaged(f"The late vectors in {folder} are not those that the manifest promises.")


def write_late(folder: Path, before: Late, vectors: Vectors, sentences: Vectors) -> None:
    """Write the late vectors of a build into `folder`: those of the build before it, and what is new."""
    for name, old, new in ((LATE, before.chunks, vectors), (LATE_SENTENCES, before.sentences, sentences)):
        _save(folder / name, np.vstack([old, new]) if len(new) else old)


def _save(path: Path, vectors: Vectors) -> None:
    with path.open("wb") as file:
        np.save(file, vectors)
        file.flush()
        os.fsync(file.fileno())


def write_store(
    folder: Path,
    chunks: Sequence[Chunk],
    articles: dict[str, Article],
    vectors: Vectors,
    sentences: Vectors,
    progress: Callable[[int], None],
) -> None:
    """Write the vectors of a new build into `folder`.

    Args:
        chunks: the position of a chunk is its row.
        articles: by id, for what the filters look at.
        vectors: unit vectors of the chunks, shape (len(chunks), dimension).
        sentences: unit vectors of all sentences, shape (n, dimension).
        progress: called with the number of chunks written since the last call.

    Raises:
        DiskError: Chroma could not write.
    """
    from chromadb.errors import ChromaError

    _save(folder / SENTENCES, sentences)
    try:
        _write_chroma(folder, chunks, articles, vectors, progress)
    except (ChromaError, ValueError) as error:
        # it wraps what the disk says in a message of its own; a client that cannot even start raises ValueError
        raise DiskError(folder / FOLDER, str(error)) from error


def _write_chroma(
    folder: Path,
    chunks: Sequence[Chunk],
    articles: dict[str, Article],
    vectors: Vectors,
    progress: Callable[[int], None],
) -> None:
    client = _client(folder, new=True)
    step = min(client.get_max_batch_size(), 500)
    for language, name in COLLECTIONS.items():
        rows = [row for row, chunk in enumerate(chunks) if articles[chunk.article].language == language]
        # all of it is written into the index once, at the end: in steps (1,000 by default) each step writes the whole, and
        # what is left over after the last one is inserted again whenever the index is opened
        once = {"batch_size": min(100, max(2, len(rows))), "sync_threshold": max(2, len(rows))}
        collection = client.create_collection(name, configuration={"hnsw": HNSW | once}, embedding_function=None)
        for at in range(0, len(rows), step):
            part = rows[at : at + step]
            collection.add(
                ids=[str(row) for row in part],
                embeddings=vectors[part].tolist(),
                metadatas=[_metadata(chunks[row], articles[chunks[row].article]) for row in part],
            )
            progress(len(part))
    client.close()


def _metadata(chunk: Chunk, article: Article) -> dict[str, Any]:
    known: dict[str, Any] = {"chunk": chunk.id, "language": article.language, "day": as_number(article.published)}
    # Chroma refuses empty lists
    lists = {"publishers": list(article.publishers), "topics": list(article.topics)}
    return known | {name: values for name, values in lists.items() if values}


def _client(folder: Path, *, new: bool = False) -> Any:
    if not new and not (folder / FOLDER / "chroma.sqlite3").is_file():
        raise IndexDamaged(f"{folder / FOLDER} is missing.")
    import chromadb
    from chromadb.config import Settings

    return chromadb.PersistentClient(str(folder / FOLDER), Settings(anonymized_telemetry=False))


def _where(filters: Filters) -> dict[str, Any] | None:
    conditions: list[dict[str, Any]] = []
    if filters.since:
        conditions.append({"day": {"$gte": as_number(filters.since)}})
    if filters.until:
        conditions.append({"day": {"$lte": as_number(filters.until)}})
    for name, wanted in (("publishers", filters.publishers), ("topics", filters.topics)):
        if wanted:
            any_of = [{name: {"$contains": value}} for value in wanted]
            conditions.append(any_of[0] if len(any_of) == 1 else {"$or": any_of})
    if len(conditions) < 2:
        return conditions[0] if conditions else None
    return cast(dict[str, Any], {"$and": conditions})
