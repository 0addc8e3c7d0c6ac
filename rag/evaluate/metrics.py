"""Metrics as pure functions: one question's score each, and what an empty case means.

Rankings are lists of ids, best first, without repeats. All scores are 0..1, higher is better.

Citation precision and recall follow Gao et al., "Enabling Large Language Models to Generate Text with Citations" (ALCE),
EMNLP 2023. There a model judges whether a passage entails a sentence; here sentences are quotations, so that code can
check it: a citation holds if its quote stands at its offsets in the stored article, the article is not withdrawn, and
the sentence is that quote.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence

from rag.types import Answer, Article, Citation, Language

Library = Callable[[str], Article | None]
"""The stored article with an id, None where there is none."""

# --- retrieval -------------------------------------------------------------------------------------------------------


def rank_of(ranking: Sequence[str], gold: Collection[str]) -> int | None:
    """Rank of the first gold id, counted from 1; None if none is ranked. ValueError without gold ids."""
    _require(gold)
    return next((rank for rank, item in enumerate(ranking, start=1) if item in gold), None)


def hit_at(ranking: Sequence[str], gold: Collection[str], k: int) -> float:
    """1 if any gold id is among the first k, else 0. Without gold ids there is nothing to find: ValueError."""
    _require(gold)
    return float(any(item in gold for item in ranking[:k]))


def reciprocal_rank(ranking: Sequence[str], gold: Collection[str]) -> float:
    """1 / rank of the first gold id, 0 if none is ranked; ValueError without gold ids."""
    rank = rank_of(ranking, gold)
    return 1.0 / rank if rank else 0.0


def ndcg_at(ranking: Sequence[str], gold: Collection[str], k: int) -> float:
    """nDCG@k with binary gains: sum of 1 / log2(rank + 1) over gold ids in the first k, divided by the best possible.

    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 20 (2002). ValueError without gold.
    """
    _require(gold)
    gained = sum(1.0 / math.log2(rank + 1) for rank, item in enumerate(ranking[:k], start=1) if item in gold)
    best = sum(1.0 / math.log2(rank + 1) for rank in range(1, min(k, len(gold)) + 1))
    return gained / best


# --- answers ---------------------------------------------------------------------------------------------------------


def precision_recall(found: Collection[Hashable], gold: Collection[Hashable]) -> tuple[float, float]:
    """Shares of `found` that are gold and of `gold` that were found. Nothing found is precise (1); no gold is found (1)."""
    right = len(set(found) & set(gold))
    return (right / len(set(found)) if found else 1.0, right / len(set(gold)) if gold else 1.0)


def citation_precision(answer: Answer, library: Library) -> float | None:
    """Share of the (sentence, citation) pairs that hold; 0 for sentences that cite nothing, None without sentences."""
    pairs = [held for sentence in _held(answer, library) for held in sentence]
    if not answer.sentences:
        return None
    return sum(pairs) / len(pairs) if pairs else 0.0


def citation_recall(answer: Answer, library: Library) -> float | None:
    """Share of the sentences that are covered by a citation that holds; None without sentences.

    The notes beside the sentences ("quoted as it stands:") speak of the answer, not of the world, and are not counted.
    """
    return mean(float(any(sentence)) for sentence in _held(answer, library))


def holds(sentence: str, citation: Citation, article: Article | None) -> bool:
    """Whether `sentence` is the citation's quote, verbatim from a stored article that is not withdrawn.

    A sentence in the other language may stand between that language's quotation marks.
    """
    quote = citation.quote
    return (
        article is not None
        and article.status != "withdrawn"
        and article.text[citation.start : citation.end] == quote
        and sentence in (quote, f"„{quote}“", f"“{quote}”")
    )


def lead(answer: Answer, gold: Collection[tuple[str, str]]) -> float | None:
    """1 if the first sentence cites a gold sentence (article, quote); None for an abstention."""
    if answer.abstained or not answer.sentences:
        return None
    first = set(answer.sentences[0].citations)
    return float(any((c.article, c.quote) in gold for c in answer.citations if c.number in first))


def calibration_error(pairs: Iterable[tuple[float, float]], bins: int = 10) -> float | None:
    """How far stated probabilities are from what came true, 0..1, less is better; None without pairs.

    Expected calibration error: pairs (probability, outcome 0 or 1) are put into `bins` of equal width, and the distance
    between mean probability and mean outcome is averaged over the bins, weighted by their size. Guo et al., "On
    Calibration of Modern Neural Networks", ICML 2017.
    """
    rows = list(pairs)
    if not rows:
        return None
    groups: dict[int, list[tuple[float, float]]] = {}
    for probability, outcome in rows:
        groups.setdefault(min(bins - 1, int(probability * bins)), []).append((probability, outcome))
    return sum(abs(sum(p for p, _ in group) - sum(o for _, o in group)) for group in groups.values()) / len(rows)


def on_event(answer: Answer, events: Collection[str]) -> float | None:
    """Share of the citations that tell one of the gold events; None for an abstention, without citations and without events."""
    if answer.abstained or not events:
        return None
    return mean(float(citation.event in events) for citation in answer.citations)


def language_match(answer: Answer, language: Language, *, told: bool) -> float:
    """1 if the answer is in the question's language, and begins with evidence in it where the answer is told in it.

    An abstention cites the nearest coverage only: there the language of what is said counts.

    Args:
        answer: an answer or an abstention.
        language: the question's.
        told: whether gold sentences exist in that language.
    """
    if answer.language != language:
        return 0.0
    if answer.abstained or not told:
        return 1.0
    return float(bool(answer.citations) and answer.citations[0].language == language)


def premise_handled(answer: Answer, corrections: Collection[tuple[str, str]]) -> float:
    """For a question built on a false premise: 1 if it was declined, or if the first sentence corrects the premise.

    Args:
        answer: an answer or an abstention.
        corrections: (article id, quote) of the sentences that correct it; without any, only declining is right.
    """
    if answer.abstained:
        return 1.0
    first = answer.sentences[0].citations if answer.sentences else ()
    return float(any((c.article, c.quote) in corrections for c in answer.citations if c.number in first))


def _held(answer: Answer, library: Library) -> list[list[bool]]:
    """For each sentence, whether each of its citations holds; a number that points to no citation does not."""
    numbered = {citation.number: citation for citation in answer.citations}
    return [
        [
            number in numbered and holds(sentence.text, numbered[number], library(numbered[number].article))
            for number in sentence.citations
        ]
        for sentence in answer.sentences
    ]


# --- many questions --------------------------------------------------------------------------------------------------


def mean(scores: Iterable[float]) -> float | None:
    """The mean; None, and not 0, where there is nothing to average."""
    values = list(scores)
    return sum(values) / len(values) if values else None


def percentile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that at least `share` (0..1) of the values do not exceed (nearest rank); None without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def _require(gold: Collection[str]) -> None:
    if not gold:
        raise ValueError("a ranking cannot be scored without gold ids")
