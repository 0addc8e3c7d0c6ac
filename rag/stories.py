"""Which articles tell one story: the same text in another outlet, a light rewrite, the same event in the other language.

A copy shares runs of words (`rag.duplicates`) and is no source of its own: it is marked as a copy. What tells the event in
the other language shares names and figures and may well have its own reporters: it joins the event and counts by its
bylines. Both are guesses that a curator sees and can change.

Measured on the corpus, where a German and an English brief of one event are to be found and all other pairs are not:
precision and recall are .993 and 1.000 on the 138 events of the training questions, .991 and .973 on the other 113
(tests/test_stories.py). The weights are fitted on pairs of the former. The embedder's vectors were left out: with them the
average precision on the latter was 1.000 instead of .999, which does not pay for a loaded model in `collect`. What is taken
for one event is two reports on one matter within two days. In one language, no two briefs of different events share more
than .10 of their runs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from rag.duplicates import Near, near, runs
from rag.glossary import Glossary, read_glossary
from rag.read import read_corpus, without_language
from rag.settings import Settings
from rag.types import Article
from rag.words import fold, tokens

COPY: Final = 0.5
"""Least share of common runs of words at which a text is taken for a copy without asking; between this and
`duplicates.NEAR` it is only noted."""
COPY_RUNS: Final = 20
"""Runs a text needs for that: about two sentences; in less, a stock phrase weighs too much."""
APART: Final = timedelta(days=3)
"""Most days between two reports on one event in two languages; agencies and translations take hours."""
READ_CHARS: Final = 900
"""The beginning names who, what and how much; a brief of the corpus has about so many."""
NAMES: Final = 14.7
WORDS: Final = 7.0
FIGURES: Final = 7.5
BIAS: Final = -17.2
"""A logistic model of three shares, 0..1 each: of the glossary's names, of capitalised words and model numbers, of figures."""
SAME_EVENT: Final = 0.5
"""Least probability of being one event."""

_FIGURE = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?!\w)")


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a translation keeps of a text."""

    names: frozenset[str]
    words: frozenset[str]
    figures: frozenset[float]


class Stories:
    """The articles there are, to find the story that a further one belongs to.

    Args:
        articles: of the corpus and the inbox.
        glossary: the corpus' names in both languages.
    """

    def __init__(self, articles: Iterable[Article], glossary: Glossary) -> None:
        self._articles = {article.id: article for article in articles}
        self._runs = {article.id: runs(article.text) for article in self._articles.values()}
        self._glossary = glossary
        self._known: dict[str, _Facts] = {}

    def keep(self, article: Article) -> None:
        """Count `article` among those there are."""
        self._articles[article.id] = article
        self._runs[article.id] = runs(article.text)
        self._known.pop(article.id, None)

    def near(self, article: Article) -> tuple[Near, ...]:
        """What `article` resembles: texts with the same words first, then reports on its event in the other language."""
        others = {identity: theirs for identity, theirs in self._runs.items() if identity != article.id}
        return (*near(article.text, others), *self._in_other_language(article))

    def placed(self, article: Article, alike: tuple[Near, ...]) -> Article:
        """`article` in the story of what it resembles, unless it names one itself.

        Args:
            alike: from `near`.
        """
        if article.copy_of or article.event != without_language(article.id):
            return article
        copies = [one for one in alike if one.kind == "copy" and one.overlap >= COPY]
        if copies and len(runs(article.text)) >= COPY_RUNS:
            first = self._articles[copies[0].id]
            return replace(article, event=first.event, copy_of=first.copy_of or first.id)
        told = next((self._articles[one.id] for one in alike if one.kind == "language"), None)
        return replace(article, event=told.event) if told else article

    def _in_other_language(self, article: Article) -> tuple[Near, ...]:
        own = _facts(article, self._glossary)
        found = []
        for other in self._articles.values():
            if other.language == article.language or abs(other.published - article.published) > APART:
                continue
            if other.id not in self._known:
                self._known[other.id] = _facts(other, self._glossary)
            sure = _one_event(own, self._known[other.id])
            if sure >= SAME_EVENT and other.id != article.id:
                found.append(Near(other.id, round(sure, 2), "language"))
        return tuple(sorted(found, key=lambda one: (-one.overlap, one.id)))


def open_stories(settings: Settings) -> Stories:
    """The stories of the corpus.

    Raises:
        CorpusError: the corpus cannot be read.
    """
    if not settings.corpus.is_dir():
        return Stories((), Glossary())
    articles = read_corpus(settings.corpus, most_bytes=settings.article_bytes).articles
    return Stories(articles, read_glossary(settings.glossary)[0])


def _facts(article: Article, glossary: Glossary) -> _Facts:
    text = f"{article.title}. {article.text[:READ_CHARS]}"
    words = (fold(word).removesuffix("'s") for word in tokens(text) if len(word) > 1 and _is_name(word))
    return _Facts(frozenset(glossary.concepts(text, article.language)), frozenset(words), frozenset(_figures(text)))


def _is_name(word: str) -> bool:
    """Whether it may be spelled the same in both languages: "Huawei", "910C"; German nouns meet no English word."""
    return word[0].isupper() or (any(map(str.isdigit, word)) and any(map(str.isalpha, word)))


def _figures(text: str) -> Iterable[float]:
    """Numbers but for years; "57.0" and "57,0" are one, and so are "260.000" and "260,000"."""
    for written in _FIGURE.findall(text):
        *most, last = written.replace(",", ".").split(".")
        grouped = len(most) > 1 or len(last) == 3
        value = float("".join((*most, last)) if grouped or not most else f"{most[0]}.{last}")
        if not 1900 <= value <= 2100:
            yield value


def _one_event(one: _Facts, other: _Facts) -> float:
    score = BIAS
    score += NAMES * _share(one.names, other.names)
    score += WORDS * _share(one.words, other.words)
    score += FIGURES * _share(one.figures, other.figures)
    return 1 / (1 + math.exp(-score))


def _share(one: frozenset[Any], other: frozenset[Any]) -> float:
    """Share of the smaller set that both have, 0..1; 0 where one is empty."""
    return len(one & other) / max(1, min(len(one), len(other)))
