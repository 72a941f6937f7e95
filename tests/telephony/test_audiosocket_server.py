"""Real connections over loopback; the 20 ms clock ticks when a test says so."""

from __future__ import annotations

import asyncio
import gc
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from tests.telephony.fake_timer import FakeTimer
from trunkline.audio import SILENCE
from trunkline.errors import NotReady
from trunkline.models import CallId
from trunkline.ports import CallLeg, LegSource
from trunkline.telephony import audiosocket_leg
from trunkline.telephony.audiosocket_protocol import HANG_UP, audio_message
from trunkline.telephony.audiosocket_server import AudioSocketCounters, AudioSocketServer
from trunkline.telephony.pacing_clock import PacingClock

TIMEOUT = 10.0


def frame(number: int) -> bytes:
    return number.to_bytes(2, "little") * 160


def new_call() -> CallId:
    return CallId(str(uuid.uuid4()))


def hello(call_id: str) -> bytes:
    return b"\x01\x00\x10" + uuid.UUID(call_id).bytes


def key(digit: str) -> bytes:
    return b"\x03\x00\x01" + digit.encode()


class Listener:
    """Says frames 1, 2, 3 …; keeps what it hears; may be told to fail."""

    def __init__(self, leg: CallLeg | None = None, *, fails_in: str = "") -> None:
        self.leg = leg
        self.heard: list[bytes] = []
        self.keys = ""
        self.asked = 0
        self.ends: list[str] = []
        self.broken = False
        self.ended = asyncio.Event()
        self._fails_in = fails_in
        self._changed = asyncio.Event()

    def audio_received(self, frame: bytes) -> None:
        self._fail("audio_received")
        assert not self.ends
        self.heard.append(frame)
        self._changed.set()

    def next_frame(self) -> bytes:
        self._fail("next_frame")
        assert not self.ends
        self.asked += 1
        return frame(self.asked) if self._fails_in != "frame length" else b"short"

    def key_received(self, digit: str) -> None:
        self._fail("key_received")
        self.keys += digit
        self._changed.set()

    def leg_closed(self, why: str, *, broken: bool) -> None:
        self.ends.append(why)
        self.broken = broken
        self.ended.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(TIMEOUT):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def until_closed(self) -> str:
        async with asyncio.timeout(TIMEOUT):
            await self.ended.wait()
        assert len(self.ends) == 1
        return self.ends[0]

    def _fail(self, where: str) -> None:
        if where == self._fails_in:
            raise LookupError(f"broken in {where}")


class Peer:
    """Asterisk's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, *messages: bytes) -> None:
        self._writer.write(b"".join(messages))

    async def frames(self, count: int) -> list[bytes]:
        async with asyncio.timeout(TIMEOUT):
            messages = [await self._reader.readexactly(323) for _ in range(count)]
        assert all(message[:3] == b"\x10\x01\x40" for message in messages)
        return [message[3:] for message in messages]

    async def rest(self) -> bytes:
        """Everything up to the end of the connection, which is then closed on this side, too."""
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._reader.read()
        except ConnectionResetError:
            return b""
        finally:
            self.close()

    def close(self) -> None:
        self._writer.close()


class Line:
    """A server, its clock and whoever connects."""

    def __init__(self) -> None:
        self.timer = FakeTimer()
        self.clock = PacingClock(self.timer, self.timer.now)
        self.server = AudioSocketServer(self.clock)
        self.source: LegSource = self.server
        self.address = ("", 0)
        self._peers: list[Peer] = []

    async def connect(self, *messages: bytes) -> Peer:
        peer = Peer(*await asyncio.open_connection(*self.address))
        self._peers.append(peer)
        peer.send(*messages)
        return peer

    async def call(self, *, fails_in: str = "") -> tuple[Peer, Listener]:
        """A call whose audio is connected."""
        call_id = new_call()
        listener = Listener(fails_in=fails_in)
        attached = asyncio.Event()

        def on_leg(leg: CallLeg) -> None:
            assert leg.call_id == call_id
            listener.leg = leg
            leg.attach(listener)
            attached.set()

        self.source.expect(call_id, on_leg)
        peer = await self.connect(hello(call_id))
        async with asyncio.timeout(TIMEOUT):
            await attached.wait()
        return peer, listener

    def tick(self, count: int = 1) -> None:
        self.timer.advance(0.02 * count)

    async def until(self, condition: Callable[[AudioSocketCounters], bool]) -> AudioSocketCounters:
        async with asyncio.timeout(TIMEOUT):
            while not condition(self.server.counters):
                await asyncio.sleep(0)
        return self.server.counters

    def close_peers(self) -> None:
        for peer in self._peers:
            peer.close()


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    line = Line()
    line.address = await line.server.start()
    yield line
    line.close_peers()
    async with asyncio.timeout(TIMEOUT):
        await line.server.close()
    assert line.server.counters.legs_open == 0
    assert not line.timer.waiting  # no leg left on the clock


async def test_audio_and_keys_go_both_ways(line: Line) -> None:
    peer, listener = await line.call()
    peer.send(audio_message(frame(71)), key("4"), audio_message(frame(72)), key("#"))
    await listener.until(lambda: listener.keys == "4#")
    assert listener.heard == [frame(71), frame(72)]

    line.tick(3)
    assert await peer.frames(3) == [frame(1), frame(2), frame(3)]
    counters = line.server.counters
    assert (counters.legs_open, counters.frames_in, counters.frames_out) == (1, 2, 3)


async def test_audio_right_behind_the_id_reaches_the_listener(line: Line) -> None:
    call_id, listener = new_call(), Listener()
    line.source.expect(call_id, lambda leg: leg.attach(listener))
    await line.connect(hello(call_id), audio_message(frame(1)), audio_message(frame(2)))
    await listener.until(lambda: len(listener.heard) == 2)
    assert line.server.counters.frames_unheard == 0


async def test_audio_before_anybody_listens_is_counted(line: Line) -> None:
    call_id, legs = new_call(), list[CallLeg]()
    line.source.expect(call_id, legs.append)
    peer = await line.connect(hello(call_id), audio_message(frame(1)), key("1"))
    await line.until(lambda counters: counters.frames_unheard == 1)
    listener = Listener()
    legs[0].attach(listener)
    peer.send(audio_message(frame(2)))
    await listener.until(lambda: bool(listener.heard))
    assert listener.heard == [frame(2)]


async def test_another_listener_takes_the_place_of_the_first(line: Line) -> None:
    call_id, legs = new_call(), list[CallLeg]()
    line.source.expect(call_id, legs.append)
    peer = await line.connect(hello(call_id))
    await line.until(lambda counters: counters.legs_open == 1)
    first, second = Listener(), Listener()
    legs[0].attach(first)
    peer.send(audio_message(frame(1)))
    await first.until(lambda: bool(first.heard))
    legs[0].attach(second)
    peer.send(audio_message(frame(2)))
    await second.until(lambda: bool(second.heard))
    assert (first.heard, second.heard) == ([frame(1)], [frame(2)])
    legs[0].close()
    await second.ended.wait()
    assert not first.ends, "it hears of the leg no more"


async def test_an_unknown_call_is_refused(line: Line) -> None:
    peer = await line.connect(hello(new_call()), audio_message(SILENCE))
    assert await peer.rest() == b""
    assert line.server.counters.refused_unknown == 1


async def test_a_forgotten_call_is_refused(line: Line) -> None:
    call_id, legs = new_call(), list[CallLeg]()
    line.source.expect(call_id, legs.append)
    line.source.forget(call_id)
    line.source.forget(call_id)
    peer = await line.connect(hello(call_id))
    assert await peer.rest() == b""
    assert line.server.counters.refused_unknown == 1
    assert not legs


async def test_a_second_connection_of_a_call_is_refused_and_the_first_goes_on(line: Line) -> None:
    peer, listener = await line.call()
    assert listener.leg is not None
    second = await line.connect(hello(listener.leg.call_id))
    assert await second.rest() == b""
    assert line.server.counters.refused_duplicate == 1
    line.tick()
    assert await peer.frames(1) == [frame(1)]


async def test_a_nameless_connection_is_closed(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audiosocket_leg, "HANDSHAKE_SECONDS", 0.05)
    peer = await line.connect(b"\x01\x00\x10half an id")
    assert await peer.rest() == b""
    assert line.server.counters.handshake_timeouts == 1


async def test_garbage_instead_of_an_id_is_closed(line: Line) -> None:
    peer = await line.connect(b"GET / HTTP/1.1\r\n\r\n")
    assert await peer.rest() == b""
    assert line.server.counters.malformed == 1


async def test_malformed_messages_end_the_call(line: Line) -> None:
    peer, listener = await line.call()
    peer.send(audio_message(frame(1)), b"\x10\xff\xff", audio_message(frame(2)))
    assert await listener.until_closed() == "AudioSocket: AUDIO message of 65535 bytes."
    assert listener.broken
    assert listener.heard == [frame(1)]
    assert await peer.rest() == b""
    assert line.server.counters.malformed == 1


async def test_the_person_hangs_up(line: Line) -> None:
    peer, listener = await line.call()
    line.tick()
    peer.close()
    assert await listener.until_closed() == "the other side closed the connection"
    assert not listener.broken
    asked = listener.asked
    line.tick(5)
    assert listener.asked == asked
    counters = line.server.counters
    assert (counters.legs_open, counters.frames_out, counters.listener_errors) == (0, 1, 0)


@pytest.mark.parametrize(
    ("goodbye", "why"),
    [(HANG_UP, "the other side hung up"), (b"\xff\x00\x01\x04", "the other side hung up with error 0x04")],
)
async def test_asterisk_says_that_it_hangs_up(line: Line, goodbye: bytes, why: str) -> None:
    peer, listener = await line.call()
    peer.send(audio_message(frame(1)), goodbye, audio_message(frame(2)))
    assert await listener.until_closed() == why
    assert listener.broken == ("error" in why)
    assert listener.heard == [frame(1)]
    assert await peer.rest() == b""


async def test_a_peer_that_resets_the_connection_has_hung_up(line: Line) -> None:
    raw = socket.create_connection(line.address)
    call_id, listener = new_call(), Listener()
    line.source.expect(call_id, lambda leg: leg.attach(listener))
    raw.sendall(hello(call_id) + audio_message(frame(1)))
    await listener.until(lambda: bool(listener.heard))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    raw.close()
    line.tick(3)
    assert await listener.until_closed() == "the other side closed the connection"
    assert not listener.broken
    asked = listener.asked
    line.tick(3)
    assert listener.asked == asked


async def test_we_hang_up(line: Line) -> None:
    peer, listener = await line.call()
    assert listener.leg is not None
    line.tick(2)
    listener.leg.close()
    listener.leg.close()
    assert listener.ends == []  # told after whoever closes is done
    peer.send(audio_message(frame(1)))  # what is on the way must not turn our goodbye into a reset
    assert await peer.rest() == audio_message(frame(1)) + audio_message(frame(2)) + HANG_UP
    assert await listener.until_closed() == "closed by the call"
    assert not listener.broken
    assert listener.heard == []
    line.tick(2)
    assert listener.asked == 2


async def test_a_peer_that_ignores_our_hang_up_is_cut_off(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audiosocket_leg, "LINGER_SECONDS", 0.05)
    _, listener = await line.call()
    assert listener.leg is not None
    listener.leg.close()
    async with asyncio.timeout(TIMEOUT):
        await line.server.close()


async def test_a_leg_may_be_closed_before_anybody_listens(line: Line) -> None:
    call_id, listener = new_call(), Listener()

    def on_leg(leg: CallLeg) -> None:
        leg.close()
        leg.attach(listener)

    line.source.expect(call_id, on_leg)
    peer = await line.connect(hello(call_id), audio_message(frame(1)))
    assert await peer.rest() == HANG_UP
    assert await listener.until_closed() == "closed by the call"
    assert listener.heard == []


@pytest.mark.parametrize("where", ["audio_received", "key_received", "next_frame", "frame length"])
async def test_what_a_listener_raises_ends_its_leg_alone(
    line: Line, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    good_peer, good = await line.call()
    peer, bad = await line.call(fails_in=where)
    peer.send(audio_message(frame(1)), key("1"))
    await line.until(lambda counters: counters.frames_in == 1)
    line.tick()
    assert await bad.until_closed() == "internal error"
    assert bad.broken
    assert (await peer.rest()).endswith(HANG_UP)
    assert line.server.counters.listener_errors == 1
    assert bad.leg is not None
    assert any(bad.leg.call_id in record.getMessage() and record.exc_info for record in caplog.records)

    line.tick()
    good_peer.send(audio_message(frame(5)))
    await good.until(lambda: good.heard == [frame(5)])
    assert await good_peer.frames(2) == [frame(1), frame(2)]


async def test_a_call_that_cannot_be_begun_is_hung_up(line: Line) -> None:
    def on_leg(leg: CallLeg) -> None:
        raise LookupError("nobody is in")

    call_id = new_call()
    line.source.expect(call_id, on_leg)
    peer = await line.connect(hello(call_id))
    assert await peer.rest() == HANG_UP
    assert line.server.counters.listener_errors == 1


async def test_a_listener_may_hang_up_whenever_it_is_called(line: Line) -> None:
    class Quitter(Listener):
        def next_frame(self) -> bytes:
            assert self.leg is not None
            self.leg.close()
            return super().next_frame()

    call_id, listener = new_call(), Quitter()

    def on_leg(leg: CallLeg) -> None:
        listener.leg = leg
        leg.attach(listener)

    line.source.expect(call_id, on_leg)
    peer = await line.connect(hello(call_id))
    await line.until(lambda counters: counters.legs_open == 1)
    line.tick(3)
    assert await peer.rest() == HANG_UP
    await listener.until_closed()
    assert listener.asked == 1


async def test_a_peer_that_takes_no_more_is_closed_before_delay_builds_up(line: Line) -> None:
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the kernel's least
        raw.connect(line.address)
        call_id, listener = new_call(), Listener()
        line.source.expect(call_id, lambda leg: leg.attach(listener))
        raw.sendall(hello(call_id))
        await line.until(lambda counters: counters.legs_open == 1)
        for _ in range(500):
            line.tick()
            await asyncio.sleep(0)  # the loop hands the frame to the kernel
        assert await listener.until_closed() == "Asterisk stopped taking the audio"
        assert listener.broken
        assert listener.asked < 100  # two seconds, most of them in the kernel's buffers
    assert line.server.counters.stalled == 1


@pytest.mark.parametrize("call_id", ["", "no-uuid", "0E6F2F6E-7A50-4D6B-9A6C-0F0E0D0C0B0A"])
async def test_only_uuids_can_be_expected(line: Line, call_id: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        line.source.expect(CallId(call_id), lambda leg: None)


async def test_a_call_is_expected_once(line: Line) -> None:
    waiting = new_call()
    line.source.expect(waiting, lambda leg: None)
    with pytest.raises(ValueError, match="expected already"):
        line.source.expect(waiting, lambda leg: None)


async def test_a_call_that_is_expected_again_gets_another_leg(line: Line) -> None:
    """Also while the leg before it is still being closed."""
    first, listener = await line.call()
    assert listener.leg is not None
    legs: list[CallLeg] = []
    line.source.expect(listener.leg.call_id, legs.append)
    second = await line.connect(hello(listener.leg.call_id))
    async with asyncio.timeout(TIMEOUT):
        while not legs:
            await asyncio.sleep(0)
    first.close()
    await listener.until_closed()
    assert line.server.counters.legs_open == 1
    legs[0].close()
    await second.rest()
    async with asyncio.timeout(TIMEOUT):
        while line.server.counters.legs_open:
            await asyncio.sleep(0)


async def test_closing_the_server_hangs_up_everybody(line: Line) -> None:
    peer, listener = await line.call()
    nameless = await line.connect()
    await asyncio.sleep(0)
    rest = asyncio.gather(peer.rest(), nameless.rest())
    async with asyncio.timeout(TIMEOUT):
        await line.server.close()
    assert (await rest)[0] == HANG_UP
    assert await listener.until_closed() == "the service is stopping"
    with pytest.raises(OSError):
        await asyncio.open_connection(*line.address)
    await line.server.close()


@pytest.fixture
def open_handles() -> Iterator[Callable[[], int]]:
    gc.disable()
    yield lambda: len(list(Path("/proc/self/fd").iterdir()))
    gc.enable()


async def test_two_hundred_connections_leave_nothing_behind(line: Line, open_handles: Callable[[], int]) -> None:
    async def one(number: int) -> None:
        peer, listener = await line.call()
        peer.send(audio_message(frame(number)))
        await listener.until(lambda: bool(listener.heard))
        line.tick()
        if number % 2 and listener.leg is not None:
            listener.leg.close()
            assert (await peer.rest()).endswith(HANG_UP)
        else:
            peer.close()
        await listener.until_closed()

    await one(0)
    tasks, handles = len(asyncio.all_tasks()), open_handles()
    for start in range(1, 201, 20):
        await asyncio.gather(*(one(number) for number in range(start, start + 20)))
    async with asyncio.timeout(TIMEOUT):
        while open_handles() > handles or len(asyncio.all_tasks()) > tasks:
            await asyncio.sleep(0)
    counters = line.server.counters
    assert (counters.legs_open, counters.frames_in, counters.frames_unheard) == (0, 201, 0)
    assert not line.server._connections
    assert not line.timer.waiting


# ── who may connect ────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_this_machine_and_named_networks_may_bring_audio() -> None:
    server = AudioSocketServer(PacingClock(FakeTimer()), (IPv4Network("10.0.0.5/32"),))
    assert [
        a for a in ("127.0.0.1", "127.0.0.11", "10.0.0.5", "10.0.0.6", "::1", "2001:db8::1") if server.may_connect(a)
    ] == [
        "127.0.0.1",
        "127.0.0.11",
        "10.0.0.5",
        "::1",
    ]


async def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(NotReady, match="audio_port"):
        await AudioSocketServer(PacingClock(FakeTimer())).start(*other.getsockname())
