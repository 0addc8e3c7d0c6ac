from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from rag.ask import Chipdesk
from rag.errors import CorpusError
from rag.evaluate.corruptions import events_of_split, told
from rag.evaluate.statements import BY_RULE, NOT_TOLD, TOLD, Claim, beginning, gather, made_claims, read_claims
from rag.read import read_corpus
from rag.settings import home, load
from rag.types import LANGUAGES

pytest_plugins = ("fixtures_desk",)


@pytest.fixture(scope="module")
def claims() -> list[Claim]:
    return read_claims()


def test_the_claims_fit_the_corpus(claims: list[Claim]) -> None:
    articles = {a.id: a for a in read_corpus(home() / "corpus", most_bytes=load().article_bytes).articles}
    assert [c.id for c in claims if articles[c.article].event != c.event] == []
    assert [c.id for c in claims if not all(quote in articles[c.article].text for quote in c.quotes)] == []
    assert [c.id for c in claims if c.text in articles[c.article].text] == []
    assert [text for text, count in Counter(c.text for c in claims).items() if count > 1] == []
    assert [name for name, count in Counter(c.id for c in claims).items() if count > 1] == []


def test_the_claims_are_about_training_events_only(claims: list[Claim]) -> None:
    assert not {c.event for c in claims} - events_of_split("train")


def test_told_and_not_told_are_balanced_in_both_languages(claims: list[Claim]) -> None:
    assert len(claims) >= 3_000
    for language in LANGUAGES:
        own = [c for c in claims if c.language == language]
        assert 0.4 < len(own) / len(claims) < 0.6
        assert 0.4 < sum(c.told for c in own) / len(own) < 0.6
    assert {c.kind for c in claims} == {*TOLD, *NOT_TOLD}


def test_length_does_not_give_away_what_is_told(claims: list[Claim]) -> None:
    lengths = {kind: sorted(len(c.text) for c in claims if c.told == kind) for kind in (True, False)}
    middle = {kind: found[len(found) // 2] for kind, found in lengths.items()}
    assert 0.8 < middle[True] / middle[False] < 1.25


@pytest.mark.parametrize(
    ("change", "why"),
    [({"kind": "role", "told": True}, "kind"), ({"evidence": []}, "not enough values"), ({"text": None}, "text")],
)
def test_what_is_no_claim_is_named_with_its_line(tmp_path: Path, change: dict[str, object], why: str) -> None:
    line = {"id": "c", "event": "e", "text": "x", "language": "en", "told": True, "kind": "part"}
    line |= {"evidence": [{"article": "a", "quote": "q"}]} | change
    if change.get("text", "") is None:
        del line["text"]
    (tmp_path / "claims.jsonl").write_text(json.dumps(line) + "\n", "utf-8")
    with pytest.raises(CorpusError, match=rf"claims\.jsonl:1: not a claim: .*{why}"):
        read_claims(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="missing"):
        read_claims(tmp_path)


def test_claims_made_by_rule_are_the_same_every_time_and_of_both_classes(desk: Chipdesk) -> None:
    events = frozenset(article.event for article in desk.index.catalog.articles())
    stories = told(desk, events)
    made = list(made_claims(stories, desk.index.glossary))
    assert made == list(made_claims(stories, desk.index.glossary))
    assert {claim.told for claim in made} == {True, False}
    assert {claim.kind for claim in made} == {BY_RULE}
    for claim in made:
        article = desk.article(claim.article)
        assert claim.quotes[0] in article.text
        assert claim.told or claim.text != claim.quotes[0]


def test_a_claim_stands_before_all_sentences_of_its_article(desk: Chipdesk) -> None:
    events = frozenset(article.event for article in desk.index.catalog.articles())
    made = list(made_claims(told(desk, events), desk.index.glossary))
    for stated in gather(desk, made):
        assert sorted((*stated.bearing, *stated.others)) == list(range(len(stated.sentences)))
        assert [stated.sentences[i] for i in stated.bearing] == list(stated.claim.quotes)
        assert desk.article(stated.claim.article).title in stated.context


def test_the_beginning_is_a_main_clause_that_others_follow() -> None:
    assert beginning("Huawei sent engineers to DeepSeek in May, but nothing helped the start-up at all.") == (
        "Huawei sent engineers to DeepSeek in May."
    )
    assert beginning("Huawei sent engineers to DeepSeek in May.") is None
