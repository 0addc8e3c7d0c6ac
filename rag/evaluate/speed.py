"""Speed and memory on this machine. For comparing two states of the code on one machine, not for promises."""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from rag import inbox
from rag.ask import Chipdesk
from rag.build import build
from rag.evaluate.questions import read_questions
from rag.files import write_whole
from rag.settings import Settings

ARTICLES: Final = 40
"""Articles that the indexing throughput is measured on; enough for a minute of work."""
QUESTIONS: Final = 40
COLD_RUNS: Final = 5
COLD_QUESTION: Final = "Why was R2 delayed?"
ACCEPTED: Final = 3
"""Articles that are accepted in each way and measured."""
LONGEST_S: Final = 600.0
"""Seconds that anything measured may take."""
NAMES: Final = "Adra Belo Curt Dovi Esper Fagon Gilda Horst Ivara Jorun".split()


def bench(settings: Settings, *, rounds: int, progress: Callable[[str], None]) -> dict[str, Any]:
    """Measure and return the figures by name; seconds, milliseconds and MiB are in the names.

    Args:
        settings: names the index that is asked; it must have been built.
        rounds: times each question is asked over HTTP after a first, unmeasured round.
        progress: told what is being done.
    """
    index = Chipdesk(settings).index.manifest
    figures: dict[str, Any] = {"machine": machine(), "articles": index.articles, "chunks": index.chunks}
    progress("indexing 40 articles from nothing")
    figures |= _indexing(settings)
    progress("asking over HTTP")
    questions = [item.question for item in read_questions("dev") if not item.history][:QUESTIONS]
    figures |= asking(settings, rounds, questions)
    progress("asking cold")
    figures |= cold(settings)
    progress("accepting an article")
    with tempfile.TemporaryDirectory(prefix="chipdesk-bench-") as folder:
        here = settings.model_copy(update={"corpus": Path(folder) / "corpus", "index": Path(folder) / "index"})
        shutil.copytree(settings.corpus, here.corpus, ignore=shutil.ignore_patterns("inbox"))
        shutil.copytree(settings.index, here.index)
        figures |= accepting(here)
    progress("")
    return figures


def table(figures: dict[str, Any]) -> tuple[str, list[str], list[list[str]]]:
    """The figures for a terminal."""
    rows = [
        [name.replace("_", " "), f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"]
        for name, value in figures.items()
        if not isinstance(value, str)
    ]
    made_up = "; the vectors are synthetic: sizes and times only" if figures.get("vectors") == "synthetic" else ""
    return f"speed on {figures['machine']}{made_up}", ["", "value"], rows


def _indexing(settings: Settings) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="chipdesk-bench-") as folder:
        corpus = Path(folder) / "corpus"
        (corpus / "articles").mkdir(parents=True)
        for path in sorted((settings.corpus / "articles").rglob("*.md"))[:ARTICLES]:
            (corpus / "articles" / path.name).write_bytes(path.read_bytes())
        here = settings.model_copy(update={"corpus": corpus, "index": Path(folder) / "index"})
        started = time.perf_counter()
        report = build(here)
        took = time.perf_counter() - started
        again = time.perf_counter()
        build(here)
        unchanged = time.perf_counter() - again
    return {
        "build_s": took,
        "build_articles_per_s": report.manifest.articles / took,
        "build_unchanged_s": unchanged,
        "build_peak_memory_MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def asking(settings: Settings, rounds: int, questions: Sequence[str]) -> dict[str, Any]:
    """Through a real server in a process of its own, as a client sees it."""
    with _serving(settings) as (client, pid, ready):
        for question in questions:
            client.post("/ask", json={"question": question}).raise_for_status()
        times = []
        for _ in range(rounds):
            for question in questions:
                started = time.perf_counter()
                client.post("/ask", json={"question": question}).raise_for_status()
                times.append((time.perf_counter() - started) * 1000)
        memory = _memory(pid)
    cuts = statistics.quantiles(times, n=20)
    return {
        "ask_p50_ms": statistics.median(times),
        "ask_p95_ms": cuts[18],
        "asked": len(times),
        "server_ready_s": ready,
        "server_memory_MiB": memory,
    }


def accepting(settings: Settings) -> dict[str, Any]:
    """From accepting an article of the inbox until a running server answers from it, and from withdrawing it until the
    server quotes it no more; the corpus and the index are changed.

    Each by a command, whose own start counts, and in the process that answers, as the curator's page does it. The first
    of each kind is not measured: it fills the file cache.
    """
    accepted, withdrawn, inside = [], [], []
    with _serving(settings) as (client, _, _):
        client.post("/ask", json={"question": COLD_QUESTION}).raise_for_status()
        for number in range(ACCEPTED + 1):
            identity, question = _into_inbox(settings, number)
            accepted.append(_until(settings, client, ("inbox", "accept", identity), question, identity, quoted=True))
            mark = ("corrections", "mark", identity, "withdrawn", "--reason", "A test.")
            withdrawn.append(_until(settings, client, mark, question, identity, quoted=False))
    desk = Chipdesk(settings)
    desk.ask(COLD_QUESTION)
    for number in range(ACCEPTED + 1, 2 * ACCEPTED + 2):
        identity, question = _into_inbox(settings, number)
        started = time.perf_counter()
        inbox.accept(settings, identity)
        build(settings, embedder=desk.embedder)
        answer = desk.ask(question)
        inside.append(time.perf_counter() - started)
        if identity not in {citation.article for citation in answer.citations}:
            raise RuntimeError(f"{question!r} is not answered from {identity}")
    return {
        "accept_command_to_answer_s": statistics.median(accepted[1:]),
        "accept_in_server_to_answer_s": statistics.median(inside[1:]),
        "withdraw_command_to_answer_s": statistics.median(withdrawn[1:]),
    }


def _into_inbox(settings: Settings, number: int) -> tuple[str, str]:
    """An invented article in the inbox: (its id, a question that only it answers)."""
    company, place = f"Zorvelit {NAMES[number]}", f"Kaldrun {NAMES[-1 - number]}"
    identity = f"2026-07-{number + 1:02d}-accepted-{number}.en"
    text = (
        f"{company} has opened a packaging line for memory stacks in {place}, the Harbour Gazette reported. The line bonds "
        f"{4_000 + number} stacks a month. {company} put {310 + number} million euros into the hall, of which the state paid "
        "a fifth. Its chief engineer said the first customer was an accelerator maker from Sweden.\n\n"
        f"The line replaces a plant in Wismar that burned down in 2024. About {220 + number} people work there in three "
        "shifts. The company expects the stacks to cost a tenth less than those from Asia, because they travel no further "
        "than the port. Deliveries begin in October, once the customer has tested the first thousand."
    )
    head = (
        f"id: {identity}\nlanguage: en\ntitle: {company} opens a packaging line in {place}\npublished: {identity[:10]}"
    )
    write_whole(settings.corpus / "inbox" / f"{identity}.md", f"---\n{head}\n---\n{text}\n".encode())
    return identity, f"What has {company} opened in {place}?"


def _until(
    settings: Settings, client: httpx.Client, command: Sequence[str], question: str, article: str, *, quoted: bool
) -> float:
    """Seconds from the start of a command until an answer quotes the article, or does so no more."""
    before = client.get("/health").json()["index"]
    started = time.perf_counter()
    process = subprocess.Popen(_command(settings, *command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        # asking all the time would take the processor from the command
        while client.get("/health").json()["index"] == before and process.poll() in (None, 0):
            time.sleep(0.01)
        answer = client.post("/ask", json={"question": question}).raise_for_status().json()
        took = time.perf_counter() - started
    finally:
        code = process.wait(LONGEST_S)
    if code or (article in {citation["article"] for citation in answer["citations"]}) != quoted:
        raise RuntimeError(f"`chipdesk {' '.join(command)}` did not show in the answers")
    return took


@contextmanager
def _serving(settings: Settings) -> Iterator[tuple[httpx.Client, int, float]]:
    """A running server: (a client of it, its process, seconds until it was ready)."""
    process, port, ready = _serve(settings)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=LONGEST_S) as client:
            yield client, process.pid, ready
    finally:
        process.terminate()
        process.wait(10)


def _command(settings: Settings, *arguments: str) -> list[str]:
    folders = ("--corpus", str(settings.corpus), "--index", str(settings.index))
    return [sys.executable, "-m", "rag.cli", *arguments, *folders]


def _serve(settings: Settings) -> tuple[subprocess.Popen[bytes], int, float]:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = _command(settings, "serve", "--port", str(port))
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    while time.perf_counter() - started < LONGEST_S:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200:
                return process, port, time.perf_counter() - started
        except httpx.TransportError:
            time.sleep(0.1)
        if process.poll() is not None:
            break
    process.kill()
    raise RuntimeError("the server did not start; try `chipdesk serve`")


def cold(settings: Settings) -> dict[str, Any]:
    """From the shell to the answer, a process of its own each time; the first run fills the file cache."""
    command = _command(settings, "ask", COLD_QUESTION, "--json")
    times = []
    for _ in range(COLD_RUNS + 1):
        started = time.perf_counter()
        json.loads(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603
        times.append(time.perf_counter() - started)
    return {"cold_ask_s": statistics.median(times[1:])}


def _memory(pid: int) -> float:
    """Peak resident memory of a process in MiB; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
