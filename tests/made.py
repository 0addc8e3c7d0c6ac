"""What the tests of the query line and of the doors are made of: the R2 story, a real server, things made by hand."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import uvicorn

from rag.settings import home
from rag.types import Article, Evidence, Filters, Language, Question, Source, Span

STORY = (
    "*deepseek-r2*", "*deepseek-v31*", "*h20-export-licence*", "*kessler-huawei*", "*bis-h200-case*", "*tsmc-sophgo*",
    "*huawei-cloudmatrix-384*",
)  # fmt: skip
"""File names of the R2 story and of what touches it: twenty articles, so that building them takes seconds."""
R2_EVENT = "2025-08-14-deepseek-r2-ascend-training-failed"
R2_QUESTIONS: tuple[tuple[str, Language], ...] = (("why was R2 delayed?", "en"), ("Warum wurde R2 verschoben?", "de"))


def r2_corpus(folder: Path, *patterns: str) -> Path:
    """A corpus in `folder` with the repository's articles whose names match one of the patterns."""
    source = home() / "corpus"
    (folder / "articles").mkdir(parents=True)
    for name in ("glossary.yaml", "topics.yaml"):
        shutil.copy(source / name, folder / name)
    for path in sorted((source / "articles").rglob("*.md")):
        if any(fnmatch(path.name, pattern) for pattern in patterns or STORY):
            shutil.copy(path, folder / "articles" / path.name)
    return folder


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Run an ASGI application on a free loopback port; gives its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        running = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not running.started and thread.is_alive():
            time.sleep(0.02)
        assert running.started, "the server did not start"
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        running.should_exit = True
        thread.join(20)


# --- made by hand ----------------------------------------------------------------------------------------------------


def article(text: str = "R2 is late. It could not be trained.", **fields: Any) -> Article:
    """An article with `text`; everything else has a value unless it is given."""
    made = Article(
        id="2025-08-14-a.en",
        event="2025-08-14-a",
        language="en",
        title="R2 is late",
        published=date(2025, 8, 14),
        precision="day",
        topics=(),
        entities=(),
        status="current",
        sources=(Source("Financial Times", "DeepSeek delayed", "https://example.com/ft", "2025-08-14", "en"),),
        marks=(),
        text=text,
        digest="0" * 64,
    )
    return replace(made, **fields)


def evidence(quote: str = "R2 is late.", support: float = 0.9, *, quotable: bool = True, **fields: Any) -> Evidence:
    """A piece of evidence for `quote`, which stands in the middle of its article's text."""
    text = f"Before. {quote} After."
    return Evidence(article(text, **fields), Span(8, 8 + len(quote), quotable), support)


def question(text: str = "Why was R2 delayed?", language: Language = "en", **fields: Any) -> Question:
    made = Question(text, text, language, frozenset(), (), Filters())
    return replace(made, **fields)
