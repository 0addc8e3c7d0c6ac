"""The curator's page, in Gradio: the inbox as a list, one article at a time, and what to do with it.

A door: it shows what `rag.inbox` knows and does what `chipdesk inbox` does, through the same functions. `ui.mount` puts it
at /curate where the settings say `curate`; who may reach it, `rag.guard` decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import gradio as gr

from rag import inbox, phrases
from rag.ask import Chipdesk
from rag.build import build
from rag.errors import ChipdeskError
from rag.inbox import Item
from rag.page import item_html, item_line, language_wanted, tabs_html, told_html
from rag.read import Known, read_topics
from rag.types import Language

PATH: Final = "/curate/"
TEXTS: Final = {
    "en": {
        "judge": "What the feeds brought. Nothing is in the corpus before you accept it.", "waiting": "Waiting, the most relevant first",
        "edit": "Change what it says about itself", "title": "Headline", "published": "Date (YYYY-MM-DD)", "language_of": "Language",
        "topics_of": "Topics", "entities": "Companies, chips, people, rules (separated by commas)", "save": "Save", "accept": "Accept",
        "reject": "Reject", "reason": "Why (for your colleagues)", "refresh": "Look again",
    },
    "de": {
        "judge": "Was die Feeds gebracht haben. Ins Korpus kommt nur, was Sie annehmen.", "waiting": "Es warten, das Passendste zuerst",
        "edit": "Angaben ändern", "title": "Überschrift", "published": "Datum (JJJJ-MM-TT)", "language_of": "Sprache",
        "topics_of": "Themen", "entities": "Firmen, Chips, Personen, Regeln (durch Kommas getrennt)", "save": "Speichern", "accept": "Annehmen",
        "reject": "Ablehnen", "reason": "Warum (für die Kollegen)", "refresh": "Neu laden",
    },
}  # fmt: skip
CSS: Final = """
.tabs { display: flex; gap: .3rem; border-bottom: 1px solid var(--border-color-primary); }
.tabs a { padding: .35rem .9rem; text-decoration: none; color: var(--body-text-color-subdued); border-bottom: 3px solid transparent; }
.tabs a[aria-current] { color: var(--body-text-color); font-weight: 600; border-bottom-color: #1d6f5c; }
.note { margin: 0; font-size: .85rem; color: var(--body-text-color-subdued); overflow-wrap: anywhere; }
#waiting .wrap { flex-direction: column; flex-wrap: nowrap; max-height: 60vh; overflow-y: auto; }
#waiting label { width: 100%; align-items: flex-start; }
#waiting label span { overflow-wrap: anywhere; white-space: normal; min-width: 0; }
.item { overflow-wrap: anywhere; }
.item p.title { font-size: 1.15rem; font-weight: 600; margin: 0 0 .4rem; }
.item dl { margin: 0; font-size: .85rem; display: flex; flex-wrap: wrap; gap: .15rem 1.2rem; }
.item dl div { display: flex; gap: .4rem; max-width: 100%; }
.item dt { flex: none; color: var(--body-text-color-subdued); }
.item dd { margin: 0; min-width: 0; }
.item .heading { margin: .6rem 0 0; font-size: .85rem; font-weight: 600; }
.item .near { margin: .1rem 0 0 1.2rem; padding: 0; font-size: .85rem; list-style: disc; }
.item .article { border-top: 1px solid var(--border-color-primary); margin-top: .6rem; max-height: 60vh; overflow-y: auto; line-height: 1.55; }
.item .article p { margin: .6rem 0; }
"""

HOLD: Final = "(wanted) => { document.getElementById('judging').inert = true; return wanted; }"
"""Until the chosen article is there, nobody types into the fields of the one before."""
RELEASE: Final = """() => {
  const judging = document.getElementById("judging");
  const release = () => {
    const chosen = document.querySelector("#waiting input:checked");
    const shown = document.querySelector("#item .item");
    // the page is drawn after this is called, and the reply to an earlier choice must not open the fields of a later one
    if (chosen && shown && chosen.value !== shown.dataset.id) requestAnimationFrame(release);
    else requestAnimationFrame(() => { judging.inert = false; });
  };
  release();
}"""


def create_curator(desk: Chipdesk, i18n: gr.I18n, chat: str) -> gr.Blocks:
    """The page as Gradio blocks.

    Args:
        desk: its settings name the corpus, and its model embeds what is accepted.
        i18n: knows `TEXTS`.
        chat: address of the chat, for the link to it.
    """
    settings = desk.settings
    vocabulary = [
        (" / ".join(dict.fromkeys(names.values())), topic) for topic, names in read_topics(settings.corpus).items()
    ]
    with gr.Blocks(title="Chipdesk", analytics_enabled=False, fill_width=True) as page:
        with gr.Column(elem_id="masthead"):
            gr.Markdown("# Chipdesk")
            gr.Markdown(i18n("judge"))
        tabs = gr.HTML(elem_id="tabs", padding=False)
        told = gr.HTML(elem_id="told", padding=False)
        with gr.Row():
            with gr.Column(scale=2, min_width=280):
                waiting = gr.Radio([], label=i18n("waiting"), elem_id="waiting")
                again = gr.Button(i18n("refresh"), size="sm", elem_id="refresh")
            with gr.Column(scale=3, min_width=280, visible=False, elem_id="judging") as judging:
                shown = gr.HTML(elem_id="item", padding=False)
                with gr.Accordion(i18n("edit"), open=False, elem_id="edit"):
                    title = gr.Textbox(label=i18n("title"), max_lines=4, elem_id="title")
                    with gr.Row():
                        published = gr.Textbox(label=i18n("published"), max_length=10, elem_id="published")
                        language = gr.Radio(
                            [("Deutsch", "de"), ("English", "en")], label=i18n("language_of"), elem_id="language"
                        )
                    topics = gr.Dropdown(
                        vocabulary, multiselect=True, allow_custom_value=not vocabulary, label=i18n("topics_of")
                    )
                    entities = gr.Textbox(label=i18n("entities"), max_lines=3, elem_id="entities")
                    save = gr.Button(i18n("save"), elem_id="save")
                accept = gr.Button(i18n("accept"), variant="primary", elem_id="accept")
                with gr.Row(equal_height=True):
                    reason = gr.Textbox(placeholder=i18n("reason"), show_label=False, container=False, scale=3)
                    reject = gr.Button(i18n("reject"), variant="stop", scale=1, min_width=100, elem_id="reject")
        empty = gr.HTML(elem_id="empty", padding=False)

        # the item that the fields show, which for a moment may be another one than that chosen in the list
        current = gr.State("")
        fields = [title, published, language, topics, entities]
        view = [tabs, waiting, judging, empty, shown, current, *fields]

        def look(wanted: str | None, request: gr.Request) -> list[Any]:
            """The page as the inbox is now, with this item chosen if it is still there."""
            spoken = _spoken(request)
            found = inbox.items(settings)
            chosen = next((item for item in found if item.article.id == wanted), found[0] if found else None)
            return [
                tabs_html(chat, PATH, len(found), spoken, judging=True),
                gr.Radio(
                    [(item_line(item, spoken), item.article.id) for item in found],
                    value=chosen.article.id if chosen else None,
                    visible=bool(found),
                ),
                gr.Column(visible=chosen is not None),
                "" if chosen else item_html(None, spoken),
                item_html(chosen, spoken) if chosen else "",
                chosen.article.id if chosen else "",
                *_fields(chosen),
            ]

        def look_around(wanted: str | None, request: gr.Request) -> list[Any]:
            return [told_html("", inbox.unreadable(settings), _spoken(request)), *look(wanted, request)]

        def change(
            wanted: str, head: str, day: str, tongue: str, about: list[str], names: str, request: gr.Request
        ) -> list[Any]:
            spoken = _spoken(request)
            try:
                item = _edited(desk, wanted, [head, day, tongue, about, names])
            except ChipdeskError as error:
                # what was typed stays in its fields
                return [told_html("", [error], spoken), *([gr.skip()] * len(view))]
            return [told_html(phrases.saved(item.article.title, spoken), (), spoken), *look(wanted, request)]

        def take(
            wanted: str,
            head: str,
            day: str,
            tongue: str,
            about: list[str],
            names: str,
            request: gr.Request,
            progress: gr.Progress = gr.Progress(),  # noqa: B008  Gradio finds it by this default
        ) -> list[Any]:
            """Accept and index; what was typed into the fields counts."""
            spoken = _spoken(request)
            try:
                name = _edited(desk, wanted, [head, day, tongue, about, names]).article.title
                inbox.accept(settings, wanted)
            except ChipdeskError as error:
                return [told_html("", [error], spoken), *([gr.skip()] * len(view))]
            try:
                report = build(
                    settings, embedder=desk.embedder, progress=lambda stage, done, total: progress((done, total), stage)
                )
            except ChipdeskError as error:
                told = told_html(phrases.accepted_only(name, spoken), [error], spoken)
            else:
                told = told_html(phrases.accepted(name, report.manifest.articles, spoken), report.problems, spoken)
            return [told, *look(None, request)]

        def turn_down(wanted: str, why: str, request: gr.Request) -> list[Any]:
            spoken = _spoken(request)
            try:
                name = inbox.show(settings, wanted).article.title
                inbox.reject(settings, wanted, why.strip())
                told = told_html(phrases.rejected(name, spoken), (), spoken)
            except ChipdeskError as error:
                told = told_html("", [error], spoken)
            return [told, "", *look(None, request)]

        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        # one step at a time: two builds would only wait for each other
        alone: dict[str, Any] = quiet | {"concurrency_limit": 1, "concurrency_id": "curate"}
        page.load(look_around, waiting, [told, *view], **quiet)
        again.click(look_around, waiting, [told, *view], **quiet)
        waiting.input(look, waiting, view, js=HOLD, **quiet).then(None, js=RELEASE)
        save.click(change, [current, *fields], [told, *view], **alone)
        accept.click(
            take, [current, *fields], [told, *view], **alone | {"show_progress": "full", "show_progress_on": told}
        )
        reject.click(turn_down, [current, reason], [told, reason, *view], **alone)
    return page


def _spoken(request: gr.Request) -> Language:
    return language_wanted(request.headers.get("accept-language", ""))


def _fields(item: Item | None) -> list[Any]:
    """Values of the fields that can be changed."""
    if item is None:
        return ["", "", None, [], ""]
    article = item.article
    return [
        article.title,
        article.published.isoformat(),
        article.language,
        list(article.topics),
        ", ".join(article.entities),
    ]


def _edited(desk: Chipdesk, wanted: str, values: Sequence[Any]) -> Item:
    """The item with what the fields say, written only where that is something new.

    Raises:
        InboxError, ArticleError: as `inbox.edit` does.
    """
    item = inbox.show(desk.settings, wanted)
    before = _fields(item)
    if list(values) == before:
        return item
    title, published, language, topics, entities = (
        new if new != old else None for new, old in zip(values, before, strict=True)
    )
    names = None if entities is None else [name.strip() for name in entities.split(",") if name.strip()]
    known = Known(title=title, published=published, language=language, topics=None if topics is None else tuple(topics))
    return inbox.edit(desk.settings, wanted, known, entities=names)
