"""A result beside an older one and beside its floors: by hand, and once through the whole command on a small desk."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import chipdesk
from made import R2_EVENT
from test_report import result, score

from rag import cli
from rag.errors import BadRequest, CorpusError
from rag.evaluate import gate, questions
from rag.evaluate.gate import (
    GATED,
    MARGIN,
    Bound,
    Comparison,
    Floors,
    compare,
    floors_before,
    gold_now,
    missed,
    moved,
    read_floors,
    read_result,
    require_gold,
)
from rag.evaluate.questions import checksum, read_questions
from rag.evaluate.run import METRICS, Result, Verdict
from rag.settings import Settings

pytest_plugins = ["fixtures_desk"]

GOLD = {"dev": "aaaa", "test": "bbbb"}


# --- beside an older result ------------------------------------------------------------------------------------------


def verdicts(**by_id: Verdict) -> Result:
    return result(*(score(id=identity, verdict=verdict) for identity, verdict in by_id.items()))


def compared(before: Verdict, now: Verdict) -> Comparison:
    return compare(verdicts(q1=before).as_json(), verdicts(q1=now))


@pytest.mark.parametrize(
    ("before", "now", "listed"),
    [
        ("wrong answer", "right", "newly_right"),
        ("wrongly declined", "right", "newly_right"),
        ("should have declined", "right", "newly_right"),
        ("right", "wrong answer", "newly_wrong"),
        ("wrongly declined", "wrong answer", "newly_wrong"),
        ("right", "should have declined", "newly_wrong"),
        ("right", "wrongly declined", "newly_declined"),
        ("wrong answer", "wrongly declined", "newly_declined"),
        ("right", "right", None),
        ("wrong answer", "wrong answer", None),
    ],
)
def test_a_changed_question_is_in_one_list(before: Verdict, now: Verdict, listed: str | None) -> None:
    found = compared(before, now)
    lists = {name: getattr(found, name) for name in ("newly_right", "newly_wrong", "newly_declined")}
    assert [name for name, changes in lists.items() if changes] == ([listed] if listed else [])
    if listed:
        (change,) = lists[listed]
        assert (change.id, change.question, change.before, change.now) == ("q1", "Why was R2 delayed?", before, now)
        assert found.questions() == [
            (f"{listed.replace('_', ' ')}: 1", ["id", "question", "before"], [["q1", "Why was R2 delayed?", before]])
        ]
    else:
        assert found.questions() == []


def test_figures_are_subtracted() -> None:
    old = result(score(milliseconds=40.0), score(id="q2", correct=0.0))
    new = result(score(milliseconds=60.0), score(id="q2"))
    rows = {row[0]: row[1:] for row in compare(old.as_json(), new).figures()[2]}
    assert list(rows) == list(METRICS)
    assert rows["correct"] == ["0.500", "1.000", "+0.500"]
    assert rows["ms"] == ["40", "50", "+10"]
    assert rows["hit@1"] == ["1.000", "1.000", "="]
    assert rows["n"] == ["2", "2", "="]
    assert rows["latest"] == ["–", "–", "–"]


def test_a_metric_that_is_new_or_gone_is_shown_and_not_subtracted() -> None:
    old = result(score()).as_json()
    old["overall"] = {name: value for name, value in old["overall"].items() if name != "correct"} | {"quotes": 1.0}
    rows = {row[0]: row[1:] for row in compare(old, result(score())).figures()[2]}
    assert rows["correct"] == ["–", "1.000", "new"]
    assert rows["quotes"] == ["1.000", "–", "gone"]


@pytest.fixture(scope="module")
def dev() -> str:
    return checksum(read_questions("dev"))


def test_a_result_is_read_back_from_its_file(tmp_path: Path, dev: str) -> None:
    path = tmp_path / "old.json"
    old = result(score(verdict="wrong answer"), gold=dev)
    path.write_text(json.dumps(old.as_json()), "utf-8")
    assert read_result(path, "qa", "dev")["data"]["gold"] == dev
    assert len(compare(read_result(path, "qa", "dev"), verdicts(q1="right")).newly_right) == 1


def test_a_suite_without_questions_can_be_compared(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    old = Result("headlines", {"articles": 3, "index": "x"}, {"n": 3, "hit@1": 0.5})
    path.write_text(json.dumps(old.as_json()), "utf-8")
    found = compare(read_result(path, "headlines", "dev"), replace(old, overall={"n": 3, "hit@1": 1.0}))
    assert found.figures()[2][1] == ["hit@1", "0.500", "1.000", "+0.500"]
    assert found.questions() == []


REFUSED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "another suite": (lambda old: old | {"suite": "xquad"}, "suite xquad, not qa"),
    "another split": (lambda old: old | {"data": old["data"] | {"split": "test"}}, "split test, not dev"),
    "other questions": (lambda old: old | {"data": old["data"] | {"gold": "0000"}}, "other questions.*0000"),
    "no questions": (lambda old: old | {"questions": []}, "figures are missing"),
    "no verdicts": (lambda old: old | {"questions": [{"id": "q1", "correct": 1.0}]}, "'verdict'"),
    "no figures": (lambda old: old | {"overall": 3}, "figures are missing"),
    "another JSON file": (lambda old: {"articles": 3}, "not a result"),
    "a list": (lambda old: [old], "not a result"),
}


@pytest.mark.parametrize(("change", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_compared_is_refused(
    tmp_path: Path, dev: str, change: Callable[[dict[str, Any]], Any], says: str
) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(change(result(score(), gold=dev).as_json())), "utf-8")
    with pytest.raises(BadRequest, match=says) as refused:
        read_result(path, "qa", "dev")
    assert refused.value.repair


def test_a_file_that_is_missing_or_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("well,", "utf-8")
    for name in ("nothing.json", "notes.txt"):
        with pytest.raises(BadRequest, match=rf"{name} is not a result.*--out"):
            read_result(tmp_path / name, "qa", "dev")


# --- beside the floors -----------------------------------------------------------------------------------------------


def floors(**bounds: Bound) -> Floors:
    """Floors of all questions; `_` in a name stands for a blank."""
    return Floors(GOLD, {f"overall/{name.replace('_', ' ')}": bound for name, bound in bounds.items()})


@pytest.mark.parametrize(
    ("bound", "value", "admitted"),
    [
        (Bound(0.5), 0.5, True),
        (Bound(0.5), 0.499, False),
        (Bound(0.0), 0.0, True),
        (Bound(0.1, ceiling=True), 0.1, True),
        (Bound(0.1, ceiling=True), 0.101, False),
        (Bound(0.0), None, False),
        (Bound(1.0, ceiling=True), None, False),
    ],
)
def test_bounds(bound: Bound, value: float | None, admitted: bool) -> None:
    assert bound.admits(value) is admitted


def test_what_falls_below_is_named() -> None:
    measured = result(score(), score(id="q2", correct=0.0, abstained=True))
    kept = Floors(GOLD, {"overall/correct": Bound(0.5), "kind why/correct": Bound(0.5), "overall/n": Bound(2)})
    assert missed(kept, measured) == []
    found = missed(
        Floors(
            GOLD,
            {
                "overall/correct": Bound(0.6),
                "overall/hit@1": Bound(0.9),
                "overall/false ref.": Bound(0.4, ceiling=True),
                "kind how/correct": Bound(0.1),
            },
        ),
        measured,
    )
    assert gate.table(found)[2] == [
        ["overall/correct", "at least 0.60", "0.500"],
        ["overall/false ref.", "at most 0.40", "0.500"],
        ["kind how/correct", "at least 0.10", "–"],
    ]


def test_first_floors_lie_a_margin_under_what_was_measured() -> None:
    measured = result(
        *(score(id=f"q{n}", correct=float(n < 7), abstained=n == 0) for n in range(8)), score(id="q9", kind="latest", hit1=0.01)
    )  # fmt: skip
    found = moved(None, measured, GOLD)
    assert found.gold == GOLD
    assert found.bounds["overall/correct"] == Bound(round(8 / 9 - MARGIN, 2))
    assert found.bounds["overall/latest"] == Bound(0.98)
    assert found.bounds["overall/false ref."] == Bound(round(1 / 9 + MARGIN, 2), ceiling=True)
    assert "overall/conflict" not in found.bounds  # nothing was measured
    assert not [name for name in found.bounds if name.endswith(("/n", "/ms", "/ms p50", "/ms p95"))]
    assert set(found.bounds) <= set(GATED)
    assert missed(found, measured) == []


def test_new_floors_admit_what_they_were_measured_on_and_are_never_negative() -> None:
    for share in range(101):
        measured = result(score(correct=share / 100, hit1=0.0))
        found = moved(None, measured, GOLD)
        assert missed(found, measured) == []
        assert found.bounds["overall/hit@1"].limit == 0


@pytest.mark.parametrize(("lower", "floor", "ceiling"), [(False, 0.7, 0.1), (True, 0.48, 0.52)])
def test_a_floor_is_lowered_only_if_asked(lower: bool, floor: float, ceiling: float) -> None:
    half = result(score(), score(id="q2", correct=0.0, abstained=True))
    old = floors(correct=Bound(0.7), false_ref=Bound(0.1, ceiling=True))
    old = Floors(GOLD, {name.replace("ref", "ref."): bound for name, bound in old.bounds.items()})
    found = moved(old, half, {"dev": "cccc", "test": "bbbb"}, lower=lower)
    assert found.bounds["overall/correct"] == Bound(floor)
    assert found.bounds["overall/false ref."] == Bound(ceiling, ceiling=True)
    assert found.gold["dev"] == "cccc"
    assert bool(missed(found, half)) is not lower


@pytest.mark.parametrize("lower", [False, True])
def test_floors_are_raised_and_ceilings_lowered(lower: bool) -> None:
    old = Floors(GOLD, {"overall/correct": Bound(0.3), "overall/false ref.": Bound(0.5, ceiling=True)})
    found = moved(old, result(score()), GOLD, lower=lower)
    assert found.bounds["overall/correct"] == Bound(0.98)
    assert found.bounds["overall/false ref."] == Bound(0.02, ceiling=True)


def test_floors_set_by_hand_are_kept_and_raised() -> None:
    old = Floors(
        GOLD, {"kind why/correct": Bound(0.1), "kind how/correct": Bound(0.4), "overall/cit. prec.": Bound(1.0)}
    )
    found = moved(old, result(score()), GOLD)
    assert found.bounds["kind why/correct"] == Bound(0.98)
    assert found.bounds["kind how/correct"] == Bound(0.4)  # no such question was asked: nothing to raise it by
    assert found.bounds["overall/cit. prec."] == Bound(1.0)
    assert list(found.bounds)[:3] == list(old.bounds)


def test_floors_survive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "floors.json"
    made = floors(correct=Bound(0.6), false_premise=Bound(0.4))
    made = replace(made, bounds={**made.bounds, "same language/false ref.": Bound(0.1, ceiling=True)})
    made.write(path)
    assert read_floors(path) == made
    assert json.loads(path.read_text("utf-8"))["floors"]["same language/false ref."] == {"at most": 0.1}


NO_FLOORS = {
    "unknown metric": ({"overall/hit@3": 0.5}, "hit@3"),
    "no group": ({"correct": 0.5}, "group and a metric"),
    "a word": ({"overall/correct": "high"}, "a number"),
    "true": ({"overall/correct": True}, "a number"),
    "negative": ({"overall/correct": -0.1}, "a number"),
    "ceiling of what should be high": ({"overall/correct": {"at most": 0.5}}, "a number"),
    "floor of what should be low": ({"overall/false ref.": 0.5}, "at most"),
    "another bound": ({"overall/false ref.": {"at least": 0.5}}, "at most"),
    "two bounds": ({"overall/false ref.": {"at most": 0.5, "at least": 0.1}}, "at most"),
    "none": ({}, "names no floor"),
    "a list": ([], "cannot be read as floors"),
}


@pytest.mark.parametrize(("content", "says"), NO_FLOORS.values(), ids=NO_FLOORS)
def test_what_is_no_floor_is_refused(tmp_path: Path, content: Any, says: str) -> None:
    path = tmp_path / "floors.json"
    path.write_text(json.dumps({"gold": GOLD, "floors": content}), "utf-8")
    with pytest.raises(CorpusError, match=says) as refused:
        read_floors(path)
    assert "chipdesk eval --gate --set-floors" in refused.value.repair


@pytest.mark.parametrize("content", ["{", "[]", '{"floors": {"overall/correct": 0.5}}', '{"gold": {"dev": "a"}}'])
def test_a_file_that_is_no_floors_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "floors.json"
    path.write_text(content, "utf-8")
    with pytest.raises(CorpusError, match=r"floors\.json cannot be read as floors"):
        read_floors(path)


def test_missing_floors_name_the_command_that_writes_them(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"floors\.json is missing.*chipdesk eval --gate --set-floors"):
        floors_before(tmp_path / "floors.json", renew=False)
    assert floors_before(tmp_path / "floors.json", renew=True) is None


def test_floors_for_other_questions_are_refused_before_measuring(tmp_path: Path) -> None:
    path = tmp_path / "floors.json"
    now = gold_now()
    replace(floors(correct=Bound(0.5)), gold=now).write(path)
    assert floors_before(path, renew=False)
    replace(floors(correct=Bound(0.5)), gold=now | {"test": "0000"}).write(path)
    with pytest.raises(CorpusError, match=r"The questions of test are not.*--set-floors.*--lower"):
        floors_before(path, renew=False)
    assert floors_before(path, renew=True)


def test_both_changed_splits_are_named() -> None:
    with pytest.raises(CorpusError, match="dev and test"):
        require_gold(floors(correct=Bound(0.5)), {"dev": "x", "test": "y"})


# --- the command -----------------------------------------------------------------------------------------------------

WRONG = {
    "gate of another suite": (("--gate", "--suite", "xquad"), "suite qa"),
    "gate of one split": (("--gate", "--split", "dev"), "all questions"),
    "floors without a gate": (("--set-floors",), "--set-floors belongs to --gate"),
    "lowering without setting": (("--gate", "--lower"), "--lower to --set-floors"),
    "page of another suite": (("--html", "x.html", "--suite", "headlines"), "HTML report"),
    "older result missing": (("--compare", "nowhere.json"), "nowhere.json is not a result"),
}


@pytest.mark.parametrize(("options", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_command_line_is_refused_at_once(options: tuple[str, ...], says: str) -> None:
    done = chipdesk("eval", *options)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.split())
    assert done.stdout == ""


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a handful of questions about the R2 story, in which `chipdesk eval` runs."""
    folder = tmp_path / "tests" / "qa"
    folder.mkdir(parents=True)
    asked = [item for item in read_questions("dev") if item.events == (R2_EVENT,) or item.kind == "off_topic"]
    ids = {item.id for item in asked}
    lines = (questions.home() / "tests" / "qa" / "dev.jsonl").read_text("utf-8").splitlines()
    lines = [line for line in lines if json.loads(line)["id"] in ids]
    (folder / "dev.jsonl").write_text("\n".join(lines[::2]), "utf-8")
    (folder / "test.jsonl").write_text("\n".join(lines[1::2]), "utf-8")
    for module in (questions, gate):
        monkeypatch.setattr(module, "home", lambda: tmp_path)
    return folder


@pytest.fixture
def run_eval(
    story: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """`chipdesk eval` over the R2 story: exit code, stdout, stderr."""

    def run(*options: object) -> tuple[int, str, str]:
        folders = ("--corpus", story.corpus, "--index", story.index)
        monkeypatch.setattr("sys.argv", ["chipdesk", "eval", *map(str, (*options, *folders))])
        with pytest.raises(SystemExit) as left:
            cli.main()
        told = capsys.readouterr()
        return int(left.value.code or 0), told.out, " ".join(told.err.split())

    return run


def test_a_gate_from_first_floors_to_a_miss(few: Path, run_eval: Callable[..., tuple[int, str, str]]) -> None:
    path = few / "floors.json"
    code, _, said = run_eval("--gate")
    assert (code, path.exists()) == (1, False)
    assert "chipdesk eval --gate --set-floors" in said

    code, _, said = run_eval("--gate", "--set-floors")
    assert code == 0, said
    assert "The gate is passed" in said
    written = json.loads(path.read_text("utf-8"))
    assert written["gold"] == gold_now()
    assert written["floors"]["overall/cit. prec."] == 0.98

    code, printed, _ = run_eval("--gate", "--json")
    assert (code, json.loads(printed)["gate"]) == (0, {"passed": True, "missed": []})

    written["floors"]["overall/MRR"] = 1.01
    path.write_text(json.dumps(written), "utf-8")
    code, printed, said = run_eval("--gate")
    assert code == 1
    assert re.search(r"overall/MRR +at least 1\.01 +\d\.\d\d\d", printed)
    assert f"The gate is shut: 1 of {len(written['floors'])} floors" in said

    code, _, _ = run_eval("--gate", "--set-floors")
    assert code == 1
    assert json.loads(path.read_text("utf-8"))["floors"]["overall/MRR"] == 1.01
    code, _, _ = run_eval("--gate", "--set-floors", "--lower")
    assert code == 0
    assert json.loads(path.read_text("utf-8"))["floors"]["overall/MRR"] < 1.0

    shutil.copy(few / "dev.jsonl", few / "test.jsonl")
    code, printed, said = run_eval("--gate")
    assert (code, printed) == (1, "")
    assert "The questions of test are not those" in said


def test_a_result_is_written_reported_and_compared_with(
    few: Path, run_eval: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.out, "_width", 120)
    old, page = few / "out" / "old.json", few / "out" / "report.html"
    code, printed, said = run_eval("--out", old, "--html", page)
    assert code == 0
    assert "Results are in" in said
    assert "The report is in" in said
    assert max(map(len, printed.splitlines()[1:])) <= 120
    content = json.loads(old.read_text("utf-8"))
    assert all(
        line["question"] in page.read_text("utf-8") for line in content["questions"] if "'" not in line["question"]
    )

    turned = {"right": "wrong answer"}
    for question in content["questions"]:
        question["verdict"] = turned.get(question["verdict"], "right")
    old.write_text(json.dumps(content), "utf-8")
    code, printed, _ = run_eval("--compare", old)
    assert code == 0
    assert "compared with the older result" in printed
    assert "newly right: " in printed
    code, printed, _ = run_eval("--compare", old, "--json")
    told = json.loads(printed)["compare"]
    assert sum(len(told[name]) for name in ("newly_right", "newly_wrong", "newly_declined")) == len(
        content["questions"]
    )
    assert {change["now"] for change in told["newly_right"]} == {"right"}
