from __future__ import annotations

import random
from pathlib import Path

import pytest

from rag.evaluate.questions import read_questions
from rag.evaluate.train import PASSAGES, Example, Shown, auc, event_of, held_out, judge, sample, train
from rag.reader import OnnxReader
from rag.types import Passage, Reading


def shown(text: str, *, event: str = "e", gold: bool = False) -> Shown:
    return Shown(Passage("Title (2025)", (text, "Something else.")), event, (gold, False))


def example(*passages: Shown, answerable: bool = True, question: str = "why?") -> Example:
    return Example(question, answerable, passages)


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_most_samples_answer_some_do_not_and_none_repeats() -> None:
    chance = random.Random(1)
    asked = example(*(shown(f"Text {n}.", gold=n == 5) for n in range(12)))
    samples = [sample(asked, chance) for _ in range(300)]
    assert all(len(chosen) == PASSAGES == len({id(each) for each in chosen}) for chosen in samples)
    answered = sum(any(any(each.gold) for each in chosen) for chosen in samples)
    assert 0.8 < answered / 300 < 0.98


def test_other_passages_of_the_event_that_answers_are_shown_often() -> None:
    chance = random.Random(1)
    sibling = shown("Sibling.", event="told")
    far = [shown(f"Text {n}.", event=f"x{n}") for n in range(15)]
    asked = example(shown("Answer.", event="told", gold=True), *far, sibling)
    samples = [sample(asked, chance) for _ in range(200)]
    assert sum(sibling in chosen for chosen in samples) > 60


def test_a_question_with_few_passages_shows_them_all() -> None:
    assert len(sample(example(shown("A."), shown("B."), answerable=False), random.Random(1))) == 2


def test_the_held_out_events_share_no_question_with_the_others() -> None:
    items = read_questions("train")
    apart = {event_of(item) for item in items if held_out(item)}
    assert not apart & {event_of(item) for item in items if not held_out(item)}
    assert 0.1 < sum(map(held_out, items)) / len(items) < 0.3


# --- judging ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("above", "below", "area"),
    [([2.0], [1.0], 1.0), ([1.0], [2.0], 0.0), ([1.0], [1.0], 0.5), ([1.0, 3.0], [2.0], 0.5), ([], [1.0], None)],
)
def test_auc_is_the_share_of_pairs_in_order(above: list[float], below: list[float], area: float | None) -> None:
    assert auc(above, below) == area


class Fixed:
    """Reads a sentence by the numbers it is made of."""

    def read(self, question: str, passages: list[Passage]) -> list[list[Reading]]:
        return [[Reading(float("yes" in s), float("no" in s)) for s in p.sentences] for p in passages]


def test_a_perfect_reader_is_judged_perfect_and_a_wrong_one_is_not() -> None:
    right = [
        example(shown("yes", gold=True)), example(shown("maybe"), answerable=False),
        example(shown("no", gold=True), answerable=False),
    ]  # fmt: skip
    assert judge(Fixed(), right) == {"right sentence": 1.0, "told apart": 1.0, "corrections": 1.0}  # type: ignore[arg-type]
    wrong = [example(shown("maybe", gold=True), shown("yes")), example(shown("yes"), answerable=False)]
    assert judge(Fixed(), wrong)["right sentence"] == 0.0  # type: ignore[arg-type]


# --- training ---------------------------------------------------------------------------------------------------------


def test_a_small_training_learns_and_its_weights_run(tmp_path: Path) -> None:
    facts = ("Berlin", "Paris", "Rome", "Madrid", "Vienna", "Warsaw", "Lisbon", "Athens")
    examples = [
        Example(
            f"Where is factory {n}?",
            True,
            (Shown(Passage("Factories", (f"The factory {n} is in {city}.", f"Rain fell on {n} cars.")), "e", (True, False)),),
        )
        for n, city in enumerate(facts)
    ]  # fmt: skip
    file = tmp_path / "reader.onnx"
    done = train(examples * 8, file, epochs=2, rate=1e-3, layers=1, progress=lambda _: None)
    assert done["questions"] == 8 * len(examples)
    judged = judge(OnnxReader(file=file), examples)
    assert judged["right sentence"] == 1.0, done
