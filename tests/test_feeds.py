from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import DATA, REPOSITORY, table

from rag.errors import FeedError
from rag.feeds import STATE, Entry, Feed, State, doing, parse, read_feeds, read_states, write_states
from rag.settings import Settings

URL = "https://news.example/feeds/all.xml"


LINK = "<link>https://a.example/1</link>"
FRAMES = {
    "item": f"<rss version='2.0'><channel><item>%s{LINK}</item></channel></rss>",
    "bare": "<rss version='2.0'><channel><item><title>T</title>%s</item></channel></rss>",
    "entry": "<feed xmlns='http://www.w3.org/2005/Atom'><entry>%s<link href='https://a.example/1'/></entry></feed>",
    "bare_entry": "<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>T</title>%s</entry></feed>",
    "feed": "%s",
}
"""What a case leaves out: the feed around its own lines."""
CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in sorted((DATA / "feeds").glob("*.yaml"))
    for case in table(f"feeds/{path.name}")
]


def sent(case: dict[str, Any]) -> bytes:
    """The bytes that the server of a case sends."""
    (kind,) = FRAMES.keys() & case.keys()
    text = FRAMES[kind] % case[kind]
    if "declares" in case:
        text = f"<?xml version='1.0' encoding='{case['declares']}'?>{text}"
    return str(text).encode(case.get("encoding", "utf-8")) + bytes.fromhex(case.get("hex_after", ""))


@pytest.mark.parametrize("case", CASES)
def test_feeds_as_they_are_in_the_world(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(FeedError, match=case["error"]):
            parse(sent(case), URL, case.get("kind", ""))
        return
    entries = parse(sent(case), URL, case.get("kind", ""))
    if "entries" in case:
        assert [[one.url, one.title, one.published and one.published.isoformat()] for one in entries] == case["entries"]
        return
    (entry,) = entries
    found = {"title": entry.title, "link": entry.url, "day": entry.published, "author": entry.author}
    said = {name: case[name] for name in found.keys() & case.keys()}
    assert said, "the case expects nothing"
    assert {name: found[name] for name in said} == said


def test_the_cases_are_many_and_each_has_a_name() -> None:
    assert len({case.id for case in CASES}) == len(CASES) >= 150


@pytest.mark.parametrize("content", [b"", b"<html><body>Hello</body></html>", b"\x89PNG\r\n", b'{"items": []}'])
def test_what_is_no_feed_is_said(content: bytes) -> None:
    with pytest.raises(FeedError, match="no RSS or Atom feed"):
        parse(content, URL)


def test_an_xml_bomb_in_a_feed_ends_soon() -> None:
    bomb = "<!DOCTYPE rss [<!ENTITY a0 'xxxxxxxxxx'>" + "".join(
        f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10)
    )
    feed = (
        bomb
        + "]><rss version='2.0'><channel><item><title>&a9;</title><link>https://a.example/</link></item></channel></rss>"
    )
    began = time.process_time()
    assert all(len(entry.title or "") < 10_000 for entry in parse(feed.encode(), URL))
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "feed",
    [
        "<!DOCTYPE rss [<!ENTITY a '" + "x" * 50_000 + "'>]><rss version='2.0'><channel><item><title>" + "&a;" * 5_000
        + "</title><link>https://a.example/</link></item></channel></rss>",
        "<rss version='2.0'><channel><item>" + "<b>" * 5_000 + "<link>https://a.example/</link>",
        "<rss version='2.0'><channel><item><title>" + "&" * 50_000 + "</title><link>https://a.example/</link></item></channel></rss>",
        "<rss version='2.0'><channel><item><title>" + "<![CDATA[" * 5_000 + "</title></item></channel></rss>",
        "<rss version='2.0'><channel><item><title>" + "<a" * 5_000 + "</title></item></channel></rss>",
        "<rss version='2.0'><channel>" + "<item><link>https://a.example/</link></item>" * 2_000 + "</channel></rss>",
    ],
    ids=["one large entity, often", "nested", "ampersands", "CDATA in CDATA", "tags that never end", "many items"],
)  # fmt: skip
def test_hostile_feeds_end_soon(feed: str) -> None:
    began = time.process_time()
    assert all(len(entry.title or "") < 1_000_000 for entry in parse(feed.encode(), URL))
    assert time.process_time() - began < 10


def test_an_external_entity_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret", "utf-8")
    feed = (
        f"<!DOCTYPE rss [<!ENTITY x SYSTEM 'file://{tmp_path}/secret'>]><rss version='2.0'><channel><item>"
        "<title>A &x; B</title><link>https://a.example/</link></item></channel></rss>"
    )
    assert all("secret" not in (entry.title or "") for entry in parse(feed.encode(), URL))


# --- feeds.toml ---


def feeds_toml(corpus: Path, content: str) -> Path:
    (corpus / "feeds.toml").write_text(content, "utf-8")
    return corpus


def test_feeds_are_read_with_their_defaults(settings: Settings) -> None:
    content = '[[feed]]\nname = "a"\nurl = "https://a.example/rss"\n[[feed]]\nname = "b"\nurl = "http://b.example"\nrhythm_hours = 0.5\n'
    a, b = read_feeds(feeds_toml(settings.corpus, content))
    assert (a, b.rhythm_hours) == (Feed("a", "https://a.example/rss"), 0.5)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[[feed]\n", "is not TOML"),
        ('[[feed]]\nname = "a"\n', "feed 1 has no url"),
        ('[[feed]]\nurl = "https://a.example"\n', "feed 1 has no name"),
        ('[[feed]]\nname = "a"\nurl = "file:///etc/passwd"\n', "no http or https address"),
        ('[[feed]]\nname = "a"\nurl = "https://a.example"\nrythm_hours = 3\n', "'rythm_hours' is no field"),
        ('[[feed]]\nname = "a"\nurl = "https://a.example"\nrhythm_hours = "3"\n', "rhythm_hours cannot be '3'"),
        ('[[feed]]\nname = "a"\nurl = "https://a.example"\nmost = -1\n', "most must lie between"),
        ('[[feed]]\nname = "a"\nurl = "https://a.example"\n' * 2, "the name of two feeds"),
        ("interval = 3\n", r"may only have \[\[feed\]\] tables"),
        ("feed = [3]\n", "feed 1 is no table"),
    ],
)
def test_mistakes_in_feeds_toml_are_named(settings: Settings, content: str, says: str) -> None:
    with pytest.raises(FeedError, match=says):
        read_feeds(feeds_toml(settings.corpus, content))


def test_the_repositorys_example_is_commented_out_and_right(settings: Settings) -> None:
    assert read_feeds(REPOSITORY / "corpus") == ()
    text = (REPOSITORY / "corpus" / "feeds.toml").read_text("utf-8")
    example = text[text.index("# [[feed]]\n") :].replace("# ", "")
    (feed,) = read_feeds(feeds_toml(settings.corpus, example))
    assert (feed.name, feed.rhythm_hours, feed.publisher) == ("hafenkurier", 24, "Hafenkurier")


# --- state ---


def test_states_come_back_and_a_damaged_file_is_none(settings: Settings) -> None:
    state = State(etag='"1"', success="2025-08-14T10:00:00+00:00").saw(
        Entry("https://a.example/", None, None, "x", None)
    )
    write_states(settings, {"a": state})
    assert read_states(settings) == {"a": state}
    (settings.corpus / STATE).write_text("{", "utf-8")
    assert read_states(settings) == {}
    (settings.corpus / STATE).write_text(json.dumps({"a": {"etag": "x", "newer_field": 1}}), "utf-8")
    assert read_states(settings) == {"a": State(etag="x")}


def test_a_feed_is_stale_after_three_rhythms_without_news() -> None:
    feed = Feed("a", "https://a.example", rhythm_hours=10)
    moment = datetime(2025, 8, 14, tzinfo=UTC)
    assert State().stale(feed, moment)
    assert not State(news=(moment - timedelta(hours=29)).isoformat()).stale(feed, moment)
    assert State(news=(moment - timedelta(hours=31)).isoformat()).stale(feed, moment)


def test_dates_are_days() -> None:
    feed = "<rss version='2.0'><channel><item><link>https://a.example/</link><pubDate>Thu, 14 Aug 2025 23:30:00 -0500</pubDate></item></channel></rss>"
    assert parse(feed.encode(), URL)[0].published == date(2025, 8, 15)


# --- how they are doing ---


def test_how_each_feed_is_doing(settings: Settings) -> None:
    content = "".join(
        f'[[feed]]\nname = "{name}"\nurl = "https://{name}.example"\nrhythm_hours = 10\n' for name in "abc"
    )
    feeds_toml(settings.corpus, content)
    moment = datetime(2025, 8, 14, 12, tzinfo=UTC)
    states = {
        "a": State(news=(moment - timedelta(hours=29)).isoformat()),
        "b": State(news=(moment - timedelta(hours=31)).isoformat(), error="no"),
        "gone": State(),
    }
    write_states(settings, states)
    found = doing(settings, moment)
    assert [(one.feed.name, one.state, one.stale) for one in found] == [
        ("a", states["a"], False),
        ("b", states["b"], True),
        ("c", State(), True),
    ]


def test_without_feeds_nothing_is_stale(settings: Settings) -> None:
    assert doing(settings) == []


@pytest.mark.parametrize("news", ["yesterday", "2025-08-14T10:00:00", "", 3])
def test_a_state_with_a_time_that_is_none_counts_as_none(settings: Settings, news: object) -> None:
    write_states(settings, {"a": State()})
    (settings.corpus / STATE).write_text(json.dumps({"a": {"news": news}}), "utf-8")
    assert read_states(settings) == {}
