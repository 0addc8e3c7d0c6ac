"""Answers as HTML for the chat page. Every text that comes from outside is escaped here, and only here.

Each `[n]` of an answer points to a card with the article behind it; the card holds the whole article with the quotation
marked, so that a quote is read in its context with one click and without another request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from rag.dates import written
from rag.errors import ChipdeskError
from rag.inbox import Item
from rag.phrases import corrected, origins
from rag.types import LANGUAGES, Answer, Article, Citation, Filters, Language, Sentence, Source

_CURRENT: Final = ' aria-current="page"'
_LABELS: Final[dict[str, dict[Language, str]]] = {
    "declined": {"de": "Keine Antwort", "en": "No answer"},
    "corrected": {"de": "Die Voraussetzung stimmt nicht", "en": "Not what the corpus says"},
    "problem": {"de": "Das ging nicht", "en": "That did not work"},
    "nearest": {"de": "Am nächsten kommt", "en": "Nearest coverage"},
    "evidence": {"de": "Belege", "en": "Evidence"},
    "writing": {
        "de": "Das Sprachmodell schreibt; jeder Satz erscheint, sobald er geprüft ist.",
        "en": "The language model is writing; each sentence appears once it is checked.",
    },
    "newest": {"de": "Neuester Beleg", "en": "Newest evidence"},
    "filters": {"de": "Filter", "en": "Filters"},
    "understood": {"de": "Verstanden als", "en": "Understood as"},
    "period": {"de": "Zeitraum", "en": "Period"},
    "no period": {"de": "ohne Zeitraum", "en": "without the period"},
    "take back": {"de": "Noch einmal fragen, ohne den Zeitraum", "en": "Ask again without the period"},
    "since": {"de": "ab", "en": "from"},
    "until": {"de": "bis", "en": "to"},
    "in": {"de": "auf", "en": "in"},
    "de": {"de": "Deutsch", "en": "German"},
    "en": {"de": "Englisch", "en": "English"},
    "own": {"de": "eigener Artikel, keine Quelle angegeben", "en": "own article, no source given"},
    "open": {"de": "Beleg {n} öffnen", "en": "Open evidence {n}"},
    # the curator's page
    "chat": {"de": "Fragen", "en": "Ask"},
    "inbox": {"de": "Eingang", "en": "Inbox"},
    "nothing waits": {
        "de": "Der Eingang ist leer. Neues holt der Befehl chipdesk collect.",
        "en": "The inbox is empty. The command chipdesk collect fetches what is new.",
    },
    "on topic": {"de": "Zum Thema", "en": "On topic"},
    "date": {"de": "Datum", "en": "Date"},
    "written in": {"de": "Sprache", "en": "Language"},
    "outlet": {"de": "Medium", "en": "Outlet"},
    "author": {"de": "Verfasser", "en": "Author"},
    "topics": {"de": "Themen", "en": "Topics"},
    "entities": {"de": "Namen", "en": "Names"},
    "copy of": {"de": "Kopie von", "en": "Copy of"},
    "feed": {"de": "Feed", "en": "Feed"},
    "id": {"de": "Kennung", "en": "Id"},
    "address": {"de": "Adresse", "en": "Address"},
    "resembles": {"de": "Ähnelt", "en": "Resembles"},
    "copy": {"de": "ähnelt anderem zu", "en": "like another,"},
}


def question_html(text: str, *, any_time: Language | None = None) -> str:
    """What the user typed, as text; with a remark in a language where it is asked again without its period."""
    remark = f' <span class="remark">{_label("no period", any_time)}</span>' if any_time else ""
    return f'<div class="asked">{_line(text)}{remark}</div>'


def answer_html(
    answer: Answer,
    article: Callable[[str], Article],
    *,
    key: str,
    turn: int,
    filters: Filters,
    writing: bool = False,
) -> str:
    """An answer or an abstention with its source cards.

    Args:
        answer: from `Chipdesk.ask`.
        article: gives the article with an id.
        key: makes the cards' ids unique on the page; letters, digits and '-'.
        turn: the question's place in the conversation, which the page hands back to have it asked without its period.
        filters: shown where there are any.
        writing: whether sentences are still to come.
    """
    language = answer.language
    if answer.abstained:
        corrected = answer.reason == "false_premise"
        verdict = _label("corrected" if corrected else "declined", language)
        text = _line(answer.answer)
        if corrected and answer.citations:
            # the one mark that our own sentence ends with; a quotation may hold others
            text = text.removesuffix("[1]") + _mark(1, key, language)
        body = f'<p class="verdict">{verdict}</p><p>{text}</p>'
        heading = "evidence" if corrected else "nearest"
    else:
        body = "".join(f'<p class="lead">{_line(note)}</p>' for note in answer.notes)
        if answer.sentences:
            body += _accounts(answer, key) if answer.differ else f'<p class="text">{_sentences(answer, key)}</p>'
        if writing:
            body += f'<p class="writing" role="status">{_label("writing", language)}</p>'
        heading = "evidence"
    cards = "".join(_card(citation, article(citation.article), key, language) for citation in answer.citations)
    if cards:
        cards = f'<div class="cards"><p class="heading">{_label(heading, language)}</p>{cards}</div>'
    kind = "declined" if answer.abstained else "answered"
    return f'<div class="reply {kind}" lang="{language}">{body}{_reading(answer, turn)}{_meta(answer, filters)}{cards}</div>'


def problem_html(error: ChipdeskError, language: Language) -> str:
    """A failure, which must not look like an answer or like "nothing found"."""
    repair = f"<p>{_line(error.repair)}</p>" if error.repair else ""
    return f'<div class="reply problem" role="alert"><p class="verdict">{_label("problem", language)}</p><p>{_line(error.message)}</p>{repair}</div>'


def note_html(text: str) -> str:
    """One quiet line above the chat; commands in it, which stand between backticks, look like commands."""
    told = re.sub(r"`([^`]+)`", r"<code>\1</code>", _inert(text))
    return f'<p class="note" role="status">{told}</p>' if text else ""


def tabs_html(chat: str, inbox: str, waiting: int, language: Language, *, judging: bool) -> str:
    """Links between the chat and the curator's page.

    Args:
        chat, inbox: their addresses.
        waiting: how many articles are in the inbox.
        language: of the labels.
        judging: True on the curator's page.
    """
    shown = (
        (chat, _label("chat", language), not judging),
        (inbox, f"{_label('inbox', language)} ({waiting})", judging),
    )
    links = (f'<a href="{escape(to)}"{_CURRENT if here else ""}>{name}</a>' for to, name, here in shown)
    return f'<nav class="tabs">{"".join(links)}</nav>'


def item_html(item: Item | None, language: Language) -> str:
    """An article of the inbox with where it came from and what it resembles; None is an empty inbox."""
    if item is None:
        return f'<div class="item empty"><p>{_inert(_LABELS["nothing waits"][language])}</p></div>'
    article = item.article
    rows = [
        ("on topic", f"{item.score:.0%}"),
        ("date", written(article.published, language, article.precision)),
        ("written in", _LABELS[article.language][language]),
        ("outlet", ", ".join(article.publishers) or "–"),
        ("author", ", ".join(dict.fromkeys(source.author for source in article.sources if source.author))),
        ("topics", ", ".join(article.topics)),
        ("entities", ", ".join(article.entities)),
        ("copy of", article.copy_of or ""),
        ("feed", f"{item.feed}, {item.collected[:10]}" if item.feed else ""),
        ("id", article.id),
    ]
    facts = "".join(
        f"<div><dt>{_label(name, language)}</dt><dd>{_inert(value)}</dd></div>" for name, value in rows if value
    )
    if re.match(r"https?://", item.url):
        link = f'<a href="{_inert(item.url)}" target="_blank" rel="noopener noreferrer nofollow">{_inert(item.url)}</a>'
        facts += f"<div><dt>{_label('address', language)}</dt><dd>{link}</dd></div>"
    alike = "".join(f"<li>{_inert(one.id)} ({one.overlap:.0%})</li>" for one in item.near)
    if alike:
        alike = f'<p class="heading">{_label("resembles", language)}</p><ul class="near">{alike}</ul>'
    prose = "".join(f"<p>{_inert(paragraph)}</p>" for paragraph in article.text.split("\n") if paragraph.strip())
    return (
        f'<div class="item" data-id="{_inert(article.id)}"><p class="title" lang="{article.language}">{_inert(article.title)}</p><dl class="facts">{facts}</dl>'
        f'{alike}<div class="article" lang="{article.language}">{prose}</div></div>'
    )


def told_html(text: str, problems: Sequence[ChipdeskError], language: Language) -> str:
    """What became of the curator's last step: what was done, and below it everything that went wrong."""
    done = f'<div class="reply answered" role="status"><p>{_inert(text)}</p></div>' if text else ""
    return done + "".join(_without_templates(problem_html(problem, language)) for problem in problems)


def item_line(item: Item, language: Language) -> str:
    """An article of the inbox on one line, as plain text."""
    article = item.article
    parts = [
        f"{item.score:.0%}",
        written(article.published, language, article.precision),
        article.language,
        ", ".join(article.publishers),
        f"{_LABELS['copy'][language]} {item.near[0].overlap:.0%}" if item.near else "",
    ]
    return f"{' '.join(article.title.split())} ({' · '.join(filter(None, parts))})"


def language_wanted(accepted: str) -> Language:
    """The language of a visitor's browser, from its Accept-Language; English where it names neither."""
    named = [part.split(";")[0].strip().lower()[:2] for part in accepted.split(",")]
    return next((language for language in LANGUAGES if language in named[:1]), "en")


def _sentences(answer: Answer, key: str) -> str:
    return " ".join(_sentence(sentence, key, answer.language) for sentence in answer.sentences)


def _sentence(sentence: Sentence, key: str, language: Language) -> str:
    # what counts is what all citations of a sentence go back to together
    told = origins(sentence.origins, language)
    return _line(sentence.text) + "".join(_mark(number, key, language, told) for number in sentence.citations)


def _accounts(answer: Answer, key: str) -> str:
    """Accounts that differ, side by side: each with its outlets and its date."""
    cited = {citation.number: citation for citation in answer.citations}
    rows = []
    for sentence in answer.sentences:
        first = cited[sentence.citations[0]]
        day = written(first.published, answer.language, first.date_precision)
        rows.append(
            f"<li>{_sentence(sentence, key, answer.language)}"
            f'<span class="facts">{_line(_outlets(first, answer.language))} · {_line(day)}{_counted(sentence, answer.language)}'
            "</span></li>"
        )
    return f'<ul class="text accounts">{"".join(rows)}</ul>'


def _counted(sentence: Sentence, language: Language) -> str:
    told = origins(sentence.origins, language)
    return f" · {_line(told)}" if told else ""


def _outlets(citation: Citation, language: Language) -> str:
    return ", ".join(dict.fromkeys(source.publisher for source in citation.sources)) or _LABELS["own"][language]


def _mark(number: int, key: str, language: Language, told: str = "") -> str:
    title = _LABELS["open"][language].format(n=number) + (f" · {told}" if told else "")
    return f'<a class="cite" href="#{key}-{number}" title="{escape(title)}">[{number}]</a>'


def _card(citation: Citation, article: Article, key: str, language: Language) -> str:
    outlets = _outlets(citation, language)
    day = written(citation.published, language, citation.date_precision)
    links = "".join(f"<li>{_source(source, language)}</li>" for source in citation.sources)
    told = origins(citation.origins, language)
    if told:
        links += f"<li>{_line(told[0].upper() + told[1:])}</li>"
    notice = ""
    if citation.status == "corrected":
        notice = f'<span class="corrected">{_line(corrected(citation.reason, citation.since, language))}</span>'
    return (
        f'<details class="card" id="{key}-{citation.number}">'
        f'<summary><span class="number">[{citation.number}]</span> <span class="title">{_line(citation.title)}</span>'
        f'<span class="facts">{_line(day)} · {_label(citation.language, language)} · {_line(outlets)}</span>{notice}</summary>'
        f'<ul class="outlets">{links}</ul>'
        f'<div class="article" lang="{citation.language}">{_marked_text(article.text, citation.start, citation.end)}</div>'
        "</details>"
    )


def _source(source: Source, language: Language) -> str:
    title = f"{source.publisher}: {source.title}" if source.title else source.publisher
    text = _line(title) + (f" ({_line(source.published)})" if source.published else "")
    if source.language and source.language != language and source.language in _LABELS:
        text += f" · {_label(source.language, language)}"
    if source.url and re.match(r"https?://", source.url):
        return f'<a href="{escape(source.url)}" target="_blank" rel="noopener noreferrer nofollow">{text}</a>'
    return text


def _marked_text(text: str, start: int, end: int) -> str:
    """The article's paragraphs with text[start:end] highlighted."""
    paragraphs = []
    for match in re.finditer(r"\S.*", text):
        a, b = match.span()
        inside = (max(a, start), min(b, end))
        if inside[0] < inside[1]:
            before, quote, after = text[a : inside[0]], text[inside[0] : inside[1]], text[inside[1] : b]
            paragraphs.append(f"<p>{_line(before)}<mark>{_line(quote)}</mark>{_line(after)}</p>")
        else:
            paragraphs.append(f"<p>{_line(text[a:b])}</p>")
    return "".join(paragraphs)


def _reading(answer: Answer, turn: int) -> str:
    """How the question was understood, so that a wrong reading is seen and can be taken back."""
    language = answer.language
    html = ""
    if answer.standalone_question != answer.question:
        html += f'<p class="understood">{_label("understood", language)}: {_line(answer.standalone_question)}</p>'
    if answer.period:
        html += (
            f'<p><button type="button" class="chip" data-turn="{turn}" title="{_label("take back", language)}">'
            f'{_label("period", language)}: {_line(answer.period.words)} <span aria-hidden="true">✕</span></button></p>'
        )
    return html


def _meta(answer: Answer, filters: Filters) -> str:
    language = answer.language
    parts = []
    if answer.newest and not answer.abstained:
        parts.append(f"{_label('newest', language)}: {_line(written(answer.newest, language))}")
    if filters:
        parts.append(f"{_label('filters', language)}: {_line(_spoken(filters, language))}")
    parts.append(f"{answer.took_ms} ms")
    return f'<p class="meta">{" · ".join(parts)}</p>'


def _spoken(filters: Filters, language: Language) -> str:
    parts = [*filters.publishers, *filters.topics]
    if filters.since:
        parts.append(f"{_LABELS['since'][language]} {written(filters.since, language)}")
    if filters.until:
        parts.append(f"{_LABELS['until'][language]} {written(filters.until, language)}")
    return ", ".join(parts)


def _label(name: str, language: Language) -> str:
    return escape(_LABELS[name][language])


def _line(text: str) -> str:
    """Escaped, and on one line: the chat component reads a blank line as the end of our HTML."""
    return escape(re.sub(r"\s*\n\s*", " ", text))


def _inert(text: str) -> str:
    """`_line` for Gradio's HTML component, which takes its value for a template."""
    return _without_templates(_line(text))


def _without_templates(html: str) -> str:
    """HTML that shows the same and holds no `${…}` and no `{{…}}`."""
    return html.replace("{", "&#123;").replace("}", "&#125;").replace("$", "&#36;")
