"""What was asked with which key: a line for every request that changes something, or that a key does not open."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from starlette.requests import HTTPConnection
from starlette.types import Message, Scope, Send

from trunkline.access import AccessBook, ApiKey, AuditLine
from trunkline.errors import StoreError
from trunkline.phone_numbers import masked, with_numbers_masked
from trunkline.web.scopes import SAFE

log = logging.getLogger(__name__)
LONGEST = 200
"""Characters of a path that are kept."""


class Visit:
    """One request. Routes tell of it by `about` and `failed`."""

    def __init__(self, scope: Scope, key: ApiKey | None) -> None:
        self.status = 500
        """Of the answer; 500 where there was none."""
        self._scope = scope
        self._key = key
        scope.setdefault("state", {})

    def watched(self, send: Send) -> Send:
        async def watching(message: Message) -> None:
            match message["type"]:
                case "http.response.start" | "websocket.http.response.start":
                    self.status = message["status"]
                case "websocket.accept":
                    self.status = 101
            await send(message)

        return watching

    def refused(self, code: str) -> None:
        """It was answered at the door."""
        self.status = 403
        self._scope["state"]["code"] = code

    async def write_down(self, book: AccessBook) -> None:
        method = self._scope.get("method", "WEBSOCKET")
        if method in SAFE and self.status != 403:
            return
        state = self._scope["state"]
        line = AuditLine(
            at=datetime.now(UTC),
            key="" if self._key is None else self._key.name,
            request=with_numbers_masked(f"{method} {self._scope['path'][:LONGEST]}"),
            number=state.get("number"),
            status=self.status,
            code=state.get("code"),
        )
        try:
            await book.note(line)
        except StoreError as error:
            log.error("%s with the key %r could not be written into the audit log: %s", line.request, line.key, error)


def about(connection: HTTPConnection, written: str) -> None:
    """The request is about this number."""
    connection.state.number = masked("".join(sign for sign in written[:32] if sign in "+0123456789"))


def failed(connection: HTTPConnection, code: str) -> None:
    """It is answered with this error."""
    connection.state.code = code
