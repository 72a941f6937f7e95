"""When nothing that is said or keyed may be kept: a card number, say."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable


class Asker(enum.Enum):
    """Who asked for it."""

    BRAIN = enum.auto()
    OPERATOR = enum.auto()


class Discretion:
    """While it is on, what is said reaches nobody but the brain, and the brain only if it asked for that itself."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: the media clock's time, in seconds."""
        self._now = now
        self._asked: set[Asker] = set()
        self._until = self._brains_until = -math.inf

    @property
    def on(self) -> bool:
        return bool(self._asked)

    @property
    def of_operator(self) -> bool:
        return Asker.OPERATOR in self._asked

    def begin(self, asker: Asker) -> None:
        """From now on."""
        self._asked.add(asker)

    def end(self, asker: Asker) -> None:
        """What `asker` began is over; an operator ends what the brain began as well."""
        was_on, was_brains = self.on, Asker.BRAIN in self._asked
        self._asked -= {asker} if asker is Asker.BRAIN else set(Asker)
        if was_on and not self.on:
            self._until = self._now()
        if was_brains and Asker.BRAIN not in self._asked:
            self._brains_until = self._now()

    def covers(self, since: float) -> bool:
        """Whether what began then and has just ended may not be kept."""
        return self.on or since < self._until

    def hides(self, since: float) -> bool:
        """Whether the brain isn't told of it either."""
        return self.covers(since) and Asker.BRAIN not in self._asked and since >= self._brains_until
