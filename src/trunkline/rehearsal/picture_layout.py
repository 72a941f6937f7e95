"""Where everything in the picture of a call goes: rows of time, and the words beside their waveforms.

All lengths are points (1/72 inch), y downwards. Nothing is drawn here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from trunkline.models import Speaker, Turn

PAGE: Final = 940.0
"""Width of the page."""
LEFT: Final = 74.0
RIGHT: Final = PAGE - 26.0
LANE: Final = 62.0
"""Height of one side's waveform."""
BETWEEN: Final = 32.0
"""Between the waveforms: room for the turn gaps."""
LINE: Final = 15.0
FOOT: Final = 52.0
"""Below the agent's words: the time axis and what happened."""

LONGEST_ROW: Final = 48.0
"""Seconds; more in a row and the words have no room."""
_SHORTEST_ROW: Final = 12.0
_NARROWEST: Final = 92.0
_SPACE: Final = 9.0

Ruler = Callable[[str], float]
"""Width of words as they will be drawn."""


@dataclass(frozen=True, slots=True)
class Box:
    """A turn's words: `left` and `width` on the page, `level` their distance from the waveform."""

    turn: Turn
    lines: tuple[str, ...]
    left: float
    width: float
    level: float = 0.0

    @property
    def height(self) -> float:
        return len(self.lines) * LINE + 5

    def beside(self, other: Box) -> bool:
        """Is there space between them from left to right?"""
        return self.left >= other.left + other.width + _SPACE or self.left + self.width + _SPACE <= other.left


@dataclass(frozen=True, slots=True)
class Row:
    """A stretch of the call in seconds, and the words that begin in it."""

    start: float
    end: float
    per_second: float
    boxes: tuple[Box, ...]

    def x(self, seconds: float) -> float:
        return LEFT + (min(max(seconds, self.start), self.end) - self.start) * self.per_second

    def reach(self, speaker: Speaker) -> float:
        """Height of that side's words."""
        return max((box.level + box.height for box in self.boxes if box.turn.speaker is speaker), default=0.0) + 8

    @property
    def height(self) -> float:
        return self.reach(Speaker.PERSON) + self.reach(Speaker.AGENT) + 2 * LANE + BETWEEN + FOOT


def lay_out(turns: Sequence[Turn], length: float, ruler: Ruler) -> list[Row]:
    """Rows of about equal length that begin where a turn begins."""
    number = int(np.ceil(length / LONGEST_ROW))
    borders = [0.0]
    for row in range(1, number):
        ideal = length * row / number
        begins = [turn.started - 0.2 for turn in turns if abs(turn.started - ideal) < length / number / 4]
        borders.append(min(begins, key=lambda at: abs(at - ideal), default=ideal))
    borders.append(length)
    longest = max(end - start for start, end in pairwise(borders))
    per_second = (RIGHT - LEFT) / max(longest, _SHORTEST_ROW)
    rows = []
    for start, end in pairwise(borders):
        begun = [turn for turn in turns if start <= turn.started < end or turn.started == end == length]
        boxes = [
            box
            for speaker in Speaker
            for box in _boxes([turn for turn in begun if turn.speaker is speaker], start, per_second, ruler)
        ]
        rows.append(Row(start, end, per_second, tuple(boxes)))
    return rows


def words_of(turn: Turn) -> str:
    """What is printed of a turn."""
    words = turn.text or ("" if turn.keys else "…")
    return f"{words}{f' [keys {turn.keys}]' if turn.keys else ''}{' – interrupted' if turn.cut_off else ''}".strip()


def wrap(text: str, width: float, ruler: Ruler) -> tuple[str, ...]:
    """Lines no wider than `width`, unless a single word is."""
    lines: list[str] = []
    for word in text.split():
        if lines and ruler(f"{lines[-1]} {word}") <= width:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return tuple(lines)


def _boxes(turns: Sequence[Turn], start: float, per_second: float, ruler: Ruler) -> list[Box]:
    """Words of one side, each from its turn's beginning up to the next one's; further out where that is too narrow."""
    beginnings = [LEFT + (turn.started - start) * per_second for turn in turns]
    placed: list[Box] = []
    for turn, begins, ends in zip(turns, beginnings, [*beginnings[1:], RIGHT], strict=False):
        words = words_of(turn)
        lines = wrap(words, max(ends - begins - _SPACE, min(ruler(words), _NARROWEST)), ruler)
        width = max(ruler(line) for line in lines)
        box = Box(turn, lines, max(LEFT, min(begins, RIGHT - width)), width)
        in_the_way = [other for other in placed if not box.beside(other)]
        for other in sorted(in_the_way, key=lambda other: other.level):
            if other.level < box.level + box.height and box.level < other.level + other.height:
                box = Box(turn, lines, box.left, width, other.level + other.height)
        placed.append(box)
    return placed
