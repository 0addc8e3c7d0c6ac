"""The catalogue of one build, in SQLite: articles, chunks, and the keyword index (BM25) over them.

SQLite's FTS5 ranks with BM25 (k1 = 1.2, b = 0.75) and keeps its index on disk: it opens at once, survives restarts and
filters in the same query. Its tokenizer knows no German, so it is given ready index terms (`rag.words`). Each language
has its own table, because term statistics of one language mean nothing in the other.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any, Final

from rag.errors import IndexDamaged
from rag.glossary import Entry, Glossary
from rag.read import File
from rag.types import LANGUAGES, Article, Chunk, Filters, Language, Mark, Said, Source, Span
from rag.words import terms

FILE: Final = "catalog.db"
TITLE_WEIGHT: Final = 0.5
"""Weight of title terms against the chunk's own: every chunk of an article carries the title."""
CONCEPT_WEIGHT: Final = 1.0
"""Weight of glossary ids against words."""
_SCHEMA: Final = """
CREATE TABLE articles (
    id TEXT PRIMARY KEY, event TEXT, language TEXT, day INTEGER, digest TEXT, record TEXT,
    title TEXT, whole TEXT   -- [terms, concepts] of the title and of everything
);
CREATE INDEX articles_by_event ON articles (event);
CREATE INDEX articles_by_day ON articles (day);
CREATE INDEX articles_by_digest ON articles (id, digest);  -- spares reading the records
CREATE TABLE files (path TEXT PRIMARY KEY, mark TEXT, article TEXT);
CREATE TABLE labels (article TEXT, kind TEXT, value TEXT);
CREATE INDEX labels_by_value ON labels (kind, value);
CREATE INDEX labels_by_article ON labels (article);
CREATE TABLE chunks (
    row INTEGER PRIMARY KEY, id TEXT UNIQUE, article TEXT, start INTEGER, stop INTEGER,
    sentences TEXT,          -- [[start, end, quotable], ...]
    said TEXT,               -- [[terms, concepts], ...], one of each per sentence, words separated by spaces
    first INTEGER            -- row of its first sentence vector
);
CREATE INDEX chunks_by_article ON chunks (article);
CREATE TABLE gone (row INTEGER PRIMARY KEY);  -- chunks of the base that count no more
-- with their content, so that a row can be deleted by its number
CREATE VIRTUAL TABLE words_de USING fts5 (title, body, concepts, tokenize="unicode61 tokenchars '.''-'");
CREATE VIRTUAL TABLE words_en USING fts5 (title, body, concepts, tokenize="unicode61 tokenchars '.''-'");
CREATE TABLE glossary (record TEXT);
"""


class Catalog:
    """One build's catalogue, opened for reading. Safe to use from several threads.

    Raises:
        IndexDamaged: the file is missing or is no catalogue.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / FILE
        if not path.is_file():
            raise IndexDamaged(f"{path} is missing.")
        self._sizes: dict[Language, int] = {}
        # a finished build is never written to: `immutable` spares the locking
        self._db = sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True, check_same_thread=False)
        try:
            self.glossary = Glossary(tuple(_entry(record) for (record,) in self._rows("SELECT record FROM glossary")))
            self.gone = frozenset(row for (row,) in self._rows("SELECT row FROM gone"))
        except sqlite3.DatabaseError as error:
            raise IndexDamaged(f"{path}: {error}.") from error

    def close(self) -> None:
        self._db.close()

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        return self._db.execute(statement, values).fetchall()

    def article(self, identity: str) -> Article | None:
        rows = self._rows("SELECT record FROM articles WHERE id = ?", (identity,))
        return _article(rows[0][0]) if rows else None

    def articles(self, filters: Filters | None = None) -> list[Article]:
        """All articles that the filters allow, newest first."""
        where, values = _where(filters or Filters(), None)
        return [
            _article(record)
            for (record,) in self._rows(f"SELECT record FROM articles {where} ORDER BY day DESC, id", values)
        ]

    def chunks(self, rows: Sequence[int]) -> dict[int, tuple[Chunk, int]]:
        """Row -> (chunk, row of its first sentence) for each row that exists."""
        marks = ",".join("?" * len(rows))
        statement = f"SELECT row, id, article, start, stop, sentences, first FROM chunks WHERE row IN ({marks})"
        return {
            row: (
                Chunk(identity, article, start, end, tuple(Span(a, b, bool(q)) for a, b, q in json.loads(spans))),
                first,
            )
            for row, identity, article, start, end, spans, first in self._rows(statement, list(rows))
        }

    def rows_of(self, article: str) -> list[int]:
        """The rows of an article's chunks in reading order."""
        return [row for (row,) in self._rows("SELECT row FROM chunks WHERE article = ? ORDER BY row", (article,))]

    def said(self, rows: Sequence[int]) -> dict[int, tuple[list[Said], Said, Said]]:
        """Row -> what each of the chunk's sentences mentions, what the article's title does, and what all of it does."""
        marks = ",".join("?" * len(rows))
        statement = f"""
            SELECT chunks.row, chunks.said, articles.title, articles.whole
            FROM chunks JOIN articles ON articles.id = chunks.article WHERE chunks.row IN ({marks})"""
        return {
            row: ([_said(pair) for pair in json.loads(sentences)], _said(json.loads(title)), _said(json.loads(whole)))
            for row, sentences, title, whole in self._rows(statement, list(rows))
        }

    def search(
        self, query: Sequence[str], concepts: Sequence[str], language: Language, k: int, filters: Filters
    ) -> list[tuple[int, float]]:
        """Chunk rows by BM25, best first: [(row, score)], score > 0, higher is better; only chunks that match a term.

        Args:
            query: index terms of the question in `language` (`rag.words.terms`).
            concepts: glossary ids the question names.
            language: whose articles to search.
            k: most rows.
            filters: what is allowed as evidence.
        """
        wanted = [f'{{title body}} : "{_quoted(term)}"' for term in dict.fromkeys(query)]
        wanted += [f'concepts : "{_quoted(concept)}"' for concept in dict.fromkeys(concepts)]
        if not wanted:
            return []
        table = f"words_{language}"
        # a row of the language's table is a chunk of it: only filters need to look at the articles
        where, values = _where(filters, None)
        join = (
            f"JOIN chunks ON chunks.row = {table}.rowid JOIN articles ON articles.id = chunks.article {where} AND"
            if filters
            else "WHERE"
        )
        statement = f"""
            SELECT {table}.rowid, bm25({table}, {TITLE_WEIGHT}, 1.0, {CONCEPT_WEIGHT}) AS rank
            FROM {table} {join} {table} MATCH ?
            ORDER BY rank, {table}.rowid LIMIT ?"""
        return [(row, -rank) for row, rank in self._rows(statement, [*values, " OR ".join(wanted), k])]

    def document_frequency(self, term: str, language: Language) -> int:
        """In how many chunks of `language` the index term occurs, title included."""
        statement = f"SELECT count(*) FROM words_{language} WHERE words_{language} MATCH ?"
        return int(self._rows(statement, (f'{{title body}} : "{_quoted(term)}"',))[0][0])

    def chunks_in(self, language: Language) -> int:
        """How many chunks the articles in `language` have."""
        if language not in self._sizes:  # every question asks, and counting takes 7 ms at 40,000 articles
            self._sizes[language] = int(self._rows(f"SELECT count(*) FROM words_{language}")[0][0])
        return self._sizes[language]

    def labels(self, kind: str) -> list[tuple[str, int]]:
        """(value, number of articles) of all publishers or topics, the most frequent first."""
        return self._rows(
            "SELECT value, count(*) AS n FROM labels WHERE kind = ? GROUP BY value ORDER BY n DESC, value", (kind,)
        )

    def span(self) -> tuple[date, date] | None:
        """Dates of the oldest and the newest article; None for an empty corpus."""
        first, last = self._rows("SELECT min(day), max(day) FROM articles")[0]
        return (_as_date(first), _as_date(last)) if first else None

    def digests(self) -> dict[str, str]:
        """Article id -> digest of the file it was read from."""
        return dict(self._rows("SELECT id, digest FROM articles"))

    def files(self) -> dict[str, File]:
        """The files the articles were read from, by path below `articles/`."""
        statement = "SELECT path, mark, article, digest FROM files JOIN articles ON articles.id = files.article"
        return {path: File(mark, article, digest) for path, mark, article, digest in self._rows(statement)}

    def rows_from(self, row: int, language: Language | None, filters: Filters) -> list[int]:
        """The chunks from `row` on, among articles in `language` that the filters allow."""
        where, values = _where(filters, language)
        statement = f"""
            SELECT chunks.row FROM chunks JOIN articles ON articles.id = chunks.article
            {where + " AND" if where else "WHERE"} chunks.row >= ? ORDER BY chunks.row"""
        return [found for (found,) in self._rows(statement, [*values, row])]


def write_catalog(
    folder: Path,
    articles: Iterable[Article],
    chunks: Sequence[Chunk],
    first_rows: Sequence[int],
    glossary: Glossary,
    files: Mapping[str, File],
) -> None:
    """Write a new catalogue into `folder`.

    Args:
        folder: an existing folder without a catalogue.
        articles: all articles, withdrawn ones too.
        chunks: the chunks that may be quoted; the position of a chunk is its row.
        first_rows: for each chunk the row of its first sentence in the sentence vectors.
        glossary: the corpus' glossary.
        files: where the articles were read from, by path.
    """
    with _writing(folder) as db:
        db.executescript(_SCHEMA)
        _insert(db, articles, list(enumerate(chunks)), first_rows, glossary)
        db.executemany(
            "INSERT INTO glossary VALUES (?)",
            [(json.dumps(asdict(entry), ensure_ascii=False),) for entry in glossary.entries],
        )
        db.executemany("INSERT INTO files VALUES (?, ?, ?)", [(p, f.mark, f.article) for p, f in files.items()])


def update_catalog(
    before: Path,
    folder: Path,
    gone: Iterable[str],
    articles: Sequence[Article],
    chunks: Sequence[tuple[int, Chunk]],
    first_rows: Sequence[int],
    glossary: Glossary,
    files: Mapping[str, File],
) -> tuple[int, int]:
    """Write into `folder` the catalogue of `before` with some articles changed; `before` stays as it is.

    Args:
        before: the build to start from.
        folder: an existing folder without a catalogue.
        gone: ids of the articles that are no more.
        articles: those that are new or changed.
        chunks: theirs that may be quoted, with rows that no chunk had before.
        first_rows, glossary, files: as for `write_catalog`; the glossary is that of `before`.

    Returns:
        How many chunks and how many sentences went.
    """
    shutil.copyfile(before / FILE, folder / FILE)
    with _writing(folder) as db:
        sentences = 0
        rows: list[int] = []
        for identity in (*gone, *(article.id for article in articles)):
            for row, spans in db.execute("SELECT row, sentences FROM chunks WHERE article = ?", (identity,)):
                rows.append(row)
                sentences += len(json.loads(spans))
            for table, column in (("articles", "id"), ("labels", "article"), ("chunks", "article")):
                db.execute(f"DELETE FROM {table} WHERE {column} = ?", (identity,))
        for row in rows:
            # it stands in one of the two
            for language in LANGUAGES:
                db.execute(f"DELETE FROM words_{language} WHERE rowid = ?", (row,))
        db.executemany("INSERT INTO gone VALUES (?)", [(row,) for row in rows])
        _insert(db, articles, chunks, first_rows, glossary)
        known = dict(db.execute("SELECT path, mark || ' ' || article FROM files"))
        db.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in known.keys() - files.keys()])
        db.executemany(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?)",
            [(p, f.mark, f.article) for p, f in files.items() if known.get(p) != f"{f.mark} {f.article}"],
        )
    return len(rows), sentences


@contextmanager
def _writing(folder: Path) -> Iterator[sqlite3.Connection]:
    """The catalogue in `folder`, opened to be written; kept if all went well."""
    db = sqlite3.connect(folder / FILE)
    try:
        yield db
        db.commit()
    finally:
        db.close()


def _insert(
    db: sqlite3.Connection,
    articles: Iterable[Article],
    chunks: Sequence[tuple[int, Chunk]],
    first_rows: Sequence[int],
    glossary: Glossary,
) -> None:
    by_id = {article.id: article for article in articles}
    whole: dict[str, Said] = {}
    titles = {article.id: say(article.title, article.language, glossary) for article in by_id.values()}
    for (row, chunk), first in zip(chunks, first_rows, strict=True):
        article = by_id[chunk.article]
        said = [say(article.text[span.start : span.end], article.language, glossary) for span in chunk.sentences]
        for part in said:
            whole[article.id] = whole.get(article.id, titles[article.id]) | part
        spans = json.dumps([[span.start, span.end, int(span.quotable)] for span in chunk.sentences])
        db.execute(
            "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                row,
                chunk.id,
                article.id,
                chunk.start,
                chunk.end,
                spans,
                json.dumps([_packed(part) for part in said]),
                first,
            ),
        )
        text = article.text[chunk.start : chunk.end]
        db.execute(
            f"INSERT INTO words_{article.language} (rowid, title, body, concepts) VALUES (?, ?, ?, ?)",
            (
                row,
                " ".join(terms(article.title, article.language)),
                " ".join(terms(text, article.language)),
                " ".join(glossary.concepts(f"{article.title}\n{text}", article.language)),
            ),
        )
    for article in by_id.values():
        record = json.dumps(asdict(article), ensure_ascii=False, default=date.isoformat)
        entities = say(" ".join(article.entities), article.language, glossary)
        everything = whole.get(article.id, titles[article.id]) | entities
        db.execute(
            "INSERT INTO articles VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                article.id, article.event, article.language, as_number(article.published), article.digest, record,
                json.dumps(_packed(titles[article.id])), json.dumps(_packed(everything)),
            ),
        )  # fmt: skip
        labels = [("publisher", name) for name in article.publishers] + [("topic", name) for name in article.topics]
        db.executemany("INSERT INTO labels VALUES (?, ?, ?)", [(article.id, kind, value) for kind, value in labels])


def say(text: str, language: Language, glossary: Glossary) -> Said:
    """What `text` mentions."""
    return Said(frozenset(terms(text, language)), frozenset(glossary.concepts(text, language)))


def _packed(said: Said) -> list[str]:
    return [" ".join(sorted(said.terms)), " ".join(sorted(said.concepts))]


def _said(packed: Sequence[str]) -> Said:
    return Said(frozenset(packed[0].split()), frozenset(packed[1].split()))


def as_number(day: date) -> int:
    """A date as a number that sorts like it: 20250814. Chroma compares numbers only."""
    return day.year * 10_000 + day.month * 100 + day.day


def _as_date(number: int) -> date:
    return date(number // 10_000, number // 100 % 100, number % 100)


def _where(filters: Filters, language: Language | None) -> tuple[str, list[object]]:
    conditions: list[str] = []
    values: list[object] = []
    if language:
        conditions.append("articles.language = ?")
        values.append(language)
    if filters.since:
        conditions.append("articles.day >= ?")
        values.append(as_number(filters.since))
    if filters.until:
        conditions.append("articles.day <= ?")
        values.append(as_number(filters.until))
    for kind, wanted in (("publisher", filters.publishers), ("topic", filters.topics)):
        if wanted:
            marks = ",".join("?" * len(wanted))
            conditions.append(
                f"articles.id IN (SELECT article FROM labels WHERE kind = '{kind}' AND value IN ({marks}))"
            )
            values.extend(wanted)
    return ("WHERE " + " AND ".join(conditions) if conditions else ""), values


def _quoted(term: str) -> str:
    return term.replace('"', '""')


def _article(record: str) -> Article:
    fields = json.loads(record)
    return Article(
        **{
            **fields,
            "published": date.fromisoformat(fields["published"]),
            "since": date.fromisoformat(fields["since"]) if fields.get("since") else None,
            "topics": tuple(fields["topics"]),
            "entities": tuple(fields["entities"]),
            "sources": tuple(Source(**source) for source in fields["sources"]),
            "marks": tuple(Mark(mark["offset"], tuple(mark["sources"])) for mark in fields["marks"]),
        }
    )


def _entry(record: str) -> Entry:
    fields = json.loads(record)
    names = tuple(fields["de"]), tuple(fields["en"])
    return Entry(fields["id"], fields["kind"], *names, fields["case"], fields.get("year_ends"))
