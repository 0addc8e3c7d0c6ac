from __future__ import annotations

import gzip
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from web import QUICK, Web, answer, fetcher, web

from rag.errors import FetchError, FetchRefused
from rag.fetch import DOCUMENTS, Fetcher, is_public, open_fetcher
from rag.settings import load


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as running:
        yield running


# --- what comes back ---


def test_a_page_comes_with_what_the_server_says_about_it(site: Web) -> None:
    url = site.put(
        "/a", "Grüße", "Text/HTML; charset=ISO-8859-1", ETag='"1"', Last_Modified="Thu, 14 Aug 2025 10:00:00 GMT"
    )
    page = fetcher(site).fetch(url)
    assert (page.url, page.content, page.kind, page.charset) == (url, "Grüße".encode(), "text/html", "iso-8859-1")
    assert (page.etag, page.modified, page.unchanged) == ('"1"', "Thu, 14 Aug 2025 10:00:00 GMT", False)


def test_the_program_names_itself_and_asks_for_no_more_than_gzip(site: Web) -> None:
    fetcher(site).fetch(site.put("/a", "text"))
    headers = dict(site.asked)["/a"]
    assert headers["user-agent"].startswith("Chipdesk/")
    assert headers["accept-encoding"] == "gzip"
    assert headers["host"] == site.host


def test_what_did_not_change_is_not_sent_again(site: Web) -> None:
    url = site.put_versioned("/a", "text", '"7"')
    getter = fetcher(site)
    first = getter.fetch(url)
    again = getter.fetch(url, etag=first.etag, modified=first.modified)
    assert (first.unchanged, again.unchanged, again.content) == (False, True, b"")


def test_redirects_are_followed_and_the_last_address_is_named(site: Web) -> None:
    last = site.put("/c?d=1", "text")
    site.put_redirect("/b", "/c?d=1", 308)
    assert fetcher(site).fetch(site.put_redirect("/a", f"{site.url}/b")).url == last


def test_gzip_is_unpacked_also_when_it_comes_in_members(site: Web) -> None:
    body = gzip.compress(b"one ") + gzip.compress(b"two")
    assert fetcher(site).fetch(site.put("/a", body, Content_Encoding="gzip")).content == b"one two"


# --- where it does not go ---


@pytest.mark.parametrize(
    "address",
    """127.0.0.1 127.8.9.1 0.0.0.0 10.0.0.1 172.16.5.5 192.168.1.1 169.254.169.254 100.64.0.1 224.0.0.1 240.0.0.1
    255.255.255.255 192.0.2.1 198.18.0.1 ::1 :: fe80::1 fe80::1%eth0 fc00::1 fd12::1 fec0::1 ff02::1 2001:db8::1
    ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::a00:1 2002:7f00:1::1 2002:a00:1::
    2001:0:1:2:3:4:80ff:fffe""".split(),
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", "1.1.1.1 93.184.216.34 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808".split())
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "017700000001", "127.1", "[::1]", "[::ffff:127.0.0.1]",
     "[::ffff:7f00:1]", "LOCALHOST", "127.0.0.1.", "①②⑦.⓪.⓪.①"],
)  # fmt: skip
def test_no_spelling_of_loopback_is_reached(site: Web, host: str) -> None:
    site.put("/a", "secret")
    with pytest.raises(FetchError) as caught:
        Fetcher(limits=replace(QUICK, attempts=1)).fetch(f"http://{host}:{site.port}/a")
    assert site.asked == []
    if isinstance(caught.value, FetchRefused) and "public internet" in caught.value.message:
        assert "CHIPDESK_FETCH_ALLOW=" in caught.value.repair


def test_a_redirect_to_a_private_address_is_not_followed(site: Web) -> None:
    with web() as inner:
        inner.put("/secret", "secret")
        for target in (f"{inner.url}/secret", f"//localhost:{inner.port}/secret"):
            with pytest.raises(FetchRefused, match="public internet"):
                fetcher(site).fetch(site.put_redirect("/a", target))
        assert inner.asked == []


def test_a_name_that_changes_its_address_leads_to_the_checked_one(site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the first answer is fine, every later one is another; the resolver is the test's own."""
    site.put("/a", "text")
    asked: list[str] = []

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) % 2 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", _only_for("news.test", resolve))
    getter = Fetcher(allowed=["news.test"], limits=QUICK)
    getter._rules = lambda _: _Open()  # type: ignore[assignment, method-assign, return-value]
    page = getter.fetch(f"http://news.test:{site.port}/a")
    assert (page.content, asked) == (b"text", ["news.test"])
    assert site.asked[0][1]["host"] == f"news.test:{site.port}"


def test_one_private_answer_among_public_ones_is_enough_to_refuse(site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("1.1.1.1", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", _only_for("news.test", resolve))
    with pytest.raises(FetchRefused, match=r"news\.test leads to 127\.0\.0\.1"):
        Fetcher(limits=QUICK).fetch(f"http://news.test:{site.port}/a")
    assert site.asked == []


def _only_for(name: str, resolve: Any) -> Any:
    real = socket.getaddrinfo
    return lambda host, *rest, **named: (resolve if host == name else real)(host, *rest, **named)


class _Open:
    def can_fetch(self, *_: object) -> bool:
        return True


def test_proxies_of_the_environment_are_not_used(site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with web() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert fetcher(site).fetch(site.put("/a", "text")).content == b"text"
        assert proxy.asked == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("file:///etc/passwd", "no http or https address"),
        ("ftp://example.com/a", "no http or https address"),
        ("gopher://127.0.0.1/", "no http or https address"),
        ("javascript:alert(1)", "no http or https address"),
        ("example.com/a", "no http or https address"),
        ("http://", "no http or https address"),
        ("http://user:pw@example.com/", "name or password"),
        ("http://exa mple.com/", "no web address"),
        ("http://0177.0.0.1/", "no web address"),
        ("http://a:99999999/", "no web address"),
        ("", "no http or https address"),
    ],
)
def test_other_addresses_are_refused_with_a_sentence(url: str, says: str) -> None:
    with pytest.raises(FetchRefused, match=says):
        Fetcher(limits=QUICK).fetch(url)


def test_a_redirect_to_another_scheme_is_refused(site: Web) -> None:
    with pytest.raises(FetchRefused, match="no http or https address"):
        fetcher(site).fetch(site.put_redirect("/a", "file:///etc/passwd"))


# --- limits ---


def test_redirects_in_a_circle_end(site: Web) -> None:
    with pytest.raises(FetchError, match="more than 3 redirects"):
        fetcher(site).fetch(site.put_redirect("/a", "/a"))
    assert site.paths() == ["/a"] * 4


@pytest.mark.parametrize("declared", [True, False])
def test_a_page_that_is_too_large_is_refused(site: Web, declared: bool) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/html")
        if declared:
            request.send_header("Content-Length", "200000001")
        request.end_headers()
        while not declared:
            request.wfile.write(b"x" * 65_536)

    site.pages["/a"] = endless
    with pytest.raises(FetchError, match="more than 200,000 bytes"):
        fetcher(site).fetch(f"{site.url}/a")


def test_a_decompression_bomb_is_refused_before_it_unfolds(site: Web) -> None:
    bomb = gzip.compress(b"\0" * 150_000_000, 9)
    assert len(bomb) < QUICK.size
    url = site.put("/a", bomb, Content_Encoding="gzip")
    began = time.monotonic()
    with pytest.raises(FetchError, match="more than 200,000 bytes"):
        fetcher(site).fetch(url)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("body", "encoding", "says"),
    [
        (b"plain", "gzip", "not the gzip"),
        (gzip.compress(b"x" * 1000)[:-12], "gzip", "in the middle"),
        (b"x", "br", "'br'"),
        (gzip.compress(b"x"), "gzip, gzip", "'gzip, gzip'"),
    ],
)
def test_wrong_compressions_are_refused(site: Web, body: bytes, encoding: str, says: str) -> None:
    with pytest.raises(FetchError, match=says):
        fetcher(site).fetch(site.put("/a", body, Content_Encoding=encoding))


def drip(request: BaseHTTPRequestHandler, first: bytes, again: bytes) -> None:
    request.wfile.write(first)
    for _ in range(400):
        request.wfile.write(again)
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"),
    ],
    ids=["silence", "headers", "body", "chunk header"],
)
def test_a_server_that_never_finishes_is_left_in_time(site: Web, first: bytes, again: bytes) -> None:
    site.pages["/a"] = lambda request: drip(request, first, again)
    getter = fetcher(site, replace(QUICK, seconds=0.4, attempts=1))
    began = time.monotonic()
    with pytest.raises(FetchError, match=r"not complete after 0\.4 seconds"):
        getter.fetch(f"{site.url}/a")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("raw", [b"", b"not http\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"])
def test_broken_answers_are_errors_with_a_sentence(site: Web, raw: bytes) -> None:
    site.pages["/a"] = lambda request: request.wfile.write(raw) and None
    with pytest.raises(FetchError, match="cannot be read"):
        fetcher(site).fetch(f"{site.url}/a")
    assert site.paths() == ["/a"] * 3


@pytest.mark.parametrize("kind", ["video/mp4", "application/zip", "application/json"])
def test_other_kinds_of_content_are_refused_by_name(site: Web, kind: str) -> None:
    with pytest.raises(FetchError, match=f"is {kind}"):
        fetcher(site).fetch(site.put("/a", "x", kind))


def test_no_server_and_no_such_name() -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(FetchError, match="cannot be read"):
        Fetcher(allowed=["127.0.0.1"], limits=QUICK).fetch(f"http://127.0.0.1:{port}/")


# --- politeness ---


def test_trouble_that_passes_is_waited_for(site: Web) -> None:
    waited: list[float] = []
    getter = fetcher(site, replace(QUICK, backoff=10, patience=60), sleep=waited.append)
    assert getter.fetch(site.put_status("/a", 503, 500, then=b"text")).content == b"text"
    assert 10 <= waited[0] <= 15
    assert 20 <= waited[1] <= 30


def test_the_servers_own_waiting_time_counts(site: Web) -> None:
    waited: list[float] = []
    getter = fetcher(site, sleep=waited.append)
    getter.fetch(site.put_status("/a", 429, then=b"text", Retry_After="4"))
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=4), usegmt=True)
    getter.fetch(site.put_status("/b", 503, then=b"text", Retry_After=soon))
    assert waited[0] == 4
    assert 1 < waited[1] <= 4


def test_a_long_waiting_time_is_left_to_the_next_run(site: Web) -> None:
    with pytest.raises(FetchError, match="Try again in 3,600 seconds") as caught:
        fetcher(site).fetch(site.put_status("/a", 429, 429, Retry_After="3600"))
    assert not isinstance(caught.value, FetchRefused)
    assert site.paths() == ["/a"]


@pytest.mark.parametrize(("status", "asked"), [(404, 1), (410, 1), (403, 1), (401, 1), (500, 3), (429, 3)])
def test_only_what_may_pass_is_tried_again(site: Web, status: int, asked: int) -> None:
    with pytest.raises(FetchError, match=f"answers {status}") as caught:
        fetcher(site).fetch(site.put_status("/a", *[status] * 5))
    assert site.paths() == ["/a"] * asked
    assert isinstance(caught.value, FetchRefused) == (status in (401, 403))


def test_robots_txt_is_read_once_and_obeyed(site: Web) -> None:
    site.put("/robots.txt", "User-agent: *\nDisallow: /private/\nAllow: /private/open\n", "text/plain")
    getter = fetcher(site)
    getter.fetch(site.put("/a", "text"))
    getter.fetch(site.put("/private/open", "text"))
    with pytest.raises(FetchRefused, match=r"robots\.txt"):
        getter.fetch(site.put("/private/b", "text"))
    with pytest.raises(FetchRefused, match=r"robots\.txt"):
        getter.fetch(site.put_redirect("/c", "/private/b"))
    assert [path for path, _ in site.asked] == ["/robots.txt", "/a", "/private/open", "/c"]


def test_robots_txt_can_name_the_program(site: Web) -> None:
    site.put("/robots.txt", "User-agent: *\nAllow: /\n\nUser-agent: chipdesk\nDisallow: /\n", "text/plain")
    with pytest.raises(FetchRefused, match=r"robots\.txt"):
        fetcher(site).fetch(site.put("/a", "text"))


def test_an_unreachable_robots_txt_closes_the_site_for_now(site: Web) -> None:
    site.put_status("/robots.txt", *[503] * 9)
    with pytest.raises(FetchError, match=r"robots\.txt .* nothing is fetched") as caught:
        fetcher(site).fetch(site.put("/a", "text"))
    assert not isinstance(caught.value, FetchRefused)
    assert site.paths() == []


def test_requests_to_one_host_keep_their_distance(site: Web) -> None:
    waited: list[float] = []
    getter = fetcher(site, replace(QUICK, interval=5), sleep=waited.append)
    getter.fetch(site.put("/a", "text"))
    assert len(waited) == 1  # after robots.txt
    assert 4 < waited[0] <= 5


def test_a_crawl_delay_is_kept(site: Web) -> None:
    waited: list[float] = []
    site.put("/robots.txt", "User-agent: *\nCrawl-delay: 4\n", "text/plain")
    getter = fetcher(site, sleep=waited.append)
    getter.fetch(site.put("/a", "text"))
    getter.fetch(site.put("/b", "text"))
    assert 3 < waited[-1] <= 4


# --- TLS ---


@pytest.fixture
def tls_site(site: Web, tmp_path: Path) -> Iterator[tuple[int, Path, list[str | None]]]:
    """(port, certificate, names asked for by SNI) of the same site behind TLS, with a certificate for news.test."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
               "-days", "2", "-subj", "/CN=news.test", "-addext", "subjectAltName=DNS:news.test"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    names: list[str | None] = []
    context.sni_callback = lambda _, name, __: names.append(name)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    raw, _ = listener.accept()
                    with context.wrap_socket(raw, server_side=True) as secure:
                        secure.recv(65_536)
                        secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\ntext")
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], certificate, names


def test_tls_sees_the_name_and_not_the_checked_address(
    tls_site: tuple[int, Path, list[str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, certificate, names = tls_site
    local = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *r, **n: local if host.endswith(".test") else real(host, *r, **n)
    )
    getter = Fetcher(allowed=["news.test", "other.test"], limits=replace(QUICK, attempts=1))
    getter._rules = lambda _: _Open()  # type: ignore[assignment, method-assign, return-value]
    with pytest.raises(FetchError, match="certificate"):
        getter.fetch(f"https://news.test:{port}/")
    getter._tls.load_verify_locations(certificate)
    assert getter.fetch(f"https://news.test:{port}/").content == b"text"
    assert names[-1] == "news.test"
    with pytest.raises(FetchError, match="certificate"):
        getter.fetch(f"https://other.test:{port}/")


def test_the_settings_make_a_fetcher(site: Web) -> None:
    url = site.put("/a", "text")
    with pytest.raises(FetchRefused):
        open_fetcher(load(fetch_interval=0)).fetch(url)
    assert (
        open_fetcher(load(fetch_interval=0, fetch_allow=f"intranet.example, {site.host}")).fetch(url).content == b"text"
    )
    site.pages["/a"] = answer(200, b"x" * 2000, {"Content-Type": "text/html"})
    with pytest.raises(FetchError, match="more than 1,000 bytes"):
        open_fetcher(load(fetch_interval=0, fetch_bytes=1000, fetch_allow="127.0.0.1")).fetch(url, kinds=DOCUMENTS)
