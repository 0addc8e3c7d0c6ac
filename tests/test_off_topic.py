"""Questions about anything but the corpus' matter."""

from __future__ import annotations

from rag.ask import Chipdesk
from rag.evaluate.asked import read_asked
from rag.evaluate.off_topic import to_fit_on, to_measure
from rag.evaluate.questions import OFF_TOPIC, checksum, read_questions, validate
from rag.evaluate.run import evaluate_questions
from rag.evaluate.train import is_held_out

pytest_plugins = ("fixtures_desk",)


def test_what_is_measured_was_neither_fitted_on_nor_learned_from() -> None:
    fitted, measured = to_fit_on(), to_measure()
    learned = {each.question for each in read_asked() if not is_held_out(each.text)}
    assert len(measured) > 300
    assert not {item.question for item in fitted} & {item.question for item in measured}
    assert not learned & {item.question for item in (*fitted, *measured)}
    assert validate((*fitted, *measured), {}) == []
    assert {item.language for item in measured} == {"de", "en"}


def test_they_are_a_split_like_the_others() -> None:
    """So that a result can be compared with an earlier one, which looks the questions up again."""
    assert checksum(read_questions(OFF_TOPIC)) == checksum(to_measure())


def test_they_are_declined_and_what_the_corpus_answers_is_not(desk: Chipdesk) -> None:
    result = evaluate_questions(desk, to_measure()[:20], split=OFF_TOPIC, progress=lambda _: None)
    assert result.overall["abst. rec."] == 1.0
    assert not desk.ask("Why was R2 delayed?").abstained
