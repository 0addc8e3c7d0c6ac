"""Every fixed sentence Chipdesk says to its users, in German and English."""

from __future__ import annotations

from datetime import date

from rag.dates import written
from rag.types import Article, Filters, Language, Reason


def other_language(asked: Language) -> str:
    """Said before an answer that quotes only the language that was not asked in."""
    if asked == "de":
        return "Die Belege dazu liegen nur auf Englisch vor; hier ihr Wortlaut:"
    return "The evidence for this exists in German only; quoted as it stands:"


def some_other_language(asked: Language) -> str:
    """Said before an answer that quotes both languages."""
    if asked == "de":
        return "Ein Teil der Belege liegt nur auf Englisch vor und steht im Wortlaut da:"
    return "Some of the evidence exists in German only and is quoted as it stands:"


def declined(
    reason: Reason, language: Language, nearest: list[Article], covered: tuple[date, date] | None, filters: Filters
) -> str:
    """Why there is no answer, and what there is instead."""
    german = language == "de"
    if covered is None:
        return (
            "Das Korpus ist leer; es gibt nichts, was die Frage beantworten könnte."
            if german
            else "The corpus is empty; there is nothing that could answer the question."
        )
    first, last = (written(day, language, "month") for day in covered)
    parts: list[str] = []
    if reason == "outside_filters":
        parts.append(
            "Mit diesen Filtern findet sich keine Antwort; ohne sie gibt es Belege."
            if german
            else "Nothing answers this within the filters; without them there is evidence."
        )
    elif reason == "unsupported":
        parts.append(
            "Die gefundenen Sätze ließen sich nicht am Wortlaut belegen, deshalb keine Antwort."
            if german
            else "What was found could not be verified against the articles, so there is no answer."
        )
    elif filters:
        parts.append(
            "Das Korpus beantwortet diese Frage nicht, weder mit noch ohne die gesetzten Filter."
            if german
            else "The corpus does not answer this question, with or without the filters."
        )
    else:
        parts.append(
            "Das Korpus beantwortet diese Frage nicht." if german else "The corpus does not answer this question."
        )
    if nearest:
        titles = "; ".join(
            f"„{a.title}“ ({written(a.published, language, a.precision)})"
            if german
            else f"“{a.title}” ({written(a.published, language, a.precision)})"
            for a in nearest
        )
        parts.append(f"Am nächsten kommen: {titles}." if german else f"The nearest coverage: {titles}.")
    parts.append(f"Es reicht von {first} bis {last}." if german else f"It covers {first} to {last}.")
    return " ".join(parts)
