"""Claims to learn from: what `rag.evaluate.train` and `rag.evaluate.fit_check` are shown.

tests/qa/claims.jsonl holds claims written by hand about the briefs behind the training questions, half of them told there
and half not: roles turned round, plans told as facts, figures slightly off, one detail too many. tests/qa/elsewhere.jsonl
holds short texts about anything but chips, invented or common knowledge, with claims of the same kinds: a draft is not only
about what the corpus is about. Claims made by rule from the briefs stand beside them: sentences and their twins in the other
language, the same with one thing changed, and told claims before an article that tells of something else.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from rag.ask import Chipdesk
from rag.dates import headed
from rag.errors import CorpusError
from rag.evaluate.corruptions import MAKERS, Kind, Told, parallel, told
from rag.glossary import Glossary
from rag.settings import home
from rag.types import Article, Evidence, Language, Span, Vectors

TOLD: Final = ("paraphrase", "part", "joined")
NOT_TOLD: Final = ("role", "hedge", "negation", "number", "date", "unit", "name", "cause", "extra", "other")
"""Kinds of claims written by hand: what makes them differ from the sentences they rest on."""
BY_RULE: Final = "rule"
STRANGER: Final = "stranger"
WITHOUT: Final = "without"
"""Kinds of the others: made from sentences, a told claim before an article of another event, and one before its own article
without the sentences that tell it."""
MADE: Final = (BY_RULE, STRANGER)
"""Those that the entailer is trained on; it takes sentences away from told claims itself."""
LEAST: Final = 0.91
"""Cosine from which two sentences are taken for one statement: lower than for measuring, so that looser retellings count."""
CHANGED: Final = 0.6
"""Share of the sentences that are told with one thing changed, too."""
VERBATIM: Final = 0.3
"""Share of the sentences without a main clause to cut out that are told as they stand."""
STRANGE: Final = 4
"""One in this many told claims by hand is put before an article of another event, too."""
STRANGERS: Final = (4, 40)
"""Ranks, by likeness, of the articles drawn for that: nearer ones may tell the same in passing."""
RARE: Final[frozenset[Kind]] = frozenset(("role", "hedge"))
"""Changes made wherever a sentence allows them: most do not."""
SEED: Final = "claims 1"

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of a draft, and the sentences of one article that it rests on or departs from."""

    id: str
    event: str
    text: str
    language: Language
    told: bool
    kind: str
    article: str
    quotes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stated:
    """A claim before the article it is checked against."""

    claim: Claim
    evidence: tuple[Evidence, ...]
    """All sentences of the article, in order."""
    bearing: tuple[int, ...]
    """Positions of the sentences that the claim rests on or departs from; none where the article tells of something else."""
    others: tuple[int, ...]
    """Positions of the others, the nearest to those first."""
    elsewhere: bool = False
    """Whether the article is none of the corpus."""

    @property
    def context(self) -> str:
        """The article's title and date."""
        return headed(self.evidence[0].article)

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(item.quote for item in self.evidence)

    @property
    def language(self) -> Language:
        """The article's."""
        return self.evidence[0].article.language


def read_claims(folder: Path | None = None) -> list[Claim]:
    """The claims written by hand about the corpus.

    Raises:
        CorpusError: the file is missing or a line is not a claim; names file and line.
    """
    return read_lines(folder, "claims.jsonl", _claim)


def read_elsewhere(folder: Path | None = None) -> list[Stated]:
    """The claims written by hand about texts that are not in the corpus; each text counts as an event of its own.

    Raises:
        CorpusError: the file is missing or a line is not a text with claims; names file and line.
    """
    return [stated for each in read_lines(folder, "elsewhere.jsonl", _elsewhere) for stated in each]


def read_lines(folder: Path | None, name: str, read: Callable[[dict[str, Any]], Read]) -> list[Read]:
    """Each line of a file of hand-written training data.

    Raises:
        CorpusError: the file is missing or `read` refuses a line; names file and line.
    """
    path = (folder or home() / "tests" / "qa") / name
    if not path.is_file():
        raise CorpusError(f"{path} is missing.", "Train in a checkout of the repository.")
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        try:
            found.append(read(json.loads(line)))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise CorpusError(f"{path}:{number}: cannot be used: {error!r}.") from error
    return found


def _claim(record: dict[str, Any]) -> Claim:
    (article,) = {item["article"] for item in record["evidence"]}
    if record["kind"] not in (TOLD if record["told"] else NOT_TOLD):
        raise ValueError(f"kind {record['kind']!r}")
    return Claim(
        id=record["id"],
        event=record["event"],
        text=record["text"],
        language=record["language"],
        told=record["told"],
        kind=record["kind"],
        article=article,
        quotes=tuple(item["quote"] for item in record["evidence"]),
    )


def _elsewhere(record: dict[str, Any]) -> list[Stated]:
    name, sentences = record["id"], record["sentences"]
    evidence = invented(sentences, record["language"], name, record["title"], date.fromisoformat(record["date"]))
    found = []
    for number, claim in enumerate(record["claims"], start=1):
        if claim["kind"] not in (TOLD if claim["told"] else NOT_TOLD):
            raise ValueError(f"kind {claim['kind']!r}")
        bearing = tuple(claim["bearing"])
        quotes = tuple(sentences[i] for i in bearing)
        others = tuple(i for i in range(len(sentences)) if i not in bearing)
        made = Claim(
            f"{name}-{number}", name, claim["text"], claim["language"], claim["told"], claim["kind"], name, quotes
        )
        found.append(Stated(made, evidence, bearing, others, elsewhere=True))
    return found


def invented(
    sentences: Sequence[str], language: Language, name: str, title: str, published: date
) -> tuple[Evidence, ...]:
    """Sentences as those of an article that is in no corpus."""
    text = " ".join(sentences)
    article = Article(name, name, language, title, published, "day", (), (), "current", (), (), text, "")
    found, at = [], 0
    for sentence in sentences:
        found.append(Evidence(article, Span(at, at + len(sentence)), 0.0))
        at += len(sentence) + 1
    return tuple(found)


def made_claims(stories: Mapping[str, Mapping[Language, Told]], glossary: Glossary) -> Iterator[Claim]:
    """Claims made by rule from articles; the same every time."""
    for event in sorted(stories):
        chance = random.Random(f"{SEED} {event}")  # noqa: S311 - sampling, not secrets
        for language, story in sorted(stories[event].items()):
            twins = {
                i: (other, j)
                for other in stories[event].values()
                if other is not story
                for i, j in parallel(story, other, least=LEAST)
            }
            for i, sentence in enumerate(story.sentences):
                if (part := beginning(sentence)) or chance.random() < VERBATIM:
                    yield _made(event, part or sentence, language, story, i, told=True)
                wrong = _changed(sentence, story, glossary, chance)
                if wrong and chance.random() < CHANGED:
                    yield _made(event, wrong, language, story, i, told=False)
                if i in twins:
                    other, j = twins[i]
                    yield _made(event, sentence, language, other, j, told=True)
                    if wrong := _changed(sentence, story, glossary, chance):
                        yield _made(event, wrong, language, other, j, told=False)


def _changed(sentence: str, story: Told, glossary: Glossary, chance: random.Random) -> str | None:
    """The sentence with one thing wrong, if rules find one."""
    kinds = sorted((kind for kind in MAKERS if kind != "quote"), key=lambda _: chance.random())
    for kind in sorted(kinds, key=lambda kind: kind not in RARE):
        if wrong := MAKERS[kind](sentence, story.article, glossary, chance):
            return wrong
    return None


def _made(event: str, text: str, language: Language, story: Told, position: int, *, told: bool) -> Claim:
    quote = story.sentences[position]
    name = f"{story.article.id}-{position}-{language}-{'told' if told else 'changed'}"
    return Claim(name, event, text, language, told, BY_RULE, story.article.id, (quote,))


def beginning(sentence: str) -> str | None:
    """A main clause of six words or more that others follow."""
    clause = re.split(r"(?:,| and| but| und| aber| wobei| while) ", sentence)[0]
    return f"{clause}." if 6 <= len(clause.split()) < 0.8 * len(sentence.split()) else None


def gather(desk: Chipdesk, claims: Sequence[Claim] | None = None, *, strange: int = STRANGE) -> list[Stated]:
    """Claims before their articles: all those written by hand and, of the same events, those made by rule.

    Args:
        desk: its index has the articles.
        claims: other ones than these.
        strange: one in this many told claims stands before an article of another event, too.
    """
    if claims is not None:
        return list(stated_in(Articles(desk), claims))
    articles = Articles(desk)
    by_hand = read_claims()
    stories = told(desk, frozenset(claim.event for claim in by_hand))
    stated = list(stated_in(articles, [*by_hand, *made_claims(stories, desk.index.glossary)]))
    return [*stated, *strangers(articles, stated, strange), *read_elsewhere()]


class Articles:
    """Sentences and their vectors, (n, dimension), of the articles of an index."""

    def __init__(self, desk: Chipdesk) -> None:
        self._desk = desk
        self.known: dict[str, tuple[tuple[Evidence, ...], Vectors]] = {}

    def __getitem__(self, identity: str) -> tuple[tuple[Evidence, ...], Vectors]:
        if identity not in self.known:
            article = self._desk.article(identity)
            evidence: list[Evidence] = []
            rows = []
            index = self._desk.index
            for chunk, first in index.chunks(index.catalog.rows_of(identity)).values():
                evidence += [Evidence(article, span, 0.0) for span in chunk.sentences]
                rows.append(index.sentence_vectors(first, len(chunk.sentences)))
            self.known[identity] = tuple(evidence), np.concatenate(rows)
        return self.known[identity]


def stated_in(articles: Articles, claims: Iterable[Claim]) -> Iterator[Stated]:
    """Claims before their articles; those that rest on no sentence of it are left out."""
    for claim in claims:
        evidence, vectors = articles[claim.article]
        sentences = [item.quote for item in evidence]
        if bearing := tuple(sentences.index(quote) for quote in claim.quotes if quote in sentences):
            yield Stated(claim, evidence, bearing, _by_likeness(vectors, vectors[list(bearing)], bearing))


def _by_likeness(vectors: Vectors, wanted: Vectors, apart: Sequence[int] = ()) -> tuple[int, ...]:
    """Positions of sentences, those most like one of the wanted ones first."""
    order = np.argsort(-(vectors @ wanted.T).max(1), kind="stable")
    return tuple(int(i) for i in order if i not in apart)


def without(stated: Iterable[Stated]) -> Iterator[Stated]:
    """Told claims written by hand before their articles without the sentences that tell them, where others are left."""
    for each in stated:
        if each.claim.told and each.claim.kind not in MADE and each.others:
            evidence = tuple(item for i, item in enumerate(each.evidence) if i not in each.bearing)
            others = tuple(each.evidence[i] for i in each.others)
            claim = replace(each.claim, id=f"{each.claim.id}-without", told=False, kind=WITHOUT, quotes=())
            order = tuple(evidence.index(item) for item in others)
            yield Stated(claim, evidence, (), order, elsewhere=each.elsewhere)


def strangers(articles: Articles, stated: Sequence[Stated], every: int = STRANGE) -> Iterator[Stated]:
    """One in `every` told claims before an article that tells of something else, but in like words."""
    names = sorted(articles.known)
    everything = np.concatenate([articles.known[name][1] for name in names])
    first = np.cumsum([0, *(len(articles.known[name][1]) for name in names)])[:-1]
    for each in [each for each in stated if each.claim.told and each.claim.kind not in MADE][::every]:
        own = articles[each.claim.article][1][list(each.bearing)]
        alike = np.maximum.reduceat((everything @ own.T).max(1), first)
        ranked = [names[i] for i in np.argsort(-alike, kind="stable")]
        apart = [name for name in ranked if articles.known[name][0][0].article.event != each.claim.event]
        if not (alike_ones := apart[slice(*STRANGERS)]):
            continue  # a small corpus
        chance = random.Random(f"{SEED} {each.claim.id}")  # noqa: S311 - sampling, not secrets
        evidence, vectors = articles[chance.choice(alike_ones)]
        claim = replace(each.claim, id=f"{each.claim.id}-stranger", told=False, kind=STRANGER, quotes=())
        yield Stated(claim, evidence, (), _by_likeness(vectors, own))
