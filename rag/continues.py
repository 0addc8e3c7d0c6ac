"""Does a question in a conversation continue it, though nothing in it points back? "How many transistors?", "Welche Anbieter
fehlten?": three in five follow-ups are like that. What is found tells: a follow-up alone is answered badly, and better once
it takes its topic along; a question on another matter is not. A logistic model, fitted on follow-ups and on questions that
were put behind a conversation about something else (`python -m rag.evaluate.fit`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from rag.support import answered, logit, sigmoid
from rag.types import Evidence, Question, Turn
from rag.words import fold, tokens

SIGNS: Final = ("alone", "within", "words", "new_names")
WEIGHTS: Final[dict[str, float]] = {
    # printed by `python -m rag.evaluate.fit`
    "alone": -0.189,
    "within": 1.021,
    "words": -3.430,
    "new_names": -2.819,
    "bias": 8.715,
}
LEAST: Final = 0.6
"""Probability from which a question takes the conversation's topic along, were follow-ups and others equally frequent. At this
line .89 of the follow-ups that point back to nothing do, and .032 of the questions on another matter."""


def continues(
    question: Question, history: Sequence[Turn], alone: Sequence[Evidence], within: Sequence[Evidence]
) -> bool:
    """Whether a question is about what the conversation is about.

    Args:
        question: as it stands alone.
        history: the conversation before it.
        alone: what is found for it, best first.
        within: what is found for it with the topic of the conversation, best first.
    """
    return probability(signs(question, history, alone, within)) >= LEAST


def probability(seen: Mapping[str, float], weights: Mapping[str, float] = WEIGHTS) -> float:
    """Probability that a question with these signs continues the conversation, 0..1."""
    return sigmoid(weights["bias"] + sum(weights[name] * seen[name] for name in SIGNS))


def signs(
    question: Question, history: Sequence[Turn], alone: Sequence[Evidence], within: Sequence[Evidence]
) -> dict[str, float]:
    """What `continues` is made from.

    Returns:
        alone, within: logit of the probability that there is an answer. words: logarithm of their number. new_names: whether
            the question names what was not spoken of.
    """
    said = fold(" ".join(turn.content for turn in history))
    return {
        "alone": logit(answered(alone, len(alone))),
        "within": logit(answered(within, len(within))),
        "words": math.log(1 + len(tokens(question.text))),
        "new_names": float(any(fold(name) not in said for name in question.names)),
    }
