"""Calls between three real parties: Trunkline with its Asterisk, a carrier, an office with an Asterisk of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from tests.brains.n8n_server import N8nServer
from tests.real.office import (
    AGENT_HERTZ,
    AGI_FULL,
    AGI_TURNS,
    ANNA,
    BEN,
    CARL,
    LISTEN,
    QUEUE,
    SPEAK,
    Office,
    attached,
    building,
    goodbye,
    hertz_of,
    number_of,
    transfer,
)
from tests.real.premises import NUMBER, PERSON_HERTZ, TIMEOUT
from tests.real.their_asterisk import TheirAsterisk
from tests.real.tones import Ears
from trunkline.settings import TransferSettings
from trunkline.telephony.asterisk_program import AsteriskProgram

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEEPS_SPEAKING = (*[SPEAK, {"pause_ms": 400}] * 5,)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory, asterisk_program: AsteriskProgram) -> AsyncIterator[Office]:
    house, ears = tmp_path_factory.mktemp("house"), Ears()
    ours = TheirAsterisk(tmp_path_factory.mktemp("ours"), asterisk_program)
    async with building(asterisk_program, tmp_path_factory.mktemp("office")) as place, N8nServer() as workflow:
        warm = {"mode": "warm", "hold": "silence", "question": "Somebody is here.[ {about}.] Yes?"}
        reached = {"anna": place.address_of(ANNA), "ben": f"{BEN}@internal", "carl": "PJSIP/carl"}
        people = {name: TransferSettings.model_validate({"to": to, **warm}) for name, to in reached.items()}
        people["desk"] = TransferSettings(to=f"{QUEUE}@internal")
        manners = {"brain": "n8n", "n8n": {"webhook_url": workflow.url}}
        async with (
            attached(ours, place, house, people, ears=ears, **manners) as (premises, relay),
            place.open(premises, workflow, ears, ours, relay) as office,
        ):
            yield office


@pytest_asyncio.fixture(loop_scope="module")
async def office(stage: Office) -> AsyncIterator[Office]:
    stage.premises.forget()
    stage.workflow.plays.clear()
    stage.workflow.exchanges.clear()
    stage.ears.lines.clear()
    yield stage
    await stage.nothing_is_left()
    stage.forget_records()


async def test_two_decline_and_the_third_takes_the_caller(office: Office) -> None:
    """Anna says no, Carl's phone refuses, Ben says yes: only he and the caller ever hear each other."""
    office.workflow.plays = [transfer("anna"), transfer("carl"), transfer("ben")]
    waits_and_comes_back = [LISTEN, LISTEN, SPEAK]
    caller = office.person(
        *[LISTEN, SPEAK, *waits_and_comes_back, *waits_and_comes_back, LISTEN, LISTEN, SPEAK],
        says=("Anna, please.", "Then Carl.", "Then Ben."),
    )
    anna = office.colleague(ANNA, LISTEN, SPEAK, LISTEN, says=("No, not now.",), name="Anna")
    carl = office.colleague(CARL, phone={"then": "declined", "rings_ms": 500}, name="Carl")
    ben = office.colleague(BEN, LISTEN, SPEAK, LISTEN, *KEEPS_SPEAKING, "hang_up", says=("Yes.",), name="Ben")
    async with office.staffed(anna, ben, carl) as phones:
        report = await office.call_trunk(caller)
        call, *asked = await office.calls(4)
        people = {of.person: of for of in [await phones.next_report(TIMEOUT) for _ in asked]}
    assert (report.outcome, report.ended_by, report.problems) == ("answered", "caller", ())

    # By tone: who hears whom.
    assert office.heard(report, "callers") == [AGENT_HERTZ, hertz_of(BEN)]
    assert office.heard(people["Anna"], "phones") == [AGENT_HERTZ]
    assert office.heard(people["Ben"], "phones") == [AGENT_HERTZ, PERSON_HERTZ]

    # By words: what each was told.
    sorry = "Agent: I'm sorry, I can't put you through at the moment."
    assert call["transcript"].splitlines() == [
        *["Agent: Hello there.", "Person: Anna, please.", "Agent: One moment.", sorry],
        *["Person: Then Carl.", "Agent: One moment.", sorry, "Person: Then Ben.", "Agent: One moment."],
    ]
    assert asked[0]["transcript"].splitlines() == [
        "Agent: Somebody is here. Anna, please. Yes?",
        "Person: No, not now.",
        "Agent: All right. Goodbye.",
    ]
    assert asked[2]["transcript"].splitlines()[1:] == ["Person: Yes.", "Agent: Thank you. Here they are."]

    # The records.
    assert (call["direction"], call["disposition"], call["hungUpBy"]) == ("inbound", "answered", "agent")
    assert call["reason"] == "The agent transferred the call to ben."
    once = ["transfer", "transfer-asked", "transfer-failed"]
    assert [event["kind"] for event in call["events"]] == [*once, *once, "transfer", "transfer-asked", "transfer-taken"]
    assert {one["variables"]["transfer_of"] for one in asked} == {call["id"]}
    assert [(one["direction"], one["disposition"]) for one in asked] == [
        ("outbound", "answered"),
        ("outbound", "rejected"),
        ("outbound", "answered"),
    ]
    assert asked[1]["reason"].startswith("The call was declined")
    for told, seen in ((call, report), (asked[0], people["Anna"]), (asked[2], people["Ben"])):
        assert told["durationSeconds"] == pytest.approx(seen.duration, abs=0.5)

    # The office's own records tell the same.
    found = await office.records(3)
    assert [(one["to"], one["disposition"]) for one in found] == [
        (ANNA, "ANSWERED"),
        (CARL, "NO ANSWER"),
        (BEN, "ANSWERED"),
    ]
    assert {one["from"] for one in found} == {NUMBER}
    assert int(found[2]["talk"]) == pytest.approx(people["Ben"].duration, abs=1.5)


async def test_somebody_at_the_queue_takes_the_caller(office: Office) -> None:
    office.workflow.plays = [transfer("desk")]
    caller = office.person(LISTEN, SPEAK, *[{"pause_ms": 1500}, SPEAK, *KEEPS_SPEAKING], says=("The desk, please.",))
    ben = office.colleague(BEN, *KEEPS_SPEAKING, "hang_up", name="Ben")
    async with office.staffed(ben) as phones:
        report = await office.call_trunk(caller)
        (call,) = await office.calls(1)
        colleague = await phones.next_report(TIMEOUT)
    assert report.problems == ()
    assert [office.heard(report, "callers")[at] for at in (0, -1)] == [AGENT_HERTZ, hertz_of(BEN)]
    assert office.heard(colleague, "phones") == [PERSON_HERTZ]
    assert (call["disposition"], call["reason"]) == ("answered", "The agent transferred the call to desk.")
    assert [event["kind"] for event in call["events"]] == ["transfer"]
    assert call["durationSeconds"] == pytest.approx(report.duration, abs=0.5)
    found = await office.records(2)
    assert {(one["to"], one["disposition"]) for one in found} == {(BEN, "ANSWERED"), (QUEUE, "ANSWERED")}


@pytest.mark.parametrize("extension", [AGI_FULL, AGI_TURNS])
async def test_the_dialplan_of_the_office_asks_for_the_agent(office: Office, extension: str) -> None:
    """It dials whom the agent names, and gives the caller back where nobody takes them."""
    office.workflow.plays = [transfer(number_of(ANNA)), transfer(number_of(BEN))]
    caller = office.person(*[LISTEN, SPEAK, LISTEN] * 2, LISTEN, SPEAK, says=("Anna, please.", "Then Ben."))
    # Without a ringing tone, so that the caller can tell the two agents' words apart.
    anna = office.colleague(ANNA, phone={"then": "declined", "ringing": False, "rings_ms": 800}, name="Anna")
    ben = office.colleague(BEN, *KEEPS_SPEAKING, "hang_up", phone={"ringing": False, "rings_ms": 800}, name="Ben")
    async with office.staffed(anna, ben) as phones:
        report = await office.call_in(extension, caller)
        first, second = await office.calls(2)
        people = {of.person: of for of in [await phones.next_report(TIMEOUT) for _ in range(2)]}
    assert (report.outcome, report.ended_by, report.problems) == ("answered", "caller", ())
    heard = office.heard(report, "callers")
    assert (heard[0], heard[-1]) == (AGENT_HERTZ, hertz_of(BEN))
    assert office.heard(people["Ben"], "phones") == [PERSON_HERTZ]
    for call, said, to in ((first, "Anna, please.", ANNA), (second, "Then Ben.", BEN)):
        assert [turn["text"] for turn in call["turns"] if turn["speaker"] == "person"] == [said]
        assert (call["direction"], call["number"], call["callerId"]) == ("inbound", NUMBER, extension)
        assert (call["disposition"], call["hungUpBy"]) == ("answered", "agent")
        assert call["reason"] == f"The agent transferred the call to {number_of(to)}."
    records = [one for one in await office.records(4) if one["to"] in (ANNA, BEN)]
    assert [(one["to"], one["disposition"]) for one in records] == [(ANNA, "NO ANSWER"), (BEN, "ANSWERED")]


async def test_ari_is_cut_while_two_are_in_touch(
    office: Office, record_property: Callable[[str, object], None]
) -> None:
    """They go on, and one of them leaves unseen; who calls meanwhile is answered by way of AGI; the next call works."""
    office.workflow.plays = [transfer("ben"), goodbye(), goodbye()]
    waits = office.person(LISTEN, SPEAK, LISTEN, says=("Ben, please.",), name="waits", stays_ms=60_000)
    leaves = [LISTEN, SPEAK, LISTEN, *KEEPS_SPEAKING * 2, "hang_up"]
    ben = office.colleague(BEN, *leaves, says=("Yes.",), name="Ben")
    short = office.person(LISTEN, SPEAK, LISTEN, says=("Hello?", "Hello again?"), name="short", hertz=1000.0)
    async with office.staffed(ben) as phones:
        waiting = asyncio.create_task(office.call_trunk(waits))
        await office.two_in_touch()
        async with office.ari_cut():
            meanwhile = await office.call_trunk(short)
            gone = await phones.next_report(TIMEOUT)
        back = time.monotonic()
        alone = await waiting
        record_property("alone_for_s", round(time.monotonic() - back, 2))
        called = time.monotonic()
        after = await office.call_trunk(short)
        record_property("answered_after_s", round(called - back + (after.answer_after_ms or 0) / 1000, 2))
    assert (gone.ended_by, alone.ended_by) == ("person", "caller")
    assert office.heard(alone, "callers") == [AGENT_HERTZ, hertz_of(BEN)]
    first, asked, *others = await office.calls(4)
    assert [event["kind"] for event in first["events"]] == ["transfer", "transfer-asked", "transfer-taken"]
    assert (first["disposition"], first["reason"]) == ("answered", "The agent transferred the call to ben.")
    assert asked["disposition"] == "answered"
    for call, report, said in zip(others, (meanwhile, after), ("Hello?", "Hello again?"), strict=True):
        assert (report.outcome, report.ended_by, report.problems) == ("answered", "caller", ())
        assert call["transcript"].splitlines() == ["Agent: Hello there.", f"Person: {said}", "Agent: Goodbye."]
        assert (call["direction"], call["disposition"], call["hungUpBy"]) == ("inbound", "answered", "agent")
