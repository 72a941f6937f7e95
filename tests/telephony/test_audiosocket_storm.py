"""AudioSocket's door under malformed input: the parser alone, and the server on real connections."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import uuid

from tests.telephony.fake_timer import FakeTimer
from trunkline.errors import ProtocolError
from trunkline.models import CallId
from trunkline.telephony.audiosocket_leg import AudioSocketLeg
from trunkline.telephony.audiosocket_protocol import HANG_UP, AudioSocketParser, audio_message
from trunkline.telephony.audiosocket_server import AudioSocketServer
from trunkline.telephony.pacing_clock import PacingClock

TIMEOUT = 20.0
CALL = CallId(str(uuid.UUID(int=7)))
HELLO = b"\x01\x00\x10" + uuid.UUID(CALL).bytes
PARTS = (
    HELLO,
    audio_message(bytes(320)),
    b"\x10\x00\x00",
    b"\x10\x00\x02ab",
    b"\x03\x00\x015",
    HANG_UP,
    b"\xff\x00\x01\x04",
    b"\x12",
)


def mangled(chance: random.Random) -> bytes:
    """Honest messages in wrong orders, with bytes changed, cut off anywhere."""
    start = HELLO if chance.random() < 0.7 else b""
    stream = bytearray(start + b"".join(chance.choices(PARTS, k=chance.randrange(6))))
    for _ in range(chance.choice((0, 1, 1, 3))):
        if stream:
            stream[chance.randrange(len(stream))] = chance.randrange(256)
    return bytes(stream[: chance.randrange(len(stream) + 1)] if chance.random() < 0.3 else stream)


def test_a_hundred_thousand_mangled_streams_give_events_or_a_protocol_error() -> None:
    chance = random.Random(9092)
    faults = 0
    for _ in range(100_000):
        parser, stream = AudioSocketParser(), mangled(chance)
        cut = chance.randrange(len(stream) + 1)
        try:
            for piece in (stream[:cut], stream[cut:]):
                for _ in parser.feed(piece):
                    pass
        except ProtocolError:
            faults += 1
    assert 20_000 < faults < 90_000


async def test_a_storm_of_mangled_connections_leaves_nothing_and_the_next_call_works() -> None:
    chance = random.Random(1)
    server = AudioSocketServer(PacingClock(FakeTimer()))
    address = await server.start()
    legs = 0

    class Listener:
        def audio_received(self, frame: bytes) -> None: ...
        def key_received(self, digit: str) -> None: ...
        def next_frame(self) -> bytes:
            return bytes(320)

        def leg_closed(self, why: str, *, broken: bool) -> None:
            nonlocal legs
            legs += 1

    async def one(stream: bytes) -> None:
        reader, writer = await asyncio.open_connection(*address)
        with contextlib.suppress(ConnectionError):
            writer.write(stream)
            writer.write_eof()
            while await reader.read(1000):
                pass
        writer.close()

    for _ in range(100):
        with contextlib.suppress(ValueError):  # it is expected still where nobody named it
            server.expect(CALL, lambda leg: leg.attach(Listener()))
        async with asyncio.timeout(TIMEOUT):
            await asyncio.gather(*(one(mangled(chance)) for _ in range(20)))
            while server.counters.legs_open:
                await asyncio.sleep(0.005)
    assert server.counters.malformed > 100
    before = legs
    server.forget(CALL)
    server.expect(CALL, lambda leg: leg.attach(Listener()))
    async with asyncio.timeout(TIMEOUT):
        await one(HELLO + HANG_UP)
        while legs == before:
            await asyncio.sleep(0.005)
    await server.close()
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, AudioSocketLeg)]
