"""The door: who may come in, and with how much. Pure ASGI, because it stands before streams as well."""

from __future__ import annotations

import hashlib
import hmac
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trunkline.settings import ServiceSettings
from trunkline.web.errors import error_answer

MOST_BYTES: Final = 64 * 1024
"""Largest body of a request."""
_OPEN_TO_ALL: Final = frozenset({"/health"})


class Guard:
    """Asks for the API key where there is one, and refuses bodies that are too large.

    Without a key the service listens on loopback only. A web page that the operator visits could still reach it there
    under a host name of its own that it lets point to 127.0.0.1, and place calls; so that name is checked instead.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        self._app = app
        key = settings.api_key
        self._key = None if key is None else _digest(key.get_secret_value().encode())
        self._own_name = settings.host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif refusal is not None:
            await refusal(scope, receive, send)
        else:
            await self._app(scope, _limited(receive), send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if _announced(headers) > MOST_BYTES:
            return error_answer(
                413, "body_too_large", f"A request may have {MOST_BYTES // 1024} KiB.", remedy="Send less."
            )
        if self._key is None:
            return self._check_host(headers.get("host", ""))
        if scope["path"] in _OPEN_TO_ALL or hmac.compare_digest(_digest(_given_key(headers)), self._key):
            return None
        return error_answer(
            401,
            "unauthorized",
            "This request needs the API key.",
            remedy="Send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`; it is service.api_key in the settings.",
            headers={"www-authenticate": "Bearer"},
        )

    def _check_host(self, host: str) -> Response | None:
        name = _without_port(host).lower()
        if name in ("localhost", self._own_name) or name.endswith(".localhost") or _is_address(name):
            return None
        return error_answer(
            403,
            "host_refused",
            "Without an API key the service answers to its address and to localhost only.",
            remedy="Set service.api_key, or call it by its address.",
        )


def _digest(key: bytes) -> bytes:
    # Of equal length, whatever was sent: comparing then takes equally long.
    return hashlib.sha256(key).digest()


def _given_key(headers: Headers) -> bytes:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return (token.strip() if kind.lower() == "bearer" else headers.get("x-api-key", "")).encode("latin-1")


def _announced(headers: Headers) -> int:
    length = headers.get("content-length", "")
    return int(length[:20]) if length.isascii() and length.isdigit() else 0


def _limited(receive: Receive) -> Receive:
    """A body that says nothing of its length is cut off when it gets too large."""
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MOST_BYTES:
            raise HTTPException(413)
        return message

    return counted


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
