"""What happens to calls when the connection to a living Asterisk breaks, loses an answer, or refuses."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.real.conftest import PrivateAsteriskFactory
from tests.real.sip_peer import RINGING, SipPeer
from trunkline.errors import PbxUnavailable
from trunkline.events import FarEndGone, FarEndRinging, PbxEvent, PbxLost, PbxReady
from trunkline.models import CallId
from trunkline.settings import TrunkSettings
from trunkline.telephony.ari import AriPbx
from trunkline.telephony.pbx import PrivateAsterisk
from trunkline.telephony.pbx_home import AriAddress

NUMBER = "+14155550123"


class Relay:
    """A TCP relay that can be cut, refuse, or swallow what the server says after a certain request."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self.closed = False
        self.swallow_after = b""

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.closed:
            writer.transport.abort()
            return
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, server_writer}
        muted = asyncio.Event()

        async def up() -> None:
            while data := await reader.read(65536):
                if self.swallow_after and data.startswith(self.swallow_after):
                    muted.set()
                server_writer.write(data)

        async def down() -> None:
            while data := await server_reader.read(65536):
                if not muted.is_set():
                    writer.write(data)

        tasks = [asyncio.create_task(up()), asyncio.create_task(down())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in (writer, server_writer):
            self._writers.discard(each)
            each.close()


@asynccontextmanager
async def relayed(
    asterisk: PrivateAsterisk, trunk: TrunkSettings, events: asyncio.Queue[PbxEvent]
) -> AsyncIterator[tuple[AriPbx, Relay]]:
    relay = Relay(asterisk.instance.http_address, asterisk.instance.http_port)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    ari = AriPbx(replace(asterisk.ari, url=f"http://{host}:{port}/ari"), trunk)
    ari.on_event(events.put_nowait)
    async with ari:
        assert isinstance(await events.get(), PbxReady)
        yield ari, relay
    server.close()


async def next_of(events: asyncio.Queue[PbxEvent]) -> PbxEvent:
    async with asyncio.timeout(15):
        return await events.get()


async def test_a_lost_connection_ends_the_calls_it_carried(private_asterisk: PrivateAsteriskFactory) -> None:
    peer = await SipPeer.open(RINGING)
    trunk = TrunkSettings(host="carrier.example", proxy="{}:{}".format(*peer.address), qualify_seconds=0)
    events: asyncio.Queue[PbxEvent] = asyncio.Queue()
    async with private_asterisk(trunk) as asterisk, relayed(asterisk, trunk, events) as (ari, relay):
        call_id = CallId(str(uuid.uuid4()))
        await ari.dial(call_id, NUMBER, caller_id=None, ring_timeout=60)
        assert await next_of(events) == FarEndRinging(call_id)
        relay.cut()
        assert isinstance(await next_of(events), PbxLost)
        await peer.request("CANCEL")
        assert isinstance(await next_of(events), PbxReady)
        again = CallId(str(uuid.uuid4()))
        await ari.dial(again, NUMBER, caller_id=None, ring_timeout=60)
        assert await next_of(events) == FarEndRinging(again)
    peer.close()


async def test_a_dial_whose_answer_is_lost_rings_nowhere(
    private_asterisk: PrivateAsteriskFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trunkline.telephony.ari_connection._REQUEST_SECONDS", 0.5)
    peer = await SipPeer.open(RINGING)
    trunk = TrunkSettings(host="carrier.example", proxy="{}:{}".format(*peer.address), qualify_seconds=0)
    events: asyncio.Queue[PbxEvent] = asyncio.Queue()
    async with private_asterisk(trunk) as asterisk, relayed(asterisk, trunk, events) as (ari, relay):
        relay.swallow_after = b"POST "
        call_id = CallId(str(uuid.uuid4()))
        await ari.dial(call_id, NUMBER, caller_id=None, ring_timeout=60)
        assert await next_of(events) == FarEndRinging(call_id)
        assert await next_of(events) == FarEndGone(call_id, q850_cause=16)
        await peer.request("CANCEL")
        assert events.empty()
    peer.close()


async def test_a_refusal_of_asterisk_itself_is_raised(private_asterisk: PrivateAsteriskFactory) -> None:
    events: asyncio.Queue[PbxEvent] = asyncio.Queue()
    # this Asterisk was configured without a trunk, so it knows no such endpoint
    async with (
        private_asterisk() as asterisk,
        relayed(asterisk, TrunkSettings(host="carrier.example"), events) as (ari, _),
    ):
        with pytest.raises(PbxUnavailable, match="refused to dial"):
            await ari.dial(CallId(str(uuid.uuid4())), NUMBER, caller_id=None, ring_timeout=60)
        assert events.empty()


async def test_an_asterisk_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trunkline.telephony.ari_connection._FIRST_CONNECT_SECONDS", 0.3)
    with pytest.raises(PbxUnavailable, match=r"doesn't answer at http://127\.0\.0\.1:9/ari: ConnectionRefused"):
        async with AriPbx(AriAddress("http://127.0.0.1:9/ari", "user", "password"), TrunkSettings()):
            raise AssertionError("connected")


async def test_a_listener_that_fails_does_not_deafen_us(private_asterisk: PrivateAsteriskFactory) -> None:
    peer = await SipPeer.open(RINGING)
    trunk = TrunkSettings(host="carrier.example", proxy="{}:{}".format(*peer.address), qualify_seconds=0)
    failures: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(str(context["exception"])))

    def fail(event: PbxEvent) -> None:
        raise RuntimeError(type(event).__name__)

    events: asyncio.Queue[PbxEvent] = asyncio.Queue()
    async with private_asterisk(trunk) as asterisk:
        ari = AriPbx(asterisk.ari, trunk)
        ari.on_event(fail)
        ari.on_event(events.put_nowait)
        async with ari:
            assert isinstance(await next_of(events), PbxReady)
            call_id = CallId(str(uuid.uuid4()))
            await ari.dial(call_id, NUMBER, caller_id=None, ring_timeout=60)
            assert await next_of(events) == FarEndRinging(call_id)
    assert failures[:2] == ["PbxReady", "FarEndRinging"]
    peer.close()
