"""The words every file shares: plain, frozen records, and the Protocols of the seams.

Everything here is immutable and cheap to import. The ingestion line turns an `Article` into `Chunk`s; the query
line turns a `Question` into `Hit`s, `Evidence` and an `Answer` made of `Sentence`s and `Citation`s.

Offsets are always counted in Python characters of `Article.text`; `end` is exclusive, so that
`article.text[start:end]` is the quoted string.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from threading import Event
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Language = Literal["de", "en"]
LANGUAGES: tuple[Language, ...] = ("de", "en")
Precision = Literal["day", "month", "year"]
Status = Literal["current", "corrected", "withdrawn"]
Reason = Literal["no_coverage", "outside_filters", "false_premise", "unsupported"]
Vectors = npt.NDArray[np.float32]
"""Unit vectors as rows, shape (n, dimension)."""


# --- what the corpus holds -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """One outlet behind an article. Everything but the publisher may be unknown (None)."""

    publisher: str
    title: str | None = None
    url: str | None = None
    published: str | None = None
    """ISO date as precise as it is known: 2025, 2025-08 or 2025-08-14."""
    language: str | None = None
    author: str | None = None
    """The byline, as it stands there."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A footnote mark that stood in the article's file, now a position in its text."""

    offset: int
    """Where in `Article.text` the mark stood: right after the sentence it belongs to."""
    sources: tuple[int, ...]
    """Positions in `Article.sources`, 0-based."""


@dataclass(frozen=True, slots=True)
class Article:
    """One article of the corpus in one language, as read from its file."""

    id: str
    event: str
    """The same for all articles that tell one event; the id itself where the file names none."""
    language: Language
    title: str
    published: date
    precision: Precision
    topics: tuple[str, ...]
    entities: tuple[str, ...]
    status: Status
    sources: tuple[Source, ...]
    marks: tuple[Mark, ...]
    text: str
    """Paragraphs separated by blank lines, without footnote marks: what is chunked, quoted and shown."""
    digest: str
    """SHA-256 (hex) of the file's bytes."""
    reason: str | None = None
    """Why it was corrected or withdrawn."""
    since: date | None = None
    """The day it was."""
    copy_of: str | None = None
    """Id of the article whose text this one has, in another outlet or lightly rewritten."""

    @property
    def publishers(self) -> tuple[str, ...]:
        """Names the outlets can be asked for by, without repeats: "Reuters (copy: Yahoo)" is also "Reuters"."""
        names = (name for source in self.sources for name in (source.publisher, source.publisher.split(" (")[0]))
        return tuple(dict.fromkeys(names))

    def sources_of(self, start: int, end: int) -> tuple[Source, ...]:
        """The outlets behind text[start:end]: those of its own marks, or all of the article's where it has no marks."""
        if not self.marks:
            return self.sources
        numbers = sorted({n for mark in self.marks if start < mark.offset <= end for n in mark.sources})
        return tuple(self.sources[n] for n in numbers)


@dataclass(frozen=True, slots=True)
class Span:
    """One sentence of an article."""

    start: int
    end: int
    quotable: bool = True
    """False for headings and fragments: kept for context, never offered as evidence."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Neighbouring whole sentences of one article: the unit that is embedded and found."""

    id: str
    """`<article id>#<number>`, numbered from 0 within its article."""
    article: str
    start: int
    end: int
    sentences: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """A text reduced to what it mentions."""

    terms: frozenset[str]
    """Index terms in the text's language (`rag.words.terms`)."""
    concepts: frozenset[str]
    """Ids of the glossary entries it names."""

    def __or__(self, other: Said) -> Said:
        return Said(self.terms | other.terms, self.concepts | other.concepts)


# --- what a question becomes -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filters:
    """What the asker allows as evidence. Empty fields allow everything; dates are inclusive, on the article's date."""

    since: date | None = None
    until: date | None = None
    publishers: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.since or self.until or self.publishers or self.topics)


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time that a question names: "im August 2025" is 2025-08-01 to 2025-08-31, both inclusive."""

    words: str
    """As typed, to be shown and taken back; a fiscal period with its months."""
    since: date | None
    until: date | None
    year_ends: int | None = None
    """Month in which the fiscal year ends by whose calendar the words were read, 1..12; None where they name none."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the conversation so far."""

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Part:
    """One of the questions that a comparing question is made of."""

    text: str
    """The question for one of the things compared."""
    about: str
    """That thing, as typed."""
    concept: str | None
    """Its glossary id; None where the glossary does not know it."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question as the query line sees it."""

    text: str
    """As the user typed it, cleaned of control characters."""
    standalone: str
    """The same made understandable without the conversation; equal to `text` where it already was."""
    language: Language
    wants: frozenset[str]
    """The kinds of answer asked for: who, when, where, why, how_many, how; empty where it cannot be told."""
    names: tuple[str, ...]
    """Names, model numbers and codes the question mentions, as typed: an answer must not ignore them."""
    filters: Filters
    period: Period | None = None
    """The time the question speaks of; None where it names none, or where the asker took it back."""
    parts: tuple[Part, ...] = ()
    """What it is made of where it compares; empty otherwise."""
    asked: date | None = None
    """The day it is asked on, from which the age of evidence is seen; None where that does not matter."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found, with the reasons why."""

    chunk: Chunk
    article: Article
    row: int
    """Where the index keeps the chunk."""
    first: int
    """Where the index keeps the vector of its first sentence; the others follow."""
    score: float
    """Fused rank score as a share of the best one in the same language, 0..1; higher is better."""
    cosine: float
    """Cosine of question and chunk, -1..1 (between .7 and .9 in practice with e5)."""
    words: float
    """BM25 score of the keyword index, 0 where no word matched; higher is better."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What a reader sees of a chunk."""

    context: str
    """The article's title and date."""
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader makes of one sentence; both are logits: unbounded, above 0 means rather yes."""

    answers: float
    """Whether the sentence answers the question, against "nothing answers it"."""
    corrects: float
    """Whether the sentence contradicts what the question takes as given."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence that may answer the question."""

    article: Article
    span: Span
    support: float
    """Estimated probability that the sentence answers the question, 0..1."""
    corrects: float = 0.0
    """Estimated probability that the sentence contradicts what the question takes as given, 0..1."""
    features: dict[str, float] = field(default_factory=dict, compare=False)
    """The measurements behind `support`, by name, for inspection and for fitting."""

    @property
    def quote(self) -> str:
        return self.article.text[self.span.start : self.span.end]


@dataclass(frozen=True, slots=True)
class Selection:
    """What an answer is made of, in the order it is told."""

    statements: tuple[tuple[Evidence, ...], ...]
    """Each statement with all evidence that makes it, the best first: that one is quoted, all are cited."""
    differ: bool = False
    """Whether accounts of the matter differ."""
    without: tuple[str, ...] = ()
    """Things the question compares that the evidence says nothing of, as typed."""
    reason: Reason | None = None
    """Why the question is declined; the statements are then the nearest there is, or what corrects its premise."""

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """All of it, statement by statement: what the numbers of a Draft point into."""
        return tuple(item for statement in self.statements for item in statement)


# --- what comes out --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Origin:
    """Who a statement goes back to, as far as that can be seen, and the outlets among its sources that carry it."""

    name: str
    outlets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Citation:
    """An exact quotation: `article.text[start:end] == quote`, checked when the answer is made."""

    number: int
    article: str
    event: str
    title: str
    language: Language
    published: date
    date_precision: Precision
    quote: str
    start: int
    end: int
    sources: tuple[Source, ...]
    origins: tuple[Origin, ...] = ()
    """What the sources go back to: at most so many of them are independent."""
    status: Status = "current"
    """Of the article, when the answer was made; what is withdrawn is not quoted."""
    reason: str | None = None
    """Why it was corrected."""
    since: date | None = None
    """The day it was corrected."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer with the numbers of the citations it rests on."""

    text: str
    citations: tuple[int, ...]
    support: float
    """Probability that the cited evidence answers the question, 0..1."""
    origins: tuple[Origin, ...] = ()
    """What all of its citations together go back to: at most so many of them are independent."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a writer returns: sentences that point into the evidence of the selection it was given, not yet verified."""

    notes: tuple[str, ...]
    """What must be said before the sentences (for example: quoted in the other language)."""
    sentences: tuple[tuple[str, tuple[int, ...]], ...]
    """(text, positions in `Selection.evidence`)."""

    def __add__(self, other: Draft) -> Draft:
        return Draft((*self.notes, *other.notes), (*self.sentences, *other.sentences))


@dataclass(frozen=True, slots=True)
class Answer:
    """What the query line returns, and POST /ask responds with."""

    id: str
    question: str
    standalone_question: str
    language: Language
    answer: str
    """The notes and the sentences with their [n] marks, or why there is no answer."""
    notes: tuple[str, ...]
    """What the reader must know beside the sentences, in the answer's language: quoted in the other language, as of when,
    accounts that differ."""
    abstained: bool
    reason: Reason | None
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    newest: date | None
    """Date of the newest cited article; None without citations."""
    period: Period | None
    """The time that was read from the question and narrowed the evidence; None where there was none."""
    writer: str
    index: str
    """Identity of the index that answered: its manifest's hash."""
    took_ms: int
    differ: bool = False
    """Whether its sentences tell the matter differently: they are then to be shown side by side, with outlet and date."""


# --- what a text is checked against ----------------------------------------------------------------------------------

Verdict = Literal["supported", "contradicted", "unsupported", "quote_altered"]
ProblemKind = Literal["number", "unit", "date", "name", "role", "negation", "hedge", "quote"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing in a sentence that its evidence does not say, or says otherwise."""

    kind: ProblemKind
    found: str
    """As the sentence has it."""
    expected: str | None
    """As the evidence has it; None where the evidence has nothing of the kind."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A sentence of a text that was checked against evidence. `text` stands at [start:end] of the whole text."""

    text: str
    start: int
    end: int
    verdict: Verdict
    score: float
    """Estimated probability that the evidence supports the sentence, 0..1."""
    problems: tuple[Problem, ...]
    evidence: tuple[Evidence, ...]
    """What supports or contradicts it, the best first; empty where the corpus has nothing on it."""


# --- the seams -------------------------------------------------------------------------------------------------------


class Embedder(Protocol):
    """Texts to unit vectors. A question is not a passage: models are trained with different prefixes for the two."""

    @property
    def identity(self) -> str:
        """Names the weights; two embedders with one identity give interchangeable vectors."""

    def questions(self, texts: Sequence[str]) -> Vectors: ...

    def passages(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None, *, few: bool = False
    ) -> Vectors:
        """`progress` is called with the number of texts finished since the last call.

        `few` allows an engine that starts at once and is slower per text. Its vectors are nearly the same (cosine .9999).
        """


class Reader(Protocol):
    """Question and passages to a reading of every sentence."""

    def read(self, question: str, passages: Sequence[Passage]) -> list[list[Reading]]:
        """For each passage one reading per sentence, in order."""


class Entailer(Protocol):
    """A claim and passages to whether these tell it."""

    def entails(self, claim: str, passages: Sequence[Passage]) -> list[float]:
        """For each passage the logit that its sentences together tell the claim: unbounded, above 0 means rather yes."""


class Checker(Protocol):
    """A sentence against evidence: whether that supports it, and what it does not say."""

    def __call__(self, text: str, evidence: Sequence[Evidence], *, question: Question) -> Checked:
        """Names that stand in the question which the sentence answers need not stand in the evidence."""


class Writer(Protocol):
    """Evidence to sentences."""

    name: str

    def write(self, question: Question, selection: Selection) -> Draft: ...


@runtime_checkable
class StreamingWriter(Writer, Protocol):
    """A writer that is worth watching: it takes seconds."""

    def stream(self, question: Question, selection: Selection, stop: Event | None = None) -> Iterator[Draft]:
        """The draft in pieces, each as soon as it can be shown; together they are what `write` returns.

        Args:
            stop: set, from any thread, by who no longer wants the answer; the writer then ends within a second.
        """
