from __future__ import annotations

from typing import Any

import pytest
from conftest import REPOSITORY, table
from made import evidence

from rag.check import FEATURES, SUPPORTED, TOPIC, TOPIC_FEATURES, WEIGHTS, check, measure, quotations
from rag.glossary import Glossary, read_glossary
from rag.types import Checked, Embedder, Entailer, Evidence


@pytest.fixture(scope="module")
def glossary() -> Glossary:
    return read_glossary(REPOSITORY / "corpus")[0]


@pytest.mark.parametrize("case", table("claims.yaml"), ids=lambda case: case["why"])
def test_verdicts(case: dict[str, Any], glossary: Glossary, embedder: Embedder, entailer: Entailer) -> None:
    language, sentence = case["told"]
    checked = check(
        case["claim"], [evidence(sentence, language=language)], glossary=glossary, embedder=embedder, entailer=entailer
    )
    assert checked.verdict == case["verdict"], checked
    assert set(case.get("kinds", ())) <= {problem.kind for problem in checked.problems}
    assert (checked.score > SUPPORTED) == (checked.verdict == "supported")


def checked(
    claim: str, told: list[Evidence], glossary: Glossary, embedder: Embedder, entailer: Entailer, **more: Any
) -> Checked:
    return check(claim, told, glossary=glossary, embedder=embedder, entailer=entailer, **more)


def test_the_problem_says_what_was_expected(glossary: Glossary, embedder: Embedder, entailer: Entailer) -> None:
    told = [evidence("Nvidia wants to deliver 20,000 H20 chips to China.")]
    (problem,) = checked(
        "Nvidia wants to deliver 25,000 H20 chips to China.", told, glossary, embedder, entailer
    ).problems
    assert (problem.kind, problem.found, problem.expected) == ("number", "25,000", "20,000")


def test_without_evidence_nothing_is_supported(glossary: Glossary, embedder: Embedder, entailer: Entailer) -> None:
    assert checked("Huawei sent engineers.", [], glossary, embedder, entailer).verdict == "unsupported"


def test_the_nearest_evidence_comes_first_and_foreign_evidence_is_not_shown(
    glossary: Glossary, embedder: Embedder, entailer: Entailer
) -> None:
    told = [evidence("ASML moved its office to Eindhoven."), evidence("Huawei sent engineers to DeepSeek.")]
    result = checked("Huawei sent engineers to DeepSeek.", told, glossary, embedder, entailer)
    assert [item.quote for item in result.evidence] == ["Huawei sent engineers to DeepSeek."]
    assert not checked("Pretzels are three euros now.", told, glossary, embedder, entailer).evidence


def test_a_name_of_the_question_needs_no_evidence(glossary: Glossary, embedder: Embedder, entailer: Entailer) -> None:
    told = [evidence("The company sent engineers to DeepSeek.", title="Help")]
    claim = "Huawei sent engineers to DeepSeek."
    assert "name" in {p.kind for p in checked(claim, told, glossary, embedder, entailer).problems}
    asked = checked(claim, told, glossary, embedder, entailer, question="Did Huawei help DeepSeek?")
    assert "name" not in {p.kind for p in asked.problems}


def test_offsets_are_those_of_the_whole_text(glossary: Glossary, embedder: Embedder, entailer: Entailer) -> None:
    result = checked(
        "Huawei sent engineers.", [evidence("Huawei sent engineers.")], glossary, embedder, entailer, start=40
    )
    assert (result.start, result.end) == (40, 62)


def test_the_weights_belong_to_the_features(glossary: Glossary, embedder: Embedder, entailer: Entailer) -> None:
    compared = measure(
        "R2 is late.", [evidence("R2 is late.")], glossary=glossary, embedder=embedder, entailer=entailer
    )
    assert set(compared.features) == set(FEATURES) == set(WEIGHTS) - {"bias"}
    assert set(FEATURES) > set(TOPIC_FEATURES) == set(TOPIC) - {"bias"}


def test_quotation_marks_of_both_languages() -> None:
    text = 'Er sagte „sehr gut“, she said “very good”, "plain" und «schweizerisch» oder »gedreht«.'
    assert [words for _, _, words in quotations(text)] == ["sehr gut", "very good", "plain", "schweizerisch", "gedreht"]
    assert all(text[start:end] == words for start, end, words in quotations(text))


@pytest.mark.parametrize(
    "text", ["…", "„“", "“" * 50, "1.2.3,4..5", "Nvidia " * 200, "\u202eNvidia\x00", "<b>Nvidia</b>"]
)
def test_strange_sentences_get_a_verdict(text: str, glossary: Glossary, embedder: Embedder, entailer: Entailer) -> None:
    result = checked(text, [evidence("Nvidia wants to deliver 20,000 chips.")], glossary, embedder, entailer)
    assert result.text == text
    assert 0 <= result.score <= 1
