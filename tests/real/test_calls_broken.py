"""Calls of the whole product that end, or that somebody tries to spoil, in the middle of a conversation.

However a call ends, all of it ends in both worlds: leg, conversation and record here, channel and sockets in Asterisk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.real.premises import LONG, TIMEOUT, Premises, left_as_found, open_premises
from tests.real.sip_peer import OK, SipPeer
from tests.real.test_ari_connection import Relay
from trunkline.events import CallUpdate, GreetingStarted, SentenceStarted, SpeechHeard, TurnFinished
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.telephony import ari_connection
from trunkline.telephony.asterisk_config import pjsip
from trunkline.telephony.pbx import PrivateAsterisk
from trunkline.telephony.pbx_boot import ari_address
from trunkline.telephony.pbx_home import AriAddress

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON = 1.0
"""Seconds in which everything of a call is over, on a machine that is busy with other tests."""
HEARD = {"wait_for_agent": {"silence_ms": 200}}
MORE = {"wav": "hm.wav", "text": "tell me more"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Premises]:
    async with open_premises(tmp_path_factory.mktemp("house")) as premises:
        yield premises


@pytest_asyncio.fixture(loop_scope="module")
async def office(house: Premises) -> AsyncIterator[Premises]:
    async with left_as_found(house) as office:
        yield office


def when_sip(carrier: StandInCarrier, method: str) -> float:
    """When the carrier sent or got the first such request, on the monotonic clock."""
    return next(line.at for line in carrier.agent.trace if line.line.startswith(method))


# ── the person hangs up ────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_person_hangs_up_during_the_greeting(
    office: Premises, record_property: Callable[[str, object], None]
) -> None:
    async with office.carrier(office.person({"pause_ms": 400}, "hang_up")) as carrier:
        call_id = await office.call(script=LONG)
        call = await office.ended(call_id)
        hung_up_in = office.over(call_id) - when_sip(carrier, "BYE")
        report = await carrier.next_report(TIMEOUT)
    assert (call["disposition"], call["sipCode"], call["hungUpBy"]) == ("answered", 200, "person")
    assert call["reason"] == "The person hung up."
    assert report.ended_by == "person"
    (greeting,) = call["turns"]
    assert greeting["cutOff"]
    assert greeting["intended"].startswith(LONG)
    assert greeting["text"] and LONG.startswith(greeting["text"]) and len(greeting["text"]) < len(LONG) / 2
    assert greeting["ended"] == pytest.approx(0.4, abs=0.25)
    record_property("hung_up_ms", round(hung_up_in * 1000, 1))
    assert hung_up_in < SOON


async def test_the_person_hangs_up_while_the_agent_speaks(office: Premises) -> None:
    office.ears.texts.append("tell me more")
    async with office.carrier(office.person(HEARD, MORE, {"pause_ms": 500}, "hang_up")):
        call = await office.ended(await office.call())
    assert (call["disposition"], call["hungUpBy"]) == ("answered", "person")
    assert [turn["speaker"] for turn in call["turns"]] == ["agent", "person", "agent"]
    answer = call["turns"][-1]
    assert answer["cutOff"] and answer["intended"] == LONG
    assert len(answer["text"]) < len(LONG) / 2


async def test_the_person_picks_up_and_hangs_up_at_once(office: Premises) -> None:
    async with office.carrier(office.person("hang_up")) as carrier:
        call = await office.ended(await office.call())
        assert (await carrier.next_report(TIMEOUT)).outcome == "answered"
    assert (call["disposition"], call["sipCode"], call["hungUpBy"]) == ("answered", 200, "person")
    assert "hung up" in call["reason"]
    assert call["turns"] == []


async def test_the_person_hangs_up_while_they_are_transcribed(office: Premises) -> None:
    before = office.inventory()
    office.ears.hold()
    async with office.carrier(office.person(HEARD, MORE, {"pause_ms": 400}, "hang_up")):
        call = await office.ended(await office.call())
    assert len(office.ears.heard) == 1
    await office.nothing_is_left(before)  # the transcription is given up, though it goes on elsewhere
    office.ears.release()
    assert (call["disposition"], call["hungUpBy"]) == ("answered", "person")
    assert [turn["text"] for turn in call["turns"]] == ["Hi. Yes?"]


# ── we hang up ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("moment", ["greeting", "speaking", "transcribing", "listening"])
async def test_delete_in_the_conversation(
    office: Premises, moment: str, record_property: Callable[[str, object], None]
) -> None:
    office.ears.texts.append("tell me more")
    if moment == "transcribing":
        office.ears.hold()
    steps = [{"pause_ms": 5000}] if moment in {"greeting", "listening"} else [HEARD, MORE, {"pause_ms": 5000}]
    async with office.carrier(office.person(*steps)) as carrier:
        call_id = await office.call(**({"script": LONG} if moment == "greeting" else {}))
        happens = {
            "greeting": lambda update: isinstance(update, GreetingStarted),
            "speaking": lambda update: isinstance(update, SentenceStarted) and update.text == LONG,
            "transcribing": lambda update: isinstance(update, SpeechHeard) and not update.speaking,
            "listening": lambda update: isinstance(update, TurnFinished),
        }[moment]
        await office.until(lambda: office.when(call_id, happens) > 0)
        asked = time.monotonic()
        await office.delete(call_id)
        call = await office.ended(call_id)
        over = office.over(call_id)
        report = await carrier.next_report(TIMEOUT)
        bye = when_sip(carrier, "BYE")
    office.ears.release()
    assert (call["disposition"], call["sipCode"], call["hungUpBy"]) == ("answered", 200, "operator")
    assert call["reason"] == "Hung up on request."
    assert (report.ended_by, report.problems) == ("caller", ())
    record_property("bye_ms", round((bye - asked) * 1000, 1))
    record_property("over_ms", round((over - asked) * 1000, 1))
    assert bye - asked < SOON
    assert over - asked < SOON


# ── uninvited connections ──────────────────────────────────────────────────────────────────────────────────────────


async def connection(office: Premises, data: bytes) -> None:
    """Connect where Asterisk brings the audio, say that, and stay until we are thrown out."""
    host, _, port = office.house.asterisk.instance.audiosocket.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    async with asyncio.timeout(TIMEOUT):
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def named(call_id: str) -> bytes:
    return b"\x01\x00\x10" + uuid.UUID(call_id).bytes


async def test_uninvited_connections_disturb_no_call(office: Premises) -> None:
    office.ears.texts.extend(["yes", "no"])
    before = office.house.audio.counters
    no = {"wav": "hm.wav", "text": "no"}
    async with office.carrier(office.person(HEARD, {"wav": "hm.wav", "text": "yes"}, HEARD, no)) as carrier:
        call_id = await office.call()
        await office.until(lambda: office.when(call_id, lambda update: isinstance(update, GreetingStarted)) > 0)
        await connection(office, named(str(uuid.uuid4())))
        await connection(office, named(call_id))
        await connection(office, b"\x10\x01\x40" + bytes(320))
        await connection(office, b"\x01\x00\x03abc")
        await connection(office, b"GET / HTTP/1.1\r\n\r\n")
        call = await office.ended(call_id)
        report = await carrier.next_report(TIMEOUT)
    after = office.house.audio.counters
    assert after.refused_unknown - before.refused_unknown == 1
    assert after.refused_duplicate - before.refused_duplicate == 1
    assert after.malformed - before.malformed == 3
    metrics = (await office.http.get("/metrics")).text
    assert f'trunkline_audio_faults_total{{fault="malformed"}} {after.malformed}' in metrics
    assert call["transcript"].splitlines()[1:] == ["Person: yes", "Agent: I see.", "Person: no", "Agent: Bye."]
    assert (call["disposition"], call["hungUpBy"]) == ("answered", "agent")
    assert (report.problems, report.received.lost) == ((), 0)


# ── Asterisk ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def is_ready(office: Premises) -> None:
    """Until the service says that calls can be placed."""
    async with asyncio.timeout(TIMEOUT):
        while (await office.http.get("/health")).status_code != 200:
            await asyncio.sleep(0.02)


async def one_more_call(office: Premises) -> None:
    """The next call works."""
    await is_ready(office)
    office.ears.texts.append("no")
    async with office.carrier(office.person(HEARD, {"wav": "hm.wav", "text": "no"})):
        call = await office.ended(await office.call())
    assert call["transcript"].splitlines() == ["Agent: Hi. Yes?", "Person: no", "Agent: Bye."]
    assert (call["disposition"], call["hungUpBy"]) == ("answered", "agent")


def lost(call: dict[str, Any]) -> None:
    """The call's record says that Asterisk was the reason, and keeps what was said before."""
    assert (call["disposition"], call["hungUpBy"]) == ("failed", "system")
    assert call["reason"].startswith("Asterisk was lost during the call")
    assert "It is started again by itself" in call["reason"]
    assert call["transcript"] == "Agent: Hi. Yes?"


def greeted(update: CallUpdate) -> bool:
    """The greeting is over and noted."""
    return isinstance(update, TurnFinished)


async def test_asterisk_is_killed_during_a_call(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    async with open_premises(tmp_path) as office:
        before = office.inventory()
        async with office.carrier(office.person({"pause_ms": 5000})):
            call_id = await office.call()
            await office.until(lambda: office.when(call_id, greeted) > 0)
            pid = office.house.asterisk.pid
            assert pid is not None
            killed = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            call = await office.ended(call_id)
            noticed = office.over(call_id) - killed
        lost(call)
        record_property("noticed_ms", round(noticed * 1000, 1))
        assert noticed < SOON
        assert (await office.http.get(f"/calls/{call_id}/recording")).status_code == 200
        await one_more_call(office)
        assert office.house.asterisk.pid != pid
        tasks = office.inventory().tasks  # the websocket is another one
        await office.nothing_is_left(replace(before, tasks=tasks))


async def test_asterisk_freezes_during_a_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ari_connection, "_PING_SECONDS", 0.3)
    monkeypatch.setattr(ari_connection, "_REQUEST_SECONDS", 0.3)
    async with open_premises(tmp_path) as office:
        before = office.inventory()
        pid = office.house.asterisk.pid
        assert pid is not None
        async with office.carrier(office.person({"pause_ms": 20_000})) as carrier:
            call_id = await office.call()
            await office.until(lambda: office.when(call_id, greeted) > 0)
            os.kill(pid, signal.SIGSTOP)
            try:
                call = await office.ended(call_id)
            finally:
                os.kill(pid, signal.SIGCONT)
            # Awake again, it learns that its call is over: the person is not left on a dead line.
            report = await carrier.next_report(TIMEOUT)
        lost(call)
        assert report.ended_by == "caller"
        await one_more_call(office)
        assert office.house.asterisk.pid == pid
        tasks = office.inventory().tasks
        await office.nothing_is_left(replace(before, tasks=tasks))


async def test_the_connection_to_asterisk_is_lost_during_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = Relay("", 0)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    url = "http://{}:{}/ari".format(*server.sockets[0].getsockname())

    def through_the_relay(asterisk: PrivateAsterisk) -> AriAddress:
        relay._target = (asterisk.instance.http_address, asterisk.instance.http_port)
        return replace(ari_address(asterisk.instance), url=url)

    monkeypatch.setattr(PrivateAsterisk, "ari", property(through_the_relay))
    async with open_premises(tmp_path) as office:
        async with office.carrier(office.person({"pause_ms": 20_000})) as carrier:
            call_id = await office.call()
            await office.until(lambda: office.when(call_id, greeted) > 0)
            relay.cut()
            call = await office.ended(call_id)
            report = await carrier.next_report(TIMEOUT)
        lost(call)
        assert report.ended_by == "caller"
        await one_more_call(office)
        assert "0 active channels" in await office.house.asterisk.command("core show channels count")
    server.close()


async def test_asterisk_can_not_connect_the_audio(tmp_path: Path) -> None:
    async with open_premises(tmp_path) as office:
        await office.house.audio.close()
        async with office.carrier(office.person({"pause_ms": 5000})) as carrier:
            call = await office.ended(await office.call())
            report = await carrier.next_report(TIMEOUT)
    assert (call["disposition"], call["hungUpBy"]) == ("failed", "system")
    assert "could not connect its audio" in call["reason"]
    assert report.ended_by == "caller"


async def test_the_far_end_falls_silent_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pjsip, "RTP_SILENCE_SECONDS", 1)
    async with open_premises(tmp_path) as office:
        # Answers and then sends nothing at all, as if its BYE had been lost.
        peer = SipPeer([OK])
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: peer, local_addr=office.trunk)
        call = await office.ended(await office.call())
        assert await peer.request("BYE")
        peer.close()
    assert (call["disposition"], call["hungUpBy"], call["q850Cause"]) == ("answered", "carrier", 44)
    assert "no sound any more" in call["reason"]
