from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import DATA, REPOSITORY, chipdesk, put, small_corpus

from rag.index import read_manifest
from rag.settings import load


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return small_corpus(tmp_path / "corpus", "2025-08-14*")


def test_check_finds_nothing_to_complain_about(corpus: Path) -> None:
    done = chipdesk("check", "--corpus", corpus)
    assert (done.returncode, done.stdout) == (0, "")
    assert "2 articles, 5 glossary entries: nothing to complain about." in done.stderr


def test_check_names_every_bad_file_with_line_and_field(corpus: Path) -> None:
    put(corpus, "bad-date", "Text.", published="2025-02-30")
    (corpus / "articles" / "never-closed.md").write_text("---\ntitle: T\n", "utf-8")
    (corpus / "articles" / "latin.txt").write_bytes("Grüße".encode("latin-1"))
    (corpus / "articles" / "none.txt").touch()
    done = chipdesk("check", "--corpus", corpus)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert f"{corpus / 'articles' / 'bad-date.md'}:5: published: '2025-02-30' is not a date such as 2025-08-14" in lines
    assert "2 articles, 5 glossary entries: 4 to mend." in done.stderr


def test_check_as_json_is_for_machines(corpus: Path) -> None:
    path = put(corpus, "bad-date", "Text.", published="2025-02-30")
    done = chipdesk("check", "--corpus", corpus, "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["articles"], found["glossary"]) == (2, 5)
    (problem,) = found["problems"]
    assert (problem["file"], problem["line"], problem["field"]) == (str(path), 5, "published")


def test_build_then_build_again(corpus: Path, tmp_path: Path) -> None:
    folders = ("--corpus", corpus, "--index", tmp_path / "index")
    first = chipdesk("build", *folders, "--json", "--audit")
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert (report["changed"], report["added"], report["problems"]) == (True, 2, [])
    assert report["manifest"]["articles"] == 2
    assert "Every stored vector finds itself." in first.stderr
    second = chipdesk("build", *folders)
    assert (second.returncode, second.stdout) == (0, "")
    assert "The index is up to date: 2 articles." in second.stderr


def test_build_skips_bad_files_builds_the_others_and_says_so_with_its_exit_code(corpus: Path, tmp_path: Path) -> None:
    bad = put(corpus, "bad-date", "Text.", published="2025-02-30")
    settings = load(corpus=corpus, index=tmp_path / "index")
    done = chipdesk("build", "--corpus", corpus, "--index", settings.index)
    assert done.returncode == 1
    assert f"Skipped {bad}:5: published" in done.stderr
    assert read_manifest(settings).articles == 2


def test_add_takes_a_plain_file_into_an_empty_corpus_and_indexes_it(tmp_path: Path) -> None:
    settings = load(corpus=tmp_path / "corpus", index=tmp_path / "index")
    folders = ("--corpus", settings.corpus, "--index", settings.index)
    done = chipdesk("add", DATA / "export.txt", *folders, "--publisher", "Hafenkurier")
    assert done.returncode == 0, done.stderr
    assert "2025-08-14-export.de" in done.stderr
    assert read_manifest(settings).articles == 1
    again = chipdesk("add", DATA / "export.txt", *folders, "--publisher", "Hafenkurier", "--json")
    assert again.returncode == 0
    assert [(item["id"], item["new"]) for item in json.loads(again.stdout)["added"]] == [
        ("2025-08-14-export.de", False)
    ]


def test_add_refuses_a_bad_file_and_takes_the_good_one(tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"\xff\xfe")
    settings = load(corpus=tmp_path / "corpus", index=tmp_path / "index")
    done = chipdesk("add", bad, DATA / "export.txt", "--corpus", settings.corpus, "--index", settings.index)
    assert done.returncode == 1
    assert f"Skipped {bad}:1: is not UTF-8" in done.stderr
    assert read_manifest(settings).articles == 1


def test_add_refuses_another_text_with_the_same_id(tmp_path: Path) -> None:
    settings = load(corpus=tmp_path / "corpus", index=tmp_path / "index")
    put(settings.corpus, "mine", "An older text.")
    done = chipdesk("add", DATA / "export.txt", "--id", "mine", "--corpus", settings.corpus, "--index", settings.index)
    assert done.returncode == 1
    assert "--replace" in done.stderr
    assert "An older text." in (settings.corpus / "articles" / "mine.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["check", "--corpus", "NOWHERE"], 1, "is not a folder"),
        (["build", "--corpus", "NOWHERE", "--index", "INDEX"], 1, "is not a folder"),
        (["build", "--corpus", "CORPUS", "--index", "FILE"], 2, "FILE"),
        (["add", "NOWHERE"], 2, "does not exist"),
        (["add", "FILE", "FILE", "--title", "T"], 2, "one file"),
        (["build", "--fast"], 2, "No such option"),
        (["frobnicate"], 2, "No such command"),
    ],
    ids=["check nowhere", "build nowhere", "index is a file", "add nowhere", "one title for two", "option", "command"],
)
def test_wrong_commands_get_a_sentence_and_no_traceback(
    arguments: list[str], code: int, says: str, corpus: Path, tmp_path: Path
) -> None:
    (tmp_path / "FILE").write_text("x", "utf-8")
    paths = {"NOWHERE": tmp_path / "NOWHERE", "FILE": tmp_path / "FILE", "INDEX": tmp_path / "INDEX", "CORPUS": corpus}
    done = chipdesk(*(paths.get(argument, argument) for argument in arguments))
    assert "Traceback" not in done.stderr
    assert done.returncode == code
    assert says in " ".join(done.stderr.replace("│", " ").split())


def test_an_unknown_setting_in_the_environment_is_refused(corpus: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rag.cli", "check", "--corpus", str(corpus)],
        cwd=REPOSITORY,
        env=os.environ | {"CHIPDESK_CHUNKCHARS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "CHIPDESK_CHUNKCHARS: there is no such setting." in " ".join(done.stderr.split())


def test_the_repositorys_corpus_is_sound() -> None:
    if not any((REPOSITORY / "corpus" / "articles").rglob("*.md")):
        pytest.skip("the repository has no articles")
    done = chipdesk("check")
    assert done.returncode == 0, done.stdout[:2_000]
