"""The files of recordings as the writer thread sees them: plain WAV, or encrypted."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

from trunkline.errors import RecordingLocked
from trunkline.store import sealing, wav
from trunkline.store.sealing import Keyring

log = logging.getLogger(__name__)

PLAIN, SEALED = ".wav", ".wav.enc"
REMEDY: Final = "Check that the recordings folder can be written and that its disk is quick and has room."


class WavFile:
    """After a disk's refusal it takes no more; what was written until then stays playable."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.given_up = False
        self.written = 0
        """Bytes per side that were taken."""
        self._descriptor: int | None = None

    def create(self) -> None:
        try:
            # Never over an existing file: a call's id is used once.
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
            self._begin(self._descriptor)
        except OSError as error:
            self.give_up(str(error.strerror))

    def append(self, person: bytearray, agent: bytearray) -> None:
        if self._descriptor is None or self.given_up:
            return
        try:
            self._add(self._descriptor, wav.interleaved(person, agent))
            self.written += len(person)
            self._complete(self._descriptor)
        except OSError as error:
            self.give_up(str(error.strerror))

    def close(self) -> None:
        if self._descriptor is None:
            return
        try:
            if not self.given_up:
                self._finish(self._descriptor)
            os.close(self._descriptor)
        except OSError as error:
            self.give_up(str(error.strerror))
        self._descriptor = None

    def give_up(self, why: str) -> None:
        if not self.given_up:
            self.given_up = True
            log.error("The recording %s is incomplete: %s. %s", self.path.name, why, REMEDY)

    def _begin(self, descriptor: int) -> None:
        write_all(descriptor, wav.header(0), 0)

    def _add(self, descriptor: int, samples: bytes) -> None:
        write_all(descriptor, samples, wav.HEADER + self.written * wav.CHANNELS)

    def _complete(self, descriptor: int) -> None:
        # Behind the samples, so that the header never promises more than there is.
        write_all(descriptor, wav.header(self.written * wav.CHANNELS), 0)

    def _finish(self, descriptor: int) -> None:
        """Nothing waits."""


class SealedFile(WavFile):
    """Encrypted. What doesn't fill a chunk waits, so a killed process loses up to a second more."""

    def __init__(self, path: Path, keys: Keyring) -> None:
        super().__init__(path)
        self._head, self._cipher = keys.sealed()
        self._waiting = bytearray()
        self._chunks = 0

    def _begin(self, descriptor: int) -> None:
        write_all(descriptor, self._head, 0)

    def _add(self, descriptor: int, samples: bytes) -> None:
        self._waiting += samples
        while len(self._waiting) >= sealing.CHUNK:
            self._seal(descriptor, self._waiting[: sealing.CHUNK])
            del self._waiting[: sealing.CHUNK]

    def _complete(self, descriptor: int) -> None:
        """There is no header to bring up to date: the file's length tells."""

    def _finish(self, descriptor: int) -> None:
        if self._waiting:
            self._seal(descriptor, self._waiting)

    def _seal(self, descriptor: int, samples: bytearray) -> None:
        write_all(descriptor, self._cipher.seal(self._chunks, samples), sealing.place(self._chunks))
        self._chunks += 1


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """`pwrite` may take less than it is given, as when the disk fills up; the rest then fails with the reason."""
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, offset)
        view, offset = view[count:], offset + count


def repair_plain(path: Path) -> None:
    """Make a file whole whose writer died. Raises `OSError`."""
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        wanted = wav.repaired(file.read(wav.HEADER), size)
        if wanted is not None:
            head, length = wanted
            file.truncate(length)
            write_all(file.fileno(), head, 0)


def repair_sealed(path: Path, keys: Keyring) -> None:
    """The same of an encrypted one: a chunk that was not written to its end is cut off.

    Raises `OSError`, `RecordingLocked`: it stays as it is then.
    """
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(sealing.HEAD)
        if len(head) < sealing.HEAD:
            # Killed at the very beginning: nothing is lost by beginning again.
            fresh, _ = keys.sealed() if keys.current is not None else (b"", None)
            file.truncate(0)
            write_all(file.fileno(), fresh, 0)
            return
        cipher = keys.opened(head)
        chunks, rest = divmod(size - sealing.HEAD, sealing.CHUNK + sealing.TAG)
        if rest:
            file.seek(sealing.place(chunks))
            try:
                cipher.open(chunks, file.read(rest))
            except RecordingLocked:
                file.truncate(sealing.place(chunks))
