"""A result beside an older one, and beside the floors it must not fall below.

Both only mean something over the same questions: the checksum of the gold data stands in results and beside the floors,
and another one is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rag.errors import BadRequest, CorpusError
from rag.evaluate.questions import checksum, read_questions
from rag.evaluate.run import METRICS, Result, Table, shown
from rag.settings import home

SET: Final = "chipdesk eval --gate --set-floors"
MARGIN: Final = 0.02
"""How far a new floor lies under its measured value, absolute: two of a hundred questions may turn before it is a failure."""
SPLITS: Final = ("dev", "test")
"""The splits whose questions the gate asks."""
GATED: Final = (
    *(f"overall/{name}" for name, metric in METRICS.items() if name != "n" and not name.startswith("ms")),
    *(f"{group} language/{name}" for group in ("same", "cross") for name in ("hit@1", "hit@5", "correct")),
)
"""What gets a floor where the file names none. Not the milliseconds: they depend on the machine."""


# --- beside an older result ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of all questions, before and now; None where it did not exist or applied to no question."""

    metric: str
    before: float | None
    now: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """One question whose verdict changed."""

    id: str
    question: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed between two results over the same questions. Each changed question is in one of the three lists."""

    metrics: tuple[Difference, ...]
    newly_right: tuple[Change, ...]
    newly_wrong: tuple[Change, ...]
    newly_declined: tuple[Change, ...]
    """Declined though they can be answered, which they were not before."""

    def figures(self) -> Table:
        """The metrics for a terminal, with their changes."""
        rows = [[d.metric, shown(d.before), shown(d.now), _change(d.before, d.now)] for d in self.metrics]
        return "compared with the older result", ["", "before", "now", "change"], rows

    def questions(self) -> list[Table]:
        """The changed questions for a terminal; a table for each way to change that occurred."""
        changes = {"right": self.newly_right, "wrong": self.newly_wrong, "declined": self.newly_declined}
        return [
            (f"newly {name}: {len(found)}", ["id", "question", "before"], [[c.id, c.question, c.before] for c in found])
            for name, found in changes.items()
            if found
        ]


def read_result(path: Path, suite: str, split: str) -> dict[str, Any]:
    """An earlier result, which must be of this suite and, for qa, over the questions that this split has now.

    Args:
        path: written by `chipdesk eval --out FILE`, or what `chipdesk eval --json` printed.

    Raises:
        BadRequest: the file is no result, or of something else.
    """
    again = "Name a file written by `chipdesk eval --out FILE`."
    try:
        old = json.loads(path.read_text("utf-8"))
        measured, data = old["suite"], old["data"]
        verdicts = [(question["id"], question["verdict"]) for question in old["questions"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"{path} is not a result that can be compared with: {error!r}.", again) from error
    if not isinstance(old["overall"], dict) or not isinstance(data, dict) or (suite == "qa" and not verdicts):
        raise BadRequest(f"{path} is not a result that can be compared with: figures are missing.", again)
    if measured != suite:
        raise BadRequest(f"{path} is a result of the suite {measured}, not {suite}.", f"Add --suite {measured}.")
    if suite == "qa" and data.get("split") != split:
        raise BadRequest(
            f"{path} was measured on the split {data.get('split')}, not {split}.", f"Add --split {data.get('split')}."
        )
    if suite == "qa" and data.get("gold") != (gold := checksum(read_questions(split))):
        raise BadRequest(
            f"{path} was measured on other questions: its gold data has the checksum {data.get('gold')}, that of "
            f"{split} now is {gold}.",
            "Measure the older state of the code again with the present questions: `chipdesk eval --out FILE`.",
        )
    return dict(old)


def compare(old: Mapping[str, Any], new: Result) -> Comparison:
    """What changed since `old`, as `read_result` returns it.

    A question is listed where its verdict changed; a different answer with the same verdict is no change.
    """
    names = dict.fromkeys((*new.overall, *old["overall"]))
    metrics = tuple(Difference(name, old["overall"].get(name), new.overall.get(name)) for name in names)
    before = {question["id"]: question["verdict"] for question in old["questions"]}
    changes = [
        Change(score.id, score.question, before[score.id], score.verdict)
        for score in new.scores
        if score.id in before and before[score.id] != score.verdict
    ]
    return Comparison(
        metrics,
        newly_right=tuple(c for c in changes if c.now == "right"),
        newly_wrong=tuple(c for c in changes if c.now in ("wrong answer", "should have declined")),
        newly_declined=tuple(c for c in changes if c.now == "wrongly declined"),
    )


# --- beside the floors -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bound:
    """A floor, or a ceiling where less is better."""

    limit: float
    ceiling: bool = False

    def admits(self, value: float | None) -> bool:
        """Whether a measured value is good enough. A metric that applied to no question is not: nothing was measured."""
        if value is None:
            return False
        return value <= self.limit if self.ceiling else value >= self.limit

    def as_json(self) -> float | dict[str, float]:
        return {"at most": self.limit} if self.ceiling else self.limit

    def __str__(self) -> str:
        return f"{'at most' if self.ceiling else 'at least'} {self.limit:.2f}"


@dataclass(frozen=True, slots=True)
class Floors:
    """What the suite qa must reach over all questions of SPLITS."""

    gold: Mapping[str, str]
    """Split -> checksum of the questions that the floors were measured on."""
    bounds: Mapping[str, Bound]
    """"<group>/<metric>" -> bound; the group "overall" is all questions."""

    def write(self, path: Path) -> None:
        """As tests/qa/floors.json, a bound on each line so that a diff shows which one moved."""
        bounds = {name: bound.as_json() for name, bound in self.bounds.items()}
        path.write_text(json.dumps({"gold": self.gold, "floors": bounds}, ensure_ascii=False, indent=1) + "\n", "utf-8")


@dataclass(frozen=True, slots=True)
class Miss:
    """A bound that a result does not keep."""

    name: str
    bound: str
    measured: float | None


def floors_file() -> Path:
    """Where the repository keeps its floors."""
    return home() / "tests" / "qa" / "floors.json"


def gold_now() -> dict[str, str]:
    """Split -> checksum of its questions as they are."""
    return {split: checksum(read_questions(split)) for split in SPLITS}


def read_floors(path: Path) -> Floors:
    """The floors in a file.

    Raises:
        CorpusError: there is none, or it says something that is no floor.
    """
    repair = f"Mend it, or move it away and write a new one with `{SET}`."
    try:
        content = json.loads(path.read_text("utf-8"))
        gold = {str(split): str(content["gold"][split]) for split in SPLITS}
        bounds = {name: _bound(name, value) for name, value in content["floors"].items()}
    except FileNotFoundError as error:
        raise CorpusError(f"There are no floors: {path} is missing.", f"Write it with `{SET}`.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(f"{path} cannot be read as floors: {error!r}.", repair) from error
    if not bounds:
        raise CorpusError(f"{path} names no floor, so nothing could fail.", repair)
    return Floors(gold, bounds)


def floors_before(path: Path, *, renew: bool) -> Floors | None:
    """The floors to measure against, refused before minutes are spent on measuring.

    Args:
        path: the file.
        renew: new floors are about to be written: there may be none yet (None), or floors for other questions.

    Raises:
        CorpusError: there are none, or they were measured on other questions.
    """
    if renew and not path.exists():
        return None
    floors = read_floors(path)
    if not renew:
        require_gold(floors, gold_now())
    return floors


def require_gold(floors: Floors, gold: Mapping[str, str]) -> None:
    """Hold the floors against the checksums of the questions as they are.

    Raises:
        CorpusError: the questions have changed since.
    """
    changed = [split for split in SPLITS if floors.gold[split] != gold[split]]
    if changed:
        raise CorpusError(
            f"The questions of {' and '.join(changed)} are not those that the floors were measured on.",
            f"If the change is meant, measure again with `{SET}`, and add --lower if floors have to give way to it.",
        )


def missed(floors: Floors, result: Result) -> list[Miss]:
    """The bounds that `result` does not keep, in the order of the file; empty where it passes."""
    return [
        Miss(name, str(bound), value)
        for name, bound in floors.bounds.items()
        if not bound.admits(value := _measured(result, name))
    ]


def moved(old: Floors | None, result: Result, gold: Mapping[str, str], *, lower: bool = False) -> Floors:
    """Floors MARGIN under what was measured (ceilings over it), rounded to two decimals.

    Args:
        old: the floors so far, None for the first ones. What they name is kept; a bound that is stricter stays.
        result: of the suite qa over all questions.
        gold: checksums of those questions.
        lower: let stricter bounds go too.
    """
    before = old.bounds if old else {}
    bounds: dict[str, Bound] = {}
    for name in dict.fromkeys((*before, *GATED)):
        value = _measured(result, name)
        known = before.get(name)
        if value is None:
            # nothing was measured that a bound could stand on
            if known:
                bounds[name] = known
            continue
        less = METRICS[name.split("/")[1]].less_is_better
        limit = round(value + MARGIN if less else max(value - MARGIN, 0.0), 2)
        if known and not lower:
            limit = min(limit, known.limit) if less else max(limit, known.limit)
        bounds[name] = Bound(limit, less)
    return Floors(gold, bounds)


def table(misses: list[Miss]) -> Table:
    """What fell below, for a terminal."""
    rows = [[miss.name, miss.bound, shown(miss.measured)] for miss in misses]
    return "below the floors", ["", "floor", "measured"], rows


def _bound(name: str, value: Any) -> Bound:
    """A bound as the file says it: 0.6, or {"at most": 0.1} where less is better."""
    _, slash, metric = name.partition("/")
    if not slash or metric not in METRICS:
        raise ValueError(f"{name!r} is not a group and a metric, as in 'overall/correct'")
    less = METRICS[metric].less_is_better
    limit = value["at most"] if less and isinstance(value, dict) and len(value) == 1 else value
    if less == (limit is value) or isinstance(limit, bool) or not isinstance(limit, int | float) or limit < 0:
        wanted = '{"at most": number}' if less else "a number"
        raise ValueError(f"{name!r} needs {wanted}, not {value!r}")
    return Bound(float(limit), less)


def _measured(result: Result, name: str) -> float | None:
    """The figure that "<group>/<metric>" names; None in a group that does not exist."""
    group, metric = name.split("/")
    value: float | None = (result.overall if group == "overall" else result.groups.get(group, {})).get(metric)
    return value


def _change(before: float | None, now: float | None) -> str:
    if before is None or now is None:
        return "–" if before is now else "new" if before is None else "gone"
    change = now - before
    if isinstance(before, int) and isinstance(now, int):
        return f"{change:+,}" if change else "="
    return "=" if abs(change) < 0.0005 else f"{change:+.0f}" if max(before, now) > 1.5 else f"{change:+.3f}"
