"""What an article said before: every version that was replaced or marked stays readable.

    corpus/versions/ID/0001.md      the file as it was, byte for byte; the highest number is the last but one version

The old version is written before the article's file changes: a kill leaves one version too many at worst, never one too
few, and a version that equals the one before it is not written again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, Literal

from rag.add import as_markdown, existing
from rag.errors import ArticleError, UnknownArticle
from rag.files import write_whole
from rag.read import is_id, read_article, read_corpus
from rag.settings import Settings
from rag.types import Article

FOLDER: Final = "versions"


@dataclass(frozen=True, slots=True)
class Correction:
    """One article that is no longer what it was."""

    id: str
    title: str
    status: str
    reason: str | None
    since: date | None
    versions: int
    """How many older versions can be read."""
    changed: date | None = None
    """The day it was marked or last replaced, whichever is later. The day of a replacement is that of the older version's file:
    after a fresh checkout it is too late rather than too early."""


def mark(settings: Settings, identity: str, status: Literal["corrected", "withdrawn"], reason: str) -> Article:
    """Say of an article that it was corrected or withdrawn, today. Takes effect with the next build, which has nothing to
    embed and takes less than a second.

    Raises:
        UnknownArticle: the corpus has none of that id.
        ArticleError: its file cannot be kept.
    """
    there = existing(settings, identity)
    if there is None:
        raise UnknownArticle(f"There is no article {identity!r} in {settings.corpus}.")
    path, article = there
    changed = dataclasses.replace(article, status=status, reason=reason, since=datetime.now(UTC).date())
    content = as_markdown(changed).encode()
    written = read_article(path, most_bytes=settings.article_bytes, content=content)
    keep(settings, identity, path)
    write_whole(path, content)
    return written


def keep(settings: Settings, identity: str, path: Path) -> None:
    """Keep what `path` holds now as an older version of the article."""
    content = path.read_bytes()
    older = versions(settings, identity)
    if older and older[-1].read_bytes() == content:
        return
    write_whole(settings.corpus / FOLDER / identity / f"{len(older) + 1:04d}.md", content)


def versions(settings: Settings, identity: str) -> list[Path]:
    """The older versions of an article, oldest first."""
    return sorted((settings.corpus / FOLDER / identity).glob("[0-9]*.md"))


def older(settings: Settings, identity: str) -> list[Article | None]:
    """The older versions as articles, oldest first; None for one that cannot be read, or all of what is no id."""
    if not is_id(identity):
        return []
    found: list[Article | None] = []
    for path in versions(settings, identity):
        try:
            found.append(read_article(path, most_bytes=settings.article_bytes))
        except ArticleError:
            found.append(None)
    return found


def corrections(
    settings: Settings, articles: Iterable[Article] | None = None, *, since: date | None = None
) -> list[Correction]:
    """All articles that were corrected, withdrawn or replaced, the latest first.

    Args:
        settings: names the corpus.
        articles: to look through; without them the corpus is read.
        since: only what changed on that day or later.

    Raises:
        CorpusError: the corpus cannot be read.
    """
    if articles is None:
        articles = read_corpus(settings.corpus, most_bytes=settings.article_bytes).articles
    told = []
    for article in articles:
        kept = versions(settings, article.id)
        if article.status == "current" and not kept:
            continue
        replaced = datetime.fromtimestamp(kept[-1].stat().st_mtime, UTC).date() if kept else None
        changed = max((day for day in (article.since, replaced) if day), default=None)
        if since is None or (changed is not None and changed >= since):
            about = (article.id, article.title, article.status, article.reason, article.since)
            told.append(Correction(*about, len(kept), changed))
    return sorted(told, key=lambda one: (one.changed or date.min, one.id), reverse=True)
