"""How sure: two logistic models, fitted on the training questions that the reader has not seen (`python -m rag.evaluate.fit`).

`support` is the probability that a sentence answers the question, made from its measurements. `answered` is the probability
that the question has an answer among all of them: whether to answer is another question than what to answer, and leans far
more on the reader, which alone has learned what a near miss looks like.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from rag.types import Evidence

FEATURES: Final = (
    "reader", "reader_share", "sentence_cosine", "chunk_cosine", "lead_over_rest", "rank", "fused", "coverage", "context_coverage", "cross_coverage",
    "cross_context", "names_in_sentence", "names_in_context", "names_missing", "numbers_missing", "number_wanted",
    "date_wanted", "cause_wanted", "person_wanted", "saying_wanted", "same_language", "first_sentence",
)  # fmt: skip
WEIGHTS: Final[dict[str, float]] = {
    # printed by `python -m rag.evaluate.fit`: 1,448 of the training questions whose events the reader has not seen
    "reader": 1.396,
    "reader_share": 1.175,
    "sentence_cosine": 0.333,
    "chunk_cosine": -0.105,
    "lead_over_rest": 0.425,
    "rank": 1.918,
    "fused": 1.857,
    "coverage": 0.342,
    "context_coverage": -0.199,
    "cross_coverage": 0.972,
    "cross_context": 0.400,
    "names_in_sentence": -0.128,
    "names_in_context": -0.114,
    "names_missing": -0.977,
    "numbers_missing": -0.523,
    "number_wanted": -0.126,
    "date_wanted": 0.073,
    "cause_wanted": -0.006,
    "person_wanted": -0.165,
    "saying_wanted": 0.154,
    "same_language": 0.322,
    "first_sentence": -0.276,
    "bias": -5.334,
}
STRANGE: Final = 0.05
"""What is left of all support where the question is about something the corpus does not know: whatever was found is about
another thing."""

SIGNS: Final = ("best", "reader")
ANSWERED: Final[dict[str, float]] = {
    # printed by `python -m rag.evaluate.fit`, like the weights above
    "best": 0.169,
    "reader": 1.322,
    "bias": 0.892,
}
LOOKED_AT: Final = 48
"""Sentences that a question of the corpus is usually answered from (median of those that were fitted on)."""
FEW: Final = 12
"""Sentences below which nothing more is made of their small number."""
FEWEST: Final = 1e-6
"""Probabilities are kept this far from 0 and 1 before their logit is taken."""


def support(features: Mapping[str, float], weights: Mapping[str, float] = WEIGHTS) -> float:
    """Probability that a sentence with these measurements answers the question, 0..1."""
    known = STRANGE if features.get("strange") else 1.0
    return known * sigmoid(weights["bias"] + sum(weights[name] * features[name] for name in FEATURES))


def answered(evidence: Sequence[Evidence], among: int) -> float:
    """Probability that a question has an answer in its evidence, 0..1; 0 without evidence.

    Where few sentences were looked at, fewer can look like an answer by chance: the odds that the best one is real are that
    much better. A reader's own article has a dozen, a corpus `LOOKED_AT`.

    Args:
        evidence: what counts, best first.
        among: the number of sentences that were looked at, `evidence` among them.
    """
    if not evidence:
        return 0.0
    seen = signs(evidence)
    few = max(0.0, math.log(LOOKED_AT / max(FEW, among)))
    known = STRANGE if evidence[0].features.get("strange") else 1.0
    return known * sigmoid(ANSWERED["bias"] + sum(ANSWERED[name] * seen[name] for name in SIGNS) + few)


def signs(evidence: Sequence[Evidence]) -> dict[str, float]:
    """What `answered` is made from, for at least one piece of evidence, best first.

    Returns:
        best: logit of the best support. reader: the reader's best logit (scaled), of whichever sentence.
    """
    return {
        "best": logit(evidence[0].support),
        "reader": max(item.features["reader"] for item in evidence),
    }


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, x))))


def log_sum(values: Sequence[float]) -> float:
    """log(sum(exp(v))), without overflow."""
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))


def logit(p: float) -> float:
    """Log odds of a probability, which is kept `FEWEST` from 0 and 1 before."""
    p = min(1.0 - FEWEST, max(FEWEST, p))
    return math.log(p / (1.0 - p))
