from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import DATA, REPOSITORY, chipdesk, put
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


# --- killing ---

KILLS = 50
WORK = """
import sys
from rag import inbox
from rag.collect import collect
from rag.fetch import Fetcher, Limits
from rag.settings import load
settings = load(corpus=sys.argv[1])
print("ready", flush=True)
collect(settings, Fetcher(allowed=[sys.argv[2]], limits=Limits(interval=0)))
for number, item in enumerate(inbox.items(settings)):
    (inbox.reject if item.article.id.endswith("-3.de") else inbox.accept)(settings, item.article.id)
"""


def test_killed_anywhere_nothing_is_lost_and_nothing_doubled(settings: Settings, site: Web) -> None:
    """kill -9 at random points of collecting, accepting and rejecting; then one run that is left in peace."""
    paths = [f"/{number}" for number in range(8)]
    for number, path in enumerate(paths):
        prose = tuple(f"Im Werk {number} hieß es dazu: {paragraph}" for paragraph in PARAGRAPHS)
        site.put(path, page(f"Nachricht aus Werk {number}", prose))
    follow(settings, site, *paths)
    expected = {f"2025-08-14-nachricht-aus-werk-{number}.de" for number in range(8)}
    chance = random.Random(20250814)
    command = [sys.executable, "-c", WORK, str(settings.corpus), site.host]
    whole = 0.0
    for attempt in range(KILLS + 1):  # the first, which is not killed, tells how long one takes
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        if attempt == 0:
            process.wait(120)
            whole = time.monotonic() - began
            for path in (*settings.corpus.glob("inbox/*"), *settings.corpus.rglob("articles/*/*.md")):
                path.unlink()
        else:
            time.sleep(chance.random() * whole)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        process.communicate()
        corpus = read_corpus(settings.corpus, most_bytes=2_000_000)
        assert corpus.problems == ()
        there = {article.id for article in corpus.articles}
        pending = {item.article.id for item in inbox.items(settings)}
        assert not there & pending
        assert there | pending <= expected
        if attempt % 10 == 9:  # begin anew
            for path in (*settings.corpus.glob("inbox/*"), *settings.corpus.rglob("articles/*/*.md")):
                path.unlink()
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rejected = {"2025-08-14-nachricht-aus-werk-3.de"}
    assert {
        article.id for article in read_corpus(settings.corpus, most_bytes=2_000_000).articles
    } == expected - rejected
    assert inbox.items(settings) == []
    assert not list(settings.corpus.rglob("*.new"))


def test_the_settings_name_the_inbox(tmp_path: Path) -> None:
    assert inbox.items(load(corpus=tmp_path)) == []
