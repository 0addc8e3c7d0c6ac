from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest
from conftest import DATA, REPOSITORY, chipdesk, put
from documents import ENGLISH, PARAGRAPHS
from made import article, r2_corpus

from rag.add import add
from rag.duplicates import Near
from rag.errors import ArticleError
from rag.glossary import Glossary, read_glossary
from rag.read import Known, read_article, read_corpus
from rag.settings import Settings, home
from rag.stories import Stories
from rag.types import Article

TEXT = "\n\n".join(PARAGRAPHS)
REWRITE = TEXT.replace("Start-up", "Unternehmen").replace("um drei Prozent", "deutlich")


def german(text: str = TEXT, **fields: object) -> Article:
    return article(text, **{"id": "a.de", "event": "a", "language": "de", "title": "Möwe"} | fields)


def test_a_copy_and_a_light_rewrite_join_the_story_and_say_whose_text_they_have() -> None:
    stories = Stories([german(event="seeadler")], Glossary())
    for text in (TEXT, REWRITE, PARAGRAPHS[0] + "\n\n" + PARAGRAPHS[1]):
        other = german(text, id="b.de", event="b", published=date(2025, 9, 30))
        placed = stories.placed(other, stories.near(other))
        assert (placed.event, placed.copy_of, placed.text) == ("seeadler", "a.de", text)


def test_a_copy_of_a_copy_is_one_of_the_first() -> None:
    stories = Stories([german()], Glossary())
    for name in ("b", "c"):
        one = german(id=f"{name}.de", event=name)
        one = stories.placed(one, stories.near(one))
        stories.keep(one)
        assert (one.event, one.copy_of) == ("a", "a.de")


def test_what_names_its_story_and_what_resembles_little_stay_as_they_are() -> None:
    stories = Stories([german()], Glossary())
    for other in (
        german(id="b.de", event="chosen"),
        german(id="b.de", event="b", copy_of="x.de"),
        german(
            "Die Notenbank hat ihren Leitzins nicht verändert, wie die Präsidentin mitteilte.", id="b.de", event="b"
        ),
        # some common runs are worth a note, not a verdict
        german("Kurze Meldung. " + TEXT[:60], id="b.de", event="b"),
    ):
        assert stories.placed(other, stories.near(other)) == other


def test_no_article_resembles_itself() -> None:
    assert Stories([german()], Glossary()).near(german()) == ()


@pytest.fixture(scope="module")
def r2(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The R2 story with what touches it: close events in the same weeks, most told in both languages."""
    from rag.settings import load

    return load(corpus=r2_corpus(tmp_path_factory.mktemp("r2") / "corpus"))


def test_the_other_language_version_is_found_among_close_events(r2: Settings) -> None:
    articles = read_corpus(r2.corpus, most_bytes=2_000_000).articles
    glossary = read_glossary(home() / "corpus")[0]
    pairs = {one.event for one in articles if one.language == "de"} & {
        one.event for one in articles if one.language == "en"
    }
    assert len(pairs) >= 6
    stories = Stories([one for one in articles if one.language == "en"], glossary)
    placed = {}
    for one in articles:
        if one.language == "de":
            bare = replace(one, event=one.id.removesuffix(".de"), id=f"new-{one.id}")
            bare = replace(bare, event=bare.id.removesuffix(".de"))
            placed[one.event] = stories.placed(bare, stories.near(bare))
    assert {event for event in pairs if placed[event].event != event} == set()
    assert all(one.copy_of is None for one in placed.values())
    others = {event: one.event for event, one in placed.items() if event not in pairs}
    assert all(event.startswith("new-") for event in others.values())


def test_the_whole_corpus() -> None:
    """Each event with briefs in both languages is found from either, and hardly any other is; events that the weights were
    fitted on (training questions) and the others apart."""
    articles = read_corpus(home() / "corpus", most_bytes=2_000_000).articles
    lines = (REPOSITORY / "tests" / "qa" / "train.jsonl").read_text("utf-8").splitlines()
    fitted = {event for line in lines for event in json.loads(line)["events"]}
    english = {one.id: one for one in articles if one.language == "en"}
    stories = Stories(english.values(), read_glossary(home() / "corpus")[0])
    told = {one.event for one in english.values()}
    for group, least in ((fitted, (0.98, 0.98)), ({one.event for one in articles} - fitted, (0.97, 0.96))):
        right = found = wanted = 0
        for one in articles:
            if one.language == "de" and one.event in group:
                events = [english[near.id].event for near in stories.near(one) if near.kind == "language"]
                right += one.event in events
                found += len(events)
                wanted += one.event in told
        assert wanted > 100
        assert right / found >= least[0], (right, found, wanted)
        assert right / wanted >= least[1], (right, found, wanted)
        print(f"{right} right of {found} found and {wanted} wanted")


def test_another_language_only_counts_within_days(r2: Settings) -> None:
    articles = {one.id: one for one in read_corpus(r2.corpus, most_bytes=2_000_000).articles}
    name = "2025-08-14-deepseek-r2-ascend-training-failed"
    one, other = articles[f"{name}.de"], articles[f"{name}.en"]
    stories = Stories([other], read_glossary(home() / "corpus")[0])
    assert [near.kind for near in stories.near(one)] == ["language"]
    assert stories.near(replace(one, published=one.published + timedelta(days=4))) == ()


def test_the_same_language_in_other_words_is_not_guessed() -> None:
    stories = Stories([german("\n\n".join(ENGLISH), id="a.en", language="en")], Glossary())
    assert stories.near(german(id="b.en", language="en", text=TEXT)) == ()


# --- adding ---


def lay(settings: Settings, name: str, text: str, **fields: str) -> Article:
    path = put(settings.corpus.parent, f"../{name}", text, **{"id": name, "language": "de"} | fields)
    corpus = read_corpus(settings.corpus, most_bytes=2_000_000).articles
    return add(settings, path, Known(), replace=True, stories=Stories(corpus, Glossary())).article


def test_what_is_added_joins_its_story_on_disk_and_keeps_what_was_decided(settings: Settings) -> None:
    lay(settings, "a.de", TEXT)
    copy = lay(settings, "b.de", REWRITE)
    assert (copy.event, copy.copy_of) == ("a", "a.de")
    assert lay(settings, "b.de", REWRITE + "\n\nEin neuer Satz.").copy_of == "a.de"
    known = {one.id: one for one in read_corpus(settings.corpus, most_bytes=2_000_000).articles}
    assert (known["b.de"].event, known["b.de"].copy_of) == ("a", "a.de")


def test_a_wrong_copy_of_is_named(settings: Settings) -> None:
    path = put(settings.corpus, "a.de", TEXT, copy_of="../x")
    with pytest.raises(ArticleError, match=r"'\.\./x' may only have") as caught:
        read_article(path, most_bytes=2_000_000)
    assert caught.value.field == "copy_of"


def test_the_command_says_so_and_can_be_overruled(settings: Settings) -> None:
    (settings.corpus / "glossary.yaml").write_bytes((DATA / "glossary.yaml").read_bytes())
    put(settings.corpus, "2025-08-14-a.de", TEXT, language="de")
    file = put(settings.corpus.parent, "../b", REWRITE, id="2025-08-15-b.de", language="de")
    folders = ("--corpus", settings.corpus, "--index", settings.index)
    done = chipdesk("add", file, *folders)
    assert done.returncode == 0, done.stderr
    assert "A copy of 2025-08-14-a.de." in done.stderr
    done = chipdesk("add", file, "--replace", "--alone", *folders)
    assert done.returncode == 0, done.stderr
    (own,) = [one for one in read_corpus(settings.corpus, most_bytes=2_000_000).articles if one.id.endswith("b.de")]
    assert (own.event, own.copy_of) == ("2025-08-15-b", None)
    chosen = json.loads(chipdesk("add", file, "--replace", "--event", "x", *folders, "--json").stdout)
    assert chosen["added"][0]["new"]


def test_a_note_of_before_is_read_as_a_copy() -> None:
    assert Near("a", 0.5) == Near("a", 0.5, "copy")
