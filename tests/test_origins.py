from __future__ import annotations

from datetime import date

import pytest
from made import article

from rag.glossary import Entry, Glossary
from rag.origins import credit, names_of, origins
from rag.phrases import origins as told
from rag.types import Article, Citation, Origin, Sentence, Source

GLOSSARY = Glossary(
    (
        Entry("financial-times", "outlet", ("Financial Times", "FT"), ("Financial Times", "FT")),
        Entry("the-information", "outlet", ("The Information",), ("The Information",), True),
        Entry(
            "dpa", "outlet", ("dpa", "Deutsche Presse-Agentur", "dpa-AFX"), ("dpa", "German press agency", "dpa-AFX")
        ),
        Entry("toms-hardware", "outlet", ("Tom's Hardware",), ("Tom's Hardware",)),
    )
)
NAMES = names_of(GLOSSARY)


def found(*publishers: str | Source, quote: str = "R2 is late.", title: str = "R2 is late") -> dict[str, set[str]]:
    """Origin -> the outlets that carry it."""
    sources = [one if isinstance(one, Source) else Source(one) for one in publishers]
    return {one.name: set(one.outlets) for one in origins(quote, title, sources, "en", NAMES)}


@pytest.mark.parametrize(
    ("publisher", "origin", "carrier"),
    [
        ("Reuters (copy: Yahoo)", "Reuters", "Yahoo"),
        ("CNBC (via Notizen)", "CNBC", "Notizen"),
        ("AFP via infobud", "AFP", "infobud"),
        ("Reuters copy", "Reuters", "Reuters copy"),
        ("heise copy (swap.it)", "heise", "swap.it"),
        ("MarketScreener/Reuters", "Reuters", "MarketScreener"),
        ("Reuters/MarketScreener", "Reuters", "MarketScreener"),
        ("Investing.com/Reuters (copy)", "Reuters", "Investing.com/Reuters (copy)"),
        ("junge Welt / dpa", "dpa", "junge Welt"),
        ("onvista/dpa-AFX", "dpa", "onvista"),
        ("cash.ch (Bloomberg)", "Bloomberg", "cash.ch"),
        ("AFP (Space Daily)", "AFP", "Space Daily"),
        ("The News (FT)", "Financial Times", "The News"),
        ("inkl / Tom's Hardware", "Tom's Hardware", "inkl"),
        ("Pak Gazette (TechRadar text)", "TechRadar", "Pak Gazette"),
        ("SectorHQ (after Tom's Hardware)", "Tom's Hardware", "SectorHQ"),
        ("Mitrade / Cryptopolitan", "Cryptopolitan", "Mitrade"),
        # remarks, and names that only look like two
        ("IT Magazine (Swiss)", "IT Magazine", "IT Magazine"),
        ("Financial Times (German machine translation)", "Financial Times", "Financial Times"),
        ("White & Case", "White & Case", "White & Case"),
        ("wallstreet:online", "wallstreet:online", "wallstreet:online"),
    ],
)
def test_a_publisher_names_whose_text_it_is(publisher: str, origin: str, carrier: str) -> None:
    assert found(publisher) == {origin: {carrier}}


def test_one_agency_in_several_outlets_is_one_origin() -> None:
    assert found(
        "Reuters (copy: Yahoo)", "MarketScreener/Reuters", Source("Kurier", author="Reuters, red"), "Mint"
    ) == {
        "Reuters": {"Yahoo", "MarketScreener", "Kurier"},
        "Mint": {"Mint"},
    }


@pytest.mark.parametrize(
    "quote",
    [
        "R2 is late, the Financial Times reported on 14 August 2025.",
        "According to the FT, R2 is late.",
        "R2 is late, according to a report in the Financial Times.",
        "Liang told the FT that R2 is late.",
        "R2 kommt laut FT später.",
        "R2 kommt später, berichtete die Financial Times.",
        "R2 wurde nach einem Bericht der Financial Times vom 14. August 2025 verschoben.",
        "Dem FT-Bericht zufolge kommt R2 später.",
    ],
)
def test_who_the_sentence_names_is_its_origin(quote: str) -> None:
    assert found("Krone", "Mint", "Kurier", quote=quote) == {"Financial Times": {"Krone", "Mint", "Kurier"}}


def test_a_headline_that_names_the_reporter_counts_for_its_outlet_and_the_article_s_for_all() -> None:
    winbuzzer = Source("WinBuzzer", "R2 stalled as CEO balks, The Information reports")
    assert found(winbuzzer, "Krone") == {"The Information": {"WinBuzzer"}, "Krone": {"Krone"}}
    # an agency may have asked for itself
    assert found("Krone", "Mint", "Newsmax/Reuters", title="DeepSeek shelves R2, FT reports") == {
        "Financial Times": {"Krone", "Mint"},
        "Reuters": {"Newsmax"},
    }


def test_two_that_are_named_are_two() -> None:
    assert found("Krone", quote="R2 is late, the FT and Reuters reported.").keys() == {"Financial Times", "Reuters"}
    each = "GMX sums up one thing, while RedCensor reports another."
    assert found("GMX", "RedCensor", quote=each).keys() == {"GMX", "RedCensor"}


def test_who_denies_a_report_does_not_get_it_from_there() -> None:
    assert found("Krone", "Mint", quote="DeepSeek denied the report by the FT.").keys() == {"Krone", "Mint"}
    assert found("Krone", quote="DeepSeek wies den FT-Bericht zurück.").keys() == {"Krone"}


def test_an_everyday_word_is_no_outlet() -> None:
    assert found("trend", "Mint", quote="The trend reports of mint.").keys() == {"trend", "Mint"}


# --- in an answer ---


def cited(number: int, quote: str, publisher: str, source: str = "a.en") -> Citation:
    return Citation(
        number, source, "e", "T", "en", date(2025, 8, 14), "day", quote, 0, len(quote), (Source(publisher),)
    )


LONG = "DeepSeek could not train its model R2 on the Ascend processors of Huawei and has postponed the start."


def sentence_of(*citations: Citation, articles: dict[str, Article] | None = None) -> tuple[Origin, ...]:
    said = Sentence("x", tuple(one.number for one in citations), 0.9)
    (credited,), numbered = credit([said], citations, (articles or {}).get, GLOSSARY, "en")
    assert all(one.origins for one in numbered)
    return credited.origins


def test_a_statement_counts_what_all_its_citations_go_back_to() -> None:
    apart = sentence_of(cited(1, LONG, "Kurier"), cited(2, "R2 failed in training.", "Mint", "b.en"))
    assert [one.name for one in apart] == ["Kurier", "Mint"]
    agency = sentence_of(cited(1, LONG, "Kurier/Reuters"), cited(2, "R2 failed in training.", "Mint/Reuters", "b.en"))
    assert agency == (Origin("Reuters", ("Kurier", "Mint")),)


def test_the_same_words_are_one_origin() -> None:
    twice = sentence_of(cited(1, LONG, "Kurier"), cited(2, LONG.replace("has postponed", "postponed"), "Mint", "b.en"))
    assert twice == (Origin("Kurier", ("Kurier", "Mint")),)


def test_an_article_that_is_a_copy_counts_to_what_it_copies() -> None:
    articles = {
        "a.en": article(LONG, id="a.en", sources=(Source("Reuters"),)),
        "b.en": article(LONG, id="b.en", sources=(Source("Mint"),), copy_of="a.en"),
        "c.en": article(LONG, id="c.en", sources=(Source("Krone"),), copy_of="gone.en"),
    }
    copies = (cited(1, "R2 is late.", "Mint", "b.en"), cited(2, "It could not be trained.", "Reuters"))
    assert sentence_of(*copies, articles=articles) == (Origin("Reuters", ("Reuters", "Mint")),)
    assert [one.name for one in sentence_of(cited(1, LONG, "Krone", "c.en"), articles=articles)] == ["Krone"]


def test_how_it_is_said() -> None:
    two = (Origin("Financial Times", ("Krone",)), Origin("The Information", ("Mint",)))
    assert told(two, "en") == "at most 2 independent origins: Financial Times, The Information"
    assert told(two, "de") == "höchstens 2 unabhängige Quellen: Financial Times, The Information"
    assert told((Origin("Reuters", ("a", "b", "c", "d")),), "en") == "one origin: Reuters, in 4 outlets"
    assert told((Origin("Reuters", ("a", "b")),), "de") == "eine Quelle: Reuters, in 2 Medien"
    assert told((Origin("Reuters", ("Yahoo",)),), "en") == "one origin: Reuters, in: Yahoo"
    assert told((Origin("Mint", ("Mint",)),), "en") == "one origin: Mint"
    assert told((), "en") == ""
    many = tuple(Origin(name, (name,)) for name in "ABCDEF")
    assert told(many, "en") == "at most 6 independent origins: A, B, C, D …"
