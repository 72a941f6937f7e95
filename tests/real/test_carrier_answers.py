"""What a real Asterisk makes of the stand-in carrier's refusals: each cause reaches us as the answer Twilio sends."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.carriers.test_diagnosis import BY_PHRASE
from tests.real.conftest import PrivateAsteriskFactory
from trunkline.carriers.diagnosis import explain
from trunkline.events import FarEndGone, FarEndProgress, FarEndRinging, PbxEvent
from trunkline.models import CallId
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.termination import ANSWERS, Cause
from trunkline.settings import TrunkSettings
from trunkline.telephony.ari import AriPbx

NUMBER, CALLER_ID = "+14155550123", "+14155550100"
TIMEOUT = 20.0


@dataclass(frozen=True)
class Row:
    name: str
    code: int
    cause: Cause | None = None
    carrier: dict[str, Any] = field(default_factory=dict)
    trunk: dict[str, Any] = field(default_factory=dict)
    phone: dict[str, Any] = field(default_factory=dict)


ROWS = [
    Row("wrong password", 403, Cause.BAD_CREDENTIALS, trunk={"password": "wrong"}),
    Row("source not in the ACL", 403, Cause.NOT_IN_ACL, {"acl": ["203.0.113.0/24"]}),
    Row("SIP domain", 404, Cause.SIP_DOMAIN, trunk={"host": "somebody.sip.twilio.com"}),
    Row("caller ID not allowed", 403, Cause.CALLER_ID_NOT_ALLOWED, {"caller_ids": ["+14155550111"]}),
    Row("destination blocked", 403, Cause.BLOCKED, {"blocked_numbers": [NUMBER]}),
    Row("country not permitted", 403, Cause.COUNTRY, {"forbidden_prefixes": ["+1415"]}),
    Row("account suspended", 603, Cause.SUSPENDED, {"suspended": True}),
    Row("trial account", 400, Cause.UNVERIFIED_CALLEE, {"verified_callees": [CALLER_ID]}),
    Row("busy", 486, phone={"then": "busy", "rings_ms": 50}),
    Row("declined", 603, phone={"then": "declined", "rings_ms": 50}),
]


class Calls:
    """Places calls and waits for what became of them."""

    def __init__(self, ari: AriPbx) -> None:
        self._ari = ari
        self._events: asyncio.Queue[PbxEvent] = asyncio.Queue()
        ari.on_event(self._events.put_nowait)

    async def place(self, *, ring_timeout: float = 30) -> CallId:
        call_id = CallId(str(uuid.uuid4()))
        await self._ari.dial(call_id, NUMBER, caller_id=CALLER_ID, ring_timeout=ring_timeout)
        return call_id

    async def event(self, *kinds: type[PbxEvent]) -> PbxEvent:
        async with asyncio.timeout(TIMEOUT):
            while not isinstance(event := await self._events.get(), kinds):
                pass
        return event

    async def gone(self) -> FarEndGone:
        event = await self.event(FarEndGone)
        assert isinstance(event, FarEndGone)
        return event


def told(gone: FarEndGone) -> str:
    """What `GET /calls/{id}` says of such an end."""
    end = explain(
        sip_code=gone.sip_code, sip_reason=gone.sip_reason, q850_cause=gone.q850_cause, rang=False, ring_timeout=30
    )
    return end.reason


def trunk_of(carrier: StandInCarrier, **changes: Any) -> TrunkSettings:
    own = carrier.trunk_settings() | {"caller_ids": [CALLER_ID], "qualify_seconds": 0}
    return TrunkSettings.model_validate(own | changes)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_refusal_reaches_us_with_its_code(private_asterisk: PrivateAsteriskFactory, row: Row) -> None:
    person = Scenario.model_validate({"name": "somebody", "phone": row.phone})
    async with StandInCarrier(CarrierConfig.model_validate(row.carrier), [person]) as carrier:
        trunk = trunk_of(carrier, **row.trunk)
        async with private_asterisk(trunk) as asterisk, AriPbx(asterisk.ari, trunk) as ari:
            calls = Calls(ari)
            await calls.place()
            gone = await calls.gone()
            assert gone.sip_code == row.code
            if row.cause is not None:
                assert gone.sip_reason == ANSWERS[row.cause].phrase
                assert BY_PHRASE[row.cause].lower() in told(gone).lower()
            assert "0 active channels" in await asterisk.command("core show channels count")
        assert carrier.refused == ([(NUMBER, row.cause)] if row.cause else [])
        assert carrier.live_calls == 0


async def test_a_second_call_within_a_second_is_too_fast(private_asterisk: PrivateAsteriskFactory) -> None:
    busy = Scenario.model_validate({"name": "busy", "phone": {"then": "busy", "rings_ms": 0}})
    async with StandInCarrier(CarrierConfig(), [busy]) as carrier:
        trunk = trunk_of(carrier)
        async with private_asterisk(trunk) as asterisk, AriPbx(asterisk.ari, trunk) as ari:
            calls = Calls(ari)
            await asyncio.gather(calls.place(), calls.place())
            codes = {(await calls.gone()).sip_code for _ in range(2)}
    assert codes == {486, 503}


async def test_early_media_is_reported_and_nobody_picks_up(private_asterisk: PrivateAsteriskFactory) -> None:
    phone = {"then": "no-answer", "early_media": True}
    async with StandInCarrier(CarrierConfig(), [Scenario.model_validate({"name": "away", "phone": phone})]) as carrier:
        trunk = trunk_of(carrier)
        async with private_asterisk(trunk) as asterisk, AriPbx(asterisk.ari, trunk) as ari:
            calls = Calls(ari)
            call_id = await calls.place()
            assert isinstance(await calls.event(FarEndRinging, FarEndProgress), FarEndRinging)
            await calls.event(FarEndProgress)
            await ari.hang_up(call_id)
            await calls.gone()
        report = await carrier.next_report(TIMEOUT)
    assert (report.outcome, report.ended_by) == ("no-answer", "caller")


async def test_a_wrong_host_is_never_answered(private_asterisk: PrivateAsteriskFactory) -> None:
    async with StandInCarrier(CarrierConfig(), [Scenario(name="somebody")]) as carrier:
        trunk = trunk_of(carrier, host="other.pstn.example.com")
        async with private_asterisk(trunk) as asterisk, AriPbx(asterisk.ari, trunk) as ari:
            calls = Calls(ari)
            call_id = await calls.place()
            async with asyncio.timeout(TIMEOUT):
                while not any(line.line.startswith("INVITE") for line in carrier.agent.trace):
                    await asterisk.command("core show channels count")
            await ari.hang_up(call_id)
            gone = await calls.gone()
        assert {line.direction for line in carrier.agent.trace} == {"in"}
    assert gone.sip_code is None
    assert "to the letter" in told(gone)
