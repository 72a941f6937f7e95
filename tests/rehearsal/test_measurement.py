from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.audio import FRAME_BYTES, to_samples
from trunkline.rehearsal import rtp
from trunkline.rehearsal.measurement import Speech, SpeechGate, audible_span, magnitude_of, turn_times
from trunkline.rehearsal.studio import tone

THRESHOLD = magnitude_of(-40)
RATE = 8000


def on_the_wire(pcm: bytes) -> bytes:
    padded = pcm + bytes(-len(pcm) % FRAME_BYTES)
    return rtp.decode(rtp.encode(padded, "ulaw"), "ulaw")


def packets(pcm: bytes, start: float) -> list[tuple[float, bytes]]:
    wire = on_the_wire(pcm)
    return [(start + n / FRAME_BYTES * 0.02, wire[n : n + FRAME_BYTES]) for n in range(0, len(wire), FRAME_BYTES)]


def gate_after(pcm: bytes, start: float = 100.0) -> SpeechGate:
    gate = SpeechGate(THRESHOLD)
    for at, packet in packets(pcm, start):
        gate.push(at, packet)
    gate.settle(start + len(pcm) / 2 / RATE + 1)
    return gate


def silence(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE))


def noise(seconds: float, dbfs: float) -> bytes:
    values = np.random.default_rng(1).normal(0, magnitude_of(dbfs) / 4, round(seconds * RATE))
    return values.astype("<i2").tobytes()


@given(st.integers(0, 4000), st.integers(400, 4000), st.integers(0, 4000), st.sampled_from([200, 440, 1000, 2100]))
def test_a_tone_is_found_within_a_millisecond(lead: int, length: int, trail: int, frequency: int) -> None:
    pcm = bytes(2 * lead) + tone((float(frequency),), length / RATE, dbfs=-12) + bytes(2 * trail)
    span = audible_span(to_samples(on_the_wire(pcm)), THRESHOLD)
    assert span is not None
    assert abs(span[0] - lead) <= 8
    assert abs(span[1] - lead - length) <= 8


@given(st.integers(0, 4000), st.integers(400, 4000))
def test_packets_as_they_come_give_what_the_whole_file_gives(lead: int, length: int) -> None:
    pcm = bytes(2 * lead) + tone((333.0,), length / RATE, dbfs=-15) + silence(0.1)
    span = audible_span(to_samples(on_the_wire(pcm)), THRESHOLD)
    (speech,) = gate_after(pcm).finished
    assert span is not None
    assert speech.began == pytest.approx(100 + span[0] / RATE, abs=1e-6)
    assert speech.ended == pytest.approx(100 + (span[1] - 1) / RATE, abs=1e-6)


def test_near_silence_around_speech_is_not_speech() -> None:
    # Files of voice engines begin and end with breath and dither far below speech.
    pcm = noise(0.35, -46) + tone((300.0, 900.0), 0.5, dbfs=-14) + noise(0.6, -46)
    (speech,) = gate_after(pcm).finished
    assert speech.began == pytest.approx(100.35, abs=0.002)
    assert speech.ended == pytest.approx(100.85, abs=0.002)


def test_a_click_is_no_speech() -> None:
    pcm = bytearray(silence(1.0))
    pcm[4000:4006] = b"\xff\x7f" * 3
    assert audible_span(to_samples(bytes(pcm)), THRESHOLD) is None
    assert gate_after(bytes(pcm)).speech() == []


def test_a_click_before_and_after_speech_does_not_move_its_edges() -> None:
    pcm = bytearray(silence(0.3) + tone((500.0,), 0.4, dbfs=-12) + silence(0.4))
    for click in (1600, 2 * round(0.8 * RATE)):
        pcm[click : click + 4] = b"\xff\x7f" * 2
    (speech,) = gate_after(bytes(pcm)).finished
    assert speech.began == pytest.approx(100.3, abs=0.002)
    assert speech.ended == pytest.approx(100.7, abs=0.002)


def test_the_loudest_negative_sample_is_loud() -> None:
    assert audible_span(np.full(20, -32768, dtype=np.int16), THRESHOLD) == (0, 20)


def test_a_short_pause_does_not_end_speech_a_long_one_does() -> None:
    word = tone((400.0,), 0.3, dbfs=-12)
    assert len(gate_after(word + silence(0.15) + word).finished) == 1
    assert len(gate_after(word + silence(0.25) + word).finished) == 2


def test_the_end_is_known_without_further_packets() -> None:
    gate = SpeechGate(THRESHOLD)
    for at, packet in packets(tone((400.0,), 0.3, dbfs=-12), 5.0):
        gate.push(at, packet)
    assert not gate.settle(5.49)
    assert gate.settle(5.51)
    assert gate.finished[0].ended == pytest.approx(5.3, abs=0.002)


def test_onset_is_told_once_per_speech() -> None:
    gate = SpeechGate(THRESHOLD)
    pcm = silence(0.05) + tone((400.0,), 0.3, dbfs=-12) + silence(0.3) + tone((400.0,), 0.3, dbfs=-12)
    assert sum(gate.push(at, packet) for at, packet in packets(pcm, 0.0)) == 2


def test_packets_of_a_burst_do_not_turn_time_back() -> None:
    gate = SpeechGate(THRESHOLD)
    frame = on_the_wire(tone((400.0,), 0.02, dbfs=-12))
    gate.push(1.0, frame)
    gate.push(1.0001, frame)
    gate.push(1.0002, on_the_wire(tone((400.0,), 0.01, dbfs=-12)))
    assert gate.last_audible is not None
    assert gate.last_audible > 1.019


def test_the_turn_gap_runs_from_the_last_word_to_the_first() -> None:
    said = [Speech(2.0, 3.0), Speech(6.0, 7.0)]
    heard = [Speech(0.1, 1.0), Speech(3.65, 4.5), Speech(4.8, 5.5), Speech(7.4, 9.0)]
    first, second = turn_times(said, heard)
    assert (first.gap_ms, first.reply, first.stop_ms) == (650.0, Speech(3.65, 5.5), None)
    assert second.gap_ms == 400.0


def test_an_answer_that_comes_too_early_has_a_negative_gap() -> None:
    (turn,) = turn_times([Speech(2.0, 4.0)], [Speech(3.2, 5.0)])
    assert turn.gap_ms == -800.0


def test_an_utterance_without_answer_has_no_gap() -> None:
    first, second = turn_times([Speech(2.0, 3.0), Speech(4.0, 5.0)], [Speech(5.5, 6.0)])
    assert (first.gap_ms, first.reply) == (None, None)
    assert second.gap_ms == 500.0


def test_a_barge_in_is_timed_to_the_last_word_and_its_tail_is_no_answer() -> None:
    (turn,) = turn_times([Speech(5.0, 6.0)], [Speech(3.0, 5.18), Speech(6.5, 7.0)])
    assert turn.stop_ms == 180.0
    assert turn.gap_ms == 500.0
