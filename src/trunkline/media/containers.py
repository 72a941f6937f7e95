"""What has to be known of a file before FFmpeg reads it: WAV (Microsoft's RIFF) and MP4 (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from trunkline.media.pipe import Pipe

_PCM: Final = 1
_EXTENSIBLE: Final = 0xFFFE
_UNKNOWN: Final = 0x7FFF0000
"""Who writes a WAV as it is made claims this size or more, or none."""
_LONGEST_HEAD: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Samples:
    """Plain samples that go on in a WAV from here."""

    bits: int
    rate: int
    channels: int
    size: int | None
    """Bytes, where the file tells."""

    @property
    def seconds(self) -> float | None:
        return self.size / (self.rate * self.channels * self.bits // 8) if self.size is not None else None


def wav_samples(source: Pipe) -> Samples | None:
    """Reads the head of a WAV with integer samples, and nothing of any other file.

    FFmpeg would do, but looks into the first 64 kB of them for hidden surround sound: four seconds at 8 kHz.
    """
    head = source.peek(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    at, described = 12, b""
    while at < _LONGEST_HEAD and len(chunk := source.peek(at + 8)[at:]) == 8:
        kind, size = struct.unpack("<4sI", chunk)
        at += 8
        if kind == b"data":
            samples = _samples(described, size)
            if samples is not None:
                source.read(at)
            return samples
        if kind == b"fmt ":
            described = source.peek(at + min(size, 64))[at:]
        at += size + size % 2
    return None


def _samples(described: bytes, size: int) -> Samples | None:
    if len(described) < 16:
        return None
    tag, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", described)
    if tag == _EXTENSIBLE and len(described) >= 26:
        (tag,) = struct.unpack_from("<H", described, 24)
    sane = 1 <= channels <= 8 and 4000 <= rate <= 192_000 and bits in (8, 16, 24, 32) and block == channels * bits // 8
    if tag != _PCM or not sane:
        return None
    return Samples(bits, rate, channels, size if 0 < size < _UNKNOWN else None)


def index_comes_last(source: Pipe) -> bool:
    """Whether this is an MP4 that can't be played before its end is there. Reads nothing."""
    if source.peek(8)[4:] != b"ftyp":
        return False
    at = 0
    while True:
        head = source.peek(at + 16)[at:]
        size, kind = int.from_bytes(head[:4]), head[4:8]
        if size == 1:
            size = int.from_bytes(head[8:])
        if kind == b"mdat":
            return True
        if kind == b"moov" or size < 8:
            return False
        at += size


def wav_head(rate: int, size: int | None = None) -> bytes:
    """The head of a WAV with 16-bit mono samples; without a `size` (bytes) they go on to the end of the file."""
    claimed = 0xFFFFFFFF if size is None else size
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, _PCM, 1, rate, rate * 2, 2, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", min(36 + claimed, 0xFFFFFFFF), b"WAVE")
        + form
        + struct.pack("<4sI", b"data", claimed)
    )
