"""The weights of `conversation/end_of_turn.py`, from the labelled turns: `python -m bench.end_of_turn_fit` prints them.

A logistic regression over every pause and end at which the models were asked, of the portions that may be learnt from.
Pauses behind a complete answer are left out: nobody can know whether more will come.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from bench.end_of_turn import FOLDER, answered, console, measure
from bench.end_of_turn_data import PORTIONS
from bench.end_of_turn_evidence import Heard
from trunkline.conversation.completeness import what_was_asked
from trunkline.conversation.end_of_turn import signs
from trunkline.ports import Transcript

LEARNT_FROM: Final = ("tuning", "once_held_out", "learnt")
_PRIOR: Final = 0.3
"""Inverse variance of the weights' prior around 0: without it, a sign that never failed would get an infinite one."""
_STEPS: Final = 30


def examples(heard: Iterable[Heard]) -> list[tuple[dict[str, float], bool]]:
    """The signs at each silence, and whether the turn was over."""
    found = []
    for one in heard:
        asked = what_was_asked(one.turn.asked)
        for silence in one.silences:
            if silence.words and (silence.resumes is None or not answered(one.turn, silence)):
                said = Transcript(silence.words, silence.confidence, silence.trails_off)
                found.append((signs(silence.finished, said, asked), silence.resumes is None))
    return found


def fit(known: Sequence[tuple[dict[str, float], bool]]) -> dict[str, float]:
    """Weight by name: the most likely ones, by Newton's method."""
    names = sorted({name for one, _ in known for name in one})
    table = np.array([[one.get(name, 0.0) for name in names] for one, _ in known])
    over = np.array([float(ended) for _, ended in known])
    weights: np.ndarray[Any, np.dtype[np.float64]] = np.zeros(len(names))
    for _ in range(_STEPS):
        probability = 1 / (1 + np.exp(-table @ weights))
        slope = table.T @ (over - probability) - _PRIOR * weights
        curvature = (table.T * (probability * (1 - probability))) @ table + _PRIOR * np.eye(len(names))
        weights = weights + np.linalg.solve(curvature, slope)
    return {name: round(float(weight), 2) for name, weight in zip(names, weights, strict=True)}


def main() -> None:
    heard = asyncio.run(measure(FOLDER, PORTIONS))
    known = examples(one for portion in LEARNT_FROM for one in heard[portion])
    console.print(f"{len(known)} pauses and ends")
    console.print_json(json.dumps(fit(known)))


if __name__ == "__main__":
    main()
