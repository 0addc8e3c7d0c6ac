"""Questions about anything but what the corpus is about: are they declined?

They are those of tests/qa/asked.jsonl, about texts that are in no corpus and that the reader was not trained on. The next best
passage of a corpus often looks like an answer to them: "How long had one in old Rome who did not pay his debts?" was answered
with a bankruptcy of 2009. One in `OTHERS` of them helps to fit `rag.support.answered`, the others measure it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rag.ask import Chipdesk
from rag.evaluate.asked import Asked, read_asked
from rag.evaluate.metrics import mean
from rag.evaluate.run import Result
from rag.evaluate.train import is_held_out

OTHERS: Final = 3


def to_fit_on() -> list[Asked]:
    """What `rag.evaluate.fit` asks."""
    return _held_out()[::OTHERS]


def to_measure() -> list[Asked]:
    """What nothing was fitted on."""
    return [each for number, each in enumerate(_held_out()) if number % OTHERS]


def _held_out() -> list[Asked]:
    return [each for each in read_asked() if is_held_out(each.text)]


def evaluate_off_topic(desk: Chipdesk, asked: Sequence[Asked], *, progress: Callable[[str], None]) -> Result:
    """Ask each, and count those that are declined, by language. None of them has an answer in a corpus of chip news."""
    declined: dict[str, list[float]] = {}
    for number, each in enumerate(asked, start=1):
        progress(f"question {number} of {len(asked)}")
        declined.setdefault(each.language, []).append(float(desk.ask(each.question).abstained))
    progress("")
    groups = {language: _figures(scores) for language, scores in sorted(declined.items())}
    every = [score for scores in declined.values() for score in scores]
    return Result("off-topic", {"index": desk.index.manifest.identity}, _figures(every), groups)


def _figures(scores: Sequence[float]) -> dict[str, float | int | None]:
    return {"n": len(scores), "declined": mean(scores)}
