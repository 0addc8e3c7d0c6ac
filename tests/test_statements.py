from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from rag.ask import Chipdesk
from rag.errors import CorpusError
from rag.evaluate.corruptions import events_of_split, told
from rag.evaluate.fit import even
from rag.evaluate.statements import (
    BY_RULE,
    NOT_TOLD,
    STRANGE,
    TOLD,
    WITHOUT,
    Articles,
    Claim,
    Stated,
    beginning,
    gather,
    invented,
    made_claims,
    read_claims,
    read_elsewhere,
    stated_in,
    strangers,
    without,
)
from rag.read import read_corpus
from rag.settings import home, load

pytest_plugins = ("fixtures_desk",)


@pytest.fixture(scope="module")
def claims() -> list[Claim]:
    return read_claims()


@pytest.fixture(scope="module")
def elsewhere() -> list[Stated]:
    return read_elsewhere()


def test_the_claims_fit_the_corpus(claims: list[Claim]) -> None:
    articles = {a.id: a for a in read_corpus(home() / "corpus", most_bytes=load().article_bytes).articles}
    assert [c.id for c in claims if articles[c.article].event != c.event] == []
    assert [c.id for c in claims if not all(quote in articles[c.article].text for quote in c.quotes)] == []
    assert [c.id for c in claims if c.text in articles[c.article].text] == []
    assert [text for text, count in Counter(c.text for c in claims).items() if count > 1] == []
    assert [name for name, count in Counter(c.id for c in claims).items() if count > 1] == []


def test_the_claims_are_about_training_events_only(claims: list[Claim]) -> None:
    assert not {c.event for c in claims} - events_of_split("train")


def test_told_and_not_told_are_balanced_in_both_languages(claims: list[Claim], elsewhere: list[Stated]) -> None:
    assert len(claims) >= 6_000
    assert len(elsewhere) >= 1_900
    for some in (claims, [each.claim for each in elsewhere]):
        for language in ("de", "en"):
            own = [c for c in some if c.language == language]
            assert 0.4 < len(own) / len(some) < 0.6
            assert 0.45 < sum(c.told for c in own) / len(own) < 0.55
        assert {c.kind for c in some} >= {*TOLD, *NOT_TOLD} - {"unit"}


def test_length_does_not_give_away_what_is_told(claims: list[Claim], elsewhere: list[Stated]) -> None:
    for some in (claims, [each.claim for each in elsewhere]):
        lengths = {kind: sorted(len(c.text) for c in some if c.told == kind) for kind in (True, False)}
        middle = {kind: each[len(each) // 2] for kind, each in lengths.items()}
        assert 0.8 < middle[True] / middle[False] < 1.25


def test_claims_about_other_texts_are_in_none_of_them(elsewhere: list[Stated]) -> None:
    assert [each.claim.id for each in elsewhere if each.claim.text in " ".join(each.sentences)] == []
    assert [name for name, count in Counter(each.claim.id for each in elsewhere).items() if count > 1] == []
    for each in elsewhere:
        assert sorted((*each.bearing, *each.others)) == list(range(len(each.sentences)))
        assert each.evidence[0].article.title in each.context


def test_invented_sentences_can_be_quoted() -> None:
    sentences = ["Ada Fink leads the yard.", "It was founded in 1911."]
    made = invented(sentences, "en", "yard", "The yard", date(2019, 5, 3))
    assert [item.quote for item in made] == sentences
    assert {item.article.title for item in made} == {"The yard"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"date": "soon"}, "isoformat"),
        ({"claims": [{}]}, "kind"),
        ({"sentences": []}, "IndexError"),
        ({"title": None}, "title"),
    ],
)
def test_what_is_no_text_with_claims_is_named_with_its_line(
    tmp_path: Path, change: dict[str, object], why: str
) -> None:
    claim = {"text": "x", "language": "en", "told": True, "kind": "part", "bearing": [0]}
    line = {"id": "t", "language": "en", "title": "T", "date": "2019-05-03", "sentences": ["S."], "claims": [claim]}
    line |= change
    if change.get("title", "") is None:
        del line["title"]
    (tmp_path / "elsewhere.jsonl").write_text(json.dumps(line) + "\n", "utf-8")
    with pytest.raises(CorpusError, match=rf"elsewhere\.jsonl:1: cannot be used: .*{why}"):
        read_elsewhere(tmp_path)


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
    with pytest.raises(CorpusError, match=rf"claims\.jsonl:1: cannot be used: .*{why}"):
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


def test_told_claims_stand_before_strange_articles_too(desk: Chipdesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.evaluate.statements.STRANGERS", (0, 40))
    stories = told(desk, frozenset(article.event for article in desk.index.catalog.articles()))
    articles = Articles(desk)
    stated = list(
        stated_in(
            articles,
            [
                Claim(story.article.id, event, "x", language, True, "part", story.article.id, (story.sentences[0],))
                for event, languages in stories.items()
                for language, story in languages.items()
            ],
        )
    )
    strange = list(strangers(articles, stated))
    assert len(strange) == -(-len(stated) // STRANGE)
    for each in strange:
        assert each.evidence[0].article.event != each.claim.event
        assert each.bearing == ()
        assert sorted(each.others) == list(range(len(each.sentences)))


def test_told_claims_stand_before_what_is_left_of_their_article(elsewhere: list[Stated]) -> None:
    left = list(without(elsewhere))
    assert {each.claim.kind for each in left} == {WITHOUT}
    told_ones = {f"{each.claim.id}-without": each for each in elsewhere if each.claim.told}
    for each in left:
        whole = told_ones[each.claim.id]
        assert not set(each.sentences) & set(whole.claim.quotes)
        assert {*each.sentences, *whole.claim.quotes} == set(whole.sentences)
        assert sorted(each.others) == list(range(len(each.sentences)))


def test_labels_and_their_groups_weigh_the_same() -> None:
    labels, groups = [True, True, False, False, False], ["a", "b", "c", "c", "d"]
    weight = even(labels, groups)
    assert weight.mean() == pytest.approx(1)
    assert weight[:2].sum() == pytest.approx(weight[2:].sum())
    assert weight[2:4].sum() == pytest.approx(weight[4])


def test_the_beginning_is_a_main_clause_that_others_follow() -> None:
    assert beginning("Huawei sent engineers to DeepSeek in May, but nothing helped the start-up at all.") == (
        "Huawei sent engineers to DeepSeek in May."
    )
    assert beginning("Huawei sent engineers to DeepSeek in May.") is None
