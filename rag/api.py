"""The web server: POST /ask (JSON or server-sent events), POST /verify, GET /articles/{id}, /corrections, GET /health, and the
chat page.

A door: it parses, calls `rag.ask` and formats. Errors are problem+json (RFC 9457) with a sentence that says what to do.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import date
from functools import partial
from http import HTTPStatus
from itertools import chain
from typing import Annotated, Any, Final, Literal

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.ask import DRAFT_CHARS, Chipdesk
from rag.errors import BadRequest, ChipdeskError, FeedError, PortInUse
from rag.feeds import doing
from rag.guard import Guard, require_loopback
from rag.recheck import Finding, recheck, saved
from rag.settings import Settings
from rag.types import Answer, Article, Checked, Citation, Filters, Language, ProblemKind, Turn, Verdict
from rag.verify import cite
from rag.versions import Correction, corrections, older

BODY_BYTES: Final = 512_000
"""Largest request body: 20 messages of 20,000 characters and some room."""
SAVED_BYTES: Final = 4_000_000
"""Largest body of saved answers; one answer has about 10,000 bytes."""
_MOST: Final = {"/ask": BODY_BYTES, "/verify": BODY_BYTES, "/corrections": SAVED_BYTES}
PROBLEM: Final = "application/problem+json"
log = logging.getLogger(__name__)

Name = Annotated[str, Field(min_length=1, max_length=200)]


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    content: Annotated[str, Field(max_length=20_000)]


class Ask(BaseModel):
    """A question. Filters apply to the articles' dates, outlets and topics."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"question": "why was R2 delayed?", "since": "2025-01-01"}]}
    )

    question: str = Field(description="1 to 2,000 characters, German or English.")
    history: list[Message] = Field(default=[], description="The conversation so far, oldest first; at most 20.")
    language: Language | None = Field(None, description="Language of the answer; by default that of the question.")
    since: date | None = Field(None, description="Earliest article date, inclusive.")
    until: date | None = Field(None, description="Latest article date, inclusive.")
    publishers: Annotated[list[Name], Field(max_length=50)] = Field(default=[], description="Outlets to quote from.")
    topics: Annotated[list[Name], Field(max_length=50)] = Field(default=[], description="Topics to quote from.")
    dates: bool = Field(True, description="Whether a time named in the question narrows the evidence.")
    writer: Literal["extractive", "llm"] = Field(
        "extractive", description="Who writes the answer: quotations, or the language model that is configured."
    )

    @property
    def filters(self) -> Filters:
        return Filters(self.since, self.until, tuple(self.publishers), tuple(self.topics))


class Verify(BaseModel):
    """A text to check. Dates apply to the articles that may be evidence."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "DeepSeek sent engineers to Huawei. R2 was planned for May 2025."}]},
    )

    text: str = Field(description=f"1 to {DRAFT_CHARS:,} characters, German or English.")
    language: Language | None = Field(None, description="Language of the text; found out where it is left out.")
    since: date | None = Field(None, description="Earliest article date, inclusive.")
    until: date | None = Field(None, description="Latest article date, inclusive.")


class Difference(BaseModel):
    """One thing that the evidence does not say, or says otherwise."""

    kind: ProblemKind
    found: str = Field(description="As the text has it.")
    expected: str | None = Field(description="As the evidence has it; null where it has nothing of the kind.")


class VerifiedSentence(BaseModel):
    """A sentence of the text, which stands there at [start:end], with its verdict."""

    text: str
    start: int
    end: int
    verdict: Verdict
    score: float = Field(description="Estimated probability that the evidence supports the sentence, 0 to 1.")
    problems: list[Difference]
    citations: list[Citation] = Field(
        description="What supports or contradicts it, numbered from 1 within the sentence."
    )


class Verified(BaseModel):
    sentences: list[VerifiedSentence]


class Answers(BaseModel):
    """Answers given earlier, as POST /ask returned them."""

    model_config = ConfigDict(extra="forbid")

    answers: list[dict[str, Any]] = Field(
        description="Needed are id, question, and of each citation number, article, quote, start and end; status and since count."
    )


class StaleFeed(BaseModel):
    """A feed that brought nothing new for longer than its rhythm allows. Its address and error are for the curator only."""

    name: str
    rhythm_hours: float
    polled: str | None = Field(None, description="When it was last asked, ISO, UTC.")
    success: str | None = Field(None, description="When it last answered, ISO, UTC.")
    news: str | None = Field(None, description="When it last brought something new, ISO, UTC.")
    failing: bool = Field(False, description="Whether the last poll failed; `chipdesk feeds` says why.")


class Health(BaseModel):
    """Whether questions can be answered, and from what."""

    ready: bool
    problem: str | None = Field(None, description="Why not, and the command that repairs it.")
    articles: int | None = None
    newest_article: date | None = None
    index_age_seconds: int | None = None
    index: str | None = None
    stale_feeds: list[StaleFeed] = Field(default=[], description="Empty where all feeds are fresh, or there are none.")
    feeds_problem: str | None = Field(None, description="Why nobody can tell how the feeds are doing.")


class Problem(BaseModel):
    """RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


_ANSWER: Final = TypeAdapter(Answer)
_STREAM: Final = ({"Cache-Control": "no-store"}, "text/event-stream")
"""Headers and media type of an answer that comes as events."""
_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    422: {
        "description": "The request cannot be used as it is.",
        "content": {PROBLEM: {"schema": Problem.model_json_schema()}},
    },
    503: {"description": "The index is not ready.", "content": {PROBLEM: {"schema": Problem.model_json_schema()}}},
}


def create_app(settings: Settings, *, desk: Chipdesk | None = None) -> FastAPI:
    """The server as an ASGI application, without the chat page (`ui.mount` adds it).

    Args:
        settings: names corpus, index and model.
        desk: used instead of a new one.
    """
    desk = desk or Chipdesk(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        threading.Thread(target=_warm, args=(desk,), daemon=True).start()
        yield

    app = FastAPI(
        title="Chipdesk",
        version="0.1.0",
        description="Answers about AI-chip news from a curated corpus, every sentence backed by an exact quotation.",
        lifespan=lifespan,
    )
    app.state.desk = desk
    app.add_middleware(_Bounded)
    if settings.curate:
        app.add_middleware(Guard)
    app.exception_handler(ChipdeskError)(_chipdesk_problem)
    app.exception_handler(RequestValidationError)(_validation_problem)
    app.exception_handler(HTTPException)(_http_problem)
    app.exception_handler(Exception)(_unexpected_problem)

    @app.post("/ask", response_model=Answer, responses=_PROBLEMS)
    async def ask(request: Request, body: Ask) -> Response:
        """Answer a question with citations, or decline it.

        With `Accept: text/event-stream` the same comes as events while it is made: `evidence` (the citations), `sentence`
        (one each), `done` (the whole answer), or `error`. Who hangs up is no longer worked for.
        """
        stop = threading.Event()
        growing = desk.stream(
            body.question,
            language=body.language,
            filters=body.filters,
            history=[Turn(message.role, message.content) for message in body.history],
            writer=body.writer,
            dates=body.dates,
            stop=stop,
        )
        if "text/event-stream" in request.headers.get("accept", ""):
            try:
                first = await run_in_threadpool(next, growing)
            except ChipdeskError as error:
                return StreamingResponse([_problem_event(error)], error.status, *_STREAM)
            return StreamingResponse(_events(first, growing, request, stop), 200, *_STREAM)
        async with _while_connected(request, stop):
            answer = await run_in_threadpool(_last, growing)
        return Response(_ANSWER.dump_json(answer), media_type="application/json")

    @app.post("/verify", response_model=Verified, responses=_PROBLEMS)
    def verify(body: Verify) -> Verified:
        """Check every sentence of a text: supported, contradicted, not in the corpus, or with an altered quotation."""
        checked = desk.verify(body.text, body.language, body.since, body.until)
        return Verified(sentences=[_verified(sentence) for sentence in checked])

    @app.get(
        "/articles/{identity}",
        response_model=Article,
        responses={404: _PROBLEMS[422] | {"description": "No such article."}},
    )
    def article(identity: str) -> Article:
        """One article with its full text; quotations are `text[start:end]`."""
        return desk.article(identity)

    @app.get("/corrections", response_model=list[Correction], responses=_PROBLEMS)
    def corrected(since: date | None = None) -> list[Correction]:
        """What was corrected, withdrawn or replaced, the latest first; with `since` only from that day on."""
        return corrections(settings, desk.index.catalog.articles(), since=since)

    @app.post("/corrections", response_model=list[Finding], responses=_PROBLEMS)
    def check(body: Answers) -> list[Finding]:
        """What became of each citation of answers given earlier; they are not kept here."""
        return recheck(saved(body.answers), desk.index.article, partial(older, settings))

    @app.get("/health", response_model=Health, responses={503: {"model": Health}})
    def health() -> Response:
        """Ready (200) or not (503), and how old the index and the newest article are."""
        state = _health(desk)
        return JSONResponse(state.model_dump(mode="json"), 200 if state.ready else 503)

    return app


def serve(settings: Settings, *, desk: Chipdesk | None = None, announce: Callable[[str], None] = print) -> None:
    """Run the server with the chat page until it is interrupted.

    Args:
        settings: host and port among others.
        desk: used instead of a new one.
        announce: told the address once it is being listened on.

    Raises:
        PortInUse: another program listens there.
        SettingsError: the curator's page would be open to others.
    """
    import ui

    require_loopback(settings)
    listener = _listen(settings.host, settings.port)
    app = ui.mount(create_app(settings, desk=desk))
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    announce(f"http://{host}:{settings.port}")
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=3)
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortInUse(
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            f"Stop the program that uses it, or choose another with `chipdesk serve --port {port + 1 if port < 65535 else 7860}`.",
        ) from error
    return listener


def _warm(desk: Chipdesk) -> None:
    """Load what the first question would otherwise wait for. What is wrong shows in /health and in the answers."""
    try:
        desk.ask("warm-up")
    except ChipdeskError as error:
        log.warning("%s", error)


def _health(desk: Chipdesk) -> Health:
    stale, feeds_problem = _stale(desk.settings)
    try:
        manifest = desk.index.manifest
    except ChipdeskError as error:
        return Health(ready=False, problem=str(error), stale_feeds=stale, feeds_problem=feeds_problem)
    return Health(
        ready=True,
        problem=None,
        articles=manifest.articles,
        newest_article=manifest.newest_date,
        index_age_seconds=round(manifest.age),
        index=manifest.identity,
        stale_feeds=stale,
        feeds_problem=feeds_problem,
    )


def _stale(settings: Settings) -> tuple[list[StaleFeed], str | None]:
    try:
        found = [one for one in doing(settings) if one.stale]
    except FeedError as error:
        return [], str(error)
    return [
        StaleFeed(
            name=one.feed.name,
            rhythm_hours=one.feed.rhythm_hours,
            polled=one.state.polled,
            success=one.state.success,
            news=one.state.news,
            failing=one.state.error is not None,
        )
        for one in found
    ], None


def _verified(checked: Checked) -> VerifiedSentence:
    return VerifiedSentence(
        text=checked.text,
        start=checked.start,
        end=checked.end,
        verdict=checked.verdict,
        score=checked.score,
        problems=[Difference(kind=p.kind, found=p.found, expected=p.expected) for p in checked.problems],
        citations=[cite(number, item) for number, item in enumerate(checked.evidence, start=1)],
    )


async def _events(
    first: Answer, growing: Iterator[Answer], request: Request, stop: threading.Event
) -> AsyncIterator[str]:
    """An answer that is being made, as events."""
    yield _event("evidence", [asdict(citation) for citation in first.citations])
    answer = first
    told = 0
    async with _while_connected(request, stop):
        try:
            async for answer in iterate_in_threadpool(chain([first], growing)):
                for sentence in answer.sentences[told:]:
                    yield _event("sentence", asdict(sentence))
                told = len(answer.sentences)
            yield _event("done", asdict(answer))
        except ChipdeskError as error:
            yield _problem_event(error)


def _last(growing: Iterator[Answer]) -> Answer:
    *_, answer = growing
    return answer


@asynccontextmanager
async def _while_connected(request: Request, stop: threading.Event) -> AsyncIterator[None]:
    """Sets `stop` as soon as the client hangs up, and at the end in any case."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        stop.set()

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        stop.set()
        watching.cancel()


def _problem_event(error: ChipdeskError) -> str:
    return _event("error", _problem_of(error).model_dump())


def _event(name: str, data: object) -> str:
    return f"event: {name}\ndata: {json.dumps(data, default=str, ensure_ascii=False)}\n\n"


# --- problems --------------------------------------------------------------------------------------------------------


class _Bounded:
    """Refuses bodies that are too large before they are read. What passes is not touched: a client that leaves is noticed."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        most = next((most for path, most in _MOST.items() if scope.get("path", "").endswith(path)), None)
        if scope["type"] == "http" and most is not None:
            headers = Headers(scope=scope)
            length = headers.get("content-length", "")
            declared = int(length) if length.isdigit() else 0
            if declared > most or "transfer-encoding" in headers:
                detail = f"Send at most {most:,} bytes with a Content-Length."
                await _problem(413, "The request is too large", detail)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _problem(status: int, title: str, detail: str) -> JSONResponse:
    return _respond(Problem(title=title, status=status, detail=detail))


def _respond(problem: Problem) -> JSONResponse:
    return JSONResponse(problem.model_dump(), problem.status, media_type=PROBLEM)


def _chipdesk_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, ChipdeskError)
    return _respond(_problem_of(error))


def _problem_of(error: ChipdeskError) -> Problem:
    return Problem(title=error.title, status=error.status, detail=str(error))


def _validation_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    sentences = []
    for item in error.errors()[:5]:
        if item["type"] == "json_invalid":
            sentences.append("The body is not JSON.")
            continue
        where = ".".join(str(part) for part in item["loc"] if part != "body") or "body"
        message = "is no field of this request" if item["type"] == "extra_forbidden" else item["msg"].lower()
        sentences.append(f"{where}: {message}.")
    return _problem(BadRequest.status, BadRequest.title, " ".join(sentences))


def _http_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.BAD_REQUEST and request.method == "POST":
        # the framework's answer to bytes that are no text
        return _problem(BadRequest.status, BadRequest.title, "The body is not JSON in UTF-8.")
    title = HTTPStatus(error.status_code).phrase
    return _problem(error.status_code, title, f"{error.detail}. The routes are listed at /docs.")


def _unexpected_problem(_: Request, error: Exception) -> Response:
    log.error("unexpected", exc_info=error)
    return _problem(
        500, "Something unexpected happened", "This is a fault of Chipdesk; the server's log has the details."
    )
