"""Many people on the telephone at once, as columns of tables: what each says and hears, moment by moment. Pure.

    LISTENING ──agent has spoken and is silent──▶ SPEAKING ──said──▶ WAITING ──agent speaks──▶ LISTENING
                                                     ▲                  │
                                                     └──────patience────┘

Sound is judged as in `trunkline.rehearsal.measurement` (8 samples at −40 dB of full scale), but packet by packet.
"""

from __future__ import annotations

import audioop
import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.concurrency.rtp_wire import ADDRESS, PACKET, Received
from trunkline.audio import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, to_samples
from trunkline.rehearsal import rtp
from trunkline.rehearsal.clip import Clip
from trunkline.rehearsal.measurement import magnitude_of
from trunkline.rehearsal.reception import EARLY_SECONDS, GAP_SECONDS

GROUPS: Final = 4
"""People who send at the same moment; the groups follow each other by 5 ms, as real lines have no common clock."""
AUDIBLE: Final = magnitude_of(-40)
ENOUGH_SAMPLES: Final = 8
SILENT_SECONDS: Final = 0.2
"""Silence after which sound is a new onset."""
PATIENCE_SECONDS: Final = 5.0
PAUSE_SECONDS: Final = (0.6, 1.4)
"""How long people think before they speak."""
_MARKER: Final = 0x80
"""On the first packet of a stream, with payload type 0, PCMU (RFC 3551 §4.1)."""
_LOUD: Final = np.abs(to_samples(audioop.ulaw2lin(bytes(range(256)), 2)).astype(np.int32)) >= AUDIBLE
"""By µ-law byte."""


class State(enum.IntEnum):
    LISTENING = 0
    SPEAKING = 1
    WAITING = 2


class Repertoire:
    """What people say, as tables of frames; between it `noise`, a stretch of the line's background."""

    def __init__(self, clips: Sequence[Clip], noise: bytes) -> None:
        self.frames = np.zeros((len(clips), max(len(clip.ulaw) for clip in clips), FRAME_SAMPLES), np.uint8)
        self.lengths = np.array([len(clip.ulaw) for clip in clips])
        self.ends = np.zeros(len(clips), np.intp)
        """Samples up to the last audible one."""
        for number, clip in enumerate(clips):
            span = clip.audible(AUDIBLE)
            if span is None:
                raise ValueError(f"nothing is heard of {clip.text!r}")
            self.ends[number] = span[1]
            self.frames[number, : len(clip.ulaw)] = np.frombuffer(b"".join(clip.ulaw), np.uint8).reshape(
                -1, FRAME_SAMPLES
            )
        coded = rtp.encode(noise, "ulaw")
        self.noise = np.frombuffer(coded, np.uint8)[: len(coded) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(
            -1, FRAME_SAMPLES
        )


@dataclass(slots=True)
class Account:
    """What was measured since it was opened, over all lines."""

    packets: int = 0
    lost: int = 0
    late: int = 0
    """Frames that weren't there when they were due: 20 ms each beyond the first of a pause of more than 40 ms."""
    bursts: int = 0
    """Packets that came less than 5 ms after the one before."""
    unanswered: int = 0
    cut_in: int = 0
    """Times the agent began to speak before the person had finished."""
    unsent: int = 0


class Crowd:
    """`size` lines. Times are seconds of any one clock."""

    def __init__(self, repertoire: Repertoire, size: int, seed: int = 1) -> None:
        self._repertoire = repertoire
        self._chance = np.random.default_rng(seed)
        self._free = list(range(size))[::-1]
        self._line_of_port = np.full(65536, -1, np.int32)
        self._port = np.zeros(size, np.int32)
        self._address = np.zeros(size, ADDRESS)
        self._active = np.zeros(size, bool)
        # what is sent
        self._header = np.zeros(size, PACKET)
        self._state = np.zeros(size, np.int8)
        self._clip = np.zeros(size, np.intp)
        self._position = np.zeros(size, np.intp)
        self._tick = self._chance.integers(0, len(repertoire.noise), size)
        self._pause = np.zeros(size)
        self._said = np.zeros(size)
        """When the last audible sample of what was said went out."""
        # what is received
        self._sequence = np.full(size, -1, np.int64)
        self._arrival = np.zeros(size)
        self._audible = np.full(size, -np.inf)
        """When the agent's last audible sample came."""
        self.account = Account()
        self.gaps: list[float] = []
        """Turn gaps, in seconds."""

    @property
    def active(self) -> int:
        return int(self._active.sum())

    def open_account(self) -> None:
        """Measure from now on."""
        self.account, self.gaps = Account(), []

    def join(self, address: NDArray[np.void]) -> int:
        """A call has been answered; its RTP is sent to `address` and comes from there. Returns its line."""
        line = self._free.pop()
        port = int(address["port"])
        self._port[line], self._address[line] = port, address
        self._line_of_port[port] = line
        self._header[line] = (0x80, _MARKER, *self._chance.integers(0, 1 << 15, 3).tolist(), 0)
        self._state[line], self._sequence[line], self._audible[line] = State.LISTENING, -1, -np.inf
        self._pause[line] = self._chance.uniform(*PAUSE_SECONDS)
        self._active[line] = True
        return line

    def leave(self, line: int) -> None:
        self._active[line] = False
        self._line_of_port[self._port[line]] = -1
        self._free.append(line)

    # ── speaking ───────────────────────────────────────────────────────────────────────────────────────────────

    def speak(self, group: int, now: float) -> tuple[NDArray[np.void], NDArray[np.void]]:
        """The packets that the group sends now, every 20 ms, and where they go."""
        lines = np.flatnonzero(self._active[group::GROUPS]) * GROUPS + group
        self._decide(lines, now)
        packets = self._header[lines]
        packets["payload"] = self._repertoire.noise[self._tick[lines]]
        speaking = np.flatnonzero(self._state[lines] == State.SPEAKING)
        if len(speaking):
            packets["payload"][speaking] = self._say(lines[speaking], now)
        self._tick[lines] = (self._tick[lines] + 1) % len(self._repertoire.noise)
        self._header["sequence"][lines] += 1
        self._header["timestamp"][lines] += FRAME_SAMPLES
        self._header["type"][lines] = 0
        return packets, self._address[lines]

    def _decide(self, lines: NDArray[np.intp], now: float) -> None:
        state = self._state[lines]
        turn = (state == State.LISTENING) & (now - self._audible[lines] > self._pause[lines])
        turn &= np.isfinite(self._audible[lines])
        tired = (state == State.WAITING) & (now - self._said[lines] > PATIENCE_SECONDS)
        self.account.unanswered += int(tired.sum())
        if (turn | tired).any():
            begin = lines[turn | tired]
            self._state[begin], self._position[begin] = State.SPEAKING, 0
            self._clip[begin] = self._chance.integers(0, len(self._repertoire.lengths), len(begin))
            self._pause[begin] = self._chance.uniform(*PAUSE_SECONDS, len(begin))

    def _say(self, lines: NDArray[np.intp], now: float) -> NDArray[np.uint8]:
        clip, position = self._clip[lines], self._position[lines]
        rest = self._repertoire.ends[clip] - position * FRAME_SAMPLES
        ending = (rest > 0) & (rest <= FRAME_SAMPLES)
        self._said[lines[ending]] = now + rest[ending] / SAMPLE_RATE
        self._position[lines] = position + 1
        self._state[lines[position + 1 >= self._repertoire.lengths[clip]]] = State.WAITING
        return self._repertoire.frames[clip, position]

    # ── hearing ────────────────────────────────────────────────────────────────────────────────────────────────

    def hear(self, received: Received) -> None:
        """What came, in order."""
        lines = self._line_of_port[received.source_ports]
        rest = np.flatnonzero(lines >= 0)
        while len(rest):
            # One packet of each line at a time; hardly ever are there two.
            _, first = np.unique(lines[rest], return_index=True)
            now = rest[first]
            self._hear(lines[now], received.packets[now], received.arrivals[now])
            rest = np.delete(rest, first)

    def _hear(self, lines: NDArray[np.int32], packets: NDArray[np.void], arrivals: NDArray[np.float64]) -> None:
        self._count(lines, packets["sequence"].astype(np.int64), arrivals)
        loud = _LOUD[packets["payload"]]
        audible = np.flatnonzero(loud.sum(axis=1) >= ENOUGH_SAMPLES)
        if not len(audible):
            return
        loud, lines, arrivals = loud[audible], lines[audible], arrivals[audible]
        onset = arrivals + loud.argmax(axis=1) / SAMPLE_RATE
        new = onset - self._audible[lines] > SILENT_SECONDS
        self._audible[lines] = arrivals + (FRAME_SAMPLES - 1 - loud[:, ::-1].argmax(axis=1)) / SAMPLE_RATE
        if new.any():
            self._begins(lines[new], onset[new])

    def _begins(self, lines: NDArray[np.int32], onset: NDArray[np.float64]) -> None:
        """The agent begins to speak on these lines."""
        waiting = self._state[lines] == State.WAITING
        self.gaps += (onset - self._said[lines])[waiting].tolist()
        self._state[lines[waiting]] = State.LISTENING
        self.account.cut_in += int((self._state[lines] == State.SPEAKING).sum())

    def _count(self, lines: NDArray[np.int32], sequence: NDArray[np.int64], arrivals: NDArray[np.float64]) -> None:
        known = self._sequence[lines] >= 0
        step = (sequence - self._sequence[lines]) & 0xFFFF
        since = arrivals - self._arrival[lines]
        account = self.account
        account.packets += len(lines)
        account.lost += int((step - 1)[known & (step > 1) & (step < 0x8000)].sum())
        late = known & (since > GAP_SECONDS)
        account.late += int((np.rint(since[late] / FRAME_SECONDS) - 1).sum())
        account.bursts += int((known & (since < EARLY_SECONDS)).sum())
        self._sequence[lines], self._arrival[lines] = sequence, arrivals
