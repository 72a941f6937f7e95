"""Honest doubles of the store's ports: memory instead of a disk. They pass the same contract suites as the real ones
(`tests/store/test_call_store.py`, `tests/store/test_recordings.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from trunkline.audio import SAMPLE_BYTES
from trunkline.errors import CallLive, RecordRefused, StoreError, UnknownCall
from trunkline.models import (
    ANONYMOUS,
    HASHED,
    REMOVED,
    CallEnd,
    CallEvent,
    CallId,
    CallRecord,
    CallState,
    Part,
    Turn,
)
from trunkline.phone_numbers import with_numbers_masked

T = TypeVar("T", CallRecord, CallEnd, CallEvent, Turn)

STAMPS = {
    CallState.DIALLING: "dialled_at",
    CallState.RINGING: "ringing_at",
    CallState.EARLY_MEDIA: "ringing_at",
    CallState.ANSWERED: "answered_at",
}


def kept(thing: T) -> T:
    """`thing` as a database gives it back; raises `RecordRefused` for what a database can't keep."""
    changes: dict[str, Any] = {}
    for name in thing.__dataclass_fields__:
        value = getattr(thing, name)
        match value:
            case str() if type(value) is str:
                changes[name] = re.sub(r"[\x00\ud800-\udfff]", "\ufffd", value)
            case datetime():
                if value.tzinfo is None:
                    raise RecordRefused(f"{value} has no time zone.")
                changes[name] = value.astimezone(UTC)
            case dict():
                changes[name] = json.loads(_json(value))
            case CallEnd():
                changes[name] = kept(value)
            case int() if abs(value) >= 2**63:
                raise RecordRefused(f"{value} is too large.")
    if isinstance(thing, Turn) and thing.timings is not None:
        _json(asdict(thing.timings))
    return replace(thing, **changes)


def _json(value: object) -> str:
    try:
        return re.sub(r"[\ud800-\udfff]", "\ufffd", json.dumps(value, ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise RecordRefused(f"That is no JSON: {error}.") from error


class MemoryCallStore:
    """Fits `ports.CallStore`. Forgets everything when the process ends."""

    def __init__(self) -> None:
        self._calls: dict[CallId, CallRecord] = {}
        self._closed = False

    async def add(self, call: CallRecord) -> None:
        self._require_open()
        if call.id in self._calls:
            raise RecordRefused(f"Call {call.id} is there already.")
        turns = tuple(sorted((kept(turn) for turn in call.turns), key=lambda turn: turn.number))
        self._calls[call.id] = replace(kept(call), turns=turns, events=tuple(kept(event) for event in call.events))

    async def set_state(self, call_id: CallId, state: CallState, at: datetime) -> None:
        call = self._known(call_id)
        if state is CallState.ENDED:
            raise RecordRefused("A call is ended by end(), which says how.")
        if call.state is CallState.ENDED:
            return
        stamp = STAMPS.get(state)
        times: dict[str, Any] = {stamp: at} if stamp is not None and getattr(call, stamp) is None else {}
        self._calls[call_id] = kept(replace(call, state=state, **times))

    async def set_greeting(self, call_id: CallId, greeting_ms: float) -> None:
        self._calls[call_id] = replace(self._known(call_id), greeting_ms=greeting_ms)

    async def add_turn(self, call_id: CallId, turn: Turn) -> None:
        call = self._known(call_id)
        turns = [*(other for other in call.turns if other.number != turn.number), kept(turn)]
        self._calls[call_id] = replace(call, turns=tuple(sorted(turns, key=lambda each: each.number)))

    async def add_event(self, event: CallEvent) -> None:
        call = self._known(event.call_id)
        self._calls[event.call_id] = replace(call, events=(*call.events, kept(event)))

    async def end(self, call_id: CallId, end: CallEnd, at: datetime, *, recording: str | None = None) -> None:
        call = self._known(call_id)
        if call.state is not CallState.ENDED:
            ended = replace(call, state=CallState.ENDED, end=end, ended_at=at, recording=recording)
            self._calls[call_id] = kept(ended)

    async def explain(self, call_id: CallId, reason: str) -> None:
        call = self._known(call_id)
        assert call.end is not None
        self._calls[call_id] = replace(call, end=kept(replace(call.end, reason=reason)))

    async def get(self, call_id: CallId) -> CallRecord | None:
        self._require_open()
        return self._calls.get(call_id)

    async def recent(
        self,
        *,
        limit: int = 50,
        before: CallId | None = None,
        state: CallState | None = None,
        number: str | None = None,
    ) -> list[CallRecord]:
        self._require_open()
        if limit < 1:
            raise RecordRefused(f"A page of {limit} calls is impossible.")
        newest_first = sorted(self._calls.values(), key=_place, reverse=True)
        if before is not None:
            last = _place(self._known(before))
            newest_first = [call for call in newest_first if _place(call) < last]
        wanted = [
            replace(call, turns=(), events=())
            for call in newest_first
            if state in (None, call.state) and number in (None, call.number)
        ]
        return wanted[:limit]

    async def close_orphans(
        self, end: CallEnd, at: datetime, *, recordings: Mapping[CallId, str] | None = None
    ) -> list[CallId]:
        self._require_open()
        open_calls = [call for call in self._calls.values() if call.state is not CallState.ENDED]
        orphans = [call.id for call in sorted(open_calls, key=_place)]
        for orphan in orphans:
            await self.end(orphan, end, at, recording=(recordings or {}).get(orphan))
        return orphans

    async def due(self, part: Part, before: datetime) -> list[CallId]:
        self._require_open()
        ended = [call for call in self._calls.values() if call.ended_at is not None and call.ended_at < before]
        ended.sort(key=lambda call: call.ended_at or before)
        return [call.id for call in ended if _still_there(call, part)]

    async def erase(self, call_id: CallId, part: Part, at: datetime, *, number: str = REMOVED) -> int:
        call = self._known(call_id)
        if call.state is not CallState.ENDED:
            raise CallLive(f"Call {call_id} has not ended.")
        said = len(call.turns) + len(call.events) if part in (Part.TRANSCRIPT, Part.CALL) else 0
        match part:
            case Part.RECORDING:
                self._calls[call_id] = replace(call, recording=None)
            case Part.TRANSCRIPT:
                assert call.end is not None
                end = replace(call.end, reason=with_numbers_masked(call.end.reason))
                brought: dict[str, Any] = {"variables": {}, "script": None, "callback_url": None}
                self._calls[call_id] = replace(call, turns=(), events=(), end=end, forgotten_at=at, **brought)
            case Part.NUMBER:
                self._calls[call_id] = replace(call, number=number)
            case Part.CALL:
                del self._calls[call_id]
        return said

    async def scrub(self) -> None:
        """Memory holds nothing that was erased."""

    async def close(self) -> None:
        self._closed = True

    def _require_open(self) -> None:
        if self._closed:
            raise StoreError("The call store is closed.")

    def _known(self, call_id: CallId) -> CallRecord:
        self._require_open()
        if (call := self._calls.get(call_id)) is None:
            raise UnknownCall(f"There is no call {call_id}.")
        return call


def _still_there(call: CallRecord, part: Part) -> bool:
    match part:
        case Part.RECORDING:
            return call.recording is not None
        case Part.TRANSCRIPT:
            return call.forgotten_at is None or bool(call.turns or call.events)
        case Part.NUMBER:
            told = call.number not in (REMOVED, ANONYMOUS) and not call.number.startswith(HASHED)
            return call.forgotten_at is not None and call.recording is None and told
        case Part.CALL:
            return True


def _place(call: CallRecord) -> tuple[datetime, str]:
    return call.created_at, call.id


class MemoryRecorder:
    """Fits `ports.Recorder`. `person` and `agent` hold what was written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.person = bytearray()
        self.agent = bytearray()
        self.closed = False

    def write(self, person: bytes, agent: bytes) -> None:
        if len(person) != len(agent) or len(person) % SAMPLE_BYTES:
            raise ValueError(f"{len(person)} bytes of the person and {len(agent)} of the agent don't go together")
        if not self.closed:
            self.person += person
            self.agent += agent

    async def close(self) -> None:
        self.closed = True


class MemoryShelf:
    """Fits `ports.RecordingShelf`. `recorders` has one per call that was recorded."""

    def __init__(self) -> None:
        self.recorders: dict[CallId, MemoryRecorder] = {}

    def open(self, call_id: CallId) -> MemoryRecorder:
        if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}", call_id):
            raise StoreError(f"{call_id!r} is no call id that a recording could be named by.")
        return self.recorders.setdefault(call_id, MemoryRecorder(Path(f"{call_id}.wav")))

    async def repair(self) -> dict[CallId, str]:
        return {call_id: recorder.path.name for call_id, recorder in self.recorders.items()}
