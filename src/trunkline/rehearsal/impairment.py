"""A bad line on its way from the person to the agent: noise, echo, loss and jitter, one 20 ms frame at a time.

Everything that is random is drawn from one seed in the order of the frames, so a call can be played again. What a frame
costs is two G.711 conversions and a sum (about 10 µs with all of it switched on).
"""

from __future__ import annotations

import audioop
import random
from dataclasses import dataclass, field

import numpy as np

from trunkline.audio import FRAME_BYTES, FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_BYTES, SAMPLE_RATE, Samples, to_samples
from trunkline.rehearsal import rtp
from trunkline.rehearsal.line_conditions import EchoTap, LineConditions

NOISE_SECONDS = 20.0
"""Noise repeats after this; nobody hears it."""
SPEECH_RMS = 32768 * 10 ** (-26 / 20)
"""Level of speech on a telephone (−26 dBov, ITU-T P.56), where nothing tells another."""
DRIFT_SAMPLES = round(0.06 * SAMPLE_RATE)
"""The agent's packets are joined without gaps while they come within this of where they belong."""


@dataclass(slots=True)
class EchoPath:
    """The agent's own voice as it comes back: delayed, weaker, perhaps in several ways at once."""

    taps: tuple[EchoTap, ...]
    _line: Samples = field(default_factory=lambda: np.zeros(2 * SAMPLE_RATE, dtype=np.int16))
    """What the agent said, by sample number modulo its length."""
    _next: int = 0
    """Sample number at which the agent's next packet belongs."""
    _read: int = 0
    """Sample number at which the next frame begins. Both clocks count samples: following every late packet and every
    late tick would tear the echo to pieces."""

    def heard(self, at: float, pcm: bytes) -> None:
        """A packet of the agent arrived at `at`."""
        samples = to_samples(pcm)
        place = round(at * SAMPLE_RATE)
        if abs(place - self._next) > DRIFT_SAMPLES:
            self._write(self._next, np.zeros(min(max(0, place - self._next), len(self._line)), dtype=np.int16))
            self._next = place
        self._write(self._next, samples)
        self._next += len(samples)

    def frame(self, now: float) -> bytes:
        """What comes back in the 20 ms from `now` on."""
        total = np.zeros(FRAME_SAMPLES)
        if abs(round(now * SAMPLE_RATE) - self._read) > DRIFT_SAMPLES:
            self._read = round(now * SAMPLE_RATE)
        begins, self._read = self._read, self._read + FRAME_SAMPLES
        for tap in self.taps:
            first = begins - round(tap.delay_ms / 1000 * SAMPLE_RATE)
            places = np.arange(first, first + FRAME_SAMPLES)
            known = (places < self._next) & (places >= self._next - len(self._line))
            total += np.where(known, self._line[places % len(self._line)], 0) * 10 ** (tap.db / 20)
        return np.clip(total, -32768, 32767).astype("<i2").tobytes()

    def _write(self, place: int, samples: Samples) -> None:
        self._line[np.arange(place, place + len(samples)) % len(self._line)] = samples


@dataclass(slots=True)
class Impairment:
    """One call's line. `noise`: 16-bit audio that is repeated, as loud as it is to be; empty: none."""

    conditions: LineConditions
    codec: str
    noise: bytes = b""
    _echo: EchoPath | None = field(init=False)
    _random: random.Random = field(init=False)
    _at: int = 0
    _free_at: float = 0.0
    lost: int = 0
    """Packets that were swallowed."""

    def __post_init__(self) -> None:
        self._echo = EchoPath(self.conditions.echo) if self.conditions.echo else None
        self._random = random.Random(self.conditions.seed)

    def heard(self, at: float, pcm: bytes) -> None:
        """16-bit audio of the agent that arrived at `at` (seconds)."""
        if self._echo is not None:
            self._echo.heard(at, pcm)

    def shape(self, payload: bytes, now: float) -> bytes:
        """What becomes of a frame of the person that is sent now."""
        if self._echo is None and not self.noise:
            return payload
        pcm = rtp.decode(payload, self.codec)
        if self.noise:
            pcm = audioop.add(pcm, self.noise[self._at : self._at + FRAME_BYTES], SAMPLE_BYTES)
            self._at = (self._at + FRAME_BYTES) % len(self.noise)
        if self._echo is not None:
            pcm = audioop.add(pcm, self._echo.frame(now), SAMPLE_BYTES)
        return rtp.encode(pcm, self.codec)

    def delay(self, now: float) -> float | None:
        """Seconds by which the packet sent now is late; `None`: it is lost. Packets stay in their order."""
        conditions = self.conditions
        if conditions.loss_percent and self._random.random() * 100 < conditions.loss_percent:
            self.lost += 1
            return None
        if not conditions.jitter_ms:
            return 0.0
        self._free_at = max(self._free_at, now + self._random.random() * conditions.jitter_ms / 1000)
        return self._free_at - now


def speech_rms(clips: list[bytes]) -> float:
    """Level of what a person says, pauses left out: of the frames within 25 dB of the loudest (like ITU-T P.56)."""
    levels = [
        audioop.rms(pcm[start : start + FRAME_BYTES], SAMPLE_BYTES)
        for pcm in clips
        for start in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES)
    ]
    active = [level for level in levels if level and level >= max(levels) * 10 ** (-25 / 20)]
    return float(np.sqrt(np.mean(np.square(active)))) if active else SPEECH_RMS


def white_noise(seconds: float, seed: int) -> bytes:
    """16-bit Gaussian noise of any level, whole frames."""
    count = round(seconds / FRAME_SECONDS) * FRAME_SAMPLES
    return (np.random.default_rng(seed).standard_normal(count) * 3000).clip(-32768, 32767).astype("<i2").tobytes()


def babble(voices: list[bytes], seconds: float, seed: int, layers: int = 6) -> bytes:
    """Many talking at once: `voices` in random order, several layers deep; whole frames."""
    count = round(seconds / FRAME_SECONDS) * FRAME_SAMPLES
    total = np.zeros(count)
    order = random.Random(seed)
    for _ in range(layers):
        talk = to_samples(b"".join(order.sample(voices, len(voices))))
        total += np.roll(np.resize(talk, count), order.randrange(count))  # no two begin together
    loudest = float(np.abs(total).max()) or 1.0
    return (total * (20000 / loudest)).astype("<i2").tobytes()


def at_level(noise: bytes, rms: float) -> bytes:
    """As loud as that."""
    own = audioop.rms(noise, SAMPLE_BYTES)
    return audioop.mul(noise, SAMPLE_BYTES, rms / own) if own else noise
