from __future__ import annotations

from pathlib import Path

import pytest
import typer
from conftest import REPOSITORY

from rag import cli
from rag.api import create_app
from rag.settings import PREFIX, Settings, load

COMMANDS = sorted(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]
SETTINGS = sorted(PREFIX + name.upper() for name in Settings.model_fields)


@pytest.fixture(scope="module")
def readme() -> str:
    return (REPOSITORY / "README.md").read_text("utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(readme: str, command: str) -> None:
    assert f"chipdesk {command}" in readme


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_in_the_readme(readme: str, name: str) -> None:
    assert name in readme


def test_every_route_is_in_the_readme(readme: str, tmp_path: Path) -> None:
    paths = create_app(load(index=tmp_path)).openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert [route for route in sorted(routes) if route not in readme] == []


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
