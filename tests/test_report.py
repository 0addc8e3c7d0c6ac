from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from rag.evaluate.report import VERDICTS, html
from rag.evaluate.run import KIND, METRICS, Quote, Result, Score, summary

MEASURED = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
GOLD = Quote("2025-08-14-a.en", "R2 is late.")
EVIL = "<script>alert('x')</script> \"&amp;<b>"
VOID = {"meta", "br", "rect"}


def score(**fields: Any) -> Score:
    """The score of a question that was answered rightly, but for `fields`."""
    right: dict[str, Any] = {
        "id": "q1", "question": "Why was R2 delayed?", "history": (), "kind": "why", "language": "en", "pair": "en>de+en",
        "same_language": True, "answerable": True, "verdict": "right", "rank": 1, "hit1": 1.0, "hit5": 1.0,
        "reciprocal_rank": 1.0, "ndcg10": 1.0, "evidence_precision": 1.0, "evidence_recall": 1.0, "abstained": False,
        "correct": 1.0, "citation_precision": 1.0, "citation_recall": 1.0, "lead": 1.0, "on_event": 1.0, "language_match": 1.0,
        "premise_handled": None, "milliseconds": 40.0, "support": 0.9, "answer": "R2 is late. [1]", "citations": (GOLD,),
        "gold": (GOLD,),
    }  # fmt: skip
    return Score(**(right | fields))


def result(*scores: Score, **data: Any) -> Result:
    """A result of these scores, grouped as the suite qa groups them."""
    groups = {pair: summary([s for s in scores if s.pair == pair]) for pair in {s.pair for s in scores}}
    groups |= {KIND + kind: summary([s for s in scores if s.kind == kind]) for kind in {s.kind for s in scores}}
    about = {"split": "dev", "questions": len(scores), "gold": "f00d", "index": "beef"} | data
    return Result("qa", about, summary(scores), groups, scores)


class Page(HTMLParser):
    """What a browser makes of a page: tags with their attributes, the text, and whether every tag is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(*scores: Score, **data: Any) -> Page:
    read = Page(html(result(*scores, **data), MEASURED))
    assert read.open == []
    return read


def test_the_head_says_what_was_measured() -> None:
    text = page(score()).text
    for told in ("split dev", "questions 1", "gold f00d", "index beef", "measured 2026-01-02 03:04 UTC", "1 right"):
        assert told in text


def test_every_figure_is_shown_and_explained() -> None:
    text = page(score()).text
    for name, metric in METRICS.items():
        assert name in text
        assert metric.about in text


@pytest.mark.parametrize(
    "fields",
    [
        {"question": EVIL}, {"answer": EVIL}, {"history": (EVIL,)}, {"id": EVIL}, {"kind": EVIL}, {"pair": EVIL},
        {"language": EVIL}, {"citations": (Quote(EVIL, EVIL),)}, {"gold": (Quote(EVIL, EVIL),)},
    ],
    ids=lambda fields: next(iter(fields)),
)  # fmt: skip
@pytest.mark.parametrize("verdict", ["right", "wrong answer"])
def test_whatever_is_asked_or_answered_stays_text(fields: dict[str, Any], verdict: str) -> None:
    clean, read = page(score(verdict=verdict)), page(score(verdict=verdict, **fields))
    assert {tag for tag, _ in read.tags} == {tag for tag, _ in clean.tags}
    assert EVIL in read.text or EVIL in [value for _, attributes in read.tags for value in attributes.values()]


def test_what_is_said_of_the_data_stays_text() -> None:
    assert "script" not in {tag for tag, _ in page(score(), split=EVIL, gold=EVIL).tags}


def test_the_page_needs_nothing_else() -> None:
    read = page(score(), score(id="q2", verdict="wrong answer"))
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in read.tags}
    for _, attributes in read.tags:
        assert not {"src", "srcset", "onclick", "onload"} & attributes.keys()
        assert (attributes.get("href") or "#").startswith("#")
    source = html(result(score()), MEASURED)
    assert not re.search(r"url\(|@import|https?://", source)
    assert "prefers-color-scheme: dark" in source
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in read.tags


def test_failures_come_first_and_are_open() -> None:
    scores = [
        score(id=f"q{n}", question=f"about {verdict}?", verdict=verdict) for n, verdict in enumerate(reversed(VERDICTS))
    ]
    read = page(*scores)
    places = [read.text.index(f"about {verdict}?") for verdict in VERDICTS]
    assert places == sorted(places)
    assert list(VERDICTS)[-1] == "right"
    questions = [attributes for tag, attributes in read.tags if tag == "details" and "class" in attributes]
    assert ["open" in attributes for attributes in questions] == [True, True, True, False]


def test_every_link_leads_somewhere() -> None:
    read = page(score(), score(id="q2", verdict="should have declined"))
    ids = {attributes.get("id") for _, attributes in read.tags}
    links = [attributes["href"] for tag, attributes in read.tags if tag == "a"]
    assert len(links) == 2
    assert {str(link).removeprefix("#") for link in links} <= ids


def test_a_question_shows_its_answer_its_citations_and_what_was_gold() -> None:
    other = Quote("2025-08-14-b.de", "R2 kommt später.")
    told = score(verdict="wrong answer", rank=3, support=0.25, citations=(other, GOLD), history=("And R1?",))
    read = page(told)
    for part in ("R2 is late. [1]", "[1] R2 kommt später. 2025-08-14-b.de", "[2] R2 is late.", "And R1?", "rank 3", "0.25", "Cited"):  # fmt: skip
        assert part in read.text
    quotes = [attributes.get("class") for tag, attributes in read.tags if tag == "blockquote"]
    assert quotes == [None, "gold", "gold"]


def test_an_abstention_shows_the_nearest_coverage() -> None:
    text = page(score(verdict="wrongly declined", abstained=True, support=None, rank=None)).text
    assert "Nearest coverage" in text
    assert "Cited" not in text
    assert "was not retrieved" in text
    assert "Best support" not in text
    assert "nothing to retrieve" in page(score(kind="off_topic", gold=(), citations=(), rank=None)).text


def bars(read: Page, series: str) -> list[float]:
    return [float(attributes["width"] or "x") for tag, attributes in read.tags if tag == "rect" and attributes["class"] == series]  # fmt: skip


def test_bars_are_as_long_as_their_figures() -> None:
    half = [score(), score(id="q2", correct=0.0, hit5=0.0)]
    read = page(*half)
    full = bars(read, "track")[0]
    assert bars(read, "one") == bars(read, "two") == [full / 2] * 2  # one kind, one pair
    assert read.text.count("50%") == 4


def test_kinds_without_an_answer_are_judged_by_what_is_right_there() -> None:
    fields: dict[str, Any] = {"answerable": False, "correct": None, "hit5": None, "gold": (), "abstained": True}
    read = page(score(kind="off_topic", pair="unanswerable", **fields))
    assert bars(read, "one") == [bars(read, "track")[0]] * 2
    assert bars(read, "two") == [0, 0]
    assert "–" in read.text
    handled = page(score(kind="false_premise", pair="p", **fields | {"premise_handled": 0.0, "abstained": False}))
    assert bars(handled, "one") == [0, 0]


def test_without_questions_the_page_says_so() -> None:
    assert "No question was asked." in page().text
