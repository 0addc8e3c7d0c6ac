"""The feeds a newsroom follows: what `corpus/feeds.toml` says, what a feed's bytes say, and how each feed is doing.

feedparser reads the bytes; it is never given an address, so that nothing is fetched but by `rag.fetch`.
"""

from __future__ import annotations

import codecs
import io
import json
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, date, datetime, timedelta
from html import unescape
from html.entities import name2codepoint
from pathlib import Path
from typing import Any, Final

from rag.dates import first_date
from rag.errors import FeedError
from rag.files import write_whole
from rag.settings import Settings

FILE: Final = "feeds.toml"
STATE: Final = Path("inbox") / "feeds.json"
SEEN: Final = 2_000
"""Links remembered per feed; the longest feeds list some hundreds at a time."""
STALE_AFTER: Final = 3
"""Rhythms without anything new after which a feed counts as stale: once is a holiday, twice a slow week."""

OLDEST: Final = 1990
"""Year before which no web page was published."""

_TAG = re.compile(r"</?[a-zA-Z][^>]*>")
_CDATA = re.compile(rb"(<!\[CDATA\[.*?(?:\]\]>|\Z))", re.DOTALL)
_AMPERSAND = re.compile(rb"&(?:(?P<number>#(?:[0-9]+|[xX][0-9a-fA-F]+);)|(?P<name>[A-Za-z][A-Za-z0-9]{0,40});)?")
_NO_MONTH = re.compile(r"\s*\d{4}(?!\s*\Z|-?\d\d|T)")
_NUMBERS = re.compile(
    r"\b(?:(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})|(?P<year_>\d{4})/(?P<month_>\d{1,2})/(?P<day_>\d{1,2}))\b"
)
_CHARSET = re.compile(r"charset=[\"']?([A-Za-z0-9._:-]+)", re.IGNORECASE)
_DECLARED = re.compile(r"\s*<\?xml[^>]*?encoding=[\"']([A-Za-z0-9._:-]+)")
_WESTERN: Final = ("ascii", "cp1252", "iso8859-1", "iso8859-15", "utf-8", "utf-16", "utf-32")
_XML_ENTITIES: Final = (b"amp", b"lt", b"gt", b"quot", b"apos")


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


@dataclass(frozen=True, slots=True)
class Doing:
    """How one feed of the corpus is doing."""

    feed: Feed
    state: State
    stale: bool


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

    content, kind = _mended(content, kind)
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
            kind = "published" if plain.get("published") else "updated"
            day = _day(plain.get(f"{kind}_parsed"), str(plain.get(kind) or ""))
            entries.append(Entry(link, _text(entry.get("title")), day, str(stamp), _text(entry.get("author"))))
    return list({entry.url: entry for entry in entries}.values())


def _mended(content: bytes, kind: str) -> tuple[bytes, str]:
    """Bytes and content type that say the same and that feedparser reads right; in these three points it does not.

    A bare `&` throws it back on its lenient parser, which makes "R&D;" of "R&D"; behind a document type it drops HTML's
    entities; and it takes UTF-8 for Latin-1 where neither server nor file names an encoding, or where they name a wrong
    one. Letters that are valid UTF-8 are UTF-8, unless an encoding is named in which they often look like it by chance.
    """
    if b"\0" in content or b"\x1b" in content:
        return content, kind  # UTF-16, UTF-32 or ISO-2022: an ampersand's byte can be half of something else
    parts = _CDATA.split(content)
    parts[::2] = (_AMPERSAND.sub(_escaped, part) for part in parts[::2])
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return b"".join(parts), kind
    trusted = content.isascii() or not _mistaken(kind, content)
    return b"".join(parts), kind if trusted else "application/xml; charset=utf-8"


def _mistaken(kind: str, content: bytes) -> bool:
    """Whether the encoding that the server names, or else the file, is none or a Western one, which UTF-8 is often called."""
    named = _CHARSET.search(kind) or _DECLARED.match(content[:200].decode("latin-1"))
    if named is None:
        return True
    try:
        return codecs.lookup(named[1]).name in _WESTERN
    except LookupError:
        return True


def _escaped(match: re.Match[bytes]) -> bytes:
    """An ampersand with what follows, as XML writes it; references and entities of the feed's own are left alone."""
    if match["name"] is None:
        return match[0] if match["number"] else b"&amp;"
    code = name2codepoint.get(match["name"].decode())
    return match[0] if code is None or match["name"] in _XML_ENTITIES else b"&#%d;" % code


def _text(value: object) -> str | None:
    """`value` on one line without markup, entities and control characters; titles often have some."""
    if not value:
        return None
    text = unescape(_TAG.sub("", str(value)))
    return (
        " ".join("".join(sign for sign in text if sign.isspace() or unicodedata.category(sign) != "Cc").split()) or None
    )


def _day(moment: Any, text: str) -> date | None:
    """The day of an entry in UTC.

    Args:
        moment: what feedparser makes of `text`; it knows time zones, but no German, and where it does not know a month
            after a year it takes the present one.
        text: as the feed writes it; a date that stands in it wins, if feedparser is not within a day of it.
    """
    try:
        day = date(*moment[:3]) if moment else None
    except ValueError:
        day = None
    if _NO_MONTH.match(text):
        day = None
    there = _written_day(text)
    if there and (day is None or abs(day - there) > timedelta(days=1)):
        day = there
    return day if day and day.year >= OLDEST else None


def _written_day(text: str) -> date | None:
    numbers = _NUMBERS.search(text)
    if numbers is None:
        return first_date(text)
    year, month, day = (int(numbers[part] or numbers[f"{part}_"]) for part in ("year", "month", "day"))
    try:
        return date(year, month, day)
    except ValueError:
        return None


def read_states(settings: Settings) -> dict[str, State]:
    """Feed name -> state. A damaged file counts as none: everything is then polled as if for the first time, and what
    is known already does not come twice.
    """
    try:
        content = json.loads((settings.corpus / STATE).read_text("utf-8"))
        return {name: _state(state) for name, state in content.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _state(content: Mapping[str, Any]) -> State:
    """Raises ValueError for a time that is none: everybody who reads a state calculates with its times."""
    names = {one.name for one in fields(State)}
    state = State(**{name: value for name, value in content.items() if name in names})
    for moment in (state.polled, state.success, state.news):
        if moment is not None and datetime.fromisoformat(moment).tzinfo is None:
            raise ValueError(moment)
    return state


def doing(settings: Settings, moment: datetime | None = None) -> list[Doing]:
    """How each feed of feeds.toml is doing, in its order; none without feeds.

    Args:
        settings: names the corpus.
        moment: when a feed counts as stale or not; None for now.

    Raises:
        FeedError: feeds.toml cannot be used.
    """
    states = read_states(settings)
    moment = moment or datetime.now(UTC)
    found = [(feed, states.get(feed.name, State())) for feed in read_feeds(settings.corpus)]
    return [Doing(feed, state, state.stale(feed, moment)) for feed, state in found]


def write_states(settings: Settings, states: Mapping[str, State]) -> None:
    content = {name: asdict(state) for name, state in states.items()}
    write_whole(settings.corpus / STATE, json.dumps(content, ensure_ascii=False, indent=1).encode())


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
