"""Hits to Evidence: which sentences answer the question, how surely, and whether that is enough.

Similarity cannot tell an answer from a sentence that is merely about the same thing. So each candidate sentence is
measured in several cheap ways (meaning, words, names, the kind of answer wanted), and a logistic model turns the
measurements into a probability, its support. The weights are fitted on the development questions (`chipdesk fit`); none
depends on the size of the corpus.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

from rag.glossary import Glossary
from rag.types import Evidence, Hit, Language, Question, Vectors
from rag.words import fold, language_of, stem, terms, tokens

FEATURES: Final = (
    "sentence_cosine", "chunk_cosine", "lead_over_rest", "rank", "coverage", "context_coverage", "cross_coverage",
    "names_in_sentence", "names_in_context", "names_missing", "numbers_missing", "number_wanted", "date_wanted", "cause_wanted",
    "person_wanted", "saying_wanted", "same_language", "first_sentence",
)  # fmt: skip
WEIGHTS: Final[dict[str, float]] = {
    "bias": -3.2, "sentence_cosine": 1.2, "chunk_cosine": 0.5, "lead_over_rest": 0.8, "rank": 0.8, "coverage": 1.0,
    "context_coverage": 1.0, "cross_coverage": 1.0, "names_in_sentence": 0.6, "names_in_context": 0.8,
    "names_missing": -2.5, "numbers_missing": -0.8, "number_wanted": 0.6, "date_wanted": 0.5, "cause_wanted": 0.6,
    "person_wanted": 0.3, "saying_wanted": 0.2, "same_language": 0.0, "first_sentence": 0.2,
}  # fmt: skip
COSINE_CENTRE: Final = 0.85
COSINE_SCALE: Final = 0.03
"""e5 cosines of news questions and sentences lie in .85 +- .06; this brings them to about -2..2 for the logistic model."""

_NUMBER = re.compile(r"\d")
_CAUSE = re.compile(
    r"\b(because|since|due to|owing to|as a result|reasons?|caused?|causes|after|led to|blamed?|citing|prompted|forced|"
    r"trouble|problems?|fail\w*|could not|concern\w*|weil|da|denn|wegen|aufgrund|grund|gründe\w*|ursache\w*|infolge|nachdem|"
    r"deshalb|daher|führte\w*|zwang|zwangen|gezwungen|scheiter\w*|probleme?n?|schwierigkeiten|begründe\w*|bedenken|"
    r"mangels?|anlass|hintergrund|um .{3,60} zu)\b",
    re.IGNORECASE,
)
_SAYING = re.compile(
    r"\b(said|says|told|according to|reported|reports|wrote|announced|denied|argued|called|warned|estimated|expects?|"
    r"sagte\w*|sagt|laut|zufolge|berichtete\w*|berichten|schrieb\w*|erklärte\w*|kündigte\w*|bestritt\w*|nannte\w*|warnte\w*|"
    r"nach angaben|hieß es|gab an|gaben an|teilte\w*)\b",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b(?:(?:19|20)\d\d|january|february|march|april|june|july|august|september|october|november|december|"
    r"januar|februar|märz|mai|juni|juli|oktober|dezember|quartal|quarter|monday|tuesday|wednesday|thursday|friday)\b",
    re.IGNORECASE,
)
_PERSON = re.compile(r"\b[A-ZÄÖÜ][\wäöüß’'-]+ (?:[A-Z]\. )?[A-ZÄÖÜ][\wäöüß’'-]+")


class Measured(Protocol):
    """What measuring sentences needs of an index."""

    glossary: Glossary

    def sentence_cosines(self, vector: Vectors, first: int, count: int) -> Vectors: ...
    def rarity(self, term: str, language: Language) -> float: ...


def find_evidence(question: Question, vector: Vectors, hits: Sequence[Hit], index: Measured) -> list[Evidence]:
    """All quotable sentences of the hits with their support, best first.

    Args:
        question: decides what counts as an answer.
        vector: the question's unit vector, shape (dimension,).
        hits: where to look.
        index: knows sentence vectors, term rarity and the glossary.
    """
    asked = _Asked.of(question, index)
    measured: list[tuple[Hit, int, dict[str, float]]] = []
    for rank, hit in enumerate(hits):
        cosines = index.sentence_cosines(vector, hit.first, len(hit.chunk.sentences))
        context = _Said.of(hit.article.title + "\n" + hit.article.text[hit.chunk.start : hit.chunk.end], hit.article.language, index.glossary)
        whole = fold(hit.article.title + "\n" + hit.article.text + " " + " ".join(hit.article.entities))
        for position, span in enumerate(hit.chunk.sentences):
            if span.quotable:
                text = hit.article.text[span.start : span.end]
                features = _measure(asked, text, hit, context, whole)
                features["sentence_cosine"] = (float(cosines[position]) - COSINE_CENTRE) / COSINE_SCALE
                features["rank"] = 1.0 / (1 + rank)
                features["first_sentence"] = float(span.start == 0)
                measured.append((hit, position, features))
    for language in ("de", "en"):
        # one language's cosines are higher than the other's throughout: compare within
        group = [features for hit, _, features in measured if hit.article.language == language]
        mean = sum(features["sentence_cosine"] for features in group) / max(1, len(group))
        for features in group:
            features["lead_over_rest"] = features["sentence_cosine"] - mean
    found = [
        Evidence(hit.article, hit.chunk.sentences[position], support(features), features)
        for hit, position, features in measured
    ]
    return sorted(found, key=lambda evidence: (-evidence.support, evidence.article.id, evidence.span.start))


def support(features: dict[str, float]) -> float:
    """The logistic model: probability that a sentence with these measurements answers the question, 0..1."""
    score = WEIGHTS["bias"] + sum(WEIGHTS[name] * features[name] for name in FEATURES)
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, score))))


def choose(question: Question, evidence: Sequence[Evidence], *, most: int, least: float) -> list[Evidence]:
    """The sentences an answer is made of, in the order they are told; empty where nothing is supported enough.

    The best one leads. Others join while they are nearly as well supported and say something else. An event that is told
    in the question's language is not quoted in the other one as well.

    Args:
        most: most sentences.
        least: support that the best sentence needs.
    """
    if not evidence or evidence[0].support < least:
        return []
    own = {item.article.event for item in evidence if item.article.language == question.language and item.support >= least * OWN_LANGUAGE_EASE}
    usable = [item for item in evidence if item.article.language == question.language or item.article.event not in own]
    best = usable[0]
    chosen = [best]
    for item in usable[1:]:
        if len(chosen) >= most or item.support < max(JOINS * best.support, least * OWN_LANGUAGE_EASE):
            break
        if not any(_same_statement(item.quote, other.quote) for other in chosen):
            chosen.append(item)
    # the lead first, then its own article in reading order, then the others by date
    return sorted(
        chosen,
        key=lambda item: (
            item is not best, item.article.id != best.article.id, item.article.published, item.article.id, item.span.start
        ),
    )  # fmt: skip


OWN_LANGUAGE_EASE: Final = 0.8
"""A sentence in the question's language may have this share of the support that is asked for otherwise."""
JOINS: Final = 0.75
"""Share of the best sentence's support that a further one needs."""
SAME: Final = 0.8
"""Share of common words above which two sentences make the same statement."""


def _same_statement(one: str, other: str) -> bool:
    a, b = ({fold(word) for word in tokens(text)} for text in (one, other))
    return len(a & b) >= SAME * min(len(a), len(b))


# --- measuring -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Said:
    """A text as the measurements see it."""

    terms: frozenset[str]
    concepts: frozenset[str]

    @classmethod
    def of(cls, text: str, language: Language, glossary: Glossary) -> _Said:
        return cls(frozenset(_terms(text, language)), frozenset(_concepts(text, language, glossary)))


@lru_cache(maxsize=20_000)
def _terms(text: str, language: Language) -> tuple[str, ...]:
    return tuple(terms(text, language))


@lru_cache(maxsize=20_000)
def _concepts(text: str, language: Language, glossary: Glossary) -> tuple[str, ...]:
    return tuple(glossary.concepts(text, language))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question as the measurements see it."""

    question: Question
    language: Language
    terms: dict[str, float]
    """Index terms in the question's own language with their rarity."""
    concepts: dict[str, float]
    names: tuple[tuple[str, ...], ...]
    """The folded words of each name."""
    name_concepts: tuple[str | None, ...]
    """Glossary id of each name, where it has one."""
    numbers: tuple[str, ...]
    """Years and bare numbers the question mentions."""
    glossary: Glossary

    @classmethod
    def of(cls, question: Question, index: Measured) -> _Asked:
        text = question.standalone
        language = language_of(text, default=question.language)
        words = {term: index.rarity(term, language) for term in terms(text, language)}
        mentions = list(index.glossary.mentions(text, language))
        ids = {words: entry.id for entry, words in mentions}
        return cls(
            question=question,
            language=language,
            terms=words,
            concepts={entry.id: 1.0 if entry.kind == "term" else 2.0 for entry, _ in mentions},
            names=tuple(tuple(fold(word) for word in tokens(name)) for name in question.names),
            name_concepts=tuple(ids.get(name) for name in question.names),
            numbers=tuple(word for word in tokens(text) if word.isdigit() and len(word) > 1),
            glossary=index.glossary,
        )


def _measure(asked: _Asked, text: str, hit: Hit, context: _Said, whole: str) -> dict[str, float]:
    language = hit.article.language
    said = _Said.of(text, language, asked.glossary)
    same = language == asked.language
    folded, folded_context = fold(text), fold(hit.article.title) + " " + fold(hit.article.text[hit.chunk.start : hit.chunk.end])
    names_in_sentence = [_named(asked, i, folded, said) for i in range(len(asked.names))]
    names_in_context = [_named(asked, i, folded_context, context) for i in range(len(asked.names))]
    names_in_article = [_named(asked, i, whole, context) for i in range(len(asked.names))]
    wants = asked.question.wants
    return {
        "chunk_cosine": (hit.cosine - COSINE_CENTRE) / COSINE_SCALE,
        "coverage": _share(asked.terms, said.terms) if same else 0.0,
        "context_coverage": _share(asked.terms, context.terms | said.terms) if same else 0.0,
        "cross_coverage": 0.0 if same else _share(asked.concepts, said.concepts | context.concepts),
        "names_in_sentence": _mean(names_in_sentence),
        "names_in_context": _mean(names_in_context),
        "names_missing": float(sum(not found for found in names_in_article)),
        "numbers_missing": float(sum(number not in whole and number not in str(hit.article.published) for number in asked.numbers)),
        "number_wanted": _wanted("how_many" in wants, bool(_NUMBER.search(_without_codes(text)))),
        "date_wanted": _wanted("when" in wants, bool(_DATE.search(text))),
        "cause_wanted": _wanted("why" in wants, bool(_CAUSE.search(text))),
        "person_wanted": _wanted("who" in wants, bool(_PERSON.search(text))),
        "saying_wanted": _wanted("said" in wants, bool(_SAYING.search(text))),
        "same_language": float(same),
    }


def _named(asked: _Asked, position: int, folded: str, said: _Said) -> bool:
    concept = asked.name_concepts[position]
    if concept is not None and concept in said.concepts:
        return True
    return all(_contains(folded, word) for word in asked.names[position])


def _contains(folded: str, word: str) -> bool:
    """Whole words only for short names ("R2" is not in "R21"); longer ones may carry an ending ("Huaweis")."""
    pattern = _name_pattern(word)
    return bool(pattern(folded))


@lru_cache(maxsize=4_000)
def _name_pattern(word: str) -> Callable[[str], re.Match[str] | None]:
    ending = r"(?:'?s|n|en|er|es)?" if len(word) > 3 and not _NUMBER.search(word) else r"(?:'?s)?"
    return re.compile(rf"(?<![^\W_]){re.escape(word)}{ending}(?![^\W_])").search


def _without_codes(text: str) -> str:
    """The text without model numbers, which are names and not quantities, and without years."""
    return re.sub(r"\b(?=\w*[A-Za-z])\w*\d\w*\b|\b(?:19|20)\d\d\b", "", text)


def _share(asked: dict[str, float], found: frozenset[str]) -> float:
    """Share of the asked weight that was found, 0..1; 0.5 where nothing was asked that could be found."""
    total = sum(asked.values())
    return sum(weight for key, weight in asked.items() if key in found) / total if total else 0.5


def _mean(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else 1.0


def _wanted(asked: bool, given: bool) -> float:
    """1 where the sentence has what is asked for, -1 where it lacks it, 0 where it is not asked for."""
    return 0.0 if not asked else 1.0 if given else -1.0
