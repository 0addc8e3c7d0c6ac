"""A web address to bytes, politely and without being led where a newsroom's program has no business.

Whatever an address says, connections are made by `_Guarded` only. It resolves a name once, refuses every answer that is
not a public address, and connects to the very address it has checked: a second DNS answer, a redirect or an odd spelling
(`http://2130706433/`) leads nowhere else. TLS still sees the name, because only the connection below it is pinned.

No proxy is used: a proxy would resolve names by itself, out of reach of the check.
"""

from __future__ import annotations

import email.utils
import ipaddress
import random
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import httpcore
import httpx
from protego import Protego

from rag import __version__
from rag.errors import FetchError, FetchRefused
from rag.settings import Settings

AGENT: Final = f"Chipdesk/{__version__} (collects news for an archive with citations; reads robots.txt)"
ROBOT: Final = "Chipdesk"
"""The name that robots.txt can address."""
DOCUMENTS: Final = frozenset(
    "text/html application/xhtml+xml text/plain text/markdown application/pdf "
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document".split()
)
"""Content types that `rag.extract` reads."""
FEEDS: Final = frozenset(
    "application/rss+xml application/atom+xml application/rdf+xml application/xml text/xml text/plain text/html".split()
)
"""Content types that feeds are served with in practice; whether it is one, `rag.feeds` sees in the bytes."""
RETRIED: Final = frozenset({429, 500, 502, 503, 504})
"""HTTP statuses that say "not now"."""
CONNECT_SECONDS: Final = 10.0
"""For one address of a host, so that a dead one leaves time for the next."""
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Limits:
    """What a fetch may cost."""

    size: int = 20_000_000
    """Bytes, before and after decompression."""
    seconds: float = 60.0
    """For one attempt from the first connection to the last byte, redirects included, waiting for politeness not."""
    redirects: int = 5
    interval: float = 2.0
    """Seconds between two requests to one host."""
    attempts: int = 3
    backoff: float = 2.0
    """Seconds before the second attempt; doubled for each further one, with up to half as much again at random."""
    patience: float = 60.0
    """Longest wait that a server may ask for with Retry-After or Crawl-delay; more is left to the next run."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an address gave."""

    url: str
    """Where the bytes came from in the end, after redirects."""
    content: bytes
    """Decompressed; empty where `unchanged`."""
    kind: str
    """Content type without parameters, in lower case; empty where the server named none."""
    charset: str | None
    etag: str | None
    modified: str | None
    """Last-Modified as the server wrote it."""
    unchanged: bool = False
    """True where the server says that its answer is still the one with the given ETag or Last-Modified."""


class Fetcher:
    """Fetches one address after the other and remembers when each host was last asked.

    Args:
        allowed: hosts (`intranet.example`) or hosts with port (`127.0.0.1:8080`) that may have a private address.
        limits: what a fetch may cost.
        sleep: waits the given seconds.
    """

    def __init__(
        self,
        *,
        allowed: Collection[str] = (),
        limits: Limits | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._allowed = frozenset(host.strip().lower() for host in allowed if host.strip())
        self._limits = limits or Limits()
        self._sleep = sleep
        self._tls = httpx.create_ssl_context(trust_env=False)
        self._free_at: dict[str, float] = {}
        self._robots: dict[str, Protego] = {}

    def fetch(
        self, url: str, *, kinds: Collection[str] = DOCUMENTS, etag: str | None = None, modified: str | None = None
    ) -> Fetched:
        """The bytes behind `url`.

        Args:
            url: http or https.
            kinds: content types that are welcome.
            etag, modified: what an earlier answer had; the server may then say "unchanged".

        Raises:
            FetchRefused: the address, a redirect or robots.txt forbids it; trying again does not help.
            FetchError: it did not work this time, or what came is too large, too slow or of another kind.
        """
        headers = {"If-None-Match": etag, "If-Modified-Since": modified}
        given = {name: value for name, value in headers.items() if value}
        return self._patiently(_parsed(url), frozenset(kinds), given)

    def _patiently(self, url: httpx.URL, kinds: frozenset[str], headers: Mapping[str, str]) -> Fetched:
        for attempt in range(1, self._limits.attempts + 1):
            try:
                return self._follow(url, kinds, headers)
            except _NotNow as error:
                wait = error.after if error.after is not None else self._pause(attempt)
                if attempt == self._limits.attempts or wait > self._limits.patience:
                    raise FetchError(error.message, _later(error.after)) from error
                self._sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _pause(self, attempt: int) -> float:
        return float(self._limits.backoff * 2 ** (attempt - 1) * random.uniform(1, 1.5))  # noqa: S311 -- spreads load

    def _follow(
        self, url: httpx.URL, kinds: frozenset[str], headers: Mapping[str, str], *, robots: bool = True
    ) -> Fetched:
        """One attempt, redirects included."""
        clock = _Clock(self._limits.seconds)
        with httpx.Client(transport=_Transport(self._tls, self._allowed, clock), trust_env=False) as client:
            for _ in range(self._limits.redirects + 1):
                if robots:
                    with clock.stopped():
                        self._require_welcome(url)
                with clock.stopped():
                    self._wait_for(url.host)
                answer = self._ask(client, url, kinds, headers)
                if isinstance(answer, Fetched):
                    return answer
                url = answer
        raise FetchError(
            f"{url} is the end of more than {self._limits.redirects} redirects.", "Look at it in a browser."
        )

    def _ask(
        self, client: httpx.Client, url: httpx.URL, kinds: frozenset[str], headers: Mapping[str, str]
    ) -> Fetched | httpx.URL:
        """What `url` answers: content, or the address it redirects to."""
        asked = {"User-Agent": AGENT, "Accept": ", ".join(sorted(kinds)) + ", */*;q=0.1", "Accept-Encoding": "gzip"}
        try:
            with client.stream("GET", url, headers=asked | dict(headers), timeout=self._limits.seconds) as response:
                if response.has_redirect_location:
                    return _target(url, response.headers["location"])
                return self._content(response, url, kinds)
        except httpcore.TimeoutException as error:
            raise _NotNow(f"{url} was not complete after {self._limits.seconds:g} seconds.") from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            reason = str(error).strip(".") or type(error).__name__
            raise _NotNow(f"{url} cannot be read: {reason}.") from error
        finally:
            self._free_at[url.host] = time.monotonic() + self._interval(url)

    def _content(self, response: httpx.Response, url: httpx.URL, kinds: frozenset[str]) -> Fetched:
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        about = {
            "url": str(url),
            "kind": kind,
            "charset": response.charset_encoding,
            "etag": response.headers.get("etag"),
            "modified": response.headers.get("last-modified"),
        }
        status = response.status_code
        if status == 304:
            return Fetched(content=b"", unchanged=True, **about)
        if status in RETRIED:
            raise _NotNow(f"{url} answers {status} {response.reason_phrase}.", _retry_after(response.headers), status)
        if status in (401, 402, 403, 451):
            raise FetchRefused(
                f"{url} answers {status}: the outlet does not give it to programs.",
                "If you may use the article, save it as a file and `chipdesk add FILE --url ...`.",
                status,
            )
        if status != 200:
            raise FetchError(f"{url} answers {status} {response.reason_phrase}.", "Check the address.", status)
        if kind and kind not in kinds:
            raise FetchError(
                f"{url} is {kind}, which cannot be read here.", f"Readable are {', '.join(sorted(kinds))}."
            )
        declared = response.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._limits.size:
            raise _too_large(url, self._limits.size)
        parts: list[bytes] = []
        size = 0
        for part in _plain(response.iter_raw(), response.headers.get("content-encoding", ""), url):
            size += len(part)
            if size > self._limits.size:
                raise _too_large(url, self._limits.size)
            parts.append(part)
        return Fetched(content=b"".join(parts), **about)

    # --- politeness ---

    def _require_welcome(self, url: httpx.URL) -> None:
        if not self._rules(url).can_fetch(str(url), ROBOT):
            raise FetchRefused(
                f"{url} is closed to programs by the robots.txt of {url.host}.",
                "If you may use the article, save it as a file and `chipdesk add FILE --url ...`.",
            )

    def _rules(self, url: httpx.URL) -> Protego:
        """What robots.txt says (RFC 9309): without one everything is allowed, with an unreachable one nothing is."""
        origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        if origin not in self._robots:
            try:
                content = self._follow(url.join("/robots.txt"), _ANY, {}, robots=False).content
            except FetchError as error:
                if isinstance(error, FetchRefused) and error.answered is None:
                    raise
                if not 400 <= (error.answered or 0) < 500 or error.answered == 429:
                    raise FetchError(
                        f"The robots.txt of {url.host} cannot be read, so nothing is fetched there. {error.message}",
                        "Try again later.",
                    ) from error
                content = b""
            self._robots[origin] = Protego.parse(content.decode("utf-8-sig", "replace"))
        return self._robots[origin]

    def _interval(self, url: httpx.URL) -> float:
        rules = self._robots.get(f"{url.scheme}://{url.netloc.decode('ascii')}")
        asked = rules.crawl_delay(ROBOT) if rules else None
        return max(self._limits.interval, min(asked or 0.0, self._limits.patience))

    def _wait_for(self, host: str) -> None:
        wait = self._free_at.get(host, 0.0) - time.monotonic()
        if wait > 0:
            self._sleep(wait)


def open_fetcher(settings: Settings) -> Fetcher:
    """The fetcher that the settings describe."""
    return Fetcher(
        allowed=settings.fetch_allow.split(","),
        limits=Limits(settings.fetch_bytes, settings.fetch_seconds, interval=settings.fetch_interval),
    )


class _Any(frozenset[str]):
    """All content types: robots.txt is served with any."""

    def __contains__(self, _: object) -> bool:
        return True


_ANY: Final = _Any({"text/plain"})


class _NotNow(FetchError):
    """Worth another attempt."""

    def __init__(self, message: str, after: float | None = None, answered: int | None = None) -> None:
        super().__init__(message, "", answered)
        self.after = after


def _parsed(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise FetchRefused(f"{url!r} is no web address: {error}.") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise FetchRefused(f"{url} is no http or https address.", "Save it as a file and `chipdesk add FILE`.")
    if "%" in parsed.host or not 0 < (parsed.port or 80) < 65_536:
        raise FetchRefused(f"{url} is no web address: its host or port is impossible.", "Check the address.")
    if parsed.userinfo:
        raise FetchRefused(f"The address for {parsed.host} has a name or password in it.", "Leave it out.")
    return parsed.copy_with(fragment=None)


def _target(url: httpx.URL, location: str) -> httpx.URL:
    try:
        return _parsed(str(url.join(location)))
    except httpx.InvalidURL as error:
        raise FetchRefused(f"{url} redirects to {location!r}, which is no web address: {error}.") from error


def _later(after: float | None) -> str:
    return f"Try again in {after:,.0f} seconds; the server asks for it." if after else "Try again later."


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds the server asks to wait: it gives a number or a date."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _too_large(url: httpx.URL, most: int) -> FetchError:
    return FetchError(
        f"{url} has more than {most:,} bytes.",
        "Raise CHIPDESK_FETCH_BYTES if it really is one article, or save its text.",
    )


def _plain(parts: Iterable[bytes], encoding: str, url: httpx.URL) -> Iterator[bytes]:
    """`parts` decompressed in steps of bounded size: some kilobytes can unfold into gigabytes in one step."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        yield from parts
        return
    if encoding not in ("gzip", "x-gzip"):
        raise FetchError(
            f"{url} is compressed with {encoding!r}, though only gzip was asked for.", "Save it as a file."
        )
    inflater = zlib.decompressobj(wbits=31)
    try:
        for part in parts:
            rest = part
            while rest:
                yield inflater.decompress(rest, 65_536)
                rest = inflater.unconsumed_tail
                if inflater.eof and (rest := inflater.unused_data):
                    inflater = zlib.decompressobj(wbits=31)  # members may follow one another
    except zlib.error as error:
        raise FetchError(f"{url} is not the gzip it says it is: {error}.", "Try again later.") from error
    tail = inflater.flush(65_536)
    if not inflater.eof:
        raise _NotNow(f"{url} ended in the middle.")
    yield tail


# --- connections -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Clock:
    """Time that is left for an attempt; it stands still while we wait out of politeness."""

    seconds: float
    began: float = field(default_factory=time.monotonic)

    def left(self) -> float:
        """Seconds left, above zero.

        Raises:
            httpcore.ReadTimeout: none are.
        """
        left = self.began + self.seconds - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("time is up")
        return left

    @contextmanager
    def stopped(self) -> Iterator[None]:
        since = time.monotonic()
        yield
        self.began += time.monotonic() - since


class _Transport(httpx.BaseTransport):
    """httpx over a connection pool that can only open connections through `_Guarded`."""

    def __init__(self, tls: ssl.SSLContext, allowed: frozenset[str], clock: _Clock) -> None:
        self._pool = httpcore.ConnectionPool(ssl_context=tls, network_backend=_Guarded(allowed, clock))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        core = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            extensions=request.extensions,
        )
        response = self._pool.handle_request(core)
        return httpx.Response(
            response.status, headers=response.headers, stream=_Body(response), extensions=response.extensions
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _Guarded(httpcore.NetworkBackend):
    """Connects to checked addresses only, and until the clock runs out only."""

    def __init__(self, allowed: frozenset[str], clock: _Clock) -> None:
        self._allowed = allowed
        self._clock = clock
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        del timeout  # here and below the clock's is the one that counts
        failure: httpcore.NetworkError | httpcore.ConnectTimeout | None = None
        for address in self._checked(host, port):
            try:
                stream = self._plain.connect_tcp(
                    address, port, min(CONNECT_SECONDS, self._clock.left()), local_address, socket_options
                )
                return _Timed(stream, self._clock)
            except (httpcore.NetworkError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")

    def _checked(self, host: str, port: int) -> list[str]:
        """The addresses of `host`, all of them public. One that is not condemns the others: honest names have none."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} is not known") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not {host.lower(), f"{host.lower()}:{port}"} & self._allowed:
            for address in addresses:
                if not is_public(address):
                    raise FetchRefused(
                        f"{host} leads to {address}, which is not an address of the public internet.",
                        f"If it is one of your own servers, allow it with CHIPDESK_FETCH_ALLOW={host}.",
                    )
        return addresses


class _Timed(httpcore.NetworkStream):
    """A stream whose every step is cut short by the clock: a server that sends a byte a minute never ends otherwise."""

    def __init__(self, stream: httpcore.NetworkStream, clock: _Clock) -> None:
        self._stream = stream
        self._clock = clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        return self._stream.read(max_bytes, self._clock.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        self._stream.write(buffer, self._clock.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        del timeout
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, self._clock.left()), self._clock)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def is_public(address: str) -> bool:
    """Whether an IPv4 or IPv6 address belongs to the public internet, whatever it is wrapped in."""
    return _is_public(ipaddress.ip_address(address.partition("%")[0]))


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        if address.teredo:
            inside = address.teredo[1]
        elif address in _NAT64:
            inside = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inside is not None:
            return _is_public(inside)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved
