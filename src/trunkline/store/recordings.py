"""The shelf of recordings: one WAV file per call, written while the call runs, by one thread for all calls.

The event loop only collects audio and hands it over once a second: waking a thread for every 20 ms frame of every
call would cost more than the writing itself. Each time the header is brought up to date behind the samples, so a file
can be played at any moment, and a killed process loses the last second of calls that were still running, no more.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from trunkline.audio import SAMPLE_BYTES, bytes_of
from trunkline.errors import StoreError
from trunkline.models import CallId
from trunkline.store import wav

log = logging.getLogger(__name__)

_HAND_OVER = bytes_of(1.0)
_PATIENCE = bytes_of(60.0)
"""Audio per side that may wait for the disk before a recording is given up, so that memory can't run out."""
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_REMEDY = "Check that the recordings folder can be written and that its disk is quick and has room."

_Work = Callable[[], None]


class WavShelf:
    """Fits `ports.RecordingShelf`. Files are named by their call's id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._open: set[WavRecorder] = set()
        # A daemon: a service that dies without closing the shelf must not hang at its exit.
        self._writer = Thread(target=self._write_until_told, name="recordings", daemon=True)
        self._closed = False
        self._writer.start()

    @classmethod
    async def at(cls, folder: Path) -> WavShelf:
        """The shelf in `folder`, which is made if need be. Raises `StoreError`."""
        try:
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"The folder {folder} can't be made: {error.strerror}.", remedy=_REMEDY) from error
        return cls(folder)

    def open(self, call_id: CallId) -> WavRecorder:
        """Raises `StoreError` for an id that makes no file name; a disk's refusal is told by `WavRecorder.close`."""
        if not _NAME.fullmatch(call_id):
            raise StoreError(f"{call_id!r} is no call id that a recording could be named by.")
        if self._closed:
            raise StoreError("The shelf of recordings is closed.")
        recorder = WavRecorder(self.folder / f"{call_id}.wav", self._work.put, self._open.discard)
        self._open.add(recorder)
        return recorder

    async def repair(self) -> dict[CallId, str]:
        """Complete what a killed process left on the shelf; for the start, before anything is recorded.

        Returns the file names of all recordings there are.
        """
        return await asyncio.to_thread(self._repair)

    async def close(self) -> None:
        """Let go of all files. Recordings still open end here and stay playable."""
        self._closed = True
        await asyncio.gather(*(recorder.close() for recorder in set(self._open)))
        self._work.put(None)
        await asyncio.to_thread(self._writer.join)

    def _repair(self) -> dict[CallId, str]:
        found: dict[CallId, str] = {}
        for path in sorted(self.folder.glob("*.wav")):
            if _NAME.fullmatch(path.stem):
                try:
                    _repair_file(path)
                except OSError as error:
                    log.warning("Recording %s can't be repaired: %s. %s", path.name, error.strerror, _REMEDY)
                else:
                    found[CallId(path.stem)] = path.name
        return found

    def _write_until_told(self) -> None:
        while (work := self._work.get()) is not None:
            work()


class WavRecorder:
    """Fits `ports.Recorder`. Obtained from `WavShelf.open`."""

    def __init__(self, path: Path, to_writer: Callable[[_Work], None], closed: Callable[[WavRecorder], None]) -> None:
        self._file = _WavFile(path)
        self._to_writer = to_writer
        self._tell_closed = closed
        self._person = bytearray()
        self._agent = bytearray()
        self._handed_over = 0
        self._done: asyncio.Future[None] | None = None
        to_writer(self._file.create)

    @property
    def path(self) -> Path:
        return self._file.path

    def write(self, person: bytes, agent: bytes) -> None:
        """Equal lengths of both sides, whole samples; ignored after `close`. Raises `ValueError`."""
        if len(person) != len(agent) or len(person) % SAMPLE_BYTES:
            raise ValueError(f"{len(person)} bytes of the person and {len(agent)} of the agent don't go together")
        if self._done is not None:
            return
        self._person += person
        self._agent += agent
        if len(self._person) >= _HAND_OVER:
            self._hand_over()

    async def close(self) -> None:
        """Returns when the file is complete; closing twice is harmless.

        A disk that refuses is logged and never an error of the call: what it took stays playable.
        """
        if self._done is None:
            loop = asyncio.get_running_loop()
            done = self._done = loop.create_future()
            self._hand_over()
            self._to_writer(self._file.close)
            self._to_writer(lambda: _settle(loop, done))
            self._tell_closed(self)
        await asyncio.shield(self._done)

    def _hand_over(self) -> None:
        person, agent = self._person, self._agent
        self._person, self._agent = bytearray(), bytearray()
        if self._handed_over - self._file.written > _PATIENCE:
            self._file.give_up("the disk is too slow")
        if person and not self._file.given_up:
            self._handed_over += len(person)
            self._to_writer(lambda: self._file.append(person, agent))


def _settle(loop: asyncio.AbstractEventLoop, done: asyncio.Future[None]) -> None:
    loop.call_soon_threadsafe(done.set_result, None)


class _WavFile:
    """The writer thread's side. After a disk's refusal it takes no more; what was written until then stays playable."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.given_up = False
        self.written = 0
        """Bytes per side that are in the file."""
        self._descriptor: int | None = None

    def create(self) -> None:
        try:
            # Never over an existing file: a call's id is used once.
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
            _write_all(self._descriptor, wav.header(0), 0)
        except OSError as error:
            self.give_up(str(error.strerror))

    def append(self, person: bytearray, agent: bytearray) -> None:
        if self._descriptor is None or self.given_up:
            return
        try:
            _write_all(self._descriptor, wav.interleaved(person, agent), wav.HEADER + self.written * wav.CHANNELS)
            self.written += len(person)
            # Behind the samples, so that the header never promises more than there is.
            _write_all(self._descriptor, wav.header(self.written * wav.CHANNELS), 0)
        except OSError as error:
            self.give_up(str(error.strerror))

    def close(self) -> None:
        if self._descriptor is None:
            return
        try:
            os.close(self._descriptor)
        except OSError as error:
            self.give_up(str(error.strerror))
        self._descriptor = None

    def give_up(self, why: str) -> None:
        if not self.given_up:
            self.given_up = True
            log.error("The recording %s is incomplete: %s. %s", self.path.name, why, _REMEDY)


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    """`pwrite` may take less than it is given, as when the disk fills up; the rest then fails with the reason."""
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, offset)
        view, offset = view[count:], offset + count


def _repair_file(path: Path) -> None:
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        wanted = wav.repaired(file.read(wav.HEADER), size)
        if wanted is not None:
            head, length = wanted
            file.truncate(length)
            _write_all(file.fileno(), head, 0)
