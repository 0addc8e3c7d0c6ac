from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import REPOSITORY, chipdesk, put, small_corpus

from rag.build import Report, build, passage, sentences_of
from rag.catalog import Catalog
from rag.chunk import chunk
from rag.embed import BundledE5
from rag.errors import CorpusError, IndexMissing
from rag.index import MANIFEST, Index, read_manifest
from rag.read import read_corpus
from rag.settings import Settings, load
from rag.types import LANGUAGES, Embedder, Filters


@dataclass
class Progress:
    """What a build reported, stage by stage."""

    seen: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.seen.setdefault(stage, []).append((done, total))

    @property
    def embedded(self) -> int:
        """How many texts were not remembered: what is available at once is reported first."""
        first, total = self.seen["embed"][0]
        return total - first


def texts_of(settings: Settings, *ids: str) -> int:
    """How many different texts the articles (all without ids) are embedded as."""
    texts: set[str] = set()
    for article in read_corpus(settings.corpus, most_bytes=settings.article_bytes).articles:
        if article.status != "withdrawn" and (article.id in ids or not ids):
            for part in chunk(article, chunk_chars=settings.chunk_chars):
                texts |= {passage(article, part), *sentences_of(article, part)}
    return len(texts)


def run(settings: Settings, embedder: Embedder, **options: Any) -> tuple[Report, Progress]:
    progress = Progress()
    return build(settings, embedder=embedder, progress=progress, **options), progress


def counts(report: Report) -> tuple[bool, int, int, int]:
    return report.changed, report.added, report.updated, report.removed


@dataclass
class Contents:
    """All that an index holds, apart from the names of its folders and the numbers of its rows."""

    articles: dict[str, str]
    chunks: dict[str, Any]
    allowed: dict[str, set[str]]
    words: dict[str, list[tuple[str, float]]]
    counts: tuple[int, int, str | None]
    vectors: dict[str, np.ndarray]
    """By chunk: its own vector, then those of its sentences."""

    def assert_same(self, other: Contents) -> None:
        assert self.articles == other.articles
        assert self.chunks == other.chunks
        assert self.allowed == other.allowed
        assert self.words == other.words
        assert self.counts == other.counts
        for name, vectors in self.vectors.items():
            assert vectors.shape == other.vectors[name].shape
            assert (vectors * other.vectors[name]).sum(axis=1).min() > 0.9995, name


def contents(settings: Settings, embedder: Embedder) -> Contents:
    index = Index(settings, embedder.identity)
    try:
        manifest, stored = index.manifest, index.store.contents()
        sentences = np.load(settings.index / manifest.base / "sentences.npy")
        if manifest.late_chunks:
            sentences = np.vstack([sentences, index.late.sentences])
        parts = index.chunks(range(manifest.base_chunks + manifest.late_chunks))
        names = {row: part.id for row, (part, _) in parts.items()}
        any_vector = embedder.questions(["chip"])[0]

        def own(row: int) -> np.ndarray:
            late = row >= manifest.base_chunks
            return index.late.chunks[row - manifest.base_chunks] if late else stored[str(row)][1]

        return Contents(
            articles=index.catalog.digests(),
            chunks={part.id: part for part, _ in parts.values()},
            allowed={
                f"{language} {filters}": {names[row] for row, _ in index.nearest(any_vector, 1_000, language, filters)}
                for language in LANGUAGES
                for filters in (
                    Filters(),
                    Filters(since=date(2025, 1, 1)),
                    Filters(until=date(2024, 12, 31)),
                    Filters(publishers=("Financial Times",)),
                    Filters(topics=("chips",)),
                )
            },
            words={
                f"{language} {term}": sorted(
                    (names[row], round(score, 9))
                    for row, score in index.by_words([term], [term], language, 50, Filters())
                )
                for language in LANGUAGES
                for term in ("chip", "nordwald", "h20", "export-control", "r2", "modul", "plant")
            },
            counts=(manifest.chunks, manifest.sentences, manifest.newest),
            vectors={
                part.id: np.vstack([own(row), sentences[first : first + len(part.sentences)]])
                for row, (part, first) in parts.items()
            },
        )
    finally:
        index.close()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Path:
    root = tmp_path_factory.mktemp("template")
    corpus = small_corpus(root / "corpus", "2024-06-02*", "2025-08-14*")
    build(load(corpus=corpus, index=root / "index"), embedder=embedder)
    return root


@pytest.fixture
def built(template: Path, tmp_path: Path) -> Settings:
    """An index over four articles that a test may change."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return load(corpus=tmp_path / "corpus", index=tmp_path / "index")


def test_the_manifest_says_what_the_build_holds(small_settings: Settings, embedder: Embedder) -> None:
    manifest = read_manifest(small_settings)
    assert (manifest.model, manifest.dimension, manifest.articles) == (embedder.identity, 384, 9)
    assert manifest.newest == "2025-10-01"
    assert manifest.chunker.endswith("/600")


def test_a_first_build_embeds_and_stores_everything(tmp_path: Path, embedder: Embedder) -> None:
    settings = load(corpus=small_corpus(tmp_path / "corpus", "2024-06-02*"), index=tmp_path / "index")
    report, progress = run(settings, embedder)
    assert counts(report) == (True, 2, 0, 0)
    assert progress.embedded == texts_of(settings)
    for stage in ("embed", "store"):
        done = [finished for finished, _ in progress.seen[stage]]
        assert done == sorted(done)
        assert progress.seen[stage][-1][0] == progress.seen[stage][-1][1]


def test_building_an_unchanged_corpus_does_nothing(built: Settings, embedder: Embedder) -> None:
    manifest = (built.index / MANIFEST).read_bytes()
    before = {path: path.stat().st_mtime_ns for path in built.index.rglob("*") if path.name != ".lock"}
    report, progress = run(built, embedder)
    assert counts(report) == (False, 0, 0, 0)
    assert progress.seen == {}
    assert (built.index / MANIFEST).read_bytes() == manifest
    assert {path: path.stat().st_mtime_ns for path in built.index.rglob("*") if path.name != ".lock"} == before


def test_only_a_new_article_is_embedded(built: Settings, embedder: Embedder) -> None:
    small_corpus(built.corpus, "2025-01-15*")
    report, progress = run(built, embedder)
    assert counts(report) == (True, 1, 0, 0)
    assert progress.embedded == texts_of(built, "2025-01-15-mi300x-cluster.en")


def test_only_the_changed_sentence_and_its_chunk_are_embedded(built: Settings, embedder: Embedder) -> None:
    path = built.corpus / "articles" / "2024-06-02-h20-licence.en.md"
    path.write_text(path.read_text("utf-8").replace("traders in Asia", "dealers in Asia"), "utf-8")
    report, progress = run(built, embedder)
    assert counts(report) == (True, 0, 1, 0)
    assert progress.embedded == 2
    index = Index(built, embedder.identity)
    assert "dealers in Asia" in index.article("2024-06-02-h20-licence.en").text  # type: ignore[union-attr]
    assert index.by_words(["dealer"], [], "en", 5, Filters())
    assert not index.by_words(["trader"], [], "en", 5, Filters())
    index.close()


def test_a_removed_article_is_gone(built: Settings, embedder: Embedder) -> None:
    (built.corpus / "articles" / "2025-08-14-r2-delay.en.md").unlink()
    report, progress = run(built, embedder)
    assert counts(report) == (True, 0, 0, 1)
    assert progress.embedded == 0
    index = Index(built, embedder.identity)
    assert index.article("2025-08-14-r2-delay.en") is None
    assert index.by_words(["r2"], [], "en", 5, Filters()) == []
    assert index.audit() == []
    index.close()


def test_a_renamed_file_with_the_same_content_is_no_change(built: Settings, embedder: Embedder) -> None:
    path = built.corpus / "articles" / "2025-08-14-r2-delay.en.md"
    (built.corpus / "articles" / "2025").mkdir()
    path.rename(built.corpus / "articles" / "2025" / path.name)
    assert not run(built, embedder)[0].changed


def test_a_changed_glossary_rebuilds_without_embedding(built: Settings, embedder: Embedder) -> None:
    with (built.corpus / "glossary.yaml").open("a", encoding="utf-8") as file:
        file.write("- {id: r2, kind: model, en: [Second Reasoner, R2], de: [R2]}\n")
    report, progress = run(built, embedder)
    assert counts(report) == (True, 0, 0, 0)
    assert progress.embedded == 0
    index = Index(built, embedder.identity)
    assert index.glossary.concepts("The Second Reasoner is late.", "en") == ["r2"]
    assert len(index.by_words([], ["r2"], "de", 5, Filters())) == 1
    index.close()


def test_a_withdrawn_article_can_be_read_but_not_found(small_index: Index, embedder: Embedder) -> None:
    identity = "2025-10-01-withdrawn-rumour.en"
    assert small_index.article(identity) is not None
    assert "zeppelin" in small_index.article(identity).text  # type: ignore[union-attr]
    assert small_index.by_words(["zeppelin"], ["lumen-x9"], "en", 50, Filters()) == []
    vector = embedder.questions(["Which zeppelin will carry the Lumen X9?"])[0]
    rows = [row for row, _ in small_index.nearest(vector, 100, "en", Filters())]
    assert identity not in {part.article for part, _ in small_index.chunks(rows).values()}


def test_withdrawing_an_article_takes_it_out_of_the_search(built: Settings, embedder: Embedder) -> None:
    path = built.corpus / "articles" / "2025-08-14-r2-delay.en.md"
    path.write_text(path.read_text("utf-8").replace("language: en\n", "language: en\nstatus: withdrawn\n", 1), "utf-8")
    report, progress = run(built, embedder)
    assert counts(report) == (True, 0, 1, 0)
    assert progress.embedded == 0
    index = Index(built, embedder.identity)
    assert index.article("2025-08-14-r2-delay.en").status == "withdrawn"  # type: ignore[union-attr]
    assert index.by_words(["r2"], [], "en", 5, Filters()) == []
    index.close()


def test_a_fresh_build_embeds_everything_again(built: Settings, embedder: Embedder) -> None:
    report, progress = run(built, embedder, fresh=True)
    assert counts(report) == (True, 0, 0, 0)
    assert progress.embedded == texts_of(built)


def test_another_chunk_size_builds_again(built: Settings, embedder: Embedder) -> None:
    changed = built.model_copy(update={"chunk_chars": 200})
    report, _ = run(changed, embedder)
    assert report.changed
    assert report.manifest.chunker.endswith("/200")


def test_a_forgotten_memory_fills_again(built: Settings, embedder: Embedder) -> None:
    before = contents(built, embedder)
    (built.index / "vectors.db").unlink()
    put(built.corpus, "extra", "A short text.")
    run(built, embedder)
    (built.corpus / "articles" / "extra.md").unlink()
    run(built, embedder)
    contents(built, embedder).assert_same(before)


def test_a_damaged_memory_does_not_stop_a_build(built: Settings, embedder: Embedder) -> None:
    (built.index / "vectors.db").write_bytes(b"junk" * 5_000)
    put(built.corpus, "extra", "A short text.")
    assert run(built, embedder)[0].added == 1


def test_a_damaged_catalogue_does_not_stop_a_build(built: Settings, embedder: Embedder) -> None:
    path = built.index / read_manifest(built).build / "catalog.db"
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)
    put(built.corpus, "extra", "A short text.")
    assert run(built, embedder)[0].changed


def test_an_incomplete_build_is_not_up_to_date(built: Settings, embedder: Embedder) -> None:
    shutil.rmtree(built.index / read_manifest(built).build)
    assert run(built, embedder)[0].changed
    assert len(contents(built, embedder).articles) == 4


def test_bad_files_are_reported_and_the_others_are_built(built: Settings, embedder: Embedder) -> None:
    (built.corpus / "articles" / "bad.md").write_text("---\ntitle: T\n", "utf-8")
    (built.corpus / "glossary.yaml").write_text("- {id: X, kind: chip, en: [X], de: [X]}\n", "utf-8")
    report, _ = run(built, embedder)
    assert [problem.path.name for problem in report.problems] == ["bad.md", "glossary.yaml"]
    assert report.manifest.articles == 4


def test_problems_are_reported_again_when_nothing_changed(built: Settings, embedder: Embedder) -> None:
    (built.corpus / "articles" / "bad.md").write_text("---\ntitle: T\n", "utf-8")
    report, _ = run(built, embedder)
    assert (report.changed, len(report.problems)) == (False, 1)


def test_old_builds_go_and_the_previous_one_stays_with_its_base(built: Settings, embedder: Embedder) -> None:
    (built.index / "build-000777").mkdir()
    base = read_manifest(built).build
    for number in range(3):
        put(built.corpus, f"extra{number}", "A short text.")
        build(built, embedder=embedder)
    folders = sorted(path.name for path in built.index.glob("build-*"))
    assert folders == [base, "build-000779", read_manifest(built).build]


def test_a_corpus_without_articles_builds_and_opens(settings: Settings, embedder: Embedder) -> None:
    report = build(settings, embedder=embedder)
    assert (report.manifest.articles, report.manifest.chunks, report.manifest.newest) == (0, 0, None)
    index = Index(settings, embedder.identity)
    vector = embedder.questions(["R2"])[0]
    assert index.nearest(vector, 5, "en", Filters()) == []
    assert index.by_words(["r2"], ["r2"], "en", 5, Filters()) == []
    assert (index.size, index.frequency("r2", "en")) == (0, 0)
    assert (index.catalog.articles(), index.catalog.span(), index.catalog.labels("topic")) == ([], None, [])
    assert index.audit() == []
    index.close()
    assert not build(settings, embedder=embedder).changed


def test_a_corpus_that_loses_all_articles_is_empty(built: Settings, embedder: Embedder) -> None:
    shutil.rmtree(built.corpus / "articles")
    assert counts(run(built, embedder)[0]) == (True, 0, 0, 4)
    assert contents(built, embedder).articles == {}


def test_a_corpus_of_withdrawn_articles_only_is_readable(settings: Settings, embedder: Embedder) -> None:
    put(settings.corpus, "gone", "Nothing of this was true.", status="withdrawn")
    build(settings, embedder=embedder)
    index = Index(settings, embedder.identity)
    assert index.article("gone") is not None
    assert index.nearest(embedder.questions(["R2"])[0], 5, "en", Filters()) == []
    index.close()


def test_a_missing_corpus_is_refused_and_the_old_index_stays(built: Settings, embedder: Embedder) -> None:
    before = (built.index / MANIFEST).read_bytes()
    with pytest.raises(CorpusError):
        build(built.model_copy(update={"corpus": built.corpus / "nowhere"}), embedder=embedder)
    assert (built.index / MANIFEST).read_bytes() == before


def long_article(number: int) -> str:
    return " ".join(
        f"In week {week} plant {number} shipped {week * 37 + number} modules to the harbour and kept the rest in store."
        for week in range(13)
    )


def test_the_history_of_builds_leaves_no_trace_in_the_vectors(tmp_path: Path, embedder: Embedder) -> None:
    """A corpus that grew article by article, through small builds, holds what one clean build of it holds.

    Each step is small enough for the C engine, the whole is not.
    """
    grown = load(corpus=tmp_path / "corpus", index=tmp_path / "grown")
    clean = load(corpus=tmp_path / "corpus", index=tmp_path / "clean")
    for number in range(4):
        put(grown.corpus, f"plant-{number}", long_article(number), title=f"Plant {number}")
        if number:
            build(grown, embedder=embedder)
    build(clean, embedder=embedder)
    contents(grown, embedder).assert_same(contents(clean, embedder))


# --- updates ---------------------------------------------------------------------------------------------------------


def in_base(settings: Settings) -> dict[str, tuple[int, int]]:
    base = settings.index / read_manifest(settings).base
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in base.rglob("*") if path.is_file()}


def change_at_random(settings: Settings, chance: random.Random, number: int) -> None:
    """Add, change, withdraw, remove or touch an article that an earlier call may have made."""
    name = f"plant-{chance.randrange(4)}"
    path = settings.corpus / "articles" / f"{name}.md"
    step = chance.choice(("write", "write", "withdraw", "remove", "touch"))
    if step == "remove":
        path.unlink(missing_ok=True)
    elif step == "touch" and path.exists():
        path.touch()
    else:
        status = "withdrawn" if step == "withdraw" else "current"
        text = f"Plant {name[-1]} shipped {number} modules to the harbour. It keeps the H20 in store number {number}."
        put(
            settings.corpus,
            name,
            text,
            title=f"Plant {name[-1]}",
            topics=f"[{chance.choice(('chips', 'models'))}]",
            status=status,
        )


def test_updates_leave_the_vectors_of_the_whole_build_alone_and_hold_what_a_whole_build_holds(
    built: Settings, embedder: Embedder, tmp_path: Path
) -> None:
    base, files = read_manifest(built).base, in_base(built)
    chance = random.Random(6)
    for number in range(12):
        change_at_random(built, chance, number)
        build(built, embedder=embedder)
    (built.corpus / "articles" / "2025-08-14-r2-delay.de.md").unlink()
    build(built, embedder=embedder)
    manifest = read_manifest(built)
    assert (manifest.base, in_base(built)) == (base, files)
    assert manifest.build != base
    assert manifest.late_chunks
    clean = built.model_copy(update={"index": tmp_path / "clean"})
    build(clean, embedder=embedder)
    contents(built, embedder).assert_same(contents(clean, embedder))
    assert read_manifest(clean).late_chunks == 0


def test_a_whole_build_is_made_where_most_of_the_corpus_changed(
    built: Settings, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.build.LEAST_LATE", 0)
    base = read_manifest(built).base
    for number in range(read_manifest(built).chunks + 1):
        put(built.corpus, f"extra-{number}", f"Text number {number}.")
    build(built, embedder=embedder)
    manifest = read_manifest(built)
    assert manifest.base == manifest.build != base
    assert manifest.late_chunks == 0


@pytest.mark.parametrize("file", ["late.npy", "late-sentences.npy", "catalog.db"])
def test_a_damaged_update_is_followed_by_a_whole_build(file: str, built: Settings, embedder: Embedder) -> None:
    put(built.corpus, "extra", "A short text.")
    build(built, embedder=embedder)
    path = built.index / read_manifest(built).build / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    put(built.corpus, "extra2", "Another short text.")
    build(built, embedder=embedder)
    assert len(contents(built, embedder).articles) == 6


def test_a_change_that_leaves_size_and_time_of_a_file_alone_is_seen(built: Settings, embedder: Embedder) -> None:
    path = put(built.corpus, "extra", "Plant 1 ships.")
    os.utime(path, ns=(10**18, 10**18))
    build(built, embedder=embedder)
    put(built.corpus, "extra", "Plant 2 ships.")
    os.utime(path, ns=(10**18, 10**18))
    assert counts(build(built, embedder=embedder)) == (True, 0, 1, 0)


def test_a_smaller_vocabulary_is_seen_though_no_article_changed(built: Settings, embedder: Embedder) -> None:
    put(built.corpus, "extra", "A short text.", topics="[chips]")
    build(built, embedder=embedder)
    (built.corpus / "topics.yaml").write_text("factories: {de: Fabriken, en: Factories}\n", "utf-8")
    report = build(built, embedder=embedder)
    assert report.removed
    assert "extra.md" in {problem.path.name for problem in report.problems}


def test_a_withdrawal_opens_no_model(built: Settings) -> None:
    """What was embedded is remembered, so a mark takes effect without the seconds that a model takes to load."""
    path = built.corpus / "articles" / "2025-08-14-r2-delay.en.md"
    for status in ("withdrawn", "corrected"):
        path.write_text(
            f"---\nstatus: {status}\n"
            + path.read_text("utf-8").removeprefix("---\n").replace("status: withdrawn\n", ""),
            "utf-8",
        )
        other = BundledE5(built.cache, threads=1, batch=1)
        assert build(built, embedder=other).updated == 1
        assert not {"_small", "large"} & vars(other).keys()


# --- killing ---------------------------------------------------------------------------------------------------------


def start(settings: Settings) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "rag.cli",
        "build",
        "--corpus",
        str(settings.corpus),
        "--index",
        str(settings.index),
    ]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # nothing where it has just finished
    process.wait()


def kill_after(settings: Settings, delay: float) -> None:
    process = start(settings)
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        kill(process)


def kill_when(settings: Settings, pattern: str) -> None:
    """Kill a build as soon as a path that was not there before matches the pattern."""
    before = set(settings.index.glob(pattern))
    process = start(settings)
    while process.poll() is None and set(settings.index.glob(pattern)) <= before:
        time.sleep(0.002)
    kill(process)


def assert_answers_or_is_absent(
    settings: Settings, embedder: Embedder, known: dict[str, str] | None
) -> dict[str, str] | None:
    """The index holds one whole state: what it held before, or what the killed build had just finished."""
    try:
        index = Index(settings, embedder.identity)
    except IndexMissing:
        assert known is None
        return None
    now = index.catalog.digests()
    corpus = read_corpus(settings.corpus, most_bytes=settings.article_bytes).articles
    assert now in (known, {article.id: article.digest for article in corpus})
    vector = embedder.questions(["Why was R2 delayed?"])[0]
    row, cosine = index.nearest(vector, 1, "en", Filters())[0]
    assert index.chunks([row])[row][0].article == "2025-08-14-r2-delay.en"
    assert cosine == pytest.approx(float(index.cosines(vector, [row])[0]), abs=1e-5)
    assert index.by_words(["r2"], [], "en", 1, Filters())
    assert index.audit() == []
    index.close()
    return now


def test_killed_builds_lose_and_double_nothing(tmp_path: Path, embedder: Embedder) -> None:
    settings = load(corpus=small_corpus(tmp_path / "corpus", "2024*", "2025-08*"), index=tmp_path / "index")
    began = time.monotonic()
    assert chipdesk("build", "--corpus", settings.corpus, "--index", tmp_path / "rehearsal").returncode == 0
    whole = time.monotonic() - began

    chance = random.Random(20250814)
    first, later = ([whole * (part + chance.random()) / 4 for part in range(4)] for _ in range(2))
    state: dict[str, str] | None = None
    for delay in first:
        kill_after(settings, delay)
        state = assert_answers_or_is_absent(settings, embedder, state)
    for pattern in ("build-*", "build-*/chroma/chroma.sqlite3"):
        put(settings.corpus, f"kill-{len(pattern)}", f"Pattern number {len(pattern)} came and went.")
        kill_when(settings, pattern)
        state = assert_answers_or_is_absent(settings, embedder, state)
    build(settings, embedder=embedder)
    state = assert_answers_or_is_absent(settings, embedder, state)
    for number, delay in enumerate(later):
        put(settings.corpus, f"extra-{number}", f"Plant {number} shipped its modules. It keeps {number} in store.")
        (settings.corpus / "articles" / f"extra-{number - 2}.md").unlink(missing_ok=True)
        kill_after(settings, delay)
        state = assert_answers_or_is_absent(settings, embedder, state)

    build(settings, embedder=embedder)
    clean = settings.model_copy(update={"index": tmp_path / "clean"})
    build(clean, embedder=embedder)
    contents(settings, embedder).assert_same(contents(clean, embedder))
    leftovers = {path.name for path in settings.index.iterdir()} - {".lock", MANIFEST, "vectors.db"}
    assert all(name.startswith("build-") for name in leftovers)
    assert len(leftovers) <= 3


def test_catalogue_rows_are_equal_after_a_kill(tmp_path: Path, embedder: Embedder) -> None:
    settings = load(corpus=small_corpus(tmp_path / "corpus", "2024*"), index=tmp_path / "index")
    kill_when(settings, "build-*/catalog.db")
    build(settings, embedder=embedder)
    clean = settings.model_copy(update={"index": tmp_path / "clean"})
    build(clean, embedder=embedder)
    dumps = []
    for each in (settings, clean):
        catalog = Catalog(each.index / read_manifest(each).build)
        dumps.append((catalog.articles(), catalog.chunks(range(50)), catalog.labels("topic"), catalog.glossary.entries))
        catalog.close()
    assert dumps[0] == dumps[1]


SERVANT = """
import sys
from pathlib import Path
from rag.build import build
from rag.embed import open_embedder
from rag.settings import load
settings = load(corpus=Path(sys.argv[1]), index=Path(sys.argv[2]))
embedder = open_embedder(settings)
embedder.questions(["ready"])
print("ready", flush=True)
sys.stdin.readline()
build(settings, embedder=embedder)
print("done", flush=True)
"""


def test_killed_updates_lose_and_double_nothing(built: Settings, embedder: Embedder, tmp_path: Path) -> None:
    base = read_manifest(built).base
    chance = random.Random(20251126)
    known: dict[str, str] | None = contents(built, embedder).articles
    longest, whole = 0.0, 0
    for number in range(8):
        change_at_random(built, chance, number)
        process = subprocess.Popen(
            [sys.executable, "-c", SERVANT, str(built.corpus), str(built.index)],
            cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        began = time.monotonic()
        process.stdin.write(b"go\n")
        process.stdin.flush()
        if number % 4 == 0:  # one in four may finish, and says how long it takes
            whole += process.stdout.readline() == b"done\n"
            longest = time.monotonic() - began
        else:
            time.sleep(longest * chance.random())
        kill(process)
        process.stdin.close()
        process.stdout.close()
        known = assert_answers_or_is_absent(built, embedder, known)
    assert whole == 2

    build(built, embedder=embedder)
    assert read_manifest(built).base == base
    clean = built.model_copy(update={"index": tmp_path / "clean"})
    build(clean, embedder=embedder)
    contents(built, embedder).assert_same(contents(clean, embedder))
    assert len(list(built.index.glob("build-*"))) <= 3
