"""What the corpus holds: counts, and what happened when. Read from the files, so that no index is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rag.dates import written
from rag.glossary import Glossary
from rag.types import Article, Language
from rag.words import fold

OUTLETS: Final = 25
"""Outlets listed by name; the others are counted."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of a corpus. Each list is ordered by count or by time."""

    articles: int
    events: int
    events_in_both_languages: int
    events_by_year: list[tuple[str, int]]
    articles_by_language: list[tuple[str, int]]
    events_by_topic: list[tuple[str, int]]
    sources: int
    """Different pages cited."""
    outlets: int
    articles_by_outlet: list[tuple[str, int]]
    """The most cited outlets and in how many articles each is cited."""
    words: int


@dataclass(frozen=True, slots=True)
class Moment:
    """One event on the timeline."""

    event: str
    published: str
    """ISO date, as precise as it is known."""
    title: str
    languages: tuple[str, ...]
    topics: tuple[str, ...]


def count(articles: Sequence[Article]) -> Stats:
    """Count a corpus. An event told in two languages counts once where events are counted."""
    events = {article.event: article for article in articles}
    languages: dict[str, set[str]] = {}
    for article in articles:
        languages.setdefault(article.event, set()).add(article.language)
    outlets = Counter(name for a in articles for name in {source.publisher.split(" (")[0] for source in a.sources})
    urls = {source.url for article in articles for source in article.sources if source.url}
    return Stats(
        articles=len(articles),
        events=len(events),
        events_in_both_languages=sum(len(found) > 1 for found in languages.values()),
        events_by_year=sorted(Counter(str(a.published.year) for a in events.values()).items()),
        articles_by_language=sorted(Counter(str(a.language) for a in articles).items()),
        events_by_topic=_ordered(Counter(topic for a in events.values() for topic in a.topics)),
        sources=len(urls),
        outlets=len(outlets),
        articles_by_outlet=_ordered(outlets)[:OUTLETS],
        words=sum(len(article.text.split()) for article in articles),
    )


def timeline(
    articles: Sequence[Article], glossary: Glossary, *, topic: str | None, entity: str | None, language: Language
) -> list[Moment]:
    """The events in order of time.

    Args:
        articles: the corpus.
        glossary: knows an entity's other names.
        topic: only events with this topic.
        entity: only events that name this company, chip, person or rule, by any of its names in the glossary.
        language: of the titles, where an event is told in both.
    """
    chosen: dict[str, Article] = {}
    languages: dict[str, set[str]] = {}
    for article in articles:
        if (topic and topic not in article.topics) or (entity and not _names(article, entity, glossary)):
            continue
        languages.setdefault(article.event, set()).add(article.language)
        if article.event not in chosen or article.language == language:
            chosen[article.event] = article
    return [
        Moment(a.event, _partial(a), a.title, tuple(sorted(languages[a.event])), a.topics)
        for a in sorted(chosen.values(), key=lambda a: (a.published, a.event))
    ]


def data_card(stats: Stats, articles: Sequence[Article]) -> str:
    """The counts as the Markdown that stands in corpus/README.md."""
    first, last = min(a.published for a in articles), max(a.published for a in articles)
    lines = [
        f"{stats.events} events from {written(first, 'en', 'month')} to {written(last, 'en', 'month')}, told in "
        f"{stats.articles} briefs with {stats.words:,} words; {stats.events_in_both_languages} events in both languages. "
        f"They cite {stats.sources:,} pages of {stats.outlets:,} outlets.",
        "",
    ]
    for title, rows in (
        ("Events by year", stats.events_by_year),
        ("Briefs by language", stats.articles_by_language),
        ("Events by topic", stats.events_by_topic),
        (f"Briefs by outlet (the {OUTLETS} most cited)", stats.articles_by_outlet),
    ):
        lines += [f"**{title}:** " + ", ".join(f"{name} {number}" for name, number in rows) + ".", ""]
    return "\n".join(lines)


def _names(article: Article, entity: str, glossary: Glossary) -> bool:
    if any(fold(entity) == fold(name) for name in article.entities):
        return True
    wanted = set(glossary.concepts(entity, article.language))
    said = "\n".join((article.title, article.text, *article.entities))
    return bool(wanted) and wanted <= set(glossary.concepts(said, article.language))


def _partial(article: Article) -> str:
    return article.published.isoformat()[: {"day": 10, "month": 7, "year": 4}[article.precision]]


def _ordered(counter: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))
