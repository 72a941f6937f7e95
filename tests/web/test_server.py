"""What only a real server shows: streams that stay open, ranges, slow and vanishing clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.store.records import ANSWERED, a_turn, at
from tests.web.desk import FIRST, Desk
from tests.web.serving import serving
from tests.web.test_calls import ENDED
from trunkline.events import CallStateChanged, SentenceStarted, SpeechHeard, TurnFinished
from trunkline.models import CallId, CallState, Speaker
from trunkline.store import wav

CALL = CallId(FIRST)
END = CallStateChanged(CALL, CallState.ENDED, at(9), ANSWERED, "x.wav")


@pytest.fixture
async def web(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(desk.app()) as address,
        httpx.AsyncClient(base_url=address, trust_env=False, timeout=10) as client,
    ):
        yield client


async def events(answer: httpx.Response) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
    """Id, kind and data of each event as it arrives."""
    event_id = kind = ""
    async for line in answer.aiter_lines():
        if line.startswith("id: "):
            event_id = line[4:]
        elif line.startswith("event: "):
            kind = line[7:]
        elif line.startswith("data: "):
            yield event_id, kind, json.loads(line[6:])


async def test_a_call_is_followed_as_it_happens(desk: Desk, web: httpx.AsyncClient) -> None:
    await web.post("/call", json={"phoneNumber": "+14155550100"})
    await desk.switchboard.tell(CallStateChanged(CALL, CallState.DIALLING, at(1)))
    async with asyncio.timeout(10), web.stream("GET", f"/calls/{FIRST}/events") as answer:
        coming = events(answer)
        assert [(await anext(coming))[:2] for _ in range(2)] == [("0", "call"), ("1", "state")]
        # Each is read before the next happens: so none waits for another.
        await desk.switchboard.tell(CallStateChanged(CALL, CallState.ANSWERED, at(3)))
        assert (await anext(coming))[2]["state"] == "answered"
        await desk.switchboard.tell(SentenceStarted(CALL, Speaker.AGENT, "Grüezi", 412.0))
        assert await anext(coming) == (
            "3",
            "sentence",
            {"callId": FIRST, "speaker": "agent", "text": "Grüezi", "gapMs": 412.0},
        )
        await desk.switchboard.tell(TurnFinished(CALL, a_turn(1)))
        assert (await anext(coming))[1] == "turn"
        await desk.switchboard.tell(END)
        last = await anext(coming)
        assert last[:2] == ("end", "state") and last[2]["disposition"] == "answered"
        with pytest.raises(StopAsyncIteration):
            await anext(coming)


async def test_coming_back_continues_where_it_was(desk: Desk, web: httpx.AsyncClient) -> None:
    await web.post("/call", json={"phoneNumber": "+14155550100"})
    for number in range(1, 5):
        await desk.switchboard.tell(SpeechHeard(CALL, number % 2 == 0))
    await desk.switchboard.tell(END)
    for seen, expected in (("2", ["3", "4", "end"]), ("4", ["end"]), ("nonsense", ["0", "1", "2", "3", "4", "end"])):
        answer = await web.get(f"/calls/{FIRST}/events", headers={"last-event-id": seen})
        assert [line[4:] for line in answer.text.splitlines() if line.startswith("id: ")] == expected
    assert (await web.get(f"/calls/{FIRST}/events", headers={"last-event-id": "end"})).status_code == 204


async def test_many_look_on(desk: Desk, web: httpx.AsyncClient) -> None:
    await web.post("/call", json={"phoneNumber": "+14155550100"})
    began = asyncio.Semaphore(0)

    async def follow() -> int:
        async with web.stream("GET", f"/calls/{FIRST}/events") as answer:
            count = 0
            async for _ in events(answer):
                count += 1
                began.release()
            return count

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        followers = [group.create_task(follow()) for _ in range(30)]
        for _ in followers:
            await began.acquire()
        for number in range(20):
            await desk.switchboard.tell(SpeechHeard(CALL, number % 2 == 0))
        await desk.switchboard.tell(END)
    assert [follower.result() for follower in followers] == [22] * 30


async def test_spectators_that_vanish_leave_nothing_behind(desk: Desk, web: httpx.AsyncClient) -> None:
    await web.post("/call", json={"phoneNumber": "+14155550100"})
    before = asyncio.all_tasks()
    for _ in range(5):
        async with asyncio.timeout(10), web.stream("GET", f"/calls/{FIRST}/events") as answer:
            await anext(events(answer))
    left = asyncio.all_tasks() - before
    if left:
        await asyncio.wait(left, timeout=10)
    assert asyncio.all_tasks() <= before
    await desk.switchboard.tell(END)
    assert (await web.get(f"/calls/{FIRST}")).json()["state"] == "ended"


async def test_a_spectator_that_does_not_read_harms_nobody(
    desk: Desk, web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("trunkline.web.event_stream.PATIENCE", 0.2)
    await web.post("/call", json={"phoneNumber": "+14155550100"})
    reader, writer = await asyncio.open_connection(web.base_url.host, web.base_url.port, limit=1024)
    writer.write(f"GET /calls/{FIRST}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await reader.readuntil(b"event: call")
    # More than all the buffers between the two hold.
    for _ in range(80):
        await desk.switchboard.tell(SentenceStarted(CALL, Speaker.AGENT, "blah " * 50_000))
    async with asyncio.timeout(10):
        while "was dropped" not in caplog.text:
            assert (await web.get(f"/calls/{FIRST}")).status_code == 200
    writer.close()
    await desk.switchboard.tell(END)
    assert (await web.get(f"/calls/{FIRST}")).json()["state"] == "ended"


async def test_ranges_of_a_recording(desk: Desk, web: httpx.AsyncClient) -> None:
    content = wav.header(640_000) + bytes(range(256)) * 2500
    (desk.recordings / f"{FIRST}.wav").write_bytes(content)
    await desk.store.add(replace(ENDED))
    answer = await web.get(f"/calls/{FIRST}/recording")
    assert answer.content == content
    part = await web.get(f"/calls/{FIRST}/recording", headers={"range": "bytes=320000-639999"})
    assert (part.status_code, part.headers["content-range"]) == (206, "bytes 320000-639999/640044")
    assert part.content == content[320_000:640_000]


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 1000000\r\n\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\n"
        b"10000\r\n" + b" " * 65536 + b"\r\n1\r\n \r\n0\r\n\r\n",
    ],
    ids=["announced", "chunked"],
)  # fmt: skip
async def test_too_large_bodies_on_the_wire(web: httpx.AsyncClient, rest: bytes) -> None:
    reader, writer = await asyncio.open_connection(web.base_url.host, web.base_url.port)
    writer.write(b"POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + rest)
    answer = await asyncio.wait_for(reader.readuntil(b"}}"), 10)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"body_too_large"' in answer
    writer.close()
    await writer.wait_closed()
