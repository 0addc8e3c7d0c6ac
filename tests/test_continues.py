from __future__ import annotations

from dataclasses import replace

import pytest
from made import evidence, question

from rag.ask import Chipdesk
from rag.continues import SIGNS, WEIGHTS, continues, signs
from rag.evaluate.fit import second_questions
from rag.evaluate.questions import read_questions
from rag.support import FEATURES
from rag.types import Evidence, Turn

pytest_plugins = ("fixtures_desk",)

R2 = (
    Turn("user", "Why was DeepSeek's R2 delayed?"),
    Turn("assistant", "Training on Huawei's Ascend chips failed. [1]"),
)


def found(logit: float) -> list[Evidence]:
    """Evidence whose best sentence the reader gives this logit."""
    return [
        replace(
            evidence("A sentence.", 0.5 if logit > 0 else 0.01),
            features=dict.fromkeys(FEATURES, 0.0) | {"reader": logit},
        )
    ] * 20


def test_the_weights_belong_to_the_signs() -> None:
    seen = signs(question("how many?"), R2, found(0.0), found(0.0))
    assert seen.keys() == set(SIGNS) == WEIGHTS.keys() - {"bias"}


def test_what_is_found_decides() -> None:
    text = "how many chips did Nvidia deliver to its customers in China?"
    asked = replace(question(text), names=("Nvidia", "China"))
    assert continues(asked, R2, found(-2.0), found(2.0))
    assert not continues(asked, R2, found(2.0), found(-2.0))


def test_nothing_found_at_all_is_no_error() -> None:
    assert continues(question("and?"), R2, [], found(1.0)) in (True, False)


def test_a_name_that_was_not_spoken_of_counts() -> None:
    named = replace(question("what did Nvidia and Huawei say?"), names=("Nvidia", "Huawei"))
    assert signs(named, R2, [], [])["new_names"] == 1
    assert signs(replace(named, names=("Huawei",)), R2, [], [])["new_names"] == 0


@pytest.mark.parametrize("text", ["who reported the failed training?", "Welche Firma schickte Ingenieure?"])
def test_a_question_of_the_conversation_is_answered_from_it(desk: Chipdesk, text: str) -> None:
    answer = desk.ask(text, history=R2)
    assert not answer.abstained
    assert any("R2" in citation.quote or "DeepSeek" in citation.quote for citation in answer.citations)


def test_a_question_on_another_matter_takes_nothing_along(desk: Chipdesk) -> None:
    text = "How will the weather be in Hamburg tomorrow?"
    answer = desk.ask(text, history=R2)
    assert answer.standalone_question == text
    assert answer.abstained


def test_what_the_weights_are_fitted_on_is_half_follow_ups_and_shares_no_event_with_its_conversation() -> None:
    followups, others = read_questions("followups"), read_questions("train")[:3_000]
    asked = second_questions(followups, others)
    assert 0.4 < sum(follows for _, _, follows in asked) / len(asked) < 0.6
    events = {item.history: set(item.events) for item in followups}
    assert not any(events[tuple(history)] & set(item.events) for item, history, follows in asked if not follows)
