from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from trunkline.audio import FRAME_BYTES, Samples, to_samples
from trunkline.rehearsal import rtp
from trunkline.rehearsal.measurement import audible_span
from trunkline.rehearsal.reception import PacketLog
from trunkline.rehearsal.recording import lay_out_received, lay_out_sent, write_stereo
from trunkline.rehearsal.rtp import RtpPacket
from trunkline.rehearsal.studio import tone

START = 500.0
BEEP = tone((500.0,), 0.2, dbfs=-10)
PAYLOADS = [rtp.encode(BEEP[n : n + FRAME_BYTES], "ulaw") for n in range(0, len(BEEP), FRAME_BYTES)]
HEARD = to_samples(rtp.decode(b"".join(PAYLOADS), "ulaw"))


def log_of(*rows: tuple[float, int, bytes], ssrc: int = 1) -> PacketLog:
    log = PacketLog()
    for number, (at, timestamp, payload) in enumerate(rows):
        log.add(at, RtpPacket(0, False, number, timestamp, ssrc, payload))
    return log


def beep(at: float, timestamp: int = 0, jitter: tuple[float, ...] = (0.0,)) -> list[tuple[float, int, bytes]]:
    return [
        (at + n * 0.02 + jitter[n % len(jitter)], timestamp + n * 160, payload) for n, payload in enumerate(PAYLOADS)
    ]


def began(line: Samples) -> float:
    span = audible_span(line, 300)
    assert span is not None
    return span[0] / 8000


def test_a_stream_lies_where_it_arrived_and_is_unchanged() -> None:
    line = lay_out_received(log_of(*beep(START + 0.3)), "ulaw", start=START, end=START + 1)
    assert len(line) == 8000
    assert np.array_equal(line[2400:4000], HEARD)
    assert not line[:2400].any()
    assert not line[4000:].any()


def test_jitter_neither_tears_nor_moves_the_audio() -> None:
    log = log_of(*beep(START + 0.3, jitter=(0.0, 0.004, -0.003, 0.0, 0.001)))
    line = lay_out_received(log, "ulaw", start=START, end=START + 1)
    assert np.array_equal(line[2400:4000], HEARD)


def test_a_pause_in_the_stream_is_kept() -> None:
    log = log_of(*beep(START), *beep(START + 0.6, timestamp=1600))  # timestamps went on, packets did not
    line = lay_out_received(log, "ulaw", start=START, end=START + 1)
    assert np.array_equal(line[:1600], HEARD)
    assert np.array_equal(line[4800:6400], HEARD)


def test_a_new_source_is_laid_out_on_its_own() -> None:
    log = log_of(*beep(START))
    for number, (at, timestamp, payload) in enumerate(beep(START + 0.5, timestamp=77777)):
        log.add(at, RtpPacket(0, False, number, timestamp, 2, payload))
    line = lay_out_received(log, "ulaw", start=START, end=START + 1)
    assert np.array_equal(line[4000:5600], HEARD)


def test_what_came_before_the_answer_or_after_the_end_is_left_out() -> None:
    line = lay_out_received(log_of(*beep(START - 0.1)), "ulaw", start=START, end=START + 0.05)
    assert np.array_equal(line, HEARD[800:1200])


def test_the_persons_side_keeps_its_place_while_keys_are_sent() -> None:
    sent: list[tuple[float, bytes | None]] = [(START + n * 0.02, None) for n in range(8)]
    sent += [(START + 0.16 + n * 0.02, payload) for n, payload in enumerate(PAYLOADS)]
    line = lay_out_sent(sent, "ulaw", start=START, end=START + 0.5)
    assert began(line) == pytest.approx(0.16, abs=0.001)


def test_both_sides_are_written_left_and_right(tmp_path: Path) -> None:
    file = tmp_path / "call.wav"
    write_stereo(file, np.array([1, 2, 3], dtype=np.int16), np.array([4, 5], dtype=np.int16))
    with wave.open(str(file)) as wav:
        assert (wav.getnchannels(), wav.getframerate(), wav.getsampwidth()) == (2, 8000, 2)
        assert to_samples(wav.readframes(9)).tolist() == [1, 4, 2, 5, 3, 0]
