from __future__ import annotations

from datetime import date

import pytest
from made import evidence, question

from rag import phrases
from rag.types import Draft, Evidence, Language, Selection
from rag.write import ExtractiveWriter

GERMAN = evidence("R2 kommt später.", language="de", id="a.de")
ENGLISH = evidence("R2 is late.", language="en", id="a.en")
WRITER = ExtractiveWriter()


def written(
    *items: Evidence, text: str = "Why was R2 delayed?", language: Language = "en", wants: str = "", differ: bool = False,
    asked: date | None = None,
) -> Draft:  # fmt: skip
    """One statement for each item."""
    selection = Selection(tuple((item,) for item in items), differ)
    return WRITER.write(question(text, language, wants=frozenset(wants.split()), asked=asked), selection)


def test_without_evidence_nothing_is_written() -> None:
    assert written() == Draft((), ())


@pytest.mark.parametrize(("language", "item"), [("en", ENGLISH), ("de", GERMAN)], ids=["en", "de"])
def test_evidence_in_the_askers_language_stands_as_it_is(language: Language, item: Evidence) -> None:
    assert written(item, language=language) == Draft((), ((item.quote, (0,)),))


@pytest.mark.parametrize(
    ("language", "item", "shown"),
    [("en", GERMAN, "„R2 kommt später.“"), ("de", ENGLISH, "“R2 is late.”")],
    ids=["german for en", "english for de"],
)
def test_evidence_in_the_other_language_is_marked_and_announced(language: Language, item: Evidence, shown: str) -> None:
    assert written(item, language=language) == Draft((phrases.other_language(language),), ((shown, (0,)),))


@pytest.mark.parametrize("language", ["de", "en"])
def test_where_both_languages_are_quoted_only_the_other_one_is_marked(language: Language) -> None:
    draft = written(GERMAN, ENGLISH, language=language)
    assert draft.notes == (phrases.some_other_language(language),)
    german, english = (text for text, _ in draft.sentences)
    assert (german == GERMAN.quote) == (language == "de")
    assert (english == ENGLISH.quote) == (language == "en")


def test_each_statement_cites_all_of_its_evidence_in_the_given_order() -> None:
    one, two, three = (evidence(f"Sentence {n}.") for n in range(3))
    draft = WRITER.write(question(), Selection(((one, two), (three,))))
    assert draft.sentences == (("Sentence 0.", (0, 1)), ("Sentence 2.", (2,)))


@pytest.mark.parametrize(("language", "said"), [("de", "Stand: 3. Mai 2026."), ("en", "As of 3 May 2026.")])
def test_an_answer_about_the_latest_says_as_of_when(language: Language, said: str) -> None:
    newer = evidence("R2 is here.", published=date(2026, 5, 3))
    assert said in written(newer, ENGLISH, language=language, wants="latest").notes
    # what leads tells the state; a newer sentence beside it may be about something else
    older = written(ENGLISH, newer, language=language, wants="latest").notes
    assert said not in older
    assert any("2025" in note for note in older)
    assert said not in written(ENGLISH, newer, language=language).notes


@pytest.mark.parametrize("language", ["de", "en"])
def test_accounts_that_differ_are_announced(language: Language) -> None:
    assert phrases.accounts_differ(language) in written(ENGLISH, language=language, differ=True).notes


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("de", "Die Darstellungen gehen auseinander (neueste: 3. Mai 2026):"),
        ("en", "Accounts of this differ (the newest: 3 May 2026):"),
    ],
)
def test_the_newest_of_accounts_that_differ_is_named_once(language: Language, said: str) -> None:
    newer = evidence("R2 is here.", published=date(2026, 5, 3))
    assert said in written(ENGLISH, newer, language=language, differ=True).notes
    latest = written(newer, ENGLISH, language=language, differ=True, wants="latest").notes
    assert phrases.accounts_differ(language) in latest, "as of when is said already"


@pytest.mark.parametrize(
    ("asked", "text", "said"),
    [
        (date(2026, 8, 15), "Why was R2 delayed?", True), (date(2026, 8, 14), "Why was R2 delayed?", False),
        (date(2026, 8, 15), "Why was R2 delayed in 2025?", False), (None, "Why was R2 delayed?", False),
        (date(2026, 8, 15), "Will R2 come in 2026?", True),
    ],
    ids=["older than a year", "a year old", "the year is asked for", "age does not matter", "a later year is asked for"],
)  # fmt: skip
def test_an_answer_from_old_evidence_says_so(asked: date | None, text: str, said: bool) -> None:
    assert ("The newest evidence for this: 14 August 2025." in written(ENGLISH, text=text, asked=asked).notes) == said
