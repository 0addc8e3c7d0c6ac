from __future__ import annotations

from datetime import date

import pytest

from rag.glossary import Glossary, read_glossary
from rag.parts import parts
from rag.settings import home
from rag.types import Language

TODAY = date(2026, 7, 10)
APART: tuple[tuple[Language, str, tuple[str, ...]], ...] = (
    ("en", "a800 vs a100 interconnect speed", ("a800 interconnect speed", "a100 interconnect speed")),
    ("en", "Compare V3 with V4-Pro: how many parameters?", ("Compare V3: how many parameters?", "Compare V4-Pro: how many parameters?")),
    (
        "en",
        "How much did TSMC, Intel and Micron each get?",
        ("How much did TSMC get?", "How much did Intel get?", "How much did Micron get?"),
    ),
    ("de", "Wie unterscheiden sich H20 und H200?", ("Wie unterscheiden sich H20?", "Wie unterscheiden sich H200?")),
    ("de", "Wieviel stecken Nvidia und Microsoft jeweils in Anthropic?", ("Wieviel stecken Nvidia in Anthropic?", "Wieviel stecken Microsoft in Anthropic?")),
    (
        "de",
        "Wie entwickelte sich der Nvidia-Umsatz von Q1 auf Q2 des Geschäftsjahres 2026?",
        (
            "Wie entwickelte sich der Nvidia-Umsatz von Q1 des Geschäftsjahres 2026?",
            "Wie entwickelte sich der Nvidia-Umsatz von Q2 des Geschäftsjahres 2026?",
        ),
    ),
    (
        "de",
        "Was verdiente Samsung im dritten Quartal 2024 im Vergleich zum dritten Quartal 2025?",
        ("Was verdiente Samsung im dritten Quartal 2024?", "Was verdiente Samsung im dritten Quartal 2025?"),
    ),
    ("en", "nvidia revenue 2024 vs 2025", ("nvidia revenue 2024", "nvidia revenue 2025")),
    (
        "en",
        "Who led Intel in March 2024, and how was it in March 2026?",
        ("Who led Intel in March 2024?", "Who led Intel in March 2026?"),
    ),
)  # fmt: skip
WHOLE: tuple[tuple[Language, str], ...] = (
    ("en", "How many chips did Amazon and Google order?"),
    ("en", "Did Huawei send engineers to DeepSeek?"),
    ("en", "What did Nvidia say about the H20?"),
    ("en", "TSMC, Intel, Micron, Samsung and AMD: what did each get?"),
    ("en", "What is the difference?"),
    ("en", "How much more did TSMC earn in Q1 2026 than in Q1 2025?"),
    ("en", "Did the H20 return in Q2 or Q3 2025?"),
    ("en", "What happened between Q1 and Q3 2025?"),
    ("en", "What did Trump say in May 2025, and how did Huawei respond in June 2025?"),
    ("en", "How did TSMC's revenue change from March 2025 to March 2026?"),
    ("de", "Was unterscheidet den H20?"),
    ("de", "Warum wurde R2 verschoben?"),
    ("de", "Wie reagierte Nvidia jeweils auf die Regeln?"),
)


@pytest.fixture(scope="module")
def glossary() -> Glossary:
    return read_glossary(home() / "corpus")[0]


@pytest.mark.parametrize(("language", "text", "expected"), APART)
def test_a_comparing_question_is_taken_apart(
    language: Language, text: str, expected: tuple[str, ...], glossary: Glossary
) -> None:
    found = parts(text, language, glossary, TODAY)
    assert tuple(part.text for part in found) == expected
    assert len({part.about for part in found}) == len(found)
    for part in found:
        assert all(word in text for word in part.about.split())


@pytest.mark.parametrize(("language", "text"), WHOLE)
def test_any_other_question_stays_whole(language: Language, text: str, glossary: Glossary) -> None:
    assert parts(text, language, glossary, TODAY) == ()
