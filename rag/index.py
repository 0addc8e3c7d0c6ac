"""The index on disk: numbered builds, and one manifest that says which of them counts.

    index/
      manifest.json     what the current build holds and by what it was made; replaced in one step
      build-000007/     a whole build: catalog.db, chroma/, sentences.npy; complete, never written to again
      build-000008/     an update of it: catalog.db, late.npy, late-sentences.npy; the other vectors stay where they are
      vectors.db        remembered vectors
      .lock             held by the one process that builds

An update costs as much as what changed and a copy of the catalogue; the whole build whose vectors it uses is its base. A
build that is killed leaves a folder that no manifest names; the next build removes it. The build before the current one
and its base are kept, because a running server may still be reading them.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import filelock
import numpy as np

from rag import chunk, words
from rag.catalog import Catalog
from rag.errors import ChipdeskError, IndexBusy, IndexDamaged, IndexMismatch, IndexMissing, SettingsError
from rag.files import write_whole, writing
from rag.glossary import Glossary
from rag.settings import Settings, home
from rag.store import Late, Store
from rag.types import Article, Chunk, Filters, Language, Said, Vectors

FORMAT: Final = 3
"""Layout of the files below index/; raised with every change that older code could not read."""
MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a build holds and by what it was made."""

    format: int
    build: str
    """Name of the build's folder."""
    created: str
    """ISO time, UTC."""
    model: str
    """Identity of the embedder."""
    dimension: int
    chunker: str
    """Version of the sentence and chunk rules, with their size setting."""
    words: int
    """Version of the index terms."""
    corpus: str
    """SHA-256 over ids and digests of all articles and over the glossary."""
    articles: int
    chunks: int
    sentences: int
    newest: str | None
    """ISO date of the newest article."""
    base: str
    """Name of the whole build whose vectors are used; `build` itself where it is one."""
    base_created: str
    base_chunks: int
    """Chunks in the base, those included that have gone since; their rows are 0 to this."""
    base_sentences: int
    late_chunks: int
    """Chunks that came after the base, those included that went again; their rows follow."""
    late_sentences: int

    @property
    def identity(self) -> str:
        """Names this state of the index in answers: 16 hex digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    @property
    def newest_date(self) -> date | None:
        return date.fromisoformat(self.newest) if self.newest else None

    @property
    def age(self) -> float:
        """Seconds since the build."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.created)).total_seconds()


class Index:
    """One build opened for reading.

    Args:
        settings: names the folder.
        model: identity of the embedder.
        before: an index of this folder that is open already; what has not changed since is not opened again.

    Raises:
        IndexMissing, IndexMismatch, IndexDamaged: with the command that repairs it.
    """

    manifest: Manifest
    catalog: Catalog
    late: Late
    store: Store

    def __init__(self, settings: Settings, model: str, before: Index | None = None) -> None:
        while True:
            manifest = read_manifest(settings)
            require_match(manifest, settings, model)
            try:
                self._open(settings, manifest, before)
                return
            except IndexDamaged as error:
                # two builds may have come since the manifest was read, and the second removes what it named
                if read_manifest(settings) == manifest:
                    raise IndexDamaged(error.message, f"Rebuild it with `{command(settings, '--fresh')}`.") from error

    def _open(self, settings: Settings, manifest: Manifest, before: Index | None) -> None:
        self.manifest = manifest
        folder, base = settings.index / manifest.build, settings.index / manifest.base
        for needed in (folder, base):
            if not needed.is_dir():
                raise IndexDamaged(f"{needed} is missing.")
        self.catalog = Catalog(folder)
        self.late = open_late(settings, manifest)
        if before is not None and before._base == self._base:
            self.store = before.store
        else:
            self.store = Store(
                base, chunks=manifest.base_chunks, sentences=manifest.base_sentences, dimension=manifest.dimension
            )

    @property
    def _base(self) -> tuple[str, str]:
        return self.manifest.base, self.manifest.base_created

    @property
    def glossary(self) -> Glossary:
        return self.catalog.glossary

    def nearest(self, vector: Vectors, k: int, language: Language, filters: Filters) -> list[tuple[int, float]]:
        found = self.store.search(vector, k, language, filters, self.catalog.gone)
        if self.manifest.late_chunks:
            rows = self.catalog.rows_from(self.manifest.base_chunks, language, filters)
            found += zip(rows, map(float, self.cosines(vector, rows)), strict=True)
            found.sort(key=lambda one: (-one[1], one[0]))
        return found[:k]

    def cosines(self, vector: Vectors, rows: Sequence[int]) -> Vectors:
        base = self.manifest.base_chunks
        if all(row < base for row in rows):
            return self.store.cosines(vector, rows)
        early = [row for row in rows if row < base]
        known = dict(zip(early, self.store.cosines(vector, early), strict=True))
        return np.asarray([known[r] if r < base else self.late.chunks[r - base] @ vector for r in rows], np.float32)

    def sentence_cosines(self, vector: Vectors, first: int, count: int) -> Vectors:
        base = self.manifest.base_sentences
        if first < base:
            return self.store.sentence_cosines(vector, first, count)
        return np.asarray(self.late.sentences[first - base : first - base + count] @ vector, np.float32)

    def sentence_vectors(self, first: int, count: int) -> Vectors:
        base = self.manifest.base_sentences
        if first < base:
            return self.store.sentence_vectors(first, count)
        return np.asarray(self.late.sentences[first - base : first - base + count], np.float32)

    def by_words(
        self, query: Sequence[str], concepts: Sequence[str], language: Language, k: int, filters: Filters
    ) -> list[tuple[int, float]]:
        return self.catalog.search(query, concepts, language, k, filters)

    def chunks(self, rows: Sequence[int]) -> dict[int, tuple[Chunk, int]]:
        return self.catalog.chunks(rows)

    def said(self, rows: Sequence[int]) -> dict[int, tuple[list[Said], Said, Said]]:
        return self.catalog.said(rows)

    def article(self, identity: str) -> Article | None:
        return self.catalog.article(identity)

    @property
    def size(self) -> int:
        return self.manifest.chunks

    def chunks_in(self, language: Language) -> int:
        return self.catalog.chunks_in(language)

    def frequency(self, term: str, language: Language) -> int:
        return self.catalog.document_frequency(term, language)

    def audit(self) -> list[str]:
        """Chunk ids that a search for their own vector does not find: empty for a sound index."""
        lost = self.store.audit(self.catalog.gone)
        for row in self.catalog.rows_from(self.manifest.base_chunks, None, Filters()):
            chunk, _ = self.chunks([row])[row]
            article = self.article(chunk.article)
            vector = self.late.chunks[row - self.manifest.base_chunks]
            if article is None or row not in dict(self.nearest(vector, 10, article.language, Filters())):
                lost.append(chunk.id)
        return lost

    def close(self) -> None:
        """Let go of the files. Answers that are being made from this build must be finished.

        An index that is simply dropped lets go of them with its last use.
        """
        self.catalog.close()
        self.store.close()


def open_late(settings: Settings, manifest: Manifest) -> Late:
    """What came after the base of a build.

    Raises:
        IndexDamaged: files are missing or do not fit the manifest.
    """
    folder = settings.index / manifest.build if manifest.build != manifest.base else None
    return Late(folder, chunks=manifest.late_chunks, sentences=manifest.late_sentences, dimension=manifest.dimension)


def read_manifest(settings: Settings) -> Manifest:
    """The manifest of the current build.

    Raises:
        IndexMissing: nothing has been built.
        IndexDamaged: the file cannot be understood.
    """
    path = settings.index / MANIFEST
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise IndexMissing(f"There is no index in {settings.index}.", f"Build it with `{command(settings)}`.") from None
    except (OSError, ValueError) as error:
        raise IndexDamaged(
            f"{path} cannot be read: {error}.", f"Rebuild it with `{command(settings, '--fresh')}`."
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise IndexMismatch(
            f"The index in {settings.index} has another format than this version of Chipdesk reads.",
            f"Rebuild it with `{command(settings, '--fresh')}`.",
        )
    names = {field.name for field in fields(Manifest)}
    folders = [str(content.get(name)) for name in ("build", "base")]
    if content.keys() != names or not all(re.fullmatch(r"build-\d{6}", folder) for folder in folders):
        raise IndexDamaged(f"{path} is not a manifest.", f"Rebuild it with `{command(settings, '--fresh')}`.")
    return Manifest(**content)


def require_match(manifest: Manifest, settings: Settings, model: str) -> None:
    """Raises IndexMismatch where the index was made by another model or by other rules than these settings use."""
    for name, built, now in (
        ("embedding model", manifest.model, model),
        ("chunker", manifest.chunker, chunker(settings)),
        ("index terms", manifest.words, words.VERSION),
    ):
        if built != now:
            raise IndexMismatch(
                f"The index in {settings.index} was built with {name} {built!r}, the settings say {now!r}.",
                f"Rebuild it with `{command(settings)}`, or set it back.",
            )


def write_manifest(settings: Settings, manifest: Manifest) -> None:
    """Make `manifest` the current one, in one step that survives a power cut."""
    write_whole(settings.index / MANIFEST, json.dumps(asdict(manifest), indent=1).encode())


@contextmanager
def building(settings: Settings, *, patience: float = 0.0) -> Iterator[None]:
    """Be the one process that builds in this folder.

    Args:
        patience: seconds to wait for another one to finish.

    Raises:
        IndexBusy: another process is building.
        SettingsError: the folder cannot be made.
        DiskError: something could not be written; the current build is what it was.
    """
    try:
        settings.index.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"{settings.index} cannot be the index: {error.strerror}.", "Name a folder with --index DIR."
        ) from error
    lock = filelock.FileLock(settings.index / ".lock")
    try:
        lock.acquire(timeout=patience)
    except filelock.Timeout:
        raise IndexBusy(
            f"Another process is building in {settings.index}.", "Wait until it is done and try again."
        ) from None
    try:
        with writing(settings.index):
            yield
    except BaseException:
        _drop_unfinished(settings)
        raise
    finally:
        lock.release()


def _drop_unfinished(settings: Settings) -> None:
    """Remove what a failed build wrote: on a full disk the next one needs the room."""
    try:
        current = read_manifest(settings).build
    except ChipdeskError:
        return  # nothing says which build counts: the next one sorts it out
    for folder in settings.index.glob("build-*"):
        if folder.name > current:
            shutil.rmtree(folder, ignore_errors=True)


def new_build(settings: Settings, current: Manifest | None) -> Path:
    """An empty folder for a new build; leftovers of killed builds and builds older than the current one go."""
    numbers = [0]
    for folder in settings.index.glob("build-*"):
        if current is None or folder.name not in (current.build, current.base):
            shutil.rmtree(folder, ignore_errors=True)
        if match := re.fullmatch(r"build-(\d{6})", folder.name):
            numbers.append(int(match[1]))
    folder = settings.index / f"build-{max(numbers) + 1:06d}"
    folder.mkdir()
    return folder


def chunker(settings: Settings) -> str:
    return f"{chunk.VERSION}/{settings.chunk_chars}"


def command(settings: Settings, *options: str) -> str:
    """The `chipdesk build` command for these folders, for messages."""
    parts = ["chipdesk build"]
    for name, value in (("corpus", settings.corpus), ("index", settings.index)):
        if value != home() / name:
            parts.append(f"--{name} {shlex.quote(str(value))}")
    return " ".join([*parts, *options])


def as_json(manifest: Manifest) -> dict[str, Any]:
    return asdict(manifest) | {"identity": manifest.identity}
