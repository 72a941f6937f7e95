"""Bytes from the event loop to a thread that reads them like a file."""

from __future__ import annotations

import threading
from typing import Final

_MOST: Final = 64_000_000
"""Bytes that may wait: behind it, who writes has no limit of their own."""


class Abandoned(Exception):
    """Nobody wants what the thread reads for."""


class Pipe:
    """Written on the event loop, which never waits; read in one thread, which waits for bytes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting = bytearray()
        self._ended = False
        self._trouble: BaseException | None = None

    def write(self, data: bytes) -> None:
        """Raises `OverflowError` when the reader is 64 MB behind."""
        with self._changed:
            if len(self._waiting) + len(data) > _MOST:
                raise OverflowError("nobody reads")
            self._waiting += data
            self._changed.notify()

    def end(self, trouble: BaseException | None = None) -> None:
        """No more bytes come. `trouble` is raised where the reader has read all that came before it."""
        with self._changed:
            self._ended = True
            self._trouble = self._trouble or trouble
            self._changed.notify()

    def abandon(self) -> None:
        """Whoever reads, now or later, is stopped by `Abandoned`."""
        with self._changed:
            self._waiting.clear()
            self._ended = True
            self._trouble = Abandoned()
            self._changed.notify()

    def read(self, size: int) -> bytes:
        """1 to `size` bytes, as soon as there are any; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            if not self._waiting and self._trouble is not None:
                raise self._trouble
            data = bytes(self._waiting[:size])
            del self._waiting[:size]
            return data

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, which stay to be read; fewer when the end comes first."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) >= size or self._ended)
            return bytes(self._waiting[:size])

    def rest(self) -> bytes:
        """All bytes to the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended)
            if self._trouble is not None:
                raise self._trouble
            data = bytes(self._waiting)
            self._waiting.clear()
            return data
