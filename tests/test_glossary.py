from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import DATA, REPOSITORY, table

from rag.glossary import Glossary, read_glossary
from rag.types import Language

BAD = table("bad_glossaries.yaml")


@pytest.fixture(scope="module")
def glossary() -> Glossary:
    found, problems = read_glossary(DATA)
    assert not problems
    return found


@pytest.mark.parametrize(
    ("text", "language", "ids"),
    [
        ("The Office of Trade Control spoke.", "en", ["trade-office"]),
        ("Das Handelskontrollamt prüft.", "de", ["trade-office"]),
        ("Das HKA prüft, sagt das HKA.", "de", ["trade-office", "trade-office"]),
        ("Der Händler nennt es hka.", "de", []),
        ("New export controls hit Nordwald.", "en", ["export-controls", "nordwald"]),
        ("Die Exportkontrolle trifft Nordwald Halbleiter.", "de", ["export-controls", "nordwald"]),
        ("Laut Branche sind die export controls hart.", "de", ["export-controls"]),
        ("Arm designs cores.", "en", ["arm"]),
        ("He broke his arm.", "en", []),
        ("The Lumen X9 is fast, the Lumen is not.", "en", ["lumen-x9"]),
        ("LUMEN X9", "de", ["lumen-x9"]),
        ("", "en", []),
    ],
)
def test_a_text_names_entries(text: str, language: Language, ids: list[str], glossary: Glossary) -> None:
    assert glossary.concepts(text, language) == ids


def test_the_longest_name_wins(glossary: Glossary) -> None:
    assert [words for _, words in glossary.mentions("Nordwald Semiconductor of Nordwald", "en")] == [
        "Nordwald Semiconductor",
        "Nordwald",
    ]


@pytest.mark.parametrize("text", ["Nordwalds Werk", "Nordwald's plant"])
def test_a_genitive_is_the_same_name(text: str, glossary: Glossary) -> None:
    assert glossary.concepts(text, "de" if "Werk" in text else "en") == ["nordwald"]


@pytest.mark.parametrize("case", BAD, ids=[case["name"] for case in BAD])
def test_a_bad_entry_is_named_and_the_others_stay(case: dict[str, Any], tmp_path: Path) -> None:
    good = ["{id: first, kind: chip, en: [Primus], de: [Primus]}", "{id: last, kind: chip, en: [Ultima], de: [Ultima]}"]
    lines = [f"- {entry}\n" for entry in (good[0], case["entry"], good[1])]
    (tmp_path / "glossary.yaml").write_text("".join(lines), "utf-8")
    found, problems = read_glossary(tmp_path)
    assert [entry.id for entry in found.entries] == ["first", "last"]
    (problem,) = problems
    assert problem.line == 2
    assert case["problem"] in problem.problem


@pytest.mark.parametrize(
    "content", ["- {id: x", "id: x\nkind: chip\n", "just words"], ids=["broken", "a mapping", "a word"]
)
def test_a_glossary_that_is_no_list_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "glossary.yaml").write_text(content, "utf-8")
    found, problems = read_glossary(tmp_path)
    assert found.entries == ()
    assert len(problems) == 1
    assert "glossary.yaml" in str(problems[0])


def test_a_glossary_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "glossary.yaml").write_bytes("- {id: x, kind: chip, en: [Größe], de: [Größe]}".encode("latin-1"))
    assert len(read_glossary(tmp_path)[1]) == 1


def test_names_stay_as_written(tmp_path: Path) -> None:
    (tmp_path / "glossary.yaml").write_text("- {id: onsemi, kind: company, en: [ON, 3.10], de: [No, 010]}", "utf-8")
    found, problems = read_glossary(tmp_path)
    assert not problems
    assert (found.entries[0].en, found.entries[0].de) == (("ON", "3.10"), ("No", "010"))


def test_a_corpus_without_glossary_names_nothing(tmp_path: Path) -> None:
    found, problems = read_glossary(tmp_path)
    assert (found.entries, problems, found.concepts("Nordwald", "de")) == ((), [], [])


def test_the_corpus_glossary_is_sound() -> None:
    if not (REPOSITORY / "corpus" / "glossary.yaml").is_file():
        pytest.skip("the corpus has no glossary")
    assert not read_glossary(REPOSITORY / "corpus")[1]


def test_a_fiscal_year_is_that_of_whom_a_text_names(tmp_path: Path) -> None:
    (tmp_path / "glossary.yaml").write_text(
        "- {id: alpha, kind: company, en: [Alpha], de: [Alpha], year_ends: 1}\n"
        "- {id: beta, kind: company, en: [Beta], de: [Beta], year_ends: 8}\n"
        "- {id: gamma, kind: company, en: [Gamma], de: [Gamma]}\n"
        "- {id: chip, kind: chip, en: [Alpha X1], de: [Alpha X1]}\n"
    )
    glossary, problems = read_glossary(tmp_path)
    assert not problems
    texts = ("Alpha", "Alpha and Gamma", "the Alpha X1", "Alpha and Beta", "Gamma")
    assert [glossary.year_ends(text, "en") for text in texts] == [1, 1, 1, None, None]
