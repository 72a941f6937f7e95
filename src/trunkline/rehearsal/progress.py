"""What a watcher of a rehearsal sees while it happens. Times in seconds since the answer."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass

from trunkline.rehearsal.report import CallReport
from trunkline.rehearsal.termination import ANSWERS, Cause


@dataclass(frozen=True, slots=True)
class CarrierListening:
    """The carrier is ready; `trunk` is what the `[trunk]` section of a service needs to send calls to it."""

    host: str
    port: int
    trunk: dict[str, object]


@dataclass(frozen=True, slots=True)
class BuiltInStarting:
    """A service of our own is being started."""


@dataclass(frozen=True, slots=True)
class Judging:
    """All calls are over; the words of so many are being recognised."""

    calls: int


@dataclass(frozen=True, slots=True)
class CallPlaced:
    """A service was asked to call."""

    number: str
    call_id: str


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


Progress = (
    CarrierListening
    | BuiltInStarting
    | Judging
    | CallPlaced
    | CallTurnedAway
    | PhoneRang
    | PhoneAnswered
    | PersonSpoke
    | KeysPressed
    | AgentSpoke
    | KeyHeard
    | CallOver
)


def to_json_line(event: Progress) -> str:
    """`{"event": "agent_spoke", "at": 1.2, "gap_ms": 640.0}`: the class's name in snake case, then its fields."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    fields: dict[str, object] = dataclasses.asdict(event)
    if isinstance(event, CallTurnedAway):
        answer = ANSWERS[event.cause]
        fields |= {"cause": event.cause.value, "sip_code": answer.code, "sip_reason": answer.phrase}
    return json.dumps({"event": name} | fields, ensure_ascii=False)
