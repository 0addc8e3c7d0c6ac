"""The inbox: what feeds brought and a curator has not judged yet.

    corpus/inbox/
      ID.md            the article as it would stand in the corpus
      ID.json          where it came from, how surely it is on topic, what it resembles
      rejected.jsonl   addresses and texts that were turned down and do not come back
      feeds.json       how the feeds are doing (`rag.feeds`)

Accepting is one rename into `corpus/articles/`: before it the article is in the inbox, after it in the corpus, whenever
the program is killed. Rejecting writes the line first and removes the file then. Notes without an article are leftovers
of a kill; they are passed over, and go with the next article of that name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import filelock

from rag.add import as_markdown, named_after
from rag.duplicates import Near, fingerprint
from rag.errors import ArticleError, ExtractError, InboxError
from rag.extract import Extracted, as_file
from rag.files import append_line, move, write_whole
from rag.glossary import Glossary, read_glossary
from rag.read import Known, read_article, read_corpus, read_topics, without_language
from rag.relevance import relevance
from rag.settings import Settings
from rag.stories import Stories
from rag.types import Article

FOLDER: Final = "inbox"
REJECTED: Final = "rejected.jsonl"
LOCK_SECONDS: Final = 30.0
"""Longest wait for another process that works on the inbox; each step takes milliseconds."""
_TRACKING: Final = ("utm_", "wt_", "fbclid", "gclid", "mc_", "cmpid", "at_")

Outcome = Literal["new", "known", "rejected"]


@dataclass(frozen=True, slots=True)
class Item:
    """One article that waits for a judgement."""

    article: Article
    path: Path
    url: str
    feed: str
    collected: str
    """ISO time, UTC."""
    score: float
    """How surely it is about AI chips, 0..1."""
    near: tuple[Near, ...]
    """Articles of the corpus and of the inbox that it resembles."""


class Shelf:
    """What is known already, read once: texts and addresses of the corpus and the inbox, and what was rejected."""

    def __init__(self, settings: Settings) -> None:
        corpus = read_corpus(settings.corpus, most_bytes=settings.article_bytes).articles
        known = [*corpus, *(item.article for item in items(settings))]
        self._settings = settings
        self._articles = known
        self._prints = {article.id: fingerprint(article.text) for article in known}
        self._urls = {plain_url(s.url): article.id for article in known for s in article.sources if s.url}
        self._rejected = _rejected(settings)

    @cached_property
    def glossary(self) -> Glossary:
        return read_glossary(self._settings.glossary)[0]

    @cached_property
    def stories(self) -> Stories:
        return Stories(self._articles, self.glossary)

    def has_rejected(self, url: str) -> bool:
        return plain_url(url) in self._rejected

    def judge(self, article: Article, url: str) -> Outcome:
        mark = fingerprint(article.text)
        if plain_url(url) in self._rejected or mark in self._rejected:
            return "rejected"
        # the same text in another outlet is news to the curator: a copy, which the notes say
        same = self._urls.get(plain_url(url))
        return "known" if same is not None and self._prints[same] == mark else "new"

    def free_id(self, wanted: str) -> str:
        """`wanted`, or with a number where another text has it: one headline runs in many outlets."""
        stem, _, language = wanted.rpartition(".")
        number, identity = 1, wanted
        while identity in self._prints:
            number += 1
            identity = f"{stem}-{number}.{language}"
        return identity

    def keep(self, article: Article, url: str) -> None:
        self.stories.keep(article)
        self._prints[article.id] = fingerprint(article.text)
        self._urls[plain_url(url)] = article.id


def put(settings: Settings, found: Extracted, *, url: str, feed: str, shelf: Shelf) -> tuple[Outcome, Item | None]:
    """Lay an extracted article into the inbox, unless it is known or was rejected.

    Raises:
        ExtractError: it cannot be an article of the corpus; says which field is wrong.
    """
    path = named_after(found.title, url)
    try:
        article = read_article(path, most_bytes=settings.article_bytes, content=as_file(found))
    except ArticleError as error:
        field = f"{error.field}: " if error.field else ""
        raise ExtractError(f"{url}: {field}{error.problem}.") from error
    outcome = shelf.judge(article, url)
    if outcome != "new":
        return outcome, None
    identity = shelf.free_id(article.id)
    article = replace(article, id=identity, event=without_language(identity))
    alike = shelf.stories.near(article)
    article = shelf.stories.placed(article, alike)
    item = Item(
        article=article,
        path=_folder(settings) / f"{identity}.md",
        url=url,
        feed=feed,
        collected=datetime.now(UTC).isoformat(timespec="seconds"),
        score=relevance(article.title, article.text, article.language, shelf.glossary),
        near=alike,
    )
    with _holding(settings):
        _write(item)
    shelf.keep(article, url)
    return "new", item


def items(settings: Settings) -> list[Item]:
    """What waits, the most relevant first. A file that cannot be read is passed over; `unreadable` names it."""
    return _waiting(settings)[0]


def unreadable(settings: Settings) -> list[ArticleError]:
    """Files of the inbox that were edited into something that cannot be used, and why."""
    return _waiting(settings)[1]


def _waiting(settings: Settings) -> tuple[list[Item], list[ArticleError]]:
    found, problems = [], []
    rejected = _rejected(settings)
    for path in sorted(_folder(settings).glob("*.md")):
        try:
            item = _read(settings, path)
        except ArticleError as error:
            problems.append(error)
            continue
        if fingerprint(item.article.text) not in rejected:
            found.append(item)
    return sorted(found, key=lambda item: (-item.score, item.article.id)), problems


def show(settings: Settings, identity: str) -> Item:
    """One item.

    Raises:
        InboxError: there is none of that id.
        ArticleError: its file was edited into something that cannot be used.
    """
    path = _folder(settings) / f"{identity}.md"
    if Path(identity).name != identity or not path.is_file():
        raise InboxError(f"There is no {identity!r} in the inbox.", "List it with `chipdesk inbox list`.")
    return _read(settings, path)


def accept(settings: Settings, identity: str) -> Path:
    """Move one item into the corpus, in one step. The index is not touched: build afterwards.

    Raises:
        InboxError: there is none of that id, or the corpus has another article of that id.
        ArticleError: it cannot be an article as it is.
    """
    with _holding(settings):
        item = show(settings, identity)
        read_article(item.path, most_bytes=settings.article_bytes, topics=read_topics(settings.corpus))
        target = settings.corpus / "articles" / f"{item.article.published.year:04d}" / item.path.name
        if target.exists():
            raise InboxError(f"{target} is there already.", "Reject this one, or move that file.")
        move(item.path, target)
        item.path.with_suffix(".json").unlink(missing_ok=True)
    return target


def reject(settings: Settings, identity: str, reason: str = "") -> None:
    """Turn one item down; neither its address nor its text comes back.

    Raises:
        InboxError: there is none of that id.
        ArticleError: its file cannot be read, so its text cannot be remembered.
    """
    with _holding(settings):
        item = show(settings, identity)
        line = {
            "url": plain_url(item.url),
            "text": fingerprint(item.article.text),
            "title": item.article.title,
            "reason": reason,
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        append_line(_folder(settings) / REJECTED, json.dumps(line, ensure_ascii=False))
        item.path.unlink()
        item.path.with_suffix(".json").unlink(missing_ok=True)


def edit(
    settings: Settings,
    identity: str,
    known: Known,
    *,
    entities: Sequence[str] | None = None,
    alone: bool = False,
) -> Item:
    """Change what an item says about itself; its text stays.

    Args:
        settings: names the corpus.
        identity: of the item.
        known: what to change; what is None stays.
        entities: instead of those it has.
        alone: take it out of the story it was put into: no copy, an event of its own.

    Raises:
        InboxError: there is none of that id.
        ArticleError: a value cannot be used; nothing was changed.
    """
    with _holding(settings):
        item = show(settings, identity)
        known = replace(known, id=identity)
        article = read_article(
            item.path, most_bytes=settings.article_bytes, known=known, topics=read_topics(settings.corpus)
        )
        if entities is not None:
            article = replace(article, entities=tuple(entities))
        if alone:
            article = replace(article, event=without_language(identity), copy_of=None)
        content = as_markdown(article).encode()
        read_article(item.path, most_bytes=settings.article_bytes, content=content)
        write_whole(item.path, content)
    return show(settings, identity)


def as_json(item: Item, *, text: bool = False) -> dict[str, Any]:
    """An item for machines."""
    article = item.article
    whole: dict[str, Any] = {
        "id": article.id,
        "title": article.title,
        "published": article.published.isoformat(),
        "language": article.language,
        "outlet": article.publishers[0] if article.publishers else None,
        "topics": list(article.topics),
        "event": article.event,
        "copy_of": article.copy_of,
        "url": item.url,
        "feed": item.feed,
        "collected": item.collected,
        "score": item.score,
        "near": [asdict(one) for one in item.near],
        "chars": len(article.text),
    }
    return whole | {"text": article.text} if text else whole


def plain_url(url: str | None) -> str:
    """An address without what does not change the page: fragment, tracking parameters, `www.`, a slash at the end."""
    parts = urlsplit(url or "")
    query = urlencode([(k, v) for k, v in parse_qsl(parts.query, True) if not k.lower().startswith(_TRACKING)])
    return urlunsplit(("https", parts.netloc.lower().removeprefix("www."), parts.path.rstrip("/"), query, ""))


def _folder(settings: Settings) -> Path:
    return settings.corpus / FOLDER


@contextmanager
def _holding(settings: Settings) -> Iterator[None]:
    """Be the one process that changes the inbox."""
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except filelock.Timeout:
        raise InboxError(f"Another process works on {folder}.", "Wait until it is done and try again.") from None
    try:
        yield
    finally:
        lock.release()


def _write(item: Item) -> None:
    """The note first: an article without one would have lost where it came from."""
    note = {
        "url": item.url,
        "feed": item.feed,
        "collected": item.collected,
        "score": item.score,
        "near": [asdict(one) for one in item.near],
    }
    write_whole(item.path.with_suffix(".json"), json.dumps(note, ensure_ascii=False, indent=1).encode())
    write_whole(item.path, as_markdown(item.article).encode())


def _read(settings: Settings, path: Path) -> Item:
    article = read_article(path, most_bytes=settings.article_bytes)
    try:
        note = json.loads(path.with_suffix(".json").read_text("utf-8"))
        alike = tuple(_near(one) for one in note["near"])
        return Item(
            article, path, str(note["url"]), str(note["feed"]), str(note["collected"]), float(note["score"]), alike
        )
    except FileNotFoundError:
        # laid in by hand
        url = next((source.url for source in article.sources if source.url), "") or ""
        return Item(article, path, url, "", "", 0.0, ())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArticleError(path.with_suffix(".json"), f"is no note of the inbox: {error}; remove it") from error


def _near(told: Mapping[str, Any]) -> Near:
    # notes of before have copies only
    return Near(str(told["id"]), float(told["overlap"]), "language" if told.get("kind") == "language" else "copy")


def _rejected(settings: Settings) -> frozenset[str]:
    """Addresses and fingerprints that were turned down. A last line cut by a kill is passed over: its article is there."""
    path = _folder(settings) / REJECTED
    found: set[str] = set()
    if path.is_file():
        for line in path.read_text("utf-8", "replace").splitlines():
            try:
                record = json.loads(line)
                found |= {str(record["url"]), str(record["text"])}
            except (ValueError, KeyError, TypeError):
                continue
    return frozenset(found - {plain_url("")})
