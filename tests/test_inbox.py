from __future__ import annotations

import gzip
import json
import random
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from conftest import DATA, chipdesk, put
from documents import ENGLISH, PARAGRAPHS, TITLE, page
from web import Web, fetcher, web

from rag import inbox
from rag.collect import Polled, collect
from rag.errors import ArticleError, FeedError, InboxError
from rag.feeds import read_states
from rag.files import append_line
from rag.read import Known, read_corpus
from rag.settings import Settings, load


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as running:
        yield running


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With a small glossary: the repository's takes a second to read."""
    shutil.copy(DATA / "glossary.yaml", settings.corpus)
    return settings


def rss(site: Web, *paths: str, etag: str = '"1"', stamp: str = "Thu, 14 Aug 2025 10:00:00 GMT") -> str:
    """A feed with ETag that links to pages of the site."""
    listed = "".join(
        f"<item><title>T</title><link>{site.url}{path}</link><pubDate>{stamp}</pubDate></item>" for path in paths
    )
    feed = f"<rss version='2.0'><channel>{listed}</channel></rss>"
    return site.put_versioned("/rss", feed, etag, "application/rss+xml")


def follow(settings: Settings, site: Web, *paths: str, more: str = "") -> None:
    """Make the site's feed the only one of the corpus."""
    (settings.corpus / "feeds.toml").write_text(
        f'[[feed]]\nname = "hafen"\nurl = "{rss(site, *paths)}"\n{more}', "utf-8"
    )


def poll(settings: Settings, site: Web) -> Polled:
    (polled,) = collect(settings, fetcher(site))
    return polled


# --- collecting ---


def test_what_a_feed_links_to_waits_in_the_inbox(settings: Settings, site: Web) -> None:
    url = site.put("/1", page())
    follow(settings, site, "/1")
    polled = poll(settings, site)
    (item,) = inbox.items(settings)
    assert polled == Polled("hafen", new=(item.article.id,))
    assert (item.article.title, item.url, item.feed, item.near) == (TITLE, url, "hafen", ())
    assert item.article.sources[0].author == "Ada Fink"
    assert 0 <= item.score <= 1
    assert read_corpus(settings.corpus, most_bytes=2_000_000).articles == ()


def test_nothing_is_fetched_or_kept_twice(settings: Settings, site: Web) -> None:
    site.put("/1", page())
    follow(settings, site, "/1")
    poll(settings, site)
    assert poll(settings, site).unchanged
    site.asked.clear()
    rss(site, "/1", etag='"2"')
    assert poll(settings, site) == Polled("hafen")
    assert site.paths() == ["/rss"]
    (settings.corpus / "inbox" / "feeds.json").unlink()
    assert poll(settings, site) == Polled("hafen", known=1)
    assert len(inbox.items(settings)) == 1


def test_what_is_in_the_corpus_already_is_known(settings: Settings, site: Web) -> None:
    site.put("/1", page())
    follow(settings, site, "/1")
    (identity,) = poll(settings, site).new
    inbox.accept(settings, identity)
    (settings.corpus / "inbox" / "feeds.json").unlink()
    assert poll(settings, site) == Polled("hafen", known=1)
    assert inbox.items(settings) == []


def test_a_changed_page_comes_again_and_says_what_it_resembles(settings: Settings, site: Web) -> None:
    site.put("/1", page())
    follow(settings, site, "/1")
    (identity,) = poll(settings, site).new
    inbox.accept(settings, identity)
    site.put("/1", page(paragraphs=(*PARAGRAPHS, "Korrektur: In einer früheren Fassung stand ein falscher Monat.")))
    rss(site, "/1", etag='"2"', stamp="Fri, 15 Aug 2025 10:00:00 GMT")
    (again,) = poll(settings, site).new
    assert again == identity.replace(".de", "-2.de")
    assert [(one.id, one.overlap) for one in inbox.show(settings, again).near] == [(identity, 1.0)]


def test_copies_in_two_outlets_are_noted(settings: Settings, site: Web) -> None:
    site.put("/1", page())
    site.put("/2", page(title="Möwe darf wieder fliegen"))
    follow(settings, site, "/1", "/2")
    first, second = poll(settings, site).new
    item = inbox.show(settings, second)
    assert [one.id for one in item.near] == [first]
    # and they are one story, which the curator can undo
    assert (item.article.event, item.article.copy_of) == (first.removesuffix(".de"), first)
    assert inbox.as_json(item)["copy_of"] == first
    chosen = inbox.edit(settings, second, Known(event="moewe", copy_of="x.de"))
    assert (chosen.article.event, chosen.article.copy_of) == ("moewe", "x.de")
    alone = inbox.edit(settings, second, Known(), alone=True)
    assert (alone.article.event, alone.article.copy_of) == (second.removesuffix(".de"), None)
    path = inbox.accept(settings, second)
    assert read_corpus(settings.corpus, most_bytes=2_000_000).articles[0].text == alone.article.text
    assert "copy_of" not in path.read_text("utf-8")


def test_trouble_with_a_page_is_named_and_the_others_go_on(settings: Settings, site: Web) -> None:
    site.put("/1", page().replace("</article>", "</article>Jetzt abonnieren"))
    site.put_status("/2", *[503] * 3, then=page("Seeadler ships again", ENGLISH).encode())
    site.put("/3", "x" * 500, "video/mp4")
    follow(settings, site, "/1", "/2", "/3")
    polled = poll(settings, site)
    assert [text.split(" (")[0] for text in polled.problems] == [
        f"{site.url}/1 shows only the beginning of the article",
        f"{site.url}/2 answers 503 Service Unavailable. Try again later.",
        f"{site.url}/3 is video/mp4, which cannot be read here. Readable are application/pdf, "
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document, application/xhtml+xml, text/html, "
        "text/markdown, text/plain.",
    ]
    assert polled.left == 2
    assert list(poll(settings, site).new) == ["2025-08-14-seeadler-ships-again.en"]


def endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "text/html")
    request.end_headers()
    while True:
        request.wfile.write(b"x" * 65_536)


def test_hostile_pages_leave_nothing_behind(settings: Settings, site: Web) -> None:
    """Each is named with a reason; what is good beside them comes in whole."""
    site.pages["/endless"] = endless
    site.put("/bomb", gzip.compress(b"\0" * 50_000_000, 9), Content_Encoding="gzip")
    site.put("/large", page(paragraphs=("x" * 300_000,)))
    site.put("/picture", b"\x89PNG\r\n\x1a\n", "image/png")
    site.put("/noise", random.Random(1).randbytes(20_000), "text/html; charset=utf-8")
    site.put("/stub", page().replace("</article>", "</article>Jetzt abonnieren"))
    site.put("/empty", "")
    site.put_redirect("/circle", "/circle")
    site.put("/good", page())
    paths = ("/endless", "/bomb", "/large", "/picture", "/noise", "/stub", "/empty", "/circle", "/good")
    follow(settings, site, *paths)
    polled = poll(settings, site)
    assert len(polled.new) == 1
    assert len(polled.problems) == len(paths) - 1
    for path, problem in zip(paths, polled.problems, strict=False):
        assert problem.startswith(f"{site.url}{path}")
        assert problem.endswith(".")
    assert {one.name for one in (settings.corpus / "inbox").iterdir()} == {
        f"{polled.new[0]}.md", f"{polled.new[0]}.json", "feeds.json", ".lock",
    }  # fmt: skip
    assert inbox.show(settings, polled.new[0]).article.text == "\n\n".join(PARAGRAPHS)


@pytest.mark.parametrize("kind", ["endless", "bomb", "picture", "noise"])
def test_a_hostile_feed_is_an_error_and_leaves_nothing_behind(settings: Settings, site: Web, kind: str) -> None:
    follow(settings, site)
    if kind == "endless":
        site.pages["/rss"] = endless
    elif kind == "bomb":
        site.put("/rss", gzip.compress(b"\0" * 50_000_000, 9), "application/rss+xml", Content_Encoding="gzip")
    else:
        noise = random.Random(1).randbytes(20_000)
        site.put("/rss", noise, "image/png" if kind == "picture" else "application/rss+xml")
    polled = poll(settings, site)
    assert (polled.new, polled.error) == ((), read_states(settings)["hafen"].error)
    assert (polled.error or "").endswith(".")
    assert {one.name for one in (settings.corpus / "inbox").iterdir()} <= {"feeds.json", ".lock"}


def test_a_feed_that_fails_is_remembered_and_its_last_success_stays(settings: Settings, site: Web) -> None:
    follow(settings, site)
    poll(settings, site)
    success = read_states(settings)["hafen"].success
    site.put("/rss", "<html><body>gone</body></html>")
    assert "no RSS or Atom feed" in (poll(settings, site).error or "")
    state = read_states(settings)["hafen"]
    assert (state.success, state.error and "no RSS" in state.error) == (success, True)


def test_no_more_than_the_most_are_taken_at_once(settings: Settings, site: Web) -> None:
    for number in range(3):
        site.put(f"/{number}", page(f"Nachricht {number}", (f"Werk {number} " + PARAGRAPHS[0], PARAGRAPHS[1])))
    follow(settings, site, "/0", "/1", "/2", more="most = 2\n")
    assert (len(poll(settings, site).new), poll(settings, site).left) == (2, 0)
    assert len(inbox.items(settings)) == 3


def test_a_link_to_a_private_address_is_not_followed(settings: Settings, site: Web) -> None:
    with web() as inner:
        inner.put("/1", page())
        (settings.corpus / "feeds.toml").write_text(f'[[feed]]\nname = "hafen"\nurl = "{site.url}/rss"\n', "utf-8")
        feed = f"<rss version='2.0'><channel><item><link>{inner.url}/1</link></item></channel></rss>"
        site.put("/rss", feed, "application/rss+xml")
        assert "not an address of the public internet" in poll(settings, site).problems[0]
        assert inner.asked == []


def test_collecting_without_feeds_says_what_to_do(settings: Settings, site: Web) -> None:
    with pytest.raises(FeedError, match="Add a"):
        collect(settings, fetcher(site))


# --- judging ---


@pytest.fixture
def waiting(settings: Settings, site: Web) -> str:
    """Id of the one article in the inbox."""
    site.put("/1", page())
    follow(settings, site, "/1")
    return poll(settings, site).new[0]


def test_accepting_moves_the_article_as_it_is(settings: Settings, waiting: str) -> None:
    before = inbox.show(settings, waiting)
    path = inbox.accept(settings, waiting)
    assert path == settings.corpus / "articles" / "2025" / f"{waiting}.md"
    assert read_corpus(settings.corpus, most_bytes=2_000_000).articles == (before.article,)
    assert inbox.items(settings) == []
    assert not list((settings.corpus / "inbox").glob(f"{waiting}*"))


def test_rejected_items_do_not_come_back(settings: Settings, site: Web, waiting: str) -> None:
    inbox.reject(settings, waiting, "zu alt")
    assert inbox.items(settings) == []
    (settings.corpus / "inbox" / "feeds.json").unlink()
    site.asked.clear()
    assert poll(settings, site) == Polled("hafen", rejected=1)
    assert site.paths() == ["/rss"]
    site.put("/copy", page())
    rss(site, "/copy?utm_source=x", "/1/?utm_medium=rss#top", etag='"2"')
    site.put("/copy?utm_source=x", page())
    assert poll(settings, site) == Polled("hafen", rejected=2)
    assert json.loads((settings.corpus / "inbox" / "rejected.jsonl").read_text("utf-8"))["reason"] == "zu alt"


def test_metadata_is_edited_and_the_text_stays(settings: Settings, waiting: str) -> None:
    text = inbox.show(settings, waiting).article.text
    item = inbox.edit(settings, waiting, Known(title="Möwe", published="2025-08-13"), entities=["Seeadler"])
    assert (item.article.title, item.article.published.isoformat(), item.article.entities) == (
        "Möwe",
        "2025-08-13",
        ("Seeadler",),
    )
    assert (item.article.text, item.article.id, item.feed) == (text, waiting, "hafen")
    with pytest.raises(ArticleError, match="not a date"):
        inbox.edit(settings, waiting, Known(published="gestern"))


@pytest.mark.parametrize("identity", ["nothing", "../feeds", "", "a/b"])
def test_what_is_not_there_is_said(settings: Settings, identity: str) -> None:
    for act in (inbox.show, inbox.accept, inbox.reject):
        with pytest.raises(InboxError, match="chipdesk inbox list"):
            act(settings, identity)


def test_an_article_in_the_way_is_not_overwritten(settings: Settings, waiting: str) -> None:
    there = put(settings.corpus, f"2025/{waiting}", "Another text.", id=waiting)
    before = there.read_bytes()
    with pytest.raises(InboxError, match="is there already"):
        inbox.accept(settings, waiting)
    assert there.read_bytes() == before
    assert inbox.show(settings, waiting)


def test_a_broken_edit_by_hand_is_named_and_nothing_is_accepted(settings: Settings, waiting: str) -> None:
    path = settings.corpus / "inbox" / f"{waiting}.md"
    path.write_text(path.read_text("utf-8").replace("published: 2025", "published: 20x5"), "utf-8")
    assert inbox.items(settings) == []
    assert [error.path for error in inbox.unreadable(settings)] == [path]
    with pytest.raises(ArticleError, match="published"):
        inbox.accept(settings, waiting)
    assert path.is_file()


def test_a_line_that_a_kill_cut_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    append_line(path, "one")
    with path.open("a") as file:
        file.write('{"tw')
    append_line(path, "three")
    assert path.read_text("utf-8").splitlines() == ["one", '{"tw', "three"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://www.a.example/x/?utm_source=rss&b=1#c", "http://a.example/x?b=1"),
        ("https://A.example", "https://a.example/"),
    ],
)
def test_addresses_that_are_the_same(one: str, other: str) -> None:
    assert inbox.plain_url(one) == inbox.plain_url(other)


# --- the commands ---


def test_the_commands(settings: Settings, site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIPDESK_FETCH_ALLOW", site.host)
    monkeypatch.setenv("CHIPDESK_FETCH_INTERVAL", "0")
    corpus = ("--corpus", settings.corpus)
    site.put("/1", page())
    site.put("/2", page("Seeadler ships again", ENGLISH))
    follow(settings, site, "/1", "/2")
    collected = chipdesk("collect", *corpus, "--json")
    assert collected.returncode == 0, collected.stderr
    assert len(json.loads(collected.stdout)[0]["new"]) == 2
    (state,) = json.loads(chipdesk("feeds", *corpus, "--json").stdout)
    assert (state["name"], state["stale"], state["error"]) == ("hafen", False, None)
    listed = json.loads(chipdesk("inbox", "list", *corpus, "--json").stdout)
    german = next(item["id"] for item in listed if item["language"] == "de")
    english = next(item["id"] for item in listed if item["language"] == "en")
    assert json.loads(chipdesk("inbox", "show", german, *corpus, "--json").stdout)["text"] == "\n\n".join(PARAGRAPHS)
    assert chipdesk("inbox", "reject", english, *corpus, "--reason", "twice").returncode == 0
    done = chipdesk("inbox", "accept", german, *corpus, "--index", settings.index)
    assert done.returncode == 0, done.stderr
    assert "Indexed 1 articles" in done.stderr
    assert "The inbox is empty" in chipdesk("inbox", "list", *corpus).stderr
    assert "hafen" in chipdesk("feeds", *corpus).stdout


def test_the_settings_name_the_inbox(tmp_path: Path) -> None:
    assert inbox.items(load(corpus=tmp_path)) == []
