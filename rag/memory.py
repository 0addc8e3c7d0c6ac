"""Vectors remembered by text and model, so that nothing is embedded twice.

A build that is killed loses at most one batch, and a changed article costs only its own chunks. The file can be deleted
at any time; it then fills again.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from rag.types import Embedder, Vectors

FILE: Final = "vectors.db"
BATCH: Final = 64
"""Texts embedded between two commits: about two seconds of work lost by a kill."""
FEW_CHARS: Final = 20_000
"""Up to this many characters of new text (ten briefs) are embedded by an engine that starts at once: importing torch takes
5 to 10 s, in which the C engine embeds about as much (870 tokens/s against 2,800, measured on 2 cores)."""


class Memory:
    """A table of vectors in the index folder. One process at a time writes it (the build lock sees to that)."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self._embedder = embedder
        try:
            self._db = _open(folder / FILE)
        except sqlite3.OperationalError:
            raise  # a full or locked disk is no reason to forget
        except sqlite3.DatabaseError:
            # damaged: it can always be filled again
            for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
                (folder / name).unlink(missing_ok=True)
            self._db = _open(folder / FILE)

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def passages(self, texts: Sequence[str], progress: Callable[[int], None]) -> Vectors:
        """Unit vectors of `texts` in their order, shape (len(texts), dimension); embeds only what is not remembered.

        Args:
            progress: called with the number of texts that became available since the last call.
        """
        rows: dict[bytes, list[int]] = {}
        for i, text in enumerate(texts):
            rows.setdefault(self._key(text), []).append(i)
        known = {key for key, _ in self._lookup(list(rows), "key, NULL")}
        missing = sorted((same[0] for key, same in rows.items() if key not in known), key=lambda i: len(texts[i]))
        progress(len(texts) - len(missing))
        few = sum(len(texts[i]) for i in missing) <= FEW_CHARS
        for at in range(0, len(missing), BATCH):
            batch = [texts[i] for i in missing[at : at + BATCH]]
            made = self._embedder.passages(batch, progress, few=few)
            self._db.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?)",
                (
                    (self._key(text), vector.astype(np.float32).tobytes())
                    for text, vector in zip(batch, made, strict=True)
                ),
            )
            self._db.commit()
        # filled row by row: a corpus of 40,000 articles has 300,000 vectors, which should be in memory once only
        vectors = np.empty((0, 0), np.float32)
        for key, stored in self._lookup(list(rows), "key, vector"):
            if not vectors.size:
                vectors = np.empty((len(texts), len(stored) // 4), np.float32)
            vectors[rows[key]] = np.frombuffer(stored, np.float32)
        return vectors

    def forget_all_but(self, texts: Sequence[str]) -> None:
        """Drop the vectors of texts that are in use no more."""
        self._db.execute("CREATE TEMP TABLE used (key BLOB PRIMARY KEY)")
        self._db.executemany("INSERT OR IGNORE INTO used VALUES (?)", ((self._key(text),) for text in texts))
        self._db.execute("DELETE FROM vectors WHERE key NOT IN (SELECT key FROM used)")
        self._db.execute("DROP TABLE used")
        self._db.commit()

    def _lookup(self, keys: list[bytes], columns: str) -> Iterable[tuple[bytes, bytes]]:
        for at in range(0, len(keys), 500):
            part = keys[at : at + 500]
            marks = ",".join("?" * len(part))
            yield from self._db.execute(f"SELECT {columns} FROM vectors WHERE key IN ({marks})", part)

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(f"{self._embedder.identity}\0{text}".encode()).digest()


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(
        "PRAGMA synchronous = NORMAL"
    )  # a kill loses nothing, a power cut the last batches; both keep the file whole
    # with row ids: without them a vector takes 4.7 kB of disk, with them 1.8
    db.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB)")
    return db


class Recent:
    """An embedder that remembers the vectors of the passages it embedded last, in memory. Safe to use from several threads.

    Args:
        embedder: embeds what is not remembered, with the engine that starts at once.
        most: vectors that are kept, the least recently used go first; 1.5 kB each.
    """

    def __init__(self, embedder: Embedder, *, most: int) -> None:
        self._embedder = embedder
        self._most = most
        self._vectors: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def identity(self) -> str:
        return self._embedder.identity

    def know(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Take over vectors, shape (len(texts), dimension), that were made elsewhere by the same model."""
        with self._lock:
            for text, vector in zip(texts, vectors, strict=True):
                self._vectors[text] = vector
                self._vectors.move_to_end(text)
            while len(self._vectors) > self._most:
                self._vectors.popitem(last=False)

    def questions(self, texts: Sequence[str]) -> Vectors:
        return self._embedder.questions(texts)

    def passages(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None, *, few: bool = True
    ) -> Vectors:
        """As of the embedder; only what is not remembered is embedded."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        new = dict(zip(missing, self._embedder.passages(missing, progress, few=few), strict=True)) if missing else {}
        with self._lock:
            known = {text: self._vectors[text] for text in texts if text in self._vectors} | new
        self.know(list(new), np.stack(list(new.values())) if new else np.empty((0, 0), np.float32))
        again = [text for text in dict.fromkeys(texts) if text not in known]  # pushed out by another thread meanwhile
        if again:
            known |= dict(zip(again, self._embedder.passages(again, few=few), strict=True))
        return np.stack([known[text] for text in texts])
