"""Article files to Articles: the corpus format, and what is derived where a plain file says nothing.

A file is Markdown or plain text in UTF-8, with or without YAML front matter between two `---` lines. A file that cannot
be used is named with line and field and skipped; the others stay available.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final, cast, get_args

import yaml

from rag.dates import first_date
from rag.errors import ArticleError, CorpusError
from rag.types import Article, Language, Mark, Precision, Source, Status
from rag.words import language_of

SUFFIXES: Final = (".md", ".txt")
FIELDS: Final = frozenset("id event language title published date_precision topics entities status sources".split())
SOURCE_FIELDS: Final = frozenset("publisher title url published language".split())
TITLE_CHARS: Final = 300
"""Longest title, in characters; the longest headline seen in the dossier has 150."""
DERIVED_TITLE_CHARS: Final = 110
"""A title taken from the first sentence is cut here, at a word."""

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,199}")
_PARTIAL_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_FOOTNOTE = re.compile(r"[ \t]*\[\^([^\]\s]{1,20})\]")
_HEADING = re.compile(r"^#{1,6}[ \t]+", re.MULTILINE)
_STRAY_DATE = re.compile(r"\A\s*(?:date|datum)\s*:?\s*(\d{4}-\d{2}-\d{2})\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Corpus:
    """What a folder holds: the usable articles in order of their ids, and the files that are not usable."""

    articles: tuple[Article, ...]
    problems: tuple[ArticleError, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What the person who adds a file says about it; what is None is taken from the file or derived."""

    id: str | None = None
    title: str | None = None
    published: str | None = None
    language: str | None = None
    publisher: str | None = None
    url: str | None = None
    topics: tuple[str, ...] | None = None


def read_corpus(folder: Path, *, most_bytes: int) -> Corpus:
    """All articles under `folder/articles`, in order of their ids.

    Args:
        folder: the corpus; a folder without `articles/` is an empty corpus.
        most_bytes: larger files are refused before they are read.

    Raises:
        CorpusError: `folder` does not exist or is not a folder.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder} is not a folder.", "Name the corpus with --corpus DIR.")
    found: dict[str, tuple[Article, Path]] = {}
    problems: list[ArticleError] = []
    topics = read_topics(folder)
    for path in article_files(folder):
        try:
            article = read_article(path, most_bytes=most_bytes)
            if topics:
                _check_topics(path, article, topics)
        except ArticleError as error:
            problems.append(error)
            continue
        if article.id in found:
            first = found[article.id][1]
            problems.append(ArticleError(path, f"{article.id!r} is already the id of {first}", field="id"))
        else:
            found[article.id] = (article, path)
    return Corpus(tuple(found[key][0] for key in sorted(found)), tuple(problems))


def article_files(folder: Path) -> Iterator[Path]:
    """The article files of a corpus in a fixed order; links that lead outside and hidden files are passed over."""
    root = (folder / "articles").resolve()
    for path in sorted((folder / "articles").rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in SUFFIXES and not hidden and path.is_file() and path.resolve().is_relative_to(root):
            yield path


def read_topics(folder: Path) -> dict[str, dict[str, str]]:
    """The corpus' topic vocabulary `topics.yaml`: id -> {"de": name, "en": name}; empty where there is no such file."""
    path = folder / "topics.yaml"
    if not path.is_file():
        return {}
    try:
        loaded = yaml.safe_load(path.read_text("utf-8"))
        return {str(key): {"de": str(names["de"]), "en": str(names["en"])} for key, names in loaded.items()}
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
        raise CorpusError(f"{path} is not a list of topics with a `de` and an `en` name: {error}.") from error


def read_article(path: Path, *, most_bytes: int, known: Known | None = None) -> Article:
    """One file to an Article.

    Args:
        path: a .md or .txt file.
        most_bytes: size above which the file is refused.
        known: what the person who adds the file says about it; wins over the file.

    Raises:
        ArticleError: names the file and, where there is one, line and field.
    """
    raw = _read_bytes(path, most_bytes)
    try:
        content = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ArticleError(path, "is not UTF-8; save it as UTF-8 and try again", line=line) from error
    content = unicodedata.normalize("NFC", content.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", ""))
    if not content.strip():
        raise ArticleError(path, "is empty")
    head, body, first_line = _split(path, content)
    meta = _Meta(path, head)
    meta.only(FIELDS)
    return _article(path, meta, body, first_line, known or Known(), hashlib.sha256(raw).hexdigest())


def _read_bytes(path: Path, most_bytes: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > most_bytes:
            raise ArticleError(path, f"has {size:,} bytes, at most {most_bytes:,} are read; split it")
        return path.read_bytes()
    except OSError as error:
        raise ArticleError(path, f"cannot be read: {error.strerror}") from error


def _split(path: Path, content: str) -> tuple[str, str, int]:
    """(front matter, body, line on which the body begins); a file without front matter has an empty one."""
    lines = content.split("\n")
    if lines[0].strip() != "---":
        return "", content, 1
    for number, line in enumerate(lines[1:], start=2):
        if line.strip() == "---":
            return "\n".join(lines[1 : number - 1]), "\n".join(lines[number:]), number + 1
    raise ArticleError(path, "front matter begins here and is never closed by a line `---`", line=1)


def _article(path: Path, meta: _Meta, body: str, first_line: int, known: Known, digest: str) -> Article:
    plain, stray = _without_stray_date(body)
    text, raw_marks = _strip_marks(_paragraphs(plain))
    sources = tuple(_sources(meta))
    if known.publisher or known.url:
        sources = (Source(known.publisher or _host(known.url or ""), url=known.url), *sources)
    marks = tuple(_marks(path, raw_marks, len(sources), body, first_line))
    if not text:
        raise ArticleError(path, "has front matter but no text", line=first_line)
    language = _one_of(meta, "language", get_args(Language), known.language) or language_of(text)
    title, text, marks = _title(meta, known, text, marks)
    published, precision = _published(path, meta, known, stray, text)
    identity = known.id or meta.text("id") or _derived_id(path, published, cast(Language, language))
    if not _ID.fullmatch(identity):
        raise meta.error("id", f"{identity!r} may only have a-z, 0-9, '.', '_' and '-'")
    return Article(
        id=identity,
        event=meta.text("event") or _without_language(identity),
        language=cast(Language, language),
        title=title,
        published=published,
        precision=precision,
        topics=known.topics if known.topics is not None else meta.texts("topics"),
        entities=meta.texts("entities"),
        status=cast(Status, _one_of(meta, "status", get_args(Status)) or "current"),
        sources=sources,
        marks=marks,
        text=text,
        digest=digest,
    )


# --- front matter ----------------------------------------------------------------------------------------------------


class _Meta:
    """Front matter whose errors know the line they are on. Values stay strings: YAML guesses no dates or numbers."""

    def __init__(self, path: Path, head: str) -> None:
        self.path = path
        self._lines: dict[str, int] = {}
        self._values: dict[str, object] = {}
        try:
            node = yaml.compose(head, Loader=yaml.CBaseLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 2 if mark else 2
            problem = getattr(error, "problem", None) or "not YAML"
            raise ArticleError(path, f"front matter is broken: {problem}", line=line) from error
        if node is None:
            return
        if not isinstance(node, yaml.MappingNode):
            raise ArticleError(path, "front matter must be `name: value` lines", line=2)
        seen: set[int] = set()
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 2
            if name in self._lines:
                raise ArticleError(path, "is given twice", line=line, field=name)
            self._lines[name] = line
            try:
                self._values[name] = _plain(value, seen)
            except ValueError as error:
                raise ArticleError(path, str(error), line=line, field=name) from error

    def error(self, field: str, message: str) -> ArticleError:
        return ArticleError(self.path, message, line=self._lines.get(field), field=field)

    def only(self, fields: frozenset[str]) -> None:
        for name in self._values:
            if name not in fields:
                raise self.error(name, f"is no field of an article; known are {', '.join(sorted(fields))}")

    def text(self, field: str) -> str | None:
        value = self._values.get(field)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise self.error(field, "must be one value")
        return " ".join(value.split())

    def texts(self, field: str) -> tuple[str, ...]:
        value = self._values.get(field)
        if value is None or value == "":
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise self.error(field, "must be a list of names")
        return tuple(" ".join(item.split()) for item in value)

    def maps(self, field: str) -> list[dict[str, str]]:
        value = self._values.get(field)
        if value is None or value == "":
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(field, "must be a list of {publisher, title, url, published, language}")
        for item in value:
            for name, content in item.items():
                if name not in SOURCE_FIELDS:
                    raise self.error(field, f"{name!r} is no field of a source")
                if not isinstance(content, str):
                    raise self.error(field, f"{name} must be one value")
        return value


def _plain(node: yaml.Node, seen: set[int]) -> object:
    """A YAML node as strings, lists and dicts. Aliases are refused: a few lines of them can unfold into gigabytes."""
    if id(node) in seen:
        raise ValueError("must not use YAML aliases")
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, seen) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _plain(value, seen) for key, value in node.value}
    return str(node.value)


def _sources(meta: _Meta) -> Iterator[Source]:
    for number, item in enumerate(meta.maps("sources"), start=1):
        publisher = " ".join(item.get("publisher", "").split())
        if not publisher:
            raise meta.error("sources", f"source {number} has no publisher")
        url = item.get("url") or None
        if url and not re.match(r"https?://[^\s<>\"']+\Z", url):
            raise meta.error("sources", f"source {number}: {url!r} is not an http or https address")
        published = item.get("published") or None
        if published and not (_PARTIAL_DATE.fullmatch(published) and _valid(published)):
            raise meta.error("sources", f"source {number}: {published!r} is not a date such as 2025-08-14 or 2025-08")
        yield Source(publisher, item.get("title") or None, url, published, item.get("language") or None)


def _valid(partial: str) -> bool:
    try:
        date.fromisoformat((partial + "-01-01")[:10] if len(partial) == 4 else (partial + "-01")[:10])
    except ValueError:
        return False
    return True


def _one_of(meta: _Meta, field: str, allowed: Iterable[str], said: str | None = None) -> str | None:
    value = said or meta.text(field)
    if value is not None and value not in allowed:
        raise meta.error(field, f"{value!r} is not one of {', '.join(allowed)}")
    return value


def _published(path: Path, meta: _Meta, known: Known, stray: str | None, text: str) -> tuple[date, Precision]:
    said = known.published or meta.text("published")
    precision = cast(Precision, _one_of(meta, "date_precision", get_args(Precision)) or "day")
    if said is not None:
        try:
            return date.fromisoformat(said), precision
        except ValueError as error:
            raise meta.error("published", f"{said!r} is not a date such as 2025-08-14") from error
    derived = date.fromisoformat(stray) if stray else first_date(path.stem.replace("_", " ")) or first_date(text[:600])
    if derived is None:
        raise meta.error("published", "is missing and no date stands at the beginning; give it as YYYY-MM-DD")
    return derived, "day"


def _derived_id(path: Path, published: date, language: Language) -> str:
    name = path.stem.lower()
    for umlaut, letters in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        name = name.replace(umlaut, letters)
    slug = re.sub(r"[^a-z0-9]+", "-", unicodedata.normalize("NFKD", name)).strip("-")[:80] or "article"
    slug = slug.removesuffix(f"-{language}")
    return (
        f"{slug}.{language}" if slug.startswith(published.isoformat()) else f"{published.isoformat()}-{slug}.{language}"
    )


def _without_language(identity: str) -> str:
    stem, _, suffix = identity.rpartition(".")
    return stem if stem and suffix in get_args(Language) else identity


def _host(url: str) -> str:
    match = re.match(r"https?://(?:www\.)?([^/:]+)", url)
    return match[1] if match else url


def _check_topics(path: Path, article: Article, topics: dict[str, dict[str, str]]) -> None:
    unknown = [topic for topic in article.topics if topic not in topics]
    if unknown:
        raise ArticleError(path, f"{', '.join(unknown)}: not in the corpus' topics.yaml", field="topics")


# --- the text --------------------------------------------------------------------------------------------------------


def _without_stray_date(body: str) -> tuple[str, str | None]:
    """Text exports often begin with a bare "date 2025-08-14": metadata, not text."""
    match = _STRAY_DATE.match(body)
    return (body[match.end() :], match[1]) if match else (body, None)


def _paragraphs(body: str) -> str:
    """Paragraphs separated by one blank line each; a hard-wrapped paragraph becomes one line, a heading loses its #."""
    blocks = (
        re.sub(r"[ \t]*\n[ \t]*(?![-*•][ \t])", " ", block.strip())
        for block in re.split(r"\n[ \t]*\n", _HEADING.sub("", body))
    )
    return "\n\n".join(block for block in blocks if block)


def _strip_marks(text: str) -> tuple[str, list[tuple[int, str]]]:
    """Text without footnote marks, and for each mark the offset at which it stood."""
    parts: list[str] = []
    marks: list[tuple[int, str]] = []
    length = position = 0
    for match in _FOOTNOTE.finditer(text):
        parts.append(text[position : match.start()])
        length += len(parts[-1])
        marks.append((length, match[1]))
        position = match.end()
    parts.append(text[position:])
    return "".join(parts), marks


def _marks(path: Path, raw: list[tuple[int, str]], count: int, body: str, first_line: int) -> Iterator[Mark]:
    for offset, number in raw:
        if not (number.isdigit() and 1 <= int(number) <= count):
            line = first_line + body[: max(0, body.find(f"[^{number}]"))].count("\n")
            raise ArticleError(path, f"[^{number}] points to no source; there are {count}", line=line, field="sources")
        yield Mark(offset, (int(number) - 1,))


def _title(meta: _Meta, known: Known, text: str, marks: tuple[Mark, ...]) -> tuple[str, str, tuple[Mark, ...]]:
    """Title, text and marks; a first line that is plainly a headline becomes the title and leaves the text."""
    title = known.title or meta.text("title")
    if title:
        if len(title) > TITLE_CHARS:
            raise meta.error("title", f"has {len(title)} characters, at most {TITLE_CHARS}")
        return title, text, marks
    first, separator, rest = text.partition("\n\n")
    if separator and len(first) <= 150 and not first.endswith((".", "!", "?", ":")):
        cut = len(first) + len(separator)
        moved = tuple(replace(mark, offset=mark.offset - cut) for mark in marks if mark.offset > cut)
        return first, rest, moved
    if len(first) <= DERIVED_TITLE_CHARS:
        return first.rstrip("."), text, marks
    return first[:DERIVED_TITLE_CHARS].rsplit(" ", 1)[0].rstrip(" ,;:–-") + " …", text, marks
