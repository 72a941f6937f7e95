"""The stereo WAV files of recordings: 8 kHz, 16-bit, left the person, right the agent.

A header of the plainest kind (RIFF, PCM `fmt `, `data`; 44 bytes) in front of the samples. Bytes in, bytes out.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np

from trunkline.audio import SAMPLE_BYTES, SAMPLE_RATE, to_samples

CHANNELS: Final = 2
FRAME: Final = CHANNELS * SAMPLE_BYTES
"""Bytes of one sample of both sides."""
HEADER: Final = 44
_LAYOUT: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")


def header(data_bytes: int) -> bytes:
    """The 44 bytes in front of so many bytes of samples."""
    return _LAYOUT.pack(
        b"RIFF",
        HEADER - 8 + data_bytes,
        b"WAVE",
        b"fmt ",
        16,
        1,  # PCM
        CHANNELS,
        SAMPLE_RATE,
        SAMPLE_RATE * FRAME,
        FRAME,
        SAMPLE_BYTES * 8,
        b"data",
        data_bytes,
    )


def interleaved(person: bytes | bytearray, agent: bytes | bytearray) -> bytes:
    """Both sides, of equal length, as the file holds them."""
    both = np.empty((len(person) // SAMPLE_BYTES, CHANNELS), dtype="<i2")
    both[:, 0] = to_samples(person)
    both[:, 1] = to_samples(agent)
    return both.tobytes()


def repaired(head: bytes, size: int) -> tuple[bytes, int] | None:
    """What a file of `size` bytes that begins with `head` needs after its writer died: its header and its length.

    `None` where nothing is wrong, and where the file isn't one of ours.
    """
    blank = header(0)
    ours = head[:4] == blank[:4] and head[8:40] == blank[8:40] if len(head) >= HEADER else blank.startswith(head)
    data = max(0, size - HEADER) // FRAME * FRAME
    wanted = header(data), HEADER + data
    return wanted if ours and (head[:HEADER], size) != wanted else None
