"""Callbacks: delivered once, tried again where that helps, and never where they must not go."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest

from tests.doubles_store import MemoryCallStore
from tests.store.records import ANSWERED, a_call, a_turn, at
from trunkline.events import CallStateChanged
from trunkline.models import CallId, CallState, Part
from trunkline.web.callbacks import Callbacks

ENDED = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass
class Workflow:
    """A peer on loopback that answers each request with the next of `answers`; `None`: it hangs up instead."""

    answers: list[bytes | None]
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append((head, headers, body))
        if (answer := self.answers.pop(0)) is not None:
            writer.write(answer)
        writer.close()


@pytest.fixture
async def workflow() -> AsyncIterator[Workflow]:
    workflow = Workflow([ENDED])
    server = await asyncio.start_server(workflow.answer, "127.0.0.1", 0)
    workflow.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield workflow
    server.close()
    await server.wait_closed()


class House:
    """A store with one call in it, and the callbacks."""

    def __init__(self, url: str | None, **options: object) -> None:
        self.store = MemoryCallStore()
        self.call = a_call(callback_url=url, answered_at=at(2))
        self.settled = 0
        self.callbacks = Callbacks(self.store, self._settle, **{"pauses": (0.0, 0.0), **options})  # type: ignore[arg-type]

    async def _settle(self) -> None:
        self.settled += 1

    async def end(self, call_id: CallId | None = None) -> str:
        """The call ends; returns what its history says of the callback."""
        await self.store.add(self.call)
        await self.store.add_turn(self.call.id, a_turn())
        await self.store.end(self.call.id, ANSWERED, at(60))
        self.callbacks.watch(CallStateChanged(call_id or self.call.id, CallState.ENDED, at(60), ANSWERED))
        await self.callbacks.close()
        kept = await self.store.get(self.call.id)
        assert kept is not None
        return " ".join(event.text for event in kept.events if event.kind == "callback")


async def test_the_ended_call_is_posted_once(workflow: Workflow) -> None:
    house = House(f"{workflow.url}/webhook/done?token=a%20b")
    assert await house.end() == "The callback was delivered (HTTP 204)."
    [(head, headers, body)] = workflow.requests
    assert head == "POST /webhook/done?token=a%20b HTTP/1.1"
    assert headers["host"] == workflow.url.removeprefix("http://")
    assert headers["content-type"] == "application/json"
    assert headers["x-call-id"] == house.call.id
    told = json.loads(body)
    assert (told["id"], told["state"], told["disposition"]) == (house.call.id, "ended", "answered")
    assert told["turns"][0]["timings"]["gapMs"] == 812.25
    assert told["durationSeconds"] == 58.0
    assert house.settled == 1


async def test_a_call_without_a_callback(workflow: Workflow) -> None:
    assert await House(None).end() == ""
    assert await House(workflow.url).end(CallId("somebody-elses")) == ""
    assert workflow.requests == []


async def test_only_the_end_is_told(workflow: Workflow) -> None:
    house = House(workflow.url)
    await house.store.add(house.call)
    house.callbacks.watch(CallStateChanged(house.call.id, CallState.ANSWERED, at(3)))
    await house.callbacks.close()
    assert workflow.requests == []


async def test_a_store_that_lags_behind(workflow: Workflow) -> None:
    house = House(workflow.url)
    await house.store.add(house.call)
    house.callbacks.watch(CallStateChanged(house.call.id, CallState.ENDED, at(60), ANSWERED, "x.wav"))
    await house.callbacks.close()
    told = json.loads(workflow.requests[0][2])
    assert (told["state"], told["disposition"], told["recording"]) == (
        "ended",
        "answered",
        f"/calls/{house.call.id}/recording",
    )


@pytest.mark.parametrize(
    "first",
    [None, b"HTTP/1.1 503 Busy\r\n\r\n", b"HTTP/1.1 429 Slow\r\n\r\n", b"x\r\n\r\n"],
    ids=["hangs up", "503", "429", "no HTTP"],
)  # fmt: skip
async def test_it_is_tried_again_where_that_helps(workflow: Workflow, first: bytes | None) -> None:
    workflow.answers = [first, first, ENDED]
    assert await House(workflow.url).end() == "The callback was delivered (HTTP 204)."
    assert len(workflow.requests) == 3


async def test_a_call_that_is_deleted_meanwhile_is_told_no_more(
    workflow: Workflow, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "trunkline")
    workflow.answers = [b"HTTP/1.1 503 Busy\r\n\r\n", ENDED]
    house = House(workflow.url, pauses=(0.5,))
    await house.store.add(replace(house.call, state=CallState.ENDED, end=ANSWERED))
    house.callbacks.watch(CallStateChanged(house.call.id, CallState.ENDED, at(60), ANSWERED))
    while not workflow.requests:
        await asyncio.sleep(0.001)
    await house.store.erase(house.call.id, Part.CALL, at(61))
    await house.callbacks.close()
    assert len(workflow.requests) == 1
    assert "was deleted before" in caplog.text
    assert "broke" not in caplog.text


async def test_it_is_given_up_in_the_end(workflow: Workflow, caplog: pytest.LogCaptureFixture) -> None:
    workflow.answers = [b"HTTP/1.1 500 Error in workflow\r\nContent-Length: 0\r\n\r\n"] * 4
    assert await House(workflow.url).end() == "The callback could not be delivered in 3 tries: HTTP 500"
    assert len(workflow.requests) == 3
    assert "could not be delivered" in caplog.text


@pytest.mark.parametrize("status", ["301 Moved", "307 Temporary", "400 Bad", "404 Not Found"])
async def test_it_is_not_repeated_where_that_is_in_vain(workflow: Workflow, status: str) -> None:
    workflow.answers = [f"HTTP/1.1 {status}\r\nLocation: {workflow.url}/elsewhere\r\n\r\n".encode(), ENDED]
    told = await House(workflow.url).end()
    assert told == f"The callback could not be delivered in 1 try: HTTP {status[:3]}"
    assert len(workflow.requests) == 1


async def test_nobody_there() -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    assert "in 3 tries" in await House(f"http://127.0.0.1:{port}/").end()


@pytest.mark.parametrize("answer", [["169.254.169.254"], ["10.0.0.1", "fe80::1%eth0"], ["::ffff:169.254.169.254"]])
async def test_a_name_that_leads_where_callbacks_must_not_go(answer: list[str]) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return answer

    told = await House("http://n8n.example/", resolve=resolve).end()
    assert told.startswith("The callback could not be delivered in 1 try: callbacks are not posted to ")


async def test_the_address_that_was_checked_is_the_one_that_is_called(workflow: Workflow) -> None:
    asked: list[tuple[str, int]] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    port = int(workflow.url.rpartition(":")[2])
    told = await House(f"http://n8n.example:{port}/x", resolve=resolve).end()
    assert told == "The callback was delivered (HTTP 204)."
    assert asked == [("n8n.example", port)]
    assert workflow.requests[0][1]["host"] == f"n8n.example:{port}"


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "file:///etc/passwd", "http://", "http://[::1", "nonsense"])
async def test_what_is_no_web_address(url: str) -> None:
    assert "could not be delivered in 1 try" in await House(url).end()


async def test_a_name_that_is_none() -> None:
    assert "in 3 tries: " in await House(f"http://{'a' * 70}.example/").end()


async def test_a_name_that_does_not_exist() -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        raise OSError("Name or service not known")

    assert "in 3 tries: Name or service not known" in await House("http://nowhere.example/", resolve=resolve).end()


async def test_closing_does_not_wait_for_ever(workflow: Workflow) -> None:
    house = House(workflow.url, pauses=(3600.0,))
    workflow.answers = [None]
    await house.store.add(house.call)
    house.callbacks.watch(CallStateChanged(house.call.id, CallState.ENDED, at(60), ANSWERED))
    before = asyncio.all_tasks() - {asyncio.current_task()}
    await house.callbacks.close(grace=0.05)
    assert not any(task.get_name().startswith("callback") and not task.done() for task in before)
