"""Where sound begins and ends, and the times between: everything the carrier reports is defined here. Pure.

Definitions (all times in seconds of one monotonic clock, resolution one sample, 0.125 ms):

*Time of a sample*: the time its RTP packet passed our socket (sent, or received by the kernel) plus its offset in the
packet. What a real phone adds on both ways, one packet of collecting and its jitter buffer, is not counted, so the
figures are what a stereo recording of the line shows.

*Audible*: a sample whose magnitude reaches the threshold (−40 dBFS), where at least 8 such samples lie within 40 ms.
That skips digital silence, comfort noise and lone clicks, and the near-silence before and after speech in audio files.
A soft consonant below the threshold makes a gap look longer, never shorter. What the person says also ends where it has
fallen 32 dB below its loudest sample: breath and room behind a word are not the word.

*Speech* of a side: from an audible sample to the last one before 200 ms without any.

*Turn gap*: last audible sample of what the person said → first audible sample of the agent's next speech. Negative
when the agent began before the person had finished.

*Barge-in stop*: first audible sample of the person who interrupts → last audible sample of the agent's speech it falls
into.
"""

from __future__ import annotations

import audioop
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trunkline.audio import FRAME_SECONDS, SAMPLE_RATE, Samples, to_samples

DENSE_SAMPLES = 8
DENSE_SECONDS = 0.04
SPEECH_HANG_SECONDS = 0.2


def magnitude_of(dbfs: float) -> int:
    """Level relative to full scale → magnitude of a 16-bit sample."""
    return round(32768 * 10 ** (dbfs / 20))


def audible_span(samples: Samples, threshold: int) -> tuple[int, int] | None:
    """First audible sample and the one after the last; `None` when nothing is audible."""
    loud = np.flatnonzero(_at_least(samples, threshold)).astype(np.float64)
    span = _dense_span(loud, DENSE_SECONDS * SAMPLE_RATE)
    return None if span is None else (int(span[0]), int(span[1]) + 1)


def _at_least(samples: Samples, threshold: int) -> NDArray[np.bool_]:
    # not abs(): the magnitude of −32768 does not fit 16 bits
    return (samples >= threshold) | (samples <= -threshold)


def _dense_span(loud: NDArray[np.float64], window: float) -> tuple[float, float] | None:
    """First and last of the loud positions that have enough company."""
    if len(loud) < DENSE_SAMPLES:
        return None
    dense = np.flatnonzero(loud[DENSE_SAMPLES - 1 :] - loud[: 1 - DENSE_SAMPLES] < window)
    if not len(dense):
        return None
    return float(loud[dense[0]]), float(loud[dense[-1] + DENSE_SAMPLES - 1])


@dataclass(frozen=True, slots=True)
class Speech:
    """A stretch in which a side was audible, in seconds."""

    began: float
    ended: float


@dataclass(slots=True)
class SpeechGate:
    """Finds speech in a stream of packets as they come, as exactly as `audible_span` does in a whole file."""

    threshold: int
    finished: list[Speech] = field(default_factory=list)
    began: float | None = None
    """Beginning of the speech that goes on now."""
    last_audible: float | None = None
    """Newest audible sample."""
    _tail: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def push(self, at: float, pcm: bytes) -> bool:
        """One packet of 16-bit audio that came at `at`. True when speech began in it (or just before)."""
        self.settle(at)
        if not pcm or audioop.max(pcm, 2) < self.threshold:  # most packets; 0.2 µs instead of 10
            return False
        loud = np.flatnonzero(_at_least(to_samples(pcm), self.threshold))
        if not len(loud):
            return False
        times = np.concatenate((self._tail, at + loud / SAMPLE_RATE))
        self._tail = times[times > times[-1] - DENSE_SECONDS]
        span = _dense_span(times, DENSE_SECONDS)
        if span is None:
            return False
        # Packets that come in a burst overlap in time; the newest audible sample never goes back.
        self.last_audible = span[1] if self.last_audible is None else max(span[1], self.last_audible)
        if self.began is not None:
            return False
        self.began = span[0]
        return True

    def settle(self, now: float) -> bool:
        """Close the current speech if it has been silent long enough by `now`. True when it was."""
        if self.began is None or self.last_audible is None or now - self.last_audible < SPEECH_HANG_SECONDS:
            return False
        self.finished.append(Speech(self.began, self.last_audible))
        self.began = None
        self._tail = np.empty(0)
        return True

    def speech(self) -> list[Speech]:
        """All speech so far, the current one included."""
        if self.began is None or self.last_audible is None:
            return list(self.finished)
        return [*self.finished, Speech(self.began, self.last_audible)]


@dataclass(frozen=True, slots=True)
class TurnTimes:
    """What followed one utterance of the person; seconds, gaps in milliseconds."""

    gap_ms: float | None
    reply: Speech | None
    """From the agent's first audible sample to its last one before the person spoke again."""
    stop_ms: float | None
    """Barge-in stop, where the person began while the agent spoke."""


def turn_times(said: Sequence[Speech], heard: Sequence[Speech]) -> list[TurnTimes]:
    """Times of every utterance in `said` against the agent's speech in `heard`, both in order."""
    turns = []
    for number, utterance in enumerate(said):
        until = said[number + 1].began if number + 1 < len(said) else float("inf")
        cut = next((s for s in heard if s.began < utterance.began < s.ended + FRAME_SECONDS), None)
        replies = [s for s in heard if utterance.began <= s.began < until]
        reply = Speech(replies[0].began, replies[-1].ended) if replies else None
        turns.append(
            TurnTimes(
                gap_ms=None if reply is None else milliseconds(reply.began - utterance.ended),
                reply=reply,
                stop_ms=None if cut is None else milliseconds(max(0.0, cut.ended - utterance.began)),
            )
        )
    return turns


def milliseconds(seconds: float) -> float:
    """Seconds to milliseconds, to the tenth."""
    return round(seconds * 1000, 1)
