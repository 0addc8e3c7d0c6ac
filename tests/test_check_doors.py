"""A draft checked from Python, over HTTP and in the terminal, against the R2 story."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import REPOSITORY, chipdesk
from test_api import assert_problem
from test_cli_ask import flat, folders

from rag.ask import DRAFT_CHARS, Chipdesk
from rag.errors import BadRequest
from rag.phrases import problem_words, tally, verdict_words
from rag.types import LANGUAGES, Checked, Problem, ProblemKind, Verdict

pytest_plugins = ("fixtures_desk",)

DRAFT = (
    "Huawei sent a team of engineers to DeepSeek's offices, according to the FT. DeepSeek sent a team of engineers to "
    "Huawei's offices, according to the FT.\n\nThe R2 launch had been planned for May 2024. The bakery sells pretzels."
)
VERDICTS = ["supported", "contradicted", "contradicted", "unsupported"]


@pytest.fixture(scope="module")
def checked(desk: Chipdesk) -> list[Checked]:
    return desk.verify(DRAFT)


def test_every_sentence_gets_its_verdict_at_its_place(checked: list[Checked]) -> None:
    assert [sentence.verdict for sentence in checked] == VERDICTS
    assert all(DRAFT[sentence.start : sentence.end] == sentence.text for sentence in checked)
    assert [{p.kind for p in sentence.problems} for sentence in checked][:3] == [set(), {"role"}, {"date"}]
    assert checked[2].problems[0].expected == "May 2025"


def test_evidence_is_shown_where_there_is_some(checked: list[Checked]) -> None:
    assert "engineers" in checked[0].evidence[0].quote
    assert not checked[3].evidence


def test_a_german_draft_is_checked_against_both_languages(desk: Chipdesk) -> None:
    (good, bad) = desk.verify("R2 war für Mai 2025 geplant. R2 war für Juni 2023 geplant.")
    assert (good.verdict, bad.verdict) == ("supported", "contradicted")


def test_dates_limit_the_evidence(desk: Chipdesk) -> None:
    (late,) = desk.verify("The R2 launch had been planned for May 2025.", until=date(2023, 1, 1))
    assert (late.verdict, late.evidence) == ("unsupported", ())


def test_progress_counts_sentences(desk: Chipdesk) -> None:
    seen: list[tuple[int, int]] = []
    desk.verify("R2 is a model. R2 is a big model.", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize("text", ["", " \n ", "x" * (DRAFT_CHARS + 1)])
def test_texts_that_cannot_be_checked_are_refused(desk: Chipdesk, text: str) -> None:
    with pytest.raises(BadRequest):
        desk.verify(text)


def test_a_text_without_a_sentence_has_no_verdicts(desk: Chipdesk) -> None:
    assert desk.verify("Heading\n\n***") == []


def test_a_sentence_of_two_words_is_checked_and_headings_are_not(desk: Chipdesk) -> None:
    text = "Kurz notiert\n\n1. Punkt.\n\nGelsinger resigned. Nvidia rose 5 percent in May. Wirklich?\n\n2."
    assert [sentence.text for sentence in desk.verify(text)] == ["Gelsinger resigned.", "Nvidia rose 5 percent in May."]
    assert [sentence.text for sentence in desk.verify("Gelsinger ging. Ja.")] == ["Gelsinger ging."]


# --- over HTTP -------------------------------------------------------------------------------------------------------


def test_the_response_has_the_promised_fields(server: httpx.Client, checked: list[Checked]) -> None:
    response = server.post("/verify", json={"text": DRAFT})
    assert response.status_code == 200
    body = response.json()
    assert body.keys() == {"sentences"}
    assert [sentence["verdict"] for sentence in body["sentences"]] == VERDICTS
    for told, sentence in zip(body["sentences"], checked, strict=True):
        assert told.keys() == {"text", "start", "end", "verdict", "score", "problems", "citations"}
        assert [set(problem) for problem in told["problems"]] == [{"kind", "found", "expected"}] * len(told["problems"])
        assert [c["number"] for c in told["citations"]] == list(range(1, len(sentence.evidence) + 1))
        for citation in told["citations"]:
            text = server.get(f"/articles/{citation['article']}").json()["text"]
            assert text[citation["start"] : citation["end"]] == citation["quote"]


@pytest.mark.parametrize(
    "body",
    [
        {}, {"text": ""}, {"text": "x" * (DRAFT_CHARS + 1)}, {"text": "R2 is late.", "language": "fr"}, {"text": "R2 is late.", "since": "soon"},
        {"text": "R2 is late.", "since": "2025-02-01", "until": "2025-01-01"}, {"text": "R2 is late.", "more": 1}, {"text": ["R2"]},
    ],
)  # fmt: skip
def test_what_cannot_be_checked_is_a_problem(server: httpx.Client, body: dict[str, Any]) -> None:
    assert_problem(server.post("/verify", json=body), 422)


def test_a_body_that_is_too_large_is_not_read(server: httpx.Client) -> None:
    assert_problem(server.post("/verify", content=b"x" * 600_000, headers={"Content-Type": "application/json"}), 413)


def test_the_route_is_described(server: httpx.Client) -> None:
    described = server.get("/openapi.json").json()
    assert described["paths"]["/verify"]["post"]["requestBody"]
    assert "found" in described["components"]["schemas"]["Difference"]["properties"]


# --- in the terminal -------------------------------------------------------------------------------------------------


def test_a_draft_is_printed_with_verdicts_and_evidence(desk: Chipdesk, checked: list[Checked], tmp_path: Path) -> None:
    (tmp_path / "draft.txt").write_text(DRAFT, "utf-8")
    done = chipdesk("verify", "--file", tmp_path / "draft.txt", *folders(desk.settings))
    assert (done.returncode, done.stderr) == (0, "")
    shown = flat(done.stdout)
    assert tally(checked, "en") in shown
    for sentence in checked:
        assert verdict_words(sentence.verdict, "en") in shown
        assert flat(sentence.text) in shown
        for item in sentence.evidence:
            assert flat(item.quote) in shown


def test_json_is_what_the_route_responds(desk: Chipdesk, server: httpx.Client) -> None:
    text = "Der Start von R2 war für Mai 2024 geplant."
    done = chipdesk("verify", text, "--json", *folders(desk.settings))
    assert done.returncode == 0
    assert json.loads(done.stdout) == server.post("/verify", json={"text": text}).json()


def test_a_draft_comes_from_stdin(desk: Chipdesk) -> None:
    command = [sys.executable, "-m", "rag.cli", "verify", "--json", *map(str, folders(desk.settings))]
    done = subprocess.run(
        command, cwd=REPOSITORY, input="R2 is late.", capture_output=True, text=True, timeout=120, check=False
    )
    assert [sentence["text"] for sentence in json.loads(done.stdout)["sentences"]] == ["R2 is late."]


def test_wrong_command_lines_say_what_to_do(desk: Chipdesk, tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    for arguments in (
        ("R2 is late.", "--file", tmp_path / "bytes"),
        ("--file", tmp_path / "bytes"),
        ("--file", tmp_path / "none"),
    ):
        done = chipdesk("verify", *arguments, *folders(desk.settings))
        assert done.returncode == 2
        assert "Give" in done.stderr


# --- in words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_verdict_and_problem_has_its_words(language: Any) -> None:
    verdicts = [verdict_words(verdict, language) for verdict in Verdict.__args__]  # type: ignore[attr-defined]
    assert len(set(verdicts)) == 4
    lines = [problem_words(Problem(kind, "a", "b"), language) for kind in ProblemKind.__args__]  # type: ignore[attr-defined]
    assert len(set(lines)) == 8
    assert all("b" in line for line in lines)
    nothing = problem_words(Problem("number", "five", None), language)
    assert "five" in nothing
    assert "None" not in nothing
