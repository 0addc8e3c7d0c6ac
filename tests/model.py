"""A language model's server on loopback that says what a test wants: OpenAI's chat completions, streamed, over real HTTP."""

from __future__ import annotations

import json
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal


@dataclass
class Script:
    """What the server does with the next requests."""

    said: tuple[str, ...] = ()
    """Pieces of the answer, each a chunk of the stream."""
    status: int = 200
    ends: Literal["done", "cut", "never", "silent"] = "done"
    """Properly; in the middle of the stream; not at all, the last piece again and again; with an open line and no word."""
    held: threading.Event | None = None
    """Waited for before the first piece."""
    page: str = ""
    """Sent instead of a stream."""


@dataclass
class ModelServer:
    url: str
    script: Script = field(default_factory=Script)
    requests: list[dict[str, Any]] = field(default_factory=list)
    """Bodies, with the header Authorization as "key"."""
    left: threading.Event = field(default_factory=threading.Event)
    """Set when a client hung up before the end."""

    def says(self, *said: str, **script: Any) -> None:
        self.script = Script(said, **script)
        self.requests.clear()
        self.left.clear()

    @property
    def asked(self) -> str:
        """The user's message of the last request."""
        return str(self.requests[-1]["messages"][-1]["content"])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        model = self.server.model
        script = model.script
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        model.requests.append(body | {"key": self.headers.get("Authorization"), "path": self.path})
        if script.status != 200 or script.page:
            content = script.page or json.dumps({"error": {"message": "no", "type": "test"}})
            self.send_response(script.status)
            self.send_header("Content-Type", "text/html" if script.page else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content.encode())
            return
        try:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._wait(script)
            for piece in script.said:
                self._send(piece)
            while script.ends == "never":
                self._send(script.said[-1])
                time.sleep(0.01)
            if script.ends == "done":
                self._chunk("data: [DONE]\n\n")
                self._chunk("")
        except (BrokenPipeError, ConnectionResetError):
            model.left.set()
        self.close_connection = True

    def _wait(self, script: Script) -> None:
        """Until the test lets go, or for ever; notices a client that hangs up."""
        while (script.ends == "silent") if script.held is None else not script.held.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.02)
            if readable and self.connection.recv(1) == b"":
                raise ConnectionResetError

    def _send(self, piece: str) -> None:
        choice = {"index": 0, "delta": {"role": "assistant", "content": piece}, "finish_reason": None}
        chunk = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
        self._chunk(f"data: {json.dumps(chunk)}\n\n")

    def _chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 – the base class names it so
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    model: ModelServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some tests are about."""


@contextmanager
def model_server() -> Iterator[ModelServer]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.model = ModelServer(f"http://127.0.0.1:{server.server_address[1]}/v1")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server.model
    server.shutdown()
    server.server_close()
