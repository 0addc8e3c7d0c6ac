from __future__ import annotations

import pytest

from rag.stance import negators, refuses


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Nvidia will die Chips nicht liefern.", ["nicht"]),
        ("Die Chips ließen sich nirgends einschalten.", ["nirgends"]),
        ("It no longer sells them and can't say why.", ["no", "can't"]),
        # these deny nothing
        ("Nicht nur an Rechenzentren denkt Nvidia, nicht zuletzt auch an Autos.", []),
        ("Das Werk kostet nicht mehr als fünf Milliarden.", []),
        ("Intel is not the only maker, and not only Intel says so.", []),
        ("The award is no more than 4.7 billion dollars.", []),
    ],
)
def test_what_denies(text: str, words: list[str]) -> None:
    assert [marker.words for marker in negators(text)] == words


@pytest.mark.parametrize(
    ("text", "denies"),
    [
        ("The agreement was non-binding.", True), ("Giving heat away is tax-free.", True), ("ein ungenannter Händler", True),
        ("Die Abgabe entfällt, das Angebot ist steuerfrei.", True), ("Nvidia delivers chips to China.", False), ("auf dem freien Markt", False),
    ],
)  # fmt: skip
def test_words_that_deny_without_a_negator(text: str, denies: bool) -> None:
    assert refuses(text) is denies
