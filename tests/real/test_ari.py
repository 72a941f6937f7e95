"""Calls through a real Asterisk to a socket that answers as each test says."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.real.conftest import PrivateAsteriskFactory
from tests.real.sip_peer import OK, PROGRESS, RINGING, Answer, SipPeer
from trunkline.errors import InvalidNumber, PbxUnavailable, TrunkNotConfigured
from trunkline.events import (
    FarEndAnswered,
    FarEndGone,
    FarEndProgress,
    FarEndRinging,
    PbxEvent,
    PbxLost,
    PbxReady,
)
from trunkline.models import CallId
from trunkline.settings import TrunkSettings
from trunkline.telephony.ari import AriPbx
from trunkline.telephony.pbx import PrivateAsterisk

NUMBER = "+14155550123"
CALLER = "+14155550100"


class MediaSocket:
    """Takes AudioSocket connections, keeps their first frame (the call's id), holds them open."""

    def __init__(self) -> None:
        self.ids: asyncio.Queue[uuid.UUID] = asyncio.Queue()
        self.ended: asyncio.Queue[uuid.UUID] = asyncio.Queue()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = uuid.UUID(bytes=(await reader.readexactly(19))[3:])
        self.ids.put_nowait(call)
        while await reader.read(4096):
            pass
        self.ended.put_nowait(call)
        writer.close()


@dataclass
class Line:
    """Everything between us and the peer."""

    asterisk: PrivateAsterisk
    ari: AriPbx
    peer: SipPeer
    media: MediaSocket
    events: asyncio.Queue[PbxEvent]

    async def dial(self, *, ring_timeout: float = 30.0, caller_id: str | None = CALLER) -> CallId:
        call_id = CallId(str(uuid.uuid4()))
        await self.ari.dial(call_id, NUMBER, caller_id=caller_id, ring_timeout=ring_timeout)
        return call_id

    async def event(self) -> PbxEvent:
        async with asyncio.timeout(10):
            return await self.events.get()

    async def gone(self) -> FarEndGone:
        """Reads on until the far end is gone."""
        while not isinstance(event := await self.event(), FarEndGone):
            pass
        return event

    async def channels(self) -> str:
        return await self.asterisk.command("core show channels count")


LineTo = Callable[..., AbstractAsyncContextManager[Line]]


@pytest.fixture
def line(private_asterisk: PrivateAsteriskFactory) -> LineTo:
    @asynccontextmanager
    async def connect(*answers: Answer) -> AsyncIterator[Line]:
        peer, media = await SipPeer.open(*answers), MediaSocket()
        events: asyncio.Queue[PbxEvent] = asyncio.Queue()
        server = await asyncio.start_server(media.serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        trunk = TrunkSettings(host="carrier.example", proxy="{}:{}".format(*peer.address), qualify_seconds=0)
        async with private_asterisk(trunk, audiosocket=f"{host}:{port}") as asterisk:
            ari = AriPbx(asterisk.ari, trunk)
            ari.on_event(events.put_nowait)
            async with ari:
                assert isinstance(await events.get(), PbxReady)
                yield Line(asterisk, ari, peer, media, events)
        server.close()
        peer.close()

    return connect


async def test_an_answered_call_and_its_end_by_the_person(line: LineTo) -> None:
    async with line(RINGING, PROGRESS, OK) as it:
        call_id = await it.dial()
        assert [await it.event() for _ in range(3)] == [
            FarEndRinging(call_id),
            FarEndProgress(call_id),
            FarEndAnswered(call_id),
        ]
        async with asyncio.timeout(5):
            assert await it.media.ids.get() == uuid.UUID(call_id)
        it.peer.send_bye()
        assert await it.event() == FarEndGone(call_id, q850_cause=16)
        async with asyncio.timeout(5):
            assert await it.media.ended.get() == uuid.UUID(call_id)
        assert "0 active channels" in await it.channels()


async def test_the_invite_is_what_a_carrier_wants(line: LineTo) -> None:
    async with line(RINGING) as it:
        await it.dial()
        invite = await it.peer.request("INVITE")
        assert invite.startswith(f"INVITE sip:{NUMBER}@carrier.example:5060 SIP/2.0\r\n")
        assert re.search(rf"^From: <sip:{re.escape(CALLER)}@carrier\.example>", invite, re.MULTILINE)
        assert "\r\nm=audio " in invite and " RTP/AVP 0 8 101\r\n" in invite
        assert "\r\nSession-Expires:" not in invite
        assert invite.count("\r\nRoute: ") == 1


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Answer(403, "Caller ID is unauthorized, sorry; really", ("X-Twilio-Error: 32204 text",)), 21),
        (Answer(404, "Not Found"), 1),
        (Answer(486, "Busy Here"), 17),
        (Answer(503, "Trunk CPS limit exceeded"), 34),
        (Answer(603, "Decline"), 21),
    ],
)
async def test_a_refusal_keeps_the_carriers_own_words(line: LineTo, answer: Answer, cause: int) -> None:
    async with line(answer) as it:
        call_id = await it.dial()
        assert await it.gone() == FarEndGone(call_id, cause, answer.code, answer.reason)
        assert "0 active channels" in await it.channels()


async def test_a_phone_that_rings_too_long(line: LineTo) -> None:
    async with line(RINGING) as it:
        call_id = await it.dial(ring_timeout=1)
        assert await it.event() == FarEndRinging(call_id)
        # cause 19: no answer; the carrier never gave a final response, so none is reported
        assert await it.event() == FarEndGone(call_id, q850_cause=19)
        await it.peer.request("CANCEL")


async def test_hanging_up_in_every_state(line: LineTo) -> None:
    async with line() as it:
        silent = await it.dial()
        await it.peer.request("INVITE")
        await it.ari.hang_up(silent)
        assert await it.gone() == FarEndGone(silent, q850_cause=16)

        it.peer.answers = [RINGING]
        ringing = await it.dial()
        assert await it.event() == FarEndRinging(ringing)
        await it.ari.hang_up(ringing)
        assert await it.gone() == FarEndGone(ringing, q850_cause=16)
        await it.peer.request("CANCEL")

        it.peer.answers = [OK]
        answered = await it.dial()
        assert await it.event() == FarEndAnswered(answered)
        await it.ari.hang_up(answered)
        assert await it.gone() == FarEndGone(answered, q850_cause=16)
        await it.peer.request("BYE")

        await it.ari.hang_up(answered)  # gone already: harmless
        assert "0 active channels" in await it.channels()
        assert it.events.empty()


async def test_a_dial_that_is_cancelled_rings_nowhere(line: LineTo) -> None:
    async with line(RINGING) as it:
        call_id = CallId(str(uuid.uuid4()))
        dialling = asyncio.create_task(it.ari.dial(call_id, NUMBER, caller_id=CALLER, ring_timeout=30))
        await asyncio.sleep(0)  # the order to dial is on its way
        dialling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialling
        assert (await it.gone()).call_id == call_id
        assert "0 active channels" in await it.channels()


async def test_a_call_whose_media_nobody_takes_ends(private_asterisk: PrivateAsteriskFactory) -> None:
    peer = await SipPeer.open(OK)
    trunk = TrunkSettings(host="carrier.example", proxy="{}:{}".format(*peer.address), qualify_seconds=0)
    async with private_asterisk(trunk) as asterisk:
        events: asyncio.Queue[PbxEvent] = asyncio.Queue()
        ari = AriPbx(asterisk.ari, trunk)
        ari.on_event(events.put_nowait)
        async with ari:
            call_id = CallId(str(uuid.uuid4()))
            await ari.dial(call_id, NUMBER, caller_id=None, ring_timeout=30)
            async with asyncio.timeout(10):
                assert isinstance(await events.get(), PbxReady)
                assert await events.get() == FarEndAnswered(call_id)
                assert await events.get() == FarEndGone(call_id)
            await peer.request("BYE")
    peer.close()


async def test_a_dead_trunk_does_not_look_like_a_broken_pbx(line: LineTo) -> None:
    async with line() as it:
        it.peer.close()
        call_id = await it.dial(ring_timeout=1)
        assert await it.gone() == FarEndGone(call_id, q850_cause=19)


async def test_asterisk_killed_during_a_call_then_the_next_call_works(line: LineTo) -> None:
    async with line(OK) as it:
        call_id = await it.dial()
        assert await it.event() == FarEndAnswered(call_id)
        async with asyncio.timeout(5):
            assert await it.media.ids.get() == uuid.UUID(call_id)
        assert it.asterisk.pid is not None
        os.kill(it.asterisk.pid, signal.SIGKILL)
        assert isinstance(await it.event(), PbxLost)
        with pytest.raises(PbxUnavailable):
            await it.dial()
        async with asyncio.timeout(5):
            assert await it.media.ended.get() == uuid.UUID(call_id)
        assert isinstance(await it.event(), PbxReady)
        again = await it.dial()
        assert await it.event() == FarEndAnswered(again)


async def test_ending_asterisk_says_goodbye_on_the_line(line: LineTo) -> None:
    async with line(OK) as it:
        call_id = await it.dial()
        assert await it.event() == FarEndAnswered(call_id)
        assert it.asterisk.pid is not None
        os.kill(it.asterisk.pid, signal.SIGTERM)
        await it.peer.request("BYE")


async def test_nothing_but_numbers_is_dialled(line: LineTo) -> None:
    async with line() as it:
        call_id = CallId(str(uuid.uuid4()))
        for number in ("14155550123", "+1415555012&PJSIP/trunk/sip:+19005550100@elsewhere.example", f"{NUMBER}\n", ""):
            with pytest.raises(InvalidNumber):
                await it.ari.dial(call_id, number, caller_id=CALLER, ring_timeout=5)
            with pytest.raises(InvalidNumber):
                await it.ari.dial(call_id, NUMBER, caller_id=number, ring_timeout=5)
        assert it.peer.received == []


async def test_without_a_trunk_nothing_is_dialled(private_asterisk: PrivateAsteriskFactory) -> None:
    async with private_asterisk() as asterisk, AriPbx(asterisk.ari, TrunkSettings()) as ari:
        with pytest.raises(TrunkNotConfigured):
            await ari.dial(CallId(str(uuid.uuid4())), NUMBER, caller_id=CALLER, ring_timeout=5)


async def test_many_calls_at_once_are_told_apart(line: LineTo) -> None:
    async with line(RINGING, Answer(486, "Busy Here")) as it:
        dialled = await asyncio.gather(*(it.dial() for _ in range(20)))
        ended = [await it.gone() for _ in dialled]
        assert {end.call_id for end in ended} == set(dialled)
        assert {(end.sip_code, end.sip_reason) for end in ended} == {(486, "Busy Here")}
