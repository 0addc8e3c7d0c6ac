from __future__ import annotations

import pytest
from made import evidence, question

from rag import phrases
from rag.types import Draft, Language
from rag.write import ExtractiveWriter

GERMAN = evidence("R2 kommt später.", language="de", id="a.de")
ENGLISH = evidence("R2 is late.", language="en", id="a.en")
WRITER = ExtractiveWriter()


def test_without_evidence_nothing_is_written() -> None:
    assert WRITER.write(question(), []) == Draft(None, ())


@pytest.mark.parametrize(("language", "item"), [("en", ENGLISH), ("de", GERMAN)], ids=["en", "de"])
def test_evidence_in_the_askers_language_stands_as_it_is(language: Language, item: object) -> None:
    draft = WRITER.write(question(language=language), [item])  # type: ignore[list-item]
    assert draft == Draft(None, ((item.quote, (0,)),))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("language", "item", "shown"),
    [("en", GERMAN, "„R2 kommt später.“"), ("de", ENGLISH, "“R2 is late.”")],
    ids=["german for en", "english for de"],
)
def test_evidence_in_the_other_language_is_marked_and_announced(language: Language, item: object, shown: str) -> None:
    draft = WRITER.write(question(language=language), [item])  # type: ignore[list-item]
    assert draft == Draft(phrases.other_language(language), ((shown, (0,)),))


@pytest.mark.parametrize("language", ["de", "en"])
def test_where_both_languages_are_quoted_only_the_other_one_is_marked(language: Language) -> None:
    draft = WRITER.write(question(language=language), [GERMAN, ENGLISH])
    assert draft.lead == phrases.some_other_language(language)
    german, english = (text for text, _ in draft.sentences)
    assert (german == GERMAN.quote) == (language == "de")
    assert (english == ENGLISH.quote) == (language == "en")


def test_each_sentence_cites_its_own_evidence_in_the_given_order() -> None:
    items = [evidence(f"Sentence {n}.") for n in range(4)]
    draft = WRITER.write(question(), items)
    assert draft.sentences == tuple((f"Sentence {n}.", (n,)) for n in range(4))
