from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from datetime import date
from functools import partial
from typing import Any

import httpx
import pytest
from conftest import REPOSITORY, chipdesk, put
from made import serving

from rag.add import add
from rag.api import create_app
from rag.ask import Chipdesk
from rag.build import build
from rag.errors import BadRequest
from rag.read import Known, read_corpus
from rag.recheck import MOST_QUOTES, Finding, read_saved, recheck, saved
from rag.settings import Settings
from rag.types import Embedder
from rag.versions import corrections, mark, older

QUOTE = "R2 could not be trained on Ascend chips."
TEXT = f"R2 is late. {QUOTE} The start is open."


def answer(article: str = "a.en", quote: str = QUOTE, **more: object) -> dict[str, Any]:
    citation = {"number": 1, "article": article, "quote": quote, "start": 12, "end": 12 + len(quote), "title": "T"}
    return {"id": "f00", "question": "Why?", "answer": "x", "citations": [citation | more]}


def checked(settings: Settings, *answers: dict[str, Any]) -> list[Finding]:
    articles = {one.id: one for one in read_corpus(settings.corpus, most_bytes=2_000_000).articles}
    return recheck(saved(list(answers)), articles.get, partial(older, settings))


def replace_text(settings: Settings, text: str) -> None:
    file = put(settings.corpus.parent, "../new", text, id="a.en")
    add(settings, file, Known(id="a.en"), replace=True)


def test_what_nothing_happened_to_stands(settings: Settings) -> None:
    put(settings.corpus, "a.en", TEXT)
    (found,) = checked(settings, answer())
    assert (found.verdict, found.answer, found.question, found.number) == ("stands", "f00", "Why?", 1)


def test_a_quotation_that_only_moved_stands(settings: Settings) -> None:
    put(settings.corpus, "a.en", TEXT)
    replace_text(settings, f"Update: nothing new. {TEXT}")
    assert [found.verdict for found in checked(settings, answer())] == ["stands"]


def test_a_correction_since_is_told_with_reason_and_day_and_an_earlier_one_is_not(settings: Settings) -> None:
    put(settings.corpus, "a.en", TEXT)
    article = mark(settings, "a.en", "corrected", "A date was wrong.")
    (found,) = checked(settings, answer())
    assert (found.verdict, found.reason, found.since) == ("corrected", "A date was wrong.", article.since)
    knew = answer(status="corrected", since=str(article.since))
    assert [one.verdict for one in checked(settings, knew)] == ["stands"]
    knew_another = answer(status="corrected", since="2020-01-01")
    assert [one.verdict for one in checked(settings, knew_another)] == ["corrected"]


def test_what_was_withdrawn_is_told(settings: Settings) -> None:
    put(settings.corpus, "a.en", TEXT)
    mark(settings, "a.en", "withdrawn", "Invented.")
    (found,) = checked(settings, answer())
    assert (found.verdict, found.reason, found.now) == ("withdrawn", "Invented.", None)


def test_another_text_shows_old_and_new(settings: Settings) -> None:
    put(settings.corpus, "a.en", TEXT)
    new = "R2 could be trained on Ascend chips after all."
    replace_text(settings, f"R2 is late. {new} The start is open.")
    (found,) = checked(settings, answer())
    assert (found.verdict, found.quote, found.now, found.version) == ("changed", QUOTE, new, 1)
    replace_text(settings, "Somebody else writes about gardens now.")
    assert [(one.verdict, one.now, one.version) for one in checked(settings, answer())] == [("changed", None, 1)]


def test_what_never_stood_there_has_no_version(settings: Settings) -> None:
    put(settings.corpus, "a.en", TEXT)
    (found,) = checked(settings, answer(quote="Apples are cheap."))
    assert (found.verdict, found.now, found.version) == ("changed", None, None)


def test_a_removed_article_is_told_with_the_version_that_had_it(settings: Settings) -> None:
    path = put(settings.corpus, "a.en", TEXT)
    mark(settings, "a.en", "corrected", "x")
    path.unlink()
    (found,) = checked(settings, answer())
    assert (found.verdict, found.version) == ("removed", 1)


@pytest.mark.parametrize("identity", ["../../secret", "/etc", "a/b", "", ".", "A", "x" * 300])
def test_an_id_is_no_path(settings: Settings, identity: str) -> None:
    folder = settings.corpus.parent / "secret"
    folder.mkdir()
    (folder / "0001.md").write_text(TEXT, "utf-8")
    (found,) = checked(settings, answer(article=identity))
    assert (found.verdict, found.version) == ("removed", None)


# --- reading what was saved ---


def test_one_answer_a_list_and_lines_are_read() -> None:
    one = answer()
    pretty = json.dumps(one, indent=1)
    lines = "\n".join([json.dumps(one), "", json.dumps(one)])
    assert [len(read_saved(text)) for text in (pretty, json.dumps([one, one, one]), lines)] == [1, 3, 2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no answer in it"),
        ("x", "Line 1 is not JSON"),
        (json.dumps(answer()) + "\nx", "Line 2 is not JSON"),
        ("{}", "no answer of Chipdesk: 0.id"),
        ("[1]", "no answer of Chipdesk: 0"),
        (json.dumps(answer(start="x")), "0.citations.0.start"),
        (json.dumps(answer(since="yesterday")), "0.citations.0.since"),
        ("[" * 100_000, "nested too deeply|Line 1 is not JSON"),
        (json.dumps(answer() | {"citations": answer()["citations"] * (MOST_QUOTES + 1)}), "1,001 citations"),
    ],
)
def test_what_is_no_answer_is_named(text: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        read_saved(text)


# --- the doors ---


def test_the_command(settings: Settings, embedder: Embedder) -> None:
    put(settings.corpus, "a.en", TEXT, title="R2 is late")
    build(settings, embedder=embedder)
    given = asdict(Chipdesk(settings, embedder=embedder).ask("Why is R2 late?"))
    assert given["citations"]
    file = settings.corpus.parent / "answer.json"
    file.write_text(json.dumps(given, default=str), "utf-8")
    folders = ("--corpus", settings.corpus)
    done = chipdesk("corrections", "check", file, *folders)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    count = len(given["citations"])
    assert f"{count} of {count} citations in 1 answers stand" in done.stderr

    mark(settings, "a.en", "withdrawn", "The <source> took it [back].")
    done = chipdesk("corrections", "check", file, *folders)
    assert done.returncode == 1
    assert "withdrawn (" in done.stdout
    assert "reason: The <source> took it [back]." in done.stdout
    command = [sys.executable, "-m", "rag.cli", "corrections", "check", "-", "--json", *map(str, folders)]
    piped = subprocess.run(
        command, cwd=REPOSITORY, input=file.read_text(), capture_output=True, text=True, timeout=120, check=False
    )
    assert piped.returncode == 1, piped.stderr
    assert {one["verdict"] for one in json.loads(piped.stdout)} == {"withdrawn"}
    assert chipdesk("corrections", "check", settings.corpus / "none.json", *folders).returncode == 2


def test_over_http(settings: Settings, embedder: Embedder) -> None:
    put(settings.corpus, "a.en", TEXT, title="R2 is late")
    put(settings.corpus, "b.en", "Nothing happened to this one. It stands.")
    mark(settings, "a.en", "corrected", "A date was wrong.")
    build(settings, embedder=embedder)
    desk = Chipdesk(settings, embedder=embedder)
    with serving(create_app(settings, desk=desk)) as address, httpx.Client(base_url=address, timeout=60) as client:
        (told,) = client.get("/corrections").json()
        today = told["since"]
        assert (told["id"], told["status"], told["reason"]) == ("a.en", "corrected", "A date was wrong.")
        assert [one["id"] for one in client.get("/corrections", params={"since": today}).json()] == ["a.en"]
        assert client.get("/corrections", params={"since": "2999-01-01"}).json() == []
        assert client.get("/corrections", params={"since": "soon"}).status_code == 422

        (found,) = client.post("/corrections", json={"answers": [answer()]}).json()
        assert (found["verdict"], found["reason"]) == ("corrected", "A date was wrong.")
        fresh = client.post("/ask", json={"question": "Why is R2 late?"}).json()
        assert {(c["status"], c["reason"], c["since"]) for c in fresh["citations"]} == {
            ("corrected", "A date was wrong.", today)
        }
        again = client.post("/corrections", json={"answers": [fresh]}).json()
        assert {one["verdict"] for one in again} == {"stands"}
        refused = client.post("/corrections", json={"answers": [{"id": 1}]})
        assert refused.status_code == 422
        assert "no answer of Chipdesk" in refused.json()["detail"]
        large = client.post("/corrections", content=b"x" * 4_000_001, headers={"Content-Type": "application/json"})
        assert large.status_code == 413


def test_what_was_replaced_is_told_from_the_day_on(settings: Settings) -> None:
    put(settings.corpus, "a.en", TEXT)
    replace_text(settings, "R2 is here.")
    (told,) = corrections(settings)
    assert (told.status, told.since, told.versions) == ("current", None, 1)
    assert told.changed is not None
    assert corrections(settings, since=told.changed) == [told]
    assert corrections(settings, since=date.max) == []
