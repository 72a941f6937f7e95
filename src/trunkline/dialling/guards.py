"""The one place that says whether a number may be dialled: new calls, transfers and the doctor's call alike.

In this order, the first refusal counts: stopped → kind of number → country → do-not-call list → consent → calling
hours → cost → calls to this number → calls of the day → spending of the day.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from trunkline.dialling.calling_hours import check_hours
from trunkline.dialling.destination import country_of
from trunkline.errors import (
    CalledTooOften,
    ConsentMissing,
    DailyCallsReached,
    DiallingRefused,
    DiallingStopped,
    DoNotCall,
    InvalidNumber,
    SpendCapReached,
    StoreError,
)
from trunkline.events import CallCreated, CallNoted, CallStateChanged, CallUpdate
from trunkline.ledger import STOP_CALLING, Attempt, Cap, Caps, Ledger, Purpose, Refusal, Unwanted
from trunkline.models import CallId, CallRequest, CallState, Direction
from trunkline.phone_numbers import masked, region, to_e164, with_numbers_masked
from trunkline.settings import Settings

log = logging.getLogger(__name__)

DAY: Final = timedelta(hours=24)
TRANSFER_SECONDS: Final = 3600.0
"""As long a transferred call counts; nobody tells us how long it was."""
NO_CONSENT: Final = frozenset({"", "no", "false", "0", "none", "null", "unknown"})
PAUSES: Final = (0.0, 1.0, 5.0, 30.0, 120.0)
"""Seconds between the tries to put a number on the list: one that is forgotten is called again."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """Somebody wants `number` (E.164) to be dialled, for at most so many seconds."""

    purpose: Purpose
    number: str
    longest: float
    call_id: CallId | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _LiveCall:
    number: str
    price: float
    """Of a minute."""
    answered_at: datetime | None = None


class Guards:
    """Also a watcher of the switchboard: what calls did cost, and who asked not to be called again."""

    def __init__(
        self, settings: Settings, ledger: Ledger, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._settings = settings.dialling
        self._ledger = ledger
        self._now = now
        ours = filter(None, map(region, settings.trunk.caller_ids))
        self._countries = frozenset(self._settings.countries or ours)
        self._refused: Counter[str] = Counter()
        self._live: dict[CallId, _LiveCall] = {}
        self._writing: set[asyncio.Task[None]] = set()

    @property
    def refused(self) -> Mapping[str, int]:
        """How many attempts were refused since the start, by code."""
        return self._refused

    async def admit_call(self, request: CallRequest, call_id: CallId, *, longest: float) -> None:
        """A new call of at most so many seconds. Raises `DiallingRefused`, `StoreError`."""
        await self._admit(_Wish(Purpose.CALL, request.number, longest, call_id, request.variables))

    async def admit_transfer(self, written: str) -> str:
        """The number in E.164. Raises `InvalidNumber`, `DiallingRefused`, `StoreError`.

        Whoever takes a transfer waits for it: consent, calling hours and calls to one number don't concern them.
        """
        await self._admit(_Wish(Purpose.TRANSFER, number := to_e164(written), TRANSFER_SECONDS))
        return number

    async def admit_test(self, written: str, *, longest: float) -> str:
        """The same for a call of the operator's own, to a telephone of their own."""
        await self._admit(_Wish(Purpose.TEST, number := to_e164(written), longest))
        return number

    def watch(self, update: CallUpdate) -> None:
        match update:
            case CallCreated(call):
                priced = self._settings.price(call.number) if call.direction is Direction.OUTBOUND else None
                self._live[call.id] = _LiveCall(call.number, priced or 0.0)
            case CallStateChanged(call_id, CallState.ANSWERED, at) if live := self._live.get(call_id):
                live.answered_at = at
            case CallStateChanged(call_id, CallState.ENDED, at) if live := self._live.pop(call_id, None):
                if live.price:
                    seconds = (at - live.answered_at).total_seconds() if live.answered_at else 0.0
                    self._write(self._ledger.settle(call_id, _cost(live.price, seconds)))
            case CallNoted(call_id, event) if event.kind == STOP_CALLING and (live := self._live.get(call_id)):
                self._write(self._put_on_list(live.number, f"asked on call {call_id}"))
            case _:
                pass

    async def settled(self) -> None:
        """Until everything that has happened so far is written down."""
        while self._writing:
            await asyncio.wait(self._writing)

    # ── the checks ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _admit(self, wish: _Wish) -> None:
        now = self._now()
        try:
            await self._check(wish, now)
            await self._reserve(wish, now)
        except DiallingRefused as refusal:
            self._refused[refusal.code] += 1
            number, why = masked(wish.number), with_numbers_masked(refusal.message)
            log.warning("A %s to %s is refused: %s", wish.purpose, number, refusal.code)
            await self._ledger.note_refusal(Refusal(now, number, wish.purpose, refusal.code, why))
            raise

    async def _check(self, wish: _Wish, now: datetime) -> None:
        number = wish.number
        settings = self._settings
        if settings.stopped:
            raise DiallingStopped("Nobody is called at the moment.", remedy="dialling.stopped is set in the settings.")
        if (stop := await self._ledger.stop()) is not None:
            raise DiallingStopped(
                f"Nobody is called since {stop.at.isoformat(timespec='seconds')}: {stop.why}.",
                remedy="`trunkline dialling resume` or DELETE /dialling/stop lets calls go out again.",
            )
        country = country_of(number, countries=self._countries, denied_types=settings.denied_types)
        if (unwanted := await self._ledger.unwanted(number)) is not None:
            raise DoNotCall(
                f"{number} is on the do-not-call list: {unwanted.why}.",
                remedy="Take it off only if the person asks for it: DELETE /do-not-call/NUMBER.",
                since=unwanted.at.isoformat(),
            )
        if wish.purpose is Purpose.CALL:
            if settings.consent_required and wish.variables.get("consent", "").strip().lower() in NO_CONSENT:
                raise ConsentMissing(
                    f"Nothing says that the person at {number} agreed to be called.",
                    remedy="Send variables.consent with how and when they did (dialling.consent_required).",
                )
            check_hours(number, settings.hours_in(country), now)

    async def _reserve(self, wish: _Wish, now: datetime) -> None:
        settings, number = self._settings, wish.number
        price = settings.price(number)
        if price is None and settings.spend_per_day is not None:
            raise SpendCapReached(
                f"What a call to {number} costs isn't known.",
                remedy="Add the beginning of the number to dialling.prices.",
            )
        caps = Caps(
            since=now - DAY,
            to_number=settings.calls_per_number if wish.purpose is Purpose.CALL else None,
            attempts=settings.calls_per_day,
            cost=settings.spend_per_day,
        )
        attempt = Attempt(now, number, _cost(price or 0.0, wish.longest), wish.call_id)
        match await self._ledger.reserve(attempt, caps):
            case Cap.TO_NUMBER:
                raise CalledTooOften(
                    f"{number} was called as often as dialling.calls_per_number allows in 24 hours.",
                    remedy="Try again tomorrow.",
                )
            case Cap.ATTEMPTS:
                raise DailyCallsReached(
                    "As many calls were placed in 24 hours as dialling.calls_per_day allows.",
                    remedy="Try again later, or raise it.",
                )
            case Cap.COST:
                raise SpendCapReached(
                    "With this call, those of 24 hours might cost more than dialling.spend_per_day.",
                    remedy="Try again later, or raise it.",
                )

    # ── what follows ───────────────────────────────────────────────────────────────────────────────────────────

    def _write(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._writing.add(task)
        task.add_done_callback(self._written)

    def _written(self, task: asyncio.Task[None]) -> None:
        self._writing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("What was to be kept of a call is lost: %s", error)

    async def _put_on_list(self, written: str, why: str) -> None:
        try:
            # Incoming calls show numbers with a plus sign or without.
            number = to_e164(written if written.startswith("+") else f"+{written}")
        except InvalidNumber:
            log.warning("Somebody who shows no number (%s) asked not to be called again", ascii(written))
            return
        for pause in PAUSES:
            await asyncio.sleep(pause)
            try:
                await self._ledger.put_on_list([Unwanted(number, self._now(), why)])
            except StoreError as error:
                log.error("%s could not be put on the do-not-call list: %s", masked(number), error)
            else:
                return


def _cost(price: float, seconds: float) -> float:
    """Carriers count begun minutes."""
    return price * math.ceil(seconds / 60)
