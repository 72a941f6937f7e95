"""Both directions of a call as one stereo WAV on the carrier's clock: left the person, right the agent."""

from __future__ import annotations

import wave
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from trunkline.audio import FRAME_SAMPLES, SAMPLE_RATE, Samples, to_samples
from trunkline.rehearsal import rtp
from trunkline.rehearsal.reception import PacketLog

DRIFT_SECONDS = 0.06
"""A packet this far from where its stream's timestamps put it begins a new place: a pause, a stall, a burst."""


def write_stereo(file: Path, person: Samples, agent: Samples) -> None:
    """Blocking; for a thread. The shorter side is filled up with silence."""
    both = np.zeros((max(len(person), len(agent)), 2), dtype="<i2")
    both[: len(person), 0] = person
    both[: len(agent), 1] = agent
    with wave.open(str(file), "wb") as wav:
        wav.setnchannels(2)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE)
        wav.writeframes(both.tobytes())


def lay_out_sent(sent: Iterable[tuple[float, bytes | None]], codec: str, *, start: float, end: float) -> Samples:
    """The person's side. Wake-ups of this side jitter by a millisecond: frames are joined while they drift less."""
    ticks = enumerate(sent)
    rows = ((at, (0, n * FRAME_SAMPLES), payload) for n, (at, payload) in ticks if payload is not None)
    return _lay_out(rows, codec, start, end)


def lay_out_received(log: PacketLog, codec: str, *, start: float, end: float) -> Samples:
    """The agent's side, each run of packets in the place its packets arrived at on average."""
    rows = zip(log.arrival, zip(log.ssrc, log.timestamp, strict=True), log.payloads, strict=True)
    return _lay_out(rows, codec, start, end)


Row = tuple[float, tuple[int, int], bytes]
"""(time, (ssrc, timestamp), payload)."""


def _lay_out(rows: Iterable[Row], codec: str, start: float, end: float) -> Samples:
    line = np.zeros(max(0, round((end - start) * SAMPLE_RATE)), dtype=np.int16)
    for run in _runs(rows):
        # The median keeps a single late packet from moving the whole run.
        offset = float(np.median([at - place for at, place, _ in run]))
        for _, place, payload in run:
            samples = to_samples(rtp.decode(payload, codec))
            first = round((place + offset - start) * SAMPLE_RATE)
            room = line[max(0, first) : max(0, first + len(samples))]
            skip = max(0, -first)
            room[:] = samples[skip : skip + len(room)]
    return line


def _runs(rows: Iterable[Row]) -> Iterator[list[tuple[float, float, bytes]]]:
    """Stretches in which arrival and timestamps agree, as (time, place by timestamp in seconds, payload)."""
    run: list[tuple[float, float, bytes]] = []
    last: tuple[int, int] | None = None
    place = drift = 0.0
    for at, stamp, payload in rows:
        ssrc, timestamp = last or stamp
        place += ((stamp[1] - timestamp + 0x80000000) % 0x100000000 - 0x80000000) / SAMPLE_RATE
        changed, last = stamp[0] != ssrc, stamp
        if run and (changed or abs(at - place - drift) > DRIFT_SECONDS):
            yield run
            run = []
        if not run:
            place, drift = 0.0, at
        run.append((at, place, payload))
    if run:
        yield run
