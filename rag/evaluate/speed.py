"""Speed and memory on this machine. For comparing two states of the code on one machine, not for promises."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx

from rag.ask import Chipdesk
from rag.build import build
from rag.evaluate.questions import read_questions
from rag.settings import Settings

ARTICLES: Final = 40
"""Articles that the indexing throughput is measured on; enough for a minute of work."""
QUESTIONS: Final = 40
COLD_RUNS: Final = 5
COLD_QUESTION: Final = "Why was R2 delayed?"


def bench(settings: Settings, *, rounds: int, progress: Callable[[str], None]) -> dict[str, Any]:
    """Measure and return the figures by name; seconds, milliseconds and MiB are in the names.

    Args:
        settings: names the index that is asked; it must have been built.
        rounds: times each question is asked over HTTP after a first, unmeasured round.
        progress: told what is being done.
    """
    index = Chipdesk(settings).index.manifest
    figures: dict[str, Any] = {"machine": _machine(), "articles": index.articles, "chunks": index.chunks}
    progress("indexing 40 articles from nothing")
    figures |= _indexing(settings)
    progress("asking over HTTP")
    figures |= _asking(settings, rounds)
    progress("asking cold")
    figures |= _cold(settings)
    progress("")
    return figures


def table(figures: dict[str, Any]) -> tuple[str, list[str], list[list[str]]]:
    """The figures for a terminal."""
    rows = [
        [name.replace("_", " "), f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"]
        for name, value in figures.items()
        if name != "machine"
    ]
    return f"speed on {figures['machine']}", ["", "value"], rows


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


def _asking(settings: Settings, rounds: int) -> dict[str, Any]:
    """Through a real server in a process of its own, as a client sees it."""
    questions = [item.question for item in read_questions("dev") if not item.history][:QUESTIONS]
    server = _serve(settings)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server[1]}", timeout=30) as client:
            for question in questions:
                client.post("/ask", json={"question": question}).raise_for_status()
            times = []
            for _ in range(rounds):
                for question in questions:
                    started = time.perf_counter()
                    client.post("/ask", json={"question": question}).raise_for_status()
                    times.append((time.perf_counter() - started) * 1000)
        memory = _memory(server[0].pid)
    finally:
        server[0].terminate()
        server[0].wait(10)
    cuts = statistics.quantiles(times, n=20)
    return {
        "ask_p50_ms": statistics.median(times),
        "ask_p95_ms": cuts[18],
        "asked": len(times),
        "server_ready_s": server[2],
        "server_memory_MiB": memory,
    }


def _serve(settings: Settings) -> tuple[subprocess.Popen[bytes], int, float]:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "rag.cli",
        "serve",
        "--port",
        str(port),
        "--corpus",
        str(settings.corpus),
        "--index",
        str(settings.index),
    ]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    while time.perf_counter() - started < 120:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200:
                return process, port, time.perf_counter() - started
        except httpx.TransportError:
            time.sleep(0.1)
        if process.poll() is not None:
            break
    process.kill()
    raise RuntimeError("the server did not start; try `chipdesk serve`")


def _cold(settings: Settings) -> dict[str, Any]:
    """From the shell to the answer, a process of its own each time; the first run fills the file cache."""
    command = [
        sys.executable,
        "-m",
        "rag.cli",
        "ask",
        COLD_QUESTION,
        "--json",
        "--corpus",
        str(settings.corpus),
        "--index",
        str(settings.index),
    ]
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


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
