from __future__ import annotations

import json
import socket

import pytest
from conftest import chipdesk
from made import R2_QUESTIONS

from rag import cli
from rag.ask import Chipdesk
from rag.settings import Settings
from rag.types import Language

pytest_plugins = ("fixtures_desk",)


def folders(settings: Settings) -> tuple[object, ...]:
    return ("--corpus", settings.corpus, "--index", settings.index)


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(("text", "language"), R2_QUESTIONS)
def test_an_answer_is_printed_with_its_evidence(desk: Chipdesk, text: str, language: Language) -> None:
    done = chipdesk("ask", text, *folders(desk.settings))
    assert (done.returncode, done.stderr) == (0, "")
    answer = desk.ask(text)
    shown = flat(done.stdout)
    for sentence in answer.sentences:
        assert f"{flat(sentence.text)} {''.join(f'[{n}]' for n in sentence.citations)}" in shown
    for citation in answer.citations:
        assert flat(citation.title) in shown
        assert citation.sources[0].publisher in shown
    assert ("Belege" if language == "de" else "Evidence") in shown
    # all outlets that pass the FT's report on are one origin
    told = "eine Quelle: Financial Times, in" if language == "de" else "one origin: Financial Times, in"
    assert told in shown


def test_a_question_needs_no_quotation_marks_in_the_shell(desk: Chipdesk) -> None:
    done = chipdesk("ask", "why", "was", "R2", "delayed?", "--json", *folders(desk.settings))
    assert json.loads(done.stdout)["question"] == "why was R2 delayed?"


def test_json_is_the_whole_answer(desk: Chipdesk) -> None:
    done = chipdesk("ask", "Warum wurde R2 verschoben?", "--json", *folders(desk.settings))
    assert done.returncode == 0
    told, answer = json.loads(done.stdout), desk.ask("Warum wurde R2 verschoben?")
    assert (told["id"], told["answer"], told["abstained"]) == (answer.id, answer.answer, False)
    assert [citation["quote"] for citation in told["citations"]] == [citation.quote for citation in answer.citations]
    for citation in told["citations"]:
        text = desk.article(citation["article"]).text
        assert text[citation["start"] : citation["end"]] == citation["quote"]


def test_filters_and_language_are_passed_on(desk: Chipdesk) -> None:
    options = ("--since", "2025-08-01", "--until", "2025-08-31", "--publisher", "The Register", "--language", "de")
    done = chipdesk("ask", "why was R2 delayed?", *options, "--topic", "huawei", "--json", *folders(desk.settings))
    told = json.loads(done.stdout)
    assert told["language"] == "de"
    assert {citation["published"] for citation in told["citations"]} == {"2025-08-14"}


def test_the_period_is_shown_and_can_be_taken_back(desk: Chipdesk) -> None:
    text = "Was geschah im Mai 2024 mit R2?"
    shown = flat(chipdesk("ask", text, *folders(desk.settings)).stdout)
    assert shown.startswith("Zeitraum: im Mai 2024 (ohne ihn: --no-dates)")
    without = json.loads(chipdesk("ask", text, "--no-dates", "--json", *folders(desk.settings)).stdout)
    assert without["period"] is None


def test_declining_is_no_failure(desk: Chipdesk) -> None:
    done = chipdesk("ask", "Wie viele Menschen arbeiten bei DeepSeek?", *folders(desk.settings))
    assert done.returncode == 0
    assert flat(done.stdout).startswith("Keine Antwort.")
    assert "Am nächsten" in done.stdout


def test_a_question_about_something_else_gets_no_coverage_that_is_nothing_near(desk: Chipdesk) -> None:
    said = flat(chipdesk("ask", "Wie backe ich einen Apfelkuchen?", *folders(desk.settings)).stdout)
    assert said.startswith("Keine Antwort.")
    assert "Nichts darin kommt ihr nahe." in said
    assert "Am nächsten" not in said
    assert "[1]" not in said


BAD = {
    "language": (("ask", "R2?", "--language", "fr"), "'fr' is not a language of the corpus"),
    "empty question": (("ask", " "), "The question is empty"),
    "long question": (("ask", "x" * 2001), "2,001 characters"),
    "date": (("ask", "R2?", "--since", "yesterday"), "yesterday"),
    "since after until": (("ask", "R2?", "--since", "2025-02-01", "--until", "2025-01-01"), "is after"),
    "no question": (("ask",), "QUESTION"),
    "unknown command": (("aks", "R2?"), "aks"),
    "unknown option": (("ask", "R2?", "--lang", "de"), "--lang"),
}


@pytest.mark.parametrize(("arguments", "says"), BAD.values(), ids=BAD)
def test_a_wrong_command_line_is_named_and_exits_with_2(story: Settings, arguments: tuple[str, ...], says: str) -> None:
    done = chipdesk(*arguments, *(folders(story) if arguments[0] == "ask" else ()))
    assert done.returncode == 2
    assert says in flat(done.stderr)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_without_an_index_the_command_that_makes_one_is_named(settings: Settings) -> None:
    done = chipdesk("ask", "why was R2 delayed?", *folders(settings))
    assert done.returncode == 1
    assert "There is no index" in done.stderr
    assert "chipdesk build" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_named_with_another_one(story: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = chipdesk("serve", "--port", port, *folders(story))
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in flat(done.stderr)
    assert "chipdesk serve --port" in flat(done.stderr)
    assert "Traceback" not in done.stderr


def test_help_lists_the_commands() -> None:
    done = chipdesk("--help")
    assert done.returncode == 0
    assert [
        name for name in ("build", "ask", "serve", "check", "add", "eval", "bench") if name not in done.stdout
    ] == []


def test_no_figure_of_a_table_is_cut_in_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    heads = "|n|correct|cit. prec.|cit. rec.|on event|language|abst. prec.|abst. rec.|false ref.".split("|")
    cli._print_tables([("answers", heads, [["kind false_premise", "440", *["0.874"] * 8]])])
    told = capsys.readouterr().out
    assert "…" not in told
    assert told.count("0.874") == 8
    assert max(map(len, told.splitlines())) <= 80
