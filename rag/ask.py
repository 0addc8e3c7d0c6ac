"""The query line: question -> retrieve -> evidence -> choose -> write -> verify. This file is its table of contents.

A text that somebody else wrote passes a line of its own: sentences -> retrieve -> check.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from threading import Event
from typing import Final

from rag.check import check
from rag.choose import choose, nearest, together
from rag.chunk import paragraphs, sentences
from rag.continues import continues
from rag.embed import open_embedder
from rag.errors import BadRequest, UnknownArticle
from rag.evidence import find_evidence, worth_reading
from rag.index import MANIFEST, Index
from rag.llm import Heard, Limits, LlmWriter, Model, configured, open_model
from rag.memory import Recent
from rag.origins import credit
from rag.period import reported_until
from rag.phrases import declined
from rag.question import understand
from rag.reader import OnnxEntailer, OnnxReader
from rag.retrieve import merge, retrieve
from rag.settings import Settings
from rag.support import answered
from rag.types import (
    LANGUAGES,
    Answer,
    Article,
    Checked,
    Citation,
    Draft,
    Embedder,
    Entailer,
    Evidence,
    Filters,
    Hit,
    Language,
    Question,
    Reader,
    Reason,
    Selection,
    Sentence,
    StreamingWriter,
    Turn,
    Vectors,
    Writer,
)
from rag.verify import numbered, verify
from rag.words import language_of, tokens
from rag.write import ExtractiveWriter, age_and_dispute

DRAFT_CHARS: Final = 20_000
"""Longest text that is checked at once: about ten pages, half a minute."""
FRAGMENT_WORDS: Final = 3
"""Headings and leftovers with fewer words say nothing that could be checked."""
SENTENCE_WORDS: Final = 2
"""The same of what ends like a sentence: "Gelsinger resigned." does say something."""
WITNESSES: Final = 12
"""Sentences that one sentence of a draft is checked against, the nearest of what retrieval found."""
RECENT: Final = timedelta(days=365)
"""How far before the newest article "the latest" is looked for apart, so that much older coverage does not bury it."""
EACH: Final = 2
"""Statements that there is room for on each thing a question compares, also where that is more than of another answer."""
REMEMBERED: Final = 4_096
"""Vectors of sentences kept for the next check; 6 MB."""


class Chipdesk:
    """Answers questions from one index. Safe to use from several threads; follows the index when it is rebuilt.

    Args:
        settings: names index and model.
        embedder: used instead of the one the settings name.
        reader: used instead of the bundled one.
        entailer: used instead of the bundled one.
        writers: further writers by name; the extractive one is always there.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        embedder: Embedder | None = None,
        reader: Reader | None = None,
        entailer: Entailer | None = None,
        writers: Sequence[Writer] = (),
    ) -> None:
        self.settings = settings
        self.embedder = embedder or open_embedder(settings)
        self.reader = reader or OnnxReader(threads=settings.threads)
        self.entailer = entailer or OnnxEntailer(threads=settings.threads)
        own: list[Writer] = [ExtractiveWriter(), *([self.llm_writer()] if configured(settings) else [])]
        self._writers: dict[str, Writer] = {writer.name: writer for writer in (*own, *writers)}
        self._recent = Recent(self.embedder, most=REMEMBERED)
        self._lock = threading.Lock()
        self._index: Index | None = None
        self._stamp: tuple[int, int] | None = None

    @property
    def index(self) -> Index:
        """The current build, reopened when another process has made a newer one.

        Raises:
            IndexMissing, IndexMismatch, IndexDamaged: with the command that repairs it.
        """
        stamp = self._manifest_stamp()
        with self._lock:
            if self._index is None or stamp != self._stamp:
                # answers may still be under way in the build before: it closes itself when the last of them is made
                self._index = Index(self.settings, self.embedder.identity, self._index)
                self._stamp = stamp
            return self._index

    @property
    def writers(self) -> tuple[str, ...]:
        """Names of those who can write an answer."""
        return tuple(sorted(self._writers))

    def ask(
        self,
        text: str,
        *,
        language: Language | None = None,
        filters: Filters | None = None,
        history: Sequence[Turn] = (),
        writer: str = ExtractiveWriter.name,
        dates: bool = True,
        stop: Event | None = None,
    ) -> Answer:
        """Answer a question, or decline it.

        Args:
            text: the question, 1 to `settings.question_chars` characters.
            language: of the answer; None for the question's own.
            filters: what is allowed as evidence.
            history: the conversation so far, oldest first.
            writer: who writes; "extractive" needs nothing else, "llm" a configured language model.
            dates: whether a time that the question names narrows the evidence.
            stop: set by who no longer wants the answer; a slow writer then ends.

        Raises:
            BadRequest: the question, a filter or the writer's name cannot be used.
            IndexMissing, IndexMismatch, IndexDamaged, ModelError: questions cannot be answered right now.
        """
        *_, answer = self.stream(
            text, language=language, filters=filters, history=history, writer=writer, dates=dates, stop=stop
        )
        return answer

    def stream(
        self,
        text: str,
        *,
        language: Language | None = None,
        filters: Filters | None = None,
        history: Sequence[Turn] = (),
        writer: str = ExtractiveWriter.name,
        dates: bool = True,
        stop: Event | None = None,
    ) -> Iterator[Answer]:
        """The same answer while it is made: first with its evidence and no sentence, then with one more each time.

        The evidence comes before anything is written, however slow the writer is. Citations keep their numbers; those that
        no sentence cites are missing in the last one, which is the answer. Of a writer that gives nothing that stands the
        notes remain, and the evidence answers in its own words.
        """
        started = time.perf_counter()
        if writer not in self._writers:
            raise self._unknown_writer(writer)
        if len(history) > self.settings.history_turns:
            raise BadRequest(
                f"The history has {len(history)} messages.", f"Send the last {self.settings.history_turns}."
            )
        index = self.index
        read = partial(self.read, text, language=language, filters=filters, history=history, dates=dates, index=index)
        question, vector = read()
        evidence = self.evidence(question, vector, index=index)
        alone = bool(history) and question.standalone == question.text
        if alone and (within := read(joined=True))[0].standalone != question.text:
            # nothing in it points back, which most follow-ups leave to the listener: what is found decides
            found = self.evidence(*within, index=index)
            if continues(question, history, evidence, found):
                (question, vector), evidence = within, found
        selection = self._choose(question, evidence)
        if question.parts:
            selection = self._each_part(question, selection, index)
        reason, limited = selection.reason, question
        if reason is None:
            shown = numbered(selection.evidence)
            answer = self._answer(index, question, started, writer, citations=tuple(shown.values()))
            answer = replace(answer, differ=selection.differ)
            yield answer
            for name in dict.fromkeys((writer, ExtractiveWriter.name)):
                for draft in self._drafts(name, question, selection, stop):
                    standing, _ = verify(draft, selection.evidence, shown)
                    standing, _ = credit(standing, answer.citations, index.article, index.glossary, question.language)
                    answer = _grown(replace(answer, writer=name), draft.notes, standing, started)
                    yield answer
                if answer.sentences:
                    yield _whole(answer)
                    return
            reason = "unsupported"
        elif reason == "no_coverage" and question.filters and self._answers_unfiltered(question, vector, index):
            reason, limited = "outside_filters", replace(question, period=None)  # not the time, but the filters
        near = replace(selection, statements=nearest(question, evidence)) if reason != "false_premise" else selection
        _, citations = verify(ExtractiveWriter().write(question, near), near.evidence)
        said = declined(reason, limited, near, index.catalog.span())
        yield self._answer(index, question, started, writer, said=said, reason=reason, citations=tuple(citations))

    def _drafts(self, name: str, question: Question, selection: Selection, stop: Event | None) -> Iterator[Draft]:
        writer = self._writers[name]
        if isinstance(writer, StreamingWriter):
            yield from writer.stream(question, selection, stop)
        else:
            yield writer.write(question, selection)

    def _unknown_writer(self, name: str) -> BadRequest:
        if name == LlmWriter.name:
            return BadRequest(
                "No language model is configured, so there is no writer 'llm'.",
                "Set CHIPDESK_LLM_URL and CHIPDESK_LLM_MODEL (or CHIPDESK_LLM_GGUF) and try `chipdesk llm check`.",
            )
        return BadRequest(f"There is no writer {name!r}.", f"Choose one of {', '.join(self.writers)}.")

    def read(
        self,
        text: str,
        *,
        language: Language | None = None,
        filters: Filters | None = None,
        history: Sequence[Turn] = (),
        dates: bool = True,
        joined: bool = False,
        index: Index | None = None,
    ) -> tuple[Question, Vectors]:
        """The question as the query line sees it, and its unit vector of shape (dimension,).

        Args:
            joined: whether it belongs to the conversation even where nothing in it points back.
            index: the build to use; None for the current one. One question is answered from one build.
        """
        question = understand(
            text,
            most_chars=self.settings.question_chars,
            filters=filters or Filters(),
            glossary=(index or self.index).glossary,
            language=language,
            history=history,
            dates=dates,
            joined=joined,
        )
        return question, self.embedder.questions([question.standalone])[0]

    def retrieve(self, question: Question, vector: Vectors, *, index: Index | None = None) -> list[Hit]:
        """The chunks that are looked at for evidence, best first; those from a time that the question names join, and for
        "the latest" those of the newest year."""
        settings = self.settings
        index = index or self.index
        limits = {"candidates": settings.candidates, "hits": settings.hits, "fusion_k": settings.fusion_k}
        hits = retrieve(question, vector, index, **limits)
        joining = None
        if question.period:
            joining = replace(question.filters, since=question.period.since, until=reported_until(question.period))
        elif "latest" in question.wants and (span := index.catalog.span()):
            recent = span[1] - RECENT
            joining = replace(question.filters, since=max(question.filters.since or recent, recent))
        if joining:
            hits = merge(hits, retrieve(replace(question, filters=joining), vector, index, **limits))
        return hits

    def evidence(self, question: Question, vector: Vectors, *, index: Index | None = None) -> list[Evidence]:
        """All candidate sentences with their support, best first."""
        index = index or self.index
        hits = worth_reading(question, self.retrieve(question, vector, index=index), self.settings.read)
        return find_evidence(question, vector, hits, index, self.reader)

    def verify(
        self,
        text: str,
        language: Language | None = None,
        since: date | None = None,
        until: date | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Checked]:
        """Check every sentence of a text against the corpus, in order; what has no sentence is left out.

        Args:
            text: a draft of 1 to DRAFT_CHARS characters, in either language.
            language: of the text; None to find out, sentence by sentence.
            since: only articles from this day on are evidence.
            until: only articles up to this day are.
            progress: told how many sentences are done, and how many there are.

        Raises:
            BadRequest: the text or the dates cannot be used.
            IndexMissing, IndexMismatch, IndexDamaged, ModelError: nothing can be checked right now.
        """
        if not text.strip():
            raise BadRequest("The text is empty.", "Give a sentence or a paragraph to check.")
        if len(text) > DRAFT_CHARS:
            raise BadRequest(
                f"The text has {len(text):,} characters, at most {DRAFT_CHARS:,} are checked.", "Split it."
            )
        index = self.index
        mostly = language or language_of(text)
        spans = [
            (span.start, span.end)
            for block in paragraphs(text)
            for span in sentences(text, mostly, *block)
            if _says_something(text[span.start : span.end])
        ]
        found: list[Checked] = []
        before = ""
        for number, (start, end) in enumerate(spans):
            sentence = text[start:end]
            own = language or language_of(sentence, default=mostly)
            evidence = self._witnesses(sentence, before, own, Filters(since, until), index)
            checked = check(
                sentence,
                evidence,
                glossary=index.glossary,
                embedder=self._recent,
                entailer=self.entailer,
                reader=self.reader,
                language=own,
                start=start,
            )
            found.append(checked)
            before = sentence
            if progress:
                progress(number + 1, len(spans))
        return found

    def _witnesses(
        self, sentence: str, before: str, language: Language, filters: Filters, index: Index
    ) -> list[Evidence]:
        """The sentences of the corpus nearest to one of a draft. One without a name is looked up with the one before it."""
        limits = {"language": language, "filters": filters, "dates": False, "index": index}
        question, vector = self.read(sentence[: self.settings.question_chars], **limits)  # type: ignore[arg-type]
        if not question.names and before:
            query = f"{before} {sentence}"[: self.settings.question_chars]
            question, vector = self.read(query, **limits)  # type: ignore[arg-type]
        near: list[tuple[float, Evidence, Vectors]] = []
        for hit in self.retrieve(question, vector, index=index):
            cosines = index.sentence_cosines(vector, hit.first, len(hit.chunk.sentences))
            vectors = index.sentence_vectors(hit.first, len(hit.chunk.sentences))
            for position, span in enumerate(hit.chunk.sentences):
                if span.quotable and hit.article.status != "withdrawn":
                    near.append((float(cosines[position]), Evidence(hit.article, span, 0.0), vectors[position]))
        near.sort(key=lambda found: -found[0])
        for _, item, own in near[:WITNESSES]:
            self._recent.know([item.quote], own[None])
        return [item for _, item, _ in near[:WITNESSES]]

    def _choose(self, question: Question, evidence: Sequence[Evidence]) -> Selection:
        return choose(question, evidence, most=self.settings.sentences, least=self.settings.support)

    def _each_part(self, question: Question, whole: Selection, index: Index) -> Selection:
        """The selections for what a comparing question compares, then its own: a sentence that names all of it seldom answers
        for each."""
        selections, declined = [], []
        for part in question.parts:
            own, vector = self.read(
                part.text,
                language=question.language,
                filters=question.filters,
                dates=question.period is not None,  # what the asker took back is taken back for the parts, too
                index=index,
            )
            selections.append(self._choose(own, self.evidence(own, vector, index=index)))
            if selections[-1].reason is not None:
                declined.append(part)
        most = max(self.settings.sentences, EACH * len(question.parts))
        found = together([*selections, whole], most=most)
        said = " ".join(item.quote for item in found.evidence)
        told = {concept for language in LANGUAGES for concept in index.glossary.concepts(said, language)}
        without = (
            part.about
            for part in declined
            if part.concept not in told and not re.search(rf"(?<!\w){re.escape(part.about)}(?!\w)", said, re.IGNORECASE)
        )
        return replace(found, without=tuple(without))

    def _answers_unfiltered(self, question: Question, vector: Vectors, index: Index) -> bool:
        evidence = self.evidence(replace(question, filters=Filters()), vector, index=index)
        return answered(evidence, len(evidence)) >= self.settings.support

    def check(self, text: str, evidence: Sequence[Evidence], *, question: Question) -> Checked:
        """A sentence of an answer against evidence. What the question names needs none."""
        return check(
            text,
            evidence,
            glossary=self.index.glossary,
            embedder=self._recent,
            entailer=self.entailer,
            reader=self.reader,
            question=question.standalone,
        )

    def llm_writer(self, model: Model | None = None, *, listen: Callable[[Heard], None] = lambda _: None) -> LlmWriter:
        """A writer that is a language model, checked by this index.

        Args:
            model: used instead of the one the settings name.
            listen: told each of its sentences and what became of it.

        Raises:
            SettingsError: the settings name no model.
        """
        limits = Limits(self.settings.llm_first_seconds, self.settings.llm_seconds)
        model = model or open_model(self.settings)
        return LlmWriter(model, check=self.check, split=sentences, beside=age_and_dispute, limits=limits, listen=listen)

    def article(self, identity: str) -> Article:
        """One article of the index.

        Raises:
            UnknownArticle: no article has this id.
        """
        found = self.index.article(identity)
        if found is None:
            raise UnknownArticle(f"There is no article {identity!r} in the index.")
        return found

    def _answer(
        self,
        index: Index,
        question: Question,
        started: float,
        writer: str,
        *,
        citations: tuple[Citation, ...],
        said: str = "",
        reason: Reason | None = None,
    ) -> Answer:
        """An answer without sentences: declined for a reason, or yet to be written."""
        _, credited = credit((), citations, index.article, index.glossary, question.language)
        return Answer(
            id=_identity(index, question, writer),
            question=question.text,
            standalone_question=question.standalone,
            language=question.language,
            answer=said,
            notes=(),
            abstained=reason is not None,
            reason=reason,
            sentences=(),
            citations=tuple(credited),
            newest=max((citation.published for citation in citations), default=None),
            period=question.period,
            writer=writer,
            index=index.manifest.identity,
            took_ms=_since(started),
        )

    def _manifest_stamp(self) -> tuple[int, int] | None:
        try:
            status = (self.settings.index / MANIFEST).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino


def _says_something(span: str) -> bool:
    """Whether a stretch of a draft is to be checked: no heading, no leftover and no number of a list."""
    words = tokens(span)
    ends = re.search(r"[.!?][\"'»«”“’‘‹›)\]]*\Z", span) is not None
    spelled = sum(any(letter.isalpha() for letter in word) for word in words)
    return len(words) >= FRAGMENT_WORDS or (ends and spelled >= SENTENCE_WORDS)


def _grown(answer: Answer, notes: Sequence[str], sentences: Sequence[Sentence], started: float) -> Answer:
    notes = (*answer.notes, *notes)
    sentences = (*answer.sentences, *sentences)
    shown = (f"{s.text} {''.join(f'[{n}]' for n in s.citations)}" for s in sentences)
    return replace(answer, notes=notes, sentences=sentences, answer=" ".join((*notes, *shown)), took_ms=_since(started))


def _whole(answer: Answer) -> Answer:
    """The answer with the citations that it uses."""
    used = {number for sentence in answer.sentences for number in sentence.citations}
    citations = tuple(citation for citation in answer.citations if citation.number in used)
    return replace(answer, citations=citations, newest=max(citation.published for citation in citations))


def _since(started: float) -> int:
    """Milliseconds since a moment of `time.perf_counter`."""
    return round((time.perf_counter() - started) * 1000)


def _identity(index: Index, question: Question, writer: str) -> str:
    """The same question to the same index has the same id: an answer can be looked at again."""
    filters = question.filters
    parts = [
        index.manifest.identity, question.standalone, question.language, writer, str(filters.since), str(filters.until),
        *filters.publishers, "", *filters.topics, str(question.period),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
