"""A user's own article into the corpus: read what is there, derive what is missing, write it in the corpus format."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rag.errors import ArticleError
from rag.read import Known, article_files, read_article
from rag.settings import Settings
from rag.types import Article


@dataclass(frozen=True, slots=True)
class Added:
    """One article that is now in the corpus."""

    article: Article
    path: Path
    new: bool
    """False where the same article was there already."""


def add(settings: Settings, path: Path, known: Known, *, replace: bool = False) -> Added:
    """Put one .md or .txt file into the corpus. The index is not touched: build afterwards.

    Args:
        settings: names the corpus; its folder is made if it does not exist.
        path: the file to take in; it stays where it is.
        known: what the user says about it; wins over the file's front matter and over what is derived.
        replace: overwrite an article with the same id but another text.

    Raises:
        ArticleError: the file cannot be used, or its id is taken by another text.
    """
    article = read_article(path, most_bytes=settings.article_bytes, known=known)
    target = settings.corpus / "articles" / f"{article.published.year:04d}" / f"{article.id}.md"
    there = _existing(settings, article.id)
    if there is not None:
        if there[1].text == article.text:
            return Added(there[1], there[0], new=False)
        if not replace:
            raise ArticleError(
                path,
                f"{article.id!r} is the id of another article ({there[0]}); use --id, or --replace to overwrite it",
                field="id",
            )
        target = there[0]
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.new")
    scratch.write_text(as_markdown(article), "utf-8")
    scratch.replace(target)  # whole or not at all
    return Added(read_article(target, most_bytes=settings.article_bytes), target, new=True)


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
