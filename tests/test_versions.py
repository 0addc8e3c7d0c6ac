from __future__ import annotations

import json

import httpx
import pytest
from conftest import chipdesk, put
from made import serving

from rag.add import add
from rag.api import create_app
from rag.ask import Chipdesk
from rag.build import build
from rag.catalog import Catalog
from rag.errors import UnknownArticle
from rag.index import read_manifest
from rag.read import Known, read_article, read_corpus
from rag.settings import Settings
from rag.types import Embedder
from rag.versions import corrections, keep, mark, versions


def test_a_withdrawn_article_says_why_and_since_when_and_its_old_version_stays(settings: Settings) -> None:
    path = put(settings.corpus, "a.en", "R2 is late. It could not be trained.")
    before = path.read_bytes()
    written = mark(settings, "a.en", "withdrawn", "The source took it back.")
    (article,) = read_corpus(settings.corpus, most_bytes=2_000_000).articles
    assert article == written
    assert (article.status, article.reason) == ("withdrawn", "The source took it back.")
    assert article.since is not None
    assert [old.read_bytes() for old in versions(settings, "a.en")] == [before]
    (told,) = corrections(settings)
    assert (told.id, told.status, told.reason, told.versions) == ("a.en", "withdrawn", article.reason, 1)


def test_the_build_takes_reason_and_date_over(settings: Settings, embedder: Embedder) -> None:
    put(settings.corpus, "a.en", "R2 is late. It could not be trained.")
    build(settings, embedder=embedder)
    mark(settings, "a.en", "withdrawn", "Wrong.")
    assert build(settings, embedder=embedder).updated == 1
    catalog = Catalog(settings.index / read_manifest(settings).build)
    article = catalog.article("a.en")
    catalog.close()
    assert article is not None
    assert (article.status, article.reason, article.since is not None) == ("withdrawn", "Wrong.", True)
    assert read_manifest(settings).chunks == 0


def test_replacing_an_article_keeps_what_it_said(settings: Settings) -> None:
    first = put(settings.corpus.parent, "../first", "R2 is late. It could not be trained.")
    add(settings, first, Known(id="a.en"))
    first.write_text(first.read_text("utf-8").replace("late", "on time"), "utf-8")
    add(settings, first, Known(id="a.en"), replace=True)
    (old,) = versions(settings, "a.en")
    assert "late" in read_article(old, most_bytes=2_000_000).text
    assert [(one.id, one.status, one.versions) for one in corrections(settings)] == [("a.en", "current", 1)]


def test_the_same_version_is_kept_once(settings: Settings) -> None:
    path = put(settings.corpus, "a.en", "R2 is late.")
    keep(settings, "a.en", path)
    keep(settings, "a.en", path)
    assert len(versions(settings, "a.en")) == 1


def test_marking_what_is_not_there(settings: Settings) -> None:
    with pytest.raises(UnknownArticle, match="no article 'b'"):
        mark(settings, "b", "corrected", "x")


def test_the_commands(settings: Settings) -> None:
    put(settings.corpus, "a.en", "R2 is late. It could not be trained.")
    folders = ("--corpus", settings.corpus)
    done = chipdesk(
        "corrections", "mark", "a.en", "corrected", "--reason", "A date.", *folders, "--index", settings.index
    )
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(chipdesk("corrections", *folders, "--json").stdout)
    assert (told["id"], told["status"], told["reason"]) == ("a.en", "corrected", "A date.")
    assert chipdesk("corrections", "mark", "a.en", "gone", "--reason", "x", *folders).returncode == 2


def test_a_mark_counts_at_once_in_the_answers_of_a_running_server(settings: Settings, embedder: Embedder) -> None:
    text = "DeepSeek postponed R2 because training on Ascend chips failed. The company sent engineers to help."
    put(settings.corpus, "a.en", text, title="DeepSeek delays R2 model")
    put(settings.corpus, "b.en", "Nordwald builds a plant in Görlitz for 300 million euros.", title="Nordwald plant")
    build(settings, embedder=embedder)
    folders = ("--corpus", settings.corpus, "--index", settings.index)
    question = {"question": "Why was R2 postponed?"}
    desk = Chipdesk(settings, embedder=embedder)
    with serving(create_app(settings, desk=desk)) as address, httpx.Client(base_url=address, timeout=60) as client:
        before = client.post("/ask", json=question).json()
        store = desk.index.store
        assert [citation["article"] for citation in before["citations"]] == ["a.en"]
        assert before["citations"][0]["status"] == "current"

        done = chipdesk("corrections", "mark", "a.en", "corrected", "--reason", "The cause was <added>.", *folders)
        assert done.returncode == 0, done.stderr
        after = client.post("/ask", json=question).json()["citations"][0]
        assert after["quote"] == before["citations"][0]["quote"]
        assert (after["status"], after["reason"]) == ("corrected", "The cause was <added>.")

        chipdesk("corrections", "mark", "a.en", "withdrawn", "--reason", "Wrong.", *folders)
        gone = client.post("/ask", json=question).json()
        assert "a.en" not in {citation["article"] for citation in gone["citations"]}
        assert "Ascend" not in gone["answer"]
        assert client.get("/articles/a.en").json()["status"] == "withdrawn"
        # the vectors were not opened again
        assert desk.index.store is store
