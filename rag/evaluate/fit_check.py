"""Fit the weights of the checker and print them: `python -m rag.evaluate.fit_check`.

The corpus tells many events in German and in English, and each brief has a headline: sentences that say the same in both
languages, headlines and the beginnings of sentences are told by the articles of their event; sentences whose own place was
taken out of the article, sentences against another event and sentences with one thing changed by rule are not. Only events
of the training questions are used. Both classes weigh the same, so that a probability of one half is the line between them.
Deterministic: everything is drawn with seeds.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import numpy as np

from rag.ask import Chipdesk
from rag.check import FEATURES, measure
from rag.evaluate.corruptions import MAKERS, Kind, Told, events_to_fit_on, parallel, recalling, told
from rag.evaluate.fit import Matrix, fit
from rag.evaluate.statements import LEAST, beginning
from rag.settings import load
from rag.types import Evidence, Language

KINDS: Final[tuple[Kind, ...]] = ("number", "date", "name", "role", "negation")
SEED: Final = "fit check 1"

Pair = tuple[str, Language, tuple[Evidence, ...], bool]
"""A claim, its language, what it is checked against, and whether it is told there."""


def pairs(desk: Chipdesk, stories: dict[str, dict[Language, Told]]) -> Iterator[Pair]:
    """Claims with evidence that tells them or does not."""
    glossary = desk.index.glossary
    events = sorted(stories)
    for number, event in enumerate(events):
        chance = random.Random(f"{SEED} {event}")  # noqa: S311 - sampling, not secrets
        languages = stories[event]
        elsewhere = stories[events[(number + 1) % len(events)]]
        for language, story in sorted(languages.items()):
            for other in languages.values():
                yield story.article.title, language, other.evidence, True
                if other is not story:
                    for i, j in parallel(story, other, least=LEAST):
                        sentence = story.sentences[i]
                        yield sentence, language, other.evidence, True
                        yield sentence, language, _without(other, j), False
                        if wrong := MAKERS[chance.choice(KINDS)](sentence, story.article, glossary, chance):
                            yield wrong, language, other.evidence, False
            for other in elsewhere.values():
                yield story.article.title, language, other.evidence, False
            for i in chance.sample(range(len(story.spans)), min(3, len(story.spans))):
                sentence = story.sentences[i]
                yield sentence, language, _without(story, i), False
                if part := beginning(sentence):
                    yield part, language, story.evidence, True
                    yield part, language, _without(story, i), False
                if wrong := MAKERS[chance.choice(KINDS)](sentence, story.article, glossary, chance):
                    yield wrong, language, story.evidence, False


def _without(story: Told, position: int) -> tuple[Evidence, ...]:
    return tuple(item for i, item in enumerate(story.evidence) if i != position)


def matrices(desk: Chipdesk, progress: Callable[[str], None]) -> tuple[Matrix, Matrix, Matrix]:
    """Measurements (n, features + 1; the last column is the bias), labels (n,) and weights (n,)."""
    stories = told(desk, events_to_fit_on())
    embedder = recalling(desk, stories)
    claims = [pair for pair in pairs(desk, stories) if pair[2]]
    texts = list(dict.fromkeys(text for text, *_ in claims))
    for at in range(0, len(texts), 64):
        progress(f"embedding {at} of {len(texts)}")
        embedder.passages(texts[at : at + 64], few=False)
    rows: list[list[float]] = []
    for number, (text, language, evidence, _) in enumerate(claims):
        if number % 100 == 0:
            progress(f"measuring {number} of {len(claims)}")
        features = measure(
            text,
            evidence,
            glossary=desk.index.glossary,
            embedder=embedder,
            entailer=desk.entailer,
            language=language,
        ).features
        rows.append([features[name] for name in FEATURES] + [1.0])
    y = np.asarray([float(is_told) for *_, is_told in claims])
    share = y.mean()
    return np.asarray(rows), y, np.where(y > 0, 0.5 / share, 0.5 / (1 - share))


def main() -> None:
    """Measure the pairs of the repository's corpus and print the new weights, with how well they tell the pairs apart."""
    x, y, weight = matrices(Chipdesk(load()), partial(print, file=sys.stderr))
    beta = fit(x, y, weight)
    names = [*FEATURES, "bias"]
    sys.stdout.write("".join(f'    "{name}": {value:.3f},\n' for name, value in zip(names, beta, strict=True)))
    right = ((x @ beta > 0) == (y > 0)).astype(float)
    sys.stderr.write(f"{len(y)} pairs, right {np.average(right, weights=weight):.3f}\n")


if __name__ == "__main__":
    main()
