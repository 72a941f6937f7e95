"""The channel behind an AGI connection where only one side is heard at a time: files are played and recorded."""

from __future__ import annotations

import asyncio
import contextlib
import math
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from trunkline.audio import SAMPLE_BYTES, SAMPLE_RATE, seconds_of
from trunkline.errors import PbxUnavailable
from trunkline.events import LegEvent
from trunkline.models import CallId
from trunkline.ports import LegListener, Recorded
from trunkline.telephony.agi_channel import TEMPORARY_FAILURE, AgiChannel
from trunkline.telephony.agi_protocol import Reply
from trunkline.telephony.agi_server import AgiConnection

KEYS: Final = "0123456789*#"
PREFIX: Final = "trunkline-"
"""Of the files' names."""
LONGEST_RECORDING: Final = 60.0
"""Seconds of a file that are read, whatever it holds."""


@dataclass(frozen=True, slots=True)
class SharedFolder:
    """Where sound passes between Asterisk and us."""

    ours: Path
    theirs: str
    """The same folder, as Asterisk sees it."""


class AgiTurnChannel(AgiChannel):
    """Fits `ports.TurnChannel`."""

    def __init__(
        self, connection: AgiConnection, call_id: CallId, folder: SharedFolder, report: Callable[[LegEvent], None]
    ) -> None:
        self._folder = folder
        self._listener: LegListener | None = None
        self._closed: Callable[[LegListener], None] | None = None
        """Tells a listener how it was closed, as soon as it is."""
        self._numbers = count(1)
        super().__init__(connection, call_id, "", report)

    # ── the leg ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def call_id(self) -> CallId:
        return self._call_id

    def attach(self, listener: LegListener) -> None:
        self._listener = listener
        self._tell_listener()

    def close(self) -> None:
        self._tell(None)

    # ── turns ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def play(self, audio: bytes) -> str:
        with self._file("agent") as (ours, theirs):
            await asyncio.to_thread(_write, ours, audio)
            played = await self._do("STREAM FILE", theirs, KEYS, seconds=seconds_of(audio))
        return played.key

    async def record(self, *, longest: float, silence: float) -> Recorded:
        with self._file("person") as (ours, theirs):
            limits = (round(longest * 1000), f"s={math.ceil(silence)}")
            recorded = await self._do("RECORD FILE", theirs, "wav", KEYS, *limits, seconds=longest)
            # A recording of nothing is no file; and "timeout" has the key's place hold another number.
            key = recorded.key if recorded.value == "dtmf" else ""
            return Recorded(await asyncio.to_thread(_read, ours), key)

    async def next_key(self, *, within: float) -> str:
        return (await self._do("WAIT FOR DIGIT", round(within * 1000), seconds=within)).key

    async def press_key(self, call_id: CallId, key: str, *, seconds: float) -> None:
        await self._do("EXEC SendDTMF", f"{key},,{round(seconds * 1000)}", seconds=seconds)

    # ── inside ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _answered(self) -> None:
        """No audio is asked for: it is played and recorded when its turn comes."""

    async def _do(self, verb: str, *arguments: object, seconds: float) -> Reply:
        reply = await self._connection.command(verb, *arguments, seconds=seconds)
        if not reply.failed:
            return reply
        if await self._has_hung_up(reply):
            raise PbxUnavailable("The channel that came by AGI has hung up.")
        raise PbxUnavailable(
            f"Asterisk could not do {verb}; its log says why.",
            remedy=f"Both need to read and write {self._folder.ours}, which Asterisk sees as {self._folder.theirs}: "
            "see agi.folder and agi.folder_there.",
        )

    def _tell(self, cause: int | None) -> None:
        if not self._told:
            super()._tell(cause)
            broken = cause == TEMPORARY_FAILURE
            why = "the AGI connection was lost" if broken else "the other side hung up"
            self._closed = lambda listener: listener.leg_closed(why, broken=broken)
            self._tell_listener()

    def _tell_listener(self) -> None:
        if self._listener is not None and self._closed is not None:
            asyncio.get_running_loop().call_soon(self._closed, self._listener)

    @contextlib.contextmanager
    def _file(self, who: str) -> Iterator[tuple[Path, str]]:
        """A file's place, and its name without the ending for Asterisk; it is deleted behind."""
        name = f"{PREFIX}{self._call_id}-{next(self._numbers)}-{who}"
        ours = self._folder.ours / f"{name}.wav"
        try:
            yield ours, f"{self._folder.theirs.rstrip('/')}/{name}"
        finally:
            asyncio.get_running_loop().run_in_executor(None, _remove, ours)


def clear(folder: Path) -> None:
    """Make the folder, and remove what calls of a dead process left in it. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{PREFIX}*.wav"):
        _remove(left)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _write(path: Path, audio: bytes) -> None:
    try:
        with wave.open(str(path), "wb") as file:
            file.setparams((1, SAMPLE_BYTES, SAMPLE_RATE, 0, "NONE", ""))
            file.writeframes(audio)
    except OSError as error:
        raise PbxUnavailable(
            f"{path.parent} can't be written to: {error.strerror}.", remedy="See agi.folder."
        ) from error


def _read(path: Path) -> bytes:
    """The samples, as far as they are of the right kind; empty where there are none."""
    try:
        with wave.open(str(path), "rb") as file:
            kind = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            if kind != (1, SAMPLE_BYTES, SAMPLE_RATE):
                raise PbxUnavailable(
                    f"Asterisk recorded {kind[2]} Hz in {kind[0]} channels: 8000 Hz in one were expected."
                )
            return file.readframes(round(LONGEST_RECORDING * SAMPLE_RATE))
    except FileNotFoundError:
        return b""
    except (OSError, EOFError, wave.Error) as error:
        raise PbxUnavailable(f"Asterisk's recording can't be read: {error}.", remedy="See agi.folder.") from error
