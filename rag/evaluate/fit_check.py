"""Fit the weights of the checker and print them: `python -m rag.evaluate.fit_check`.

On claims about the training events that the entailer has not seen (`rag.evaluate.train.is_held_out`), but those about which
dev or test questions ask, too: claims written by hand and claims made by rule, told by their article or not, each checked
against all its sentences. Both classes weigh the same, and those by hand as much as those by rule. Then the bias is moved so
that one half is the line which few sentences miss that are told: an alarm about a true sentence costs a reader's trust.
Deterministic.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np

from rag.ask import Chipdesk
from rag.check import FEATURES, measure
from rag.evaluate.corruptions import events_to_fit_on, recalling, told
from rag.evaluate.fit import Matrix, fit
from rag.evaluate.statements import BY_RULE, Claim, made_claims, read_claims
from rag.evaluate.train import is_held_out
from rag.settings import load

ALARMS: Final = 0.03
"""Share of the told claims made by rule that may fall below the line."""


def claims_to_fit_on(desk: Chipdesk) -> list[Claim]:
    """Claims about events that neither the entailer nor a measured question has seen."""
    events = frozenset(event for event in events_to_fit_on() if is_held_out(event))
    by_hand = [claim for claim in read_claims() if claim.event in events]
    return [*by_hand, *made_claims(told(desk, events), desk.index.glossary)]


def matrices(
    desk: Chipdesk, claims: Sequence[Claim], progress: Callable[[str], None]
) -> tuple[Matrix, Matrix, Matrix, Matrix]:
    """Measurements (n, features + 1; the last column is the bias), labels (n,), weights (n,), whether made by rule (n,)."""
    stories = told(desk, frozenset(claim.event for claim in claims))
    embedder = recalling(desk, stories)
    articles = {story.article.id: story for languages in stories.values() for story in languages.values()}
    claims = [claim for claim in claims if claim.article in articles]
    texts = list(dict.fromkeys(claim.text for claim in claims))
    for at in range(0, len(texts), 64):
        progress(f"embedding {at} of {len(texts)}")
        embedder.passages(texts[at : at + 64], few=False)
    rows: list[list[float]] = []
    for number, claim in enumerate(claims):
        if number % 100 == 0:
            progress(f"measuring {number} of {len(claims)}")
        features = measure(
            claim.text,
            articles[claim.article].evidence,
            glossary=desk.index.glossary,
            embedder=embedder,
            entailer=desk.entailer,
            language=claim.language,
        ).features
        rows.append([features[name] for name in FEATURES] + [1.0])
    y = np.asarray([float(claim.told) for claim in claims])
    ruled = np.asarray([claim.kind == BY_RULE for claim in claims])
    weight = np.zeros(len(claims))
    for group in (ruled & (y > 0), ruled & (y == 0), ~ruled & (y > 0), ~ruled & (y == 0)):
        weight[group] = 1 / max(1, group.sum())
    return np.asarray(rows), y, weight / weight.mean(), ruled.astype(np.float64)


def main() -> None:
    """Measure the pairs of the repository's corpus and print the new weights, with how well they tell the pairs apart."""
    desk = Chipdesk(load())
    x, y, weight, ruled = matrices(desk, claims_to_fit_on(desk), partial(print, file=sys.stderr))
    beta = fit(x, y, weight)
    beta[-1] -= np.quantile((x @ beta)[(ruled > 0) & (y > 0)], ALARMS)
    names = [*FEATURES, "bias"]
    sys.stdout.write("".join(f'    "{name}": {value:.3f},\n' for name, value in zip(names, beta, strict=True)))
    right = ((x @ beta > 0) == (y > 0)).astype(float)
    sys.stderr.write(f"{len(y)} claims, right {np.average(right, weights=weight):.3f}\n")


if __name__ == "__main__":
    main()
