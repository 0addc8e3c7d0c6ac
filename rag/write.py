"""The extractive writer: the chosen sentences, verbatim, one after the other, with what must be said beside them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from rag import phrases
from rag.types import Article, Draft, Question, Selection

OLD: Final = timedelta(days=365)
"""Age of the newest evidence from which an answer says how old it is, unless the question names its year or an earlier one."""
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


class ExtractiveWriter:
    """Writes an answer without writing: every sentence is the quotation it cites."""

    name = "extractive"

    def write(self, question: Question, selection: Selection) -> Draft:
        """The statements in their order, each in the words of its best evidence, citing all of it.

        Evidence in the other language is set between that language's quotation marks, and a note says so.
        """
        sentences = []
        at = 0
        for statement in selection.statements:
            foreign = statement[0].article.language != question.language
            shown = phrases.quoted(statement[0]) if foreign else statement[0].quote
            sentences.append((shown, tuple(range(at, at + len(statement)))))
            at += len(statement)
        return Draft(notes(question, selection), tuple(sentences))


def notes(question: Question, selection: Selection) -> tuple[str, ...]:
    """What the reader must know beside quotations: language of the evidence, and what `age_and_dispute` says."""
    foreign = [statement[0].article.language != question.language for statement in selection.statements]
    said: tuple[str, ...] = ()
    if foreign and all(foreign):
        said = (phrases.other_language(question.language),)
    elif any(foreign):
        said = (phrases.some_other_language(question.language),)
    return (*said, *age_and_dispute(question, selection))


def age_and_dispute(question: Question, selection: Selection) -> tuple[str, ...]:
    """What the reader must know whoever writes: as of when, how old the newest evidence is, accounts that differ."""
    if not selection.statements:
        return ()
    said = []
    # the state is that of what leads: a newer sentence beside it may be about something else
    telling = selection.statements[0] if "latest" in question.wants else selection.evidence
    newest = max((item.article for item in telling), key=lambda article: article.published)
    if "latest" in question.wants:
        said.append(phrases.as_of(newest.published, newest.precision, question.language))
    elif question.asked and question.asked - newest.published > OLD and not _names_such_a_year(question, newest):
        said.append(phrases.old(newest.published, newest.precision, question.language))
    dated = bool(said)
    if selection.without:
        said.append(phrases.nothing_on(selection.without, question.language))
    if selection.differ:
        several = not dated and len({item.article.published for item in selection.evidence}) > 1
        said.append(
            phrases.accounts_differ(question.language, (newest.published, newest.precision) if several else None)
        )
    return tuple(said)


def _names_such_a_year(question: Question, newest: Article) -> bool:
    """Whether the question itself asks about a time as old as its newest evidence."""
    return any(int(year) <= newest.published.year for year in _YEAR.findall(question.standalone))
