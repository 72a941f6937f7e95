"""The AGI server on a real socket: who may come in, what breaks off, and a storm of malformed input."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Network

import pytest

from tests.telephony.test_agi_protocol import ENVIRONMENT, mangled
from trunkline.errors import NotReady, PbxUnavailable
from trunkline.telephony import agi_server
from trunkline.telephony.agi_protocol import Asked
from trunkline.telephony.agi_server import AgiConnection, AgiServer, Fault, OnCall

TIMEOUT = 20.0


async def leave(connection: AgiConnection, asked: Asked) -> None:
    """Go on at once."""


@asynccontextmanager
async def serving(
    on_call: OnCall = leave, *, most: int = 10, networks: tuple[str, ...] = ()
) -> AsyncIterator[AgiServer]:
    server = AgiServer(on_call, [IPv4Network(network) for network in networks], max_connections=most)
    server.address = await server.start("127.0.0.1", 0)  # type: ignore[attr-defined]
    before = asyncio.all_tasks()
    yield server
    await server.close()
    assert not {task for task in asyncio.all_tasks() - before if not task.done()}


async def connect(server: AgiServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = server.address  # type: ignore[attr-defined]
    return await asyncio.open_connection(host, port)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not condition():
            await asyncio.sleep(0.005)


async def test_commands_are_answered_in_their_order() -> None:
    told: list[str | None] = []

    async def ask(connection: AgiConnection, asked: Asked) -> None:
        forgotten = asyncio.create_task(connection.command("STREAM FILE", "hello", "#", seconds=60))
        await asyncio.sleep(0)
        forgotten.cancel()  # its answer comes all the same, and is not taken for the next one's
        told.append((await connection.command("GET VARIABLE", "A")).value)

    async with serving(ask) as server:
        reader, writer = await connect(server)
        writer.write(ENVIRONMENT)
        assert await reader.readline() == b'STREAM FILE "hello" "#"\n'
        assert await reader.readline() == b'GET VARIABLE "A"\n'
        writer.write(b"200 result=0 endpos=800\n200 result=1 (x)\n")
        assert await reader.read() == b""
        writer.close()
    assert told == ["x"]


async def test_a_hang_up_and_a_lost_connection_are_told_once_each() -> None:
    seen: list[tuple[bool, bool]] = []
    over = asyncio.Event()

    async def watch(connection: AgiConnection, asked: Asked) -> None:
        connection.on_end(lambda: seen.append((connection.hung_up, connection.closed)))
        with contextlib.suppress(PbxUnavailable):
            await connection.command("RECORD FILE", "x", "wav", "#", 10_000, seconds=10)
        over.set()

    async with serving(watch) as server:
        reader, writer = await connect(server)
        writer.write(ENVIRONMENT)
        await reader.readline()
        writer.write(b"HANGUP\n")
        await until(lambda: seen)
        assert not over.is_set()
        writer.close()
        await until(over.is_set)
    assert seen == [(True, False), (True, True)]


async def test_an_asterisk_that_answers_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agi_server, "COMMAND_SECONDS", 0.05)
    why: list[str] = []

    async def ask(connection: AgiConnection, asked: Asked) -> None:
        try:
            await connection.command("ANSWER")
        except PbxUnavailable as error:
            why.append(error.message)

    async with serving(ask) as server:
        reader, writer = await connect(server)
        writer.write(ENVIRONMENT)
        assert await reader.read() == b"ANSWER\n"
        writer.close()
    assert why == ["Asterisk did not answer ANSWER over AGI."]


async def test_who_does_not_say_what_it_wants_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agi_server, "ENVIRONMENT_SECONDS", 0.05)
    async with serving() as server:
        _, writer = await connect(server)
        writer.write(ENVIRONMENT[:100])
        await until(lambda: server.faults.get(Fault.SLOW))
        writer.close()
        await until(lambda: not server.connections)


async def test_no_more_connections_than_calls() -> None:
    release = asyncio.Event()

    async def hold(connection: AgiConnection, asked: Asked) -> None:
        await release.wait()

    async with serving(hold, most=1) as server:
        _, first = await connect(server)
        first.write(ENVIRONMENT)
        await until(lambda: server.connections == 1)
        reader, second = await connect(server)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        assert server.faults == {Fault.TOO_MANY: 1}
        release.set()
        for writer in (first, second):
            writer.close()


@pytest.mark.parametrize(
    ("address", "networks", "fault"),
    [
        ("127.0.0.9", (), None),
        ("10.1.2.3", ("10.1.0.0/16",), None),
        ("10.2.2.3", ("10.1.0.0/16",), Fault.FOREIGN),
        ("10.2.2.3", (), Fault.FOREIGN),
    ],
)
async def test_only_named_networks_may_connect(address: str, networks: tuple[str, ...], fault: Fault | None) -> None:
    async with serving(networks=networks) as server:
        assert server.objection(address) is fault


async def test_a_port_that_is_taken_is_named() -> None:
    async with serving() as server:
        _, port = server.address  # type: ignore[attr-defined]
        with pytest.raises(NotReady, match=f"can't listen on 127.0.0.1:{port}"):
            await AgiServer(leave, (), max_connections=1).start("127.0.0.1", port)


async def test_a_storm_of_mangled_connections_leaves_nothing_and_the_next_call_works() -> None:
    """Each stream goes over a connection of its own, while commands are under way and while none is."""
    chance = random.Random(1)
    served = 0

    async def ask(connection: AgiConnection, asked: Asked) -> None:
        nonlocal served
        served += 1
        if chance.random() < 0.5:
            with contextlib.suppress(PbxUnavailable):
                await connection.command("GET VARIABLE", "A")

    async def one(server: AgiServer, stream: bytes) -> None:
        reader, writer = await connect(server)
        with contextlib.suppress(ConnectionError):
            writer.write(stream)
            writer.write_eof()
            while await reader.read(1000):
                pass
        writer.close()

    async with serving(ask, most=50) as server:
        for _ in range(100):
            async with asyncio.timeout(TIMEOUT):
                await asyncio.gather(*(one(server, mangled(chance)) for _ in range(20)))
        await until(lambda: not server.connections)
        assert server.faults[Fault.MALFORMED] > 100
        before = served
        await one(server, ENVIRONMENT)
        await until(lambda: served == before + 1)
        gc.collect()
        assert not [thing for thing in gc.get_objects() if isinstance(thing, AgiConnection)]
