"""The feeds a newsroom follows: what `corpus/feeds.toml` says, what a feed's bytes say, and how each feed is doing.

feedparser reads the bytes; it is never given an address, so that nothing is fetched but by `rag.fetch`.
"""

from __future__ import annotations

import io
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rag.errors import FeedError
from rag.files import write_whole
from rag.settings import Settings

FILE: Final = "feeds.toml"
STATE: Final = Path("inbox") / "feeds.json"
SEEN: Final = 2_000
"""Links remembered per feed; the longest feeds list some hundreds at a time."""
STALE_AFTER: Final = 3
"""Rhythms without anything new after which a feed counts as stale: once is a holiday, twice a slow week."""

_TAG = re.compile(r"</?[a-zA-Z][^>]*>")


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed as the curator describes it."""

    name: str
    url: str
    rhythm_hours: float = 48.0
    """How often something new is expected."""
    publisher: str | None = None
    """Name of the outlet, where its pages call themselves something else."""
    most: int = 30
    """Most pages taken at one poll."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One link of a feed."""

    url: str
    title: str | None
    published: date | None
    updated: str
    """As the feed writes it; a page is fetched again when it changes."""
    author: str | None


@dataclass(frozen=True, slots=True)
class State:
    """How a feed is doing. Times are ISO, UTC."""

    etag: str | None = None
    modified: str | None = None
    polled: str | None = None
    success: str | None = None
    news: str | None = None
    """When it last brought something."""
    error: str | None = None
    """What went wrong at the last poll."""
    seen: dict[str, str] = field(default_factory=dict)
    """Links that are dealt with -> their `Entry.updated`."""

    def stale(self, feed: Feed, now: datetime) -> bool:
        """Whether nothing new came for longer than the feed's rhythm allows; a feed that was never polled is stale."""
        return self.news is None or now - datetime.fromisoformat(self.news) > timedelta(
            hours=STALE_AFTER * feed.rhythm_hours
        )

    def saw(self, entry: Entry) -> State:
        """This state after `entry` was dealt with."""
        seen = {**self.seen, entry.url: entry.updated}
        return replace(self, seen=dict(list(seen.items())[-SEEN:]))


def read_feeds(corpus: Path) -> tuple[Feed, ...]:
    """The feeds of `corpus/feeds.toml`, none without that file.

    Raises:
        FeedError: names the feed and field that cannot be used.
    """
    path = corpus / FILE
    if not path.is_file():
        return ()
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FeedError(
            f"{path} is not TOML: {error}.", "corpus/feeds.toml of the repository shows its form."
        ) from error
    tables = content.pop("feed", [])
    if content or not isinstance(tables, list):
        raise FeedError(f"{path} may only have [[feed]] tables.", f"Remove {', '.join(content) or 'the others'}.")
    found: dict[str, Feed] = {}
    for number, entry in enumerate(tables, start=1):
        feed = _feed(path, number, entry)
        if feed.name in found:
            raise FeedError(f"{path}: {feed.name!r} is the name of two feeds.", "Give one of them another.")
        found[feed.name] = feed
    return tuple(found.values())


def _feed(path: Path, number: int, entry: Any) -> Feed:
    kinds: dict[str, tuple[type, ...]] = {
        "name": (str,), "url": (str,), "rhythm_hours": (int, float), "publisher": (str,), "most": (int,),
    }  # fmt: skip
    if not isinstance(entry, dict):
        raise FeedError(f"{path}: feed {number} is no table.", "Begin each feed with [[feed]].")
    for name, value in entry.items():
        if name not in kinds:
            raise FeedError(f"{path}: feed {number}: {name!r} is no field.", f"Known are {', '.join(kinds)}.")
        if not isinstance(value, kinds[name]) or isinstance(value, bool) or value == "":
            raise FeedError(f"{path}: feed {number}: {name} cannot be {value!r}.")
    for name in ("name", "url"):
        if name not in entry:
            raise FeedError(f"{path}: feed {number} has no {name}.", f'Add {name} = "...".')
    if not str(entry["url"]).startswith(("http://", "https://")):
        raise FeedError(f"{path}: feed {number}: {entry['url']!r} is no http or https address.")
    for name in ("rhythm_hours", "most"):
        if not 0 < entry.get(name, 1) <= 10_000:
            raise FeedError(f"{path}: feed {number}: {name} must lie between 1 and 10,000.")
    return Feed(**entry)


def parse(content: bytes, url: str, kind: str = "") -> list[Entry]:
    """The entries of RSS or Atom that link to a web page, in the feed's order.

    Args:
        content: the feed as it was sent.
        url: where it came from, for its relative links.
        kind: content type the server named, with charset.

    Raises:
        FeedError: it is no feed.
    """
    import feedparser

    headers = {"content-location": url} | ({"content-type": kind} if kind else {})
    found = feedparser.parse(io.BytesIO(content), response_headers=headers, sanitize_html=True)
    if not found.get("version") and not found.entries:
        raise FeedError(f"{url} is no RSS or Atom feed.", "Open it in a browser and look for the feed's own address.")
    entries = []
    for entry in found.entries:
        link = str(entry.get("link") or "").strip()
        if link.startswith(("http://", "https://")):
            # as plain items: feedparser's own get() answers `updated` with `published` and a warning
            plain = dict(entry.items())
            stamp = plain.get("updated") or plain.get("published") or ""
            moment = plain.get("published_parsed") or plain.get("updated_parsed")
            entries.append(Entry(link, _text(entry.get("title")), _day(moment), str(stamp), _text(entry.get("author"))))
    return list({entry.url: entry for entry in entries}.values())


def _text(value: object) -> str | None:
    """`value` on one line without markup; titles often have some."""
    return " ".join(_TAG.sub("", str(value)).split()) or None if value else None


def _day(moment: Any) -> date | None:
    try:
        return date(*moment[:3]) if moment else None
    except ValueError:
        return None


def read_states(settings: Settings) -> dict[str, State]:
    """Feed name -> state. A damaged file counts as none: everything is then polled as if for the first time, and what
    is known already does not come twice.
    """
    try:
        content = json.loads((settings.corpus / STATE).read_text("utf-8"))
        names = {one.name for one in fields(State)}
        return {name: State(**{k: v for k, v in state.items() if k in names}) for name, state in content.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def write_states(settings: Settings, states: Mapping[str, State]) -> None:
    content = {name: asdict(state) for name, state in states.items()}
    write_whole(settings.corpus / STATE, json.dumps(content, ensure_ascii=False, indent=1).encode())


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
