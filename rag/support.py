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
    "reader": 1.634,
    "reader_share": 1.160,
    "sentence_cosine": 0.316,
    "chunk_cosine": -0.100,
    "lead_over_rest": 0.343,
    "rank": 1.909,
    "fused": 1.878,
    "coverage": 0.272,
    "context_coverage": -0.262,
    "cross_coverage": 0.945,
    "cross_context": 0.403,
    "names_in_sentence": 0.058,
    "names_in_context": -0.236,
    "names_missing": -0.972,
    "numbers_missing": -0.494,
    "number_wanted": -0.155,
    "date_wanted": -0.042,
    "cause_wanted": -0.006,
    "person_wanted": -0.102,
    "saying_wanted": 0.049,
    "same_language": 0.318,
    "first_sentence": -0.084,
    "bias": -4.854,
}
STRANGE: Final = 0.05
"""What is left of all support where the question is about something the corpus does not know: whatever was found is about
another thing."""

SIGNS: Final = ("best", "reader", "again", "far")
ANSWERED: Final[dict[str, float]] = {
    # printed by `python -m rag.evaluate.fit`: the same, and 176 questions about other matters
    "best": 0.188,
    "reader": 1.273,
    "again": 0.536,
    "far": -1.915,
    "bias": 1.932,
}
FAR: Final = -1.0
"""Cosine of a passage, as it is measured, below which it is about something else: of what is best for questions on other
subjects it is -1.7 (median), of 95 % of the best for answerable ones more than this."""
MET: Final = 0.5
"""Share of what is asked for from which a passage counts as meeting it: it has the words, or the same things in the other
language."""
FAR_MET: Final = -2.5
"""`FAR` for such a passage: a question about a court or a factory meets one anywhere (two of the 176 on other subjects, at -3.1),
but 31 of 43 answerable questions whose best passage is below `FAR` have one above this."""
FARTHEST: Final = 2.0
"""No passage counts as farther than this below `FAR`: the cosines of another model (`CHIPDESK_MODEL`) may all lie there, and must
not decline everything."""
ALONE: Final = -1.6
"""What stands for the judgement of a second sentence where a story has only one: the median of those that have more."""
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
        best: logit of the best support. reader: the reader's best logit (scaled), of whichever sentence. again: its best for
            another sentence of the same story, in whichever language: what is so is often told or touched on twice, what
            merely looks like an answer seldom. far: how far the best sentence's passage is: the reader knows what answers look
            like, even those to questions about something else.
    """
    best = evidence[0]
    top = max(evidence, key=lambda item: item.features["reader"])
    others = [item for item in evidence if item.article.event == top.article.event and item is not top]
    return {
        "best": logit(best.support),
        "reader": top.features["reader"],
        "again": max((item.features["reader"] for item in others), default=ALONE),
        "far": how_far(best.features),
    }


def how_far(features: Mapping[str, float]) -> float:
    """How much the passage of a sentence with these measurements is about something else than what is asked, 0..`FARTHEST`.

    At 0 it is near, be it an answer or not: of 436 near misses held out all but one have such a passage, of 176 questions about
    other matters 15.
    """
    met = max(features["context_coverage"], features["cross_context"]) >= MET
    return min(FARTHEST, max(0.0, (FAR_MET if met else FAR) - features["chunk_cosine"]))


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
