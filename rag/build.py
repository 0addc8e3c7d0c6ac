"""The ingestion line: read -> chunk -> embed -> store. This file is its table of contents.

Every build is made in a folder of its own and then becomes the current one in a single step. Where little changed since
the last one, it is an update: only files that look different are read, only text that was never embedded before is
embedded, and the vectors of the last whole build stay where they are. Kill it whenever you like and run it again; nothing
is lost and nothing is doubled, and an updated index holds what a whole build would.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from rag import words
from rag.catalog import Catalog, update_catalog, write_catalog
from rag.chunk import chunk
from rag.dates import written
from rag.embed import open_embedder
from rag.errors import ArticleError, ChipdeskError, IndexDamaged
from rag.glossary import Glossary, read_glossary
from rag.index import FORMAT, Manifest, building, chunker, new_build, open_late, read_manifest, write_manifest
from rag.memory import Memory
from rag.read import File, Scan, scan_corpus
from rag.settings import Settings
from rag.store import write_late, write_store
from rag.types import Article, Chunk, Embedder

MOST_LATE: Final = 2_000
"""Chunks that are searched one by one, and those of the base that are gone; beyond it a whole build is made. 1,000 briefs:
1 ms in a search, 20 MB to copy with every update."""
LEAST_LATE: Final = 64
"""As many of them are fine beside any base; beside a small one no more than it has itself."""
Progress = Callable[[str, int, int], None]
"""Called with (stage, finished, total) as a build goes on; stages are "embed" and "store"."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a build did."""

    manifest: Manifest
    changed: bool
    """False where the index was already up to date."""
    added: int
    updated: int
    removed: int
    problems: tuple[ArticleError, ...]
    """Files that were skipped, and why."""


def build(
    settings: Settings,
    *,
    fresh: bool = False,
    embedder: Embedder | None = None,
    progress: Progress | None = None,
    patience: float = 0.0,
) -> Report:
    """Bring the index up to date with the corpus.

    Args:
        settings: names corpus, index and model.
        fresh: rebuild even if nothing changed, without remembered vectors.
        embedder: used instead of the one the settings name (a running server passes its own).
        progress: told how far it is.
        patience: seconds to wait for another process that is building.

    Raises:
        CorpusError: the corpus folder cannot be read. A single bad file is no error: see `Report.problems`.
        IndexBusy: another process is building.
        DiskError: it could not be written; the index is what it was.
        ModelError: the embedding model cannot be loaded.
    """
    embedder = embedder or open_embedder(settings)
    progress = progress or _silent
    with building(settings, patience=patience):
        glossary, wrong_entries = read_glossary(settings.glossary)
        before = _current(settings)
        last = None if before is None or fresh else _Last.open(settings, before, embedder, glossary)
        try:
            scan = _scan(settings, last.files if last else {})
            if last:
                digest = _digest(scan.files.values(), glossary)
                if digest == last.manifest.corpus:
                    return Report(last.manifest, False, 0, 0, 0, (*scan.problems, *wrong_entries))
                changed = _changed(scan, last.files)
                if (manifest := _update(settings, embedder, progress, last, scan, changed, glossary)) is not None:
                    return _report(manifest, last.files, scan, wrong_entries)
                scan = _scan(settings, {})
            manifest = _build_whole(settings, embedder, progress, before, scan, glossary, fresh=fresh)
            return _report(manifest, _files(settings, before), scan, wrong_entries)
        finally:
            if last:
                last.catalog.close()


def _build_whole(
    settings: Settings,
    embedder: Embedder,
    progress: Progress,
    before: Manifest | None,
    scan: Scan,
    glossary: Glossary,
    *,
    fresh: bool,
) -> Manifest:
    """Everything from the files; `scan` has opened all of them."""
    # chunk; what was withdrawn stays readable but is not quoted
    articles = {identity: scan.articles[identity] for identity in sorted(scan.articles)}
    made = _made_of(articles.values(), settings)

    # embed
    with Memory(settings.index, embedder) as memory:
        if fresh:
            memory.forget_all_but(())
        vectors = memory.passages(made.texts, _counter(progress, "embed", len(made.texts)))
        memory.forget_all_but(made.texts)

    # store
    folder = new_build(settings, before)
    split = len(made.chunks)
    write_catalog(folder, articles.values(), made.chunks, made.first_rows, glossary, scan.files)
    write_store(folder, made.chunks, articles, vectors[:split], vectors[split:], _counter(progress, "store", split))
    created = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = Manifest(
        format=FORMAT,
        build=folder.name,
        created=created,
        model=embedder.identity,
        dimension=int(vectors.shape[1]),
        chunker=chunker(settings),
        words=words.VERSION,
        corpus=_digest(scan.files.values(), glossary),
        articles=len(articles),
        chunks=split,
        sentences=made.sentences,
        newest=max(article.published for article in articles.values()).isoformat() if articles else None,
        base=folder.name,
        base_created=created,
        base_chunks=split,
        base_sentences=made.sentences,
        late_chunks=0,
        late_sentences=0,
    )
    write_manifest(settings, manifest)
    return manifest


def _update(
    settings: Settings,
    embedder: Embedder,
    progress: Progress,
    last: _Last,
    scan: Scan,
    changed: _Changed,
    glossary: Glossary,
) -> Manifest | None:
    """Only what changed, beside the vectors of the last whole build; None where it is time for a whole build again."""
    before = last.manifest
    # chunk
    articles = {identity: scan.articles[identity] for identity in sorted(changed.written)}
    made = _made_of(articles.values(), settings)
    late_chunks = before.late_chunks + len(made.chunks)
    if late_chunks + len(last.catalog.gone) > max(LEAST_LATE, min(MOST_LATE, before.base_chunks)):
        return None
    try:
        late = open_late(settings, before)
    except IndexDamaged:
        return None

    # embed
    with Memory(settings.index, embedder) as memory:
        vectors = memory.passages(made.texts, _counter(progress, "embed", len(made.texts)))

    # store
    folder = new_build(settings, before)
    split = len(made.chunks)
    rows = range(before.base_chunks + before.late_chunks, before.base_chunks + late_chunks)
    first_rows = [before.base_sentences + before.late_sentences + row for row in made.first_rows]
    try:
        went_chunks, went_sentences = update_catalog(
            settings.index / before.build,
            folder,
            changed.removed,
            list(articles.values()),
            list(zip(rows, made.chunks, strict=True)),
            first_rows,
            glossary,
            scan.files,
        )
        catalog = Catalog(folder)
        try:
            span = catalog.span()
        finally:
            catalog.close()
    except sqlite3.OperationalError:
        raise  # a full or locked disk is no damage
    except (sqlite3.DatabaseError, IndexDamaged):
        return None  # the catalogue before is damaged
    write_late(folder, late, vectors[:split], vectors[split:])
    _counter(progress, "store", split)(split)
    manifest = replace(
        before,
        build=folder.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        corpus=_digest(scan.files.values(), glossary),
        articles=len(scan.files),
        chunks=before.chunks - went_chunks + split,
        sentences=before.sentences - went_sentences + made.sentences,
        newest=span[1].isoformat() if span else None,
        late_chunks=late_chunks,
        late_sentences=before.late_sentences + made.sentences,
    )
    write_manifest(settings, manifest)
    return manifest


def is_current(settings: Settings) -> bool:
    """Whether the index is there and was made from the corpus as it stands, by these settings.

    Raises:
        CorpusError: the corpus folder cannot be read.
    """
    before = _current(settings)
    scan = _scan(settings, {})
    glossary, _ = read_glossary(settings.glossary)
    fits = before is not None and _fits(before, settings, open_embedder(settings))
    return fits and before is not None and before.corpus == _digest(scan.files.values(), glossary)


def passage(article: Article, part: Chunk) -> str:
    """What is embedded for a chunk: its text after the article's title and date, which are not part of any quote.

    The paragraph that explains a cause often lacks the name that is asked about; the title has it.
    """
    day = written(article.published, article.language, article.precision)
    return f"{article.title} ({day}): {_flat(article.text[part.start : part.end])}"


def sentences_of(article: Article, part: Chunk) -> list[str]:
    """What is embedded for each sentence of a chunk: the sentence alone.

    With the title before it the sentences of one article become too alike to choose among: the best one was right for .54
    of the development questions with the title and for .57 without (three best: .76 and .82).
    """
    return [_flat(article.text[span.start : span.end]) for span in part.sentences]


def _flat(text: str) -> str:
    """On one line. The model never saw line breaks in training, and its two engines treat them differently: with them
    their vectors agree to .995, without to .9999 (cosine, 90 texts of the corpus).
    """
    return " ".join(text.split())


def _current(settings: Settings) -> Manifest | None:
    try:
        return read_manifest(settings)
    except ChipdeskError:
        return None  # missing, older or damaged: all are reasons to build, none to stop


@dataclass(frozen=True, slots=True)
class _Last:
    """The current build, where it can be updated."""

    manifest: Manifest
    catalog: Catalog
    files: dict[str, File]

    @classmethod
    def open(cls, settings: Settings, manifest: Manifest, embedder: Embedder, glossary: Glossary) -> _Last | None:
        """None where its model, rules or glossary are others, or where it is damaged."""
        if not _fits(manifest, settings, embedder):
            return None
        try:
            catalog = Catalog(settings.index / manifest.build)
        except IndexDamaged:
            return None
        try:
            if catalog.glossary.entries == glossary.entries:
                return cls(manifest, catalog, catalog.files())
        except sqlite3.DatabaseError:
            pass  # damaged: the same as another glossary, built again
        catalog.close()
        return None


@dataclass(frozen=True, slots=True)
class _Changed:
    """Ids of articles: what is new or says something else than in the build before, and what is no more."""

    written: frozenset[str]
    removed: frozenset[str]


def _changed(scan: Scan, files: Mapping[str, File]) -> _Changed:
    before = {file.article: file.digest for file in files.values()}
    now = {file.article: file.digest for file in scan.files.values()}
    written = frozenset(identity for identity, digest in now.items() if before.get(identity) != digest)
    return _Changed(written, frozenset(before.keys() - now.keys()))


@dataclass(frozen=True, slots=True)
class _Made:
    """What articles are made into."""

    chunks: list[Chunk]
    texts: list[str]
    """What is embedded: a passage for each chunk, then all sentences."""
    first_rows: list[int]
    """For each chunk the position of its first sentence among the sentences."""

    @property
    def sentences(self) -> int:
        return len(self.texts) - len(self.chunks)


def _made_of(articles: Iterable[Article], settings: Settings) -> _Made:
    """Chunks and texts of the articles; what was withdrawn stays readable but is not quoted."""
    chunks: list[Chunk] = []
    passages: list[str] = []
    sentences: list[str] = []
    first_rows: list[int] = []
    for article in articles:
        for part in chunk(article, chunk_chars=settings.chunk_chars) if article.status != "withdrawn" else ():
            chunks.append(part)
            passages.append(passage(article, part))
            first_rows.append(len(sentences))
            sentences += sentences_of(article, part)
    return _Made(chunks, passages + sentences, first_rows)


def _scan(settings: Settings, known: Mapping[str, File]) -> Scan:
    return scan_corpus(settings.corpus, most_bytes=settings.article_bytes, known=known)


def _files(settings: Settings, before: Manifest | None) -> dict[str, File]:
    """What the build before held; nothing where it cannot be read any more."""
    if before is None:
        return {}
    try:
        catalog = Catalog(settings.index / before.build)
    except IndexDamaged:
        return {}
    try:
        return catalog.files()
    except sqlite3.DatabaseError:
        return {}
    finally:
        catalog.close()


def _report(
    manifest: Manifest, before: Mapping[str, File], scan: Scan, wrong_entries: Iterable[ArticleError]
) -> Report:
    changed = _changed(scan, before)
    known = {file.article for file in before.values()}
    return Report(
        manifest,
        True,
        added=len(changed.written - known),
        updated=len(changed.written & known),
        removed=len(changed.removed),
        problems=(*scan.problems, *wrong_entries),
    )


def _fits(manifest: Manifest, settings: Settings, embedder: Embedder) -> bool:
    """Whether a build is complete and made by the same model and rules."""
    made_by = (manifest.model, manifest.chunker, manifest.words)
    complete = all((settings.index / name).is_dir() for name in (manifest.build, manifest.base))
    return complete and made_by == (embedder.identity, chunker(settings), words.VERSION)


def _digest(files: Iterable[File], glossary: Glossary) -> str:
    parts = sorted(f"{file.article} {file.digest}" for file in files) + [repr(entry) for entry in glossary.entries]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _silent(_stage: str, _done: int, _total: int) -> None:
    """For callers that do not want to know."""


def _counter(progress: Progress, stage: str, total: int) -> Callable[[int], None]:
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        progress(stage, done, total)

    return count
