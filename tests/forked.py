"""Work of Chipdesk in child processes that start in milliseconds, to be killed or to find the disk full.

Run as a program it imports everything, loads the model, opens nothing, and then makes one child for each line it is sent.
A child is a process of its own: it can be killed with -9, and a limit on file sizes makes its writes fail for real (the
kernel refuses them), while the tests' own process stays whole.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS: float = 300
"""Longest that a child may take on a loaded machine; it takes one or two."""


@dataclass(frozen=True)
class Outcome:
    """How a child ended."""

    killed: bool
    error: str | None
    """Name of the exception's type and what it says; None where nothing was raised, or it was killed."""
    seconds: float


class Forks:
    """Makes children, one at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(
        self, work: str, *, kill_after: float | None = None, file_bytes: int | None = None, **given: Any
    ) -> Outcome:
        """Do one of `WORK` in a child.

        Args:
            work: its name.
            kill_after: seconds until it is killed, if it still runs.
            file_bytes: writes beyond this size of a file fail.
            given: what the work needs; JSON.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps({"work": work, "kill_after": kill_after, "file_bytes": file_bytes, "given": given})
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return Outcome(**json.loads(self._process.stdout.readline()))


@contextmanager
def forks() -> Iterator[Forks]:
    program = Path(__file__)
    process = subprocess.Popen(
        [sys.executable, str(program)],
        cwd=program.parent.parent,
        env=os.environ | {"PYTHONPATH": str(program.parent.parent), "CHIPDESK_THREADS": "1", "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Forks(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(SECONDS)


def main() -> None:
    import resource
    import signal

    import chromadb  # noqa: F401  what takes long to import is imported before the children are made
    from documents import page

    import rag.collect
    from rag import inbox
    from rag.add import add_file
    from rag.build import build
    from rag.embed import open_embedder
    from rag.extract import extract
    from rag.feeds import parse
    from rag.fetch import Fetcher, Limits
    from rag.read import Known
    from rag.settings import Settings, load

    # what is imported where it is used would otherwise be imported again in each child
    extract(page().encode(), "warm-up")
    parse(b"<rss version='2.0'><channel/></rss>", "http://127.0.0.1/")
    embedder = open_embedder(load())
    embedder.questions(["warm-up"])
    embedder.passages(["warm-up"], few=True)

    def settings_of(given: dict[str, Any]) -> Settings:
        return load(corpus=Path(given["corpus"]), index=Path(given["index"]))

    def run_add(given: dict[str, Any]) -> None:
        for file in given["files"]:
            add_file(settings_of(given), Path(file), Known())
        build(settings_of(given), embedder=embedder)

    def run_collect(given: dict[str, Any]) -> None:
        polled = rag.collect.collect(settings_of(given), Fetcher(allowed=[given["host"]], limits=Limits(interval=0)))
        troubles = [text for one in polled for text in (*one.problems, one.error) if text]
        if troubles:
            raise RuntimeError(troubles[0])

    def run_judge(given: dict[str, Any]) -> None:
        for item in inbox.items(settings_of(given)):
            (inbox.reject if item.article.id in given["reject"] else inbox.accept)(settings_of(given), item.article.id)
        if given["build"]:
            build(settings_of(given), embedder=embedder)

    def run_desk(given: dict[str, Any]) -> None:
        run_collect(given)
        run_judge(given)

    def run_build(given: dict[str, Any]) -> None:
        build(settings_of(given), embedder=embedder)

    works = {"add": run_add, "collect": run_collect, "judge": run_judge, "desk": run_desk, "build": run_build}

    for line in sys.stdin:
        asked = json.loads(line)
        began = time.monotonic()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            code = 0
            try:
                if asked["file_bytes"] is not None:
                    # Python ignores the signal that comes with it, so that a write raises "File too large"
                    resource.setrlimit(resource.RLIMIT_FSIZE, (asked["file_bytes"],) * 2)
                works[asked["work"]](asked["given"])
            except BaseException as error:  # noqa: BLE001  whatever it is, the tests want to know
                os.write(writer, f"{type(error).__name__}: {error}".encode()[:60_000])
                code = 1
            os._exit(code)
        os.close(writer)
        done, status = 0, 0
        while asked["kill_after"] is not None and not done:
            if time.monotonic() - began > asked["kill_after"]:
                os.kill(child, signal.SIGKILL)  # not waited for yet: the number is still its own
                break
            time.sleep(0.002)
            done, status = os.waitpid(child, os.WNOHANG)
        with os.fdopen(reader, "rb") as said:
            error = said.read().decode() or None
        if not done:
            _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status)
        outcome = {"killed": killed, "error": error, "seconds": time.monotonic() - began}
        sys.stdout.write(json.dumps(outcome) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
