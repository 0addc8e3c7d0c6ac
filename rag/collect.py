"""Collecting: poll the feeds -> fetch what they link to -> extract -> lay into the inbox. Nothing enters the corpus here.

Kill it whenever you like: the state is written after each page, and what was laid into the inbox already is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from rag.errors import ExtractError, FeedError, FetchError, FetchRefused
from rag.extract import extract
from rag.feeds import Entry, Feed, State, now, parse, read_feeds, read_states, write_states
from rag.fetch import FEEDS, Fetcher
from rag.inbox import Shelf, put
from rag.settings import Settings


@dataclass(frozen=True, slots=True)
class Polled:
    """What one feed brought."""

    feed: str
    unchanged: bool = False
    """True where the server said that nothing changed since the last time."""
    new: tuple[str, ...] = ()
    """Ids of what is in the inbox now."""
    known: int = 0
    rejected: int = 0
    left: int = 0
    """Links left to the next poll."""
    problems: tuple[str, ...] = ()
    """Pages that could not be used, and why."""
    error: str | None = None
    """Why the feed itself could not be read."""


def collect(
    settings: Settings, fetcher: Fetcher, *, only: str | None = None, progress: Callable[[str], None] = lambda _: None
) -> list[Polled]:
    """Poll all feeds of the corpus, or one.

    Args:
        settings: names the corpus.
        fetcher: fetches feeds and pages.
        only: name of the one feed to poll.
        progress: told what is being fetched.

    Raises:
        FeedError: feeds.toml cannot be used, or has no feed of that name. Trouble with one feed is in its `Polled`.
        CorpusError: the corpus cannot be read.
    """
    feeds = [feed for feed in read_feeds(settings.corpus) if only in (None, feed.name)]
    if not feeds:
        wanted = f"a feed {only!r}" if only else "feeds"
        raise FeedError(f"There are no {wanted} in {settings.corpus / 'feeds.toml'}.", "Add a [[feed]] table to it.")
    shelf = Shelf(settings)
    return [_poll(settings, feed, fetcher, shelf, progress) for feed in feeds]


def _poll(settings: Settings, feed: Feed, fetcher: Fetcher, shelf: Shelf, progress: Callable[[str], None]) -> Polled:
    states = read_states(settings)
    state = replace(states.get(feed.name, State()), polled=now())

    def remember(changed: State) -> State:
        write_states(settings, read_states(settings) | {feed.name: changed})
        return changed

    progress(feed.url)
    try:
        answer = fetcher.fetch(feed.url, kinds=FEEDS, etag=state.etag, modified=state.modified)
        charset = f"; charset={answer.charset}" if answer.charset else ""
        entries = [] if answer.unchanged else parse(answer.content, answer.url, answer.kind + charset)
    except (FetchError, FeedError) as error:
        remember(replace(state, error=str(error)))
        return Polled(feed.name, error=str(error))
    if answer.unchanged:
        remember(replace(state, success=now(), error=None))
        return Polled(feed.name, unchanged=True)

    fresh = [entry for entry in entries if state.seen.get(entry.url) != entry.updated]
    result = Polled(feed.name, left=max(0, len(fresh) - feed.most))
    for entry in fresh[: feed.most]:
        progress(entry.url)
        result, dealt_with = _take(settings, feed, entry, fetcher, shelf, result)
        state = remember(state.saw(entry) if dealt_with else state)
        if not dealt_with:
            result = replace(result, left=result.left + 1)
    # the server's marks are kept only when nothing is left to do: the next poll must see the same list again
    whole = result.left == 0
    remember(
        replace(
            state,
            success=now(),
            news=now() if fresh else state.news,
            error=None,
            etag=answer.etag if whole else None,
            modified=answer.modified if whole else None,
        )
    )
    return result


def _take(
    settings: Settings, feed: Feed, entry: Entry, fetcher: Fetcher, shelf: Shelf, result: Polled
) -> tuple[Polled, bool]:
    """The result with what became of one link, and whether that is final."""
    if shelf.has_rejected(entry.url):
        return replace(result, rejected=result.rejected + 1), True
    try:
        page = fetcher.fetch(entry.url)
        found = extract(page.content, page.url, url=page.url, charset=page.charset)
        found = replace(
            found,
            title=found.title or entry.title,
            published=found.published or entry.published,
            author=found.author or entry.author,
            outlet=feed.publisher or found.outlet,
        )
        outcome, item = put(settings, found, url=page.url, feed=feed.name, shelf=shelf)
    except (FetchError, ExtractError) as error:
        final = isinstance(error, FetchRefused | ExtractError)
        return replace(result, problems=(*result.problems, str(error))), final
    if item is not None:
        return replace(result, new=(*result.new, item.article.id)), True
    if outcome == "rejected":
        return replace(result, rejected=result.rejected + 1), True
    return replace(result, known=result.known + 1), True
