from __future__ import annotations

import unicodedata

import pytest
from conftest import table
from hypothesis import given
from hypothesis import strategies as st

from rag.types import Language
from rag.words import fold, language_of, stem, terms, tokens

QUESTIONS = [(language, question) for language, questions in table("languages.yaml").items() for question in questions]


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("name", ["R2", "910C", "H20", "MI300X", "B200", "V3.1", "GB300"])
def test_model_numbers_stay_whole(name: str, language: Language) -> None:
    assert terms(name, language) == [name.lower()]


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("Exportkontrolle", "Exportkontrollen", "de"),
        ("für", "fuer", "de"),
        ("für", "fu\u0308r", "de"),
        ("Förderung", "Foerderungen", "de"),
        ("Straße", "STRASSE", "de"),
        ("Chip", "Chips", "en"),
        ("Chip", "Chips", "de"),
        ("Huawei", "Huaweis", "de"),
        ("Nvidia", "Nvidias", "de"),
        ("export control", "Export Controls", "en"),
        ("DeepSeek", "DeepSeek's", "en"),
        ("DeepSeek", "DeepSeek’s", "en"),
        ("R2", "R2's", "en"),
        ("H20", "H20’s", "en"),
        ("R2", "DeepSeek-R2", "en"),
        ("Ascend 910C", "Ascend-910C", "de"),
    ],
)
def test_spellings_of_one_word_meet(one: str, other: str, language: Language) -> None:
    found = terms(other, language, keep_stopwords=True)
    assert set(terms(one, language, keep_stopwords=True)) <= set(found)


@pytest.mark.parametrize("language", ["de", "en"])
def test_compounds_with_hyphens_give_their_parts(language: Language) -> None:
    assert terms("Huawei-Chips", language) == ["huawei", stem("chips", language)]


def test_different_numbers_stay_different() -> None:
    assert len({*terms("910 910B 910C H20 H200 R1 R2", "de")}) == 7


@pytest.mark.parametrize(
    ("text", "language"), [("Warum ist das so?", "de"), ("Why is it so?", "en"), ("für", "de"), ("fuer", "de")]
)
def test_stop_words_go(text: str, language: Language) -> None:
    assert terms(text, language) == []
    assert terms(text, language, keep_stopwords=True)


def test_tokens_are_the_words_as_written() -> None:
    assert tokens("Die U.S.-Regierung zahlt 1.5 Mrd. für O'Neills „Chip“.") == [
        "Die", "U.S", "Regierung", "zahlt", "1.5", "Mrd", "für", "O'Neills", "Chip",
    ]  # fmt: skip


@given(st.text(max_size=80), st.sampled_from(["de", "en"]))
def test_terms_do_not_depend_on_case_or_composition(text: str, language: Language) -> None:
    composed = unicodedata.normalize("NFC", text)
    assert terms(unicodedata.normalize("NFD", composed), language) == terms(composed, language)


@given(st.text(max_size=80))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(("language", "question"), QUESTIONS, ids=[question for _, question in QUESTIONS])
def test_the_language_of_a_short_question(language: Language, question: str) -> None:
    assert language_of(question) == language


@pytest.mark.parametrize("default", ["de", "en"])
@pytest.mark.parametrize("text", ["", "R2", "H20 MI300X", "?!", "DeepSeek"])
def test_where_nothing_speaks_for_either_the_default_decides(text: str, default: Language) -> None:
    assert language_of(text, default) == default


def test_the_table_of_questions_is_broad() -> None:
    assert len(QUESTIONS) >= 30
