"""A small web of its own on loopback: what the tests of collecting fetch from. Nothing else is ever contacted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rag.fetch import Fetcher, Limits

Answer = Callable[[BaseHTTPRequestHandler], None]
QUICK = Limits(size=200_000, seconds=3, redirects=3, interval=0, attempts=3, backoff=0.01, patience=5)
"""Limits for tests: the same rules in less time."""


@dataclass
class Web:
    """A server whose pages are put into it; what it was asked is kept."""

    port: int
    pages: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """(path, headers in lower case) in order."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def put(self, path: str, body: bytes | str, kind: str = "text/html; charset=utf-8", **headers: str) -> str:
        """A page; underscores in header names become hyphens. Gives its address."""
        content = body.encode() if isinstance(body, str) else body
        self.pages[path] = answer(200, content, {"Content-Type": kind} | dashed(headers))
        return self.url + path

    def put_versioned(self, path: str, body: str, etag: str, kind: str = "text/html; charset=utf-8") -> str:
        """A page that answers 304 to whoever has its ETag."""

        def respond(request: BaseHTTPRequestHandler) -> None:
            known = request.headers.get("If-None-Match") == etag
            respond_with = (
                answer(304, b"") if known else answer(200, body.encode(), {"Content-Type": kind, "ETag": etag})
            )
            respond_with(request)

        self.pages[path] = respond
        return self.url + path

    def put_redirect(self, path: str, target: str, status: int = 302) -> str:
        self.pages[path] = answer(status, b"", {"Location": target})
        return self.url + path

    def put_status(self, path: str, *statuses: int, then: bytes = b"", **headers: str) -> str:
        """A page that answers with each status once and afterwards with `then`."""
        left = list(statuses)

        def respond(request: BaseHTTPRequestHandler) -> None:
            status = left.pop(0) if left else 200
            answer(status, then if status == 200 else b"no", {"Content-Type": "text/html"} | dashed(headers))(request)

        self.pages[path] = respond
        return self.url + path

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked if path != "/robots.txt"]


def dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def answer(status: int, body: bytes, headers: dict[str, str] | None = None) -> Answer:
    def respond(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        if "Content-Length" not in (headers or {}):
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if status != 304:
            request.wfile.write(body)

    return respond


@contextmanager
def web() -> Iterator[Web]:
    """A running server without pages: everything is 404 until it is put in."""
    found: Web

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            found.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            with suppress(
                BrokenPipeError, ConnectionResetError
            ):  # clients that had enough are what some tests are about
                found.pages.get(self.path, answer(404, b"nothing here"))(self)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        found = Web(server.server_address[1])
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield found
        server.shutdown()


def fetcher(site: Web, limits: Limits = QUICK, **options: Any) -> Fetcher:
    """A fetcher that may visit this site and nothing else that is private."""
    return Fetcher(allowed=[site.host], limits=limits, **options)
