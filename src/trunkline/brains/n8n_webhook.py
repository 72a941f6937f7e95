"""Posting to a webhook: each request on a connection of its own, which was opened before it was needed.

n8n closes an idle connection after 5 s, so a kept one may die in the very moment it is used again, and whether the
workflow has run then, nobody can tell. A fresh connection has no such doubt; opened ahead it costs nothing either.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore

import trunkline
from trunkline.brains.n8n_faults import FaultKind, N8nFault
from trunkline.brains.n8n_request import WebhookRequest, signature
from trunkline.settings import N8nSettings

READY_SECONDS: Final = 8.0
"""A connection opened ahead is kept this long; Node and the usual proxies wait for its first request longer."""
_READY_MOST: Final = 32


class Webhook:
    """One per agent. Raises `N8nFault` for everything that goes wrong on the way."""

    def __init__(self, settings: N8nSettings) -> None:
        address = urlsplit(settings.webhook_url or "")
        self._settings = settings
        self._secure = address.scheme == "https"
        self._host = address.hostname or ""
        self._port = address.port or (443 if self._secure else 80)
        self._path = address.path or "/"
        self._query = address.query
        self._authority = address.netloc
        tls = ssl.create_default_context() if self._secure else None
        self._ahead = _Ahead(tls, self._host)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls, max_connections=None, max_keepalive_connections=0, network_backend=self._ahead
        )

    def prepare(self) -> None:
        """A request is likely soon: have a connection ready for it."""
        self._ahead.open(self._host, self._port, self._settings.connect_seconds)

    @asynccontextmanager
    async def post(self, request: WebhookRequest) -> AsyncIterator[httpcore.Response]:
        """The response's head; its body is still to come. Leaving the block closes the connection."""
        target = f"{self._path}?{self._query}&{request.query}" if self._query else f"{self._path}?{request.query}"
        wire = httpcore.Request(
            b"POST",
            httpcore.URL(
                scheme=b"https" if self._secure else b"http",
                host=self._host.encode("idna") if not self._host.isascii() else self._host.encode(),
                port=self._port,
                target=target.encode("utf-8"),
            ),
            headers=self._headers(request),
            content=request.body,
            extensions={"timeout": {"connect": self._settings.connect_seconds}},
        )
        with _told():
            response = await self._pool.handle_async_request(wire)
        try:
            yield response
        finally:
            with contextlib.suppress(Exception):  # it is only being closed
                await response.aclose()

    async def close(self) -> None:
        await self._ahead.close()
        await self._pool.aclose()

    def _headers(self, request: WebhookRequest) -> list[tuple[bytes, bytes]]:
        headers = {
            "Host": self._authority,
            "User-Agent": f"trunkline/{trunkline.__version__}",
            "Content-Type": request.content_type,
            "Content-Length": str(len(request.body)),
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        if (value := self._settings.auth_value) is not None:
            headers[self._settings.auth_header] = value.get_secret_value()
        if (secret := self._settings.hmac_secret) is not None:
            now = int(time.time())
            headers["X-Trunkline-Timestamp"] = str(now)
            headers["X-Trunkline-Signature"] = signature(secret.get_secret_value(), now, request.signed)
        return [(name.encode("ascii"), value.encode("latin-1", "replace")) for name, value in headers.items()]


async def body_of(response: httpcore.Response) -> AsyncGenerator[bytes, None]:
    """The body as it arrives."""
    with _told():
        async for piece in response.aiter_stream():
            yield piece


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What may go wrong between us and n8n, as faults of ours."""
    try:
        yield
    except (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout) as error:
        kind = FaultKind.TLS if "certificate" in str(error).lower() else FaultKind.UNREACHABLE
        raise N8nFault(kind, _reason(error)) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
        raise N8nFault(FaultKind.BROKEN_OFF, _reason(error)) from error


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


class _Ahead(httpcore.AnyIOBackend):
    """Connects; hands out a connection that was opened ahead, or is about to be, where there is one still good."""

    def __init__(self, tls: ssl.SSLContext | None, host: str) -> None:
        self._tls = tls
        self._name = host
        self._ready: dict[asyncio.Task[httpcore.AsyncNetworkStream], asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def open(self, host: str, port: int, timeout: float) -> None:
        if len(self._ready) < _READY_MOST:
            opening = asyncio.create_task(self._open(host, port, timeout), name="connection to n8n")
            self._ready[opening] = asyncio.get_running_loop().call_later(READY_SECONDS, self._drop, opening)
            opening.add_done_callback(self._forget_failed)

    async def _open(self, host: str, port: int, timeout: float) -> httpcore.AsyncNetworkStream:
        stream = await super().connect_tcp(host, port, timeout)
        return stream if self._tls is None else _Secured(await stream.start_tls(self._tls, self._name, timeout))

    def _forget_failed(self, opening: asyncio.Task[httpcore.AsyncNetworkStream]) -> None:
        if opening.cancelled() or opening.exception() is not None:  # the request itself will find out, and say so
            self._drop(opening)

    def _drop(self, opening: asyncio.Task[httpcore.AsyncNetworkStream]) -> None:
        if (timer := self._ready.pop(opening, None)) is not None:
            timer.cancel()
            closing = asyncio.create_task(_close(opening))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        while self._ready:
            opening = next(iter(self._ready))
            self._ready.pop(opening).cancel()
            stream = await opening
            if not _closed_there(stream):
                return stream
            await stream.aclose()
        return await super().connect_tcp(host, port, timeout)

    async def close(self) -> None:
        for opening in list(self._ready):
            self._drop(opening)
        await asyncio.gather(*self._closing, return_exceptions=True)


def _closed_there(stream: httpcore.AsyncNetworkStream) -> bool:
    """Whether the other side has closed it. That there is something to read says nothing: TLS sends tickets unasked."""
    number = stream.get_extra_info("socket").fileno()
    if number < 0:
        return True
    watch = select.poll()
    watch.register(number, select.POLLRDHUP)
    return bool(watch.poll(0))


async def _close(opening: asyncio.Task[httpcore.AsyncNetworkStream]) -> None:
    opening.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await (await opening).aclose()


class _Secured(httpcore.AsyncNetworkStream):
    """A stream on which TLS has been agreed already."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
