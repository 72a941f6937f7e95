"""The people of the bench: labelled turns of `end_of_turn.yaml`, a few to a call, as scenarios for the carrier."""

from __future__ import annotations

import itertools
import json
import wave
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.end_of_turn_data import LEAD_SECONDS, LabelledTurn
from trunkline.audio import SAMPLE_BYTES, SAMPLE_RATE, bytes_of

AROUND_SECONDS: Final = 0.1
"""Line noise kept on both sides of what is said."""
STARTS: Final = LEAD_SECONDS - AROUND_SECONDS
"""Second of a turn's audio at which its file begins."""
REACTIONS: Final = (250, 330, 410, 570)
"""Milliseconds of the agent's silence after which people begin to speak, in turn."""


@dataclass(frozen=True, slots=True)
class Person:
    """One call: what is said in it, one turn after the other."""

    number: str
    turns: Sequence[LabelledTurn]
    scenario: Path

    @property
    def questions(self) -> list[str]:
        return [turn.asked for turn in self.turns]


def people(turns: Iterable[LabelledTurn], folder: Path, calls: int, per_call: int) -> list[Person]:
    """`calls` scenarios in `folder`; turns are said once, then again from the first."""
    turns = list(turns)
    # Neighbours in the file are alike: each call gets some from all over.
    step = max(len(turns) // per_call, 1)
    mixed = [turns[i] for first in range(step) for i in range(first, len(turns), step)]
    endless = itertools.cycle(mixed)
    folder.mkdir(parents=True, exist_ok=True)
    return [_person(folder, number, list(itertools.islice(endless, per_call))) for number in range(1, calls + 1)]


def _person(folder: Path, number: int, turns: list[LabelledTurn]) -> Person:
    steps: list[object] = []
    for place, turn in enumerate(turns):
        file = folder / f"{turn.name}.wav"
        _write(file, turn)
        steps.append({"wait_for_agent": {"silence_ms": REACTIONS[(number + place) % len(REACTIONS)]}})
        steps.append({"wav": file.name, "text": turn.text})
    scenario, called = folder / f"person-{number:03}.yaml", f"+1415555{number:04}"
    content = {
        "name": f"person {number}",
        "numbers": [called],
        "phone": {"rings_ms": 300},
        "steps": [*steps, "wait_for_agent"],
    }
    scenario.write_text(json.dumps(content), encoding="utf-8")
    return Person(called, turns, scenario)


def _write(file: Path, turn: LabelledTurn) -> None:
    pcm = turn.audio[bytes_of(STARTS) : bytes_of(turn.ends + AROUND_SECONDS)]
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(SAMPLE_BYTES)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(pcm)
