"""RTP packets (RFC 3550 §5.1) with G.711 payloads and keys (RFC 4733). Pure."""

from __future__ import annotations

import audioop
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from trunkline.audio import FRAME_SAMPLES

_HEADER = struct.Struct("!BBHII")
_EVENT = struct.Struct("!BBH")
KEYS = "0123456789*#ABCD"
"""Index is the RFC 4733 event code."""
ULAW_SILENCE = b"\xff" * FRAME_SAMPLES
ALAW_SILENCE = b"\xd5" * FRAME_SAMPLES
KEY_VOLUME = 10
"""−10 dBm0."""


class RtpPacket(NamedTuple):
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse(datagram: bytes) -> RtpPacket | None:
    """A packet, or `None` for anything that isn't RTP (RTCP included: RFC 5761 §4)."""
    if len(datagram) < 12:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(datagram)
    if first == 0x80:
        payload = datagram[12:]
    else:
        stripped = _strip(first, datagram)
        if stripped is None:
            return None
        payload = stripped
    if 64 <= second & 0x7F <= 95:
        return None
    return RtpPacket(second & 0x7F, second > 0x7F, sequence, timestamp, ssrc, payload)


def _strip(first: int, datagram: bytes) -> bytes | None:
    """The payload without contributing sources, extension and padding."""
    if first >> 6 != 2:
        return None
    start, end = 12 + 4 * (first & 0x0F), len(datagram)
    if first & 0x10:
        if end < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(datagram[start + 2 : start + 4], "big")
    if first & 0x20:
        end -= datagram[-1]
        if not datagram[-1]:
            return None
    return datagram[start:end] if start <= end else None


def decode(payload: bytes, codec: str) -> bytes:
    """G.711 to 16-bit PCM."""
    return audioop.ulaw2lin(payload, 2) if codec == "ulaw" else audioop.alaw2lin(payload, 2)


def encode(pcm: bytes, codec: str) -> bytes:
    """16-bit PCM to G.711."""
    return audioop.lin2ulaw(pcm, 2) if codec == "ulaw" else audioop.lin2alaw(pcm, 2)


def silence(codec: str) -> bytes:
    """One 20 ms frame of digital silence."""
    return ULAW_SILENCE if codec == "ulaw" else ALAW_SILENCE


@dataclass(slots=True)
class RtpSender:
    """Numbers the packets of one stream."""

    payload_type: int
    ssrc: int
    sequence: int
    timestamp: int
    _talking: bool = field(default=False)

    def audio(self, payload: bytes) -> bytes:
        """The next 20 ms. The marker is set on the first packet (RFC 3551 §4.1)."""
        marker = 0 if self._talking else 0x80
        self._talking = True
        packet = _HEADER.pack(0x80, self.payload_type | marker, self.sequence, self.timestamp, self.ssrc) + payload
        self._advance(FRAME_SAMPLES)
        return packet

    def key(self, digit: str, payload_type: int, silence: bytes, frames: int = 6) -> Iterator[bytes]:
        """Packets of one key press, one per 20 ms, its end sent thrice (RFC 4733 §2.5.1.4); then `silence`."""
        began = self.timestamp
        for number in range(1, frames + 3):
            last = number >= frames
            duration = min(number, frames) * FRAME_SAMPLES
            event = _EVENT.pack(KEYS.index(digit), (0x80 if last else 0) | KEY_VOLUME, duration)
            marker = 0x80 if number == 1 else 0
            yield _HEADER.pack(0x80, payload_type | marker, self.sequence, began, self.ssrc) + event
            self._advance(FRAME_SAMPLES)
        for _ in range(3):
            yield self.audio(silence)

    def _advance(self, samples: int) -> None:
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + samples) & 0xFFFFFFFF


@dataclass(slots=True)
class KeyReader:
    """Turns event packets back into keys: each once, however often its end is repeated."""

    _last: int | None = None

    def packet(self, packet: RtpPacket) -> str | None:
        if len(packet.payload) < 4:
            return None
        code, flags, _ = _EVENT.unpack_from(packet.payload)
        if not flags & 0x80 or code >= len(KEYS) or packet.timestamp == self._last:
            return None
        self._last = packet.timestamp
        return KEYS[code]
