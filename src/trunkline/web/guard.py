"""The door: who may come in, and with how much. Pure ASGI, because it stands before streams as well."""

from __future__ import annotations

import math
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trunkline.access import ApiKey
from trunkline.errors import StoreError
from trunkline.settings import ServiceSettings
from trunkline.web.api_keys import ApiKeys
from trunkline.web.audit import Visit
from trunkline.web.errors import error_answer, problem
from trunkline.web.scopes import scope_of

MOST_BYTES: Final = 64 * 1024
"""Largest body of a request."""
_OPEN_TO_ALL: Final = frozenset({"/health"})


class Guard:
    """Asks for an API key where there is one, keeps to its scope and rate, and refuses bodies that are too large.

    Without a key the service listens on loopback only. A web page that the operator visits could still reach it there
    under a host name of its own that it lets point to 127.0.0.1, and place calls; so that name is checked instead.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings, keys: ApiKeys) -> None:
        self._app = app
        self._keys = keys
        self._own_name = settings.host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        key, refusal = await self._examine(scope, headers)
        visit = Visit(scope, key)
        if refusal is not None and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif refusal is not None:
            await refusal(scope, receive, send)
        else:
            try:
                await self._app(scope, _limited(receive), visit.watched(send))
            finally:
                await visit.write_down(self._keys.book)
            return
        if key is not None and refusal.status_code == 403:
            visit.refused("scope_missing")
            await visit.write_down(self._keys.book)

    async def _examine(self, scope: Scope, headers: Headers) -> tuple[ApiKey | None, Response | None]:
        """Whose key it is, and what is answered in place of the application's answer."""
        if _announced(headers) > MOST_BYTES:
            too_large = f"A request may have {MOST_BYTES // 1024} KiB."
            return None, error_answer(413, "body_too_large", too_large, remedy="Send less.")
        if scope["path"] in _OPEN_TO_ALL:
            return None, None
        try:
            if not await self._keys.needed():
                return None, self._check_host(headers.get("host", ""))
            key = await self._keys.find(_given_key(headers))
        except StoreError as error:
            return None, problem(error)
        return key, _unknown() if key is None else self._check_key(key, scope)

    def _check_key(self, key: ApiKey, scope: Scope) -> Response | None:
        needed = scope_of(scope.get("method", "GET"), scope["path"])
        if not key.opens(needed):
            return error_answer(
                403,
                "scope_missing",
                f"The key {key.name!r} does not open this: it takes the scope {needed.value!r}.",
                remedy="Use another key; `trunkline keys create` makes them.",
            )
        if wait := self._keys.wait(key):
            return error_answer(
                429,
                "rate_limited",
                f"The key {key.name!r} is used more often than service.requests_per_second allows.",
                remedy="Wait as long as Retry-After says.",
                headers={"retry-after": str(math.ceil(wait))},
            )
        return None

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


def _unknown() -> Response:
    return error_answer(
        401,
        "unauthorized",
        "This request needs an API key.",
        remedy="Send one as `Authorization: Bearer KEY` or `X-API-Key: KEY`: service.api_key of the settings, or one "
        "made by `trunkline keys create`.",
        headers={"www-authenticate": "Bearer"},
    )


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
