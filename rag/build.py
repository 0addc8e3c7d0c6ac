"""The ingestion line: read -> chunk -> embed -> store. This file is its table of contents.

Every build is made whole in a folder of its own and then becomes the current one in a single step. What makes it
incremental is the memory of vectors: only text that was never embedded before is embedded. Kill it whenever you like and
run it again; nothing is lost and nothing is doubled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from rag import words
from rag.catalog import Catalog, write_catalog
from rag.chunk import chunk
from rag.dates import written
from rag.embed import open_embedder
from rag.errors import ArticleError, ChipdeskError
from rag.glossary import Glossary, read_glossary
from rag.index import FORMAT, Manifest, building, chunker, new_build, read_manifest, write_manifest
from rag.memory import Memory
from rag.read import read_corpus
from rag.settings import Settings
from rag.store import write_store
from rag.types import Article, Chunk, Embedder

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
    settings: Settings, *, fresh: bool = False, embedder: Embedder | None = None, progress: Progress | None = None
) -> Report:
    """Bring the index up to date with the corpus.

    Args:
        settings: names corpus, index and model.
        fresh: rebuild even if nothing changed, without remembered vectors.
        embedder: used instead of the one the settings name (a running server passes its own).
        progress: told how far it is.

    Raises:
        CorpusError: the corpus folder cannot be read. A single bad file is no error: see `Report.problems`.
        IndexBusy: another process is building.
        DiskError: it could not be written; the index is what it was.
        ModelError: the embedding model cannot be loaded.
    """
    embedder = embedder or open_embedder(settings)
    progress = progress or _silent
    with building(settings):
        # read
        corpus = read_corpus(settings.corpus, most_bytes=settings.article_bytes)
        glossary, wrong_entries = read_glossary(settings.glossary)
        problems = (*corpus.problems, *wrong_entries)
        before = _current(settings)
        digests = _digests(settings, before)
        digest = _digest(corpus.articles, glossary)
        if before and not fresh and _up_to_date(before, settings, embedder, digest):
            return Report(before, False, 0, 0, 0, problems)

        # chunk; what was withdrawn stays readable but is not quoted
        chunks = [
            part
            for article in corpus.articles
            if article.status != "withdrawn"
            for part in chunk(article, chunk_chars=settings.chunk_chars)
        ]
        articles = {article.id: article for article in corpus.articles}
        first_rows = np.cumsum([0, *(len(part.sentences) for part in chunks)])[:-1].tolist()

        # embed
        passages = [passage(articles[part.article], part) for part in chunks]
        sentences = [text for part in chunks for text in sentences_of(articles[part.article], part)]
        texts = passages + sentences
        with Memory(settings.index, embedder) as memory:
            if fresh:
                memory.forget_all_but(())
            vectors = memory.passages(texts, _counter(progress, "embed", len(texts)))
            memory.forget_all_but(texts)

        # store
        folder = new_build(settings, before)
        write_catalog(folder, corpus.articles, chunks, first_rows, glossary)
        split = len(chunks)
        write_store(
            folder, chunks, articles, vectors[:split], vectors[split:], _counter(progress, "store", len(chunks))
        )
        manifest = Manifest(
            format=FORMAT,
            build=folder.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            model=embedder.identity,
            dimension=int(vectors.shape[1]),
            chunker=chunker(settings),
            words=words.VERSION,
            corpus=digest,
            articles=len(articles),
            chunks=len(chunks),
            sentences=len(sentences),
            newest=max(article.published for article in corpus.articles).isoformat() if articles else None,
        )
        write_manifest(settings, manifest)
    now = {article.id: article.digest for article in corpus.articles}
    return Report(
        manifest,
        True,
        added=len(now.keys() - digests.keys()),
        updated=sum(digests[key] != now[key] for key in now.keys() & digests.keys()),
        removed=len(digests.keys() - now.keys()),
        problems=problems,
    )


def is_current(settings: Settings) -> bool:
    """Whether the index is there and was made from the corpus as it stands, by these settings.

    Raises:
        CorpusError: the corpus folder cannot be read.
    """
    before = _current(settings)
    corpus = read_corpus(settings.corpus, most_bytes=settings.article_bytes)
    glossary, _ = read_glossary(settings.glossary)
    digest = _digest(corpus.articles, glossary)
    return before is not None and _up_to_date(before, settings, open_embedder(settings), digest)


def passage(article: Article, part: Chunk) -> str:
    """What is embedded for a chunk: its text after the article's title and date, which are not part of any quote.

    The paragraph that explains a cause often lacks the name that is asked about; the title has it.
    """
    day = written(article.published, article.language, article.precision)
    return f"{article.title} ({day}): {article.text[part.start : part.end]}"


def sentences_of(article: Article, part: Chunk) -> list[str]:
    """What is embedded for each sentence of a chunk: the sentence alone.

    With the title before it the sentences of one article become too alike to choose among: the best one was right for .54
    of the development questions with the title and for .57 without (three best: .76 and .82).
    """
    return [article.text[span.start : span.end] for span in part.sentences]


def _current(settings: Settings) -> Manifest | None:
    try:
        return read_manifest(settings)
    except ChipdeskError:
        return None  # missing, older or damaged: all are reasons to build, none to stop


def _digests(settings: Settings, before: Manifest | None) -> dict[str, str]:
    if before is None:
        return {}
    try:
        catalog = Catalog(settings.index / before.build)
    except ChipdeskError:
        return {}
    try:
        return catalog.digests()
    finally:
        catalog.close()


def _up_to_date(manifest: Manifest, settings: Settings, embedder: Embedder, digest: str) -> bool:
    made_by = (manifest.model, manifest.chunker, manifest.words, manifest.corpus)
    complete = (settings.index / manifest.build).is_dir()
    return complete and made_by == (embedder.identity, chunker(settings), words.VERSION, digest)


def _digest(articles: Sequence[Article], glossary: Glossary) -> str:
    parts = [f"{article.id} {article.digest}" for article in articles] + [repr(entry) for entry in glossary.entries]
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
