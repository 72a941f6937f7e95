"""Posting to a webhook: each request on a connection of its own, which was opened before it was needed.

n8n closes an idle connection after 5 s, so a kept one may die in the very moment it is used again, and whether the
workflow has run then, nobody can tell. A fresh connection has no such doubt; opened ahead it costs nothing either.
"""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpcore

import trunkline
from trunkline.brains.n8n_faults import FaultKind, N8nFault
from trunkline.brains.n8n_request import WebhookRequest, signature
from trunkline.brains.opened_ahead import OpenedAhead
from trunkline.settings import N8nSettings


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
        self._ahead = OpenedAhead(tls, self._host)
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
