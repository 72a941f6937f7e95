"""Whether both sides of a call were heard, in words: what the agent said as recognised from the far end's recording,
what the person said as it stands in the service's transcript.
"""

from __future__ import annotations

import asyncio
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from trunkline.audio import SAMPLE_BYTES, SAMPLE_RATE
from trunkline.ports import SpeechToText
from trunkline.rehearsal.words import share_heard

LEAST_AGENT, LEAST_PERSON = 0.90, 0.85
"""Shares of words that have to arrive."""
PIECE_SECONDS = 8.0
"""The agent's side is recognised in pieces about this long, cut where it is silent."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """Shares of words that arrived, 0 to 1, and the turns that count as understood."""

    agent: float
    person: float
    understood: int
    """Turns of the person of which at least two thirds of the words arrived."""

    @property
    def complaints(self) -> list[str]:
        """Why this can't count as a conversation that was heard."""
        found = []
        if self.agent < LEAST_AGENT:
            found.append(f"Only {self.agent:.0%} of the agent's words arrived at the far end.")
        if self.person < LEAST_PERSON:
            found.append(f"Only {self.person:.0%} of the person's words stand in the transcript.")
        return found


async def hearing(
    call: dict[str, Any], report: dict[str, Any], recording: Path, speech_to_text: SpeechToText
) -> Hearing:
    """`call` as in `GET /calls/{id}`, `report` and `recording` as the stand-in carrier wrote them."""
    spoken = " ".join(turn["text"] for turn in call["turns"] if turn["speaker"] == "agent")
    recognised = [(await speech_to_text.transcribe(piece)).text for piece in _pieces(_agent_side(recording))]
    turns = [turn["text"] for turn in report["turns"]]
    transcript = [turn["text"] for turn in call["turns"] if turn["speaker"] == "person"]
    return Hearing(
        agent=share_heard(spoken, " ".join(recognised)),
        person=share_heard(" ".join(turns), " ".join(transcript)),
        understood=sum(share_heard(said, known) >= 2 / 3 for said, known in zip(turns, transcript, strict=False)),
    )


async def agent_words(recording: Path, borders: Sequence[float], speech_to_text: SpeechToText) -> tuple[str, ...]:
    """What the agent says before the first border, between the first and the second, …, after the last.

    `borders`: seconds in the recording, in order. Raises as `SpeechToText.transcribe`.
    """
    samples = await asyncio.to_thread(_agent_side, recording)
    places = [0, *(round(border * SAMPLE_RATE) for border in borders), len(samples)]
    found = []
    for first, last in pairwise(places):
        texts = [(await speech_to_text.transcribe(piece)).text for piece in _pieces(samples[first:last])]
        found.append(" ".join(text for text in texts if text))
    return tuple(found)


def _agent_side(recording: Path) -> np.ndarray[Any, np.dtype[np.int16]]:
    with wave.open(str(recording), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return samples.reshape(-1, 2)[:, 1]


def _pieces(samples: np.ndarray[Any, np.dtype[np.int16]]) -> Sequence[bytes]:
    """Cut in silences of at least 0.3 s; stretches of silence are left out."""
    block = SAMPLE_RATE // 50
    count = len(samples) // block
    loud = np.abs(samples[: count * block].reshape(count, block).astype(np.int32)).max(axis=1) > 400
    pieces: list[bytes] = []
    start: int | None = None
    quiet = 0
    for index, sounding in enumerate([*loud, *[False] * 20]):
        if sounding:
            start = max(index - 10, 0) if start is None else start
            quiet = 0
            continue
        quiet += 1
        if start is not None and quiet >= 15 and (index - start) * 0.02 >= PIECE_SECONDS - 5 * (quiet >= 40):
            pieces.append(samples[start * block : min(index, count) * block].astype("<i2").tobytes())
            start = None
    if start is not None:
        pieces.append(samples[start * block :].astype("<i2").tobytes())
    return [piece for piece in pieces if len(piece) >= SAMPLE_RATE * SAMPLE_BYTES // 5]
