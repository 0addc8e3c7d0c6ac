"""The writer that is a language model: evidence in, checked sentences out, through LlamaIndex's LLM interface.

The model sees the question and the chosen evidence, numbered by code and fenced as data. Whatever it returns is cut into
sentences while it comes, and no sentence is shown that the checker does not find in the evidence: one that fails makes
place for the evidence it cites, or is left out. A model that is down, slow, empty or talks nonsense gives no sentences and a
note that says so; the query line then lets the evidence answer in its own words.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import re
import secrets
import threading
import time
import unicodedata
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from functools import reduce
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from rag import phrases
from rag.dates import NUMBER_OF_MONTH, written
from rag.errors import LlmError, SettingsError, Trouble
from rag.settings import Settings
from rag.types import Checker, Draft, Evidence, Language, Question, Selection, Span
from rag.words import language_of, tokens

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatMessage
    from llama_index.core.llms import LLM

log = logging.getLogger(__name__)

Model = Callable[[], "AbstractAsyncContextManager[LLM]"]
"""Opens a language model for one request, in the event loop that the request runs in."""
Splitter = Callable[[str, Language], Iterator[Span]]
"""The sentences of a line of text, in order."""

LOOK: Final = 0.1
"""Seconds between two looks at whether the asker is still there."""
SENTENCES_A_STATEMENT: Final = 2
"""Sentences that are read for each statement of the evidence; a model that writes more repeats itself."""
CHARS: Final = 8_000
"""Most characters that are read of an answer: five sentences have 1,000."""
LONGEST: Final = 1_500
"""Most characters of one line that is not cut into sentences: what goes on after that is no sentence."""
OUTLETS: Final = 3
"""Most outlets named with a piece of evidence: enough to attribute it, and a small model reads slowly."""
SHORTEST: Final = 3
"""Words of the shortest sentence."""
ELSEWHERE: Final = 0.8
"""Probability from which a sentence may rest on evidence that it does not cite: with more to choose from, chance finds more."""
TELLING: Final = 6
"""Words from which the language of a sentence can be told; names alone have none."""
CONTEXT: Final = 4_096
"""Tokens that a GGUF model in this process keeps: instructions 350, evidence 1,500, answer up to `llm_tokens`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the writer waits for a model."""

    first_seconds: float = 60.0
    """For the first token, and for any further one."""
    seconds: float = 180.0
    """For the whole answer."""


Shown = tuple[str, tuple[int, ...]]
"""A sentence of a `Draft`: (text, positions in the evidence)."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A sentence of the model and what became of it."""

    text: str
    reasons: tuple[str, ...]
    """Why it fell: the kinds of `Problem` it has, or its verdict; "citation" where it cites nothing that exists, "language"
    where it is in the wrong one, "fragment", "markup" or "itself" where it is no statement about the world. Empty where it
    passed."""
    shown: Shown | None
    """Itself where it passed; where it fell, the evidence that it cites, unless that was told already."""

    @property
    def replaced(self) -> bool:
        return bool(self.reasons and self.shown)


class LlmWriter:
    """Lets a language model write the answer, and shows of it what the evidence supports.

    Args:
        model: opens the model.
        check: says whether evidence supports a sentence.
        split: cuts text into sentences.
        beside: what must be said beside the sentences whoever writes them.
        limits: how long to wait.
        listen: told each sentence and what became of it.
    """

    name = "llm"

    def __init__(
        self,
        model: Model,
        *,
        check: Checker,
        split: Splitter,
        beside: Callable[[Question, Selection], tuple[str, ...]] = lambda *_: (),
        limits: Limits | None = None,
        listen: Callable[[Heard], None] = lambda _: None,
    ) -> None:
        self._model = model
        self._check = check
        self._split = split
        self._beside = beside
        self._limits = limits or Limits()
        self._listen = listen

    def write(self, question: Question, selection: Selection) -> Draft:
        return reduce(Draft.__add__, self.stream(question, selection), Draft((), ()))

    def stream(self, question: Question, selection: Selection, stop: threading.Event | None = None) -> Iterator[Draft]:
        """A piece for each sentence that passed, and one for what must be said of the others.

        Sentences that are replaced by their evidence wait until the first one of the model itself has passed: an answer of
        nothing but replacements would be the evidence told in a worse order, and the query line does that better. Where
        accounts differ or things are compared, a side that the model left out is added in the words of its evidence.
        """
        judge = _Judge(question, selection, self._check)
        notes = self._notes(question, selection)
        waiting: list[Shown] = []
        begun = False
        trouble: LlmError | None = None
        most = SENTENCES_A_STATEMENT * max(2, len(selection.statements))
        try:
            said = spoken(self._model, messages(question, selection), self._limits, stop or threading.Event())
            with closing(said), closing(sentences(said, question.language, self._split, most=most)) as read:
                for text, marks in read:
                    heard = judge(text, marks)
                    if heard is None:
                        continue
                    self._listen(heard)
                    waiting += [heard.shown] if heard.shown else []
                    if waiting and (begun or not heard.reasons):
                        yield Draft(() if begun else notes, tuple(waiting))
                        waiting = []
                        begun = True
        except LlmError as error:
            log.warning("%s", error)
            trouble = error
        if begun:
            yield Draft(
                self._after(judge, trouble, question.language),
                judge.other_sides() if selection.differ or question.parts else (),
            )
        elif not (stop and stop.is_set()):
            nothing: Trouble = trouble.trouble if trouble else "nonsense" if judge.heard else "empty"
            yield Draft((phrases.no_model(nothing, question.language),), ())

    def _notes(self, question: Question, selection: Selection) -> tuple[str, ...]:
        foreign = any(statement[0].article.language != question.language for statement in selection.statements)
        translated = (phrases.translated(question.language),) if foreign else ()
        return (phrases.by_a_model(question.language), *translated, *self._beside(question, selection))

    def _after(self, judge: _Judge, trouble: LlmError | None, language: Language) -> tuple[str, ...]:
        said: tuple[str, ...] = (phrases.broke_off(trouble.trouble, language),) if trouble else ()
        fallen = [heard for heard in judge.heard if heard.reasons]
        if fallen:
            replaced = sum(heard.replaced for heard in fallen)
            said += (phrases.fell(len(fallen), len(judge.heard), replaced, language),)
        return said


class _Judge:
    """Passes sentence after sentence of one answer, and remembers which statements were told."""

    def __init__(self, question: Question, selection: Selection, check: Checker) -> None:
        self._question = question
        self._check = check
        self._statements = selection.statements
        self._told: set[int] = set()
        self._texts: set[str] = set()
        self.heard: list[Heard] = []

    def __call__(self, text: str, marks: tuple[int, ...]) -> Heard | None:
        """What becomes of a sentence; None where it was said before."""
        text = self._headless(text)
        key = " ".join(re.findall(r"\w+", text)).casefold()
        if not key or key in self._texts:
            return None
        self._texts.add(key)
        numbers = tuple(n - 1 for n in marks)
        known = tuple(n for n in numbers if 0 <= n < len(self._statements))
        found, reasons = self._judged(text, known if len(known) == len(numbers) else ())
        if found:
            heard = Heard(text, (), self._pass(text, found))
        else:
            untold = next((n for n in known if n not in self._told), None)
            reasons = reasons if known else ("citation", *reasons)
            heard = Heard(text, reasons, None if untold is None else self._verbatim(untold))
        self.heard.append(heard)
        return heard

    def _headless(self, text: str) -> str:
        """A sentence without the outlets and the date that stood before its evidence: small models copy whole lines."""
        heads = (_head(statement[0], self._question.language) for statement in self._statements)
        return next((text.removeprefix(head).strip() for head in heads if text.startswith(head)), text)

    def _judged(self, text: str, cited: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """The statements that bear the sentence out, or why it falls.

        It is held against what it cites. Where that does not support it, or where it cites nothing, it is held against all
        the evidence, because small models count badly; it then cites what supports it.
        """
        if wrong := _malformed(text):
            return (), (wrong,)
        if len(tokens(text)) >= TELLING and language_of(text) != self._question.language:
            return (), ("language",)
        reasons: tuple[str, ...] = ()
        for numbers in dict.fromkeys((cited, tuple(range(len(self._statements))))):
            if not numbers:
                continue
            checked = self._check(text, [self._statements[n][0] for n in numbers], question=self._question)
            if checked.verdict == "supported":
                if numbers == cited:
                    return cited, ()
                found = self._statements_of(checked.evidence)
                if found and checked.score >= ELSEWHERE:
                    return found, ()
            reasons = reasons or tuple(dict.fromkeys(p.kind for p in checked.problems)) or (checked.verdict,)
        return (), reasons

    def other_sides(self) -> tuple[Shown, ...]:
        """Every statement that was not told, in the words of its evidence."""
        return tuple(self._verbatim(n) for n in range(len(self._statements)) if n not in self._told)

    def _verbatim(self, number: int) -> Shown:
        best = self._statements[number][0]
        foreign = best.article.language != self._question.language
        return self._pass(phrases.quoted(best) if foreign else best.quote, (number,))

    def _pass(self, text: str, numbers: tuple[int, ...]) -> Shown:
        self._told |= set(numbers)
        return text, tuple(position for number in numbers for position in self._positions(number))

    def _positions(self, number: int) -> range:
        start = sum(map(len, self._statements[:number]))
        return range(start, start + len(self._statements[number]))

    def _statements_of(self, evidence: Sequence[Evidence]) -> tuple[int, ...]:
        found = (n for item in evidence for n, statement in enumerate(self._statements) if item == statement[0])
        return tuple(dict.fromkeys(found))[:1]


_MARKUP = re.compile(r"https?:|www\.|[<>{}|\\]|\]\(|!\[")
_QUOTED = re.compile(r"„[^“”]*[“”]|“[^”]*”|\"[^\"]*\"|»[^«]*«|«[^»]*»")
_ITSELF = re.compile(r"\b(?:I|I'm|I’m|me|my|myself|ich|mir|mich|mein(?:e[mnrs]?)?)\b(?!-)")


def _malformed(text: str) -> str | None:
    """What keeps a sentence from being a statement about the world, whatever the evidence says: it is none ("fragment"), it
    brings links or markup, or the model speaks of itself.
    """
    if _MARKUP.search(text):
        return "markup"
    if len(tokens(text)) < SHORTEST or text.endswith(("?", ":")):
        return "fragment"
    return "itself" if _ITSELF.search(_QUOTED.sub("", text)) else None


# --- what the model is told ------------------------------------------------------------------------------------------

_HARMLESS: Final = str.maketrans(
    {"<": "‹", ">": "›", "[": "(", "]": ")", "【": "(", "】": ")", "`": "'", "{": "(", "}": ")"}
)
"""Every chat template marks turns with angle or square brackets, and our own citations and fences do so as well."""


def harmless(text: str) -> str:
    """`text` on one line, without brackets and without characters that cannot be seen.

    So it can hold neither a token of a chat template, nor one of our citation marks, nor the end of the fence.
    """
    # compatibility forms first: a full-width bracket would become a bracket in a model's tokenizer
    text = unicodedata.normalize("NFKC", text)
    visible = "".join(" " if char.isspace() else char for char in text if not _unseen(char))
    return " ".join(visible.translate(_HARMLESS).split())


def _unseen(char: str) -> bool:
    return not char.isspace() and unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs", "Cn")


def messages(question: Question, selection: Selection) -> list[ChatMessage]:
    """What the model is told and asked: one piece of evidence a line, `[n] outlets; date: quotation`, inside a fence whose
    name is drawn anew for each question.
    """
    from llama_index.core.base.llms.types import ChatMessage, MessageRole

    name = secrets.token_hex(4)
    fence = {"opened": f"<<EVIDENCE {name}>>", "closed": f"<<END {name}>>"}
    language = question.language
    lines = [f"[{n}] {_line(statement[0], language)}" for n, statement in enumerate(selection.statements, start=1)]
    instructions = phrases.INSTRUCTIONS[language].format(most=max(2, len(lines)), **fence)
    task = phrases.TASK[language].format(question=harmless(question.standalone), evidence="\n".join(lines), **fence)
    return [
        ChatMessage(role=MessageRole.SYSTEM, content=instructions),
        ChatMessage(role=MessageRole.USER, content=task),
    ]


def _line(item: Evidence, language: Language) -> str:
    return f"{_head(item, language)} {harmless(item.quote)}"


def _head(item: Evidence, language: Language) -> str:
    article = item.article
    sources = article.sources_of(item.span.start, item.span.end)
    outlets = list(dict.fromkeys(source.publisher for source in sources))[:OUTLETS] or [article.title]
    day = written(article.published, language, article.precision)
    return harmless(f"{', '.join(outlets)}; {day}:")


# --- what the model says ---------------------------------------------------------------------------------------------

_MARK = re.compile(r"[ \t]*(?:\[\^?(\d{1,3}(?:\s*[,;]\s*\^?\d{1,3})*)\]|【(\d{1,3})[^】]{0,20}】)")
_UNFINISHED = re.compile(r"(?:[\[【][^\]】]{0,24}|\S+)\Z")
"""What may still change at the end of a line that is being written: a mark, or a word."""
_BULLET = re.compile(r"\s*(?:[-*•–]\s+|#{1,6}\s+|›\s+|>\s+|\d{1,2}\)\s+|(?P<number>\d{1,2}\.)\s+(?P<next>\w*))")
_EMPHASIS = re.compile(r"\*\*|__|`")
_THINKING = ("<think>", "</think>")


def sentences(
    said: Iterator[str], language: Language, split: Splitter, *, most: int
) -> Generator[tuple[str, tuple[int, ...]], None, None]:
    """Sentences with the numbers they cite, each as soon as the next one has begun.

    Args:
        said: pieces of text, cut anywhere.
        most: sentences after which nothing more is read.
    """
    count = 0
    for line, whole, emitted in _lines(said):
        found = list(_marked(line if whole else _UNFINISHED.sub("", line), language, split))
        for sentence in found[emitted[0] : len(found) if whole else max(len(found) - 1, 0)]:
            emitted[0] += 1
            count += 1
            yield sentence
            if count >= most:
                return


def _lines(said: Iterator[str]) -> Iterator[tuple[str, bool, list[int]]]:
    """(the line so far, whether it is whole, how many of its sentences were taken) for each piece that arrives."""
    text = ""
    thinking: bool | None = None
    emitted = [0]
    read = 0
    for part in said:
        text += "".join(char for char in part if char == "\n" or not _unseen(char))
        if thinking is not False:
            # what a model thinks aloud before its answer is not read
            text = text.lstrip()
            if text.startswith(_THINKING[0]):
                thinking = True
            if thinking:
                _, ended, rest = text.partition(_THINKING[1])
                text, thinking = (rest.lstrip(), False) if ended else (_THINKING[0] + text[-len(_THINKING[1]) :], True)
                if not ended:
                    continue
            elif _THINKING[0].startswith(text):
                continue
            thinking = False
        read += len(part)
        while "\n" in text:
            line, _, text = text.partition("\n")
            yield line[:LONGEST], True, emitted
            emitted = [0]
        yield text[:LONGEST], False, emitted
        if len(text) > LONGEST or read > CHARS:
            break
    if thinking is not True:
        yield text[:LONGEST], True, emitted


def _marked(line: str, language: Language, split: Splitter) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The sentences of a line without their marks. A mark belongs to the sentence before it; at the very beginning, to the
    one after it.
    """
    line = (
        _BULLET.sub(_unless_a_date, _EMPHASIS.sub("", line), count=1)
        if _BULLET.match(line)
        else _EMPHASIS.sub("", line)
    )
    clean, marks, at = "", [], 0
    for match in _MARK.finditer(line):
        clean += line[at : match.start()]
        numbers = tuple(int(number) for number in re.findall(r"\d+", match[1] or match[2]))
        marks.append((len(clean.rstrip()), numbers))
        at = match.end()
    clean += line[at:]
    spans = list(split(clean, language))
    for position, span in enumerate(spans):
        begin = 0 if position == 0 else span.start
        end = spans[position + 1].start if position + 1 < len(spans) else len(clean) + 1
        cited = dict.fromkeys(n for offset, numbers in marks if begin <= offset < end for n in numbers)
        text = " ".join(clean[span.start : span.end].split())
        if text:
            yield text, tuple(cited)


def _unless_a_date(match: re.Match[str]) -> str:
    """A German sentence may begin with a date: "3. Oktober"."""
    if match["number"] and match["next"].casefold() in NUMBER_OF_MONTH:
        return match[0]
    return match["next"] or ""


def spoken(
    model: Model, asked: Sequence[ChatMessage], limits: Limits, stop: threading.Event
) -> Generator[str, None, None]:
    """What the model says, piece by piece. Closing the iterator closes the request.

    The model is read in a thread and an event loop of its own, because only so can a request that hangs be left.

    Raises:
        LlmError: it cannot be reached, refuses, is too slow or breaks off.
    """
    parts: queue.SimpleQueue[str | LlmError | None] = queue.SimpleQueue()

    async def speak() -> None:
        try:
            async with model() as llm:
                parts.put("")  # it is open: from now on it can be slow
                async for part in await llm.astream_chat(list(asked)):
                    parts.put(part.delta or "")
            parts.put(None)
        except LlmError as error:
            parts.put(error)
        except Exception as error:
            # any library may stand behind the interface: whatever it raises, the evidence is still shown
            log.debug("language model", exc_info=error)
            parts.put(_trouble_of(error))

    loop = asyncio.new_event_loop()
    task = loop.create_task(speak())
    threading.Thread(target=_run, args=(loop, task), name="llm", daemon=True).start()
    try:
        yield from _within(parts, limits, stop)
    finally:
        with suppress(RuntimeError):  # the loop is closed already: the request has ended
            loop.call_soon_threadsafe(task.cancel)


def _run(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
    try:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def _within(parts: queue.SimpleQueue[str | LlmError | None], limits: Limits, stop: threading.Event) -> Iterator[str]:
    begun = time.monotonic()
    heard: float | None = None  # not before the model is open: a file of gigabytes is read first
    while not stop.is_set():
        until = begun + limits.seconds
        until = until if heard is None else min(until, heard + limits.first_seconds)
        left = until - time.monotonic()
        if left <= 0:
            waited = time.monotonic() - (begun if heard is None else heard)
            raise LlmError(
                "too_slow",
                f"The language model was silent for {waited:.0f} s, or not done in {limits.seconds:.0f} s.",
                "Take a smaller one, or raise CHIPDESK_LLM_FIRST_SECONDS or CHIPDESK_LLM_SECONDS.",
            )
        try:
            part = parts.get(timeout=min(LOOK, left))
        except queue.Empty:
            continue
        if part is None:
            return
        if isinstance(part, LlmError):
            raise part
        if heard is None:
            begun = time.monotonic()
        heard = time.monotonic()
        yield part


def _trouble_of(error: Exception) -> LlmError:
    """What a library that talks to a model raised, in a sentence with what to do next. Never with the key in it."""
    import httpx

    try:
        import openai
    except ImportError:
        return LlmError("failed", f"The language model failed with {type(error).__name__}.")
    if isinstance(error, openai.APITimeoutError | httpx.TimeoutException):
        return LlmError(
            "too_slow",
            "The language model's server took too long.",
            "Is it loading the model? Try again, or raise the limits.",
        )
    if isinstance(error, openai.APIConnectionError | httpx.ConnectError):
        return LlmError(
            "unreachable",
            "Nothing that speaks HTTP answers at CHIPDESK_LLM_URL.",
            "Start the server, or correct the address.",
        )
    if isinstance(error, openai.APIStatusError):
        return _refusal(error.status_code)
    if isinstance(error, openai.APIError | httpx.HTTPError | ValueError):
        return LlmError(
            "broke_off",
            f"The language model's server broke off or sent no answer ({type(error).__name__}).",
            "Try again.",
        )
    return LlmError("failed", f"The language model failed with {type(error).__name__}.", "Its log may say more.")


def _refusal(status: int) -> LlmError:
    if status in (401, 403):
        return LlmError(
            "key_refused", f"The server refused the key (HTTP {status}).", "Set CHIPDESK_LLM_KEY to a valid one."
        )
    if status == 404:
        return LlmError(
            "model_unknown",
            "The server knows no such model, or nothing at this path (HTTP 404).",
            "Correct CHIPDESK_LLM_MODEL; CHIPDESK_LLM_URL usually ends with /v1.",
        )
    if status >= 500:
        return LlmError("failed", f"The language model's server failed (HTTP {status}).", "Its log may say why.")
    return LlmError(
        "refused",
        f"The server refused the request (HTTP {status}).",
        "Is CHIPDESK_LLM_URL its OpenAI-compatible address?",
    )


@dataclass(frozen=True, slots=True)
class Probed:
    """A model that answered, and how fast."""

    said: str
    """Its answer, shortened."""
    first_ms: int
    """Milliseconds to its first token, with the time to open it."""
    took_ms: int
    """Milliseconds to its last one."""


def probe(model: Model, limits: Limits) -> Probed:
    """Ask a model for one word.

    Raises:
        LlmError: what is wrong with it.
    """
    from llama_index.core.base.llms.types import ChatMessage

    started = time.perf_counter()
    first = 0.0
    text = ""
    with closing(spoken(model, [ChatMessage(content=phrases.PROBE)], limits, threading.Event())) as said:
        for part in said:
            text += part
            first = first or (time.perf_counter() if part else 0.0)
            if len(text) > CHARS:
                break
    if not text.strip():
        raise LlmError("empty", "The language model answered with nothing.", "Is it a chat model? Try another one.")
    shown = harmless(text)
    return Probed(shown[:60], round((first - started) * 1000), round((time.perf_counter() - started) * 1000))


# --- which model -----------------------------------------------------------------------------------------------------


def configured(settings: Settings) -> bool:
    """Whether the settings name a language model."""
    return bool(settings.llm_url or settings.llm_gguf)


def open_model(settings: Settings) -> Model:
    """The model that the settings name. Nothing is contacted or loaded before it is used.

    Raises:
        SettingsError: the settings name none, or not enough to know which.
    """
    if settings.llm_url and settings.llm_gguf:
        raise SettingsError(
            "Both CHIPDESK_LLM_URL and CHIPDESK_LLM_GGUF are set.", "Unset one: there is one language model at a time."
        )
    if settings.llm_gguf:
        return _Gguf(settings.llm_gguf, settings).open
    if not settings.llm_url:
        raise SettingsError(
            "No language model is configured.",
            "Set CHIPDESK_LLM_URL and CHIPDESK_LLM_MODEL, or CHIPDESK_LLM_GGUF for a file.",
        )
    if not settings.llm_model:
        raise SettingsError(
            "CHIPDESK_LLM_MODEL is missing.",
            "Set it to the name that the server at CHIPDESK_LLM_URL knows the model by.",
        )
    key = settings.llm_key.get_secret_value()
    return lambda: _server(settings.llm_url, settings.llm_model, key, settings)


@asynccontextmanager
async def _server(url: str, model: str, key: str, settings: Settings) -> AsyncIterator[LLM]:
    """An OpenAI-compatible server as LlamaIndex's LLM; its connections are closed with it."""
    import httpx

    try:
        from llama_index.llms.openai_like import OpenAILike
    except ImportError as error:
        raise LlmError(
            "not_installed", f"The language model needs {error.name}.", "Install it with `pip install 'chipdesk[llm]'`."
        ) from error
    wait = httpx.Timeout(settings.llm_first_seconds, connect=settings.llm_connect_seconds)
    # a proxy of the environment is for the outside; redirects would carry question and key to an address nobody configured
    async with httpx.AsyncClient(timeout=wait, trust_env=not _is_local(url), follow_redirects=False) as http:
        yield OpenAILike(
            model=model,
            api_base=url,
            api_key=key or "none",
            is_chat_model=True,
            context_window=CONTEXT,
            max_tokens=settings.llm_tokens,
            temperature=0.0,
            max_retries=0,
            reuse_client=False,
            timeout=settings.llm_first_seconds,
            additional_kwargs={"timeout": wait},
            async_http_client=http,
        )


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Gguf:
    """A GGUF file in this process: llama.cpp's own server on a free loopback port that only knows a key drawn here."""

    def __init__(self, file: Path, settings: Settings) -> None:
        self._file = file
        self._settings = settings
        self._key = secrets.token_urlsafe(24)
        self._lock = threading.Lock()
        self._running: Any = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[LLM]:
        address = await asyncio.to_thread(self._address)
        async with _server(f"{address}/v1", self._file.stem, self._key, self._settings) as llm:
            yield llm

    def _address(self) -> str:
        with self._lock:
            if self._running is None:
                self._running = self._load()
            return str(self._running.listening_address)

    def _load(self) -> Any:
        try:
            with self._file.open("rb") as file:
                magic = file.read(4)
        except OSError as error:
            raise LlmError(
                "no_file", f"{self._file} cannot be read: {error.strerror}.", "Set CHIPDESK_LLM_GGUF to a GGUF file."
            ) from error
        if magic != b"GGUF":
            raise LlmError(
                "not_gguf", f"{self._file} is not a GGUF file.", "Set CHIPDESK_LLM_GGUF to one, usually named .gguf."
            )
        try:
            import xllamacpp
        except ImportError as error:
            raise LlmError(
                "not_installed", "A GGUF file needs xllamacpp.", "Install it with `pip install 'chipdesk[gguf]'`."
            ) from error
        params = xllamacpp.CommonParams()
        params.model.path = str(self._file)
        params.n_ctx = CONTEXT
        params.n_parallel = 1
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        params.api_keys = [self._key]
        params.verbosity = -1
        params.fit_params = False  # the context is small; fitting it to the memory takes another look at the file
        params.ui = params.endpoint_slots = params.endpoint_props = False
        if self._settings.threads:
            params.cpuparams.n_threads = self._settings.threads
            params.cpuparams_batch.n_threads = self._settings.threads
        try:
            return xllamacpp.Server(params)
        except (RuntimeError, ValueError) as error:
            raise LlmError(
                "not_gguf", f"{self._file} cannot be loaded: {error}.", "Is the file whole, and is there enough memory?"
            ) from error
