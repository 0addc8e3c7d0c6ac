"""The extractive writer: the chosen sentences, verbatim, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from rag import phrases
from rag.types import Draft, Evidence, Question


class ExtractiveWriter:
    """Writes an answer without writing: every sentence is the quotation it cites."""

    name = "extractive"

    def write(self, question: Question, evidence: Sequence[Evidence]) -> Draft:
        """The evidence in its order, each sentence verbatim.

        Evidence in the other language is set between that language's quotation marks, and a note in front says so.
        """
        foreign = [item.article.language != question.language for item in evidence]
        lead = None
        if all(foreign) and foreign:
            lead = phrases.other_language(question.language)
        elif any(foreign):
            lead = phrases.some_other_language(question.language)
        return Draft(
            lead,
            tuple(
                (_shown(item, is_foreign), (i,))
                for i, (item, is_foreign) in enumerate(zip(evidence, foreign, strict=True))
            ),
        )


def _shown(item: Evidence, foreign: bool) -> str:
    if not foreign:
        return item.quote
    return f"„{item.quote}“" if item.article.language == "de" else f"“{item.quote}”"
