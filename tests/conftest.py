"""What the tests share: small corpora of invented news, the real model, and one index that is only read."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rag.build import build
from rag.embed import open_embedder
from rag.index import Index
from rag.reader import OnnxEntailer, OnnxReader
from rag.settings import Settings, load
from rag.types import Embedder, Entailer, Reader

DATA = Path(__file__).parent / "data"
REPOSITORY = Path(__file__).parent.parent


def table(name: str) -> Any:
    """A data file of cases."""
    return yaml.safe_load((DATA / name).read_text("utf-8"))


def small_corpus(folder: Path, *patterns: str) -> Path:
    """A corpus in `folder` with the articles of tests/data that match one of the patterns (all without any)."""
    (folder / "articles").mkdir(parents=True, exist_ok=True)
    for name in ("topics.yaml", "glossary.yaml"):
        shutil.copy(DATA / name, folder / name)
    for pattern in patterns or ("*",):
        for path in sorted((DATA / "articles").glob(f"{pattern}.md")):
            shutil.copy(path, folder / "articles" / path.name)
    return folder


def put(corpus: Path, name: str, text: str, *, title: str = "T", published: str = "2025-08-14", **fields: str) -> Path:
    """Write an article whose file name is its id into a corpus; `fields` are further lines of front matter."""
    path = corpus / "articles" / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = {"id": name, "language": "en", "title": f'"{title}"', "published": published} | fields
    head = "\n".join(f"{field}: {value}" for field, value in lines.items())
    path.write_text(f"---\n{head}\n---\n{text}\n", "utf-8")
    return path


def chipdesk(*arguments: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    command = [sys.executable, "-m", "rag.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    """The bundled model, opened once for all tests of this process."""
    return open_embedder(load())


@pytest.fixture(scope="session")
def entailer() -> Entailer:
    """The bundled weights."""
    return OnnxEntailer()


@pytest.fixture(scope="session")
def reader() -> Reader:
    """The bundled weights."""
    return OnnxReader()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings for an empty corpus and no index."""
    (tmp_path / "corpus" / "articles").mkdir(parents=True)
    return load(corpus=tmp_path / "corpus", index=tmp_path / "index")


@pytest.fixture(scope="session")
def small_settings(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Settings:
    """Settings of a built index over all articles of tests/data. Shared: only read it."""
    root = tmp_path_factory.mktemp("small")
    settings = load(corpus=small_corpus(root / "corpus"), index=root / "index")
    report = build(settings, embedder=embedder)
    assert not report.problems
    return settings


@pytest.fixture(scope="session")
def small_index(small_settings: Settings, embedder: Embedder) -> Iterator[Index]:
    """The index of `small_settings`, opened. Shared: only read it."""
    index = Index(small_settings, embedder.identity)
    yield index
    index.close()
