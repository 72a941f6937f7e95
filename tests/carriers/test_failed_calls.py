"""Failed calls that Twilio's alerts explain: which alert is whose, and what is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.carriers.twilio_stage import Stage, stage
from tests.doubles_store import MemoryCallStore
from tests.store.records import a_call, at
from trunkline.carriers.twilio import failed_calls
from trunkline.carriers.twilio.facts import Alert, called, open_facts
from trunkline.carriers.twilio.failed_calls import LOOKING, FailedCall, FailedCalls, alert_of
from trunkline.events import CallCreated, CallStateChanged
from trunkline.models import CallEnd, CallEvent, CallId, CallState, Disposition, HangUpBy
from trunkline.rehearsal.termination import ANSWERS, Cause
from trunkline.rehearsal.twilio_api import Fault
from trunkline.rehearsal.twilio_calls import TwilioCalls
from trunkline.rehearsal.twilio_trunks import TwilioTrunks

NUMBER, OTHER = "+14155550123", "+14155550124"
CALL = FailedCall(CallId("1"), NUMBER, at(0), at(2), 403)
NUMBERS = {"CA1": NUMBER, "CA2": OTHER}


@pytest.mark.parametrize(
    ("alerts", "found"),
    [
        ([Alert(32201, at(1), "CA1")], 32201),
        ([Alert(32201, at(1), "CA2")], None),
        ([Alert(32201, at(1), "")], 32201),
        ([Alert(32205, at(1), "")], None),
        ([Alert(32205, at(1), "CA1")], 32205),
        ([Alert(10001, at(1), "CA1")], None),
        ([Alert(32201, at(-30), "CA1")], None),
        ([Alert(32201, at(30), "CA1")], None),
        ([Alert(32201, at(1), ""), Alert(32204, at(4), "CA1")], 32204),
        ([Alert(32204, at(6), "CA1"), Alert(32203, at(2.5), "CA1")], 32203),
        ([Alert(13224, at(1), "CA1")], 13224),
        ([], None),
    ],
    ids=[
        "its own",
        "another call's",
        "of no call, but true for all",
        "of no call and about a number",
        "about this number",
        "not what a 403 means",
        "too early",
        "too late",
        "its own before one of no call",
        "the nearest of several tries",
        "one we don't know",
        "none yet",
    ],
)
def test_whose_alert_it_is(alerts: list[Alert], found: int | None) -> None:
    alert = alert_of(CALL, alerts, NUMBERS)
    assert (alert.error if alert else None) == found


@pytest.mark.parametrize("to", ["+14155550123", "sip:+14155550123@acme.pstn.twilio.com"])
def test_who_was_called(to: str) -> None:
    assert called(to) == NUMBER


@pytest.fixture
def twilio(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path) as stage_:
        yield stage_


@asynccontextmanager
async def failed_call(
    twilio: Stage, code: int, phrase: str, *, times: int = 1
) -> AsyncIterator[tuple[MemoryCallStore, CallId]]:
    """A call, or several, that just failed with this answer, and somebody who looks for the alert."""
    facts, store, now = open_facts(twilio.settings().twilio), MemoryCallStore(), datetime.now(UTC)
    assert facts is not None

    async def settled() -> None:
        """The store is written at once here."""

    end = CallEnd(Disposition.REJECTED, "Refused.", HangUpBy.CARRIER, code, phrase)
    watcher = FailedCalls(facts, store, settled, pauses=(0.01,))
    for _ in range(times):
        call = a_call(number=NUMBER)
        await store.add(call)
        watcher.watch(CallCreated(call))
        watcher.watch(CallStateChanged(call.id, CallState.DIALLING, now))
        await store.end(call.id, end, now)
        watcher.watch(CallStateChanged(call.id, CallState.ENDED, now, end))
    try:
        yield store, call.id
    finally:
        await watcher.close()


async def told(store: MemoryCallStore, call_id: CallId) -> tuple[str, tuple[CallEvent, ...]]:
    """Why the call ended, and what is noted of it."""
    call = await store.get(call_id)
    assert call is not None and call.end is not None
    return call.end.reason, call.events


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def refused(twilio: Stage, cause: Cause) -> None:
    """As the carrier writes it down."""
    twilio.apply()
    rules = TwilioTrunks(twilio.twilio).trunk("acme.pstn.twilio.com")
    assert rules is not None
    TwilioCalls(twilio.twilio).refused(rules, NUMBER, "+14155550111", ANSWERS[cause])


async def test_a_late_alert_gives_the_call_its_reason_and_a_note(twilio: Stage) -> None:
    async with failed_call(twilio, 403, "Forbidden") as (store, call_id):
        await until(lambda: any(seen.path == "/v1/Alerts" for seen in twilio.api.seen))
        await asyncio.to_thread(refused, twilio, Cause.BAD_CREDENTIALS)
        async with asyncio.timeout(20):
            while (await told(store, call_id))[0] == "Refused.":
                await asyncio.sleep(0.01)
        reason, events = await told(store, call_id)
    assert "refused user name or password" in reason
    assert [(event.kind, event.data) for event in events] == [("carrier-alert", {"twilioError": 32202})]


async def test_an_alert_of_a_call_that_twilio_does_not_show_counts_where_it_is_true_for_all(twilio: Stage) -> None:
    await asyncio.to_thread(refused, twilio, Cause.NOT_IN_ACL)
    await asyncio.to_thread(twilio.twilio.records.pop, f"/2010-04-01/Accounts/{twilio.twilio.sid}/Calls")
    async with failed_call(twilio, 403, "Forbidden") as (store, call_id), asyncio.timeout(20):
        while (await told(store, call_id))[0] == "Refused.":
            await asyncio.sleep(0.01)
        assert "IP access control list" in (await told(store, call_id))[0]


async def test_calls_that_fail_together_are_looked_for_together(twilio: Stage) -> None:
    await asyncio.to_thread(refused, twilio, Cause.NOT_IN_ACL)
    asked = len(twilio.api.seen)
    async with failed_call(twilio, 403, "Forbidden", times=50) as (store, last):
        await until(lambda: LOOKING not in {task.get_name() for task in asyncio.all_tasks()})
        assert "IP access control list" in (await told(store, last))[0]
    assert len(twilio.api.seen) - asked == 2  # the alerts, and the call that the one alert names


async def test_what_is_clear_is_not_asked_about(twilio: Stage) -> None:
    async with failed_call(twilio, 486, "Busy Here"), failed_call(twilio, 403, "No International Authorization"):
        assert LOOKING not in {task.get_name() for task in asyncio.all_tasks()}
    async with failed_call(twilio, 403, "Forbidden"):
        assert LOOKING in {task.get_name() for task in asyncio.all_tasks()}


async def test_an_account_that_cannot_be_asked_leaves_the_call_as_it_ended(
    twilio: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    twilio.api.fault = lambda _request: Fault(403, {"code": 20403, "message": "Forbidden"})
    async with failed_call(twilio, 403, "Forbidden") as (store, call_id):
        await until(lambda: caplog.text.count("can't be told yet") > 1)
        assert await told(store, call_id) == ("Refused.", ())


async def test_a_call_without_an_alert_is_given_up(twilio: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_calls, "PATIENCE", timedelta())
    async with failed_call(twilio, 603, "Decline") as (store, call_id):
        await until(lambda: bool(twilio.api.seen))
        await until(lambda: LOOKING not in {task.get_name() for task in asyncio.all_tasks()})
        assert await told(store, call_id) == ("Refused.", ())
