"""The query line: question -> retrieve -> evidence -> write -> verify. This file is its table of contents."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from rag.embed import open_embedder
from rag.errors import BadRequest, UnknownArticle
from rag.evidence import FURTHER, choose, find_evidence
from rag.index import MANIFEST, Index
from rag.phrases import declined
from rag.question import understand
from rag.retrieve import retrieve
from rag.settings import Settings
from rag.types import (
    Answer,
    Article,
    Citation,
    Embedder,
    Evidence,
    Filters,
    Hit,
    Language,
    Question,
    Reason,
    Sentence,
    Turn,
    Vectors,
    Writer,
)
from rag.verify import verify
from rag.write import ExtractiveWriter

NEAREST: Final = 3
"""Articles named where a question is declined."""


class Chipdesk:
    """Answers questions from one index. Safe to use from several threads; follows the index when it is rebuilt.

    Args:
        settings: names index and model.
        embedder: used instead of the one the settings name.
        writers: further writers by name; the extractive one is always there.
    """

    def __init__(self, settings: Settings, *, embedder: Embedder | None = None, writers: Sequence[Writer] = ()) -> None:
        self.settings = settings
        self.embedder = embedder or open_embedder(settings)
        self._writers: dict[str, Writer] = {writer.name: writer for writer in (ExtractiveWriter(), *writers)}
        self._lock = threading.Lock()
        self._index: Index | None = None
        self._previous: Index | None = None
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
                opened = Index(self.settings, self.embedder.identity)
                # answers may still be under way in the build before: it is closed one reload later
                if self._previous is not None:
                    self._previous.close()
                self._previous, self._index, self._stamp = self._index, opened, stamp
            return self._index

    def ask(
        self,
        text: str,
        *,
        language: Language | None = None,
        filters: Filters | None = None,
        history: Sequence[Turn] = (),
        writer: str = ExtractiveWriter.name,
    ) -> Answer:
        """Answer a question, or decline it.

        Args:
            text: the question, 1 to `settings.question_chars` characters.
            language: of the answer; None for the question's own.
            filters: what is allowed as evidence.
            history: the conversation so far, oldest first.
            writer: who writes; "extractive" needs nothing else.

        Raises:
            BadRequest: the question, a filter or the writer's name cannot be used.
            IndexMissing, IndexMismatch, IndexDamaged, ModelError: questions cannot be answered right now.
        """
        started = time.perf_counter()
        if writer not in self._writers:
            raise BadRequest(f"There is no writer {writer!r}.", f"Choose one of {', '.join(sorted(self._writers))}.")
        if len(history) > self.settings.history_turns:
            raise BadRequest(
                f"The history has {len(history)} messages.", f"Send the last {self.settings.history_turns}."
            )
        index = self.index
        question, vector = self.read(text, language=language, filters=filters, history=history)
        evidence = self.evidence(question, vector)
        least = self.settings.support
        chosen = choose(question, evidence, most=self.settings.sentences, least=least)
        draft = self._writers[writer].write(question, chosen)
        sentences, citations = verify(draft, chosen, least=least * FURTHER)
        if sentences:
            shown = " ".join(f"{s.text} {''.join(f'[{n}]' for n in s.citations)}" for s in sentences)
            answer = f"{draft.lead} {shown}" if draft.lead else shown
            return self._answer(index, question, started, writer, answer, None, sentences, citations)
        reason = self._reason(question, vector, bool(chosen))
        nearest = _nearest(evidence, question)
        _, near = verify(ExtractiveWriter().write(question, nearest), nearest, least=0.0)
        text = declined(
            reason, question.language, [item.article for item in nearest], index.catalog.span(), question.filters
        )
        return self._answer(index, question, started, writer, text, reason, [], near)

    def read(
        self,
        text: str,
        *,
        language: Language | None = None,
        filters: Filters | None = None,
        history: Sequence[Turn] = (),
    ) -> tuple[Question, Vectors]:
        """The question as the query line sees it, and its unit vector of shape (dimension,)."""
        question = understand(
            text,
            most_chars=self.settings.question_chars,
            filters=filters or Filters(),
            glossary=self.index.glossary,
            language=language,
            history=history,
        )
        return question, self.embedder.questions([question.standalone])[0]

    def retrieve(self, question: Question, vector: Vectors) -> list[Hit]:
        """The chunks that are read for evidence, best first."""
        settings = self.settings
        return retrieve(
            question, vector, self.index, candidates=settings.candidates, hits=settings.hits, fusion_k=settings.fusion_k
        )

    def evidence(self, question: Question, vector: Vectors) -> list[Evidence]:
        """All candidate sentences with their support, best first."""
        return find_evidence(question, vector, self.retrieve(question, vector), self.index)

    def article(self, identity: str) -> Article:
        """One article of the index.

        Raises:
            UnknownArticle: no article has this id.
        """
        found = self.index.article(identity)
        if found is None:
            raise UnknownArticle(f"There is no article {identity!r} in the index.")
        return found

    def _reason(self, question: Question, vector: Vectors, had_evidence: bool) -> Reason:
        if had_evidence:
            return "unsupported"
        if question.filters:
            unfiltered = replace(question, filters=Filters())
            evidence = self.evidence(unfiltered, vector)
            if evidence and evidence[0].support >= self.settings.support:
                return "outside_filters"
        return "no_coverage"

    def _answer(
        self,
        index: Index,
        question: Question,
        started: float,
        writer: str,
        answer: str,
        reason: Reason | None,
        sentences: list[Sentence],
        citations: list[Citation],
    ) -> Answer:
        return Answer(
            id=_identity(index, question, writer),
            question=question.text,
            standalone_question=question.standalone,
            language=question.language,
            answer=answer,
            abstained=reason is not None,
            reason=reason,
            sentences=tuple(sentences),
            citations=tuple(citations),
            newest=max((citation.published for citation in citations), default=None),
            writer=writer,
            index=index.manifest.identity,
            took_ms=round((time.perf_counter() - started) * 1000),
        )

    def _manifest_stamp(self) -> tuple[int, int] | None:
        try:
            status = (self.settings.index / MANIFEST).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino


def _nearest(evidence: Sequence[Evidence], question: Question) -> list[Evidence]:
    """The best sentence of each of the nearest events, in the question's language where the event is told in it."""
    best: dict[str, Evidence] = {}
    for item in evidence:
        known = best.get(item.article.event)
        if known is None:
            if len(best) < NEAREST:
                best[item.article.event] = item
        elif known.article.language != question.language == item.article.language:
            best[item.article.event] = item
    return list(best.values())


def _identity(index: Index, question: Question, writer: str) -> str:
    """The same question to the same index has the same id: an answer can be looked at again."""
    filters = question.filters
    parts = [
        index.manifest.identity, question.standalone, question.language, writer, str(filters.since), str(filters.until),
        *filters.publishers, "", *filters.topics,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
