"""A fetched page or a user's document to an article: title, text, date, author, outlet, language.

The parsing is done by libraries that are kept well: trafilatura with htmldate for HTML, pypdf, python-docx. What is
decided here is what they leave open: which format the bytes really have, which encoding, and whether the result is an
article at all or a paywall stub, a consent page, a scan or another language.

The result is written in the corpus format (`as_file`), so that `rag.read` judges it like any other article.
"""

from __future__ import annotations

import codecs
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from rag.dates import first_date
from rag.errors import ExtractError
from rag.types import LANGUAGES, Language
from rag.words import STOPWORDS, language_of, tokens

SUFFIXES: Final = (".html", ".htm", ".pdf", ".docx")
"""Files that are extracted; .md and .txt are read as they are."""
HTML_BYTES: Final = 5_000_000
"""Largest page; the longest news pages have 2 MB, most of it script, and a parsed tree takes ten times its bytes."""
UNPACKED_BYTES: Final = 100_000_000
"""Most bytes a .docx may unfold to."""
PAGES: Final = 300
"""Most pages of a PDF: a ruling or an annual report, no book."""
TEXT_CHARS: Final = 200
"""Less text than this is no article: consent pages and pages made by script leave a sentence or two."""
STUB_CHARS: Final = 1_500
"""A page that says it costs money and has less text than this shows its beginning only."""
STOPWORD_SHARE: Final = 0.2
"""Least share of stop words in German or English prose; other languages share few of them. The corpus' 672 briefs have
.26 to .45."""
DAMAGED_SHARE: Final = 0.001
"""Most characters that may be replacement characters: one in a thousand is a quote from somewhere else."""

Format = Literal["html", "pdf", "docx"]
_PAYWALL = re.compile(
    r"subscribe (?:now )?to (?:continue|read|unlock)|(?:article|content|story) is (?:for|reserved for|only available to) "
    r"(?:\w+ )?(?:subscribers|members)|already a (?:subscriber|member)\?|sign in to (?:continue|read)"
    r"|(?:nur|exklusiv) für (?:unsere )?(?:abonnent|mitglied)|(?:weiterlesen|lesen sie weiter|jetzt lesen) mit "
    r"|mit (?:einem )?\w*abo\w* (?:weiter)?lesen|bereits (?:abonnent|kunde|mitglied)|jetzt (?:abonnieren|freischalten)",
    re.IGNORECASE,
)
_NOT_FREE = re.compile(r'"isAccessibleForFree"\s*:\s*"?false', re.IGNORECASE)
_META_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([a-zA-Z0-9_:.-]{1,40})""", re.IGNORECASE)
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_FOOTNOTE_MARK = re.compile(r"[ \t]*\[\^[^\]\s]{1,20}\]")
_HASHES = re.compile(r"^[ \t]*#{1,6}[ \t]+", re.MULTILINE)
_OFFICE_TITLE = re.compile(r"^(?:microsoft word\b.*|untitled|unbenannt|.*\.(?:docx?|pdf|indd|pptx?))$", re.IGNORECASE)
_DAMAGE = re.compile("\ufffd|ï¿½")
"""A replacement character, also as it looks after being read in the wrong encoding once more."""
_SENTENCE_END = re.compile(r"[.!?:”“\"»)]\Z")


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a page or document says about itself. What it does not say is None."""

    title: str | None
    text: str
    """Paragraphs separated by blank lines."""
    published: date | None
    author: str | None
    outlet: str | None
    language: Language
    url: str | None


def extract(content: bytes, name: str, *, url: str | None = None, charset: str | None = None) -> Extracted:
    """The article in `content`.

    Args:
        content: bytes of an HTML page, a PDF or a .docx document; which one, the bytes tell.
        name: what messages call it: its address or its path.
        url: where it stands on the web.
        charset: the encoding the server named.

    Raises:
        ExtractError: there is no article in it that could be used; says why and what to do.
    """
    form = format_of(content, name)
    found = {"html": _from_html, "pdf": _from_pdf, "docx": _from_docx}[form](content, name, url, charset)
    text = _tame(found.text)
    if len(text) < TEXT_CHARS:
        raise ExtractError(
            f"{name} has almost no text ({len(text)} characters).",
            "It may be a consent page, made by script, or a scan; save the article's text as a .txt file and add that.",
        )
    if len(_DAMAGE.findall(text)) > DAMAGED_SHARE * len(text):
        raise ExtractError(f"{name} has a broken encoding.", "Save its text as UTF-8 in a .txt file and add that.")
    language = language_of(text)
    _require_known_language(text, name)
    return replace(found, text=text, language=language)


def format_of(content: bytes, name: str) -> Format:
    """Which format the bytes have, whatever they are called.

    Raises:
        ExtractError: none that is read here.
    """
    start = content[:1024].lstrip()
    if start.startswith(b"%PDF-"):
        return "pdf"
    if start.startswith(b"PK\x03\x04"):
        return "docx"
    is_utf16 = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if b"<" in start and (is_utf16 or b"\x00" not in start):
        return "html"
    raise ExtractError(f"{name} is no HTML, PDF or .docx.", "Save the article's text as a .txt file and add that.")


def as_file(article: Extracted) -> bytes:
    """The article in the corpus format; the id and what else is missing are derived when it is read."""
    source: list[tuple[str, str | None]] = [
        ("publisher", article.outlet),
        ("title", article.title),
        ("url", article.url),
        ("published", article.published.isoformat() if article.published else None),
        ("language", article.language),
        ("author", article.author),
    ]
    head = [f"language: {article.language}"]
    if article.title:
        head.append(f"title: {_quoted(article.title)}")
    if article.published:
        head.append(f"published: {article.published.isoformat()}")
    if article.outlet:
        head += ["sources:", "  - {" + ", ".join(f"{key}: {_quoted(value)}" for key, value in source if value) + "}"]
    return "\n".join(["---", *head, "---", article.text, ""]).encode()


# --- HTML ------------------------------------------------------------------------------------------------------------


def _from_html(content: bytes, name: str, url: str | None, charset: str | None) -> Extracted:
    import trafilatura

    if len(content) > HTML_BYTES:
        raise ExtractError(
            f"{name} has {len(content):,} bytes, at most {HTML_BYTES:,} are read of a page.",
            "Save the article's text as a .txt file and add that.",
        )
    page = _decoded(content, name, charset)
    found = trafilatura.bare_extraction(
        page,
        url=url,
        include_comments=False,
        include_tables=False,
        with_metadata=True,
        # the day it came out and not the day it was last touched; dates in the prose are the events', not the page's
        date_extraction_params={
            "original_date": True,
            "extensive_search": False,
            "max_date": (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d"),
        },
    )
    if found is None or isinstance(found, dict):
        raise ExtractError(f"{name} has no article that could be told from the rest of the page.",
                           "Save the article's text as a .txt file and add that.")  # fmt: skip
    title = _line(found.title)
    lines = [line for line in (found.text or "").splitlines() if line.strip()]
    text = "\n\n".join(lines[1:] if lines and title and lines[0].strip() == title else lines)
    charged = _NOT_FREE.search(page) or _PAYWALL.search(page)
    if charged and len(text) < STUB_CHARS:
        raise ExtractError(
            f"{name} shows only the beginning of the article ({len(text)} characters); the rest is behind a paywall.",
            "If you have a subscription, save the whole article as a file and `chipdesk add FILE --url ...`.",
        )
    return Extracted(
        title=title,
        text=text,
        published=_date(found.date),
        author=_line(found.author),
        outlet=_line(found.sitename) or _host(url),
        language="en",
        url=url,
    )


def _decoded(content: bytes, name: str, charset: str | None) -> str:
    """HTML as text: by its byte order mark, as UTF-8, as the server or the page says, or as what old pages meant.

    UTF-8 comes before what is declared: no other encoding's umlauts are valid in it, and declarations are often wrong.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    declared = _META_CHARSET.search(content[:4096])
    said = [charset, declared[1].decode("ascii") if declared else None]
    for encoding in ("utf-8", *filter(None, said), "cp1252"):
        try:
            # browsers read Latin-1 as Windows-1252, whose extra characters are quotes and dashes
            actual = "cp1252" if codecs.lookup(encoding).name in ("iso8859-1", "ascii") else encoding
            return content.decode(actual)
        except (LookupError, UnicodeError):
            continue
    raise ExtractError(f"{name} has a broken encoding.", "Save its text as UTF-8 in a .txt file and add that.")


# --- PDF -------------------------------------------------------------------------------------------------------------


def _from_pdf(content: bytes, name: str, url: str | None, _: str | None) -> Extracted:
    import pypdf
    from pypdf.errors import PyPdfError

    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        if reader.is_encrypted:
            raise ExtractError(f"{name} is protected by a password.", "Save it without one and add that.")
        if len(reader.pages) > PAGES:
            raise ExtractError(
                f"{name} has {len(reader.pages)} pages, at most {PAGES} are read.", "Add the pages that matter."
            )
        pages = [page.extract_text() for page in reader.pages]
        about = reader.metadata
        title, author = (_line(about.title), _line(about.author)) if about else (None, None)
        created = about.creation_date.date() if about and about.creation_date else None
    # broken files make it fail in these further ways
    except (PyPdfError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        reason = str(error) or type(error).__name__
        raise ExtractError(f"{name} is a damaged PDF: {reason}.", "Open it, save it anew and add that.") from error
    if sum(map(len, pages)) < TEXT_CHARS:
        raise ExtractError(f"{name} has no text in its pages, so it is probably a scan.", "Run text recognition on it.")
    text = _paragraphs(pages)
    if title and (_OFFICE_TITLE.match(title) or len(title) > 300):
        title = None
    return Extracted(title, text, first_date(text[:600]) or created, author, _host(url), "en", url)


def _paragraphs(pages: list[str]) -> str:
    """Lines of pages to paragraphs: running heads and page numbers go, hyphenated words are joined.

    A paragraph ends at an empty line, or where a line ends a sentence well before the right margin.
    """
    split = [[line.strip() for line in page.splitlines()] for page in pages]
    margins = Counter(line for lines in split for line in {*lines[:2], *lines[-2:]})
    running = {line for line, n in margins.items() if line and len(pages) > 2 and n > len(pages) / 2}
    lines = [line for page in split for line in page]
    kept = [line for line in lines if line not in running and not line.isdigit()]
    width = max(map(len, kept), default=0)
    blocks: list[str] = [""]
    for line in kept:
        block = blocks[-1]
        if not line:
            blocks.append("")
        elif re.search(r"\w-\Z", block) and line[0].islower():
            blocks[-1] = block[:-1] + line
        else:
            blocks[-1] = f"{block} {line}".strip()
        if len(line) < 0.75 * width and _SENTENCE_END.search(line):
            blocks.append("")
    return "\n\n".join(block for block in blocks if block)


# --- .docx -----------------------------------------------------------------------------------------------------------


def _from_docx(content: bytes, name: str, url: str | None, _: str | None) -> Extracted:
    import docx
    from docx.opc.exceptions import OpcError
    from lxml.etree import LxmlError

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > UNPACKED_BYTES:
                raise ExtractError(
                    f"{name} unfolds to {unpacked:,} bytes, at most {UNPACKED_BYTES:,} are read.",
                    "Save it without its pictures and add that.",
                )
        document = docx.Document(io.BytesIO(content))
        paragraphs = [(str(getattr(p.style, "name", "")), p.text.strip()) for p in document.paragraphs]
        about = document.core_properties
        title, author, created = _line(about.title), _line(about.author), about.created
    # broken files make it fail in these further ways
    except (OpcError, LxmlError, zipfile.BadZipFile, zipfile.LargeZipFile, KeyError, ValueError, AttributeError,
            NotImplementedError, RuntimeError, EOFError) as error:  # fmt: skip
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ExtractError(f"{name} is no .docx document: {reason}.", "Save it anew as .docx and add that.") from error
    headings = [text for style, text in paragraphs if text and style.startswith(("Title", "Heading 1", "Titel"))]
    if headings:
        title = headings[0]
    elif title and _OFFICE_TITLE.match(title):
        title = None
    text = "\n\n".join(text for _, text in paragraphs if text and text != title)
    published = first_date(text[:600]) or (created.date() if created else None)
    author = None if author == "python-docx" else author
    return Extracted(title, text, published, author, _host(url), "en", url)


# --- what all formats share ------------------------------------------------------------------------------------------


def _tame(text: str) -> str:
    """`text` without what the corpus format would read as its own signs: footnote marks and headings."""
    blocks = (block.strip() for block in re.split(r"\n[ \t]*\n", _HASHES.sub("", _FOOTNOTE_MARK.sub("", text))))
    return "\n\n".join(" ".join(block.split()) for block in blocks if block and block != "---")


def _require_known_language(text: str, name: str) -> None:
    words = [word.casefold() for word in tokens(text[:4000])]
    shares = {language: _share(words, STOPWORDS[language]) for language in LANGUAGES}
    if max(shares.values()) < STOPWORD_SHARE:
        raise ExtractError(
            f"{name} is neither German nor English.", "Add a German or English version; the corpus has these two."
        )


def _share(words: list[str], among: Iterable[str]) -> float:
    known = frozenset(among)
    return sum(word in known for word in words) / max(1, len(words))


def _host(url: str | None) -> str | None:
    host = urlsplit(url).hostname if url else None
    return host.removeprefix("www.") if host else None


def _date(value: str | None) -> date | None:
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        return None


def _line(value: Any) -> str | None:
    return " ".join(str(value).split()) or None if value else None


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
