"""The chat page in a real browser: what a journalist does, sees and must not see."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import put, small_corpus
from documents import PARAGRAPHS
from made import R2_QUESTIONS, serving
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from rag.api import create_app
from rag.ask import Chipdesk
from rag.build import build
from rag.extract import Extracted
from rag.feeds import State, now, write_states
from rag.inbox import Shelf, items
from rag.inbox import put as put_into_inbox
from rag.read import read_corpus
from rag.settings import Settings, load
from rag.types import Embedder, Language

pytest_plugins = ("fixtures_desk",)
pytestmark = pytest.mark.browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WAIT = 60_000
"""Milliseconds; patience for a loaded machine, not a measurement."""
expect.set_options(timeout=WAIT)
HOSTILE = (
    '<script>window.hacked = 1</script> <img src="x" onerror="window.hacked = 2"> **bold** [link](javascript:alert(1)) '
    "`code` & <b>fat</b>"
)
HOSTILE_TEMPLATE = f"{HOSTILE} ${{window.hacked = 3}} {{{{constructor}}}} {{{{#each x}}}}"
"""Gradio's HTML component takes its value for a template."""
LONG = f"Seeadler liefert Möwe wieder aus {'und wieder ' * 16}{'Donaudampfschifffahrtsgesellschaft' * 2}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        reason = f"no browser is installed ({', '.join(NAMES)})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(desk: Chipdesk) -> Iterator[str]:
    """The chat page over the R2 story."""
    import ui

    with serving(ui.mount(create_app(desk.settings, desk=desk))) as address:
        yield address


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Iterator[str]:
    """The chat page over one article that is full of markup."""
    import ui

    root = tmp_path_factory.mktemp("hostile")
    settings = load(corpus=root / "corpus", index=root / "index")
    text = f"DeepSeek delayed its R2 model because training failed {HOSTILE} on Huawei chips.\n\n# {HOSTILE}"
    put(settings.corpus, "2025-08-14-hostile.en", text, title=f"DeepSeek delays R2 {HOSTILE}".replace('"', "'"))
    assert not build(settings, embedder=embedder).problems
    desk = Chipdesk(settings, embedder=embedder)
    with serving(ui.mount(create_app(settings, desk=desk))) as address:
        yield address


@pytest.fixture
def curated(tmp_path: Path, embedder: Embedder) -> Iterator[tuple[Settings, str]]:
    """A curator's server: two articles wait, one of them full of markup, a third file is broken, one feed is stale."""
    import ui

    settings = load(corpus=small_corpus(tmp_path / "corpus", "2025-08-14*"), index=tmp_path / "index", curate=True)
    feeds = "".join(f'[[feed]]\nname = "{name}"\nurl = "https://{name}.example"\n' for name in ("hafen", "werft"))
    (settings.corpus / "feeds.toml").write_text(feeds, "utf-8")
    write_states(settings, {"hafen": State(news=now()), "werft": State(news="2025-08-12T10:00:00+00:00")})
    shelf = Shelf(settings)
    for number, (title, extra) in enumerate(((LONG, ""), (f"Albatros {HOSTILE_TEMPLATE}"[:300], HOSTILE_TEMPLATE))):
        text = "\n\n".join((*PARAGRAPHS, f"Nummer {number}. {extra}"))
        found = Extracted(
            title, text, date(2025, 8, 14), "Ada Fink", "Hafenkurier", "de", f"https://hafen.example/{number}"
        )
        put_into_inbox(settings, found, url=f"https://hafen.example/{number}", feed="hafen", shelf=shelf)
    (settings.corpus / "inbox" / "broken.md").write_text("---\nid: [x\n---\nText.\n", "utf-8")
    build(settings, embedder=embedder)
    desk = Chipdesk(settings, embedder=embedder)
    with serving(ui.mount(create_app(settings, desk=desk))) as address:
        yield settings, address


class Visit:
    """A visitor with the page open; remembers where the page asked for anything."""

    def __init__(
        self, browser: Browser, address: str, width: int, locale: str = "en-GB", first: str = "#question textarea"
    ) -> None:
        self.page: Page = browser.new_page(viewport={"width": width, "height": 900}, locale=locale)
        self.asked_for: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.asked_for.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.set_default_timeout(WAIT)
        self.page.goto(address)
        self.page.locator(first).first.wait_for()

    @property
    def box(self) -> Locator:
        return self.page.locator("#question textarea")

    @property
    def replies(self) -> Locator:
        return self.page.locator("#chat .reply")

    def ask(self, text: str) -> Locator:
        """Ask, and wait for the reply."""
        before = self.replies.count()
        self.box.fill(text)
        self.page.locator("#send").click()
        expect(self.replies).to_have_count(before + 1, timeout=WAIT)
        return self.replies.last

    def overflow(self) -> int:
        """Pixels that the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    visit = Visit(browser, address, 1200)
    yield visit
    visit.page.close()


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(("text", "language"), R2_QUESTIONS)
def test_a_citation_opens_the_article_with_the_quote_highlighted(
    visit: Visit, address: str, text: str, language: Language
) -> None:
    reply = visit.ask(text)
    answer = httpx.post(f"{address}/ask", json={"question": text}, timeout=60).json()
    assert reply.get_attribute("lang") == language
    for sentence in answer["sentences"]:
        assert flat(sentence["text"]) in flat(reply.locator(".text").inner_text())
    highlight = reply.locator(".card mark").first
    expect(highlight).to_be_hidden()
    reply.locator("a.cite", has_text="[1]").first.click()
    expect(highlight).to_be_visible()
    expect(highlight).to_be_in_viewport()
    cited = answer["citations"][0]
    assert flat(highlight.inner_text()) == flat(cited["quote"])
    card = flat(reply.locator(".card").first.inner_text())
    assert flat(cited["title"]) in card
    assert cited["sources"][0]["publisher"] in card
    links = reply.locator(".card").first.locator(".outlets a")
    assert [links.nth(n).get_attribute("href") for n in range(links.count())] == [
        source["url"] for source in cited["sources"] if source["url"]
    ]


def test_every_mark_opens_its_own_card(visit: Visit) -> None:
    reply = visit.ask("Wie viele Ascend-Chips kann Huawei 2025 fertigen?")
    marks = reply.locator("a.cite")
    assert marks.count() >= 1
    for n in range(marks.count()):
        marks.nth(n).click()
        expect(reply.locator(".card[open]")).to_have_count(n + 1)


def test_a_conversation_keeps_its_replies_and_their_cards_apart(visit: Visit) -> None:
    for text, _ in R2_QUESTIONS:
        visit.ask(text)
    expect(visit.page.locator("#chat .asked")).to_have_text([text for text, _ in R2_QUESTIONS])
    ids = visit.page.locator("#chat .card").evaluate_all("cards => cards.map(card => card.id)")
    assert len(set(ids)) == len(ids)
    expect(visit.box).to_have_value("")


def test_a_card_that_is_read_stays_open_when_its_reply_comes_anew(visit: Visit) -> None:
    reply = visit.ask("Why was R2 delayed?")
    card = reply.locator("details.card").first
    card.locator("summary").click()
    expect(card).to_have_attribute("open", "")
    # what the next written sentence does
    reply.evaluate("reply => reply.outerHTML = reply.outerHTML.replaceAll(' open=\"\"', '')")
    expect(visit.replies.last.locator("details.card").first).to_have_attribute("open", "")
    expect(visit.replies.last.locator("details.card[open]")).to_have_count(1)
    visit.replies.last.locator("details.card summary").first.click()
    visit.replies.last.evaluate("reply => reply.outerHTML = reply.outerHTML")
    expect(visit.replies.last.locator("details.card[open]")).to_have_count(0)


def test_an_abstention_looks_different_and_names_the_nearest(visit: Visit) -> None:
    reply = visit.ask("Who is the chief financial officer of DeepSeek?")
    expect(reply).to_have_class("reply declined")
    expect(reply.locator(".verdict")).to_have_text("No answer")
    expect(reply.locator("a.cite")).to_have_count(0)
    assert "nearest coverage" in reply.inner_text().casefold()
    declined = reply.evaluate("reply => getComputedStyle(reply).borderLeftColor")
    answered = visit.ask("why was R2 delayed?")
    expect(answered).to_have_class("reply answered")
    assert answered.evaluate("reply => getComputedStyle(reply).borderLeftColor") != declined


def test_an_empty_question_is_a_problem_and_not_an_answer(visit: Visit) -> None:
    reply = visit.ask("   ")
    expect(reply).to_have_class("reply problem")
    expect(reply).to_contain_text("empty")


def test_enter_asks(visit: Visit) -> None:
    visit.box.fill("why was R2 delayed?")
    visit.box.press("Enter")
    expect(visit.replies).to_have_count(1, timeout=WAIT)


CHIPS = {
    "What happened to R2 in August 2025?": ("Period: in August 2025", "without the period"),
    "Was geschah im August 2025 mit R2?": ("Zeitraum: im August 2025", "ohne Zeitraum"),
}


@pytest.mark.parametrize("text", CHIPS)
def test_a_period_is_shown_and_a_click_asks_again_without_it(visit: Visit, text: str) -> None:
    label, remark = CHIPS[text]
    chip = visit.ask(text).locator("button.chip")
    expect(chip).to_contain_text(label)
    chip.click()
    expect(visit.replies).to_have_count(2, timeout=WAIT)
    expect(visit.replies.last.locator("button.chip")).to_have_count(0)
    expect(visit.page.locator("#chat .asked")).to_have_text([text, f"{text} {remark}"])
    assert visit.errors == []


def test_each_chip_asks_its_own_question_again(visit: Visit) -> None:
    first = visit.ask("What happened to R2 in August 2025?")
    visit.ask("why was the H20 licensed in April 2025?")
    chip = visit.page.locator("#chat .reply").first.locator("button.chip")
    assert first.locator("button.chip").count() == 1
    chip.press("Enter")
    expect(visit.replies).to_have_count(3, timeout=WAIT)
    expect(visit.page.locator("#chat .asked").last).to_have_text(
        "What happened to R2 in August 2025? without the period"
    )


def test_a_chip_of_a_conversation_that_was_cleared_does_nothing(visit: Visit) -> None:
    visit.ask("why was R2 delayed?")
    visit.page.evaluate("window.chipdeskTurn = 7; document.getElementById('again').click()")
    visit.ask("Warum wurde R2 verschoben?")
    expect(visit.page.locator("#chat .asked")).to_have_text(["why was R2 delayed?", "Warum wurde R2 verschoben?"])


def test_a_follow_up_shows_how_it_was_understood(visit: Visit) -> None:
    reply = visit.ask("Warum hat DeepSeek R2 verschoben?")
    expect(reply.locator(".understood")).to_have_count(0)
    reply = visit.ask("Und wer hat das gesagt?")
    expect(reply.locator(".understood")).to_have_text(
        "Verstanden als: Wer hat das gesagt? (Warum hat DeepSeek R2 verschoben)"
    )


def test_what_a_follow_up_repeats_is_text(visit: Visit) -> None:
    visit.ask(f"Was R2 delayed in August 2025? {HOSTILE[:60]}")
    reply = visit.ask("why?")
    expect(reply.locator(".understood")).to_contain_text("<script>window.hacked = 1</script>")
    assert visit.page.evaluate("window.hacked") is None


def test_filters_are_applied(visit: Visit) -> None:
    visit.page.locator("#filters button").first.click()
    visit.page.locator("#until input, #until textarea").fill("2024-12-31")
    reply = visit.ask("why was R2 delayed?")
    expect(reply).to_have_class("reply declined")
    expect(reply).to_contain_text("31 December 2024")
    visit.page.locator("#until input, #until textarea").fill("soon")
    expect(visit.ask("why was R2 delayed?")).to_have_class("reply problem")


def test_each_example_is_one_click_away_and_answered(visit: Visit) -> None:
    import ui

    for count, text in enumerate(ui.EXAMPLES):
        if count:
            visit.page.reload()
        visit.page.locator("#chat").get_by_text(text, exact=True).click()
        expect(visit.replies).to_have_count(1, timeout=WAIT)
        expect(visit.replies.first).to_have_class("reply answered")


def test_what_the_visitor_types_is_text(visit: Visit) -> None:
    visit.ask(HOSTILE)
    expect(visit.page.locator("#chat .asked")).to_have_text(flat(HOSTILE))
    assert visit.page.evaluate("window.hacked") is None


def test_markup_in_an_article_is_shown_as_text_and_executes_nothing(browser: Browser, hostile: str) -> None:
    visit = Visit(browser, hostile, 1200)
    reply = visit.ask("why was R2 delayed?")
    expect(reply).to_have_class("reply answered")
    reply.locator("a.cite").first.click()
    expect(reply.locator("mark").first).to_be_visible()
    assert HOSTILE in flat(reply.locator(".text").inner_text())
    assert HOSTILE in flat(reply.locator(".article").first.inner_text())
    assert HOSTILE.replace('"', "'") in flat(reply.locator(".title").first.inner_text())
    assert reply.locator("script, img, b, strong, em, code").count() == 0
    assert visit.page.evaluate("window.hacked") is None
    assert visit.errors == []
    visit.page.close()


def test_nothing_leaves_this_machine(visit: Visit) -> None:
    reply = visit.ask("why was R2 delayed?")
    reply.locator("a.cite").first.click()
    expect(reply.locator("mark").first).to_be_visible()
    expect(visit.page).to_have_title("Chipdesk")
    hosts = {urlsplit(url).hostname for url in visit.asked_for if not url.startswith(("data:", "blob:"))}
    assert hosts == {"127.0.0.1"}
    assert visit.errors == []


def test_a_phone_scrolls_in_one_direction_only(browser: Browser, address: str) -> None:
    visit = Visit(browser, address, 390)
    assert visit.overflow() <= 0
    reply = visit.ask("why was R2 delayed?")
    reply.locator("a.cite").first.click()
    expect(reply.locator("mark").first).to_be_visible()
    assert visit.overflow() <= 0
    visit.page.close()


@pytest.mark.parametrize("width", [390, 1200], ids=["phone", "desktop"])
def test_a_long_answer_is_shown_from_its_beginning(browser: Browser, address: str, width: int) -> None:
    visit = Visit(browser, address, width)
    visit.ask("What about the H20 licence?")
    reply = visit.ask("why was R2 delayed?")
    visit.page.wait_for_timeout(500)
    chat, begin = visit.page.locator("#chat").bounding_box(), reply.bounding_box()
    assert chat
    assert begin
    assert begin["height"] > chat["height"] / 2, "too short to tell"
    assert chat["y"] <= begin["y"] < chat["y"] + chat["height"] / 2
    visit.page.close()


# --- the curator's page ---

WORDS = {
    "de-DE": ("Eingang (2)", "Annehmen", "Das ging nicht", "Ähnelt", "nichts Neues seit 12. August 2025"),
    "en-GB": ("Inbox (2)", "Accept", "That did not work", "Resembles", "nothing new since 12 August 2025"),
}


@pytest.mark.parametrize(("locale", "width"), [("de-DE", 390), ("en-GB", 1200)])
def test_the_inbox_shows_untrusted_text_as_text(
    browser: Browser, curated: tuple[Settings, str], locale: str, width: int
) -> None:
    settings, address = curated
    inbox, accept, problem, resembles, since = WORDS[locale]
    visit = Visit(browser, address, width, locale)
    note = visit.page.locator("#above .note")
    expect(note).to_contain_text(since)
    expect(note).not_to_contain_text("hafen")
    visit.page.get_by_role("link", name=inbox).click()
    lines = visit.page.locator("#waiting label")
    expect(lines).to_have_count(2)
    expect(visit.page.locator("#accept")).to_have_text(accept)
    expect(visit.page.locator("#told")).to_contain_text(problem)
    expect(visit.page.locator("#told")).to_contain_text("broken.md")
    choose(visit, "Albatros")
    shown = visit.page.locator("#item .article")
    expect(shown).to_contain_text("Nummer 1")
    assert flat(HOSTILE_TEMPLATE) in flat(shown.inner_text())
    assert "<script>window.hacked = 1</script>" in flat(lines.filter(has_text="Albatros").inner_text())
    expect(visit.page.locator("#item")).to_contain_text(resembles)
    assert visit.page.locator("#item").locator("script, img, b, strong, code").count() == 0
    assert visit.overflow() <= 0
    choose(visit, "Seeadler")
    expect(shown).to_contain_text("Nummer 0")
    assert visit.overflow() <= 0
    assert visit.page.evaluate("window.hacked") is None
    assert visit.errors == []
    assert {urlsplit(url).hostname for url in visit.asked_for if url.startswith("http")} == {"127.0.0.1"}
    assert len(items(settings)) == 2
    visit.page.close()


def choose(visit: Visit, words: str) -> None:
    visit.page.locator("#waiting label").filter(has_text=words).click()


def test_a_curator_edits_accepts_and_rejects(browser: Browser, curated: tuple[Settings, str]) -> None:
    settings, address = curated
    visit = Visit(browser, f"{address}/curate", 1200, first="#waiting input")
    judging = visit.page.locator("#judging")
    expect(judging).to_be_visible()
    # what is typed while the chosen article is on its way would be lost: nothing can be typed then
    judging.evaluate("it => new MutationObserver(() => { window.held ||= it.inert }).observe(it, {attributes: true})")
    choose(visit, "Albatros")
    expect(visit.page.locator("#item .article")).to_contain_text("Nummer 1")
    choose(visit, "Seeadler")
    expect(visit.page.locator("#item .article")).to_contain_text("Nummer 0")
    expect(judging).not_to_have_attribute("inert", "")
    assert visit.page.evaluate("window.held")
    visit.page.locator("#edit button").first.click()
    published = visit.page.locator("#published input, #published textarea")
    # Gradio sets the fields of a part that is opened for the first time twice, some 20 ms apart
    expect(published).to_have_value("2025-08-14")
    visit.page.wait_for_timeout(300)
    published.fill("soon")
    visit.page.locator("#save").click()
    told = visit.page.locator("#told")
    expect(told).to_contain_text("'soon' is not a date", timeout=WAIT)
    published.fill("2025-08-13")
    visit.page.locator("#title textarea").fill("Möwe flies again")
    visit.page.locator("#entities textarea").fill("Seeadler, Möwe")
    visit.page.locator("#accept").click()
    expect(told).to_contain_text("Accepted: Möwe flies again. Answers now come from 3 articles.", timeout=WAIT)
    accepted = next(a for a in read_corpus(settings.corpus, most_bytes=2_000_000).articles if "Möwe flies" in a.title)
    assert (accepted.published, accepted.entities) == (date(2025, 8, 13), ("Seeadler", "Möwe"))
    assert httpx.get(f"{address}/articles/{accepted.id}", timeout=60).json()["title"] == "Möwe flies again"
    expect(visit.page.locator("#waiting label")).to_have_count(1)
    visit.page.locator("#reject").click()
    expect(told).to_contain_text("It does not come back.", timeout=WAIT)
    expect(visit.page.locator("#empty")).to_contain_text("The inbox is empty")
    expect(visit.page.locator("#judging")).to_be_hidden()
    assert items(settings) == []
    assert visit.errors == []
    visit.page.close()


def test_without_feeds_and_without_a_curator_nothing_stands_above_the_chat(visit: Visit) -> None:
    visit.page.wait_for_timeout(1_000)
    expect(visit.page.locator("#above")).to_be_hidden()
    expect(visit.page.locator(".tabs")).to_have_count(0)
