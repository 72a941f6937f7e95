"""What is kept about dialling: attempts, the do-not-call list, the switch, refusals. As a Protocol, with its words."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from trunkline.models import CallId

STOP_CALLING: Final = "do-not-call"
"""Kind of a brain's note that puts the person's number on the do-not-call list."""


class Purpose(enum.StrEnum):
    """Why a number is dialled."""

    CALL = "call"
    TRANSFER = "transfer"
    TEST = "test"
    """The doctor's own call."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A number that is about to be dialled (E.164). `cost`: the most it can cost, in the currency of the settings."""

    at: datetime
    number: str
    cost: float = 0.0
    call_id: CallId | None = None


@dataclass(frozen=True, slots=True)
class Caps:
    """Most of what may happen since `since`; `None`: any amount."""

    since: datetime
    to_number: int | None = None
    attempts: int | None = None
    cost: float | None = None


class Cap(enum.StrEnum):
    """Which of them an attempt would exceed."""

    TO_NUMBER = "to-number"
    ATTEMPTS = "attempts"
    COST = "cost"


@dataclass(frozen=True, slots=True)
class Usage:
    attempts: int
    cost: float


@dataclass(frozen=True, slots=True)
class Unwanted:
    """A number (E.164) on the do-not-call list."""

    number: str
    at: datetime
    why: str
    """As `asked on call 6f1c…` or `imported`."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Nobody is called."""

    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A number that was not dialled, and why."""

    at: datetime
    number: str
    """Masked, and so are the numbers in `message`: nobody who was not called has to be kept."""
    purpose: Purpose
    code: str
    message: str
    id: int = 0
    """1, 2, 3 … in the order they happened."""


class Ledger(Protocol):
    """Every method returns when the data is safe from the process's death. Raises `StoreError`."""

    async def reserve(self, attempt: Attempt, caps: Caps) -> Cap | None:
        """Keep the attempt if it exceeds nothing: counted and kept at once, so that two never share the last place."""

    async def settle(self, call_id: CallId, cost: float) -> None:
        """What a call did cost."""

    async def usage(self, since: datetime) -> Usage: ...

    async def put_on_list(self, numbers: Iterable[Unwanted]) -> int:
        """How many were not on it. An earlier entry stays as it is."""

    async def take_off_list(self, number: str) -> bool:
        """Whether it was on it."""

    async def unwanted(self, number: str) -> Unwanted | None: ...

    async def list_unwanted(self, *, limit: int, after: str = "") -> list[Unwanted]:
        """In the order of the numbers, those behind `after`."""

    async def stop(self) -> Stop | None:
        """Whether somebody has stopped all dialling."""

    async def set_stop(self, stop: Stop | None) -> None: ...

    async def note_refusal(self, refusal: Refusal) -> None:
        """Only the last ten thousand are kept."""

    async def refusals(self, *, limit: int, before: int | None = None, number: str | None = None) -> list[Refusal]:
        """Newest first."""
