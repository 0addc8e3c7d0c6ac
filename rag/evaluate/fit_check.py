"""Fit the weights of the checker and print them: `python -m rag.evaluate.fit_check`.

On claims that neither network has seen (`rag.evaluate.train.is_held_out`), each checked against all sentences it stands
before; events about which dev or test questions ask are left out. The score is to tell what an article says from what it does
not mention: told claims, written by hand about the corpus or about other texts or made by rule, stand against told ones before
an article that does not tell them, its own without the sentences that do or one of another event. Claims with one thing wrong
are left out: they share nearly all words with their evidence, so that sharing words would speak against a claim; they are the
business of the rules and of the entailer's veto. Told and not told weigh the same, and so do the groups of either: one half is
the line between. A second model tells what is about the same thing from what is not, whether told or wrong. Deterministic.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from rag.ask import Chipdesk
from rag.check import FEATURES, TOPIC_FEATURES, measure
from rag.evaluate.corruptions import events_to_fit_on
from rag.evaluate.fit import Matrix, even, fit, show_progress
from rag.evaluate.statements import BY_RULE, STRANGER, WITHOUT, Stated, gather, without
from rag.evaluate.train import is_held_out
from rag.memory import Recent
from rag.settings import load

EMBEDDED: Final = 64
"""Texts embedded between two signs of progress."""


def claims_to_fit_on(desk: Chipdesk) -> list[Stated]:
    """Claims about events that neither network nor a measured question has seen."""
    events = events_to_fit_on()
    claims = [
        each
        for each in gather(desk, strange=1)
        if is_held_out(each.claim.event) and (each.elsewhere or each.claim.event in events)
    ]
    return [*claims, *without(claims)]


def group(each: Stated) -> tuple[bool, str]:
    """What weighs the same: whether a claim is told, and where it comes from."""
    made = each.claim.kind in (BY_RULE, STRANGER, WITHOUT)
    return each.claim.told, each.claim.kind if made else "elsewhere" if each.elsewhere else "by hand"


def matrices(
    desk: Chipdesk, claims: Sequence[Stated], progress: Callable[[str], None]
) -> dict[tuple[str, ...], Matrix]:
    """Measurements (n, features + 1; the last column is the bias) for each model, by its features."""
    embedder = Recent(desk.embedder, most=100_000)
    order = sorted({text for each in claims for text in (each.claim.text, *each.sentences)}, key=lambda t: (len(t), t))
    for at in range(0, len(order), EMBEDDED):
        progress(f"embedding {at:,} of {len(order):,}")
        embedder.passages(order[at : at + EMBEDDED], few=False)
    rows: dict[tuple[str, ...], list[list[float]]] = {FEATURES: [], TOPIC_FEATURES: []}
    for number, each in enumerate(claims, start=1):
        if number % 50 == 0:
            progress(f"measuring {number:,} of {len(claims):,}")
        features = measure(
            each.claim.text,
            [item for item in each.evidence if item.span.quotable],
            glossary=desk.index.glossary,
            embedder=embedder,
            entailer=desk.entailer,
            reader=desk.reader,
            language=each.claim.language,
        ).features
        for names, made in rows.items():
            made.append([features[name] for name in names] + [1.0])
    progress("")
    return {names: np.asarray(made) for names, made in rows.items()}


def main() -> None:
    """Measure the claims and print the new weights, with how well they tell the claims apart."""
    desk = Chipdesk(load())
    claims = claims_to_fit_on(desk)
    made = matrices(desk, claims, show_progress)
    groups = [group(each) for each in claims]
    told = [each.claim.told for each in claims]
    about = [bool(each.bearing) for each in claims]
    mentioned = [i for i, each in enumerate(claims) if each.claim.told or each.claim.kind in (WITHOUT, STRANGER)]
    topical = [i for i, each in enumerate(claims) if each.claim.kind not in (WITHOUT, "other")]
    for title, names, labels, rows in (
        ("WEIGHTS", FEATURES, told, mentioned),
        ("TOPIC", TOPIC_FEATURES, about, topical),
    ):
        x, y = made[names][rows], [labels[i] for i in rows]
        own = [groups[i] for i in rows]
        beta = fit(x, np.asarray(y, float), even(y, own))
        print(f"{title}:", *(f'    "{n}": {b:.3f},' for n, b in zip((*names, "bias"), beta, strict=True)), sep="\n")
        right = (x @ beta > 0) == np.asarray(y)
        for each in sorted(set(own)):
            share = right[[other == each for other in own]]
            line = f"{title}, {each[1]}, {'told' if each[0] else 'not told'}: {len(share)} claims, right {share.mean():.3f}"
            print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
