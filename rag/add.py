"""A user's own article into the corpus: read what is there, derive what is missing, write it in the corpus format."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

from rag.errors import ArticleError
from rag.read import Known, article_files, read_article, read_topics
from rag.settings import Settings
from rag.types import Article


@dataclass(frozen=True, slots=True)
class Added:
    """One article that is now in the corpus."""

    article: Article
    path: Path
    new: bool
    """False where the same text was there already and nothing was written."""


def add(settings: Settings, path: Path, known: Known, *, replace: bool = False) -> Added:
    """Put one .md or .txt file into the corpus. The index is not touched: build afterwards.

    Args:
        settings: names the corpus; its folder is made if it does not exist.
        path: the file to take in; it stays where it is.
        known: what the user says about it; wins over the file's front matter and over what is derived.
        replace: overwrite an article with the same id but another text or other metadata.

    Raises:
        ArticleError: the file cannot be used, its id is taken by another text, or another file is in its place.
        CorpusError: the corpus' topic vocabulary cannot be read.
    """
    topics = read_topics(settings.corpus)
    article = read_article(path, most_bytes=settings.article_bytes, known=known, topics=topics)
    target = settings.corpus / "articles" / f"{article.published.year:04d}" / f"{article.id}.md"
    there = _existing(settings, article.id)
    if there is not None:
        target, old = there
        if _agree(old, article) or (old.text == article.text and not replace):
            return Added(old, target, new=False)
        if not replace:
            raise ArticleError(
                path,
                f"{article.id!r} is the id of another article ({target}); use --id, or --replace to overwrite it",
                field="id",
            )
    elif os.path.lexists(target):
        raise ArticleError(
            path, f"{target} is in its place and is not the article {article.id!r}; mend or move that file", field="id"
        )
    return Added(_write(settings, path, article, target), target, new=True)


def _agree(one: Article, other: Article) -> bool:
    """Whether two articles say the same in every field; their files may be written differently."""
    return dataclasses.replace(one, digest=other.digest) == other


def _write(settings: Settings, path: Path, article: Article, target: Path) -> Article:
    """The article in the corpus, whole or not at all: it is read back before it takes its place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.new")
    try:
        scratch.write_text(as_markdown(article), "utf-8")
        written = _read_back(scratch, settings.article_bytes, path, article)
        scratch.replace(target)
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
        f"language: {article.language}",
        f"title: {_quoted(article.title)}",
        f"published: {article.published.isoformat()}",
    ]
    if article.precision != "day":
        head.append(f"date_precision: {article.precision}")
    head.append(f"topics: [{', '.join(map(_quoted, article.topics))}]")
    head.append(f"entities: [{', '.join(map(_quoted, article.entities))}]")
    head.append(f"status: {article.status}")
    if article.sources:
        head.append("sources:")
    for source in article.sources:
        fields = [("publisher", source.publisher), ("title", source.title), ("url", source.url),
                  ("published", source.published), ("language", source.language)]  # fmt: skip
        given = [f"{name}: {_quoted(value)}" for name, value in fields if value]
        head.append("  - {" + ", ".join(given) + "}")
    return "\n".join([*head, "---", _marked(article), ""])


def _existing(settings: Settings, identity: str) -> tuple[Path, Article] | None:
    if not settings.corpus.is_dir():
        return None
    for path in article_files(settings.corpus):
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
