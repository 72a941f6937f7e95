"""The WAV files of recordings, as bytes."""

from __future__ import annotations

import io
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.store import wav


def test_the_standard_library_reads_it() -> None:
    left, right = b"\x01\x00\x02\x00", b"\xff\xff\xfe\xff"
    data = wav.interleaved(left, right)
    with wave.open(io.BytesIO(wav.header(len(data)) + data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (2, 2, 8000, 2)
        assert file.readframes(2) == b"\x01\x00\xff\xff\x02\x00\xfe\xff"


@given(promised=st.integers(0, 2**20), size=st.integers(0, 2**20))
def test_after_a_repair_header_and_length_agree(promised: int, size: int) -> None:
    head = wav.header(promised * wav.FRAME) if size >= wav.HEADER else wav.header(0)[:size]
    fixed, length = wav.repaired(head, size) or (head, size)
    assert fixed == wav.header(length - wav.HEADER)
    assert (length - wav.HEADER) % wav.FRAME == 0
    assert length == max(wav.HEADER, size - (size - wav.HEADER) % wav.FRAME)


@pytest.mark.parametrize("size", [0, 4, 400])
def test_a_whole_file_needs_no_repair(size: int) -> None:
    assert wav.repaired(wav.header(size), wav.HEADER + size) is None


@pytest.mark.parametrize(
    "head",
    [
        b"ID3\x04" + bytes(60),
        b"RIFF\x00\x00\x00\x00WAVEJUNK" + bytes(60),
        wav.header(0).replace(b"WAVE", b"AVI "),
        wav.header(0)[:24] + b"\x80\xbb\x00\x00" + wav.header(0)[28:],  # 48 kHz
        b"notes",
    ],
)
def test_foreign_files_are_left_alone(head: bytes) -> None:
    assert wav.repaired(head[: wav.HEADER], 5000) is None
