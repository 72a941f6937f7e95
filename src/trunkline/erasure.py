"""Deleting what is kept of calls: when its time is over, and when somebody asks for it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from trunkline.errors import CallLive, StoreError, UnknownCall
from trunkline.models import HASHED, REMOVED, CallId, CallState, Part
from trunkline.ports import CallStore, Recordings
from trunkline.settings import PrivacySettings
from trunkline.transfers import colleagues_asked

log = logging.getLogger(__name__)

EVERY: Final = 24 * 3600.0
"""Seconds between two sweeps."""
_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was deleted."""

    calls: int = 0
    recordings: int = 0
    transcripts: int = 0
    numbers: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{name}: {count}" for name, count in asdict(self).items())


class Eraser:
    """`run()` it as a task."""

    def __init__(
        self,
        store: CallStore,
        recordings: Recordings,
        privacy: PrivacySettings,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._recordings = recordings
        self._privacy = privacy
        self._now = now
        self._sleep = sleep

    async def run(self) -> None:
        """At once, then once a day, until cancelled. A store that can't be written is tried again a day later."""
        while True:
            try:
                if (erased := await self.sweep()) != Erased():
                    log.info("The time of these was over, they are deleted: %s", erased)
            except StoreError as error:
                log.error("What is kept longer than it should be can't be deleted: %s", error)
            await self._sleep(EVERY)

    async def sweep(self, *, dry_run: bool = False) -> Erased:
        """Delete everything whose time is over; `dry_run` only counts. Raises `StoreError`."""
        privacy, done = self._privacy, Counter[Part]()
        for part, days in (
            (Part.CALL, privacy.keep_calls_days),
            (Part.RECORDING, privacy.keep_recordings_days),
            (Part.TRANSCRIPT, privacy.keep_transcripts_days),
            (Part.NUMBER, None if privacy.numbers_afterwards == "keep" else 0.0),
        ):
            if days is None:
                continue
            for call_id in await self._store.due(part, self._now() - timedelta(days=days)):
                done[part] += 1
                if not dry_run:
                    await self._erase(call_id, part)
        if done and not dry_run:
            await self._store.scrub()
        return Erased(done[Part.CALL], done[Part.RECORDING], done[Part.TRANSCRIPT], done[Part.NUMBER])

    async def forget_call(self, call_id: CallId) -> Erased:
        """Delete all there is of a call. Raises `UnknownCall`, `CallLive`, `StoreError`."""
        erased = await self._forget([call_id])
        if not erased.calls:
            raise UnknownCall(f"There is no call {call_id}.", remedy="GET /calls lists the calls there are.")
        return erased

    async def forget_number(self, number: str) -> Erased:
        """Delete all there is of the calls with a number (E.164), also of those that only its hash is left of.

        Raises `CallLive` before anything is deleted, `StoreError`.
        """
        found: list[CallId] = []
        for written in dict.fromkeys((number, number.removeprefix("+"), self._stand_in(number))):
            if written == REMOVED:
                continue
            page = await self._store.recent(limit=_PAGE, number=written)
            while page:
                found += [call.id for call in page]
                page = await self._store.recent(limit=_PAGE, number=written, before=page[-1].id)
        return await self._forget(found)

    async def _forget(self, call_ids: list[CallId]) -> Erased:
        calls = [call for call_id in call_ids if (call := await self._store.get(call_id)) is not None]
        # Colleagues who were asked to take the person were told who it is.
        asked = dict.fromkeys(call_id for call in calls for call_id in colleagues_asked(call))
        found = {call.id for call in calls}
        calls += [call for id_ in asked if id_ not in found and (call := await self._store.get(id_)) is not None]
        for call in calls:
            if call.state is not CallState.ENDED:
                raise CallLive(
                    f"Call {call.id} has not ended, so nothing was deleted.",
                    remedy=f"End it first: DELETE /calls/{call.id} hangs up.",
                )
        recordings = transcripts = 0
        for call in calls:
            recordings += await self._recordings.remove(call.id)
            with suppress(UnknownCall):
                transcripts += await self._store.erase(call.id, Part.CALL, self._now()) > 0
        if calls:
            await self._store.scrub()
        return Erased(len(calls), recordings, transcripts, len(calls))

    async def _erase(self, call_id: CallId, part: Part) -> None:
        # The file goes first: whoever is killed in between finds it due once more.
        if part in (Part.RECORDING, Part.CALL):
            await self._recordings.remove(call_id)
        number = REMOVED
        if part is Part.NUMBER and (call := await self._store.get(call_id)) is not None:
            number = self._stand_in(call.number)
        with suppress(UnknownCall):  # somebody else was quicker
            await self._store.erase(call_id, part, self._now(), number=number)

    def _stand_in(self, number: str) -> str:
        """What is kept in place of a number: nothing that leads back to it."""
        if self._privacy.numbers_afterwards != "hash" or self._privacy.hash_key is None:
            return REMOVED
        key = self._privacy.hash_key.get_secret_value().encode()
        return HASHED + hmac.new(key, number.encode(), hashlib.sha256).hexdigest()[:32]
