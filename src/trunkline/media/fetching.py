"""Fetching from an address that somebody else named: limits on everything, and no way into our own network.

The address is checked where the connection is made, not where the name is read: a name is looked up once, every
address it has is checked, and one of those is connected to (no second look-up that could answer differently). As that
is so for every connection, it is so behind every redirect.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

import httpcore
import httpx

import trunkline
from trunkline.errors import AddressRefused, FetchFailed
from trunkline.media.guarded_network import GuardedNetwork, Resolve, resolve

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final[dict[bytes | str, bytes | str]] = {
    "user-agent": f"trunkline/{trunkline.__version__}",
    "accept": "audio/*, */*;q=0.1",
    # Audio is compressed by itself; what a small body unpacks to would have to be limited as well.
    "accept-encoding": "identity",
}
_KEPT_SECONDS: Final = 55.0
"""An unused connection is kept this long: the next turn of the call uses it again."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What one fetch may cost, redirects included. All times in seconds."""

    max_bytes: int = 25_000_000
    max_redirects: int = 3
    connect_seconds: float = 3.0
    """Looking the name up and connecting."""
    first_byte_seconds: float = 5.0
    """From there to the head of the answer; TLS included."""
    stall_seconds: float = 3.0
    """Longest pause between two pieces."""
    total_seconds: float = 60.0


class Fetched:
    """An answer whose body is still on its way."""

    def __init__(self, status: int, content_type: str, body: AsyncGenerator[bytes, None]) -> None:
        self.status = status
        """Always one of success: 200 to 299."""
        self.content_type = content_type
        """As declared, in lower case, without parameters; may be wrong or empty."""
        self._body = body

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body as it arrives, once. Raises `FetchFailed` when it is too much, too slow or breaks off."""
        return self._body


class Fetcher:
    """One pool of connections for the service.

    `allow_private`: from this machine and its networks as well; a cloud's metadata service, link-local and multicast
    addresses stay refused.
    """

    def __init__(
        self,
        limits: FetchLimits,
        allow_private: bool = False,
        *,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._limits = limits
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=None,
            max_keepalive_connections=10,
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=GuardedNetwork(allow_private, resolve),
        )

    @asynccontextmanager
    async def get(self, url: str) -> AsyncIterator[Fetched]:
        """GET `url`. Raises `AddressRefused` for one we don't fetch from, `FetchFailed` for all that goes wrong."""
        deadline = asyncio.get_running_loop().time() + self._limits.total_seconds
        response, host = await self._follow(url, deadline)
        try:
            headers = httpx.Headers(response.headers)
            self._refuse_by_head(response.status, headers, host)
            content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
            async with aclosing(self._body(response, host, deadline)) as body:
                yield Fetched(response.status, content_type, body)
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._pool.aclose()

    async def _follow(self, url: str, deadline: float) -> tuple[httpcore.Response, str]:
        """The first answer that is no redirect, and the host that gave it."""
        target = _target(url)
        for _ in range(self._limits.max_redirects + 1):
            response = await self._ask(target, deadline)
            location = httpx.Headers(response.headers).get("location")
            if response.status not in _REDIRECTS or location is None:
                return response, _host(target)
            await response.aclose()
            target = _target(location, target)
        raise FetchFailed(
            f"The audio's address leads on and on, to {_host(target)} in the end: "
            f"more than {self._limits.max_redirects} redirects.",
            remedy="Give the address they lead to.",
        )

    async def _ask(self, target: httpx.URL, deadline: float) -> httpcore.Response:
        host = _host(target)
        request = httpcore.Request(
            b"GET",
            httpcore.URL(
                scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path or b"/"
            ),
            headers={**_HEADERS, "host": target.netloc.decode("ascii")},
            extensions={"timeout": {"connect": self._limits.connect_seconds}},
        )
        limit = self._limits.connect_seconds + self._limits.first_byte_seconds

        async def once() -> httpcore.Response:
            return await _within(limit, deadline, self._pool.handle_async_request(request), f"{host} doesn't answer")

        with _told(host):
            try:
                return await once()
            except (httpcore.ReadError, httpcore.WriteError, httpcore.RemoteProtocolError):
                # The other side may have closed a kept connection just as it was used again.
                return await once()

    def _refuse_by_head(self, status: int, headers: httpx.Headers, host: str) -> None:
        if not 200 <= status < 300:
            raise FetchFailed(
                f"{host} has no audio at that address: it answers HTTP {status}.",
                remedy="Open the address in a browser; it must work without logging in.",
                status=status,
            )
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise FetchFailed(
                f"{host} sends the audio packed ({encoding[:20]}), unasked.", remedy="Switch that off for audio there."
            )
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._limits.max_bytes:
            raise self._too_much(host)

    async def _body(self, response: httpcore.Response, host: str, deadline: float) -> AsyncGenerator[bytes, None]:
        size = 0
        arriving = response.aiter_stream()
        while True:
            with _told(host):
                piece = await _within(
                    self._limits.stall_seconds, deadline, anext(arriving, None), f"{host} sends nothing more"
                )
            if piece is None:
                return
            size += len(piece)
            if size > self._limits.max_bytes:
                raise self._too_much(host)
            yield piece

    def _too_much(self, host: str) -> FetchFailed:
        return FetchFailed(
            f"The audio at {host} is larger than {self._limits.max_bytes / 1_000_000:g} MB.",
            remedy="Say less at a time, or in a compressed format as MP3 or Opus.",
        )


def _target(url: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        target = base.join(url) if base else httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise AddressRefused(f"The audio's address is none: {error}.", remedy="Give a complete web address.") from error
    port = 80 if target.port is None else target.port
    if target.scheme not in ("http", "https") or not target.raw_host or not 0 < port < 65536:
        raise AddressRefused(
            "The audio's address doesn't begin with http:// or https:// and a host.",
            remedy="Give a complete web address.",
        )
    if target.userinfo:
        raise AddressRefused(
            f"The audio's address at {_host(target)} holds a user name.",
            remedy="Give an address that works without logging in, a signed one, say.",
        )
    return target


def _host(target: httpx.URL) -> str:
    """For messages: without the path, which may hold secrets."""
    return target.raw_host.decode("ascii")


async def _within(seconds: float, deadline: float, work: Awaitable[T], otherwise: str) -> T:
    """`deadline`: on the loop's clock."""
    left = deadline - asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(min(seconds, left)):
            return await work
    except TimeoutError as error:
        why = f"within {seconds:g} s" if seconds < left else "within the time a fetch may take"
        raise FetchFailed(f"{otherwise} {why}.", remedy="Look at that server, or at the way there.") from error


@contextmanager
def _told(host: str) -> Iterator[None]:
    """What httpcore raises, in our words."""
    try:
        yield
    except httpcore.TimeoutException as error:
        raise FetchFailed(
            f"{host} can't be reached in time.", remedy="Check the address, and that its server is up."
        ) from error
    except httpcore.ConnectError as error:
        raise FetchFailed(
            f"{host} can't be reached: {error}.", remedy="Check the address, and that its server is up."
        ) from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise FetchFailed(
            f"{host} broke off: {error or type(error).__name__}.", remedy="Look at that server, or at the way there."
        ) from error
