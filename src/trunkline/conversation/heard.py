"""What the person did in a turn, as far as it is known."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from trunkline.conversation.answering import drop
from trunkline.conversation.ear import Utterance
from trunkline.conversation.speaking import Answer
from trunkline.ports import BrainSession, Transcript


@dataclass(slots=True)
class Guess:
    """What a turn is if it is over now: its words, and perhaps an answer that is being made already."""

    utterance: Utterance
    words: asyncio.Task[Transcript]
    finished: asyncio.Task[float] | None = None
    """Whether it sounds finished, 0 to 1."""
    known_at: float | None = None
    """When the words were known."""
    answer: Answer | None = None
    mind: BrainSession | None = None
    """The brain's state behind that answer; `None`: it has no answer yet."""
    notes: tuple[str, ...] = ()
    """What the brain was told beside it."""

    def drop(self) -> None:
        """It was wrong."""
        drop(self.words)
        if self.finished is not None:
            drop(self.finished)
        if self.answer is not None and self.answer.thinking is not None:
            drop(self.answer.thinking)


@dataclass(frozen=True, slots=True)
class Keyed:
    """A turn in keys."""

    keys: str
    since: float
    """When the first one was pressed."""
    at: float


@dataclass(frozen=True, slots=True)
class Key:
    """One key, not yet known to be a turn."""

    digit: str
    at: float


class Silent:
    """A turn in which nothing was said for too long."""
