"""Article files to Articles: the corpus format, and what is derived where a plain file says nothing.

A file is Markdown or plain text in UTF-8, with or without YAML front matter between two `---` lines. A file that cannot
be used is named with line and field and skipped; the others stay available.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import Any, Final, cast, get_args

import yaml

from rag.dates import first_date
from rag.errors import ArticleError, CorpusError
from rag.types import Article, Language, Mark, Precision, Source, Status
from rag.words import language_of

SUFFIXES: Final = (".md", ".txt")
FIELDS: Final = frozenset(
    "id event copy_of language title published date_precision topics entities status status_reason status_date sources".split()
)
SOURCE_FIELDS: Final = frozenset("publisher title url published language author".split())
TITLE_CHARS: Final = 300
"""Longest title, in characters; the longest headline seen in the dossier has 150."""
DERIVED_TITLE_CHARS: Final = 110
"""A title taken from the first sentence is cut here, at a word."""
UNSETTLED_NS: Final = 2_000_000_000
"""Nanoseconds after a change in which another one may leave size and times as they are: the coarsest clock of a common file
system (FAT) ticks every two seconds."""
YAML_DEPTH: Final = 32
"""Lists and maps inside each other; a corpus file needs three, and thousands would exhaust the stack."""

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,199}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PARTIAL_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_URL = re.compile(r"https?://[^\s<>\"']+")
_FOOTNOTE = re.compile(r"[ \t]*\[\^([^\]\s]{1,20})\]")
_ONLY_FOOTNOTES = re.compile(r"\s*\n((?:[ \t]*\[\^[^\]\s]{1,20}\])+)[ \t]*$", re.MULTILINE)
_HEADING = re.compile(r"^[^\S\n]*(?:#{1,6}[^\S\n]+)+(.*)$", re.MULTILINE)
_WRAP = re.compile(r"[ \t]*\n[ \t]*+(?![-*•][ \t])")
_LIST_ITEM = re.compile(r"[ \t]*\n[ \t]*")
_YAML_TAGS: Final = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))
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
    event: str | None = None
    copy_of: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    """An article file as it was when it was read."""

    mark: str
    """Size, times, inode and reading rules; while it stays the same the file need not be opened again. "" never does."""
    article: str
    """Id of the article in it."""
    digest: str
    """Of the article."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a folder holds, with only those files opened that may have changed."""

    files: dict[str, File]
    """By path below `articles/`: all files whose article counts."""
    articles: dict[str, Article]
    """By id: the articles of the files that were opened."""
    problems: tuple[ArticleError, ...]


def read_corpus(folder: Path, *, most_bytes: int) -> Corpus:
    """All articles under `folder/articles`, in order of their ids.

    Args:
        folder: the corpus; a folder without `articles/` is an empty corpus.
        most_bytes: larger files are refused before they are read.

    Raises:
        CorpusError: `folder` does not exist or is not a folder.
    """
    found = scan_corpus(folder, most_bytes=most_bytes, known={})
    return Corpus(tuple(found.articles[key] for key in sorted(found.articles)), found.problems)


def scan_corpus(folder: Path, *, most_bytes: int, known: Mapping[str, File]) -> Scan:
    """The article files under `folder/articles`; opens only those that are not known or no longer look the same.

    Args:
        folder, most_bytes: as for `read_corpus`.
        known: the `files` of an earlier scan; with none every file is opened.

    Raises:
        CorpusError: `folder` does not exist or is not a folder.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder} is not a folder.", "Name the corpus with --corpus DIR.")
    topics = read_topics(folder)
    rules = hashlib.sha256(repr((sorted(topics), most_bytes)).encode()).hexdigest()[:8]
    files: dict[str, File] = {}
    articles: dict[str, Article] = {}
    problems: list[ArticleError] = []
    first: dict[str, Path] = {}
    settled = time.time_ns() - UNSETTLED_NS
    for path, inside in _candidates(folder):
        if not inside:
            problems.append(ArticleError(path, "is a link that leads out of the corpus"))
            continue
        name = path.relative_to(folder / "articles").as_posix()
        mark = _look(path, rules, settled)
        file = known.get(name)
        article: Article | None = None
        if file is None or not mark or file.mark != mark:
            try:
                article = read_article(path, most_bytes=most_bytes, topics=topics)
            except ArticleError as error:
                problems.append(error)
                continue
            file = File(mark, article.id, article.digest)
        if file.article in first:
            problems.append(_taken(path, file.article, first[file.article], most_bytes))
            continue
        first[file.article] = path
        files[name] = file
        if article:
            articles[article.id] = article
    return Scan(files, articles, tuple(problems))


def _look(path: Path, rules: str, settled: int) -> str:
    """The file's mark; "" where it was touched so lately that a second change could look the same."""
    try:
        seen = path.stat()
    except OSError:
        return ""  # reading it will say why
    if max(seen.st_mtime_ns, seen.st_ctime_ns) > settled:
        return ""
    return f"{seen.st_size} {seen.st_mtime_ns} {seen.st_ctime_ns} {seen.st_ino} {rules}"


def article_files(folder: Path) -> Iterator[Path]:
    """The article files of a corpus in a fixed order; links that lead outside and hidden files are passed over."""
    return (path for path, inside in _candidates(folder) if inside)


def _candidates(folder: Path) -> Iterator[tuple[Path, bool]]:
    """(path, whether it lies in the corpus) of each article file and of each linked folder that lies elsewhere."""
    articles = folder / "articles"
    root = articles.resolve()
    for path in sorted(_walk(articles)):
        is_article = path.suffix.lower() in SUFFIXES and path.is_file()
        is_link = path.is_symlink()
        if is_article or (is_link and path.is_dir()):
            inside = not is_link or path.resolve().is_relative_to(root)
            if is_article or not inside:
                yield path, inside


def _walk(folder: Path) -> Iterator[Path]:
    """Everything below `folder` that is not hidden, links not followed."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return  # no such folder, or one that may not be read: it has no articles
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(folder / entry.name)
        else:
            yield folder / entry.name


def _taken(path: Path, identity: str, first: Path, most_bytes: int) -> ArticleError:
    """The error for the second file with an id. It is opened again to name the line: articles do not keep theirs."""
    return _opened(path, most_bytes).meta.error("id", f"{identity!r} is already the id of {first}")


def read_topics(folder: Path) -> dict[str, dict[str, str]]:
    """The corpus' topic vocabulary `topics.yaml`: id -> {"de": name, "en": name}; empty where there is no such file."""
    path = folder / "topics.yaml"
    if not path.is_file():
        return {}
    try:
        node = compose(path.read_text("utf-8"))
        loaded: Any = plain(node, set()) if node else {}
        return {key: {"de": str(names["de"]), "en": str(names["en"])} for key, names in loaded.items()}
    except (yaml.YAMLError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise CorpusError(f"{path} is not a list of topics with a `de` and an `en` name: {error}.") from error


def read_article(
    path: Path,
    *,
    most_bytes: int,
    known: Known | None = None,
    topics: Collection[str] = (),
    content: bytes | None = None,
) -> Article:
    """One file to an Article.

    Args:
        path: a .md or .txt file.
        most_bytes: size above which the file is refused.
        known: what the person who adds the file says about it; wins over the file.
        topics: the corpus' vocabulary, outside which a topic is refused; empty where every topic is welcome.
        content: what `path` is taken to hold; without it the file is opened.

    Raises:
        ArticleError: names the file and, where there is one, line and field.
    """
    opened = _opened(path, most_bytes, content)
    opened.meta.only(FIELDS)
    known = known or Known()
    opened.meta.forget(field.name for field in fields(Known) if getattr(known, field.name) not in (None, ""))
    return _article(opened, known, topics)


def is_id(text: str) -> bool:
    """Whether `text` can be the id of an article: it is then a file name and no path."""
    return bool(_ID.fullmatch(text))


def may_hold(path: Path, identity: str, *, most_bytes: int) -> bool:
    """Whether the article of that id can be in the file, seen without understanding it: the file says the id, or its name
    may have become the id.
    """
    slug = _slug(path)
    if any(slug.removesuffix(f"-{language}") in identity for language in get_args(Language)):
        return True
    try:
        with path.open("rb") as file:
            return identity.encode() in file.read(most_bytes)
    except OSError:
        return False


def printable(text: str) -> str:
    """`text` without the characters that no text needs and YAML refuses; white space among them becomes a space."""
    odd = {ord(sign): " " if sign.isspace() else None for sign in set(text) if _is_odd(sign)}
    return text.translate(odd) if odd else text


def _is_odd(sign: str) -> bool:
    return sign not in "\n\t" and unicodedata.category(sign) in ("Cc", "Cs", "Cn")


def _line(text: str) -> str:
    """`text` on one line: a title or a name."""
    return " ".join(printable(text).split())


# --- the file --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file taken apart, before anything in it is judged."""

    path: Path
    meta: _Meta
    body: str
    first_line: int
    """Line of the file on which the body begins."""
    digest: str


def _opened(path: Path, most_bytes: int, given: bytes | None = None) -> _Opened:
    raw = _read_bytes(path, most_bytes) if given is None else given
    try:
        content = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ArticleError(path, "is not UTF-8; save it as UTF-8 and try again", line=line) from error
    content = unicodedata.normalize("NFC", content.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", ""))
    if not content.strip():
        raise ArticleError(path, "is empty")
    head, head_line, body, body_line = _split(path, content)
    meta = _Meta(path, head, head_line)
    return _Opened(path, meta, printable(body), body_line, hashlib.sha256(raw).hexdigest())


def _read_bytes(path: Path, most_bytes: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > most_bytes:
            raise ArticleError(path, f"has {size:,} bytes, at most {most_bytes:,} are read; split it")
        return path.read_bytes()
    except OSError as error:
        raise ArticleError(path, f"cannot be read: {error.strerror}") from error


def _split(path: Path, content: str) -> tuple[str, int, str, int]:
    """(front matter, its first line, body, its first line); a file without front matter has an empty one."""
    lines = content.split("\n")
    opening = next(number for number, line in enumerate(lines) if line.strip())
    if lines[opening].strip() != "---":
        return "", 1, content, 1
    for number, line in enumerate(lines[opening + 1 :], start=opening + 1):
        if line.strip() == "---":
            return "\n".join(lines[opening + 1 : number]), opening + 2, "\n".join(lines[number + 1 :]), number + 2
    raise ArticleError(path, "front matter begins here and is never closed by a line `---`", line=opening + 1)


def _article(opened: _Opened, known: Known, vocabulary: Collection[str]) -> Article:
    path, meta, first_line = opened.path, opened.meta, opened.first_line
    # a file that says when it was published keeps its text as it is, so that what `add` wrote comes back the same
    body, stray = (opened.body, None) if meta.text("published") else _without_stray_date(opened.body)
    text, raw_marks = _strip_marks(_paragraphs(body))
    sources = (*_sources(meta), *_known_source(path, known))
    marks = tuple(_marks(path, raw_marks, len(sources), opened.body, first_line))
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
        event=_one_id(meta, "event", known.event) or without_language(identity),
        language=cast(Language, language),
        title=title,
        published=published,
        precision=precision,
        topics=_topics(meta, known, vocabulary),
        entities=meta.texts("entities"),
        status=cast(Status, _one_of(meta, "status", get_args(Status)) or "current"),
        sources=sources,
        marks=marks,
        text=text,
        digest=opened.digest,
        reason=meta.text("status_reason"),
        since=_since(meta),
        copy_of=_one_id(meta, "copy_of", known.copy_of),
    )


# --- front matter ----------------------------------------------------------------------------------------------------


class _Meta:
    """Front matter whose errors know the line they are on. Values stay strings: YAML guesses no dates or numbers."""

    def __init__(self, path: Path, head: str, first_line: int) -> None:
        self.path = path
        self._lines: dict[str, int] = {}
        self._values: dict[str, object] = {}
        try:
            node = compose(head)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or "not YAML"
            line = first_line + (mark.line if mark else 0)
            raise ArticleError(path, f"front matter is broken: {problem}", line=line) from error
        if node is None:
            return
        if not isinstance(node, yaml.MappingNode) or not _has_plain_names(node):
            raise ArticleError(path, "front matter must be `name: value` lines", line=first_line)
        seen: set[int] = set()
        for key, value in node.value:
            name, line = str(key.value), first_line + key.start_mark.line
            if name in self._lines:
                raise ArticleError(path, "is given twice", line=line, field=name)
            self._lines[name] = line
            try:
                self._values[name] = plain(value, seen)
            except ValueError as error:
                raise ArticleError(path, str(error), line=line, field=name) from error

    def forget(self, names: Iterable[str]) -> None:
        """Leave out the fields that something else wins over: an error about them is not the file's."""
        for name in names:
            self._lines.pop(name, None)
            self._values.pop(name, None)

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
        return _line(value) or None

    def texts(self, field: str) -> tuple[str, ...]:
        value = self._values.get(field)
        if value is None or value == "":
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) and _line(item) for item in value):
            raise self.error(field, "must be a list of names")
        return tuple(_line(item) for item in value)

    def maps(self, field: str) -> list[dict[str, str]]:
        value = self._values.get(field)
        if value is None or value == "":
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(field, "must be a list of {publisher, title, url, published, language, author}")
        for item in value:
            for name, content in item.items():
                if name not in SOURCE_FIELDS:
                    raise self.error(field, f"{name!r} is no field of a source")
                if not isinstance(content, str):
                    raise self.error(field, f"{name} must be one value")
        return value


def compose(content: str) -> yaml.Node | None:
    """YAML to nodes, all scalars as written. Depth is judged on the parser's events, which nest without recursion.

    Raises:
        yaml.YAMLError: not YAML, or nested more than `YAML_DEPTH` deep.
    """
    depth = 0
    for event in yaml.parse(content, Loader=yaml.CBaseLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > YAML_DEPTH:
            raise yaml.MarkedYAMLError(
                problem="lists or maps are nested too deep", problem_mark=cast(yaml.Mark, event.start_mark)
            )
    return yaml.compose(content, Loader=yaml.CBaseLoader)


def plain(node: yaml.Node, seen: set[int]) -> object:
    """A YAML node as strings, lists and dicts.

    Args:
        node: from `compose`.
        seen: the nodes met so far in the same file; the node and all in it are added.

    Raises:
        ValueError: an alias (a few lines of them can unfold into gigabytes), a tag, or a name that is given twice or is
            no word.
    """
    if id(node) in seen:
        raise ValueError("must not use YAML aliases")
    seen.add(id(node))
    if node.tag not in _YAML_TAGS:
        raise ValueError(f"must not use the YAML tag {node.tag}")
    if isinstance(node, yaml.SequenceNode):
        return [plain(item, seen) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        names = [str(key.value) for key, _ in node.value]
        if len(set(names)) < len(names) or not _has_plain_names(node):
            raise ValueError("must have different words as names")
        return {name: plain(value, seen) for name, (_, value) in zip(names, node.value, strict=True)}
    return str(node.value)


def _has_plain_names(node: yaml.MappingNode) -> bool:
    return all(isinstance(key, yaml.ScalarNode) for key, _ in node.value)


def _sources(meta: _Meta) -> Iterator[Source]:
    for number, item in enumerate(meta.maps("sources"), start=1):
        publisher = _line(item.get("publisher", ""))
        if not publisher:
            raise meta.error("sources", f"source {number} has no publisher")
        url = item.get("url") or None
        if url and not _is_address(url):
            raise meta.error("sources", f"source {number}: {url!r} is not an http or https address")
        published = item.get("published") or None
        if published and not (_PARTIAL_DATE.fullmatch(published) and _valid(published)):
            raise meta.error("sources", f"source {number}: {published!r} is not a date such as 2025-08-14 or 2025-08")
        title, language, author = (_line(item.get(name, "")) or None for name in ("title", "language", "author"))
        yield Source(publisher, title, url, published, language, author)


def _known_source(path: Path, known: Known) -> Iterator[Source]:
    """The source that the person who adds the file names; it comes last, so that the file's footnotes still fit."""
    publisher = _line(known.publisher or "")
    if known.url and not _is_address(known.url):
        raise ArticleError(path, f"{known.url!r} is not an http or https address", field="sources")
    if publisher or known.url:
        yield Source(publisher or _host(known.url or ""), url=known.url or None)


def _is_address(url: str) -> bool:
    return bool(_URL.fullmatch(url)) and printable(url) == url


def _topics(meta: _Meta, known: Known, vocabulary: Collection[str]) -> tuple[str, ...]:
    topics = tuple(map(_line, known.topics)) if known.topics is not None else meta.texts("topics")
    unknown = [topic for topic in topics if vocabulary and topic not in vocabulary]
    if unknown:
        raise meta.error("topics", f"{', '.join(unknown)}: not in the corpus' topics.yaml")
    return topics


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
        if not (_DAY.fullmatch(said) and _valid(said)):
            raise meta.error("published", f"{said!r} is not a date such as 2025-08-14")
        return date.fromisoformat(said), precision
    derived = date.fromisoformat(stray) if stray else first_date(path.stem.replace("_", " ")) or first_date(text[:600])
    if derived is None:
        raise meta.error("published", "is missing and no date stands at the beginning; give it as YYYY-MM-DD")
    return derived, "day"


def _one_id(meta: _Meta, field: str, said: str | None) -> str | None:
    """An id that refers to something else, which need not be there: files come and go."""
    value = said or meta.text(field)
    if field == "copy_of" and value and not _ID.fullmatch(value):
        raise meta.error(field, f"{value!r} may only have a-z, 0-9, '.', '_' and '-'")
    return value


def _since(meta: _Meta) -> date | None:
    said = meta.text("status_date")
    if said is None:
        return None
    if not (_DAY.fullmatch(said) and _valid(said)):
        raise meta.error("status_date", f"{said!r} is not a date such as 2025-08-14")
    return date.fromisoformat(said)


def _slug(path: Path) -> str:
    name = path.stem.lower()
    for umlaut, letters in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        name = name.replace(umlaut, letters)
    return re.sub(r"[^a-z0-9]+", "-", unicodedata.normalize("NFKD", name)).strip("-")[:80] or "article"


def _derived_id(path: Path, published: date, language: Language) -> str:
    slug = _slug(path).removesuffix(f"-{language}")
    return (
        f"{slug}.{language}" if slug.startswith(published.isoformat()) else f"{published.isoformat()}-{slug}.{language}"
    )


def without_language(identity: str) -> str:
    stem, _, suffix = identity.rpartition(".")
    return stem if stem and suffix in get_args(Language) else identity


def _host(url: str) -> str:
    match = re.match(r"https?://(?:www\.)?([^/:]+)", url)
    return match[1] if match else url


# --- the text --------------------------------------------------------------------------------------------------------


def _without_stray_date(body: str) -> tuple[str, str | None]:
    """Text exports often begin with a bare "date 2025-08-14": metadata, not text."""
    match = _STRAY_DATE.match(body)
    return (body[match.end() :], match[1]) if match else (body, None)


def _paragraphs(body: str) -> str:
    """Paragraphs separated by one blank line each.

    A hard-wrapped paragraph becomes one line, list items keep theirs; a heading loses its # and is a paragraph of its
    own; footnote marks on a line of their own join what precedes them.
    """
    body = _HEADING.sub(r"\n\n\1\n\n", _ONLY_FOOTNOTES.sub(r"\1", body))
    blocks = (_LIST_ITEM.sub("\n", _WRAP.sub(" ", block.strip())) for block in re.split(r"\n[ \t]*\n", body))
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
    bare = "".join(parts).rstrip()
    margin = len(bare) - len(bare.lstrip())
    text = bare[margin:]
    return text, [(min(max(0, offset - margin), len(text)), number) for offset, number in marks]


def _marks(path: Path, raw: list[tuple[int, str]], count: int, body: str, first_line: int) -> Iterator[Mark]:
    for offset, number in raw:
        if not (number.isascii() and number.isdecimal() and 1 <= int(number) <= count):
            line = first_line + body[: max(0, body.find(f"[^{number}]"))].count("\n")
            raise ArticleError(path, f"[^{number}] points to no source; there are {count}", line=line, field="sources")
        yield Mark(offset, (int(number) - 1,))


def _title(meta: _Meta, known: Known, text: str, marks: tuple[Mark, ...]) -> tuple[str, str, tuple[Mark, ...]]:
    """Title, text and marks; a first line that is plainly a headline becomes the title and leaves the text."""
    title = _line(known.title or "") or meta.text("title")
    if title:
        if len(title) > TITLE_CHARS:
            raise meta.error("title", f"has {len(title)} characters, at most {TITLE_CHARS}")
        return title, text, marks
    paragraph, separator, rest = text.partition("\n\n")
    first = _line(paragraph)
    if separator and len(first) <= 150 and not first.endswith((".", "!", "?", ":")):
        cut = len(paragraph) + len(separator)
        moved = tuple(replace(mark, offset=mark.offset - cut) for mark in marks if mark.offset > cut)
        return first, rest, moved
    if len(first) <= DERIVED_TITLE_CHARS:
        return first.rstrip("."), text, marks
    return first[:DERIVED_TITLE_CHARS].rsplit(" ", 1)[0].rstrip(" ,;:–-") + " …", text, marks
