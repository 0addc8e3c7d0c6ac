"""A user's own article into the corpus: read what is there, derive what is missing, write it in the corpus format.

It may be a file (.md and .txt are read as they are, .html, .pdf and .docx are extracted), a folder of such, or an address.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import ArticleError, ExtractError
from rag.extract import SUFFIXES as EXTRACTED
from rag.extract import as_file, extract
from rag.files import move, write_whole
from rag.read import SUFFIXES, Known, article_files, may_hold, read_article, read_topics, without_language
from rag.settings import Settings
from rag.types import Article

if TYPE_CHECKING:
    from rag.fetch import Fetcher
    from rag.stories import Stories


@dataclass(frozen=True, slots=True)
class Added:
    """One article that is now in the corpus."""

    article: Article
    path: Path
    new: bool
    """False where the same text was there already and nothing was written."""


def add(
    settings: Settings,
    path: Path,
    known: Known,
    *,
    replace: bool = False,
    content: bytes | None = None,
    stories: Stories | None = None,
) -> Added:
    """Put one .md or .txt file into the corpus. The index is not touched: build afterwards.

    Args:
        settings: names the corpus; its folder is made if it does not exist.
        path: the file to take in; it stays where it is.
        known: what the user says about it; wins over the file's front matter and over what is derived.
        replace: overwrite an article with the same id but another text or other metadata.
        content: what `path` is taken to hold; without it the file is opened.
        stories: finds the story it belongs to where nothing names one; without it the article stands alone.

    Raises:
        ArticleError: the file cannot be used, its id is taken by another text, or another file is in its place.
        CorpusError: the corpus' topic vocabulary cannot be read.
    """
    topics = read_topics(settings.corpus)
    article = read_article(path, most_bytes=settings.article_bytes, known=known, topics=topics, content=content)
    target = settings.corpus / "articles" / f"{article.published.year:04d}" / f"{article.id}.md"
    there = existing(settings, article.id)
    if there is not None:
        target, old = there
        if stories is not None and not article.copy_of and article.event == without_language(article.id):
            # what was decided about it before holds
            article = dataclasses.replace(article, event=old.event, copy_of=old.copy_of)
        if _agree(old, article) or (old.text == article.text and not replace):
            return Added(old, target, new=False)
        if not replace:
            raise ArticleError(
                path,
                f"{article.id!r} is the id of another article ({target}); use --id, or --replace to overwrite it",
                field="id",
            )
        from rag.versions import keep  # which imports this file

        keep(settings, article.id, target)
    elif os.path.lexists(target):
        raise ArticleError(
            path, f"{target} is in its place and is not the article {article.id!r}; mend or move that file", field="id"
        )
    elif stories is not None:
        article = stories.placed(article, stories.near(article))
    added = Added(_write(settings, path, article, target), target, new=True)
    if stories is not None:
        stories.keep(added.article)
    return added


def add_file(
    settings: Settings, path: Path, known: Known, *, replace: bool = False, stories: Stories | None = None
) -> Added:
    """`add` for a file of any kind that is read.

    Raises:
        ArticleError, CorpusError: as `add` does.
        ExtractError: there is no article in it.
    """
    if path.suffix.lower() in SUFFIXES:
        return add(settings, path, known, replace=replace, stories=stories)
    if path.suffix.lower() not in EXTRACTED:
        raise ArticleError(path, f"is none of {', '.join((*SUFFIXES, *EXTRACTED))}; save its text as .txt")
    try:
        size = path.stat().st_size
        if size > settings.fetch_bytes:
            raise ArticleError(path, f"has {size:,} bytes, at most {settings.fetch_bytes:,} are read")
        content = path.read_bytes()
    except OSError as error:
        raise ArticleError(path, f"cannot be read: {error.strerror}") from error
    found = as_file(extract(content, str(path), url=known.url))
    return add(settings, path, known, replace=replace, content=found, stories=stories)


def add_page(
    settings: Settings,
    url: str,
    fetcher: Fetcher,
    known: Known,
    *,
    replace: bool = False,
    stories: Stories | None = None,
) -> Added:
    """`add` for an address: the page or document there is fetched and extracted.

    Raises:
        FetchError: it cannot be fetched.
        ExtractError: there is no article in it, or it cannot be kept.
        CorpusError: as `add` does.
    """
    page = fetcher.fetch(url)
    found = extract(page.content, page.url, url=page.url, charset=page.charset)
    # the page names itself as its source; what the user says replaces it
    found = dataclasses.replace(found, outlet=known.publisher or found.outlet, url=known.url or found.url)
    known = dataclasses.replace(known, publisher=None, url=None)
    try:
        name = named_after(found.title, page.url)
        return add(settings, name, known, replace=replace, content=as_file(found), stories=stories)
    except ArticleError as error:
        field = f"{error.field}: " if error.field else ""
        raise ExtractError(f"{page.url}: {field}{error.problem}.") from error


def named_after(title: str | None, url: str) -> Path:
    """A file name for a page that has none: its title, from which its id is made."""
    name = "".join(sign if sign.isalnum() else " " for sign in title or url.rstrip("/").rpartition("/")[2])
    return Path("-".join(name.split())[:60].rstrip("-") or "page").with_suffix(".html")


def files_of(paths: Iterable[Path]) -> Iterator[Path]:
    """The files among `paths`, and those in its folders that can be read; hidden ones are passed over."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for inner in sorted(path.rglob("*")):
            hidden = any(part.startswith(".") for part in inner.relative_to(path).parts)
            if not hidden and inner.is_file() and inner.suffix.lower() in (*SUFFIXES, *EXTRACTED):
                yield inner


def _agree(one: Article, other: Article) -> bool:
    """Whether two articles say the same in every field; their files may be written differently."""
    return dataclasses.replace(one, digest=other.digest) == other


def _write(settings: Settings, path: Path, article: Article, target: Path) -> Article:
    """The article in the corpus, whole or not at all: it is read back before it takes its place."""
    scratch = target.with_name(f".{target.name}.new")
    write_whole(scratch, as_markdown(article).encode())
    try:
        written = _read_back(scratch, settings.article_bytes, path, article)
        move(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)
    return written


def _read_back(scratch: Path, most_bytes: int, path: Path, article: Article) -> Article:
    """What was written; an error names `path`, the file that the user knows."""
    try:
        written = read_article(scratch, most_bytes=most_bytes)
    except ArticleError as error:
        raise ArticleError(path, f"cannot be kept in the corpus: {error.problem}", field=error.field) from error
    if not _agree(written, article):
        raise ArticleError(path, "would not read the same from the corpus; simplify its headings and footnote marks")
    return written


def as_markdown(article: Article) -> str:
    """The article in the corpus format; reading it back gives the same fields and the same text."""
    head = [
        "---",
        f"id: {article.id}",
        f"event: {_quoted(article.event)}",
        *([f"copy_of: {article.copy_of}"] if article.copy_of else []),
        f"language: {article.language}",
        f"title: {_quoted(article.title)}",
        f"published: {article.published.isoformat()}",
    ]
    if article.precision != "day":
        head.append(f"date_precision: {article.precision}")
    head.append(f"topics: [{', '.join(map(_quoted, article.topics))}]")
    head.append(f"entities: [{', '.join(map(_quoted, article.entities))}]")
    head.append(f"status: {article.status}")
    if article.reason:
        head.append(f"status_reason: {_quoted(article.reason)}")
    if article.since:
        head.append(f"status_date: {article.since.isoformat()}")
    if article.sources:
        head.append("sources:")
    for source in article.sources:
        fields = [("publisher", source.publisher), ("title", source.title), ("url", source.url),
                  ("published", source.published), ("language", source.language), ("author", source.author)]  # fmt: skip
        given = [f"{name}: {_quoted(value)}" for name, value in fields if value]
        head.append("  - {" + ", ".join(given) + "}")
    return "\n".join([*head, "---", _marked(article), ""])


def existing(settings: Settings, identity: str) -> tuple[Path, Article] | None:
    """The file and article of an id in the corpus, or None."""
    if not settings.corpus.is_dir():
        return None
    # a file named like it first, then those that may hold it: reading all of 40,000 takes a minute
    for path in sorted(article_files(settings.corpus), key=lambda path: path.stem != identity):
        if not may_hold(path, identity, most_bytes=settings.article_bytes):
            continue
        try:
            article = read_article(path, most_bytes=settings.article_bytes)
        except ArticleError:
            continue  # a broken neighbour is `check`'s business
        if article.id == identity:
            return path, article
    return None


def _marked(article: Article) -> str:
    """The text with its footnote marks put back."""
    text = article.text
    for mark in reversed(article.marks):
        numbers = "".join(f"[^{number + 1}]" for number in mark.sources)
        text = text[: mark.offset] + numbers + text[mark.offset :]
    return text


def _quoted(value: str) -> str:
    """A YAML string; JSON's quoting is valid YAML, and no value can be taken for a document separator."""
    return json.dumps(value, ensure_ascii=False)
