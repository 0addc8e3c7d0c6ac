"""Every fixed sentence Chipdesk says to its users, in German and English."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from rag.dates import written
from rag.types import (
    Article,
    Checked,
    Evidence,
    Language,
    Precision,
    Problem,
    ProblemKind,
    Question,
    Reason,
    Selection,
    Verdict,
)


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


def as_of(day: date, precision: Precision, language: Language) -> str:
    """Said with an answer to "what is the latest?": how new its newest evidence is."""
    when = written(day, language, precision)
    return f"Stand: {when}." if language == "de" else f"As of {when}."


def old(day: date, precision: Precision, language: Language) -> str:
    """Said where even the newest evidence of an answer is old."""
    when = written(day, language, precision)
    return f"Neuester Beleg dazu: {when}." if language == "de" else f"The newest evidence for this: {when}."


def accounts_differ(language: Language) -> str:
    """Said where the sentences tell the matter differently."""
    return "Die Darstellungen gehen auseinander:" if language == "de" else "Accounts of this differ:"


def nothing_on(names: Sequence[str], language: Language) -> str:
    """Said with an answer to a comparing question: what of it the corpus does not answer."""
    listed = ", ".join(names)
    return f"Nichts gefunden zu: {listed}." if language == "de" else f"Nothing found on: {listed}."


def declined(reason: Reason, question: Question, near: Selection, covered: tuple[date, date] | None) -> str:
    """Why there is no answer, and what there is instead.

    Args:
        reason: why.
        question: its language, filters and period are spoken of.
        near: what comes nearest; for a false premise the sentence that corrects it, cited as [1].
        covered: dates of the oldest and the newest article; None for an empty corpus.
    """
    language = question.language
    german = language == "de"
    if covered is None:
        return (
            "Das Korpus ist leer; es gibt nichts, was die Frage beantworten könnte."
            if german
            else "The corpus is empty; there is nothing that could answer the question."
        )
    if reason == "false_premise" and near.statements:
        quote = quoted(near.statements[0][0])
        return (
            f"Die Frage setzt etwas voraus, das das Korpus anders darstellt. Dort steht: {quote} [1]"
            if german
            else f"The question takes something as given that the corpus tells differently. It says: {quote} [1]"
        )
    first, last = (written(day, language, "month") for day in covered)
    parts = [_why(reason, question)]
    if near.statements:
        titles = "; ".join(_titled(statement[0].article, language) for statement in near.statements)
        parts.append(f"Am nächsten kommen: {titles}." if german else f"The nearest coverage: {titles}.")
    parts.append(f"Es reicht von {first} bis {last}." if german else f"It covers {first} to {last}.")
    return " ".join(parts)


def quoted(item: Evidence) -> str:
    """A quotation between the marks of its own language."""
    return f"„{item.quote}“" if item.article.language == "de" else f"“{item.quote}”"


def _why(reason: Reason, question: Question) -> str:
    german = question.language == "de"
    if reason == "outside_filters" and question.period:
        words = question.period.words
        return (
            f"Für die genannte Zeit („{words}“) findet sich keine Antwort; ohne diese Einschränkung gibt es Belege."
            if german
            else f"Nothing answers this for the time named (“{words}”); without that limit there is evidence."
        )
    if reason == "outside_filters":
        return (
            "Mit diesen Filtern findet sich keine Antwort; ohne sie gibt es Belege."
            if german
            else "Nothing answers this within the filters; without them there is evidence."
        )
    if reason == "unsupported":
        return (
            "Die gefundenen Sätze ließen sich nicht am Wortlaut belegen, deshalb keine Antwort."
            if german
            else "What was found could not be verified against the articles, so there is no answer."
        )
    if question.filters:
        return (
            "Das Korpus beantwortet diese Frage nicht, weder mit noch ohne die gesetzten Filter."
            if german
            else "The corpus does not answer this question, with or without the filters."
        )
    return "Das Korpus beantwortet diese Frage nicht." if german else "The corpus does not answer this question."


def _titled(article: Article, language: Language) -> str:
    day = written(article.published, language, article.precision)
    return f"„{article.title}“ ({day})" if language == "de" else f"“{article.title}” ({day})"


# --- a text that was checked -----------------------------------------------------------------------------------------

_VERDICTS: Final[dict[Language, dict[Verdict, str]]] = {
    "de": {
        "supported": "belegt", "contradicted": "anders belegt", "unsupported": "nicht belegt", "quote_altered": "Zitat verändert",
    },
    "en": {
        "supported": "supported", "contradicted": "told otherwise", "unsupported": "not in the corpus", "quote_altered": "quote altered",
    },
}  # fmt: skip
_KINDS: Final[dict[Language, dict[ProblemKind, str]]] = {
    "de": {
        "number": "Zahl", "unit": "Einheit", "date": "Zeit", "name": "Name", "role": "Wer tut was", "negation": "Verneinung",
        "hedge": "Vorbehalt fehlt", "quote": "Zitat",
    },
    "en": {
        "number": "number", "unit": "unit", "date": "time", "name": "name", "role": "who does what", "negation": "negation",
        "hedge": "reservation left out", "quote": "quote",
    },
}  # fmt: skip


def verdict_words(verdict: Verdict, language: Language) -> str:
    """A verdict in a word or two."""
    return _VERDICTS[language][verdict]


def problem_words(problem: Problem, language: Language) -> str:
    """What is wrong, in one line: the kind, what the text has, what the corpus has."""
    kind = _KINDS[language][problem.kind]
    if problem.expected is None:
        nothing = "dazu steht nichts im Korpus" if language == "de" else "the corpus has nothing of it"
        return f"{kind}: {problem.found} – {nothing}"
    corpus = "im Korpus" if language == "de" else "in the corpus"
    if problem.kind == "hedge":
        return f"{kind}: … {problem.expected} … ({corpus})"
    return f"{kind}: {problem.found} – {corpus}: {problem.expected}"


def tally(checked: Sequence[Checked], language: Language) -> str:
    """How many of the sentences stand."""
    good = sum(sentence.verdict == "supported" for sentence in checked)
    german = language == "de"
    if not checked:
        return "Der Text hat keinen Satz, der sich prüfen ließe." if german else "The text has no sentence to check."
    if len(checked) == 1:
        if good:
            return "Der Satz ist belegt." if german else "The sentence is supported."
        return "Der Satz ist so nicht belegt." if german else "The sentence is not supported as it stands."
    return (
        f"{good} von {len(checked)} Sätzen sind belegt."
        if german
        else f"{good} of {len(checked)} sentences are supported."
    )
