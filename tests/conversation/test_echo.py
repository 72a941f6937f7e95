"""Our own echo is told from a person's voice, alone and over it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from trunkline.audio import FRAME_SAMPLES, SAMPLE_RATE
from trunkline.conversation.echo import EchoGuard


def voice(seconds: float, seed: int, pitch: float) -> NDArray[np.float64]:
    """Something like speech: a harmonic tone with moving pitch and formants, in syllables."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    swing = np.interp(time, np.linspace(0, seconds, 12), pitch * rng.uniform(0.8, 1.3, 12))
    phase = 2 * np.pi * np.cumsum(swing) / SAMPLE_RATE
    weights = [np.interp(time, np.linspace(0, seconds, 20), rng.uniform(0, 1, 20)) / (k + 1) for k in range(12)]
    wave = sum(weight * np.sin((k + 1) * phase) for k, weight in enumerate(weights))
    syllables = np.interp(time, np.linspace(0, seconds, int(seconds * 9)), rng.uniform(0.1, 1, int(seconds * 9)))
    noisy: NDArray[np.float64] = wave * syllables + rng.normal(0, 0.01, len(time))
    result: NDArray[np.float64] = noisy / np.abs(noisy).max() * 12000
    return result


def frames(wave: NDArray[np.float64]) -> list[bytes]:
    samples = np.clip(wave, -32768, 32767).astype("<i2")
    return [samples[i : i + FRAME_SAMPLES].tobytes() for i in range(0, len(samples) - FRAME_SAMPLES + 1, FRAME_SAMPLES)]


def verdicts(ours: NDArray[np.float64], line: NDArray[np.float64], guard: EchoGuard | None = None) -> list[bool]:
    """What the guard says every 60 ms, from 0.8 s on."""
    guard = guard or EchoGuard()
    found = []
    for index, (out, back) in enumerate(zip(frames(ours), frames(line), strict=True)):
        guard.sent(out, silent=False)
        guard.received(back)
        if index >= 40 and index % 3 == 0:
            found.append(guard.hears_itself())
    return found


HANDSET = ((0, 1.0), (3, -0.4), (9, 0.25), (22, 0.1))
ROOM = (*HANDSET, (90, 0.3), (150, -0.3), (230, -0.4))


def echo_of(
    ours: NDArray[np.float64], delay: float, decibels: float, taps: tuple[tuple[int, float], ...] = HANDSET
) -> NDArray[np.float64]:
    """Through a small filter: an early and a late part."""
    path = np.zeros(240)
    for at, factor in taps:
        path[at] = factor
    late = np.concatenate([np.zeros(int(delay * SAMPLE_RATE)), ours])[: len(ours)]
    result: NDArray[np.float64] = np.convolve(late, path)[: len(ours)] * 10 ** (decibels / 20)
    return result


def line_noise(samples: int, level: float = 8.0) -> NDArray[np.float64]:
    return np.random.default_rng(5).normal(0, level, samples)


@pytest.mark.parametrize("taps", [HANDSET, ROOM], ids=["handset", "room"])
@pytest.mark.parametrize("delay", [0.02, 0.08, 0.15, 0.3])
@pytest.mark.parametrize("decibels", [-12, -20, -30])
def test_an_echo_is_known_as_one(delay: float, decibels: float, taps: tuple[tuple[int, float], ...]) -> None:
    ours = voice(3.0, 1, 190)
    line = echo_of(ours, delay, decibels, taps) + line_noise(len(ours))
    assert np.mean(verdicts(ours, line)) > 0.9


@pytest.mark.parametrize("decibels", [-12, -20, -30, -90])
def test_a_person_over_the_echo_is_not_taken_for_it(decibels: float) -> None:
    ours = voice(3.0, 2, 190)
    person = voice(3.0, 3, 120) * 0.7
    assert np.mean(verdicts(ours, echo_of(ours, 0.1, decibels) + person)) < 0.05


def test_a_person_over_an_echo_whose_path_is_known_is_heard_too() -> None:
    ours, guard = voice(6.0, 2, 190), EchoGuard()
    person = np.concatenate([np.zeros(3 * SAMPLE_RATE), voice(3.0, 3, 120) * 0.4])
    found = verdicts(ours, echo_of(ours, 0.1, -15) + person + line_noise(len(ours)), guard)
    half = len(found) * 22 // 52
    assert np.mean(found[: half - 4]) > 0.9
    assert np.mean(found[half + 4 :]) < 0.1


def test_what_is_left_when_our_echo_dies_away_is_the_lines_noise() -> None:
    ours = np.concatenate([voice(2.0, 1, 190), np.zeros(SAMPLE_RATE)])
    line = echo_of(ours, 0.2, -30) + line_noise(len(ours), 30.0)
    assert all(verdicts(ours, line)[-15:])


def test_silence_and_long_after_our_voice_nothing_is_an_echo() -> None:
    guard = EchoGuard()
    assert not guard.hears_itself()
    for frame in frames(voice(0.5, 1, 190)):
        guard.sent(frame, silent=False)
    for _ in range(50):
        guard.sent(bytes(320), silent=True)
    assert not guard.possible
    assert not guard.hears_itself()
