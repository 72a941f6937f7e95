"""Warm transfers of the whole product through a real Asterisk: who hears whom, and what is written down of it."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from tests.conversation.booth import Mind
from tests.real.premises import NUMBER, PERSON_HERTZ, TIMEOUT, Premises, left_as_found, open_premises
from trunkline.audio import SAMPLE_RATE
from trunkline.models import CallId
from trunkline.ports import BrainAction, BrainSession, CallBriefing, HangUp, PersonTurn, Say, Transfer
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.report import CallReport
from trunkline.rehearsal.scenario import Scenario
from trunkline.settings import TransferSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANNA = "+14155550177"
ANNA_HERTZ = 900.0
LISTEN = {"wait_for_agent": {"silence_ms": 200}}
SPEAK = [{"wav": "hm.wav", "text": "hm"}, {"pause_ms": 200}]
QUICK = {"to": ANNA, "mode": "warm", "ring_seconds": 1, "hold": "silence", "question": "Will you?", "taken": "Thanks."}


class Forwarder:
    """A brain that puts everybody through to Anna, and takes its leave of whoever comes back."""

    async def open(self, briefing: CallBriefing) -> BrainSession:
        return _Forwarding("Hello.")

    async def close(self) -> None: ...


class _Forwarding(Mind):
    async def greet(self) -> AsyncGenerator[BrainAction, None]:
        yield Say("Hello.")
        yield Transfer("Anna", "a refund")

    async def reply(self, turn: PersonTurn) -> AsyncGenerator[BrainAction, None]:
        yield Say("Bye.")
        yield HangUp()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Premises]:
    transfers = {"Anna": TransferSettings.model_validate(QUICK)}
    folder = tmp_path_factory.mktemp("house")
    async with open_premises(folder, transfers=transfers, brains=lambda _: Forwarder()) as premises:
        yield premises


@pytest_asyncio.fixture(loop_scope="module")
async def office(house: Premises) -> AsyncIterator[Premises]:
    async with left_as_found(house) as office:
        yield office


def anna(office: Premises, *steps: object, **more: Any) -> Scenario:
    return office.person(*steps, hertz=ANNA_HERTZ, numbers=(ANNA,), **more)


async def reports(carrier: StandInCarrier, count: int) -> dict[str, CallReport]:
    """By number."""
    found = [await carrier.next_report(TIMEOUT) for _ in range(count)]
    return {report.number: report for report in found}


def hears(office: Premises, report: CallReport, hertz: float) -> float:
    """How much of what somebody heard is that tone: its share of the energy of the loudest second."""
    with wave.open(str(office.folder / "carrier" / str(report.recording))) as wav:
        both = np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2").reshape(-1, 2)
    heard = both[:, 1].astype(np.float64)
    spectrum = np.square(np.abs(np.fft.rfft(heard)))
    at = round(hertz * len(heard) / SAMPLE_RATE)
    near = len(heard) // 100  # 80 Hz: beeps of 0.2 s are that wide
    return float(spectrum[at - near : at + near].sum() / spectrum[round(100 * len(heard) / SAMPLE_RATE) :].sum())


async def linked(office: Premises, call_id: CallId) -> tuple[dict[str, Any], dict[str, Any]]:
    """The person's call and the colleague's, when both are over."""
    await office.until(lambda: len(office.updates) == 2 and all(map(office.has_ended, office.updates)))
    [other] = set(office.updates) - {call_id}
    return await office.get(call_id), await office.get(other)


@pytest.mark.parametrize("answer", [{"keys": "1"}, SPEAK[0]], ids=["by key", "by voice"])
async def test_a_colleague_takes_the_person_and_both_hear_each_other(office: Premises, answer: object) -> None:
    office.ears.texts.append("Yes, please.")
    person = office.person(LISTEN, *SPEAK * 12, numbers=(NUMBER,), stays_ms=TIMEOUT * 1000)
    colleague = anna(office, LISTEN, answer, {"pause_ms": 800}, *SPEAK * 4, "hang_up")
    async with office.carrier(person, colleague, record=True) as carrier:
        call_id = await office.call()
        call, other = await linked(office, call_id)
        found = await reports(carrier, 2)
    assert (found[ANNA].ended_by, found[NUMBER].ended_by) == ("person", "caller")
    assert hears(office, found[ANNA], PERSON_HERTZ) > 0.2
    assert hears(office, found[NUMBER], ANNA_HERTZ) > 0.2
    assert (call["disposition"], call["hungUpBy"]) == ("answered", "agent")
    assert call["reason"] == "The agent transferred the call to Anna."
    assert [event["kind"] for event in call["events"]] == ["transfer", "transfer-asked", "transfer-taken"]
    assert call["events"][-1]["data"]["callId"] == other["id"]
    assert (other["disposition"], other["variables"]) == ("answered", {"transfer_of": call_id})
    assert other["reason"] == f"Took the person of call {call_id}."


@pytest.mark.parametrize(
    ("colleague", "disposition"),
    [
        ({"steps": [LISTEN, {"keys": "2"}]}, "answered"),
        ({"steps": [LISTEN, "hang_up"]}, "answered"),
        ({"phone": {"then": "busy", "rings_ms": 0}}, "busy"),
        ({"phone": {"then": "no-answer", "rings_ms": 0}}, "no-answer"),
    ],
    ids=["declines", "hangs up", "is busy", "is not there"],
)
async def test_where_nobody_takes_the_person_the_agent_is_back(
    office: Premises, colleague: dict[str, Any], disposition: str
) -> None:
    office.ears.texts.append("Never mind.")
    person = office.person(LISTEN, LISTEN, SPEAK[0], numbers=(NUMBER,), stays_ms=TIMEOUT * 1000)
    other_side = anna(office, *colleague.get("steps", ()), phone=colleague.get("phone", {"rings_ms": 0}))
    async with office.carrier(person, other_side) as carrier:
        call_id = await office.call()
        call, other = await linked(office, call_id)
        found = await reports(carrier, 2)
    assert found[NUMBER].ended_by == "caller"
    assert [turn["text"] for turn in call["turns"]] == [
        "Hello.",
        "I'm sorry, I can't put you through at the moment.",
        "Never mind.",
        "Bye.",
    ]
    assert (call["disposition"], call["reason"]) == ("answered", "The conversation came to its end.")
    assert [event["kind"] for event in call["events"]] == ["transfer", "transfer-asked", "transfer-failed"]
    assert other["disposition"] == disposition


async def test_a_person_who_hangs_up_meanwhile_leaves_nobody_behind(office: Premises) -> None:
    person = office.person(LISTEN, {"pause_ms": 500}, "hang_up", numbers=(NUMBER,))
    colleague = anna(office, stays_ms=TIMEOUT * 1000)
    async with office.carrier(person, colleague) as carrier:
        call, other = await linked(office, await office.call())
        found = await reports(carrier, 2)
    assert found[ANNA].ended_by == "caller"
    assert (call["hungUpBy"], call["reason"]) == ("person", "The person hung up while Anna was being asked.")
    assert other["reason"] == "The person who was to be put through hung up."


async def test_a_taken_call_can_be_hung_up(office: Premises) -> None:
    person = office.person(numbers=(NUMBER,), stays_ms=TIMEOUT * 1000)
    colleague = anna(office, LISTEN, {"keys": "1"}, stays_ms=TIMEOUT * 1000)
    async with office.carrier(person, colleague) as carrier:
        call_id = await office.call()
        await office.until(lambda: any("transfer-taken" in str(update) for _, update in office.updates[call_id]))
        await asyncio.sleep(0.3)  # until they are in touch; either way the end is the same
        await office.delete(call_id)
        call, other = await linked(office, call_id)
        found = await reports(carrier, 2)
    assert {report.ended_by for report in found.values()} == {"caller"}
    assert (call["hungUpBy"], other["disposition"]) == ("operator", "answered")
