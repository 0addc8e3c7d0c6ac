"""Fixtures of the query line and of the doors. Test files name this module in `pytest_plugins`; it is never imported."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from made import r2_corpus, serving

from rag.api import create_app
from rag.ask import Chipdesk
from rag.build import build
from rag.settings import Settings, load
from rag.types import Embedder


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Settings:
    """Settings of a built index over the R2 story. Shared: only read it."""
    root = tmp_path_factory.mktemp("story")
    settings = load(corpus=r2_corpus(root / "corpus"), index=root / "index")
    report = build(settings, embedder=embedder)
    assert not report.problems
    return settings


@pytest.fixture(scope="session")
def desk(story: Settings, embedder: Embedder) -> Chipdesk:
    """Answers from the R2 story. Shared: only ask it."""
    return Chipdesk(story, embedder=embedder)


@pytest.fixture(scope="session")
def server(desk: Chipdesk) -> Iterator[httpx.Client]:
    """A client of a real server over the R2 story, without the chat page."""
    with serving(create_app(desk.settings, desk=desk)) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client
