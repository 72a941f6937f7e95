"""What a check is, and running many of them at once. A new one is an object with a name, a time limit and `run()`."""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from trunkline.errors import TrunklineError

log = logging.getLogger(__name__)


class State(enum.StrEnum):
    WELL = "well"
    WRONG = "wrong"
    SKIPPED = "skipped"
    """It could not be looked at; why stands in the text."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found, as sentences."""

    state: State
    text: str
    """What was seen, or the cause of what is wrong."""
    remedy: str = ""
    """What to do next, where something is wrong."""
    remarks: tuple[str, ...] = ()
    """What is worth knowing though nothing is wrong."""


def well(text: str, *remarks: str) -> Verdict:
    return Verdict(State.WELL, text, remarks=remarks)


def wrong(text: str, remedy: str, *remarks: str) -> Verdict:
    return Verdict(State.WRONG, text, remedy, remarks)


def skipped(why: str) -> Verdict:
    return Verdict(State.SKIPPED, why)


def first_wrong(faults: Sequence[Verdict], otherwise: Verdict) -> Verdict:
    """The first fault, with what else is wrong as remarks; `otherwise` where there is none."""
    if not faults:
        return otherwise
    first, *others = faults
    more = (f"{fault.text} {fault.remedy}".strip() for fault in others)
    return replace(first, remarks=(*first.remarks, *more, *otherwise.remarks))


class Check(Protocol):
    @property
    def name(self) -> str:
        """Two words at most; unique."""
        ...

    @property
    def limit(self) -> float:
        """Seconds after which it counts as wrong."""
        ...

    async def run(self) -> Verdict:
        """A `TrunklineError` is a finding as well: its message is the cause."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    verdict: Verdict
    seconds: float

    def as_json(self) -> dict[str, Any]:
        verdict = self.verdict
        return {
            "name": self.name,
            "state": verdict.state.value,
            "text": verdict.text,
            "remedy": verdict.remedy or None,
            "remarks": list(verdict.remarks),
            "seconds": round(self.seconds, 3),
        }


async def examine(checks: Sequence[Check]) -> list[Finding]:
    """All at once; the findings in the order of the checks."""
    return await asyncio.gather(*(_run(check) for check in checks))


async def _run(check: Check) -> Finding:
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        async with asyncio.timeout(check.limit):
            verdict = await check.run()
    except TimeoutError:
        verdict = wrong(f"It took longer than {check.limit:g} s.", "Try again when this machine is less busy.")
    except TrunklineError as error:
        verdict = wrong(error.message, error.remedy or "")
    except Exception as error:  # one broken check must not hide what the others found
        log.exception("The check %r broke", check.name)
        verdict = wrong(f"The check itself broke: {error!r}.", "Report this with the output of `trunkline doctor`.")
    return Finding(check.name, verdict, clock() - began)
