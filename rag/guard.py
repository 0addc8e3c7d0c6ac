"""Who may talk to a server whose page changes the corpus: this machine's own browser, looking at that very page.

The curator's page has no login. What protects it is that nobody else can reach it, and each check closes one way around
that: another computer (the client's address), a proxy on this machine that lets the world in (its forwarding headers), a
foreign name that resolves to 127.0.0.1 (`Host`, against DNS rebinding), a page of another origin that sends a form or a
script's request (`Origin`, `Sec-Fetch-Site`), and one that shows ours in a frame to borrow a click (`X-Frame-Options`).

Not held off: other users and programs of this very machine. They could as well write into the corpus folder if they may.
"""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.errors import SettingsError
from rag.settings import Settings

FORWARDED: Final = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
"""Headers by which a proxy says that somebody else is asking."""
READING: Final = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing; a link from elsewhere may lead to the page."""


class Guard:
    """Wraps an ASGI application; what it refuses never reaches it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        why = refusal(scope)
        if why:
            problem = {"type": "about:blank", "title": "Only for this machine", "status": 403, "detail": why}
            await JSONResponse(problem, 403, media_type="application/problem+json")(scope, receive, send)
            return

        async def unframed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Frame-Options"] = "DENY"
            await send(message)

        await self._app(scope, receive, unframed)


def refusal(scope: Scope) -> str | None:
    """Why a request is refused, or None.

    Args:
        scope: of the connection, as ASGI describes it.
    """
    headers = Headers(scope=scope)
    client = scope.get("client")
    if not client or not is_loopback(client[0]):
        return "With --curate the server answers this machine only. Open it on the machine it runs on."
    if any(name in headers for name in FORWARDED):
        return (
            "With --curate the server is not reached through a proxy. Start another one without --curate for visitors."
        )
    host = headers.get("host", "")
    if not is_loopback(_name(f"//{host}")):
        return f"{host!r} is not a name of this machine. Open the address that `chipdesk serve --curate` printed."
    origin = headers.get("origin")
    if origin is not None and origin.lower() != f"{scope.get('scheme', 'http')}://{host}".lower():
        return f"A page of {origin!r} may not talk to the curator's server."
    if scope.get("method") not in READING and headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return "A page of another origin may not talk to the curator's server."
    return None


def require_loopback(settings: Settings) -> None:
    """Raises SettingsError where a server with the curator's page would listen to others."""
    if settings.curate and not is_loopback(settings.host):
        raise SettingsError(
            f"The curator's page has no login and cannot be served on {settings.host}.",
            "Leave --host out, or serve visitors without --curate and curate with a second server on 127.0.0.1.",
        )


def is_loopback(host: str | None) -> bool:
    """Whether `host` is this machine: localhost, 127.0.0.0/8 or ::1."""
    if not host or host.lower() == "localhost":
        return bool(host)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
