"""The shelf of recordings: one WAV file per call, written while the call runs, by one thread for all calls.

The event loop only collects audio and hands it over once a second: waking a thread for every 20 ms frame of every
call would cost more than the writing itself. Each time the header is brought up to date behind the samples, so a file
can be played at any moment, and a killed process loses the last second of calls that were still running, no more.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from trunkline.audio import SAMPLE_BYTES, bytes_of
from trunkline.errors import RecordingLocked, StoreError
from trunkline.models import CallId
from trunkline.store.recording_files import PLAIN, REMEDY, SEALED, SealedFile, WavFile, repair_plain, repair_sealed
from trunkline.store.sealing import Keyring

log = logging.getLogger(__name__)

_HAND_OVER = bytes_of(1.0)
_PATIENCE = bytes_of(60.0)
"""Audio per side that may wait for the disk before a recording is given up, so that memory can't run out."""
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")

_Work = Callable[[], None]


class WavShelf:
    """Fits `ports.RecordingShelf`. Files are named by their call's id, and encrypted where there is a key."""

    def __init__(self, folder: Path, keys: Keyring | None = None) -> None:
        self.folder = folder
        self._keys = keys or Keyring()
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._open: set[WavRecorder] = set()
        # A daemon: a service that dies without closing the shelf must not hang at its exit.
        self._writer = Thread(target=self._write_until_told, name="recordings", daemon=True)
        self._closed = False
        self._writer.start()

    @classmethod
    async def at(cls, folder: Path, keys: Keyring | None = None) -> WavShelf:
        """The shelf in `folder`, which is made if need be. Raises `StoreError`."""
        try:
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"The folder {folder} can't be made: {error.strerror}.", remedy=REMEDY) from error
        return cls(folder, keys)

    def open(self, call_id: CallId) -> WavRecorder:
        """Raises `StoreError` for an id that makes no file name; a disk's refusal is told by `WavRecorder.close`."""
        if not _NAME.fullmatch(call_id):
            raise StoreError(f"{call_id!r} is no call id that a recording could be named by.")
        if self._closed:
            raise StoreError("The shelf of recordings is closed.")
        plain = self.folder / f"{call_id}{PLAIN}"
        file = WavFile(plain)
        if self._keys.current is not None:
            file = SealedFile(plain.with_suffix(SEALED), self._keys)
        recorder = WavRecorder(file, self._work.put, self._open.discard)
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
        for path in sorted((*self.folder.glob(f"*{PLAIN}"), *self.folder.glob(f"*{SEALED}"))):
            sealed = path.name.endswith(SEALED)
            call_id = path.name.removesuffix(SEALED if sealed else PLAIN)
            if not _NAME.fullmatch(call_id):
                continue
            try:
                repair_sealed(path, self._keys) if sealed else repair_plain(path)
            except OSError as error:
                log.warning("Recording %s can't be repaired: %s. %s", path.name, error.strerror, REMEDY)
                continue
            except RecordingLocked as error:
                log.warning("Recording %s can't be looked at: %s", path.name, error)
            found[CallId(call_id)] = path.name
        return found

    def _write_until_told(self) -> None:
        while (work := self._work.get()) is not None:
            work()


class WavRecorder:
    """Fits `ports.Recorder`. Obtained from `WavShelf.open`."""

    def __init__(
        self, file: WavFile, to_writer: Callable[[_Work], None], closed: Callable[[WavRecorder], None]
    ) -> None:
        self._file = file
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
