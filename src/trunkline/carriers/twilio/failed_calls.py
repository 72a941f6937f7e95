"""Why a call failed, where its SIP answer leaves that open: Twilio's alerts tell, some seconds after the call is over.

Asterisk passes on status and reason phrase, not Twilio's own error number; `403 Forbidden` can be the address, the
password or a caller ID. The number is in the account's alerts (monitor v1), each with the id of its call [?: for all of
a trunk's errors].
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from trunkline.carriers import diagnosis
from trunkline.carriers.twilio.facts import Alert, Facts
from trunkline.errors import CarrierError, TrunklineError
from trunkline.events import CallCreated, CallStateChanged, CallUpdate
from trunkline.models import CallEnd, CallEvent, CallId, CallState
from trunkline.ports import CallStore

log = logging.getLogger(__name__)

PATIENCE: Final = timedelta(seconds=60)
"""How long after a call's end its alert is waited for; Twilio says that they may be late, not how late."""
PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between looks; the last one is kept to."""
LOOKING: Final = "alerts of failed calls"
NOT_ACTIVE: Final = 20005
"""The REST API's number for an account that is suspended or closed."""
SLACK: Final = timedelta(seconds=10)
"""By which Twilio's clock and ours may differ."""
OF_THE_TRUNK: Final = frozenset({10001, 10004, 32001, 32201, 32202, 32207, 32208, 32209})
"""Errors that are the same for whatever number is called: an alert that names no call may be that of any."""


@dataclass(frozen=True, slots=True)
class FailedCall:
    call_id: CallId
    number: str
    dialled_at: datetime
    ended_at: datetime
    sip_code: int


def alert_of(call: FailedCall, alerts: Iterable[Alert], numbers: Mapping[str, str]) -> Alert | None:
    """The one that tells why `call` failed. `numbers`: who was called, by the id of Twilio's call."""
    fits = [
        alert
        for alert in alerts
        if call.dialled_at - SLACK <= alert.at <= call.ended_at + SLACK
        and diagnosis.may_mean(call.sip_code, alert.error)
        and (numbers[alert.about] == call.number if alert.about in numbers else alert.error in OF_THE_TRUNK)
    ]
    # Of its own call rather than of none, and of several tries of one number the one that ended when this did.
    best = sorted(fits, key=lambda alert: (alert.about not in numbers, abs(alert.at - call.ended_at)))
    return best[0] if best else None


class Alerts:
    """Which alert tells of which call."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._called: dict[str, str] = {}

    async def find(self, calls: Sequence[FailedCall]) -> dict[FailedCall, Alert]:
        """Of these calls, at least one, those that are explained by now. Raises `CarrierError`."""
        alerts = await asyncio.to_thread(self._since, calls)
        about = {
            alert.about
            for alert in alerts
            if alert.about.startswith("CA") and any(diagnosis.may_mean(call.sip_code, alert.error) for call in calls)
        }
        for sid in about - self._called.keys():
            if (attempt := await asyncio.to_thread(self._facts.attempt, sid)) is not None:
                self._called[sid] = attempt.number
        self._called = {sid: number for sid, number in self._called.items() if sid in about}
        explained = ((call, alert_of(call, alerts, self._called)) for call in calls)
        return {call: alert for call, alert in explained if alert is not None}

    def _since(self, calls: Sequence[FailedCall]) -> tuple[Alert, ...]:
        try:
            return self._facts.alerts(min(call.dialled_at for call in calls) - SLACK)
        except CarrierError as error:
            if error.details.get("code") != NOT_ACTIVE:
                raise
        # Twilio tells nothing of an account that isn't active, and this is what we wanted to know.
        return tuple(Alert(diagnosis.NO_ACCOUNT, call.ended_at, "") for call in calls)


class FailedCalls:
    """A watcher of calls. No call waits for it: what it finds gives an ended call a note and a better reason.

    `settled` returns when the store knows what has happened so far.
    """

    def __init__(
        self,
        facts: Facts,
        store: CallStore,
        settled: Callable[[], Awaitable[None]],
        *,
        pauses: tuple[float, ...] = PAUSES,
    ) -> None:
        self._alerts = Alerts(facts)
        self._store = store
        self._settled = settled
        self._pauses = pauses
        self._numbers: dict[CallId, str] = {}
        self._dialled: dict[CallId, datetime] = {}
        self._open: list[FailedCall] = []
        self._looking: asyncio.Task[None] | None = None

    def watch(self, update: CallUpdate) -> None:
        match update:
            case CallCreated(call):
                self._numbers[call.id] = call.number
            case CallStateChanged(call_id, CallState.DIALLING, at):
                self._dialled[call_id] = at
            case CallStateChanged(call_id, CallState.ENDED, at, CallEnd() as end):
                number, dialled = self._numbers.pop(call_id, None), self._dialled.pop(call_id, None)
                if number and dialled and end.sip_code and diagnosis.is_ambiguous(end.sip_code, end.sip_reason):
                    self._look_for(FailedCall(call_id, number, dialled, at, end.sip_code))

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    def _look_for(self, call: FailedCall) -> None:
        self._open.append(call)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name=LOOKING)

    async def _look(self) -> None:
        """Until every open call is explained or given up; one look serves them all."""
        looks = 0
        while self._open:
            await asyncio.sleep(self._pauses[min(looks, len(self._pauses) - 1)])
            looks += 1
            try:
                found = await self._alerts.find(tuple(self._open))
                for call, alert in found.items():
                    await self._explain(call, alert)
                    self._open.remove(call)
            except TrunklineError as error:
                log.warning("Why %d calls failed can't be told yet: %s", len(self._open), error)
            now = datetime.now(UTC)
            self._open = [call for call in self._open if now - call.ended_at <= PATIENCE]

    async def _explain(self, call: FailedCall, alert: Alert) -> None:
        reason = diagnosis.of_error(alert.error)
        log.warning("Call %s failed for this: %s (Twilio's alert %d)", call.call_id, reason, alert.error)
        note = CallEvent(call.call_id, datetime.now(UTC), "carrier-alert", reason, {"twilioError": alert.error})
        await self._settled()
        await self._store.add_event(note)
        await self._store.explain(call.call_id, reason)
