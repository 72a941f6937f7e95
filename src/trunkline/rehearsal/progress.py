"""What a watcher of a rehearsal sees while it happens. Times in seconds since the answer."""

from __future__ import annotations

from dataclasses import dataclass

from trunkline.rehearsal.report import CallReport
from trunkline.rehearsal.termination import Cause


@dataclass(frozen=True, slots=True)
class CallTurnedAway:
    """An INVITE was refused by the carrier's rules."""

    number: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class PhoneRang:
    number: str
    person: str


@dataclass(frozen=True, slots=True)
class PhoneAnswered:
    number: str
    person: str


@dataclass(frozen=True, slots=True)
class PersonSpoke:
    """The person begins to say this."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class KeysPressed:
    at: float
    keys: str


@dataclass(frozen=True, slots=True)
class AgentSpoke:
    """The agent's first audible sample after a silence. `gap_ms` only on the first after something the person said."""

    at: float
    gap_ms: float | None


@dataclass(frozen=True, slots=True)
class KeyHeard:
    """The agent pressed a key."""

    at: float
    key: str


@dataclass(frozen=True, slots=True)
class CallOver:
    report: CallReport


Progress = CallTurnedAway | PhoneRang | PhoneAnswered | PersonSpoke | KeysPressed | AgentSpoke | KeyHeard | CallOver
