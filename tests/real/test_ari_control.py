"""What an agent does with its call beside speaking, through a real Asterisk: keys to the far end, and transfers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.real.conftest import PrivateAsteriskFactory
from tests.real.sip_peer import OK, RINGING, Answer, SipPeer
from trunkline.errors import InvalidNumber, PbxUnavailable
from trunkline.events import FarEndAnswered, FarEndGone, PbxEvent, PbxReady
from trunkline.models import CallId
from trunkline.settings import TransferSettings, TrunkSettings
from trunkline.telephony.ari import AriPbx

NUMBER = "+14155550123"
CALLER = "+14155550100"
COLLEAGUE = "+14155550177"
ANNA = TransferSettings(to="sip:anna@127.0.0.1")
TELEPHONE_EVENT = 101


class Media:
    """Our end of the call's audio: answers nothing, closes when it is told."""

    def __init__(self) -> None:
        self.connected = asyncio.Event()
        self._close = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(19)
        self.connected.set()

        gone = asyncio.create_task(reader.read(-1))
        while not self._close.is_set() and not reader.at_eof():
            writer.write(b"\x10\x01\x40" + bytes(320))
            await asyncio.sleep(0.02)
        gone.cancel()
        writer.write(b"\x00\x00\x00")
        writer.close()

    def hang_up(self) -> None:
        self._close.set()


class Rtp(asyncio.DatagramProtocol):
    """Keeps the events (RFC 4733 §2.3: event number, end bit) of the RTP that arrives."""

    def __init__(self) -> None:
        self.ended: dict[int, int] = {}
        """Timestamp of each event that has ended → its number."""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if data[1] & 0x7F == TELEPHONE_EVENT and data[13] & 0x80:
            self.ended[int.from_bytes(data[4:8], "big")] = data[12]


class Exchange:
    def __init__(self, ari: AriPbx, peer: SipPeer, media: Media, rtp: Rtp, events: asyncio.Queue[PbxEvent]) -> None:
        self.ari, self.peer, self.media, self.rtp, self._events = ari, peer, media, rtp, events

    async def answered_call(self) -> CallId:
        call_id = CallId(str(uuid.uuid4()))
        await self.ari.dial(call_id, NUMBER, caller_id=CALLER, ring_timeout=10)
        await self.until(FarEndAnswered)
        async with asyncio.timeout(5):
            await self.media.connected.wait()
        return call_id

    async def until(self, kind: type[PbxEvent]) -> PbxEvent:
        async with asyncio.timeout(10):
            while not isinstance(event := await self._events.get(), kind):
                pass
        return event

    @property
    def quiet(self) -> bool:
        """Nothing has been reported since."""
        return self._events.empty()

    async def invites(self, number: str) -> list[str]:
        return [message for message in self.peer.received if message.startswith(f"INVITE sip:{number}@")]


@asynccontextmanager
async def exchange(asterisks: PrivateAsteriskFactory, *answers: Answer) -> AsyncIterator[Exchange]:
    peer, media, rtp = await SipPeer.open(*answers), Media(), Rtp()
    events: asyncio.Queue[PbxEvent] = asyncio.Queue()
    host, port = peer.address
    sound, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: rtp, local_addr=(host, port + 1))
    server = await asyncio.start_server(media.serve, "127.0.0.1", 0)
    ours = server.sockets[0].getsockname()
    trunk = TrunkSettings(host="carrier.example", proxy=f"{host}:{port}", qualify_seconds=0)
    async with asterisks(trunk, audiosocket=f"{ours[0]}:{ours[1]}", transfers={"Anna": ANNA}) as asterisk:
        ari = AriPbx(asterisk.ari, trunk)
        ari.on_event(events.put_nowait)
        async with ari:
            assert isinstance(await events.get(), PbxReady)
            yield Exchange(ari, peer, media, rtp, events)
            media.hang_up()
    server.close()
    sound.close()
    peer.close()


async def test_keys_reach_the_far_end_as_telephone_events(private_asterisk: PrivateAsteriskFactory) -> None:
    async with exchange(private_asterisk, OK) as it:
        call_id = await it.answered_call()
        for key in "15#*0":
            await it.ari.press_key(call_id, key, seconds=0.1)
            await asyncio.sleep(0.25)
        assert list(it.rtp.ended.values()) == [1, 5, 11, 10, 0]
        with pytest.raises(PbxUnavailable, match="no key"):
            await it.ari.press_key(call_id, "5&action=Originate", seconds=0.1)
        await it.ari.hang_up(call_id)
        await it.until(FarEndGone)
        with pytest.raises(PbxUnavailable, match="over"):
            await it.ari.press_key(call_id, "1", seconds=0.1)


async def test_a_transfer_reaches_a_second_leg_and_bridges_it(private_asterisk: PrivateAsteriskFactory) -> None:
    async with exchange(private_asterisk, OK) as it:
        call_id = await it.answered_call()
        await it.ari.connect_next(call_id, COLLEAGUE, ring_timeout=10)
        assert not await it.invites(COLLEAGUE), "nobody is dialled while the agent still speaks"
        it.media.hang_up()
        async with asyncio.timeout(5):
            while not await it.invites(COLLEAGUE):
                await asyncio.sleep(0.02)
        invite = (await it.invites(COLLEAGUE))[0]
        assert f"From: <sip:{CALLER}@" in invite or f'From: "{CALLER}" <sip:{CALLER}@' in invite
        await asyncio.sleep(0.5)
        assert it.quiet, "both are on the line"
        it.peer.send_bye()  # the colleague hangs up
        assert await it.until(FarEndGone) == FarEndGone(call_id, 16, transfer="ANSWER")


async def test_a_transfer_nobody_takes_comes_back_to_us(private_asterisk: PrivateAsteriskFactory) -> None:
    async with exchange(private_asterisk, OK) as it:
        call_id = await it.answered_call()
        it.peer.answers = [Answer(486, "Busy Here")]
        await it.ari.connect_next(call_id, COLLEAGUE, ring_timeout=10)
        it.media.connected.clear()
        it.media.hang_up()
        async with asyncio.timeout(5):
            await it.media.connected.wait()
        assert it.quiet, "the person is still there"
        it.media.hang_up()
        gone = await it.until(FarEndGone)
        assert isinstance(gone, FarEndGone) and gone.transfer == "BUSY"


async def test_a_hang_up_ends_a_transferred_call_as_well(private_asterisk: PrivateAsteriskFactory) -> None:
    async with exchange(private_asterisk, OK) as it:
        call_id = await it.answered_call()
        it.peer.answers = [RINGING]
        await it.ari.connect_next(call_id, COLLEAGUE, ring_timeout=10)
        it.media.hang_up()
        async with asyncio.timeout(5):
            while not await it.invites(COLLEAGUE):
                await asyncio.sleep(0.02)
        await it.ari.hang_up(call_id)
        await it.until(FarEndGone)
        await it.peer.request("CANCEL")


async def test_a_sip_address_is_called_past_the_trunk(private_asterisk: PrivateAsteriskFactory) -> None:
    anna = await SipPeer.open(OK)
    async with exchange(private_asterisk, OK) as it:
        call_id = await it.answered_call()
        host, port = anna.address
        await it.ari.connect_next(call_id, f"sip:anna@{host}:{port}", ring_timeout=10)
        it.media.hang_up()
        invite = await anna.request("INVITE")
        assert invite.startswith(f"INVITE sip:anna@{host}:{port} ")
        await anna.request("ACK")
        assert not await it.invites("anna")
        anna.send_bye()
        assert await it.until(FarEndGone) == FarEndGone(call_id, 16, transfer="ANSWER")
    anna.close()


async def test_nothing_gets_into_a_dial_string(private_asterisk: PrivateAsteriskFactory) -> None:
    async with exchange(private_asterisk, OK) as it:
        call_id = await it.answered_call()
        for target in ("911", "+1415@evil.example,60,g", "+14155550123&Local/s@default", "sip:x@y,60,g"):
            with pytest.raises(InvalidNumber):
                await it.ari.connect_next(call_id, target, ring_timeout=10)
