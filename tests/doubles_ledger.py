"""Honest doubles of `ledger.Ledger` and `access.AccessBook`: memory instead of a disk. They pass the same contract
suites as the real ones (`tests/store/test_ledger.py`, `tests/store/test_access.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from trunkline.access import ApiKey, AuditLine, name_taken
from trunkline.errors import StoreError
from trunkline.ledger import Attempt, Cap, Caps, Refusal, Stop, Unwanted, Usage
from trunkline.models import CallId


class MemoryLedger:
    """Forgets everything when the process ends. `failing`: how many of the next writes to the list fail."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.noted: list[Refusal] = []
        self.failing = 0
        self._unwanted: dict[str, Unwanted] = {}
        self._stop: Stop | None = None

    async def reserve(self, attempt: Attempt, caps: Caps) -> Cap | None:
        recent = self.attempts = [each for each in self.attempts if each.at > caps.since]
        if caps.to_number is not None and sum(each.number == attempt.number for each in recent) >= caps.to_number:
            return Cap.TO_NUMBER
        if caps.attempts is not None and len(recent) >= caps.attempts:
            return Cap.ATTEMPTS
        if caps.cost is not None and sum(each.cost for each in recent) + attempt.cost > caps.cost:
            return Cap.COST
        self.attempts.append(attempt)
        return None

    async def settle(self, call_id: CallId, cost: float) -> None:
        self.attempts = [replace(each, cost=cost) if each.call_id == call_id else each for each in self.attempts]

    async def usage(self, since: datetime) -> Usage:
        recent = [each for each in self.attempts if each.at > since]
        return Usage(len(recent), sum(each.cost for each in recent))

    async def put_on_list(self, numbers: Iterable[Unwanted]) -> int:
        if self.failing:
            self.failing -= 1
            raise StoreError("The disk is full.")
        before = len(self._unwanted)
        for each in numbers:
            self._unwanted.setdefault(each.number, each)
        return len(self._unwanted) - before

    async def take_off_list(self, number: str) -> bool:
        return self._unwanted.pop(number, None) is not None

    async def unwanted(self, number: str) -> Unwanted | None:
        return self._unwanted.get(number)

    async def list_unwanted(self, *, limit: int, after: str = "") -> list[Unwanted]:
        return [self._unwanted[number] for number in sorted(self._unwanted) if number > after][:limit]

    async def stop(self) -> Stop | None:
        return self._stop

    async def set_stop(self, stop: Stop | None) -> None:
        self._stop = stop

    async def note_refusal(self, refusal: Refusal) -> None:
        self.noted.append(replace(refusal, id=len(self.noted) + 1))

    async def refusals(self, *, limit: int, before: int | None = None, number: str | None = None) -> list[Refusal]:
        wanted = [
            each
            for each in reversed(self.noted)
            if (before is None or each.id < before) and number in (None, each.number)
        ]
        return wanted[:limit]


class MemoryAccessBook:
    """Forgets everything when the process ends. `broken`: nothing can be read or written."""

    def __init__(self) -> None:
        self.lines: list[AuditLine] = []
        self.broken = False
        self._keys: dict[str, ApiKey] = {}

    async def keys(self) -> list[ApiKey]:
        self._require_well()
        return [self._keys[name] for name in sorted(self._keys)]

    async def add_key(self, key: ApiKey) -> None:
        if key.name in self._keys:
            raise name_taken(key.name)
        self._keys[key.name] = key

    async def revoke(self, name: str) -> bool:
        return self._keys.pop(name, None) is not None

    async def note(self, line: AuditLine) -> None:
        self._require_well()
        self.lines.append(line)

    async def audit(self, *, limit: int, key: str | None = None) -> list[AuditLine]:
        return [line for line in reversed(self.lines) if key in (None, line.key)][:limit]

    def _require_well(self) -> None:
        if self.broken:
            raise StoreError("The disk is gone.")
