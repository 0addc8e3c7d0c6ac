from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import pytest

from rag.evaluate.questions import read_questions
from rag.evaluate.statements import Claim, Stated, invented
from rag.evaluate.train import (
    BESIDE,
    CLAIMS_WITHOUT,
    PASSAGES,
    Example,
    Shown,
    auc,
    beside,
    event_of,
    held_out,
    judge,
    judge_claims,
    mean_of,
    sample,
    start,
    train,
    train_claims,
)
from rag.reader import OnnxEntailer, OnnxReader
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


def stated(text: str, *sentences: str, told: bool, bearing: int = 0, kind: str = "paraphrase") -> Stated:
    others = tuple(i for i in range(len(sentences)) if i != bearing)
    claim = Claim(text, "e", text, "en", told, kind if told else "name", "a.en", (sentences[bearing],))
    return Stated(claim, invented(sentences, "en", "a.en", "Factories", date(2025, 1, 1)), (bearing,), others)


def test_a_claim_is_shown_with_what_it_rests_on_or_counts_as_not_told() -> None:
    chance = random.Random(1)
    claim = stated("Here.", *(f"Sentence {n}." for n in range(9)), told=True, bearing=4)
    seen = [beside(claim, chance) for _ in range(300)]
    assert all(told == ("Sentence 4." in passage.sentences) for passage, told in seen)
    assert abs(sum(told for _, told in seen) / 300 - (1 - CLAIMS_WITHOUT)) < 0.1
    assert {len(passage.sentences) for passage, _ in seen} == set(range(1, BESIDE + 1))
    wrong = stated("There.", "Sentence 0.", "Sentence 1.", told=False)
    assert not any(told for _, told in (beside(wrong, chance) for _ in range(50)))


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
    told: list[str] = []
    done = train([examples * 8, examples[:6] * 8], file, epochs=(2, 3), rate=1e-3, layers=1, progress=told.append)
    assert [(each["questions"], each["epochs"]) for each in done["trainings"]] == [(64, 2), (48, 3)]
    assert told[0].startswith("reader 1 of 2: step 10 of 16, ")
    assert told[-1].startswith("reader 2 of 2: ")
    judged = judge(OnnxReader(file=file), examples)
    assert judged["right sentence"] == 1.0, done


def test_the_mean_of_two_networks_lies_between_them() -> None:
    torch = pytest.importorskip("torch")
    one, other = start(1, "reader"), start(1, "reader")
    with torch.no_grad():
        other.head[2].bias += 2.0
        other.norm.weight *= 3.0
    middle = mean_of([one, other])
    assert torch.allclose(middle.head[2].bias, one.head[2].bias + 1.0)
    assert torch.allclose(middle.norm.weight, 2 * one.norm.weight)
    assert torch.equal(middle.layers[0].query.weight, one.layers[0].query.weight)
    assert torch.allclose(other.norm.weight, 3 * one.norm.weight), "the parts stay as they are"


def test_a_small_training_on_claims_learns_and_its_weights_run(tmp_path: Path) -> None:
    told = [f"Plant {n} stands in the north." for n in range(8)]
    other = [f"Nobody has ever bought bread from baker {n}." for n in range(8)]
    claims = [
        stated(text, f"The plant {n} is in the north.", f"Rain fell on {n} cars.", told=text in told)
        for texts in (told, other)
        for n, text in enumerate(texts)
    ]
    file = tmp_path / "entailer.onnx"
    done = train_claims(claims * 8, file, epochs=2, rate=1e-3, layers=1, progress=lambda _: None)
    assert done["claims"] == 8 * len(claims)
    judged = judge_claims(OnnxEntailer(file=file), claims)
    assert judged["claims"] == 1.0, done
    assert judged["claims across"] is judged["elsewhere"] is judged["elsewhere across"] is None
