from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from conftest import REPOSITORY, table
from made import evidence

from rag.check import FEATURES, SUPPORTED, TOPIC, TOPIC_FEATURES, WEIGHTS, check, halves, measure, quotations
from rag.glossary import read_glossary
from rag.types import Checked, Embedder, Entailer, Reader


@pytest.fixture(scope="module")
def known(embedder: Embedder, entailer: Entailer, reader: Reader) -> dict[str, Any]:
    """What a sentence is checked with."""
    glossary, _ = read_glossary(REPOSITORY / "corpus")
    return {"glossary": glossary, "embedder": embedder, "entailer": entailer, "reader": reader}


@pytest.fixture(scope="module")
def checked(known: dict[str, Any]) -> Callable[..., Checked]:
    return partial(check, **known)


@pytest.mark.parametrize("case", table("claims.yaml"), ids=lambda case: case["why"])
def test_verdicts(case: dict[str, Any], checked: Callable[..., Checked]) -> None:
    language, sentence = case["told"]
    result = checked(case["claim"], [evidence(sentence, language=language)])
    assert result.verdict == case["verdict"], result
    assert set(case.get("kinds", ())) <= {problem.kind for problem in result.problems}
    assert (result.score > SUPPORTED) == (result.verdict == "supported")


def test_the_problem_says_what_was_expected(checked: Callable[..., Checked]) -> None:
    told = [evidence("Nvidia wants to deliver 20,000 H20 chips to China.")]
    (problem,) = checked("Nvidia wants to deliver 25,000 H20 chips to China.", told).problems
    assert (problem.kind, problem.found, problem.expected) == ("number", "25,000", "20,000")


@pytest.mark.parametrize(
    ("claim", "sentence", "kind", "found", "expected"),
    [
        ("Nvidia shipped more than 20,000 chips to China.", "Nvidia shipped nearly 20,000 chips to China.", "number", "more than 20,000", "nearly 20,000"),
        ("Nvidia shipped 20,000 chips to China.", "Nvidia shipped up to 20,000 chips to China.", "hedge", "20,000", "up to 20,000"),
        ("R2 was scheduled for August 2025.", "R2 was scheduled for May 2025 but has been postponed.", "date", "August 2025", "May 2025"),
    ],
)  # fmt: skip
def test_bounds_and_times_are_shown_with_their_words(
    claim: str, sentence: str, kind: str, found: str, expected: str, checked: Callable[..., Checked]
) -> None:
    problems = checked(claim, [evidence(sentence)]).problems
    assert (kind, found, expected) in [(p.kind, p.found, p.expected) for p in problems]


def test_problems_that_the_weights_were_not_fitted_on_are_no_features(known: dict[str, Any]) -> None:
    told = [evidence("Huawei made nearly 20,000 chips.")]
    turned = measure("Huawei made more than 20,000 chips.", told, **known)
    assert [p.kind for p in turned.problems] == ["number"]
    assert not turned.measured
    assert turned.features["figures_missing"] == 0


def test_without_evidence_nothing_is_supported(checked: Callable[..., Checked]) -> None:
    assert checked("Huawei sent engineers.", []).verdict == "unsupported"


def test_the_nearest_evidence_comes_first_and_foreign_evidence_is_not_shown(
    checked: Callable[..., Checked],
) -> None:
    told = [evidence("ASML moved its office to Eindhoven."), evidence("Huawei sent engineers to DeepSeek.")]
    result = checked("Huawei sent engineers to DeepSeek.", told)
    assert [item.quote for item in result.evidence] == ["Huawei sent engineers to DeepSeek."]
    assert not checked("Pretzels are three euros now.", told).evidence


def test_a_name_of_the_question_needs_no_evidence(checked: Callable[..., Checked]) -> None:
    told = [evidence("The company sent engineers to DeepSeek.", title="Help")]
    claim = "Huawei sent engineers to DeepSeek."
    assert "name" in {p.kind for p in checked(claim, told).problems}
    asked = checked(claim, told, question="Did Huawei help DeepSeek?")
    assert "name" not in {p.kind for p in asked.problems}


def test_offsets_are_those_of_the_whole_text(checked: Callable[..., Checked]) -> None:
    result = checked("Huawei sent engineers.", [evidence("Huawei sent engineers.")], start=40)
    assert (result.start, result.end) == (40, 62)


def test_the_weights_belong_to_the_features(known: dict[str, Any]) -> None:
    compared = measure("R2 is late.", [evidence("R2 is late.")], **known)
    assert set(compared.features) == {*FEATURES, *TOPIC_FEATURES}
    assert set(FEATURES) == set(WEIGHTS) - {"bias"}
    assert set(TOPIC_FEATURES) == set(TOPIC) - {"bias"}


def test_quotation_marks_of_both_languages() -> None:
    text = 'Er sagte „sehr gut“, she said “very good”, "plain" und «schweizerisch» oder »gedreht«.'
    assert [words for _, _, words in quotations(text)] == ["sehr gut", "very good", "plain", "schweizerisch", "gedreht"]
    assert all(text[start:end] == words for start, end, words in quotations(text))


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("She said ‘very good’ and left.", ["very good"]), ("Nvidia said ‘Nvidia’s chips are sold out’ on Monday.", ["Nvidia’s chips are sold out"]),
        ("Er sagte ‚sehr gut‘ und ›ganz gut‹.", ["sehr gut", "ganz gut"]), ("He said “the ‘best’ chip” sold.", ["the ‘best’ chip"]),
        ("Nvidia’s and AMD’s chips", []), ("in the ‘90s, the companies’ chips", []), ("in the ’90s, the companies’ chips", []), ("Rock ’n’ Roll", []),
    ],
)  # fmt: skip
def test_single_quotation_marks_and_apostrophes(text: str, quoted: list[str]) -> None:
    assert [words for _, _, words in quotations(text)] == quoted


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("He said: “Demand is huge.", ["Demand is huge."]), ("We sell everything,” Huang said.", ["We sell everything,"]),
        ("Er sagte: „Die Nachfrage ist hoch.", ["Die Nachfrage ist hoch."]), ("Wir verkaufen alles“, sagte er.", ["Wir verkaufen alles"]),
        ('He said: "Demand is huge.', ["Demand is huge."]), ('We sell everything," he said.', ["We sell everything,"]),
        ("He said: ‘Demand is huge.", ["Demand is huge."]), ("We sell everything,’ Huang said.", ["We sell everything,"]),
        ("«Die Nachfrage ist hoch.", ["Die Nachfrage ist hoch."]), ("»Die Nachfrage ist hoch.", ["Die Nachfrage ist hoch."]),
        # nothing is open here
        ("“Demand is huge,” Huang said.", []), ("„Alles gut“, sagte er, „wirklich gut.“", []), ('A 12" wafer is large.', []),
        ("The companies’ chips are sold.", []), ("In the ‘90s chips were slow.", []), ("No marks here.", []),
    ],
)  # fmt: skip
def test_halves_of_quotations_that_another_sentence_ends_or_begins(text: str, found: list[str]) -> None:
    assert [words for _, _, words in halves(text)] == found
    assert all(text[start:end] == words for start, end, words in halves(text))


@pytest.mark.parametrize(
    "text", ["…", "„“", "“" * 50, "1.2.3,4..5", "Nvidia " * 200, "\u202eNvidia\x00", "<b>Nvidia</b>"]
)
def test_strange_sentences_get_a_verdict(text: str, checked: Callable[..., Checked]) -> None:
    result = checked(text, [evidence("Nvidia wants to deliver 20,000 chips.")])
    assert result.text == text
    assert 0 <= result.score <= 1
