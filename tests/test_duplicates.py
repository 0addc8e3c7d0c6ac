from __future__ import annotations

from documents import ENGLISH, PARAGRAPHS

from rag.duplicates import NEAR, fingerprint, near, runs

TEXT = "\n\n".join(PARAGRAPHS)


def test_the_fingerprint_sees_through_case_spacing_and_punctuation() -> None:
    assert fingerprint(TEXT) == fingerprint(TEXT.upper().replace("\n\n", "  ").replace(",", ""))
    assert fingerprint(TEXT) != fingerprint(TEXT.replace("drei Prozent", "vier Prozent"))


def test_copies_excerpts_and_light_rewrites_are_near_and_others_are_not() -> None:
    shelf = {
        "copy": runs(TEXT),
        "excerpt": runs(PARAGRAPHS[0]),
        "rewrite": runs(TEXT.replace("Start-up", "Unternehmen").replace("um drei Prozent", "deutlich")),
        "other": runs("Die Notenbank hat ihren Leitzins nicht verändert, wie die Präsidentin am Donnerstag mitteilte."),
        "english": runs("\n\n".join(ENGLISH)),
    }
    found = {one.id: one.overlap for one in near(TEXT, shelf)}
    assert found.keys() == {"copy", "excerpt", "rewrite"}
    assert found["copy"] == found["excerpt"] == 1.0
    assert NEAR < found["rewrite"] < 1


def test_short_and_empty_texts_are_compared_without_trouble() -> None:
    assert near("", {"a": runs("")})[0].overlap == 1.0
    assert near("Zwei Wörter", {"a": runs("Drei andere Wörter")}) == ()
