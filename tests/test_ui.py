"""The chat page and the API in one server, seen from outside without a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from made import serving

from rag.api import PROBLEM, create_app
from rag.ask import Chipdesk
from rag.settings import Settings
from rag.types import Embedder

pytest_plugins = ("fixtures_desk",)


@pytest.fixture(scope="module")
def client(desk: Chipdesk) -> Iterator[httpx.Client]:
    import ui

    app = ui.mount(create_app(desk.settings, desk=desk))
    with serving(app) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


def test_page_and_api_are_one_server(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "Chipdesk" in page.text
    assert client.get("/health").json()["ready"] is True
    assert client.post("/ask", json={"question": "why was R2 delayed?"}).json()["abstained"] is False
    assert "/ask" in client.get("/openapi.json").json()["paths"]


def test_the_page_loads_nothing_from_elsewhere(client: httpx.Client) -> None:
    loaded = re.findall(r"""(?:src|href)=["'](https?:)?//([^/"']+)""", client.get("/").text)
    assert [host for _, host in loaded if not host.startswith("127.0.0.1")] == []


def test_problems_stay_problems_beside_the_page(client: httpx.Client) -> None:
    for response in (client.post("/ask", json={"question": ""}), client.get("/articles/nope.en")):
        assert response.headers["content-type"] == PROBLEM


def test_other_sites_may_not_read_answers_beside_the_page_either(client: httpx.Client) -> None:
    headers = {"Origin": "https://evil.example"}
    answer = client.post("/ask", json={"question": "R2?"}, headers=headers)
    assert "access-control-allow-origin" not in answer.headers


def test_the_page_can_stand_below_another_path(desk: Chipdesk) -> None:
    import ui

    app = ui.mount(create_app(desk.settings, desk=desk), path="/chat")
    with serving(app) as address, httpx.Client(base_url=address, timeout=60, follow_redirects=True) as client:
        assert "Chipdesk" in client.get("/chat").text
        assert client.get("/").status_code == 404
        assert client.get("/health").json()["ready"] is True


def test_without_an_index_the_page_still_opens_and_names_the_command(settings: Settings, embedder: Embedder) -> None:
    import ui

    app = ui.mount(create_app(settings, desk=Chipdesk(settings, embedder=embedder)))
    with serving(app) as address, httpx.Client(base_url=address, timeout=60) as client:
        page = client.get("/")
        assert page.status_code == 200
        assert "chipdesk build" in client.get("/config").text
