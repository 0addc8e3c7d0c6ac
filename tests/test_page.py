from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import article

from rag.duplicates import Near
from rag.errors import BadRequest, IndexMissing
from rag.inbox import Item
from rag.page import (
    answer_html,
    item_html,
    item_line,
    language_wanted,
    note_html,
    problem_html,
    question_html,
    told_html,
)
from rag.types import LANGUAGES, Answer, Article, Citation, Filters, Language, Origin, Period, Sentence, Source

TAGS = {"a", "button", "details", "div", "li", "mark", "p", "span", "summary", "ul"}
ATTRIBUTES = {"aria-hidden", "class", "data-turn", "href", "id", "lang", "rel", "role", "target", "title", "type"}
HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</div></details><h1>", "' onmouseover='alert(1)",
    "&lt;b&gt;&amp;", "<!-- ", "]]>", "**bold** [x](javascript:alert(1)) `code` $x$", "a\n\n<b>\n\n# head",
)  # fmt: skip
TEXT = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
FILLED = TEXT.filter(str.strip)


class Page(HTMLParser):
    """Reads HTML as a browser would: elements with their attributes, the text, and what is inside <mark>."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.marked: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], "elements stay open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if "mark" in self._open:
            self.marked.append(data)

    def handle_comment(self, data: str) -> None:
        pytest.fail(f"a comment came in: {data!r}")

    def handle_decl(self, decl: str) -> None:
        pytest.fail(f"a declaration came in: {decl!r}")

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def links(self) -> list[str | None]:
        return [attributes.get("href") for tag, attributes in self.elements if tag == "a"]

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(tag, tuple(attributes)) for tag, attributes in self.elements]


def answered(told: Article, start: int, end: int, *, text: str | None = None, language: Language = "en") -> Answer:
    """An answer that quotes told.text[start:end]."""
    quote = told.text[start:end]
    citation = Citation(
        1,
        told.id,
        told.event,
        told.title,
        told.language,
        told.published,
        told.precision,
        quote,
        start,
        end,
        told.sources,
    )
    said = text or quote
    return Answer(
        id="0123456789abcdef", question="q", standalone_question="q", language=language, answer=f"{said} [1]", notes=(),
        abstained=False, reason=None, sentences=(Sentence(said, (1,), 0.9),), citations=(citation,),
        newest=told.published, period=None, writer="extractive", index="f" * 16, took_ms=12,
    )  # fmt: skip


def declined(told: Article, text: str) -> Answer:
    answer = answered(told, 0, 1)
    return replace(answer, answer=text, abstained=True, reason="no_coverage", sentences=())


def shown(answer: Answer, told: Article, *, filters: Filters | None = None) -> Page:
    return Page(answer_html(answer, lambda _: told, key="k-0", turn=4, filters=filters or Filters()))


def flat(text: str) -> str:
    return " ".join(text.split())


TOLD = article("It was late. Chips failed in training. Nobody knows.\n\nAnother paragraph.")


def test_origins_and_a_correction_stand_at_the_citation() -> None:
    told = article("It was late. Chips failed in training.")
    answer = answered(told, 0, 12)
    origins = (Origin("Reuters", ("Yahoo", "Mint")),)
    citation = replace(
        answer.citations[0], origins=origins, status="corrected", reason="A <b>date</b>.", since=date(2025, 9, 3)
    )
    sentence = replace(answer.sentences[0], origins=(*origins, Origin("<i>dpa</i>", ())))
    page = shown(replace(answer, citations=(citation,), sentences=(sentence,)), told)
    assert "Corrected on 3 September 2025: A <b>date</b>." in page.text
    assert "One origin: Reuters, in 2 outlets" in page.text
    titles = [attributes["title"] for tag, attributes in page.elements if tag == "a" and "title" in attributes]
    assert titles == ["Open evidence 1 · at most 2 independent origins: Reuters, <i>dpa</i>"]
    german = shown(replace(answer, citations=(citation,), sentences=(sentence,), language="de", differ=True), told)
    assert "Korrigiert am 3. September 2025" in german.text
    assert "Eine Quelle: Reuters, in 2 Medien" in german.text
    assert "höchstens 2 unabhängige Quellen: Reuters, <i>dpa</i>" in german.text


# --- nothing from outside becomes markup -----------------------------------------------------------------------------


@given(
    text=FILLED, title=TEXT, publisher=TEXT, headline=TEXT, url=TEXT, day=TEXT, said=FILLED, topic=TEXT, words=FILLED
)
def test_no_text_from_outside_becomes_markup(
    text: str, title: str, publisher: str, headline: str, url: str, day: str, said: str, topic: str, words: str
) -> None:
    source = Source(publisher, headline, f"https://example.com/{url}", day, "de")
    told = article(text, title=title, sources=(source,))
    filters = Filters(publishers=(publisher,), topics=(topic,))
    for answer in (answered(told, 0, len(text), text=said), declined(told, said)):
        answer = replace(answer, standalone_question=words, period=Period(words, None, None), notes=(words,))
        page = shown(answer, told, filters=filters)
        assert {tag for tag, _ in page.elements} <= TAGS
        assert {name for _, attributes in page.elements for name in attributes} <= ATTRIBUTES
        assert all(link and link.startswith(("#k-0-", "https://example.com/")) for link in page.links)
        assert len(page.links) == (1 if answer.abstained else 2)
        for outside in (title, publisher, headline, said, topic, words):
            assert flat(outside) in flat(page.text)


@given(text=FILLED, other=FILLED)
def test_the_page_has_the_same_elements_whatever_the_texts_say(text: str, other: str) -> None:
    def shape(words: str) -> list[tuple[str, tuple[str, ...]]]:
        told = article("One. Two.", title=words, sources=(Source(words, words, "https://example.com", words),))
        return shown(answered(told, 0, 4, text=words), told).shape

    assert shape(text) == shape(other)


@given(TEXT)
def test_the_question_is_shown_as_text(text: str) -> None:
    page = Page(question_html(text))
    assert page.shape == [("div", ("class",))]
    assert flat(page.text) == flat(text)
    again = Page(question_html(text, any_time="de"))
    assert again.shape == [("div", ("class",)), ("span", ("class",))]
    assert flat(again.text) == flat(f"{text} ohne Zeitraum")


@given(TEXT, TEXT)
def test_a_problem_is_shown_as_text(message: str, repair: str) -> None:
    page = Page(problem_html(BadRequest(message, repair), "en"))
    assert {tag for tag, _ in page.elements} <= {"div", "p"}
    assert flat(message) in flat(page.text)
    assert flat(repair) in flat(page.text)


@given(FILLED, TEXT)
def test_no_line_of_the_html_is_blank(text: str, title: str) -> None:
    """The chat component takes a blank line for the end of HTML and reads what follows as Markdown."""
    told = article(text, title=title)
    html = answer_html(answered(told, 0, len(text)), lambda _: told, key="k", turn=0, filters=Filters())
    assert all(line.strip() for line in html.split("\n"))


URLS = {
    "javascript": "javascript:alert(1)", "capitals": "JavaScript:alert(1)", "data": "data:text/html,<script>", "none": None,
    "empty": "", "space before": " javascript:alert(1)", "file": "file:///etc/passwd", "no scheme": "//evil.example",
    "inside": "javascript://x/%0ahttps://example.com",
}  # fmt: skip


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_only_web_addresses_are_linked(url: str | None) -> None:
    told = article(TOLD.text, sources=(Source("Outlet", url=url),))
    page = shown(answered(told, 0, 12), told)
    assert page.links == ["#k-0-1"]
    assert "Outlet" in page.text


def test_links_to_outlets_open_elsewhere_and_tell_nothing() -> None:
    told = article(TOLD.text, sources=(Source("Outlet", url='http://example.com/?a=1&b="2"'),))
    (link,) = [a for tag, a in shown(answered(told, 0, 12), told).elements if tag == "a" and "target" in a]
    assert link["href"] == 'http://example.com/?a=1&b="2"'
    assert {"noopener", "noreferrer"} <= set(str(link["rel"]).split())


# --- what is shown ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quote", ["It was late.", "Chips failed in training.", "Another paragraph."])
def test_the_highlight_is_exactly_the_quote_in_the_whole_article(quote: str) -> None:
    start = TOLD.text.index(quote)
    page = shown(answered(TOLD, start, start + len(quote)), TOLD)
    assert page.marked == [quote]
    for sentence in ("It was late.", "Nobody knows.", "Another paragraph."):
        assert sentence in page.text


@given(st.text(st.sampled_from("ab <&>\"'\n."), min_size=1, max_size=60), st.data())
def test_what_is_highlighted_is_the_quote_but_for_line_breaks(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    told = article(text)
    page = shown(answered(told, start, end, text="Said."), told)
    assert "".join("".join(page.marked).split()) == "".join(text[start:end].split())


def test_a_citation_mark_opens_its_own_card() -> None:
    page = shown(answered(TOLD, 0, 12), TOLD)
    (mark,) = [attributes for tag, attributes in page.elements if tag == "a" and attributes.get("class") == "cite"]
    cards = [attributes["id"] for tag, attributes in page.elements if tag == "details"]
    assert [mark["href"]] == [f"#{card}" for card in cards]


def test_a_card_tells_title_date_language_and_outlets() -> None:
    text = shown(answered(TOLD, 0, 12), TOLD).text
    for part in (TOLD.title, "14 August 2025", "English", "Financial Times", "DeepSeek delayed"):
        assert part in text


def test_a_date_is_not_more_precise_than_it_is_known() -> None:
    told = replace(TOLD, precision="month", sources=())
    text = shown(replace(answered(told, 0, 12), newest=None), told).text
    assert "14" not in text
    assert "August 2025" in text


def test_an_article_without_outlets_says_so() -> None:
    told = replace(TOLD, sources=())
    assert "no source given" in shown(answered(told, 0, 12), told).text


def reply(html: str) -> tuple[str | None, str | None]:
    """Class and role of the outermost element."""
    attributes = Page(html).elements[0][1]
    return attributes.get("class"), attributes.get("role")


@pytest.mark.parametrize("language", LANGUAGES)
def test_answers_abstentions_and_problems_look_different(language: Language) -> None:
    def html(answer: Answer) -> str:
        return answer_html(replace(answer, language=language), lambda _: TOLD, key="k", turn=0, filters=Filters())

    assert reply(html(answered(TOLD, 0, 12))) == ("reply answered", None)
    assert reply(html(declined(TOLD, "No."))) == ("reply declined", None)
    assert reply(problem_html(IndexMissing("No index.", "Build it."), language)) == ("reply problem", "alert")


@pytest.mark.parametrize(
    "make", [lambda: answered(TOLD, 0, 12), lambda: declined(TOLD, "Nein.")], ids=["answered", "declined"]
)
def test_labels_are_in_the_language_of_the_answer(make: Callable[[], Answer]) -> None:
    english = shown(make(), TOLD, filters=Filters(since=date(2025, 1, 1))).text
    german = shown(replace(make(), language="de"), TOLD, filters=Filters(since=date(2025, 1, 1))).text
    assert "from 1 January 2025" in english
    assert "ab 1. Januar 2025" in german
    assert "Englisch" in german
    assert "Englisch" not in english


def test_notes_stand_before_the_sentences() -> None:
    answer = answered(TOLD, 0, 12)
    page = shown(replace(answer, notes=("Only in German:", "As of August 2025.")), TOLD)
    assert page.text.index("Only in German:") < page.text.index("As of August 2025.") < page.text.index("It was late.")
    assert page.elements.count(("p", {"class": "lead"})) == 2
    assert ("p", {"class": "lead"}) not in shown(answer, TOLD).elements


READINGS = {"de": ("Verstanden als: Wer sagte das?", "Zeitraum: im August 2025 ✕"), "en": ("Understood as: Wer sagte das?", "Period: im August 2025 ✕")}  # fmt: skip


@pytest.mark.parametrize("answer", [answered(TOLD, 0, 12), declined(TOLD, "Nein.")], ids=["answered", "declined"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_how_the_question_was_understood_is_shown(answer: Answer, language: Language) -> None:
    period = Period("im August 2025", date(2025, 8, 1), date(2025, 8, 31))
    page = shown(replace(answer, language=language, standalone_question="Wer sagte das?", period=period), TOLD)
    for part in READINGS[language]:
        assert part in flat(page.text)
    (chip,) = [attributes for tag, attributes in page.elements if tag == "button"]
    assert (chip["type"], chip["class"], chip["data-turn"]) == ("button", "chip", "4")


def test_a_question_understood_as_typed_needs_no_reading() -> None:
    page = shown(answered(TOLD, 0, 12), TOLD)
    assert "Understood" not in page.text
    assert "button" not in {tag for tag, _ in page.elements}


# --- accounts that differ, premises that do not hold ------------------------------------------------------------------


def test_accounts_that_differ_stand_side_by_side_with_outlet_and_date() -> None:
    one, two = answered(TOLD, 0, 12), answered(TOLD, 13, 38)
    second = replace(two.citations[0], number=2, sources=(Source("The Register"),))
    both = replace(
        one,
        sentences=(*one.sentences, Sentence("Chips failed in training.", (2,), 0.8)),
        citations=(*one.citations, second),
        differ=True,
    )
    page = shown(both, TOLD)
    assert [tag for tag, _ in page.elements].count("li") >= 2
    assert "It was late.[1]Financial Times · 14 August 2025" in page.text
    assert "Chips failed in training.[2]The Register · 14 August 2025" in page.text
    assert "accounts" not in answer_html(
        replace(both, differ=False), lambda _: TOLD, key="k", turn=0, filters=Filters()
    )


@pytest.mark.parametrize(
    ("language", "verdict"), [("de", "Die Voraussetzung stimmt nicht"), ("en", "Not what the corpus says")]
)
def test_a_premise_that_does_not_hold_is_shown_with_its_correction(language: Language, verdict: str) -> None:
    told = answered(TOLD, 0, 12, language=language)
    page = shown(
        replace(told, abstained=True, reason="false_premise", sentences=(), answer="It says: [9] “It was late.” [1]"),
        TOLD,
    )
    assert verdict in page.text
    assert page.links.count("#k-0-1") == 1
    assert "#k-0-9" not in page.links


# --- the curator's page and the line above the chat ---

TEMPLATES = ("${alert(1)}", "{{constructor}}", "{{#each x}}", "`${`")


def waiting(title: str, text: str, *, near: tuple[Near, ...] = (), url: str = "https://a.example/") -> Item:
    """An article of the inbox in which everything is `text`."""
    made = article(text, title=title, topics=(text,), entities=(text,), sources=(Source(text, author=text),))
    return Item(made, Path("x.md"), url, text, "2025-08-14T10:00:00+00:00", 0.92, near)


@given(title=FILLED | st.sampled_from(TEMPLATES), text=FILLED | st.sampled_from(TEMPLATES))
def test_an_article_of_the_inbox_is_text_and_no_template(title: str, text: str) -> None:
    html = item_html(waiting(title, text, near=(Near(text, 0.6),)), "en")
    page = Page(html)
    assert " ".join(title.split()) in " ".join(page.text.split())
    assert {tag for tag, _ in page.elements} <= {"a", "div", "p", "dl", "dt", "dd", "ul", "li"}
    assert not set("{}$") & set(html)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "", "file:///etc/passwd", "//a.example"])
def test_only_web_addresses_of_the_inbox_are_linked(url: str) -> None:
    assert Page(item_html(waiting("T", "x", url=url), "en")).links == []


@pytest.mark.parametrize(("language", "says"), [("de", "leer"), ("en", "empty")])
def test_an_empty_inbox_says_what_to_do(language: Language, says: str) -> None:
    text = Page(item_html(None, language)).text
    assert says in text
    assert "chipdesk collect" in text


@given(text=TEXT | st.sampled_from(TEMPLATES))
def test_what_the_curator_is_told_is_text(text: str) -> None:
    html = told_html(text, [BadRequest(text or "x", text)], "de") + note_html(text)
    Page(html)
    assert not set("{}$") & set(html)


def test_a_line_of_the_inbox_says_what_a_curator_sorts_by() -> None:
    line = item_line(waiting("A  title\n of two lines", "Hafenkurier", near=(Near("b", 0.61),)), "de")
    assert line == "A title of two lines (92% · 14. August 2025 · en · Hafenkurier · ähnelt anderem zu 61%)"


def test_nothing_to_say_is_no_line() -> None:
    assert note_html("") == ""


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr-FR,de;q=0.5", "en"),
        ("", "en"),
        ("DE", "de"),
    ],
)
def test_the_language_of_a_browser(accepted: str, language: Language) -> None:
    assert language_wanted(accepted) == language
