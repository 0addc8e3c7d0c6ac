"""Questions about anything but what the corpus is about, which are to be declined.

They are those of tests/qa/asked.jsonl, about texts that are in no corpus and that the reader was not trained on. The next best
passage of a corpus often looks like an answer to them: "How long had one in old Rome who did not pay his debts?" was answered
with a bankruptcy of 2009. One in `OTHERS` of them helps to fit `rag.support.answered`, the others measure it
(`chipdesk eval --split off-topic`).
"""

from __future__ import annotations

from typing import Final

from rag.evaluate.asked import read_asked
from rag.evaluate.questions import OFF_TOPIC, Item
from rag.evaluate.train import is_held_out

OTHERS: Final = 3


def to_fit_on() -> list[Item]:
    """What `rag.evaluate.fit` asks."""
    return _questions()[::OTHERS]


def to_measure() -> list[Item]:
    """What nothing was fitted on."""
    return [item for number, item in enumerate(_questions()) if number % OTHERS]


def _questions() -> list[Item]:
    held_out = (each for each in read_asked() if is_held_out(each.text))
    return [
        Item(f"{OFF_TOPIC}-{number}", each.question, each.language, "off_topic", False, (), (), {})
        for number, each in enumerate(held_out)
    ]
