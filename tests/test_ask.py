from __future__ import annotations

import re
import threading
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from conftest import DATA, chipdesk, put
from made import R2_EVENT, R2_QUESTIONS

from rag.add import add
from rag.ask import Chipdesk
from rag.build import build
from rag.errors import BadRequest, IndexMissing, UnknownArticle
from rag.read import Known
from rag.settings import Settings, load
from rag.types import Answer, Draft, Embedder, Filters, Language, Question, Selection, Turn

pytest_plugins = ("fixtures_desk",)

OFF_TOPIC = {
    "When did TSMC open its Arizona fab?": "en",
    "What is the best recipe for apple pie?": "en",
    "Wie wird das Wetter morgen in Hamburg?": "de",
    "Wer hat die Bundestagswahl 2021 gewonnen?": "de",
    "xyzzy plugh": "en",
}
FAILED = {"en": r"could not|couldn't|unable|no training run|fail", "de": r"nicht|kein|scheiter|misslang"}
"""How either language says that the training did not work."""


def quotes(answer: Answer) -> str:
    return " ".join(citation.quote for citation in answer.citations)


def assert_exact(desk: Chipdesk, answer: Answer) -> None:
    """Every quotation is what stands in the stored article, and marks, sentences and citations belong together."""
    for citation in answer.citations:
        assert desk.article(citation.article).text[citation.start : citation.end] == citation.quote
    numbers = [citation.number for citation in answer.citations]
    if answer.writer == "extractive":
        assert numbers == list(range(1, len(numbers) + 1))
    assert len(set(numbers)) == len(numbers)  # another writer's keep the numbers under which the evidence was shown
    if not answer.abstained:
        used = {number for sentence in answer.sentences for number in sentence.citations}
        assert used == {citation.number for citation in answer.citations}
        assert {int(number) for number in re.findall(r"\[(\d+)\]", answer.answer)} == used
        assert answer.newest == max(citation.published for citation in answer.citations)


def assert_declined(desk: Chipdesk, answer: Answer) -> None:
    """An abstention is a helpful sentence with the nearest coverage, and says nothing itself."""
    assert answer.abstained
    assert answer.reason in ("no_coverage", "outside_filters", "unsupported")
    assert answer.sentences == ()
    assert answer.answer.endswith(".")
    for citation in answer.citations:
        assert citation.title in answer.answer
    assert_exact(desk, answer)


# --- the R2 story ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "language"), R2_QUESTIONS)
def test_why_r2_was_delayed_is_answered_with_the_cause(desk: Chipdesk, text: str, language: Language) -> None:
    answer = desk.ask(text)
    assert_exact(desk, answer)
    assert not answer.abstained
    assert answer.reason is None
    assert answer.language == language
    assert {citation.language for citation in answer.citations} == {language}
    assert R2_EVENT in {citation.event for citation in answer.citations}
    cause = [
        c.quote for c in answer.citations if re.search("ascend", c.quote, re.I) and re.search("train", c.quote, re.I)
    ]
    assert any(re.search(FAILED[language], quote, re.I) for quote in cause), answer.answer
    assert 1 <= len(answer.sentences) <= desk.settings.sentences
    assert all(citation.sources for citation in answer.citations)


@pytest.mark.parametrize(("text", "language"), R2_QUESTIONS)
def test_the_text_is_the_sentences_with_their_marks(desk: Chipdesk, text: str, language: Language) -> None:
    answer = desk.ask(text)
    told = [f"{s.text} {''.join(f'[{n}]' for n in s.citations)}" for s in answer.sentences]
    assert answer.answer == " ".join([*answer.notes, *told])


@pytest.mark.parametrize("language", ["de", "en"])
def test_the_answer_can_be_asked_for_in_the_other_language(desk: Chipdesk, language: Language) -> None:
    text = next(text for text, own in R2_QUESTIONS if own != language)
    answer = desk.ask(text, language=language)
    assert answer.language == language
    assert not answer.abstained
    assert language in {citation.language for citation in answer.citations}
    assert_exact(desk, answer)


def test_an_english_question_is_answered_from_the_german_only_article(desk: Chipdesk) -> None:
    answer = desk.ask("Since which date does BIS review exports of H200 class chips to China case by case?")
    assert_exact(desk, answer)
    assert not answer.abstained, answer.answer
    assert answer.citations[0].event == "2026-01-13-bis-h200-case-by-case"
    assert answer.answer.startswith("The evidence for this exists in German only")
    assert answer.citations[0].language == "de"


@pytest.mark.parametrize("text", OFF_TOPIC)
def test_what_is_about_something_else_is_declined_and_nothing_is_called_near(desk: Chipdesk, text: str) -> None:
    answer = desk.ask(text)
    assert_declined(desk, answer)
    assert answer.reason == "no_coverage"
    assert answer.language == OFF_TOPIC[text]
    assert answer.citations == ()
    assert ("Korpus" if answer.language == "de" else "corpus") in answer.answer


@pytest.mark.parametrize(
    "text", ["Who is the chief financial officer of DeepSeek?", "Wie viele Menschen arbeiten bei DeepSeek?"]
)
def test_a_near_miss_is_declined_with_what_comes_nearest(desk: Chipdesk, text: str) -> None:
    answer = desk.ask(text)
    assert_declined(desk, answer)
    assert answer.reason == "no_coverage"
    events = [citation.event for citation in answer.citations]
    assert 1 <= len(set(events)) == len(events) <= 3


@pytest.mark.parametrize("text", ["why was Q9X delayed?", "Warum wurde Q9X verschoben?"], ids=["en", "de"])
def test_a_name_that_the_corpus_does_not_know_is_declined(desk: Chipdesk, text: str) -> None:
    assert_declined(desk, desk.ask(text))


def test_the_same_question_has_the_same_answer_and_id(desk: Chipdesk) -> None:
    one, two = desk.ask("why was R2 delayed?"), desk.ask("why was R2 delayed?")
    assert (one.id, one.answer, one.sentences, one.citations) == (two.id, two.answer, two.sentences, two.citations)
    assert re.fullmatch(r"[0-9a-f]{16}", one.id)


def test_the_id_depends_on_question_language_and_filters(desk: Chipdesk) -> None:
    ids = {
        desk.ask("why was R2 delayed?").id,
        desk.ask("why was R1 delayed?").id,
        desk.ask("why was R2 delayed?", language="de").id,
        desk.ask("why was R2 delayed?", filters=Filters(since=date(2025, 1, 1))).id,
        desk.ask("why was R2 delayed?", filters=Filters(topics=("china",))).id,
        desk.ask("why was R2 delayed?", filters=Filters(publishers=("china",))).id,
    }
    assert len(ids) == 6


def test_many_threads_get_the_same_answer(desk: Chipdesk) -> None:
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(desk.ask("why was R2 delayed?"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer.answer for answer in answers}) == 1
    assert len(answers) == 6


# --- filters ---------------------------------------------------------------------------------------------------------


def test_only_what_the_filters_allow_is_quoted(desk: Chipdesk) -> None:
    answer = desk.ask("why was R2 delayed?", filters=Filters(date(2025, 8, 1), date(2025, 8, 31)))
    assert not answer.abstained
    assert {citation.published.strftime("%Y-%m") for citation in answer.citations} == {"2025-08"}
    assert_exact(desk, answer)


def test_a_publisher_is_found_by_its_plain_name(desk: Chipdesk) -> None:
    answer = desk.ask("why was R2 delayed?", filters=Filters(publishers=("The Register",)))
    assert not answer.abstained
    assert {citation.event for citation in answer.citations} == {R2_EVENT}


OUTSIDE = {
    "until": Filters(until=date(2024, 12, 31)),
    "since": Filters(since=date(2100, 1, 1)),
    "topics": Filters(topics=("nothing",)),
    "publishers": Filters(publishers=("Nobody",)),
}


@pytest.mark.parametrize("filters", OUTSIDE.values(), ids=OUTSIDE)
@pytest.mark.parametrize(("text", "language"), R2_QUESTIONS)
def test_an_answer_outside_the_filters_is_not_given_but_mentioned(
    desk: Chipdesk, text: str, language: Language, filters: Filters
) -> None:
    answer = desk.ask(text, filters=filters)
    assert_declined(desk, answer)
    assert answer.reason == "outside_filters"
    assert "ilter" in answer.answer
    timely = desk.ask(f"{text.rstrip('?')} {'im' if language == 'de' else 'in'} August 2025?", filters=filters)
    assert "ilter" in timely.answer, "not the time is to blame"
    assert all(filters.until is None or citation.published <= filters.until for citation in answer.citations)


def test_off_topic_with_filters_is_not_blamed_on_the_filters(desk: Chipdesk) -> None:
    answer = desk.ask("What is the best recipe for apple pie?", filters=Filters(topics=("china",)))
    assert_declined(desk, answer)
    assert answer.reason == "no_coverage"


# --- what is refused -------------------------------------------------------------------------------------------------


def test_an_empty_question_is_refused(desk: Chipdesk) -> None:
    with pytest.raises(BadRequest, match="empty"):
        desk.ask("   ")


def test_an_unknown_writer_is_refused_and_the_known_ones_are_named(desk: Chipdesk) -> None:
    with pytest.raises(BadRequest, match=r"'poet'.*extractive"):
        desk.ask("why was R2 delayed?", writer="poet")


def test_a_conversation_of_the_longest_length_is_read_and_a_longer_one_refused(desk: Chipdesk) -> None:
    history = [Turn("user", "why was R2 delayed?")] * desk.settings.history_turns
    assert not desk.ask("why was R2 delayed?", history=history).abstained
    with pytest.raises(BadRequest, match="21 messages"):
        desk.ask("why was R2 delayed?", history=[*history, history[0]])


def test_an_unknown_article_is_named(desk: Chipdesk) -> None:
    with pytest.raises(UnknownArticle, match=r"nope\.en"):
        desk.article("nope.en")


def test_without_an_index_the_command_that_makes_one_is_named(settings: Settings, embedder: Embedder) -> None:
    with pytest.raises(IndexMissing) as error:
        Chipdesk(settings, embedder=embedder).ask("why was R2 delayed?")
    assert f"chipdesk build --corpus {settings.corpus} --index {settings.index}" in error.value.repair


# --- another writer --------------------------------------------------------------------------------------------------


class Inventor:
    """Writes one sentence on evidence and others on nothing."""

    name = "inventor"

    def write(self, question: Question, selection: Selection) -> Draft:
        last = len(selection.evidence) - 1
        return Draft((), (("Invented.", ()), ("Far away.", (99,)), ("Rests on evidence.", (last,))))


class Liar:
    name = "liar"

    def write(self, question: Question, selection: Selection) -> Draft:
        return Draft((), (("Invented.", ()), ("Far away.", (99,))))


@pytest.fixture(scope="module")
def written(story: Settings, embedder: Embedder) -> Chipdesk:
    return Chipdesk(story, embedder=embedder, writers=[Inventor(), Liar()])


def test_what_a_writer_invents_is_dropped(written: Chipdesk) -> None:
    answer = written.ask("why was R2 delayed?", writer="inventor")
    last = len(written.ask("why was R2 delayed?").citations)
    assert answer.answer == f"Rests on evidence. [{last}]"
    assert answer.writer == "inventor"
    assert_exact(written, answer)


def test_where_a_writer_only_invents_the_evidence_answers(written: Chipdesk) -> None:
    answer = written.ask("why was R2 delayed?", writer="liar")
    assert answer.writer == "extractive"
    assert answer.sentences == written.ask("why was R2 delayed?").sentences


def test_an_answer_is_seen_growing_from_its_evidence(written: Chipdesk) -> None:
    first, *_, last = written.stream("why was R2 delayed?")
    assert (first.sentences, first.citations) == ((), last.citations)
    assert last == replace(written.ask("why was R2 delayed?"), took_ms=last.took_ms)
    (declined,) = written.stream("What is the best recipe for apple pie?")
    assert declined.abstained


# --- questions that compare ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
def test_each_thing_compared_is_searched_for_and_told_in_the_order_asked(desk: Chipdesk, reverse: bool) -> None:
    one, other = ("H200", "H20") if reverse else ("H20", "H200")
    answer = desk.ask(f"{one} vs {other}: what rule for exports to China?")
    events = ["2025-04-15-h20-export-licence", "2026-01-13-bis-h200-case-by-case"]
    found = [event for event in dict.fromkeys(c.event for c in answer.citations) if event in events]
    assert found == (events[::-1] if reverse else events)
    assert_exact(desk, answer)


def test_what_nothing_is_found_on_is_named(desk: Chipdesk) -> None:
    answer = desk.ask("Compare the H20 and the Q9X: what rule for exports to China?")
    assert not answer.abstained
    assert "Nothing found on: Q9X." in answer.notes


def test_a_time_that_is_taken_back_is_taken_back_for_the_parts(desk: Chipdesk) -> None:
    text = "H20 vs H200: what rule for exports to China in May 2024?"
    events = {c.event for c in desk.ask(text, dates=False).citations}
    assert {"2025-04-15-h20-export-licence", "2026-01-13-bis-h200-case-by-case"} <= events
    # declined, it names what is near; an answer from that time would cite it in a sentence
    kept = desk.ask(text)
    said = {number for sentence in kept.sentences for number in sentence.citations}
    assert "2025-04-15-h20-export-licence" not in {c.event for c in kept.citations if c.number in said}


# --- an index that changes -------------------------------------------------------------------------------------------


R2_TEXT = "DeepSeek delayed its R2 model because training on Huawei's Ascend chips failed. The company wants more time."
PIE_TEXT = "The bakery opened its Lisbon shop on 3 May 2024 because the old oven had failed. Nobody bought apple pie."


def test_a_desk_follows_the_index_when_it_is_rebuilt_here_or_elsewhere(settings: Settings, embedder: Embedder) -> None:
    put(settings.corpus, "2024-05-03-bakery.en", PIE_TEXT, title="Bakery opens shop in Lisbon", published="2024-05-03")
    build(settings, embedder=embedder)
    changing = Chipdesk(settings, embedder=embedder)
    before = changing.ask("why was R2 delayed?")
    assert before.abstained

    put(settings.corpus, "2025-08-14-r2.en", R2_TEXT, title="DeepSeek delays R2 model")
    build(settings, embedder=embedder)
    after = changing.ask("why was R2 delayed?")
    assert after.citations[0].quote == R2_TEXT[: R2_TEXT.index(" The company")]
    assert not after.abstained
    assert (after.index, after.id) != (before.index, before.id)

    (settings.corpus / "articles" / "2025-08-14-r2.en.md").unlink()
    elsewhere = chipdesk("build", "--corpus", settings.corpus, "--index", settings.index)
    assert elsewhere.returncode == 0, elsewhere.stderr
    assert changing.ask("why was R2 delayed?").abstained
    with pytest.raises(UnknownArticle):
        changing.article("2025-08-14-r2.en")


def test_what_is_withdrawn_is_not_quoted_any_more_but_can_be_read(settings: Settings, embedder: Embedder) -> None:
    put(settings.corpus, "2025-08-14-r2.en", R2_TEXT, title="DeepSeek delays R2 model")
    build(settings, embedder=embedder)
    changing = Chipdesk(settings, embedder=embedder)
    assert not changing.ask("why was R2 delayed?").abstained

    put(settings.corpus, "2025-08-14-r2.en", R2_TEXT, title="DeepSeek delays R2 model", status="withdrawn")
    build(settings, embedder=embedder)
    answer = changing.ask("why was R2 delayed?")
    assert answer.abstained
    assert answer.citations == ()
    assert changing.article("2025-08-14-r2.en").status == "withdrawn"


def test_an_empty_corpus_says_so(settings: Settings, embedder: Embedder) -> None:
    build(settings, embedder=embedder)
    answer = Chipdesk(settings, embedder=embedder).ask("Warum wurde R2 verschoben?")
    assert answer.abstained
    assert "leer" in answer.answer


# --- one article of a user's own -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Chipdesk:
    """A desk over one German article, taken in as the plain text that a user has."""
    root = tmp_path_factory.mktemp("own")
    settings = load(corpus=root / "corpus", index=root / "index")
    add(settings, DATA / "r2_artikel.txt", Known())
    build(settings, embedder=embedder)
    return Chipdesk(settings, embedder=embedder)


OWN = {
    "why was R2 delayed?": ("en", r"Ascend.*nicht trainieren|Trainingsläufe.*brachen|Lauf"),
    "Warum wurde R2 verschoben?": ("de", r"Ascend.*nicht trainieren"),
    "Who is DeepSeek's founder?": ("en", r"Liang Wenfeng"),
    "Which competitor benefits?": ("en", r"Alibaba"),
    "Welches System schlug den H800?": ("de", r"CloudMatrix 384"),
}


@pytest.mark.parametrize("text", OWN)
def test_one_article_answers_questions_about_it(own: Chipdesk, text: str) -> None:
    language, pattern = OWN[text]
    answer = own.ask(text)
    assert_exact(own, answer)
    assert not answer.abstained, own.evidence(*own.read(text))[0]
    assert re.search(pattern, quotes(answer))
    assert answer.language == language
    assert answer.newest == date(2025, 8, 14)
    lead = "The evidence for this exists in German only"
    assert answer.answer.startswith(lead) == (language == "en")


def test_one_article_does_not_answer_what_it_does_not_tell(own: Chipdesk) -> None:
    assert_declined(own, own.ask("When did TSMC open its Arizona fab?"))


def test_headings_and_the_stray_date_are_never_quoted(own: Chipdesk) -> None:
    for text in (*OWN, "date 2025-08-14", "Abstürze im Training", "Ein Gegenbeispiel"):
        for item in own.evidence(*own.read(text)):
            assert item.quote.endswith(".")
            assert "2025-08-14" not in item.quote


def test_the_corpus_folder_may_be_gone_once_it_is_indexed(tmp_path: Path, embedder: Embedder) -> None:
    settings = load(corpus=tmp_path / "corpus", index=tmp_path / "index")
    put(settings.corpus, "2025-08-14-r2.en", R2_TEXT, title="DeepSeek delays R2 model")
    build(settings, embedder=embedder)
    moved = load(corpus=tmp_path / "elsewhere", index=tmp_path / "index")
    assert not Chipdesk(moved, embedder=embedder).ask("why was R2 delayed?").abstained


@pytest.fixture(scope="module")
def sequel(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Chipdesk:
    """Five old articles that fit a question about Möwe's chip in every word, and a new one that fits less."""
    root = tmp_path_factory.mktemp("sequel")
    settings = load(corpus=root / "corpus", index=root / "index", hits=3)
    for n in range(5):
        text = f"The latest chip of Möwe is the M{n}. Möwe showed its chip M{n} in Kiel. The chip of Möwe costs {n + 3} euros."
        put(settings.corpus, f"2022-0{n + 1}-01-chip-{n}.en", text, published=f"2022-0{n + 1}-01", title="Chip of Möwe")
    text = (
        "The Seeadler has gone on sale in Bremen. It was made by engineers at Möwe and succeeds everything before it."
    )
    put(settings.corpus, "2025-05-02-seeadler.en", text, published="2025-05-02", title="Seeadler on sale")
    assert not build(settings, embedder=embedder).problems
    return Chipdesk(settings, embedder=embedder)


@pytest.mark.parametrize(
    ("text", "filters", "found"),
    [
        ("Which chip did Möwe show?", Filters(), False),
        ("What is the latest chip of Möwe?", Filters(), True),
        ("What is the latest chip of Möwe?", Filters(until=date(2024, 12, 31)), False),
        ("What is the latest chip of Möwe?", Filters(until=date(2023, 12, 31)), False),
    ],
)
def test_the_latest_is_looked_for_in_the_newest_year_too(
    sequel: Chipdesk, text: str, filters: Filters, found: bool
) -> None:
    hits = sequel.retrieve(*sequel.read(text, filters=filters))
    assert len(hits) >= 3
    assert any(hit.article.id == "2025-05-02-seeadler.en" for hit in hits) is found
