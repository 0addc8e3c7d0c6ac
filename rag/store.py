"""The vectors of one build: chunks in Chroma, sentences in a file beside it. The only file that imports chromadb.

Chroma is used in its embedded form with cosine distance and unit vectors; scores that leave this file are cosine
similarities, higher is better. Its index is approximate: it is built with more neighbours than the default, because
with few of them live records become unreachable (chroma-core/chroma issue 7758), and `audit` proves that none is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from rag.catalog import as_number
from rag.errors import IndexDamaged
from rag.types import Article, Chunk, Filters, Language, Vectors

COLLECTION: Final = "chunks"
FOLDER: Final = "chroma"
SENTENCES: Final = "sentences.npy"
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
            self._collection = self._client.get_collection(COLLECTION, embedding_function=None)
            found = (self._collection.count(), *self._sentences.shape)
        if found != (chunks, sentences, dimension):
            raise IndexDamaged(
                f"{folder} holds {found[0]} chunks and {found[1]} sentences of {found[2]} numbers, "
                f"the manifest says {chunks}, {sentences} and {dimension}."
            )
        self._count = chunks

    def close(self) -> None:
        """Let go of the files: Chroma keeps one system per path for the life of the process."""
        self._client.close()

    def search(self, vector: Vectors, k: int, language: Language, filters: Filters) -> list[tuple[int, float]]:
        """The k nearest chunks among articles in `language` that the filters allow: [(row, cosine)], best first.

        Args:
            vector: one unit vector, shape (dimension,).
        """
        if not self._count:
            return []
        with self._guarded():
            found = self._collection.query(
                query_embeddings=[vector.tolist()],
                n_results=min(k, self._count),
                where=_where(language, filters),
                include=["metadatas", "distances"],
            )
        metadatas, distances = found["metadatas"], found["distances"]
        return [(int(m["row"]), 1.0 - float(d)) for m, d in zip(metadatas[0], distances[0], strict=True)]

    def cosines(self, vector: Vectors, rows: Sequence[int]) -> Vectors:
        """Cosine of `vector` with the chunks of these rows, in their order, shape (n,)."""
        if not rows:
            return np.empty(0, np.float32)
        with self._guarded():
            found = self._collection.get(ids=[str(row) for row in rows], include=["embeddings"])
        by_row = dict(zip((int(i) for i in found["ids"]), np.asarray(found["embeddings"], np.float32), strict=True))
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
        found = self._collection.get(include=["metadatas", "embeddings"])
        vectors = np.asarray(found["embeddings"], np.float32)
        return {i: (dict(m), v) for i, m, v in zip(found["ids"], found["metadatas"], vectors, strict=True)}

    def audit(self) -> list[str]:
        """Chunk ids that a search for their own vector does not find: empty for a sound index."""
        lost = []
        for identity, (metadata, vector) in self.contents().items():
            found = self._collection.query(
                query_embeddings=[vector.tolist()], n_results=min(10, self._count), include=[]
            )
            if identity not in found["ids"][0]:
                lost.append(str(metadata["chunk"]))
        return lost


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
    """
    np.save(folder / SENTENCES, sentences)
    client = _client(folder, new=True)
    collection = client.create_collection(COLLECTION, configuration={"hnsw": HNSW}, embedding_function=None)
    step = min(client.get_max_batch_size(), 500)
    for at in range(0, len(chunks), step):
        rows = range(at, min(at + step, len(chunks)))
        metadatas = []
        for row in rows:
            article = articles[chunks[row].article]
            metadata: dict[str, Any] = {
                "row": row,
                "chunk": chunks[row].id,
                "language": article.language,
                "day": as_number(article.published),
            }
            # Chroma refuses empty lists
            lists = {"publishers": list(article.publishers), "topics": list(article.topics)}
            metadatas.append(metadata | {name: values for name, values in lists.items() if values})
        collection.add(
            ids=[str(row) for row in rows], embeddings=vectors[at : at + len(rows)].tolist(), metadatas=metadatas
        )
        progress(len(rows))
    client.close()


def _client(folder: Path, *, new: bool = False) -> Any:
    if not new and not (folder / FOLDER / "chroma.sqlite3").is_file():
        raise IndexDamaged(f"{folder / FOLDER} is missing.")
    import chromadb
    from chromadb.config import Settings

    return chromadb.PersistentClient(str(folder / FOLDER), Settings(anonymized_telemetry=False))


def _where(language: Language, filters: Filters) -> dict[str, Any]:
    conditions: list[dict[str, Any]] = [{"language": language}]
    if filters.since:
        conditions.append({"day": {"$gte": as_number(filters.since)}})
    if filters.until:
        conditions.append({"day": {"$lte": as_number(filters.until)}})
    for name, wanted in (("publishers", filters.publishers), ("topics", filters.topics)):
        if wanted:
            any_of = [{name: {"$contains": value}} for value in wanted]
            conditions.append(any_of[0] if len(any_of) == 1 else {"$or": any_of})
    return conditions[0] if len(conditions) == 1 else cast(dict[str, Any], {"$and": conditions})
