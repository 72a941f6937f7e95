"""Finished recordings: found, read from anywhere in them, removed."""

from __future__ import annotations

import asyncio
import re
import stat
from pathlib import Path

from trunkline.errors import RecordingLocked, StoreError
from trunkline.models import CallId
from trunkline.store import sealing, wav
from trunkline.store.recording_files import PLAIN, SEALED
from trunkline.store.sealing import Keyring, Sealed

_NAME = re.compile(r"[0-9A-Za-z-]{1,64}\.wav(\.enc)?")


class SealedRecording:
    """An encrypted recording, as if it were the WAV file."""

    def __init__(self, path: Path, cipher: Sealed, samples: int) -> None:
        self._path = path
        self._cipher = cipher
        self._header = wav.header(samples)
        self.size = wav.HEADER + samples
        """Bytes of the WAV file."""

    async def read(self, start: int, length: int) -> bytes:
        """So many bytes of the WAV file, from `start` on; fewer at its end. Raises `RecordingLocked`, `StoreError`."""
        return await asyncio.to_thread(self._read, start, min(start + length, self.size))

    def _read(self, start: int, end: int) -> bytes:
        head = self._header[start:end]
        first, last = max(0, start - wav.HEADER), end - wav.HEADER
        if last <= first:
            return head
        try:
            with self._path.open("rb") as file:
                number = first // sealing.CHUNK
                file.seek(sealing.place(number))
                samples = bytearray()
                offset = number * sealing.CHUNK
                while offset + len(samples) < last:
                    if not (chunk := file.read(sealing.CHUNK + sealing.TAG)):
                        raise RecordingLocked("The recording is damaged: it is shorter than it was.")
                    samples += self._cipher.open(number, chunk)
                    number += 1
        except OSError as error:
            raise StoreError(f"The recording can't be read: {error.strerror}.") from error
        return head + bytes(samples[first - offset : last - offset])


class Recordings:
    """Fits `ports.Recordings`: the folder that a `WavShelf` writes."""

    def __init__(self, folder: Path, keys: Keyring | None = None) -> None:
        self._folder = folder
        self._keys = keys or Keyring()

    async def find(self, name: str) -> Path | SealedRecording | None:
        """By file name: a WAV file or an encrypted one; `None` where there is none.

        Raises `RecordingLocked` where no key fits.
        """
        # The name comes from our own database; even so it leads nowhere but to a file on the shelf.
        return await asyncio.to_thread(self._find, name) if _NAME.fullmatch(name) else None

    async def remove(self, call_id: CallId) -> bool:
        """Delete the recording of a call; whether there was one. Raises `StoreError`."""
        return await asyncio.to_thread(self._remove, call_id)

    def _find(self, name: str) -> Path | SealedRecording | None:
        path = self._folder / name
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                return None
            if not name.endswith(SEALED):
                return path
            with path.open("rb") as file:
                head = file.read(sealing.HEAD)
        except OSError:
            return None
        return SealedRecording(path, self._keys.opened(head), sealing.samples_in(found.st_size))

    def _remove(self, call_id: CallId) -> bool:
        removed = False
        for suffix in (PLAIN, SEALED):
            if not _NAME.fullmatch(f"{call_id}{suffix}"):
                continue
            try:
                (self._folder / f"{call_id}{suffix}").unlink()
                removed = True
            except FileNotFoundError:
                pass
            except OSError as error:
                raise StoreError(
                    f"The recording of call {call_id} can't be deleted: {error.strerror}.",
                    remedy="Check the permissions of the recordings folder.",
                ) from error
        return removed
