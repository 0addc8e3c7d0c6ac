from __future__ import annotations

import json

import pytest
from conftest import chipdesk, put

from rag.add import add
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
