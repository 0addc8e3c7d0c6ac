"""A language model as a writer: a scripted server, real HTTP, the real checker."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import table
from hypothesis import given
from hypothesis import strategies as st
from made import evidence, question, serving
from model import ModelServer, model_server

from rag import phrases
from rag.api import create_app
from rag.ask import Chipdesk
from rag.check import check
from rag.chunk import sentences as split
from rag.errors import LlmError, SettingsError, Trouble
from rag.glossary import Glossary
from rag.llm import (
    Heard,
    Limits,
    LlmWriter,
    harmless,
    messages,
    open_model,
    probe,
    sentences,
    spoken,
)
from rag.settings import Settings, load
from rag.types import LANGUAGES, Checked, Draft, Embedder, Entailer, Evidence, Language, Question, Reader, Selection

pytest_plugins = ("fixtures_desk",)

PATIENCE = 20
"""Seconds; for a loaded machine, not a measurement."""
TRAINING = evidence(
    "DeepSeek postponed its R2 model because training failed on Huawei's Ascend processors, the Financial Times reported.",
    id="a.en", event="a",
)  # fmt: skip
LABELS = evidence("Slow data labelling also delayed R2 by 3 months, according to Reuters.", id="b.en", event="b")
DEUTSCH = evidence(
    "DeepSeek verschob sein Modell R2 laut Financial Times, weil das Training auf Huaweis Ascend-Prozessoren scheiterte.",
    language="de", id="a.de", event="a",
)  # fmt: skip
ETIKETTEN = evidence(
    "Laut Reuters verzögerte auch die langsame Beschriftung der Daten R2 um 3 Monate.",
    language="de",
    id="b.de",
    event="b",
)
BOTH: dict[Language, tuple[Evidence, Evidence]] = {"en": (TRAINING, LABELS), "de": (DEUTSCH, ETIKETTEN)}
GOOD = f"{TRAINING.quote} [1] "
NEXT = f"{LABELS.quote} [2]"


def chosen(*items: Evidence, differ: bool = False) -> Selection:
    return Selection(tuple((item,) for item in items or (TRAINING, LABELS)), differ)


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with model_server() as server:
        yield server


def settings_for(server: ModelServer, **values: Any) -> Settings:
    return load(**{"llm_url": server.url, "llm_model": "m", "llm_first_seconds": PATIENCE, **values})


@pytest.fixture(scope="module")
def checker(embedder: Embedder, entailer: Entailer, reader: Reader) -> Callable[..., Checked]:
    def checked(text: str, items: list[Evidence], *, question: Question) -> Checked:
        known = {"glossary": Glossary(), "embedder": embedder, "entailer": entailer, "reader": reader}
        return check(text, items, question=question.standalone, **known)  # type: ignore[arg-type]

    return checked


class Desk:
    """A writer at the scripted server, and what it heard."""

    def __init__(self, server: ModelServer, checker: Callable[..., Checked]) -> None:
        self.server = server
        self.heard: list[Heard] = []
        self._make = partial(LlmWriter, open_model(settings_for(server)), check=checker, split=split)

    def writer(self, **limits: float) -> LlmWriter:
        self.heard.clear()
        return self._make(limits=Limits(**limits), listen=self.heard.append)  # type: ignore[arg-type]

    def writes(self, *said: str, selection: Selection | None = None, language: Language = "en", **script: Any) -> Draft:
        self.server.says(*said, **script)
        asked = question(language=language)
        return self.writer().write(asked, selection or chosen(*BOTH[language]))


@pytest.fixture
def desk_of(server: ModelServer, checker: Callable[..., Checked]) -> Desk:
    return Desk(server, checker)


# --- what the model is told ------------------------------------------------------------------------------------------

INJECTIONS = {case["name"]: case for case in table("injections.yaml")}
injected = pytest.mark.parametrize("case", INJECTIONS.values(), ids=INJECTIONS)


def prompt(asked: Question, selection: Selection) -> tuple[str, str, str]:
    """Instructions and task without the drawn name of the fence, and what stands inside the fence."""
    system, user = (str(message.content) for message in messages(asked, selection))
    (name,) = re.findall(r"\A.*?<<EVIDENCE (\w{8})>>\n", user, re.DOTALL)
    opened, closed = f"<<EVIDENCE {name}>>\n", f"\n<<END {name}>>"
    assert user.count(opened.strip()) == user.count(closed.strip()) == 1
    inside = user.split(opened)[1].split(closed)[0]
    return system.replace(name, "NAME"), user.replace(inside, "").replace(name, "NAME"), inside


def test_there_are_enough_cases_in_both_languages() -> None:
    assert len(INJECTIONS) >= 25
    assert {case["language"] for case in INJECTIONS.values()} == set(LANGUAGES)


@injected
def test_an_article_cannot_leave_the_fence(case: dict[str, str]) -> None:
    asked = question(language=case["language"])  # type: ignore[arg-type]
    hostile = evidence(case["text"], title=case["text"])
    plain = prompt(asked, chosen(TRAINING, LABELS))
    system, task, inside = prompt(asked, chosen(TRAINING, hostile))
    assert (system, task) == plain[:2], "nothing outside the fence depends on an article"
    lines = inside.split("\n")
    assert [line[:4] for line in lines] == ["[1] ", "[2] "]
    assert not re.search(r"[<>\[\]{}`【】]", "".join(line[4:] for line in lines))


@injected
def test_a_model_that_obeys_an_article_is_not_heard(case: dict[str, str], desk_of: Desk) -> None:
    language: Language = case["language"]  # type: ignore[assignment]
    first, _ = BOTH[language]
    draft = desk_of.writes(
        f"{first.quote} [1]\n{case['obeys']}\n",
        selection=chosen(first, evidence(case["text"], language=language, id="x")),
        language=language,
    )
    shown = [text for text, _ in draft.sentences]
    assert shown[0] == first.quote
    # what fell may make place for the evidence it cites: that is the article's own sentence, shown as a quotation
    assert set(shown[1:]) <= {case["text"]}
    assert (len(desk_of.heard) > 1) == bool(case["obeys"].strip())
    assert all(heard.reasons for heard in desk_of.heard[1:])


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_whatever_a_text_holds_it_stays_on_its_line_and_opens_nothing(text: str) -> None:
    made = harmless(text)
    assert not re.search(r"[<>\[\]{}`\n\r\u2028\u2029\u0085]", made)
    assert harmless(made) == made


@pytest.mark.parametrize("language", LANGUAGES)
def test_evidence_is_numbered_with_outlet_and_date(language: Language) -> None:
    _, task, inside = prompt(question("Why <b>R2</b>?", language), chosen())
    assert inside.startswith(f"[1] Financial Times; {'14. August' if language == 'de' else '14 August'} 2025: DeepSeek")
    assert "Why ‹b›R2‹/b›?" in task
    assert "{" not in task


def test_a_statement_of_several_articles_is_told_once() -> None:
    _, _, inside = prompt(question(), Selection(((TRAINING, DEUTSCH), (LABELS,))))
    assert [line[:3] for line in inside.split("\n")] == ["[1]", "[2]"]


# --- what the model says ---------------------------------------------------------------------------------------------

SAID: dict[str, tuple[str, list[tuple[str, tuple[int, ...]]]]] = {
    "mark after the stop": ("One is late. [1] Two is not. [2]", [("One is late.", (1,)), ("Two is not.", (2,))]),
    "mark before the stop": ("One is late [1]. Two is not [2].", [("One is late.", (1,)), ("Two is not.", (2,))]),
    "several": ("One is late [1][2]. Two is [1, 3].", [("One is late.", (1, 2)), ("Two is.", (1, 3))]),
    "list": ("- One is late. [1]\n2) Two is. [2]\n3. Three is.[3]", [("One is late.", (1,)), ("Two is.", (2,)), ("Three is.", (3,))]),
    "mark first": ("[1] One is late.\n[2] Two is.", [("One is late.", (1,)), ("Two is.", (2,))]),
    "emphasis": ("**One** is `late`. [^1]", [("One is late.", (1,))]),
    "other brackets": ("One is late.【1】", [("One is late.", (1,))]),
    "no mark": ("One is late. Two is.", [("One is late.", ()), ("Two is.", ())]),
    "german": (
        "Am 3. Okt. 2025 kostete er ca. 1,5 Mrd. Dollar. [1] Das sagte Dr. Li. [2]",
        [("Am 3. Okt. 2025 kostete er ca. 1,5 Mrd. Dollar.", (1,)), ("Das sagte Dr. Li.", (2,))],
    ),
    "date first": ("3. Oktober 2025 war der Tag. [1]", [("3. Oktober 2025 war der Tag.", (1,))]),
    "thinking": ("<think>One. Two.</think>\n\nThree is late. [1]", [("Three is late.", (1,))]),
    "only thinking": ("<think>One. Two.", []),
    "company": ("Intel Inc. In 2025 rose. [1]", [("Intel Inc.", ()), ("In 2025 rose.", (1,))]),
    "unseen": ("One\u200b is \x07late. [1]", [("One is late.", (1,))]),
    "nothing": (" \n ", []),
}  # fmt: skip


@pytest.mark.parametrize(("text", "found"), SAID.values(), ids=SAID)
def test_text_becomes_sentences_with_numbers_however_it_is_cut(
    text: str, found: list[tuple[str, tuple[int, ...]]]
) -> None:
    for size in (1, 2, 3, 7, 1000):
        pieces = (text[at : at + size] for at in range(0, len(text), size))
        assert list(sentences(pieces, "de" if "Okt" in text else "en", split, most=9)) == found, size


def test_a_sentence_comes_as_soon_as_the_next_one_begins() -> None:
    pieces = iter(["One is late. [1] Two ", "is. [2]"])
    read = sentences(pieces, "en", split, most=9)
    assert next(read) == ("One is late.", (1,))
    assert next(pieces) == "is. [2]"


@pytest.mark.parametrize("piece", ["La la la. [1]\n", "la ", "x" * 100, "<think>", "\n"])
def test_who_does_not_stop_is_not_read_for_ever(piece: str) -> None:
    def endless() -> Iterator[str]:
        for _ in range(20_000):
            yield piece

    read = list(sentences(endless(), "en", split, most=6))
    assert len(read) <= 6
    assert all(len(text) <= 2_000 for text, _ in read)


# --- what is shown of it ---------------------------------------------------------------------------------------------


def test_sentences_that_the_evidence_bears_out_are_shown_with_their_numbers(desk_of: Desk) -> None:
    draft = desk_of.writes(GOOD, NEXT)
    assert draft.sentences == ((TRAINING.quote, (0,)), (LABELS.quote, (1,)))
    assert draft.notes == (phrases.by_a_model("en"),)


FALLS: dict[str, tuple[str, str]] = {
    "number": ("Slow data labelling also delayed R2 by 9 months, according to Reuters. [2]", "number"),
    "invented": ("Nvidia bought a bakery in Paris for its canteen. [2]", ""),
    "another company": ("Slow data labelling also delayed R2 by 3 months, according to Bloomberg. [2]", ""),
    "no citation there is": ("Nvidia bought a bakery in Paris for its canteen. [7]", "citation"),
    "no citation": ("Nvidia bought a bakery in Paris for its canteen.", "citation"),
    "wrong language": ("Auch die langsame Beschriftung der Daten verzögerte R2 um 3 Monate. [2]", "language"),
    "preface": ("Sure, here is what I found for you today:", "citation"),
}


@pytest.mark.parametrize(("said", "reason"), FALLS.values(), ids=FALLS)
def test_what_the_evidence_does_not_say_falls_and_is_counted(desk_of: Desk, said: str, reason: str) -> None:
    draft = desk_of.writes(GOOD, said)
    replaced = said.endswith("[2]")
    assert draft.sentences == ((TRAINING.quote, (0,)), *([(LABELS.quote, (1,))] if replaced else []))
    assert draft.notes == (phrases.by_a_model("en"), phrases.fell(1, 2, int(replaced), "en"))
    fallen = desk_of.heard[-1]
    assert fallen.text == said.removesuffix(" [2]").removesuffix(" [7]")
    assert fallen.reasons
    assert not reason or reason in fallen.reasons


@pytest.mark.parametrize("mark", ["", " [2]", " [9]"], ids=["none", "wrong", "not there"])
def test_a_true_sentence_with_a_bad_mark_cites_what_bears_it_out(desk_of: Desk, mark: str) -> None:
    assert desk_of.writes(TRAINING.quote + mark).sentences == ((TRAINING.quote, (0,)),)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_line_of_evidence_that_is_copied_whole_is_shown_without_its_head(desk_of: Desk, language: Language) -> None:
    one, two = BOTH[language]
    _, _, inside = prompt(question(language=language), chosen(one, two))
    copied = [f"{line[4:]} {line[:3]} " for line in inside.split("\n")]
    assert all("2025: " in line for line in copied)
    assert desk_of.writes(*copied, language=language).sentences == ((one.quote, (0,)), (two.quote, (1,)))
    assert not any(heard.reasons for heard in desk_of.heard)


def test_all_evidence_of_a_statement_is_cited(desk_of: Desk) -> None:
    selection = Selection(((LABELS, replace(LABELS, support=0.5)), (TRAINING,)))
    draft = desk_of.writes(f"{TRAINING.quote} [2] {LABELS.quote} [1]", selection=selection)
    assert draft.sentences == ((TRAINING.quote, (2,)), (LABELS.quote, (0, 1)))


def test_what_was_said_is_not_said_again(desk_of: Desk) -> None:
    assert len(desk_of.writes(GOOD * 3).sentences) == 1


def test_replacements_wait_for_a_sentence_of_the_model(desk_of: Desk) -> None:
    bad = "R2 was late by 77 years because of Intel. [2] "
    assert [cited for _, cited in desk_of.writes(bad, GOOD).sentences] == [(1,), (0,)]
    assert desk_of.writes(bad) == Draft((phrases.no_model("nonsense", "en"),), ())


def test_a_side_that_the_model_leaves_out_is_added_where_accounts_differ(desk_of: Desk) -> None:
    assert desk_of.writes(GOOD, selection=chosen(differ=True)).sentences == (
        (TRAINING.quote, (0,)),
        (LABELS.quote, (1,)),
    )
    assert desk_of.writes(GOOD).sentences == ((TRAINING.quote, (0,)),)


def test_a_translation_says_that_it_is_one(desk_of: Desk) -> None:
    draft = desk_of.writes(GOOD, selection=chosen(TRAINING, ETIKETTEN))
    assert draft.notes[:2] == (phrases.by_a_model("en"), phrases.translated("en"))


# --- a model that fails ----------------------------------------------------------------------------------------------

FAILS: dict[str, tuple[Trouble, dict[str, Any]]] = {
    "key": ("key_refused", {"status": 401}),
    "model": ("model_unknown", {"status": 404}),
    "request": ("refused", {"status": 400}),
    "too many": ("refused", {"status": 429}),
    "elsewhere": ("refused", {"status": 302}),
    "down": ("failed", {"status": 500}),
    "empty": ("empty", {}),
    "blank": ("empty", {"said": ("\n", " ")}),
    "cut": ("broke_off", {"ends": "cut"}),
    "page": ("empty", {"page": "<html>Welcome</html>"}),
    "nonsense": ("nonsense", {"said": ("Bananas are yellow. [1] ", "Fish swim [2]. ", "Moons turn.")}),
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("trouble", "script"), FAILS.values(), ids=FAILS)
def test_a_model_that_fails_leaves_a_note_and_no_sentence(
    desk_of: Desk, trouble: Trouble, script: dict[str, Any], language: Language
) -> None:
    said = script.get("said", ())
    draft = desk_of.writes(*said, language=language, **{k: v for k, v in script.items() if k != "said"})
    assert draft == Draft((phrases.no_model(trouble, language),), ())


def test_a_model_that_is_silent_is_left(desk_of: Desk) -> None:
    desk_of.server.says(ends="silent")
    assert desk_of.writer(first_seconds=0.5).write(question(), chosen()).notes == (phrases.no_model("too_slow", "en"),)
    assert desk_of.server.left.wait(PATIENCE)


def test_a_model_that_breaks_off_keeps_what_passed(desk_of: Desk) -> None:
    draft = desk_of.writes(GOOD, "Slow data", ends="cut")
    assert draft.sentences == ((TRAINING.quote, (0,)),)
    assert draft.notes[-1] == phrases.broke_off("broke_off", "en")


def test_a_model_that_never_ends_is_closed(desk_of: Desk) -> None:
    draft = desk_of.writes(GOOD, "La la la. ", ends="never")
    assert draft.sentences == ((TRAINING.quote, (0,)),)
    assert desk_of.server.left.wait(PATIENCE)
    desk_of.server.says(GOOD, "la ", ends="never")
    desk_of.writer(seconds=1.0).write(question(), chosen())
    assert desk_of.server.left.wait(PATIENCE)


def test_where_nobody_listens_it_is_said(checker: Callable[..., Checked]) -> None:
    settings = load(llm_url="http://127.0.0.1:9/v1", llm_model="m")
    writer = LlmWriter(open_model(settings), check=checker, split=split)
    assert writer.write(question(), chosen()).notes == (phrases.no_model("unreachable", "en"),)


@pytest.mark.parametrize("how", ["stop", "close"])
def test_who_leaves_closes_the_request(desk_of: Desk, how: str) -> None:
    desk_of.server.says(GOOD, "Slow ", ends="never")
    stop = threading.Event()
    growing = desk_of.writer().stream(question(), chosen(), stop)
    assert next(growing).sentences
    if how == "stop":
        stop.set()
        assert [draft.sentences for draft in growing] == [()]
    else:
        growing.close()  # type: ignore[attr-defined]
    assert desk_of.server.left.wait(PATIENCE)


# --- which model -----------------------------------------------------------------------------------------------------


def test_the_request_carries_model_key_and_limits(desk_of: Desk) -> None:
    server = desk_of.server
    server.says("ready")
    settings = settings_for(server, llm_key="s3cret", llm_tokens=77)
    assert probe(open_model(settings), Limits()).said == "ready"
    (request,) = server.requests
    assert (request["path"], request["key"]) == ("/v1/chat/completions", "Bearer s3cret")
    assert (request["model"], request["max_tokens"], request["temperature"]) == ("m", 77, 0.0)
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize("status", [401, 500])
def test_the_key_is_in_no_message(server: ModelServer, status: int) -> None:
    server.says(status=status)
    with pytest.raises(LlmError) as error:
        probe(open_model(settings_for(server, llm_key="s3cret")), Limits())
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "No language model"), ({"llm_url": "http://127.0.0.1:9/v1"}, "CHIPDESK_LLM_MODEL"),
        ({"llm_url": "http://127.0.0.1:9/v1", "llm_gguf": "x.gguf"}, "Both"),
    ],
)  # fmt: skip
def test_settings_that_name_no_model_say_what_is_missing(values: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        open_model(load(**values))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1:11434", "http://x y", "http://x/?a=b"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="llm_url"):
        load(llm_url=url)


@pytest.mark.parametrize(
    ("content", "trouble"), [(None, "no_file"), (b"PK\x03\x04 no model", "not_gguf"), (b"", "not_gguf")]
)
def test_a_file_that_is_no_model_is_named(tmp_path: Path, content: bytes | None, trouble: Trouble) -> None:
    path = tmp_path / "m.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LlmError, match=r"m\.gguf") as error:
        probe(open_model(load(llm_gguf=path)), Limits())
    assert error.value.trouble == trouble


def test_any_model_of_llamaindex_can_write(checker: Callable[..., Checked]) -> None:
    from contextlib import asynccontextmanager

    from llama_index.core.llms import MockLLM

    @asynccontextmanager
    async def model() -> Any:
        yield MockLLM()  # LlamaIndex's own: it repeats what it is asked

    draft = LlmWriter(model, check=checker, split=split).write(question(), chosen())
    assert draft.sentences or draft.notes
    assert "".join(spoken(model, messages(question(), chosen()), Limits(), threading.Event()))


# --- the whole line --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(story: Settings, embedder: Embedder, server: ModelServer) -> Chipdesk:
    """Answers from the R2 story, with the scripted model."""
    values = {"llm_url": server.url, "llm_model": "m"}
    return Chipdesk(load(corpus=story.corpus, index=story.index, **values), embedder=embedder)


ASKED = "why was R2 delayed?"


def test_evidence_is_shown_before_the_model_says_a_word(written: Chipdesk, server: ModelServer) -> None:
    held = threading.Event()
    server.says("Bananas are yellow. [1]", held=held)
    growing = written.stream(ASKED, writer="llm")
    first = next(growing)
    assert first.citations
    assert first.sentences == ()
    held.set()
    *_, answer = growing
    quoted = written.ask(ASKED)
    assert (answer.writer, answer.sentences, answer.citations) == ("extractive", quoted.sentences, quoted.citations)
    assert answer.notes == (phrases.no_model("nonsense", "en"), *quoted.notes)


def test_a_written_answer_keeps_the_numbers_of_the_evidence_shown(written: Chipdesk, server: ModelServer) -> None:
    quoted = written.ask(ASKED)
    last = quoted.sentences[-1]
    server.says(f"{last.text} [{len(quoted.sentences)}]")
    first, *_, answer = written.stream(ASKED, writer="llm")
    assert answer.writer == "llm"
    assert last.text in [sentence.text for sentence in answer.sentences]
    shown = {citation.number: citation for citation in first.citations}
    assert all(shown[citation.number] == citation for citation in answer.citations)
    assert {n for s in answer.sentences for n in s.citations} == {citation.number for citation in answer.citations}


@pytest.fixture(scope="module")
def client(written: Chipdesk) -> Iterator[httpx.Client]:
    with (
        serving(create_app(written.settings, desk=written)) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        yield client


def test_events_come_while_the_model_writes(client: httpx.Client, written: Chipdesk, server: ModelServer) -> None:
    held = threading.Event()
    server.says(f"{written.ask(ASKED).sentences[0].text} [1]\n", held=held)
    body, headers = {"question": ASKED, "writer": "llm"}, {"Accept": "text/event-stream"}
    with client.stream("POST", "/ask", json=body, headers=headers) as response:
        names = (line.removeprefix("event: ") for line in response.iter_lines() if line.startswith("event: "))
        assert next(names) == "evidence"
        held.set()
        assert next(names) == "sentence"
        assert list(names)[-1] == "done"


@pytest.mark.parametrize("streaming", [True, False], ids=["events", "json"])
def test_a_client_that_leaves_ends_the_request_to_the_model(
    client: httpx.Client, server: ModelServer, streaming: bool
) -> None:
    server.says(ends="silent")
    headers = {"Accept": "text/event-stream"} if streaming else {}
    body = {"question": ASKED, "writer": "llm"}
    if streaming:
        with client.stream("POST", "/ask", json=body, headers=headers) as response:
            lines = response.iter_lines()
            assert next(lines) == "event: evidence"
            _wait_for(server)
    else:
        with pytest.raises(httpx.ReadTimeout):
            client.post("/ask", json=body, timeout=httpx.Timeout(60, read=4))
    assert server.left.wait(PATIENCE)


def _wait_for(server: ModelServer) -> None:
    until = time.monotonic() + PATIENCE
    while not server.requests and time.monotonic() < until:
        time.sleep(0.02)
    assert server.requests


def test_the_page_shows_evidence_first_and_sentences_as_they_pass(written: Chipdesk, server: ModelServer) -> None:
    import ui

    held = threading.Event()
    server.says(f"{written.ask(ASKED).sentences[0].text} [1]\n", held=held)
    replies = ui._replies(written, ASKED, [], [], (None, None, [], [], "", True))
    first, said = next(replies)
    assert 'class="card"' in first
    assert 'class="writing"' in first
    assert said == []
    held.set()
    *_, (last, said) = replies
    assert 'class="writing"' not in last
    assert phrases.by_a_model("en") in last
    assert len(said) == 2


# --- on the command line ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "code", "says"),
    [
        ({"said": ("ready",)}, 0, "works"),
        ({"status": 401}, 1, "refused the key"),
        ({"status": 404}, 1, "no such model"),
    ],
    ids=["works", "key", "model"],
)
def test_the_check_says_in_a_sentence_how_the_model_is(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    script: dict[str, Any], code: int, says: str,
) -> None:  # fmt: skip
    from rag import cli

    server.says(*script.pop("said", ()), **script)
    monkeypatch.setenv("CHIPDESK_LLM_URL", server.url)
    monkeypatch.setenv("CHIPDESK_LLM_MODEL", "m")
    monkeypatch.setattr("sys.argv", ["chipdesk", "llm", "check"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr()
    assert (ended.value.code or 0, says in " ".join((told.out + told.err).split())) == (code, True)


def test_without_a_model_the_settings_are_named(story: Settings, embedder: Embedder) -> None:
    from rag.errors import BadRequest

    with pytest.raises(BadRequest, match="CHIPDESK_LLM_URL"):
        Chipdesk(story, embedder=embedder).ask(ASKED, writer="llm")
