from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from made import serving

from rag.api import PROBLEM, create_app, serve
from rag.errors import SettingsError
from rag.guard import is_loopback, refusal
from rag.settings import Settings, load


def asked(method: str = "POST", client: str | None = "127.0.0.1", **headers: str) -> str | None:
    """Why a request with these headers is refused."""
    given = {"host": "127.0.0.1:7860"} | {name.replace("_", "-"): value for name, value in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in given.items()]
    return refusal(
        {"type": "http", "method": method, "headers": raw, "client": (client, 5000) if client else None, "path": "/"}
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "localhost:7860"},
        {"host": "[::1]:7860", "origin": "http://[::1]:7860"},
        {"host": "127.0.0.1"},
        {"origin": "http://127.0.0.1:7860", "sec_fetch_site": "same-origin"},
        {"method": "GET", "sec_fetch_site": "cross-site"},
        {"method": "GET", "sec_fetch_site": "none"},
        {"client": "::1"},
    ],
    ids=str,
)
def test_the_machines_own_browser_is_let_in(headers: dict[str, str]) -> None:
    assert asked(**headers) is None


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"client": "192.168.1.7"}, "this machine only"),
        ({"client": "8.8.8.8", "method": "GET"}, "this machine only"),
        ({"client": None}, "this machine only"),
        ({"x_forwarded_for": "127.0.0.1"}, "proxy"),
        ({"forwarded": "for=1.2.3.4"}, "proxy"),
        ({"via": "1.1 nginx"}, "proxy"),
        ({"x_real_ip": "1.2.3.4", "method": "GET"}, "proxy"),
        ({"host": "evil.example:7860"}, "not a name of this machine"),
        ({"host": "127.0.0.1.evil.example", "method": "GET"}, "not a name of this machine"),
        ({"host": "10.0.0.1:7860"}, "not a name of this machine"),
        ({"host": "localhost@evil.example"}, "not a name of this machine"),
        ({"host": ""}, "not a name of this machine"),
        ({"host": "[::1"}, "not a name of this machine"),
        ({"origin": "https://evil.example"}, "may not talk"),
        ({"origin": "null"}, "may not talk"),
        ({"origin": "http://127.0.0.1:3000"}, "may not talk"),
        ({"origin": "http://localhost:7860"}, "may not talk"),
        ({"origin": "http://[::1", "method": "GET"}, "may not talk"),
        ({"sec_fetch_site": "cross-site"}, "another origin"),
        ({"sec_fetch_site": "same-site"}, "another origin"),
    ],
    ids=str,
)
def test_everybody_else_is_told_why_not(headers: dict[str, str], says: str) -> None:
    assert says in (asked(**headers) or "")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("LOCALHOST", True), ("", False),
     (None, False), ("0.0.0.0", False), ("::", False), ("192.168.1.7", False), ("localhost.evil.example", False)],
)  # fmt: skip
def test_which_hosts_are_this_machine(host: str | None, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "desk.example"])
def test_the_curators_page_is_not_served_to_others(host: str) -> None:
    with pytest.raises(SettingsError, match="no login"):
        serve(load(host=host, curate=True))


@pytest.fixture(scope="module")
def curating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server with the curator's page; it needs no index for that."""
    import ui

    root = tmp_path_factory.mktemp("curating")
    (root / "corpus").mkdir()
    app = ui.mount(create_app(load(corpus=root / "corpus", index=root / "index", curate=True)))
    with serving(app) as address, httpx.Client(base_url=address, timeout=60, follow_redirects=True) as client:
        yield client


def test_the_curators_page_is_there_for_this_machine(curating: httpx.Client) -> None:
    page = curating.get("/curate")
    assert page.status_code == 200
    assert "Chipdesk" in page.text
    assert page.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("path", ["/curate/", "/curate/config", "/curate/gradio_api/queue/join", "//curate/", "/"])
@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"X-Forwarded-For": "1.2.3.4"}], ids=str
)
def test_other_pages_reach_nothing_of_it(curating: httpx.Client, path: str, headers: dict[str, str]) -> None:
    for response in (curating.get(path, headers=headers), curating.post(path, headers=headers, json={})):
        assert (response.status_code, response.headers["content-type"]) == (403, PROBLEM)


def test_a_server_for_visitors_has_no_curators_page(settings: Settings) -> None:
    import ui

    app = ui.mount(create_app(settings))
    with serving(app) as address, httpx.Client(base_url=address, timeout=60, follow_redirects=True) as client:
        for path in ("/curate", "/curate/", "/curate/config", "/curate/gradio_api/queue/join"):
            assert client.get(path).status_code == 404
        config = client.get("/config").text
        assert "judging" not in config
        assert client.get("/", headers={"Host": "desk.example"}).status_code == 200
