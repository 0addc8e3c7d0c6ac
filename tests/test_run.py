"""The suites of `chipdesk eval`, run for real on little data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rag.ask import Chipdesk
from rag.errors import BadRequest, CorpusError
from rag.evaluate.questions import Item, read_questions
from rag.evaluate.run import evaluate, evaluate_headlines, evaluate_questions
from rag.settings import Settings

pytest_plugins = ["fixtures_desk"]

PARAGRAPHS = {
    "en": [
        ("The lighthouse on the northern cape was built in 1871. Its lamp burns rapeseed oil.", ["When was the lighthouse built?", "What does the lamp burn?"], ["1871", "rapeseed"]),
        ("Marmots sleep for seven months. They live in burrows above the tree line.", ["How long do marmots sleep?", "Where do marmots live?"], ["seven", "burrows"]),
        ("The tram to the harbour runs every nine minutes. A ticket costs two crowns.", ["How often does the tram run?", "What does a ticket cost?"], ["nine", "two crowns"]),
    ],
    "de": [
        ("Der Leuchtturm am Nordkap wurde 1871 gebaut. Seine Lampe brennt mit Rapsöl.", ["Wann wurde der Leuchtturm gebaut?", "Womit brennt die Lampe?"], ["1871", "Rapsöl"]),
        ("Murmeltiere schlafen sieben Monate. Sie leben in Bauen oberhalb der Baumgrenze.", ["Wie lange schlafen Murmeltiere?", "Wo leben Murmeltiere?"], ["sieben", "Bauen"]),
        ("Die Straßenbahn zum Hafen fährt alle neun Minuten. Eine Fahrkarte kostet zwei Kronen.", ["Wie oft fährt die Straßenbahn?", "Was kostet eine Fahrkarte?"], ["neun", "zwei Kronen"]),
    ],
}  # fmt: skip


def quiet(_: str) -> None:
    pass


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """A public benchmark's file layout with three parallel paragraphs of our own."""
    for language, paragraphs in PARAGRAPHS.items():
        content = [
            {
                "context": text,
                "qas": [
                    {"id": f"{number}-{i}", "question": question, "answers": [{"text": answer, "answer_start": text.index(answer)}]}
                    for i, (question, answer) in enumerate(zip(questions, answers, strict=True))
                ],
            }
            for number, (text, questions, answers) in enumerate(paragraphs)
        ]  # fmt: skip
        data = json.dumps({"data": [{"title": "Test_page", "paragraphs": content}]})
        for path in (tmp_path / "xquad" / f"xquad.{language}.json", tmp_path / "xquad-r" / f"{language}.json"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(data, "utf-8")
    return tmp_path


@pytest.mark.parametrize("suite", ["xquad", "xquad-r"])
def test_public_benchmarks_run_over_all_four_language_pairs(story: Settings, benchmark: Path, suite: str) -> None:
    result = evaluate(suite, story, data=benchmark, progress=quiet)
    assert set(result.groups) == {"de>de", "de>en", "en>de", "en>en"}
    metric = "hit@1" if suite == "xquad" else "cosine"
    for group in result.groups.values():
        assert group["n"] == 6
        assert 0 <= group[metric] <= 1
    assert result.groups["de>de"][metric] > 0.5
    assert json.dumps(result.as_json())


def test_a_benchmark_without_its_data_says_so(story: Settings, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="--data"):
        evaluate("xquad", story, progress=quiet)
    with pytest.raises(CorpusError, match="cannot be read"):
        evaluate("xquad", story, data=tmp_path, progress=quiet)
    with pytest.raises(BadRequest, match="no suite"):
        evaluate("squad", story, progress=quiet)


def test_every_question_is_counted_once_and_scores_are_shares(desk: Chipdesk) -> None:
    items = [item for item in read_questions("dev") if item.kind in ("why", "off_topic")][:12]
    items += [item for item in read_questions("dev") if item.kind == "off_topic"]
    items = list({item.id: item for item in items}.values())
    result = evaluate_questions(desk, items, split="dev", progress=quiet)
    assert result.overall["n"] == len(items) == len(result.scores)
    assert result.overall["quotes"] == 1.0
    assert sum(group["n"] for name, group in result.groups.items() if name.startswith("kind ")) == len(items)
    for values in (result.overall, *result.groups.values()):
        assert all(value is None or 0 <= value <= 1 for name, value in values.items() if name not in ("n", "ms"))
    assert result.groups["kind off_topic"]["correct"] is None


def test_an_abstention_is_not_a_correct_answer_and_an_answer_is_no_refusal(desk: Chipdesk) -> None:
    nothing = Item("x", "How do I bake sourdough bread?", "en", "factoid", True, (), (), {"en": ("bread",)})
    (score,) = evaluate_questions(desk, [nothing], split="dev", progress=quiet).scores
    assert score.abstained
    assert score.correct == 0.0
    assert score.hit1 is None


def test_headlines_find_their_own_events(desk: Chipdesk) -> None:
    result = evaluate_headlines(desk, progress=quiet)
    assert result.overall["hit@5"] > 0.9
    assert {"de>de", "en>en", "de>en", "en>de"} <= result.groups.keys()
    assert result.tables()[0][2][-1][0] == "all"
