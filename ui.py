"""The chat page, in Gradio. A door: it hands questions to `rag.ask` and shows what `rag.page` makes of the answers.

`chipdesk serve` mounts it in the API's server; `python ui.py` starts the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from html import escape
from threading import Event
from typing import Any, Final

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read once, when gradio is imported
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr
from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from rag.ask import Chipdesk
from rag.curator import CSS as CURATOR_CSS
from rag.curator import PATH as CURATE
from rag.curator import TEXTS as CURATOR_TEXTS
from rag.curator import create_curator
from rag.errors import BadRequest, ChipdeskError, FeedError
from rag.feeds import doing
from rag.inbox import items
from rag.llm import LlmWriter
from rag.page import answer_html, language_wanted, note_html, problem_html, question_html, tabs_html
from rag.phrases import stale_feeds, unreadable_feeds
from rag.read import read_topics
from rag.types import Answer, Filters, Language, Turn
from rag.words import language_of
from rag.write import ExtractiveWriter

EXAMPLES: Final = (
    "Why was R2 delayed?",
    "Warum wurde R2 verschoben?",
    "What did Nvidia book because of the H20 licence rule?",
    "Wie viele Ascend-Chips kann Huawei 2025 fertigen?",
)
AT_ONCE: Final = 4
"""Questions worked on at the same time; more only wait for the same two cores."""
WAITING: Final = 64
"""Questions that may wait; further ones are told that the server is busy."""
TEXTS: Final = {
    "en": {
        "intro": "Ask about AI-chip news. Every sentence of an answer is an exact quotation; click its [n] to read it in the article.",
        "ask": "Your question", "send": "Ask", "filters": "Filters", "since": "From (YYYY-MM-DD)", "until": "To (YYYY-MM-DD)",
        "publishers": "Outlets", "topics": "Topics", "language": "Answer in", "writer": "Let the language model write",
    },
    "de": {
        "intro": "Fragen zu Nachrichten über KI-Chips. Jeder Satz einer Antwort ist ein wörtliches Zitat; ein Klick auf [n] zeigt ihn im Artikel.",
        "ask": "Ihre Frage", "send": "Fragen", "filters": "Filter", "since": "Von (JJJJ-MM-TT)", "until": "Bis (JJJJ-MM-TT)",
        "publishers": "Medien", "topics": "Themen", "language": "Antwort auf", "writer": "Das Sprachmodell schreiben lassen",
    },
}  # fmt: skip
HEAD: Final = """
<meta name="viewport" content="width=device-width, initial-scale=1">
<script>
// a long answer is read from its beginning: what was asked goes to the top, the evidence waits below
let chipdeskShown = 0;
// each further sentence brings the cards anew: those that are being read stay open
const chipdeskOpen = new Set();
new MutationObserver(() => {
  for (const id of chipdeskOpen) {
    const card = document.getElementById(id);
    if (card) card.open = true;
  }
  const messages = document.querySelectorAll("#chat .asked, #chat .reply").length;
  if (messages === chipdeskShown) return;
  chipdeskShown = messages;
  const asked = [...document.querySelectorAll("#chat .asked")].at(-1);
  if (asked) asked.scrollIntoView({block: "start"});
}).observe(document, {childList: true, subtree: true});
document.addEventListener("click", (event) => {
  const chip = event.target.closest("button.chip");
  if (chip) {
    window.chipdeskTurn = Number(chip.dataset.turn);
    document.getElementById("again").click();
    return;
  }
  // noted with the click: a "toggle" comes later and is lost when the card is replaced in between
  const read = event.target.closest("#chat details.card > summary")?.parentElement;
  if (read) chipdeskOpen[read.open ? "delete" : "add"](read.id);
  const mark = event.target.closest("a.cite");
  if (!mark) return;
  event.preventDefault();
  const card = document.getElementById(mark.getAttribute("href").slice(1));
  if (!card) return;
  card.open = true;
  chipdeskOpen.add(card.id);
  const target = card.querySelector("mark") || card;
  target.scrollIntoView({behavior: "smooth", block: "center"});
  card.classList.remove("flash"); void card.offsetWidth; card.classList.add("flash");
});
</script>
"""
CSS: Final = """
.gradio-container { max-width: 60rem !important; width: 100%; margin: 0 auto !important; --body-text-color-subdued: #52606d; }
.dark .gradio-container, .gradio-container.dark { --body-text-color-subdued: #a9b4c0; }
#masthead { gap: .1rem; }
#masthead h1 { font-size: 1.6rem; margin: .3rem 0 0; }
#masthead p { margin: 0; color: var(--body-text-color-subdued); }
#chat { border: 0; }
#chat .message { font-size: 1rem; line-height: 1.55; max-width: 100%; }
#chat .message, #chat .message * { opacity: 1; }
#chat .message.bot, #chat .bot.message { width: 100%; border: 0; background: transparent; box-shadow: none; padding-left: 0; padding-right: 0; }
.reply { border-left: 4px solid #1d6f5c; padding: .2rem 0 .2rem 1rem; overflow-wrap: anywhere; }
.reply.declined { border-left-color: #b7791f; background: #b7791f14; padding: .6rem 1rem; }
.reply.problem { border-left-color: #c53030; background: #c5303014; padding: .6rem 1rem; }
.reply p { margin: .2rem 0; }
.reply .verdict { font-weight: 700; }
.reply.declined .verdict { color: #975a16; }
.reply.problem .verdict { color: #c53030; }
.dark .reply.declined .verdict { color: #f6ad55; }
.dark .reply.problem .verdict { color: #fc8181; }
.reply .lead { font-style: italic; color: var(--body-text-color-subdued); }
.reply .writing { font-size: .85rem; color: var(--body-text-color-subdued); }
.reply .understood { font-size: .85rem; color: var(--body-text-color-subdued); }
.reply .chip { font-size: .82rem; line-height: 1.3; text-align: left; cursor: pointer; border: 1px solid #1d6f5c; border-radius: 1rem; padding: .15rem .7rem; margin: .15rem 0; color: #1d6f5c; background: #1d6f5c14; }
.reply .chip:hover, .reply .chip:focus-visible { background: #1d6f5c30; }
.dark .reply .chip { color: #4fd1b5; border-color: #4fd1b5; }
.asked .remark { font-size: .8rem; opacity: .75; }
#again { display: none; }
.reply .meta { font-size: .8rem; color: var(--body-text-color-subdued); }
.reply a.cite { text-decoration: none; font-weight: 600; margin-left: .15rem; padding: .1rem .15rem; color: #1d6f5c; }
.dark .reply a.cite { color: #4fd1b5; }
.reply a.cite:hover, .reply a.cite:focus-visible { text-decoration: underline; }
.cards .heading { font-size: .8rem; font-weight: 600; margin-top: .6rem; color: var(--body-text-color-subdued); }
.card { border: 1px solid var(--border-color-primary); border-radius: .5rem; margin: .35rem 0; padding: .45rem .7rem; background: var(--background-fill-primary); }
.card summary { cursor: pointer; list-style-position: inside; }
.card .number { font-weight: 600; }
.card .title { font-weight: 600; }
.reply .accounts { margin: .2rem 0 .2rem 1.1rem; padding: 0; list-style: disc; }
.reply .accounts li { margin: .35rem 0; }
.card .facts, .accounts .facts { display: block; font-size: .82rem; color: var(--body-text-color-subdued); }
.card .corrected { display: block; font-size: .82rem; font-weight: 600; color: #975a16; }
.dark .card .corrected { color: #f6ad55; }
.card .outlets { margin: .4rem 0 .4rem 1.1rem; padding: 0; font-size: .85rem; list-style: disc; }
.card .article { border-top: 1px solid var(--border-color-primary); padding-top: .4rem; font-size: .95rem; max-height: 26rem; overflow-y: auto; }
.card mark { background: #ffe58f; color: #1a1a1a; padding: .05rem .1rem; }
.card.flash { animation: flash 1.2s ease-out; }
@keyframes flash { from { box-shadow: 0 0 0 3px #1d6f5c88; } to { box-shadow: none; } }
#chat .placeholder-content { padding-top: 1rem; }
footer { display: none !important; }
@media (max-width: 40rem) { .reply { padding-left: .7rem; } .gradio-container .main { padding: .5rem .75rem !important; } #chat .message-row.bot-row { margin-left: 0; margin-right: 0; max-width: 100%; } #masthead h1 { font-size: 1.3rem; } #masthead p { font-size: .85rem; } }
"""
I18N: Final = gr.I18n(**{language: TEXTS[language] | CURATOR_TEXTS[language] for language in TEXTS})


def create_page(desk: Chipdesk) -> gr.Blocks:
    """The page as Gradio blocks.

    Args:
        desk: answers the questions.
    """
    publishers, topics = _choices(desk)
    with gr.Blocks(title="Chipdesk", analytics_enabled=False, fill_width=True) as page:
        with gr.Column(elem_id="masthead"):
            gr.Markdown("# Chipdesk")
            gr.Markdown(I18N("intro"))
        above = gr.HTML(elem_id="above", padding=False, visible=False)
        turns = gr.State([])
        chat = gr.Chatbot(
            elem_id="chat", show_label=False, height="58vh", sanitize_html=False, latex_delimiters=[], buttons=[],
            layout="bubble", feedback_options=None, autoscroll=False, placeholder=_welcome(desk), examples=[{"text": text} for text in EXAMPLES],
        )  # fmt: skip
        with gr.Row(equal_height=True):
            box = gr.Textbox(
                placeholder=I18N("ask"), show_label=False, container=False, lines=1, max_lines=4, autofocus=True, scale=6,
                max_length=desk.settings.question_chars, elem_id="question",
            )  # fmt: skip
            send = gr.Button(I18N("send"), variant="primary", scale=1, min_width=90, elem_id="send")
        with gr.Accordion(I18N("filters"), open=False, elem_id="filters"):
            with gr.Row():
                since = gr.Textbox(label=I18N("since"), max_length=10, elem_id="since")
                until = gr.Textbox(label=I18N("until"), max_length=10, elem_id="until")
                language = gr.Radio(
                    [("auto", ""), ("Deutsch", "de"), ("English", "en")], value="", label=I18N("language")
                )
            with gr.Row():
                outlets = gr.Dropdown(publishers, multiselect=True, label=I18N("publishers"))
                subjects = gr.Dropdown(topics, multiselect=True, label=I18N("topics"))
        # shown only where a language model is configured
        writer = gr.Checkbox(
            label=I18N("writer"), value=False, visible=LlmWriter.name in desk.writers, elem_id="writer"
        )

        def respond(
            text: str,
            shown: list[dict[str, Any]],
            said: list[Turn],
            from_: str,
            to: str,
            names: list[str],
            about: list[str],
            wanted: str,
            by_model: bool,
        ) -> Iterator[tuple[list[dict[str, Any]], list[Turn], str]]:
            shown = [*shown, {"role": "user", "content": question_html(text)}]
            yield shown, said, ""
            for reply, now_said in _replies(desk, text, said, said, (from_, to, names, about, wanted, by_model)):
                yield [*shown, {"role": "assistant", "content": reply}], now_said, ""

        def respond_again(
            turn: int,
            shown: list[dict[str, Any]],
            said: list[Turn],
            from_: str,
            to: str,
            names: list[str],
            about: list[str],
            wanted: str,
            by_model: bool,
        ) -> Iterator[tuple[list[dict[str, Any]], list[Turn]]]:
            """Ask the question at `turn` once more, in the conversation that came before it, without its period."""
            asked = said[turn : turn + 1]
            if not asked or turn < 0 or asked[0].role != "user":
                # the conversation was cleared in the meantime
                yield shown, said
                return
            text = asked[0].content
            shown = [*shown, {"role": "user", "content": question_html(text, any_time=language_of(text))}]
            yield shown, said
            chosen = (from_, to, names, about, wanted, by_model)
            for reply, now_said in _replies(desk, text, said[:turn], said, chosen, dates=False):
                yield [*shown, {"role": "assistant", "content": reply}], now_said

        def look_above(request: gr.Request) -> Any:
            html = _above(desk, language_wanted(request.headers.get("accept-language", "")))
            return gr.HTML(html, visible=bool(html))

        page.load(look_above, None, above, show_progress="hidden", api_visibility="private")
        inputs = [box, chat, turns, since, until, outlets, subjects, language, writer]
        outputs = [chat, turns, box]
        gr.on(
            [send.click, box.submit],
            respond,
            inputs,
            outputs,
            concurrency_limit=AT_ONCE,
            show_progress="hidden",
            api_visibility="private",
        )
        # the chip of a period, which is HTML inside the chat, presses this button; the script of the page says which chip it was
        again = gr.Button("again", elem_id="again")
        again.click(
            respond_again, [gr.Number(0, precision=0, visible=False), *inputs[1:]], [chat, turns],
            js="(turn, ...others) => [window.chipdeskTurn, ...others]",
            concurrency_limit=AT_ONCE, show_progress="hidden", api_visibility="private",
        )  # fmt: skip
        chat.example_select(_example, None, box, show_progress="hidden", api_visibility="private").then(
            respond, inputs, outputs, concurrency_limit=AT_ONCE, show_progress="hidden", api_visibility="private"
        )
        chat.clear(list, None, turns, show_progress="hidden", api_visibility="private")
    page.queue(max_size=WAITING, default_concurrency_limit=AT_ONCE)
    return page


def mount(app: FastAPI, path: str = "/") -> FastAPI:
    """Put the page into the API's server at `path`, and the curator's page where the settings want it.

    Args:
        app: from `rag.api.create_app`.
        path: where the page is to appear.
    """
    desk = app.state.desk
    if desk.settings.curate:
        # first: a page at / takes every path that is left
        app.add_route(CURATE.rstrip("/"), lambda _: RedirectResponse(CURATE))
        app = _mounted(app, create_curator(desk, I18N, path), CURATE.rstrip("/"))
    return _mounted(app, create_page(desk), path)


def _mounted(app: FastAPI, page: gr.Blocks, path: str) -> FastAPI:
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"]
    theme = gr.themes.Base(primary_hue="teal", neutral_hue="slate", font=fonts, font_mono=["ui-monospace", "monospace"])
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        page,
        path=path,
        theme=theme,
        css=CSS + CURATOR_CSS,
        head=HEAD,
        i18n=I18N,
        ssr_mode=False,
        footer_links=[],
        show_error=False,
    )
    return mounted


def _above(desk: Chipdesk, language: Language) -> str:
    """What stands above the chat: the way to the inbox for a curator, and which feeds are stale. Mostly nothing."""
    tabs = ""
    if desk.settings.curate:
        tabs = tabs_html("./", CURATE, len(items(desk.settings)), language, judging=False)
    try:
        stale = [one for one in doing(desk.settings) if one.stale]
    except FeedError:
        return tabs + note_html(unreadable_feeds(language))
    if not stale:
        return tabs
    told = [(one.feed.name, date.fromisoformat(one.state.news[:10]) if one.state.news else None) for one in stale]
    return tabs + note_html(stale_feeds(told, language))


def _example(event: gr.SelectData) -> str:
    return str(event.value["text"])


def _welcome(desk: Chipdesk) -> str:
    """What an empty conversation shows: what there is to ask about, or why nothing can be asked."""
    try:
        manifest = desk.index.manifest
        span = desk.index.catalog.span()
    except ChipdeskError as error:
        return escape(str(error))
    if span is None:
        return "The corpus is empty · Das Korpus ist leer"
    first, last = (f"{day.month:02d}/{day.year}" for day in span)
    return f"{manifest.articles:,} articles · Artikel · {first} – {last}"


def _replies(
    desk: Chipdesk,
    text: str,
    before: list[Turn],
    said: list[Turn],
    chosen: tuple[str | None, str | None, list[str], list[str], str, bool],
    *,
    dates: bool = True,
) -> Iterator[tuple[str, list[Turn]]]:
    """The HTML of the reply to a question that continues `before`, as it grows, and the whole conversation with it.

    Closed early, which happens when the visitor leaves, it ends the work on the answer.
    """
    since, until, publishers, topics, wanted, by_model = chosen
    language: Language | None = wanted if wanted in ("de", "en") else None  # type: ignore[assignment]
    stop = Event()
    try:
        filters = Filters(_day(since), _day(until), tuple(publishers or ()), tuple(topics or ()))
        history = before[-desk.settings.history_turns :] if desk.settings.history_turns else []
        name = LlmWriter.name if by_model else ExtractiveWriter.name
        growing = desk.stream(
            text, language=language, filters=filters, history=history, dates=dates, writer=name, stop=stop
        )

        def shown(answer: Answer, *, writing: bool) -> str:
            key = f"{answer.id}-{len(said)}"
            return answer_html(answer, desk.article, key=key, turn=len(said), filters=filters, writing=writing)

        answer = next(growing)
        now: Answer | None = answer
        while now is not None:
            answer = now
            # quotations are there at once: only who has to wait sees the answer grow
            if by_model and not answer.abstained:
                yield shown(answer, writing=True), said
            now = next(growing, None)
        yield shown(answer, writing=False), [*said, Turn("user", text), Turn("assistant", answer.answer)]
    except ChipdeskError as error:
        yield problem_html(error, language or language_of(text)), said
    finally:
        stop.set()


def _day(text: str | None) -> date | None:
    """An empty field reaches us as None or as an empty string."""
    if not text or not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise BadRequest(f"{text!r} is not a date.", "Write it as 2025-08-14.") from None


def _choices(desk: Chipdesk) -> tuple[list[str], list[tuple[str, str]]]:
    """Outlets and topics to filter by, the most frequent first; none while there is no index."""
    try:
        catalog = desk.index.catalog
    except ChipdeskError:
        return [], []
    names = read_topics(desk.settings.corpus)
    publishers = [name for name, _ in catalog.labels("publisher")]
    topics = [
        (" / ".join(dict.fromkeys(names[t].values())) if t in names else t, t) for t, _ in catalog.labels("topic")
    ]
    return publishers, topics


if __name__ == "__main__":
    import sys

    from rag.cli import app as command_line

    command_line(["serve", *sys.argv[1:]])
