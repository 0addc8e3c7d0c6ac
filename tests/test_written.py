from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest
from made import R2_EVENT
from model import ModelServer, model_server

from rag.ask import Chipdesk
from rag.errors import BadRequest
from rag.evaluate.questions import Gold, Item, read_questions
from rag.evaluate.written import evaluate_written, spread
from rag.llm import open_model
from rag.settings import load
from rag.types import LANGUAGES

pytest_plugins = ("fixtures_desk",)

ITEM = Item(
    "r2", "why was R2 delayed?", "en", "why", True, (R2_EVENT,), (Gold(f"{R2_EVENT}.en", "x"),), {"en": ("Ascend",)}
)
APPLES = Item("pie", "What is the best recipe for apple pie?", "en", "off_topic", False, (), (), {})


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with model_server() as server:
        yield server


@pytest.mark.parametrize("limit", [1, 7, 60])
def test_a_sample_is_spread_and_always_the_same(limit: int) -> None:
    items = read_questions("dev")
    sample = spread(items, limit)
    assert len(sample) == limit
    assert sample == spread(list(reversed(items)), limit)
    if limit == 60:
        languages = Counter(item.language for item in sample)
        assert all(abs(languages[language] - 30) <= 8 for language in LANGUAGES)
        assert {item.kind for item in sample} == {item.kind for item in items}
    assert spread(items, None) == items


def test_what_a_model_writes_is_measured_beside_the_quotations(desk: Chipdesk, server: ModelServer) -> None:
    quoted = desk.ask(ITEM.question)
    server.says(f"{quoted.sentences[0].text} [1]\nR2 was delayed by 77 months because of Intel's Ascend. [1]\n")
    model = open_model(load(llm_url=server.url, llm_model="m"))
    result = evaluate_written(desk, model, [ITEM, APPLES], split="dev", progress=lambda _: None)
    pair, declined = result.pairs
    assert (pair.extractive.by, pair.llm.by) == ("extractive", "llm")
    assert [bool(heard.reasons) for heard in pair.llm.heard] == [False, True]
    assert pair.extractive.heard == ()
    assert pair.llm.citation_precision is not None
    assert pair.llm.evidence_ms <= (pair.llm.first_ms or 0) <= pair.llm.took_ms
    assert declined.llm.abstained
    assert declined.llm.correct is None
    assert sum(result.reasons().values()) >= 1
    figures = json.loads(json.dumps(result.as_json()))["figures"]["llm all"]
    assert (figures["n"], figures["heard"], figures["fell"]) == (2, 2, 0.5)
    assert all(len(row) == len(heads) for _, heads, rows in result.tables() for row in rows)


def test_an_option_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from rag import cli

    for arguments in (["--writer", "poet"], ["--writer", "llm", "--gate"], ["--limit", "3"]):
        with pytest.raises(BadRequest):
            cli.app(["eval", *arguments], standalone_mode=False)
