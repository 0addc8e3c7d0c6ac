"""Claims to learn from: what `rag.evaluate.train` and `rag.evaluate.fit_check` are shown.

tests/qa/claims.jsonl holds claims written by hand about the briefs behind the training questions, half of them told there
and half not: roles turned round, plans told as facts, figures slightly off, one detail too many. Claims made by rule from
the same briefs stand beside them: sentences and their twins in the other language, and the same with one thing changed.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from rag.ask import Chipdesk
from rag.errors import CorpusError
from rag.evaluate.corruptions import MAKERS, Kind, Told, parallel, told
from rag.evidence import passage_of
from rag.glossary import Glossary
from rag.settings import home
from rag.types import Language

TOLD: Final = ("paraphrase", "part", "joined")
NOT_TOLD: Final = ("role", "hedge", "negation", "number", "date", "unit", "name", "cause", "extra")
"""Kinds of claims written by hand: what makes them differ from the sentences they rest on."""
BY_RULE: Final = "rule"
"""Kind of the others."""
LEAST: Final = 0.91
"""Cosine from which two sentences are taken for one statement: lower than for measuring, so that looser retellings count."""
CHANGED: Final = 0.6
"""Share of the sentences that are told with one thing changed, too."""
VERBATIM: Final = 0.3
"""Share of the sentences without a main clause to cut out that are told as they stand."""
RARE: Final[frozenset[Kind]] = frozenset(("role", "hedge"))
"""Changes made wherever a sentence allows them: most do not."""
SEED: Final = "claims 1"


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
    context: str
    """The article's title and date."""
    sentences: tuple[str, ...]
    bearing: tuple[int, ...]
    """Positions of the sentences that the claim rests on or departs from."""
    others: tuple[int, ...]
    """Positions of the others, the nearest to those first."""
    language: Language
    """The article's."""


def read_claims(folder: Path | None = None) -> list[Claim]:
    """The claims written by hand.

    Raises:
        CorpusError: the file is missing or a line is not a claim; names file and line.
    """
    path = (folder or home() / "tests" / "qa") / "claims.jsonl"
    if not path.is_file():
        raise CorpusError(f"{path} is missing.", "Train in a checkout of the repository.")
    claims = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        try:
            claims.append(_claim(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            raise CorpusError(f"{path}:{number}: not a claim: {error!r}.") from error
    return claims


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


def gather(desk: Chipdesk, claims: list[Claim] | None = None) -> list[Stated]:
    """Claims before their articles: those written by hand and, of the same events, those made by rule.

    Args:
        desk: its index has the articles.
        claims: other ones than these.
    """
    if claims is None:
        claims = read_claims()
        stories = told(desk, frozenset(claim.event for claim in claims))
        claims = [*claims, *made_claims(stories, desk.index.glossary)]
    seen: dict[str, tuple[str, tuple[str, ...], np.ndarray, Language]] = {}
    stated = []
    for claim in claims:
        if claim.article not in seen:
            seen[claim.article] = _article(desk, claim.article)
        context, sentences, vectors, language = seen[claim.article]
        bearing = tuple(sentences.index(quote) for quote in claim.quotes if quote in sentences)
        nearness = (vectors @ vectors[list(bearing)].T).max(1) if bearing else np.zeros(len(sentences))
        others = tuple(int(i) for i in np.argsort(-nearness, kind="stable") if i not in bearing)
        if bearing:
            stated.append(Stated(claim, context, sentences, bearing, others, language))
    return stated


def _article(desk: Chipdesk, identity: str) -> tuple[str, tuple[str, ...], np.ndarray, Language]:
    article = desk.article(identity)
    sentences: list[str] = []
    rows = []
    context = ""
    for chunk, first in desk.index.chunks(desk.index.catalog.rows_of(identity)).values():
        context = passage_of(article, chunk).context
        sentences += [article.text[span.start : span.end] for span in chunk.sentences]
        rows.append(desk.index.sentence_vectors(first, len(chunk.sentences)))
    return context, tuple(sentences), np.concatenate(rows), article.language
