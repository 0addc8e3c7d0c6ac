"""The suites of `chipdesk eval`, run for real on little data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made import R2_EVENT
from test_report import score

from rag.ask import Chipdesk
from rag.errors import BadRequest, CorpusError
from rag.evaluate.questions import KINDS, Gold, Item, read_questions
from rag.evaluate.run import (
    ANSWERS,
    METRICS,
    ONCE,
    RETRIEVAL,
    Score,
    evaluate,
    evaluate_headlines,
    evaluate_questions,
    summary,
)
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
    items = [item for item in read_questions("dev") if item.kind == "why"][:12]
    items += [item for item in read_questions("dev") if item.kind == "off_topic"]
    result = evaluate_questions(desk, items, split="dev", progress=quiet)
    assert result.overall["n"] == len(items) == len(result.scores)
    assert result.overall["cit. prec."] == result.overall["cit. rec."] == 1.0
    assert sum(group["n"] for name, group in result.groups.items() if name.startswith("kind ")) == len(items)
    pairs = [group["n"] for name, group in result.groups.items() if ">" in name or name == "unanswerable"]
    assert sum(pairs) == len(items)
    for values in (result.overall, *result.groups.values()):
        assert values.keys() == METRICS.keys()
        assert all(
            value is None or 0 <= value <= 1 for name, value in values.items() if name.split()[0] not in ("n", "ms")
        )
    assert result.groups["kind off_topic"]["correct"] is None
    assert json.loads(json.dumps(result.as_json()))["questions"][0]["verdict"]


def test_an_abstention_is_not_a_correct_answer_and_an_answer_is_no_refusal(desk: Chipdesk) -> None:
    nothing = Item("x", "How do I bake sourdough bread?", "en", "factoid", True, (), (), {"en": ("bread",)})
    (told,) = evaluate_questions(desk, [nothing], split="dev", progress=quiet).scores
    assert told.abstained
    assert told.correct == 0.0
    assert told.hit1 is None
    assert told.rank is None
    assert told.citation_precision is None
    assert told.support is None
    assert told.verdict == "wrongly declined"


R2_QUOTES = {
    "en": "DeepSeek has postponed R2 because it could not train the model on Huawei's Ascend processors, the Financial Times "
    "reported on 14 August 2025.",
    "de": "Weil sich das Modell R2 nicht auf Huaweis Ascend-Prozessoren trainieren ließ, hat DeepSeek dessen Start nach einem "
    "Bericht der Financial Times vom 14. August 2025 verschoben.",
}


def why_r2(*languages: str) -> Item:
    """Why R2 was delayed, asked in English, with gold in these languages."""
    gold = tuple(Gold(f"{R2_EVENT}.{language}", R2_QUOTES[language]) for language in languages)
    pattern = {"en": ("Ascend",), "de": ("Ascend",)}
    return Item("-".join(languages), "Why was R2 delayed?", "en", "why", True, (R2_EVENT,), gold, pattern)


def test_an_answer_is_scored_with_what_it_cites(desk: Chipdesk) -> None:
    (told,) = evaluate_questions(desk, [why_r2("en", "de")], split="dev", progress=quiet).scores
    assert (told.verdict, told.correct, told.pair, told.same_language) == ("right", 1.0, "en>de+en", True)
    assert told.rank == 1 / (told.reciprocal_rank or 0)
    assert told.citation_precision == told.citation_recall == told.language_match == 1.0
    assert told.on_event is not None
    assert 0 < told.on_event <= 1
    assert told.support is not None
    assert {quote.quote for quote in told.gold} == set(R2_QUOTES.values())
    for quote in told.citations:
        assert quote.quote in desk.article(quote.article).text
        assert quote.quote in told.answer


def test_questions_are_grouped_by_whether_their_language_tells_the_answer(desk: Chipdesk) -> None:
    items = [why_r2("en"), why_r2("de"), why_r2("de", "en")]
    items += [Item("o", "How do I bake bread?", "en", "off_topic", False, (), (), {})]
    groups = evaluate_questions(desk, items, split="dev", progress=quiet).groups
    sizes = {name: values["n"] for name, values in groups.items() if not name.startswith("kind ")}
    assert sizes == {"same language": 2, "cross language": 1, "en>de": 1, "en>de+en": 1, "en>en": 1, "unanswerable": 1}
    assert list(sizes)[:2] == ["same language", "cross language"]


def test_a_group_that_has_no_question_is_not_shown(desk: Chipdesk) -> None:
    groups = evaluate_questions(desk, [why_r2("en")], split="dev", progress=quiet).groups
    assert set(groups) == {"same language", "en>en", "kind why"}
    assert evaluate_questions(desk, [], split="dev", progress=quiet).overall["n"] == 0


@pytest.mark.parametrize(
    ("corrected", "verdict"), [(True, "right"), (False, "wrong answer")], ids=["corrected", "passed unnoticed"]
)
def test_a_false_premise_is_judged_by_its_first_sentence(desk: Chipdesk, corrected: bool, verdict: str) -> None:
    (asked,) = evaluate_questions(desk, [why_r2("en")], split="dev", progress=quiet).scores
    first, *others = asked.citations
    assert others, "the test needs an answer of several sentences"
    gold = first if corrected else others[0]
    item = Item(
        "f",
        "Why was R2 delayed?",
        "en",
        "false_premise",
        False,
        (R2_EVENT,),
        (Gold(gold.article, gold.quote),),
        {"en": ("R2",)},
    )
    (told,) = evaluate_questions(desk, [item], split="dev", progress=quiet).scores
    assert (told.premise_handled, told.verdict, told.correct) == (float(corrected), verdict, None)


def test_answering_what_the_corpus_does_not_answer_is_named(desk: Chipdesk) -> None:
    item = Item("u", "Why was R2 delayed?", "en", "unanswerable", False, (), (), {})
    (told,) = evaluate_questions(desk, [item], split="dev", progress=quiet).scores
    assert (told.verdict, told.pair, told.on_event) == ("should have declined", "unanswerable", None)


# --- the summary -----------------------------------------------------------------------------------------------------


def declined(**fields: object) -> Score:
    nothing = {"citation_precision": None, "evidence_precision": None, "on_event": None, "correct": 0.0}
    return score(abstained=True, **(nothing | fields))


def test_refusals_by_hand() -> None:
    without: dict[str, object] = {"answerable": False, "correct": None}
    figures = summary(
        [
            score(), score(), score(), declined(),
            score(kind="unanswerable", **without),
            declined(kind="unanswerable", **without),
            declined(kind="off_topic", **without),
            declined(kind="false_premise", premise_handled=1.0, **without),
            score(kind="false_premise", premise_handled=0.0, **without),
        ]
    )  # fmt: skip
    assert figures["false ref."] == 1 / 4
    assert figures["abst. rec."] == 2 / 3  # false premises do not count
    assert figures["abst. prec."] == 3 / 4  # a declined false premise does
    assert figures["false premise"] == 1 / 2
    assert figures["correct"] == 3 / 4


def test_special_kinds_have_a_figure_of_their_own() -> None:
    figures = summary(
        [score(), score(kind="latest", correct=0.0), score(kind="conflict"), score(kind="followup", correct=0.0)]
    )
    assert (figures["latest"], figures["conflict"], figures["followup"]) == (0.0, 1.0, 0.0)
    assert figures["false premise"] is None
    assert figures["correct"] == 0.5


def test_an_abstention_does_not_count_where_it_does_not_apply() -> None:
    figures = summary([score(citation_precision=0.5), declined()])
    assert figures["cit. prec."] == 0.5
    assert figures["ev. prec."] == 1.0
    assert figures["on event"] == 1.0


def test_latencies() -> None:
    figures = summary([score(milliseconds=float(n)) for n in (10, 20, 30, 1000)])
    assert (figures["ms"], figures["ms p50"], figures["ms p95"]) == (265, 20, 1000)


def test_nothing_measured_is_none_and_not_zero() -> None:
    assert summary([]) == {name: 0 if name == "n" else None for name in METRICS}


def test_every_metric_is_explained_and_in_a_table() -> None:
    assert set(RETRIEVAL) | set(ANSWERS) | set(ONCE) == METRICS.keys()
    assert [name for name, metric in METRICS.items() if not metric.about.endswith(".")] == []
    assert {name for name, metric in METRICS.items() if metric.less_is_better} == {
        "calib.",
        "false ref.",
        "ms",
        "ms p50",
        "ms p95",
    }


def test_kinds_that_metrics_speak_of_exist() -> None:
    assert {"latest", "conflict", "followup", "false_premise"} <= set(KINDS)


def test_the_tables_have_the_same_rows(desk: Chipdesk) -> None:
    off_topic = Item("o", "How do I bake bread?", "en", "off_topic", False, (), (), {})
    retrieval, answers, once = evaluate_questions(desk, [why_r2("en"), off_topic], split="dev", progress=quiet).tables()
    names = [row[0] for row in retrieval[2]]
    assert names == [row[0] for row in answers[2]]
    assert names == ["same language", "en>en", "unanswerable", "", "kind off_topic", "kind why", "", "all"]
    for _, heads, rows in (retrieval, answers, once):
        assert {len(row) for row in rows} == {len(heads)}
    assert retrieval[0].startswith("qa: split dev, questions 2, gold ")


def test_headlines_find_their_own_events(desk: Chipdesk) -> None:
    result = evaluate_headlines(desk, progress=quiet)
    assert result.overall["hit@5"] > 0.9
    assert {"de>de", "en>en", "de>en", "en>de"} <= result.groups.keys()
    assert result.tables()[0][2][-1][0] == "all"
