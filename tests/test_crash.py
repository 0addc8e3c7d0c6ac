"""Whenever the program dies and wherever a write fails: corpus and index are valid, nothing is lost, nothing doubled."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import DATA, chipdesk, put
from documents import PARAGRAPHS, page
from forked import Forks, Outcome, forks
from web import Web, web

from rag import inbox
from rag.feeds import read_states
from rag.index import MANIFEST, Index
from rag.memory import FILE as MEMORY
from rag.read import read_corpus
from rag.settings import Settings
from rag.types import Embedder

PAGES = 4
TRIES = 3
"""Runs for one point; a machine that has more to do than tests is not even."""
REJECTED = "2025-08-14-nachricht-aus-werk-3.de"
COLLECTED = {f"2025-08-14-nachricht-aus-werk-{number}.de" for number in range(PAGES)}
ADDED = {f"2025-08-1{number}-plant-{number}.en" for number in range(3)}


@pytest.fixture(scope="module")
def forked() -> Iterator[Forks]:
    with forks() as running:
        yield running


@pytest.fixture
def site() -> Iterator[Web]:
    """Four pages and the feed that lists them."""
    with web() as running:
        listed = ""
        for number in range(PAGES):
            prose = tuple(f"Im Werk {number} hieß es dazu: {paragraph}" for paragraph in PARAGRAPHS)
            url = running.put(f"/{number}", page(f"Nachricht aus Werk {number}", prose))
            listed += f"<item><link>{url}</link><pubDate>Thu, 14 Aug 2025 10:00:00 GMT</pubDate></item>"
        feed = f"<rss version='2.0'><channel>{listed}</channel></rss>"
        running.put_versioned("/rss", feed, '"1"', "application/rss+xml")
        yield running


class World:
    """A corpus with one article, its index, a feed, and files to add."""

    def __init__(self, settings: Settings, site: Web, embedder: Embedder, forked: Forks, folder: Path) -> None:
        shutil.copy(DATA / "glossary.yaml", settings.corpus)
        put(settings.corpus, "first", "The first article is always there. It says so.")
        (settings.corpus / "feeds.toml").write_text(f'[[feed]]\nname = "hafen"\nurl = "{site.url}/rss"\n', "utf-8")
        self.files = []
        for number in range(3):
            path = folder / f"plant-{number}.txt"
            path.write_text(
                f"Plant {number} ships\n\n2025-08-1{number}\n\nPlant {number} ships its modules again.\n", "utf-8"
            )
            self.files.append(str(path))
        self.settings, self._embedder, self._forked = settings, embedder, forked
        self._host = site.host
        assert self.do("build").error is None
        self.indexed = self._digests()

    def do(self, work: str, **limits: float | int | None) -> Outcome:
        given = {"corpus": str(self.settings.corpus), "index": str(self.settings.index), "host": self._host,
                 "files": self.files, "reject": [REJECTED], "build": work == "judge"}  # fmt: skip
        return self._forked.run(work, **limits, **given)  # type: ignore[arg-type]

    def ids(self) -> set[str]:
        """Of the corpus, which must be sound."""
        corpus = read_corpus(self.settings.corpus, most_bytes=self.settings.article_bytes)
        assert corpus.problems == ()
        return {article.id for article in corpus.articles} - {"first"}

    def waiting(self) -> set[str]:
        assert inbox.unreadable(self.settings) == []
        return {item.article.id for item in inbox.items(self.settings)}

    def assert_sound(self, expected: set[str]) -> None:
        """No article is in two places or nobody's; the index is what it was, or holds the corpus as it is now."""
        there, waiting = self.ids(), self.waiting()
        assert not there & waiting
        assert there | waiting <= expected
        now = self._digests()
        if now != self.indexed:
            corpus = read_corpus(self.settings.corpus, most_bytes=self.settings.article_bytes).articles
            assert now == {article.id: article.digest for article in corpus}
        self.indexed = now

    def _digests(self) -> dict[str, str]:
        index = Index(self.settings, self._embedder.identity)
        assert index.store.audit() == []
        found = index.catalog.digests()
        index.close()
        return found

    def forget(self) -> None:
        """Back to the one article; the index learns it from the next build."""
        shutil.rmtree(self.settings.corpus / "inbox", ignore_errors=True)
        for path in self.settings.corpus.glob("articles/*/*.md"):
            path.unlink()

    def leftovers(self) -> list[Path]:
        return list(self.settings.corpus.rglob(".*.new"))

    def files_now(self) -> dict[str, bytes]:
        """The corpus, byte for byte."""
        return {str(path): path.read_bytes() for path in self.settings.corpus.rglob("*") if path.is_file()}

    def builds(self) -> dict[str, bytes]:
        """The manifest and the folders beside it, which take room; what is in them `assert_sound` has looked at."""
        folder = self.settings.index
        return {MANIFEST: (folder / MANIFEST).read_bytes()} | {path.name: b"" for path in folder.glob("build-*")}


@pytest.fixture
def world(settings: Settings, site: Web, embedder: Embedder, forked: Forks, tmp_path: Path) -> World:
    return World(settings, site, embedder, forked, tmp_path)


# --- killed ------------------------------------------------------------------------------------------------------------


def kill(world: World, work: str, points: int, expected: set[str], start: Callable[[], None]) -> int:
    """Kill `work` at random points, one in each of equal parts of a run; then and again it is left in peace.

    Returns:
        How many runs were really killed: one that is over sooner than those before it gets another try.
    """
    chance = random.Random(20250814)
    for _ in range(2):  # the first run embeds, which the later ones need not
        start()
        whole = world.do(work).seconds
        world.assert_sound(expected)
    start()
    deaths = 0
    for point in range(points):
        part = (point + chance.random()) / points
        for _ in range(TRIES):
            outcome = world.do(work, kill_after=part * whole)
            world.assert_sound(expected | {REJECTED})
            if outcome.killed:
                deaths += 1
                break
            whole = outcome.seconds
            start()
        if point % 5 == 4:
            assert world.do(work).error is None
            world.assert_sound(expected)
            assert (world.ids(), world.waiting()) == (expected, set())
            assert world.leftovers() == []
            start()
    return deaths


def test_killed_while_collecting_and_judging(world: World) -> None:
    """20 of the 50 points: what is collected is accepted, but for one that is rejected; the index is not touched."""
    assert kill(world, "desk", 20, COLLECTED - {REJECTED}, world.forget) >= 16
    assert set(read_states(world.settings)) <= {"hafen"}


def test_killed_while_accepting_into_the_index(world: World, tmp_path: Path) -> None:
    """15 of the 50 points."""
    assert world.do("collect").error is None
    shutil.copytree(world.settings.corpus / "inbox", tmp_path / "inbox")

    def start() -> None:
        world.forget()
        shutil.copytree(tmp_path / "inbox", world.settings.corpus / "inbox")

    assert kill(world, "judge", 15, COLLECTED - {REJECTED}, start) >= 12
    start()
    assert world.do("judge").error is None
    world.assert_sound(COLLECTED)
    assert set(world.indexed) == COLLECTED - {REJECTED} | {"first"}


def test_killed_while_adding(world: World) -> None:
    """15 of the 50 points."""
    assert kill(world, "add", 15, ADDED, world.forget) >= 12
    assert world.do("add").error is None
    world.assert_sound(ADDED)
    assert set(world.indexed) == {*ADDED, "first"}


# --- a full disk ---------------------------------------------------------------------------------------------------------

FULL = (0, 60, 1_000, 20_000, 60_000, 150_000)
"""Bytes of a file after which writes fail: within a state file, an article, the memory, the catalogue, Chroma."""


@pytest.mark.parametrize("work", ["add", "collect", "desk", "judge", "build"])
def test_a_failing_write_leaves_everything_as_it_was(world: World, work: str) -> None:
    if work == "judge":
        assert world.do("collect").error is None
    if work == "build":
        put(world.settings.corpus, "second", "The second article came later. It waits for its place.")
    expected = COLLECTED | ADDED | {"second"}
    failures = 0
    for size in FULL:
        before, articles, builds = world.files_now(), world.ids(), world.builds()
        outcome = world.do(work, file_bytes=size)
        world.assert_sound(expected)
        assert world.leftovers() == []
        if outcome.error is None:
            continue
        failures += 1
        assert outcome.error.startswith("DiskError: ")
        assert "cannot be written" in outcome.error
        after = world.files_now()
        # whatever was finished before the write that failed may stay, whole; nothing that was there is changed or gone
        moved = {path for path in before.keys() - after.keys() if "/inbox/" in path}
        assert before.keys() - after.keys() == moved
        assert articles <= world.ids()
        assert world.builds() == builds
    assert failures >= 2
    outcome = world.do(work)
    assert outcome.error is None
    world.assert_sound(expected)


def test_a_full_disk_does_not_forget_vectors(world: World) -> None:
    put(world.settings.corpus, "second", "The second article came later. It waits for its place.")
    before = (world.settings.index / MEMORY).read_bytes()
    assert "DiskError" in (world.do("build", file_bytes=0).error or "")
    assert (world.settings.index / MEMORY).read_bytes() == before


def test_the_command_says_what_to_do(settings: Settings) -> None:
    """In a file system that takes nothing: /proc refuses every new file, root or not."""
    done = chipdesk("add", DATA / "export.txt", "--corpus", "/proc/corpus", "--index", settings.index)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "cannot be written" in " ".join(done.stderr.split())
    assert "do the same again" in " ".join(done.stderr.split())
