"""AudioSocket, bytes in and events out: what Asterisk's `AudioSocket()` and its externalMedia channel speak over TCP.

Every message is a 3-byte header (kind, payload length as 16-bit big-endian) and its payload. The peer names the call
first, then sends 8 kHz audio and keys until somebody hangs up:

    AWAITING_ID ── id ──▶ STREAMING ⟲ audio, key
         └── hang-up, error ──┴──▶ ENDED          anything else ──▶ BROKEN

Source: Asterisk 22 `res/res_audiosocket.c` and docs.asterisk.org, Configuration/Channel-Drivers/AudioSocket.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from trunkline.audio import FRAME_BYTES, SAMPLE_BYTES
from trunkline.errors import ProtocolError

HEADER_BYTES: Final = 3
MAX_AUDIO_BYTES: Final = 10 * FRAME_BYTES
"""200 ms: more than the longest RTP packet Asterisk takes (150 ms of G.711), so nothing honest is longer."""

KEYS: Final = frozenset("0123456789*#ABCD")


class Kind(enum.IntEnum):
    """First byte of a message. Asterisk's other sample rates (0x11 to 0x18) are not asked for, so never welcome."""

    HANG_UP = 0x00
    ID = 0x01
    KEY = 0x03
    AUDIO = 0x10
    ERROR = 0xFF


class State(enum.Enum):
    AWAITING_ID = enum.auto()
    STREAMING = enum.auto()
    ENDED = enum.auto()
    BROKEN = enum.auto()


TRANSITIONS: Final = {
    (State.AWAITING_ID, Kind.ID): State.STREAMING,
    (State.AWAITING_ID, Kind.HANG_UP): State.ENDED,
    (State.AWAITING_ID, Kind.ERROR): State.ENDED,
    (State.STREAMING, Kind.AUDIO): State.STREAMING,
    (State.STREAMING, Kind.KEY): State.STREAMING,
    (State.STREAMING, Kind.HANG_UP): State.ENDED,
    (State.STREAMING, Kind.ERROR): State.ENDED,
}
"""What may come when, and where it leads; whatever is not here breaks the protocol."""

PAYLOAD_BYTES: Final = {
    Kind.HANG_UP: range(1),
    Kind.ID: range(16, 17),
    Kind.KEY: range(1, 2),
    Kind.AUDIO: range(0, MAX_AUDIO_BYTES + 1, SAMPLE_BYTES),
    Kind.ERROR: range(2),
}
"""Payload lengths each kind may have."""


@dataclass(frozen=True, slots=True)
class CallNamed:
    """The first message: which call this connection belongs to."""

    id: UUID


@dataclass(frozen=True, slots=True)
class KeyPressed:
    digit: str
    """One of `KEYS`."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The peer ended the call. `error_code` is Asterisk's when it ended it by an error message that has one."""

    error_code: int | None = None


Event = bytes | CallNamed | KeyPressed | HungUp
"""What comes out. Audio is bare `bytes`, one 20 ms frame: it comes fifty times a second and needs no wrapping."""

_AUDIO_HEADER: Final = bytes((Kind.AUDIO, *FRAME_BYTES.to_bytes(2, "big")))
_WHOLE_FRAME: Final = HEADER_BYTES + FRAME_BYTES
_OPEN: Final = (State.AWAITING_ID, State.STREAMING)


class AudioSocketParser:
    """Reads one connection. Holds at most one unfinished message and less than one frame of audio."""

    __slots__ = ("_aligned", "_pending", "_samples", "_state")

    def __init__(self) -> None:
        self._state = State.AWAITING_ID
        self._pending = b""
        self._samples = b""
        self._aligned = False
        """Streaming, and nothing is held back: a whole frame can pass straight through."""

    @property
    def state(self) -> State:
        return self._state

    def feed(self, data: bytes) -> Iterable[Event]:
        """Events of the next bytes, however TCP cut them. Iterate to the end before feeding more, or never feed again.

        The iteration raises `ProtocolError` after the events that came before the fault. Once the stream has ended
        or broken, bytes are ignored.
        """
        if self._aligned and len(data) == _WHOLE_FRAME and data.startswith(_AUDIO_HEADER):
            return (data[HEADER_BYTES:],)
        return self._messages(data)

    def _messages(self, data: bytes) -> Iterator[Event]:
        data = self._pending + data
        at = 0
        while self._state in _OPEN and len(data) - at >= HEADER_BYTES:
            # The header is judged before its payload is waited for: a liar cannot make us collect 64 KiB.
            kind, length, then = self._header(data[at : at + HEADER_BYTES])
            start, after = at + HEADER_BYTES, at + HEADER_BYTES + length
            if len(data) < after:
                break
            self._state = then
            yield from self._events(kind, data[start:after])
            at = after
        self._pending = data[at:] if self._state in _OPEN else b""
        self._aligned = self._state is State.STREAMING and not self._pending and not self._samples

    def _header(self, header: bytes) -> tuple[Kind, int, State]:
        length = int.from_bytes(header[1:], "big")
        try:
            kind = Kind(header[0])
        except ValueError:
            raise self._broken(f"message of unknown kind 0x{header[0]:02x}") from None
        then = TRANSITIONS.get((self._state, kind))
        if then is None:
            raise self._broken(f"{kind.name} message while {self._state.name}")
        if length not in PAYLOAD_BYTES[kind]:
            raise self._broken(f"{kind.name} message of {length} bytes")
        return kind, length, then

    def _events(self, kind: Kind, payload: bytes) -> Iterator[Event]:
        match kind:
            case Kind.AUDIO:
                yield from self._frames(payload)
            case Kind.KEY:
                digit = payload.decode("latin-1").upper()  # SIP INFO may bring a to d
                if digit not in KEYS:
                    raise self._broken(f"key {payload!r}")
                yield KeyPressed(digit)
            case Kind.ID:
                yield CallNamed(UUID(bytes=payload))
            case Kind.HANG_UP:
                yield HungUp()
            case Kind.ERROR:
                yield HungUp(error_code=payload[0] if payload else None)

    def _frames(self, payload: bytes) -> Iterator[bytes]:
        """Audio cut into 20 ms frames; what does not fill one waits for more."""
        audio = self._samples + payload
        whole = len(audio) - len(audio) % FRAME_BYTES
        self._samples = audio[whole:]
        for at in range(0, whole, FRAME_BYTES):
            yield audio[at : at + FRAME_BYTES]

    def _broken(self, why: str) -> ProtocolError:
        self._state = State.BROKEN
        self._pending = self._samples = b""
        self._aligned = False
        return ProtocolError(f"AudioSocket: {why}.")


# ── what we send ───────────────────────────────────────────────────────────────────────────────────────────────

HANG_UP: Final = bytes((Kind.HANG_UP, 0, 0))
"""Ends the call's audio; the dialplan goes on behind it."""


def audio_message(frame: bytes) -> bytes:
    """One 20 ms frame (exactly 320 bytes) as a message, to be written in one piece: Asterisk misreads a header that
    arrives in two.
    """
    if len(frame) != FRAME_BYTES:
        raise ValueError(f"an audio frame has {FRAME_BYTES} bytes, not {len(frame)}")
    return _AUDIO_HEADER + frame
