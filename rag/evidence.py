"""Hits to Evidence: which sentences answer the question, how surely, and whether that is enough.

Similarity cannot tell an answer from a sentence that is merely about the same thing. So a trained reader judges each
candidate sentence in its passage, and cheap measurements (meaning, words, names, the kind of answer wanted) stand beside
its judgement; `rag.support` turns all of them into a probability. No measurement depends on the size of the corpus.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final, Protocol

from rag.dates import headed
from rag.glossary import Glossary
from rag.support import log_sum, sigmoid, support
from rag.types import LANGUAGES, Article, Chunk, Evidence, Hit, Language, Passage, Question, Reader, Said, Vectors
from rag.words import fold, language_of, terms, tokens

READER_SCALE: Final = 4.0
"""The reader's logits lie between about -10 and 10."""
COSINE_CENTRE: Final = 0.85
COSINE_SCALE: Final = 0.03
"""e5 cosines of news questions and sentences lie in .85 +- .06; this brings them to about -2..2 for the logistic model."""

_NUMBER = re.compile(r"\d")
_MODEL_NUMBER = re.compile(r"(?=\w*\d)(?=\w*[a-z])\w{2,}")
_QUANTITY = re.compile(
    r"q[1-4]|h[12]|[fc]y\d+|[1-4]q\d*|[12]h\d*|mm2|\d+(?:"
    r"st|nd|rd|th|nm|µm|mm|km|k|g|kg|m|mn|mln|mio|bn|mrd|tn|trn|eur|usd|x|pct|s|er|fach|k?w|[kmgt]w?h|[mgt][wb]|[kmgt]?hz)"
)
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

    @property
    def glossary(self) -> Glossary: ...
    def sentence_cosines(self, vector: Vectors, first: int, count: int) -> Vectors: ...
    def said(self, rows: Sequence[int]) -> dict[int, tuple[list[Said], Said, Said]]: ...
    @property
    def size(self) -> int:
        """Number of chunks."""

    def frequency(self, term: str, language: Language) -> int:
        """Number of chunks of articles in `language` that have the index term."""

    def chunks_in(self, language: Language) -> int:
        """Number of chunks of articles in `language`."""


def worth_reading(question: Question, hits: Sequence[Hit], most: int) -> list[Hit]:
    """The hits whose sentences are read, best first: what is told in the question's language is not read in the other too.

    Args:
        question: whose language comes first.
        hits: what retrieval found, best first.
        most: most hits that are read.
    """
    told = {hit.article.event for hit in hits if hit.article.language == question.language}
    return [hit for hit in hits if hit.article.language == question.language or hit.article.event not in told][:most]


def find_evidence(
    question: Question, vector: Vectors, hits: Sequence[Hit], index: Measured, reader: Reader
) -> list[Evidence]:
    """All quotable sentences of the hits with their support, best first.

    Args:
        question: decides what counts as an answer.
        vector: the question's unit vector, shape (dimension,).
        hits: where to look; all of them are read.
        index: knows sentence vectors, term rarity and the glossary.
        reader: judges the sentences.
    """
    asked = _Asked.of(question, index)
    mentioned = index.said([hit.row for hit in hits])
    readings = reader.read(question.standalone, [passage_of(hit.article, hit.chunk) for hit in hits])
    # log of the sum over all sentences and "none of them", whose logit is 0
    total = log_sum([0.0, *(reading.answers for passage in readings for reading in passage)])
    measured: list[tuple[Hit, int, dict[str, float]]] = []
    for rank, hit in enumerate(hits):
        cosines = index.sentence_cosines(vector, hit.first, len(hit.chunk.sentences))
        sentences, title, whole = mentioned[hit.row]
        context = reduce(or_, sentences, title)
        for position, span in enumerate(hit.chunk.sentences):
            if span.quotable:
                text = hit.article.text[span.start : span.end]
                features = _measure(asked, text, hit, sentences[position], context, whole)
                features["sentence_cosine"] = (float(cosines[position]) - COSINE_CENTRE) / COSINE_SCALE
                reading = readings[rank][position]
                features["reader"] = reading.answers / READER_SCALE
                features["reader_share"] = math.exp(reading.answers - total)
                features["corrects"] = reading.corrects
                features["strange"] = float(asked.strange)
                features["rank"] = 1.0 / (1 + rank)
                features["first_sentence"] = float(span.start == 0)
                measured.append((hit, position, features))
    for language in LANGUAGES:
        # one language's cosines are higher than the other's throughout: compare within
        group = [features for hit, _, features in measured if hit.article.language == language]
        mean = sum(features["sentence_cosine"] for features in group) / max(1, len(group))
        for features in group:
            features["lead_over_rest"] = features["sentence_cosine"] - mean
    supports = [support(features) for _, _, features in measured]
    if "why" in question.wants:
        supports = _explained(measured, supports)
    found = [
        Evidence(hit.article, hit.chunk.sentences[position], supported, sigmoid(features["corrects"]), features)
        for (hit, position, features), supported in zip(measured, supports, strict=True)
    ]
    return sorted(found, key=lambda evidence: (-evidence.support, evidence.article.id, evidence.span.start))


def passage_of(article: Article, chunk: Chunk) -> Passage:
    """A chunk as a reader sees it."""
    return Passage(headed(article), tuple(article.text[span.start : span.end] for span in chunk.sentences))


EXPLAINS: Final = 0.5
"""Share of its neighbour's support that a sentence gets which gives the cause of what the neighbour says."""


def _explained(measured: Sequence[tuple[Hit, int, dict[str, float]]], supports: Sequence[float]) -> list[float]:
    """Supports for a why-question. News text says first what happened and in the next sentence why, without repeating the
    names: what happened does not have to give the cause if the sentence beside it does, and that one shares its support.
    """
    place = {(hit.row, position): i for i, (hit, position, _) in enumerate(measured)}
    shared = list(supports)
    for (row, position), i in place.items():
        cause = place.get((row, position + 1))
        features = measured[i][2]
        if cause is None or features["cause_wanted"] > 0 or measured[cause][2]["cause_wanted"] < 0:
            continue
        shared[i] = support(features | {"cause_wanted": 0.0})
        shared[cause] = max(shared[cause], EXPLAINS * shared[i])
    return shared


# --- measuring -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question as the measurements see it."""

    question: Question
    language: Language
    terms: dict[str, float]
    """Index terms in the question's own language with their inverse document frequency, ln((N + 1) / (n + 1))."""
    synonyms: dict[str, str]
    """Index term -> glossary id, for terms that are names of an entry: "delayed" is answered by "postponed"."""
    concepts: dict[str, float]
    """Glossary ids the question names; names weigh more than terms."""
    names: tuple[tuple[frozenset[str], dict[Language, frozenset[str]]], ...]
    """For each name the glossary ids it stands for, and its index terms in either language."""
    strange: bool
    """Whether the question is about something the corpus plainly does not know."""
    numbers: frozenset[str]
    """Years and bare numbers the question mentions."""

    @classmethod
    def of(cls, question: Question, index: Measured) -> _Asked:
        text = question.standalone
        language = language_of(text, default=question.language)
        mentions = list(index.glossary.mentions(text, language))
        frequency = {term: index.frequency(term, language) for term in terms(text, language)}
        return cls(
            question=question,
            language=language,
            terms={term: math.log((index.size + 1) / (count + 1)) for term, count in frequency.items()},
            synonyms={term: entry.id for entry, words in mentions for term in terms(words, language)},
            concepts={entry.id: TERM_WEIGHT if entry.kind == "term" else NAME_WEIGHT for entry, _ in mentions},
            names=tuple(
                (
                    frozenset(index.glossary.concepts(name, language)),
                    {each: frozenset(terms(name, each, keep_stopwords=True)) for each in LANGUAGES},
                )
                for name in question.names
            ),
            strange=_names_unknown_model(text, index) or _is_elsewhere(question, language, frequency, index),
            numbers=frozenset(word for word in tokens(text) if word.isdigit() and len(word) > 1),
        )


TERM_WEIGHT: Final = 1.0
NAME_WEIGHT: Final = 2.0


def _measure(asked: _Asked, text: str, hit: Hit, said: Said, context: Said, whole: Said) -> dict[str, float]:
    language = hit.article.language
    same = language == asked.language
    wants = asked.question.wants
    published = str(hit.article.published)
    return {
        "chunk_cosine": (hit.cosine - COSINE_CENTRE) / COSINE_SCALE,
        "fused": hit.score,
        "coverage": _share(asked.terms, _met(asked, said)) if same else 0.0,
        "context_coverage": _share(asked.terms, _met(asked, context)) if same else 0.0,
        "cross_coverage": 0.0 if same else _share(asked.concepts, said.concepts),
        "cross_context": 0.0 if same else _share(asked.concepts, context.concepts),
        "names_in_sentence": _named(asked, said, language),
        "names_in_context": _named(asked, context, language),
        "names_missing": 1.0 - _named(asked, whole, language),
        "numbers_missing": float(
            sum(number not in whole.terms and number not in published for number in asked.numbers)
        ),
        "number_wanted": _wanted("how_many" in wants, bool(_NUMBER.search(_without_codes(text)))),
        "date_wanted": _wanted("when" in wants, bool(_DATE.search(text))),
        "cause_wanted": _wanted("why" in wants, bool(_CAUSE.search(text))),
        "person_wanted": _wanted("who" in wants, bool(_PERSON.search(text))),
        "saying_wanted": _wanted("said" in wants, bool(_SAYING.search(text))),
        "same_language": float(same),
    }


def _names_unknown_model(text: str, index: Measured) -> bool:
    """Whether `text` names a model number that no article mentions ("R3", "H300")."""
    for word in map(fold, tokens(text)):
        if _MODEL_NUMBER.fullmatch(word) and not _QUANTITY.fullmatch(word):
            # "H100s" is the H100, "Gaudi2" is written "Gaudi 2" elsewhere
            spellings = {word, word.removesuffix("s"), *re.findall(r"[a-z]{3,}", word)}
            if not any(index.frequency(spelling, each) for spelling in spellings for each in LANGUAGES):
                return True
    return False


def _is_elsewhere(question: Question, language: Language, frequency: dict[str, int], index: Measured) -> bool:
    """Whether a question without any name uses mostly words that the articles in its language do not know."""
    if question.names or not index.chunks_in(language):
        return False
    return sum(count == 0 for count in frequency.values()) > len(frequency) / 2


def _met(asked: _Asked, said: Said) -> frozenset[str]:
    """The question's terms that a text has, in the same word or in another name of the same glossary entry."""
    return said.terms | {term for term, concept in asked.synonyms.items() if concept in said.concepts}


def _named(asked: _Asked, said: Said, language: Language) -> float:
    """Share of the question's names that a text mentions, 0..1; 1 where the question has none."""
    if not asked.names:
        return 1.0
    return sum(bool(ids & said.concepts) or words[language] <= said.terms for ids, words in asked.names) / len(
        asked.names
    )


def _without_codes(text: str) -> str:
    """The text without model numbers, which are names and not quantities, and without years."""
    return re.sub(r"\b(?=\w*[A-Za-z])\w*\d\w*\b|\b(?:19|20)\d\d\b", "", text)


def _share(asked: dict[str, float], found: frozenset[str]) -> float:
    """Share of the asked weight that was found, 0..1; 0 where nothing was asked that could be found.

    In a corpus of one chunk every term is in all chunks and weighs nothing: there the terms count alike.
    """
    total = sum(asked.values())
    if total:
        return sum(weight for key, weight in asked.items() if key in found) / total
    return sum(key in found for key in asked) / len(asked) if asked else 0.0


def _wanted(asked: bool, given: bool) -> float:
    """1 where the sentence has what is asked for, -1 where it lacks it, 0 where it is not asked for."""
    return 0.0 if not asked else 1.0 if given else -1.0
