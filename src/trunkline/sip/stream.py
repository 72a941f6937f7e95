"""SIP messages out of a byte stream (RFC 3261 §18.3): TCP and TLS keep no borders, Content-Length does. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from trunkline.errors import ProtocolError

HEADER_BYTES: Final = 16_384
"""Longest header; with all their routes and digests real ones stay below 4 kB."""
BODY_BYTES: Final = 65_536
"""Longest body."""
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"(?i)\r\n(?:content-length|l)[ \t]*:[ \t]*(\d{1,9})[ \t]*(?=\r\n)")


class StreamSplitter:
    """Takes what a connection delivers, in whatever pieces."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that are whole by now; keep-alives between them are dropped (RFC 5626 §3.5.1).

        Raises `ProtocolError` where the stream can't be followed any further: the connection has to be closed.
        """
        self._pending += data
        while (message := self._next()) is not None:
            yield message

    def _next(self) -> bytes | None:
        pending = self._pending
        blank = len(pending) - len(pending.lstrip(b"\r\n\0"))
        del pending[:blank]
        if pending and not pending[:1].isalpha():
            raise ProtocolError("What comes is no SIP.")
        end = pending.find(_END, 0, HEADER_BYTES + len(_END))
        if end < 0:
            if len(pending) > HEADER_BYTES:
                raise ProtocolError(f"A SIP header is longer than {HEADER_BYTES} bytes.")
            return None
        lengths = {int(length) for length in _LENGTH.findall(pending, 0, end + 2)}
        if len(lengths) != 1:
            raise ProtocolError("A SIP message in a stream does not say how long its body is.")
        (length,) = lengths
        if length > BODY_BYTES:
            raise ProtocolError(f"The body of a SIP message is longer than {BODY_BYTES} bytes.")
        whole = end + len(_END) + length
        if len(pending) < whole:
            return None
        message = bytes(pending[:whole])
        del pending[:whole]
        return message
