"""Connections that are opened before they are needed, so that nobody waits for TCP and TLS."""

from __future__ import annotations

import asyncio
import contextlib
import select
import ssl
from collections.abc import Iterable
from typing import Any, Final

import httpcore

READY_SECONDS: Final = 8.0
"""A connection opened ahead is kept this long; Node and the usual proxies wait for its first request longer."""
_READY_MOST: Final = 32


class OpenedAhead(httpcore.AnyIOBackend):
    """Connects; hands out a connection that was opened ahead, or is about to be, where there is one still good."""

    def __init__(self, tls: ssl.SSLContext | None, host: str) -> None:
        self._tls = tls
        self._name = host
        self._ready: dict[asyncio.Task[httpcore.AsyncNetworkStream], asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def open(self, host: str, port: int, timeout: float) -> None:
        if len(self._ready) < _READY_MOST:
            opening = asyncio.create_task(self._open(host, port, timeout), name=f"connection to {host}")
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
