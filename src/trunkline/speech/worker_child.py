"""Inside a speech worker process: one request at a time over the socket that is its standard input.

A message is two big-endian 32-bit lengths, a JSON object and raw bytes. The parent (`worker_pool.py`) sends
`{"id": 7, …}`, and `{"withdraw": 7}` when nobody waits for the answer any more; the worker says `{"ready": true}` once,
then `{"id": 7, …}` per request, with `"withdrawn"` or `"refused"` where there is no answer.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from trunkline.errors import TrunklineError

HEADER: Final = struct.Struct(">II")

_PR_SET_PDEATHSIG: Final = 1

Head = dict[str, Any]


class Withdrawn(Exception):
    """The parent no longer wants the answer of the request at hand."""


def pack(head: Head, body: bytes = b"") -> bytes:
    encoded = json.dumps(head).encode()
    return HEADER.pack(len(encoded), len(body)) + encoded + body


@dataclass(frozen=True, slots=True)
class Request:
    head: Head
    body: bytes
    check: Callable[[], None]
    """To be called between steps of the work: raises `Withdrawn` when it would be in vain."""


Handler = Callable[[Request], tuple[Head, bytes]]
"""Answers a request. A `TrunklineError` refuses it; anything else it raises ends the process, which is replaced."""


def serve(load: Callable[[Head], Handler]) -> None:
    """Run the worker until the parent closes the socket or dies. `load` gets the configuration the parent gave."""
    config = json.loads(sys.argv[1])
    _die_with(config["parent"])
    os.nice(config["nice"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when we end
    line = _Line(sys.stdin.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the output of a command is not for what libraries print
    try:
        handler = load(config)
    except TrunklineError as error:
        line.send({"failed": error.message, "remedy": error.remedy})
        return
    line.send({"ready": True})
    while (message := line.receive()) is not None:
        head, body = message
        if "withdraw" in head:
            continue  # of a request that was answered while the withdrawal was on its way
        answer, sound = _answer(handler, line, head, body)
        line.send({"id": head["id"], **answer}, sound)


def _answer(handler: Handler, line: _Line, head: Head, body: bytes) -> tuple[Head, bytes]:
    def check() -> None:
        if line.waiting():
            message = line.receive()
            if message is None or message[0].get("withdraw") == head["id"]:
                raise Withdrawn

    try:
        return handler(Request(head, body, check))
    except Withdrawn:
        return {"withdrawn": True}, b""
    except TrunklineError as error:
        return {"refused": error.message, "remedy": error.remedy}, b""


class _Line:
    """The socket to the parent, unbuffered so that `waiting` tells the truth."""

    def __init__(self, descriptor: int) -> None:
        self._socket = descriptor

    def waiting(self) -> bool:
        return bool(select.select([self._socket], [], [], 0)[0])

    def receive(self) -> tuple[Head, bytes] | None:
        """The next message; `None` when the parent has closed the socket."""
        if (header := self._exactly(HEADER.size)) is None:
            return None
        head_size, body_size = HEADER.unpack(header)
        head, body = self._exactly(head_size), self._exactly(body_size)
        if head is None or body is None:
            return None
        return json.loads(head), body

    def send(self, head: Head, body: bytes = b"") -> None:
        rest = memoryview(pack(head, body))
        while rest:
            rest = rest[os.write(self._socket, rest) :]

    def _exactly(self, size: int) -> bytes | None:
        parts = bytearray()
        while len(parts) < size:
            if not (part := os.read(self._socket, size - len(parts))):
                return None
            parts += part
        return bytes(parts)


def _die_with(parent: int) -> None:
    """End this process when the parent ends, even by SIGKILL and even in the middle of a transcription (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)
