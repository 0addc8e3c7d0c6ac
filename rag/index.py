"""The index on disk: numbered builds, and one manifest that says which of them counts.

    index/
      manifest.json     what the current build holds and by what it was made; replaced in one step
      build-000007/     catalog.db, chroma/, sentences.npy: complete, never written to again
      vectors.db        remembered vectors
      .lock             held by the one process that builds

A build that is killed leaves a folder that no manifest names; the next build removes it. The build before the current
one is kept, because a running server may still be reading it.
"""

from __future__ import annotations

import hashlib
import json
import os
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

from rag import chunk, words
from rag.catalog import Catalog
from rag.errors import IndexBusy, IndexDamaged, IndexMismatch, IndexMissing, SettingsError
from rag.glossary import Glossary
from rag.settings import Settings, home
from rag.store import Store
from rag.types import Article, Chunk, Filters, Language, Said, Vectors

FORMAT: Final = 2
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

    Raises:
        IndexMissing, IndexMismatch, IndexDamaged: with the command that repairs it.
    """

    def __init__(self, settings: Settings, model: str) -> None:
        self.manifest = read_manifest(settings)
        require_match(self.manifest, settings, model)
        folder = settings.index / self.manifest.build
        if not folder.is_dir():
            raise IndexDamaged(f"{folder} is missing.", f"Rebuild it with `{command(settings, '--fresh')}`.")
        manifest = self.manifest
        try:
            self.catalog = Catalog(folder)
            self.store = Store(
                folder, chunks=manifest.chunks, sentences=manifest.sentences, dimension=manifest.dimension
            )
        except IndexDamaged as error:
            raise IndexDamaged(error.message, f"Rebuild it with `{command(settings, '--fresh')}`.") from error

    @property
    def glossary(self) -> Glossary:
        return self.catalog.glossary

    def nearest(self, vector: Vectors, k: int, language: Language, filters: Filters) -> list[tuple[int, float]]:
        return self.store.search(vector, k, language, filters)

    def cosines(self, vector: Vectors, rows: Sequence[int]) -> Vectors:
        return self.store.cosines(vector, rows)

    def sentence_cosines(self, vector: Vectors, first: int, count: int) -> Vectors:
        return self.store.sentence_cosines(vector, first, count)

    def sentence_vectors(self, first: int, count: int) -> Vectors:
        return self.store.sentence_vectors(first, count)

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

    def close(self) -> None:
        """Let go of the files. Answers that are being made from this build must be finished."""
        self.catalog.close()
        self.store.close()


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
    if content.keys() != names or not re.fullmatch(r"build-\d{6}", str(content["build"])):
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
    scratch = settings.index / f".{MANIFEST}.new"
    with scratch.open("w", encoding="utf-8") as file:
        json.dump(asdict(manifest), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(settings.index / MANIFEST)


@contextmanager
def building(settings: Settings) -> Iterator[None]:
    """Be the one process that builds in this folder.

    Raises:
        IndexBusy: another process is building.
        SettingsError: the folder cannot be made.
    """
    try:
        settings.index.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"{settings.index} cannot be the index: {error.strerror}.", "Name a folder with --index DIR."
        ) from error
    lock = filelock.FileLock(settings.index / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise IndexBusy(
            f"Another process is building in {settings.index}.", "Wait until it is done and try again."
        ) from None
    try:
        yield
    finally:
        lock.release()


def new_build(settings: Settings, current: Manifest | None) -> Path:
    """An empty folder for a new build; leftovers of killed builds and builds older than the current one go."""
    numbers = [0]
    for folder in settings.index.glob("build-*"):
        if current is None or folder.name != current.build:
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
