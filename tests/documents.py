"""Pages and documents that the tests of extraction and collecting make: invented news in the formats of the world."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime

import docx

TITLE = "Seeadler liefert Möwe-Beschleuniger wieder aus"
PARAGRAPHS = (
    "Das Start-up Seeadler darf seinen KI-Beschleuniger Möwe wieder nach China liefern, wie das Unternehmen am Donnerstag "
    "mitteilte. Das Ministerium hatte die Lizenz nach drei Monaten erteilt.",
    "Die Aktie stieg daraufhin um drei Prozent. Analysten rechnen mit einem zusätzlichen Umsatz von vier Milliarden Dollar "
    "im laufenden Quartal, weil die Nachfrage nach Chips für Rechenzentren nicht nachlässt.",
)
ENGLISH = (
    "Seeadler may ship its Möwe accelerator to China again, the company said on Thursday. The ministry had granted the "
    "licence after three months.",
    "The shares rose by three percent. Analysts expect that it will add four billion dollars to sales in the quarter, "
    "because the demand for chips in data centres is not slowing.",
)


def page(
    title: str = TITLE,
    paragraphs: tuple[str, ...] = PARAGRAPHS,
    *,
    published: str | None = "2025-08-14T10:00:00+02:00",
    head: str = "",
    language: str = "de",
) -> str:
    """A news page with what surrounds an article."""
    when = f'<meta property="article:published_time" content="{published}">' if published else ""
    prose = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return f"""<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8"><title>{title} | Hafenkurier</title>
<meta property="og:title" content="{title}"><meta property="og:site_name" content="Hafenkurier">
<meta name="author" content="Ada Fink">{when}{head}</head>
<body><nav><a href="/">Start</a><a href="/abo">Abo</a></nav><article><h1>{title}</h1>{prose}</article>
<footer><a href="/impressum">Impressum</a> Alle Rechte vorbehalten</footer></body></html>"""


def pdf(pages: list[list[str]], **about: str) -> bytes:
    """A PDF that shows lines of text; `about` is its metadata (Title, Author, CreationDate)."""
    objects: list[bytes] = []

    def put(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    font = put(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
    tree = len(objects) + 2 * len(pages) + 1
    kids = []
    for lines in pages:
        shown = b"".join(b"(%s) Tj T*\n" % _escaped(line) for line in lines)
        stream = b"BT /F1 10 Tf 12 TL 50 780 Td\n" + shown + b"ET"
        content = put(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        kids.append(
            put(
                b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
                b"/Resources << /Font << /F1 %d 0 R >> >> >>" % (tree, content, font)
            )
        )
    refs = b" ".join(b"%d 0 R" % kid for kid in kids)
    assert put(b"<< /Type /Pages /Kids [%s] /Count %d >>" % (refs, len(kids))) == tree
    root = put(b"<< /Type /Catalog /Pages %d 0 R >>" % tree)
    info = put(b"<< %s >>" % b" ".join(b"/%s (%s)" % (k.encode(), _escaped(v)) for k, v in about.items()))
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root %d 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1,
        root,
        info,
        start,
    )
    return bytes(out)


def _escaped(text: str) -> bytes:
    raw = text.encode("cp1252")
    for sign in (b"\\", b"(", b")"):
        raw = raw.replace(sign, b"\\" + sign)
    return raw


def word(
    title: str = TITLE,
    paragraphs: tuple[str, ...] = PARAGRAPHS,
    *,
    author: str = "Ada Fink",
    created: str = "2025-08-14",
) -> bytes:
    """A .docx document."""
    document = docx.Document()
    document.add_heading(title, 0)
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    document.core_properties.author = author
    document.core_properties.created = datetime.fromisoformat(created)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def with_part(content: bytes, name: str, part: bytes) -> bytes:
    """A .docx document with one of its files replaced."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            new.writestr(entry, part if entry == name else old.read(entry))
    return file.getvalue()
