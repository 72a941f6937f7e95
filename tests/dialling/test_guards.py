"""Who may be dialled: every guard, their order, and what is kept of a refusal."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.doubles_ledger import MemoryLedger
from trunkline.dialling import guards as guards_module
from trunkline.dialling.guards import Guards
from trunkline.errors import (
    CalledTooOften,
    ConsentMissing,
    CountryNotAllowed,
    DailyCallsReached,
    DiallingRefused,
    DiallingStopped,
    DoNotCall,
    EmergencyNumber,
    InvalidNumber,
    NumberTypeDenied,
    OutsideCallingHours,
    SpendCapReached,
)
from trunkline.events import CallCreated, CallNoted, CallStateChanged
from trunkline.ledger import STOP_CALLING, Purpose, Stop, Unwanted
from trunkline.models import CallEnd, CallEvent, CallId, CallRecord, CallRequest, CallState, Direction, Disposition
from trunkline.models import HangUpBy as By
from trunkline.settings import DiallingSettings, Settings, TrunkSettings

US, INDIA, TORONTO, PREMIUM = "+14155550100", "+919876543210", "+14165550123", "+19005550100"
NOON = datetime(2026, 3, 4, 20, 0, tzinfo=UTC)
"""In San Francisco; a Wednesday."""
CALL = CallId("00000000-0000-4000-8000-000000000001")
ENDED = CallEnd(Disposition.ANSWERED, "Done.", By.PERSON)


class Gate:
    """Guards with a clock of the test's own."""

    def __init__(self, **dialling: Any) -> None:
        self.now = NOON
        self.ledger = MemoryLedger()
        self.settings = Settings(
            dialling=DiallingSettings.model_validate(dialling), trunk=TrunkSettings(caller_ids=("+14155550111",))
        )
        self.guards = Guards(self.settings, self.ledger, lambda: self.now)

    async def call(self, number: str = US, consent: str | None = None, longest: float = 60.0) -> None:
        variables = {} if consent is None else {"consent": consent}
        await self.guards.admit_call(CallRequest(number, "me", variables=variables), CALL, longest=longest)

    async def refused(self, number: str = US, consent: str | None = None) -> type[DiallingRefused] | None:
        try:
            await self.call(number, consent)
        except DiallingRefused as error:
            assert error.remedy and error.http_status in (403, 429, 503)
            return type(error)
        return None


async def test_without_a_word_in_the_settings_the_own_country_may_be_called() -> None:
    gate = Gate()
    assert await gate.refused(US) is None
    assert await gate.refused(INDIA) is CountryNotAllowed
    assert await gate.refused(TORONTO) is CountryNotAllowed
    assert await gate.refused(PREMIUM) is NumberTypeDenied
    assert [attempt.number for attempt in gate.ledger.attempts] == [US]


async def test_without_a_country_nobody_may_be_called() -> None:
    guards = Guards(Settings(), MemoryLedger())
    with pytest.raises(CountryNotAllowed, match="nobody is called") as caught:
        await guards.admit_transfer(US)
    assert caught.value.remedy and "dialling.countries" in caught.value.remedy


@pytest.mark.parametrize(
    "number",
    [
        "+18095550123",  # Dominican Republic
        "+18765550123",  # Jamaica
        "+12425550123",  # Bahamas
        "+12645550123",  # Anguilla
        "+17875550123",  # Puerto Rico
        "+16715550123",  # Guam
    ],
)
async def test_plus_one_is_many_countries(number: str) -> None:
    assert await Gate(countries=("US",)).refused(number) in (CountryNotAllowed, NumberTypeDenied)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (PREMIUM, "premium"),
        ("+449098790000", "premium"),
        ("+491801234567", "shared-cost"),
        ("+881631555555", "satellite"),
        ("+882161234567", "satellite"),
        ("+870773111632", "satellite"),
        ("+447012345678", "personal"),
        ("+15005550006", "personal"),
        ("+13335550100", "unknown"),
        ("+447640123456", "pager"),
    ],
)
async def test_kinds_that_are_not_called(number: str, kind: str) -> None:
    gate = Gate(countries=("US", "GB", "DE"))
    with pytest.raises(NumberTypeDenied) as caught:
        await gate.call(number)
    assert caught.value.details == {"type": kind}


async def test_kinds_may_be_allowed() -> None:
    assert await Gate(countries=("US",), denied_types=()).refused(PREMIUM) is None


async def test_the_list() -> None:
    gate = Gate()
    await gate.ledger.put_on_list([Unwanted(US, NOON, "imported")])
    assert await gate.refused() is DoNotCall
    await gate.ledger.take_off_list(US)
    assert await gate.refused() is None


@pytest.mark.parametrize("said", [None, "", "no", "False", "0", " none "])
async def test_no_consent(said: str | None) -> None:
    gate = Gate(consent_required=True)
    assert await gate.refused(consent=said) is ConsentMissing
    assert await gate.refused(consent="web form of 2026-01-01") is None


@pytest.mark.parametrize(
    ("utc_hour", "refusal"),
    [(11, OutsideCallingHours), (15, OutsideCallingHours), (16, None), (4, None), (5, OutsideCallingHours)],
)
async def test_calling_hours_by_the_clock_of_whoever_is_called(
    utc_hour: int, refusal: type[DiallingRefused] | None
) -> None:
    gate = Gate(hours={"US": ("us",)})  # 8 to 21 o'clock in San Francisco is 16 to 5 in UTC
    gate.now = NOON.replace(hour=utc_hour)
    assert await gate.refused() is refusal


async def test_a_refusal_says_when_it_opens() -> None:
    gate = Gate(hours={"US": ("us",)})
    gate.now = NOON.replace(hour=11, minute=7)
    with pytest.raises(OutsideCallingHours, match="It is 03:07 at") as caught:
        await gate.call()
    assert caught.value.details["opens"] == "2026-03-04T16:00:00+00:00"


async def test_all_zones_of_a_number_must_agree() -> None:
    gate = Gate(countries=("AU",), hours={"AU": ("mon-sun 08:00-20:00",)})
    mobile = "+61412345678"  # somewhere between Christmas Island (UTC+7) and Lord Howe (UTC+11 in summer)
    for hour, refusal in ((0, OutsideCallingHours), (2, None), (8, None), (10, OutsideCallingHours)):
        gate.now = NOON.replace(hour=hour)
        assert await gate.refused(mobile) is refusal, hour


async def test_a_number_nobody_knows_the_time_of() -> None:
    gate = Gate(countries=("BS",), denied_types=(), hours={"*": ("mon-sun 00:00-24:00",)})
    assert await gate.refused("+12425551234") is OutsideCallingHours


async def test_hours_of_one_country_are_not_those_of_another() -> None:
    gate = Gate(countries=("US", "IN"), hours={"IN": ("india",)})
    gate.now = NOON.replace(hour=18)  # 23:30 in India
    assert await gate.refused(INDIA) is OutsideCallingHours
    assert await gate.refused(US) is None


async def test_caps_in_24_hours() -> None:
    gate = Gate(calls_per_number=1, calls_per_day=2)
    other = "+14155550101"
    assert await gate.refused() is None
    assert await gate.refused() is CalledTooOften
    assert await gate.refused(other) is None
    assert await gate.refused("+14155550102") is DailyCallsReached
    gate.now += timedelta(hours=24)
    assert await gate.refused() is None


async def test_spending_counts_the_longest_until_the_call_has_ended() -> None:
    gate = Gate(spend_per_day=1.0, prices={"+1": 0.1, "+1415": 0.5})
    await gate.call(longest=90)  # two begun minutes
    assert (await gate.ledger.usage(NOON - timedelta(days=1))).cost == pytest.approx(1.0)
    assert await gate.refused() is SpendCapReached
    gate.guards.watch(CallCreated(a_call()))
    gate.guards.watch(CallStateChanged(CALL, CallState.ANSWERED, NOON))
    gate.guards.watch(CallStateChanged(CALL, CallState.ENDED, NOON + timedelta(seconds=12), ENDED))
    await gate.guards.settled()
    assert await gate.refused() is None


async def test_a_call_nobody_answered_did_cost_nothing() -> None:
    gate = Gate(spend_per_day=1.0, prices={"+1": 1.0})
    await gate.call()
    gate.guards.watch(CallCreated(a_call()))
    gate.guards.watch(CallStateChanged(CALL, CallState.ENDED, NOON, ENDED))
    await gate.guards.settled()
    assert (await gate.ledger.usage(NOON - timedelta(days=1))).cost == 0


async def test_what_a_call_costs_has_to_be_known_where_spending_is_capped() -> None:
    assert await Gate(spend_per_day=1.0).refused() is SpendCapReached


async def test_nobody_is_called_while_dialling_is_stopped() -> None:
    assert await Gate(stopped=True).refused() is DiallingStopped
    gate = Gate()
    await gate.ledger.set_stop(Stop(NOON, "complaints"))
    assert await gate.refused() is DiallingStopped
    with pytest.raises(DiallingStopped, match="complaints"):
        await gate.guards.admit_transfer(US)
    await gate.ledger.set_stop(None)
    assert await gate.refused() is None


async def test_the_order_of_the_checks() -> None:
    """Everything is wrong; one after the other is put right."""
    gate = Gate(
        countries=("US",),
        consent_required=True,
        hours={"*": ("us",)},
        calls_per_number=1,
        calls_per_day=1,
        spend_per_day=0.01,
        prices={"+1": 0.01},
    )
    await gate.call(consent="yes")
    gate.now = NOON.replace(hour=11)
    await gate.ledger.set_stop(Stop(NOON, "complaints"))
    await gate.ledger.put_on_list([Unwanted(US, NOON, "imported")])
    assert await gate.refused(PREMIUM) is DiallingStopped
    await gate.ledger.set_stop(None)
    assert await gate.refused(PREMIUM) is NumberTypeDenied
    assert await gate.refused(TORONTO) is CountryNotAllowed
    assert await gate.refused() is DoNotCall
    await gate.ledger.take_off_list(US)
    assert await gate.refused() is ConsentMissing
    assert await gate.refused(consent="yes") is OutsideCallingHours
    gate.now = NOON
    assert await gate.refused(consent="yes") is CalledTooOften
    assert await gate.refused("+14155550101", consent="yes") is DailyCallsReached


async def test_transfers_are_guarded_but_for_what_protects_people_who_are_called_unasked() -> None:
    gate = Gate(consent_required=True, hours={"US": ("mon 00:00-00:01",)}, calls_per_number=1, calls_per_day=3)
    assert await gate.guards.admit_transfer("+1 (415) 555-0100") == US
    assert await gate.guards.admit_transfer(US) == US
    for number, refusal in ((PREMIUM, NumberTypeDenied), (INDIA, CountryNotAllowed), ("911", EmergencyNumber)):
        with pytest.raises(refusal):
            await gate.guards.admit_transfer(number)
    with pytest.raises(InvalidNumber):
        await gate.guards.admit_transfer("PJSIP/evil")
    assert await gate.guards.admit_test(US, longest=60) == US
    with pytest.raises(DailyCallsReached):
        await gate.guards.admit_transfer(US)


async def test_refusals_are_kept_and_counted_without_the_number() -> None:
    gate = Gate()
    await gate.refused(INDIA)
    with pytest.raises(NumberTypeDenied):
        await gate.guards.admit_transfer(PREMIUM)
    newest, first = await gate.ledger.refusals(limit=5)
    assert (newest.purpose, newest.code, newest.number) == (Purpose.TRANSFER, "number_type_denied", "+1900•••0100")
    assert (first.purpose, first.code, first.number) == (Purpose.CALL, "country_not_allowed", "+91987•••3210")
    assert INDIA not in first.message and PREMIUM not in newest.message
    assert dict(gate.guards.refused) == {"country_not_allowed": 1, "number_type_denied": 1}


def a_call(number: str = US, direction: Direction = Direction.OUTBOUND) -> CallRecord:
    return CallRecord(CALL, direction, number, "me", CallState.QUEUED, NOON)


@pytest.fixture
async def gate() -> AsyncGenerator[Gate, None]:
    gate = Gate()
    yield gate
    await gate.guards.settled()


def asked(call_id: CallId = CALL) -> CallNoted:
    return CallNoted(call_id, CallEvent(call_id, NOON, STOP_CALLING, "The person asked not to be called again."))


@pytest.mark.parametrize(
    ("number", "direction"), [(US, Direction.OUTBOUND), (US, Direction.INBOUND), (US[1:], Direction.INBOUND)]
)
async def test_whoever_asks_is_put_on_the_list(gate: Gate, number: str, direction: Direction) -> None:
    gate.guards.watch(CallCreated(a_call(number, direction)))
    gate.guards.watch(asked())
    await gate.guards.settled()
    found = await gate.ledger.unwanted(US)
    assert found is not None and CALL in found.why
    assert await gate.refused() is DoNotCall


async def test_the_list_is_written_however_often_the_store_fails(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards_module, "PAUSES", (0.0, 0.0, 0.0))
    gate.ledger.failing = 2
    gate.guards.watch(CallCreated(a_call()))
    gate.guards.watch(asked())
    await gate.guards.settled()
    assert await gate.ledger.unwanted(US) is not None


async def test_whoever_shows_no_number_changes_nothing(gate: Gate) -> None:
    gate.guards.watch(CallCreated(a_call("anonymous", Direction.INBOUND)))
    gate.guards.watch(asked())
    gate.guards.watch(asked(CallId("unknown")))
    await gate.guards.settled()
    assert await gate.ledger.list_unwanted(limit=5) == []
