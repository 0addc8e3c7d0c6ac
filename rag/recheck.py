"""Answers given earlier against what the corpus says now: does each quotation still stand, or what became of it?

An answer is checked by what it says of itself, the JSON of `chipdesk ask --json` and POST /ask; nothing was kept of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError

from rag.chunk import sentences
from rag.errors import BadRequest
from rag.types import Article, Status
from rag.words import fold, tokens

Verdict = Literal["stands", "corrected", "withdrawn", "changed", "removed"]
MOST_QUOTES: Final = 1_000
"""Citations checked at once; the answers of a week, some hundred milliseconds."""
ALIKE: Final = 0.3
"""Least share of common words at which a sentence is shown as what stands there instead."""


@dataclass(frozen=True, slots=True)
class SavedCitation:
    """What is needed of a citation; its other fields are passed over."""

    number: int
    article: str
    quote: str
    start: int
    end: int
    status: Status = "current"
    """When the answer was made."""
    since: date | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """What is needed of an answer."""

    id: str
    question: str
    citations: tuple[SavedCitation, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one citation."""

    answer: str
    """Id of the answer."""
    question: str
    number: int
    article: str
    quote: str
    verdict: Verdict
    """stands: word for word, and nothing was said of the article since. corrected: so it stands, but the article was marked.
    changed: the article has another text now. withdrawn, removed: nothing of the article may be quoted, or it is gone."""
    reason: str | None = None
    """Why it was corrected or withdrawn."""
    since: date | None = None
    """The day it was."""
    now: str | None = None
    """For changed: the sentence that comes nearest to the quotation in the text of today; None where none does."""
    version: int | None = None
    """For changed and removed: the newest older version that has the quotation, counted from 1; None where none has."""


_SAVED: Final = TypeAdapter(list[Saved])


def saved(value: object) -> list[Saved]:
    """Answers from parsed JSON: one, or a list of them.

    Raises:
        BadRequest: it is none; names the field that is wrong.
    """
    try:
        found = _SAVED.validate_python(value if isinstance(value, list) else [value])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadRequest(
            f"This is no answer of Chipdesk: {where}: {first['msg']}.",
            "Give the JSON of `chipdesk ask --json` or of POST /ask.",
        ) from None
    count = sum(len(answer.citations) for answer in found)
    if count > MOST_QUOTES:
        raise BadRequest(f"There are {count:,} citations.", f"Check at most {MOST_QUOTES:,} at once.")
    return found


def read_saved(text: str) -> list[Saved]:
    """Answers from a file's text: one JSON document, or one answer a line.

    Raises:
        BadRequest: it is neither.
    """
    try:
        return saved(json.loads(text))
    except json.JSONDecodeError as whole:
        if not text.strip():
            raise BadRequest("There is no answer in it.", "Give the JSON of `chipdesk ask --json`.") from None
        found: list[Any] = []
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                try:
                    found.append(json.loads(line))
                except (json.JSONDecodeError, RecursionError):
                    where = number if found else whole.lineno
                    raise BadRequest(
                        f"Line {where} is not JSON.", "Give the JSON of `chipdesk ask --json`, or one answer a line."
                    ) from None
        return saved(found)
    except RecursionError:
        raise BadRequest("This JSON is nested too deeply to be an answer.") from None


def recheck(
    answers: Iterable[Saved],
    article: Callable[[str], Article | None],
    older: Callable[[str], Sequence[Article | None]],
) -> list[Finding]:
    """What became of each citation, in the order of the answers.

    Args:
        answers: given earlier.
        article: gives the article with an id as it is now; None where there is none.
        older: gives its older versions, oldest first, None for one that cannot be read; only asked for ids that are ids.
    """
    return [_finding(answer, citation, article, older) for answer in answers for citation in answer.citations]


def _finding(
    answer: Saved,
    citation: SavedCitation,
    article: Callable[[str], Article | None],
    older: Callable[[str], Sequence[Article | None]],
) -> Finding:
    now = article(citation.article)
    told: Verdict = "stands"
    nearest = version = None
    if now is None:
        told, version = "removed", _version(citation, older(citation.article))
    elif now.status == "withdrawn":
        told = "withdrawn"
    elif not citation.quote.strip() or citation.quote not in now.text:
        told, version = "changed", _version(citation, older(citation.article))
        nearest = _nearest(citation.quote, now)
    elif now.status == "corrected" and (citation.status, citation.since) != ("corrected", now.since):
        told = "corrected"
    return Finding(
        answer=answer.id,
        question=answer.question,
        number=citation.number,
        article=citation.article,
        quote=citation.quote,
        verdict=told,
        reason=now.reason if now else None,
        since=now.since if now else None,
        now=nearest,
        version=version,
    )


def _version(citation: SavedCitation, older: Sequence[Article | None]) -> int | None:
    numbered = [(number, old) for number, old in enumerate(older, start=1) if old and citation.quote in old.text]
    return numbered[-1][0] if numbered else None


def _nearest(quote: str, article: Article) -> str | None:
    wanted = frozenset(map(fold, tokens(quote)))
    best, nearest = ALIKE, None
    for span in sentences(article.text, article.language):
        text = article.text[span.start : span.end]
        words = frozenset(map(fold, tokens(text)))
        share = len(wanted & words) / max(1, len(wanted | words))
        if share > best:
            best, nearest = share, text
    return nearest
