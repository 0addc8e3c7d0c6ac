from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import chipdesk, small_corpus

from rag.build import build
from rag.errors import IndexBusy, IndexDamaged, IndexMismatch, IndexMissing
from rag.index import FORMAT, MANIFEST, Index, as_json, building, command, read_manifest, write_manifest
from rag.settings import Settings, load
from rag.types import Embedder, Filters


@pytest.fixture
def copied(small_settings: Settings, tmp_path: Path) -> Settings:
    """Settings of a copy of the small index that a test may break."""
    shutil.copytree(small_settings.index, tmp_path / "an index")
    return small_settings.model_copy(update={"index": tmp_path / "an index"})


def rewrite(settings: Settings, **changes: object) -> None:
    path = settings.index / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


def current(settings: Settings) -> Path:
    return settings.index / read_manifest(settings).build


def use(settings: Settings, embedder: Embedder) -> None:
    """Open the index and read from every part of it."""
    index = Index(settings, embedder.identity)
    vector = embedder.questions(["Why was R2 delayed?"])[0]
    rows = [row for row, _ in index.nearest(vector, 5, "en", Filters())]
    index.cosines(vector, rows)
    index.by_words(["r2"], [], "en", 5, Filters())
    index.chunks(rows)
    index.article("2025-08-14-r2-delay.en")
    index.sentence_cosines(vector, 0, 2)
    index.close()


def test_nothing_built_is_missing_with_the_command_that_builds(settings: Settings) -> None:
    with pytest.raises(IndexMissing) as caught:
        Index(settings, "any")
    assert caught.value.repair == f"Build it with `chipdesk build --corpus {settings.corpus} --index {settings.index}`."


def test_the_default_folders_need_no_options() -> None:
    assert command(load(), "--fresh") == "chipdesk build --fresh"


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"model": "another-model"}, "embedding model 'another-model'"),
        ({"chunker": "0/600"}, "chunker '0/600'"),
        ({"words": 0}, "index terms 0"),
        ({"format": 0}, "another format"),
        ({"format": None}, "another format"),
    ],
    ids=["model", "chunker", "words", "format", "no format"],
)
def test_another_version_is_refused_with_the_command_that_repairs_it(
    changes: dict[str, Any], names: str, copied: Settings, embedder: Embedder
) -> None:
    rewrite(copied, **changes)
    with pytest.raises(IndexMismatch) as caught:
        Index(copied, embedder.identity)
    assert names in caught.value.message
    assert "`chipdesk build " in caught.value.repair
    assert build(copied, embedder=embedder).changed
    use(copied, embedder)


@pytest.mark.parametrize("change", [{"chunk_chars": 800}, {"model": "/other/model"}], ids=["chunk size", "model"])
def test_another_setting_is_refused(change: dict[str, Any], small_settings: Settings) -> None:
    from rag.embed import open_embedder

    changed = small_settings.model_copy(update=change)
    with pytest.raises(IndexMismatch, match=r"Rebuild it with `chipdesk build .*`, or set it back"):
        Index(changed, open_embedder(changed).identity)


def test_the_repair_command_can_be_pasted_into_a_shell(copied: Settings) -> None:
    assert shlex.split(command(copied)) == [
        "chipdesk",
        "build",
        "--corpus",
        str(copied.corpus),
        "--index",
        str(copied.index),
    ]


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def junk(path: Path) -> None:
    path.write_bytes(b"this is not what was written here " * 400)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("harm", [Path.unlink, cut, junk, empty], ids=["missing", "cut in half", "junk", "empty"])
@pytest.mark.parametrize("file", ["catalog.db", "sentences.npy", "chroma/chroma.sqlite3"])
def test_a_damaged_file_is_reported_as_damage(
    file: str, harm: Callable[[Path], None], copied: Settings, embedder: Embedder
) -> None:
    harm(current(copied) / file)
    with pytest.raises(IndexDamaged, match="chipdesk build"):
        use(copied, embedder)


@pytest.mark.parametrize("part", ["", "chroma"], ids=["whole build", "chroma"])
def test_a_missing_folder_is_reported_as_damage(part: str, copied: Settings, embedder: Embedder) -> None:
    shutil.rmtree(current(copied) / part)
    with pytest.raises(IndexDamaged, match="chipdesk build"):
        Index(copied, embedder.identity)


@pytest.mark.parametrize(
    "content",
    ["", "{", f'{{"format": {FORMAT}}}', f'{{"format": {FORMAT}, "build": "../../etc"}}', "\x00\x01"],
    ids=["empty", "broken", "fields missing", "a path", "binary"],
)
def test_a_damaged_manifest_is_reported_as_damage(content: str, copied: Settings, embedder: Embedder) -> None:
    (copied.index / MANIFEST).write_text(content, "utf-8")
    with pytest.raises(IndexDamaged, match="chipdesk build"):
        Index(copied, embedder.identity)
    assert build(copied, embedder=embedder).changed
    use(copied, embedder)


def test_a_build_name_that_leads_outside_is_refused(copied: Settings, embedder: Embedder) -> None:
    rewrite(copied, build="../../etc")
    with pytest.raises(IndexDamaged):
        Index(copied, embedder.identity)


@pytest.mark.parametrize("file", ["catalog.db", "sentences.npy", "chroma/chroma.sqlite3"])
def test_the_repair_for_damage_names_the_damaged_index(file: str, copied: Settings, embedder: Embedder) -> None:
    (current(copied) / file).unlink()
    with pytest.raises(IndexDamaged) as caught:
        Index(copied, embedder.identity)
    assert str(copied.index) in caught.value.repair


def test_a_fresh_build_repairs_damage(copied: Settings, embedder: Embedder) -> None:
    (current(copied) / "catalog.db").unlink()
    (copied.index / "vectors.db").write_bytes(b"junk" * 5_000)
    assert build(copied, fresh=True, embedder=embedder).changed
    use(copied, embedder)


def test_a_second_builder_is_told_to_wait(settings: Settings, embedder: Embedder) -> None:
    with building(settings), pytest.raises(IndexBusy, match="Another process is building"):
        build(settings, embedder=embedder)


def test_a_second_building_process_is_told_to_wait(settings: Settings) -> None:
    with building(settings):
        done = chipdesk("build", "--corpus", settings.corpus, "--index", settings.index)
    assert done.returncode == 1
    assert "Another process is building" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (settings.index / MANIFEST).exists()


def test_the_lock_of_a_finished_builder_is_free(settings: Settings) -> None:
    with building(settings):
        pass
    with building(settings):
        pass


def test_reading_goes_on_while_another_builds(copied: Settings, embedder: Embedder) -> None:
    with building(copied):
        use(copied, embedder)


def test_the_manifest_comes_back_as_written(copied: Settings) -> None:
    manifest = read_manifest(copied)
    write_manifest(copied, manifest)
    assert read_manifest(copied) == manifest
    assert as_json(manifest)["identity"] == manifest.identity
    assert len(manifest.identity) == 16
    assert manifest.newest_date is not None
    assert manifest.age >= 0
    assert not list(copied.index.glob(".manifest*"))


def test_the_build_being_read_survives_the_next_one(tmp_path: Path, embedder: Embedder) -> None:
    settings = load(corpus=small_corpus(tmp_path / "corpus", "2025-08-14*"), index=tmp_path / "index")
    build(settings, embedder=embedder)
    reader = Index(settings, embedder.identity)
    small_corpus(settings.corpus, "2025-01-15*")
    build(settings, embedder=embedder)
    vector = embedder.questions(["MI300X"])[0]
    assert len(reader.nearest(vector, 5, "en", Filters())) == 1
    later = Index(settings, embedder.identity)
    assert len(later.nearest(vector, 5, "en", Filters())) == 2
    assert np.isfinite(reader.sentence_cosines(vector, 0, 1)).all()
    reader.close()
    assert len(later.nearest(vector, 5, "en", Filters())) == 2
    later.close()
