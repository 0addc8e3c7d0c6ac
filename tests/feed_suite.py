"""feedparser's own conformance cases through our reader: `python tests/feed_suite.py FOLDER`.

FOLDER is `tests` of feedparser's source distribution (`pip download --no-binary :all: --no-deps feedparser`, then unpack
it). The cases are not copied here. What matters to us is compared: the title, link, author and day of entries, and the
feed's title where that is what a case about encodings looks at; everything else feedparser says of itself in its own tests.

Our reader passes over entries that link to no web page, and many cases have no link. Those get one written in, and an
entry with the feed's title where only that is looked at; apart from this the bytes are the case's own.
"""

from __future__ import annotations

import ast
import codecs
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from rag.errors import FeedError
from rag.feeds import parse

BASE = "http://127.0.0.1:8097/feed.xml"
"""Where feedparser's tests say that a feed came from."""
LINK = "http://a.example/1"
EXPECTED = re.compile(
    r"(?:entries\[(?P<entry>\d+)\]|(?P<feed>feed))\s*(?:\.|\[')(?P<field>title|link|author|published_parsed|updated_parsed)"
    r"(?:'\])?\s*==\s*(?P<value>u?'(?:[^'\\]|\\.)*'|u?\"(?:[^\"\\]|\\.)*\"|\([\d, ]+\))"
)
HEADER = re.compile(r"Header:\s*Content-type:\s*(?P<kind>[^\n]+)", re.IGNORECASE)
OPENING = re.compile(r"<(?:\w+:)?(?:item|entry)\b[^>/]*>", re.IGNORECASE)
TITLE = re.compile(r"<title[^>]*>.*?</title>", re.DOTALL | re.IGNORECASE)


def main(folder: Path) -> int:
    """Print the figures and every case that comes out otherwise; 1 if FOLDER has no cases."""
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for group, name, ok, told in [*cases(folder), *dates(folder)]:
        (right if ok else wrong)[group] += 1
        if not ok:
            print(f"{name}: {told}")
    for group in sorted(right | wrong):
        print(f"{group:24} {right[group]:4} of {right[group] + wrong[group]:4}")
    print(f"{'all':24} {right.total():4} of {(right | wrong).total() and right.total() + wrong.total():4}")
    return 0 if right else 1


def cases(folder: Path) -> Iterator[tuple[str, str, bool, str]]:
    """(group, name, right or not, what came out) for each expectation that we can compare."""
    for path in sorted(folder.rglob("*.xml")):
        text, codec = decoded(path)
        said = re.search(r"Expect:\s*(.*?)\s*-->", text, re.DOTALL)
        for match in EXPECTED.finditer(said[1] if said else ""):
            group = "/".join(path.relative_to(folder).parts[:-1])
            content = ready(text, codec, match)
            if content is None:
                continue
            kind = HEADER.search(text)
            expected = ast.literal_eval(match["value"])
            try:
                entries = parse(content, BASE, kind["kind"].strip() if kind else "")
            except FeedError as error:
                yield group, str(path.relative_to(folder)), False, str(error)
                continue
            number = int(match["entry"] or 0)
            found = getattr(entries[number], ours(match["field"])) if number < len(entries) else "no such entry"
            yield (
                f"{group} {ours(match['field'])}",
                str(path.relative_to(folder)),
                found == shown(expected),
                f"{found!r}, expected {shown(expected)!r}",
            )


def decoded(path: Path) -> tuple[str, str]:
    """The case as text, and the codec that it is written in."""
    content = path.read_bytes()
    declared = re.search(rb"encoding=[\"']([\w.:-]+)", content[:200])
    named = path.stem.partition("x80_")[2]
    marks = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
             (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8-sig"))  # fmt: skip
    by_mark = [codec for mark, codec in marks if content.startswith(mark)][:1]
    for codec in (*by_mark, named, declared[1].decode() if declared else "", "utf-8", "latin-1"):
        try:
            text = content.decode(codec)
        except (LookupError, UnicodeDecodeError):
            continue
        if "Expect" in text and text.encode(codec) == content:
            return text, codec
    return "", "utf-8"


def ready(text: str, codec: str, match: re.Match[str]) -> bytes | None:
    """The bytes of a case, with a link or an entry where it has none; None where it cannot be asked of our reader."""
    if match["feed"]:
        title = TITLE.search(text)
        if match["field"] != "title" or title is None or OPENING.search(text):
            return None
        atom = "<feed" in text
        entry = (
            f"<entry>{title[0]}<link href='{LINK}'/></entry>" if atom else f"<item>{title[0]}<link>{LINK}</link></item>"
        )
        return (text[: title.end()] + entry + text[title.end() :]).encode(codec)
    if match["field"] != "link":
        link = f"<link href='{LINK}'/>" if "<feed" in text else f"<link>{LINK}</link>"
        numbers = iter(range(1000))
        if "<link" not in text[OPENING.search(text).end() if OPENING.search(text) else 0 :]:
            text = OPENING.sub(lambda found: found[0] + link.replace("/1", f"/{next(numbers)}"), text)
    return text.encode(codec)


def ours(field: str) -> str:
    return {"link": "url", "published_parsed": "published", "updated_parsed": "published"}.get(field, field)


def shown(expected: Any) -> Any:
    """What feedparser expects, as our reader tells it: a day, or text on one line without markup and entities."""
    from rag.feeds import _text

    return date(*expected[:3]) if isinstance(expected, tuple) else _text(expected)


def dates(folder: Path) -> Iterator[tuple[str, str, bool, str]]:
    """The table of dates in runtests.py, each as the day of an item."""
    tree = ast.parse((folder / "runtests.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "date_tests":
            assert isinstance(node.value, ast.Dict)
            for key, rows in zip(node.value.keys, node.value.values, strict=True):
                for written, moment in ast.literal_eval(rows):
                    item = f"<item><link>{LINK}</link><pubDate>{written}</pubDate></item>"
                    entry = parse(f"<rss version='2.0'><channel>{item}</channel></rss>".encode(), BASE)[0]
                    expected = date(*moment[:3]) if moment else None
                    name = getattr(key, "id", "").removeprefix("_parse_date_")
                    yield (
                        f"dates {name}",
                        repr(written),
                        entry.published == expected,
                        f"{entry.published}, expected {expected}",
                    )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    sys.exit(main(Path(sys.argv[1])))
