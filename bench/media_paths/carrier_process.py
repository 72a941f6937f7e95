"""The carrier's side of `bench.media_paths`, in a process of its own so that its work is nobody else's.

    python -m bench.media_paths.carrier_process SECONDS

First line of output: what `[trunk]` needs. Then one line of JSON per answered and per ended call. Ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict
from typing import Any

import uvloop

from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.progress import CallOver, PhoneAnswered, Progress
from trunkline.rehearsal.scenario import Phone, Scenario
from trunkline.rehearsal.steps import Pause

MANY = 100
"""Numbers +14155550100 and the following ones."""


def person_hangs_up(number: str) -> bool:
    """Whether the person at this number hangs up; otherwise we do."""
    return int(number[-1]) % 2 == 0


def _tell(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _watch(event: Progress) -> None:
    match event:
        case PhoneAnswered(number=number):
            _tell({"number": number, "answered": time.monotonic()})
        case CallOver(report):
            _tell({"number": report.number, "report": asdict(report)})
        case _:
            pass


async def main(seconds: float) -> None:
    numbers = [f"+14155550{number}" for number in range(100, 100 + MANY)]
    phone = Phone(rings_ms=100)
    people = [
        Scenario(
            name=name,
            numbers=tuple(number for number in numbers if person_hangs_up(number) is leaves),
            phone=phone,
            steps=(Pause(pause_ms=1000 * (seconds if leaves else seconds + 60)),),
            stays_ms=0,
        )
        for name, leaves in (("leaves", True), ("stays", False))
    ]
    config = CarrierConfig(calls_per_second=None)
    async with StandInCarrier(config, people) as carrier:
        carrier.on_event(_watch)
        _tell(carrier.trunk_settings())
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1])))
