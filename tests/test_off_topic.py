"""Questions about anything but the corpus' matter are declined."""

from __future__ import annotations

from dataclasses import replace

from rag.ask import Chipdesk
from rag.evaluate.asked import read_asked
from rag.evaluate.off_topic import evaluate_off_topic, to_fit_on, to_measure
from rag.evaluate.train import is_held_out

pytest_plugins = ("fixtures_desk",)


def test_what_is_measured_was_neither_fitted_on_nor_learned_from() -> None:
    fitted, measured = to_fit_on(), to_measure()
    assert len(measured) > 300
    assert not {each.question for each in fitted} & {each.question for each in measured}
    held_out = [each for each in read_asked() if is_held_out(each.text)]
    assert len(fitted) + len(measured) == len(held_out)
    assert {each.language for each in measured} == {"de", "en"}


def test_the_share_of_declined_questions_is_counted_by_language(desk: Chipdesk) -> None:
    asked = to_measure()[:20]
    told = replace(asked[0], question="Why was R2 delayed?", language="en")
    lines: list[str] = []
    result = evaluate_off_topic(desk, [*asked, told], progress=lines.append)
    english, german = (sum(each.language == language for each in asked) for language in ("en", "de"))
    assert result.overall["n"] == 21
    assert result.groups["en"] == {"n": english + 1, "declined": english / (english + 1)}
    assert result.groups["de"] == {"n": german, "declined": 1.0}
    assert lines[0] == "question 1 of 21"
    assert result.tables()[0][2][-1][0] == "all"
