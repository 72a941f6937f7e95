"""A recording that is no plain file, as an HTTP answer: whole, or the range that was asked for (RFC 9110 §14)."""

from __future__ import annotations

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from trunkline.ports import RecordedSound

_PIECE: Final = 256 * 1024
"""Bytes that are read at a time."""
_RANGE: Final = re.compile(r"bytes=([0-9]{0,12})-([0-9]{0,12})")


class RecordedResponse(Response):
    """Of several ranges, or one that can't be read, it answers the whole, as it may."""

    media_type = "audio/wav"

    def __init__(self, sound: RecordedSound, filename: str) -> None:
        self.status_code = 200
        self.background = None
        self._sound = sound
        self.init_headers(
            {
                "accept-ranges": "bytes",
                "content-disposition": f'inline; filename="{filename}"',
                "cache-control": "no-store",
            }
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked, size = Headers(scope=scope), self._sound.size
        # We hand out no validator, so a range "if it is still the same" is never one.
        start, end = (0, size) if "if-range" in asked else _wanted(asked.get("range", ""), size)
        self.headers["content-length"] = str(max(0, end - start))
        if start >= end:
            self.status_code = 416
            self.headers["content-range"] = f"bytes */{size}"
        elif (start, end) != (0, size):
            self.status_code = 206
            self.headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
        # What can't be decrypted is told as an error as long as nothing has been sent.
        piece = await self._sound.read(start, min(_PIECE, end - start)) if start < end else b""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        while (start := start + len(piece)) < end:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            piece = await self._sound.read(start, min(_PIECE, end - start))
        await send({"type": "http.response.body", "body": piece, "more_body": False})


def _wanted(header: str, size: int) -> tuple[int, int]:
    """From where to where; an end that isn't behind the start where there is nothing."""
    found = _RANGE.fullmatch(header.replace(" ", ""))
    if found is None or found[1] == found[2] == "":
        return 0, size
    first, last = found.groups()
    if not first:
        return max(0, size - int(last)), size
    if last and int(last) < int(first):
        return 0, size
    return int(first), min(size, int(last) + 1) if last else size
