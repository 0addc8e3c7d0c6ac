from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from conftest import chipdesk
from documents import ENGLISH, PARAGRAPHS, TITLE, page, pdf, with_part, word
from web import Web, fetcher, web

from rag.add import add_file, add_page, files_of
from rag.errors import ArticleError, ExtractError
from rag.extract import HTML_BYTES, as_file, extract
from rag.read import Known, read_corpus
from rag.settings import Settings, load
from rag.types import Source

URL = "https://www.hafen.example/moewe"


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as running:
        yield running


# --- HTML ---


def test_a_page_gives_title_text_date_author_outlet_and_language() -> None:
    found = extract(page().encode(), "a.html", url=URL)
    assert (found.title, found.published, found.author) == (TITLE, date(2025, 8, 14), "Ada Fink")
    assert (found.outlet, found.language, found.url) == ("Hafenkurier", "de", URL)
    assert found.text == "\n\n".join(PARAGRAPHS)


def test_an_english_page_is_english_whatever_it_says() -> None:
    assert extract(page("Seeadler ships again", ENGLISH, language="de").encode(), "a.html").language == "en"


def test_a_page_without_a_date_gets_none_from_its_prose() -> None:
    prose = (*PARAGRAPHS, "Der Vorgänger erschien am 3. Mai 2021 und verkaufte sich schlecht.")
    assert extract(page(paragraphs=prose, published=None).encode(), "a.html").published is None


def test_the_host_stands_for_an_outlet_without_name() -> None:
    body = page().replace('<meta property="og:site_name" content="Hafenkurier">', "").replace(" | Hafenkurier", "")
    assert extract(body.encode(), "a.html", url=URL).outlet in ("hafen.example", "Hafen.example")


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (page().encode("utf-8-sig"), None),
        (page().encode("utf-16"), None),
        (page().replace('"utf-8"', '"iso-8859-1"').encode("latin-1"), None),
        (page().replace('<meta charset="utf-8">', "").encode("cp1252"), "ISO-8859-1"),
        (page().replace('<meta charset="utf-8">', "").encode("cp1252"), None),
        (page().encode(), "ascii"),
        (page().encode(), "no-such-encoding"),
    ],
    ids=["bom", "utf-16", "meta", "header", "undeclared", "wrong header", "unknown header"],
)
def test_encodings(body: bytes, charset: str | None) -> None:
    found = extract(body, "a.html", charset=charset)
    assert (found.title, found.text) == (TITLE, "\n\n".join(PARAGRAPHS))


@pytest.mark.parametrize(
    "sign",
    [
        '<script type="application/ld+json">{"@type": "NewsArticle", "isAccessibleForFree": false}</script>',
        "<div>Subscribe to continue reading</div>",
        "<div>Jetzt weiterlesen mit H+</div>",
        "<div>Dieser Artikel ist nur für Abonnenten.</div>",
    ],
)
def test_a_paywall_stub_is_no_article(sign: str) -> None:
    with pytest.raises(ExtractError, match="paywall"):
        extract(
            page(head=sign if "script" in sign else "").replace("</article>", f"</article>{sign}").encode(), "a.html"
        )


def test_a_long_article_of_an_outlet_that_charges_is_one() -> None:
    whole = page(paragraphs=PARAGRAPHS * 5, head='<script>{"isAccessibleForFree": "False"}</script>')
    assert len(extract(whole.encode(), "a.html").text) > 1_500


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no HTML, PDF or .docx"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "no HTML, PDF or .docx"),
        (b'{"a": 1}', "no HTML, PDF or .docx"),
        (b"<html><body><p>We use cookies.</p></body></html>", "almost no text|no article"),
        (b"<html><body>" + b"<script>1</script>" * 50, "almost no text|no article"),
        (page().encode().replace("ä".encode(), b"\xff").replace("ö".encode(), "\ufffd".encode()), "encoding"),
        (page(paragraphs=("Le fabricant de puces a annoncé jeudi qu'il livrera de nouveau ses accélérateurs. " * 6,),
              language="fr").encode(), "neither German nor English"),
        (b"<html>" + b" " * HTML_BYTES, "bytes, at most"),
    ],
    ids=["empty", "png", "json", "consent", "script", "encoding", "french", "huge"],
)  # fmt: skip
def test_what_is_no_article_is_said(body: bytes, says: str) -> None:
    with pytest.raises(ExtractError, match=says):
        extract(body, "a.html", charset="utf-8" if b"\xff" not in body else None)


@pytest.mark.parametrize(
    "body",
    [
        "<div>" * 20_000 + "x",
        '<!DOCTYPE html [<!ENTITY a "xxxxxxxxxx">'
        + "".join(f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefgh", "bcdefghi", strict=True))
        + "]><html><body><p>&i;</p></body></html>",
        "<table>" * 3_000 + "<a href=" * 3_000,
        page().replace("<article>", "<article>" + "<p>" * 30_000),
    ],
    ids=["nested", "entities", "tables", "unclosed"],
)
def test_hostile_pages_end_soon(body: str) -> None:
    began = time.process_time()
    try:
        found = extract(body.encode(), "a.html")
        assert len(found.text) < 10_000
    except ExtractError:
        pass
    assert time.process_time() - began < 20


def test_signs_of_the_corpus_format_in_a_page_stay_harmless(settings: Settings, site: Web) -> None:
    odd = ("# Kein Titel[^3] und doch ein Satz, der in der Zeitung stand.", "---", *PARAGRAPHS)
    article = add_page(settings, site.put("/a", page(paragraphs=odd)), fetcher(site), Known()).article
    assert "Kein Titel und doch ein Satz" in article.text
    assert read_corpus(settings.corpus, most_bytes=2_000_000).articles == (article,)


# --- PDF and .docx ---

LINES = [
    "Seite der Hafenbehörde",
    "Das Start-up Seeadler darf seinen KI-Beschleuniger Möwe wieder nach China lie-",
    "fern, wie das Unternehmen am 14. August 2025 mitteilte.",
    "",
    "Die Aktie stieg daraufhin um drei Prozent. Analysten rechnen mit einem weiteren",
    "Umsatz von vier Milliarden Dollar, weil die Nachfrage nach den Chips nicht sinkt.",
]


def test_a_pdf_gives_whole_paragraphs_without_running_heads() -> None:
    found = extract(
        pdf(
            [[*LINES, "1"], [LINES[0], "Mehr davon.", "Und mehr.", "2"], [LINES[0], "Ende der Geschichte.", "3"]],
            Title="Möwe liefert",
            Author="Ada Fink",
            CreationDate="D:20250901",
        ),
        "a.pdf",
    )
    assert (found.title, found.author, found.published) == ("Möwe liefert", "Ada Fink", date(2025, 8, 14))
    assert "wieder nach China liefern, wie das Unternehmen" in found.text
    assert "weiteren Umsatz von" in found.text
    assert "Hafenbehörde" not in found.text
    assert found.text.count("\n\n") >= 2


def test_an_office_title_is_no_headline() -> None:
    assert extract(pdf([LINES * 3], Title="Microsoft Word - moewe.docx"), "a.pdf").title is None


@pytest.mark.parametrize(
    ("body", "says"),
    [(pdf([[]]), "probably a scan"), (b"%PDF-1.7\nnothing", "damaged PDF"), (pdf([LINES])[:400], "damaged PDF|scan")],
    ids=["scan", "empty", "cut"],
)
def test_bad_pdfs_are_said(body: bytes, says: str) -> None:
    with pytest.raises(ExtractError, match=says):
        extract(body, "a.pdf")


def test_a_docx_gives_its_title_text_author_and_day() -> None:
    found = extract(word(), "a.docx")
    assert (found.title, found.author, found.published) == (TITLE, "Ada Fink", date(2025, 8, 14))
    assert found.text == "\n\n".join(PARAGRAPHS)


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE w:document [<!ENTITY a "' + b"x" * 1000 + b'">'
    + b"".join(b'<!ENTITY %s "%s">' % (new, b"&%s;" % old * 20) for old, new in ((b"a", b"b"), (b"b", b"c"), (b"c", b"d")))
    + b']><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r>'
    b"<w:t>&d;</w:t></w:r></w:p></w:body></w:document>"
)  # fmt: skip


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (word()[:2000], "no .docx document"),
        (b"PK\x03\x04" + b"\0" * 500, "no .docx document"),
        (with_part(word(), "word/document.xml", b" " * 150_000_000), "unfolds to"),
        (with_part(word(), "word/document.xml", BOMB), "no .docx document|almost no text"),
        (with_part(word(), "word/document.xml", b"<a><b>"), "no .docx document"),
    ],
    ids=["cut", "zip", "zip bomb", "XML bomb", "XML"],
)
def test_bad_docx_files_are_said(body: bytes, says: str) -> None:
    with pytest.raises(ExtractError, match=says):
        extract(body, "a.docx")


# --- into the corpus ---


def test_a_page_is_fetched_and_kept_with_its_source(settings: Settings, site: Web) -> None:
    url = site.put("/news/1", page())
    added = add_page(settings, url, fetcher(site), Known())
    assert added.article.id == "2025-08-14-seeadler-liefert-moewe-beschleuniger-wieder-aus.de"
    assert added.article.sources == (Source("Hafenkurier", TITLE, url, "2025-08-14", "de", "Ada Fink"),)
    assert read_corpus(settings.corpus, most_bytes=2_000_000).articles == (added.article,)
    assert not add_page(settings, url, fetcher(site), Known()).new


def test_what_the_user_says_about_a_page_wins(settings: Settings, site: Web) -> None:
    known = Known(id="moewe", title="Möwe", published="2025-08-15", publisher="Küstenblatt", url=URL)
    article = add_page(settings, site.put("/1", page()), fetcher(site), known).article
    assert (article.id, article.title, article.published) == ("moewe", "Möwe", date(2025, 8, 15))
    assert [(source.publisher, source.url) for source in article.sources] == [("Küstenblatt", URL)]


def test_a_page_that_cannot_be_kept_leaves_nothing(settings: Settings, site: Web) -> None:
    url = site.put("/1", page(published=None))
    with pytest.raises(ExtractError, match=f"{url}: published: is missing"):
        add_page(settings, url, fetcher(site), Known())
    assert not [path for path in settings.corpus.rglob("*") if path.is_file()]


def test_the_bytes_count_and_not_the_name(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "moewe.html"
    path.write_bytes(word())
    assert add_file(settings, path, Known()).article.title == TITLE


def test_large_and_strange_files_are_refused(settings: Settings, tmp_path: Path) -> None:
    big = tmp_path / "a.html"
    with big.open("wb") as file:
        file.truncate(200_000_000)  # takes no room on the disk
    with pytest.raises(ArticleError, match="200,000,000 bytes, at most"):
        add_file(settings, big, Known())
    odd = tmp_path / "a.xls"
    odd.write_bytes(b"x")
    with pytest.raises(ArticleError, match="is none of"):
        add_file(settings, odd, Known())


def test_a_folder_gives_its_readable_files(tmp_path: Path) -> None:
    for name in ("b/c.pdf", "a.md", "x.jpg", ".hidden/y.md", "b/.z.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in files_of([tmp_path])]
    assert found == ["a.md", "b/c.pdf"]


def test_the_command_takes_folders_and_addresses(tmp_path: Path, site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIPDESK_FETCH_ALLOW", site.host)
    monkeypatch.setenv("CHIPDESK_FETCH_INTERVAL", "0")
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "moewe.docx").write_bytes(word())
    (drop / "broken.pdf").write_bytes(b"%PDF-1.4")
    settings = load(corpus=tmp_path / "corpus", index=tmp_path / "index")
    done = chipdesk(
        "add", drop, site.put("/1", page("Seeadler ships again", ENGLISH)), site.url + "/none",
        "--corpus", settings.corpus, "--index", settings.index, "--json", timeout=400,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert [item["id"] for item in report["added"]] == ["2025-08-14-moewe.de", "2025-08-14-seeadler-ships-again.en"]
    assert len(report["problems"]) == 2
    assert "broken.pdf is a damaged PDF" in report["problems"][0]
    assert "answers 404" in report["problems"][1]


def test_the_file_says_only_what_is_known() -> None:
    found = extract(pdf([LINES * 3]), "a.pdf")
    assert b"sources" not in as_file(found)
    assert b"title" not in as_file(found)
