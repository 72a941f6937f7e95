"""Asking a model's server: connections are kept between two turns, and opened before they are needed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore
import httpx

import trunkline
from trunkline.brains.openai_faults import ModelFault, ModelFaultKind, of_status
from trunkline.brains.openai_stream import CompletionEvent, CompletionStream, Ended
from trunkline.brains.opened_ahead import READY_SECONDS, OpenedAhead
from trunkline.brains.timely import by
from trunkline.settings.openai import OPENAI_HOST, OpenAISettings

_KEPT_SECONDS: Final = 45.0
"""An unused connection is kept this long; the usual servers and proxies wait a minute or more."""
_READ_OUT_SECONDS: Final = 0.2
_ERROR_PAGE: Final = 20_000
"""Bytes that are read of an answer which reports a failure."""


class ModelServer:
    """One per agent. Raises `ModelFault` for everything that goes wrong on the way."""

    def __init__(self, settings: OpenAISettings) -> None:
        address = urlsplit(settings.base_url)
        self._settings = settings
        self._host = address.hostname or ""
        self._secure = address.scheme == "https"
        self._port = address.port or (443 if self._secure else 80)
        path = f"{address.path.rstrip('/')}/chat/completions"
        self._url = httpx.URL(address._replace(path=path).geturl())
        tls = ssl.create_default_context() if self._secure else None
        self._ahead = OpenedAhead(tls, self._host)
        self._ready_until = 0.0
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=None,
            max_keepalive_connections=32,
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=self._ahead,
        )

    def prepare(self) -> None:
        """A request is likely soon: have a connection ready for it."""
        now = asyncio.get_running_loop().time()
        idle = any(connection.is_idle() and not connection.has_expired() for connection in self._pool.connections)
        if not idle and now > self._ready_until:
            self._ready_until = now + READY_SECONDS / 2
            self._ahead.open(self._host, self._port, self._settings.connect_seconds)

    async def complete(
        self, messages: list[dict[str, Any]], tools: list[dict[str, Any]], deadline: float, *, speak: bool = False
    ) -> AsyncGenerator[CompletionEvent, None]:
        """The answer as it is written. Its beginning may take until `deadline` (time of the loop), the rest no longer
        than a stall. `speak`: tools were used often enough.
        """
        async with contextlib.aclosing(self._bytes(self._body(messages, tools, speak), deadline)) as arriving:
            stream, limit, late = CompletionStream(), deadline, ModelFault(ModelFaultKind.TIMEOUT)
            while piece := await by(limit, anext(arriving, b""), late):
                before = stream.written
                for event in stream.feed(piece):
                    yield event
                    if isinstance(event, Ended):
                        await _read_out(arriving)
                        return
                if stream.written > before:
                    limit = asyncio.get_running_loop().time() + self._settings.stall_seconds
                    late = ModelFault(ModelFaultKind.STALLED)
            for event in stream.finish():
                yield event

    async def close(self) -> None:
        await self._ahead.close()
        await self._pool.aclose()

    async def _bytes(self, body: bytes, deadline: float) -> AsyncGenerator[bytes, None]:
        response = await self._post(body, deadline)
        try:
            arriving = aiter(response.aiter_stream())
            headers = httpx.Headers(response.headers)
            if not 200 <= response.status < 300:
                page = b""
                with contextlib.suppress(ModelFault), _told():
                    while len(page) < _ERROR_PAGE and (
                        piece := await by(deadline, anext(arriving, b""), ModelFault(ModelFaultKind.TIMEOUT))
                    ):
                        page += piece
                if (key := self._settings.api_key) is not None:  # some servers repeat what they refuse
                    page = page.replace(key.get_secret_value().encode(), b"***")
                fault = of_status(response.status, headers, page)
                assert fault is not None
                raise fault
            if "html" in headers.get("content-type", ""):
                raise ModelFault(ModelFaultKind.NO_COMPLETION, "a web page")
            with _told():
                async for piece in arriving:
                    yield piece
        finally:
            with contextlib.suppress(Exception):  # it is only being closed
                await response.aclose()

    async def _post(self, body: bytes, deadline: float) -> httpcore.Response:
        request = httpcore.Request(
            b"POST",
            httpcore.URL(
                scheme=self._url.raw_scheme, host=self._url.raw_host, port=self._url.port, target=self._url.raw_path
            ),
            headers=self._headers(len(body)),
            content=body,
            extensions={"timeout": {"connect": self._settings.connect_seconds}},
        )
        with _told():
            return await by(deadline, self._pool.handle_async_request(request), ModelFault(ModelFaultKind.TIMEOUT))

    def _headers(self, length: int) -> list[tuple[bytes, bytes]]:
        settings = self._settings
        headers = {
            "host": self._url.netloc.decode("ascii"),
            "user-agent": f"trunkline/{trunkline.__version__}",
            "content-type": "application/json",
            "content-length": str(length),
            "accept": "text/event-stream, application/json",
            "accept-encoding": "identity",
        }
        if settings.api_key is not None:
            headers["authorization"] = f"Bearer {settings.api_key.get_secret_value()}"
        headers |= {name.lower(): value.get_secret_value() for name, value in settings.headers.items()}
        return [
            (name.encode("ascii", "replace"), value.encode("latin-1", "replace")) for name, value in headers.items()
        ]

    def _body(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]], speak: bool) -> bytes:
        settings = self._settings
        # OpenAI's thinking models refuse the old name; the servers of others often know no other.
        limit = "max_completion_tokens" if self._host == OPENAI_HOST else "max_tokens"
        body: dict[str, Any] = {
            "model": settings.model,
            "messages": messages,
            "stream": True,
            limit: settings.max_tokens,
        }
        if settings.temperature is not None:
            body["temperature"] = settings.temperature
        if tools:
            body["tools"] = tools
            body |= {"tool_choice": "none"} if speak else {}
        return json.dumps(body | settings.body, ensure_ascii=False).encode("utf-8", "replace")


async def _read_out(arriving: AsyncGenerator[bytes, None]) -> None:
    """The end of the body, so that its connection can be used again; not for long, as nobody waits for it."""
    deadline = asyncio.get_running_loop().time() + _READ_OUT_SECONDS
    with contextlib.suppress(ModelFault):
        while await by(deadline, anext(arriving, b""), ModelFault(ModelFaultKind.STALLED)):
            pass


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What may go wrong between us and the server, as faults of ours."""
    try:
        yield
    except (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout) as error:
        kind = ModelFaultKind.TLS if "certificate" in str(error).lower() else ModelFaultKind.UNREACHABLE
        raise ModelFault(kind, str(error) or type(error).__name__) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
        raise ModelFault(ModelFaultKind.BROKEN_OFF, str(error) or type(error).__name__) from error
