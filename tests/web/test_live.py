"""Live updates: histories, followers, and their form on the wire."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest

from tests.store.records import ANSWERED, a_call, a_turn, an_event, at
from trunkline.events import (
    CallCreated,
    CallNoted,
    CallStateChanged,
    CallUpdate,
    GreetingStarted,
    SentenceStarted,
    SpeechHeard,
    TurnFinished,
)
from trunkline.models import CallId, CallState, Speaker
from trunkline.web import event_stream
from trunkline.web.event_stream import EventStream, encoded, live
from trunkline.web.live import KEPT, CallFeed, CallHistory

CALL = a_call()
END = CallStateChanged(CALL.id, CallState.ENDED, at(9), ANSWERED, "x.wav")


def speech(number: int) -> CallUpdate:
    return SpeechHeard(CALL.id, number % 2 == 0)


async def test_a_follower_sees_the_past_then_the_present_then_the_end() -> None:
    feed = CallFeed()
    for update in (CallCreated(CALL), speech(1)):
        feed.watch(update)
    history = feed.history(CALL.id)
    assert history is not None
    seen: list[object] = []
    two = asyncio.Event()

    async def follow() -> None:
        async for step in history.follow(0, heartbeat=60):
            seen.append(step)
            if len(seen) == 2:
                two.set()

    following = asyncio.create_task(follow())
    await asyncio.wait_for(two.wait(), 5)
    for update in (speech(2), speech(3), END):
        feed.watch(update)
    await asyncio.wait_for(following, 5)
    assert seen == list(enumerate((CallCreated(CALL), speech(1), speech(2), speech(3), END)))


async def test_followers_at_their_own_pace_miss_nothing() -> None:
    history = CallHistory()
    slow = history.follow(0, heartbeat=60)
    history.add(speech(0))
    assert await anext(slow) == (0, speech(0))
    for number in range(1, 500):
        history.add(speech(number))
    history.add(END)
    assert [step async for step in slow] == [*((n, speech(n)) for n in range(1, 500)), (500, END)]
    assert [step async for step in history.follow(499, heartbeat=60)] == [(499, speech(499)), (500, END)]
    assert [step async for step in history.follow(9999, heartbeat=60)] == []


async def test_silence_is_filled_with_heartbeats() -> None:
    history = CallHistory()
    async with aclosing(history.follow(0, heartbeat=0.001)) as steps:
        assert await anext(steps) is None
        assert await anext(steps) is None
        history.add(END)
        assert await anext(steps) == (0, END)


def test_only_the_last_ended_calls_are_remembered() -> None:
    feed = CallFeed()
    ids = [CallId(f"call-{number}") for number in range(KEPT + 10)]
    for call_id in ids:
        feed.watch(CallCreated(a_call(id=call_id)))
    for call_id in ids:
        feed.watch(CallStateChanged(call_id, CallState.ENDED, at(9), ANSWERED))
        feed.watch(CallNoted(call_id, an_event(call_id)))  # late news, as of a callback
    assert [feed.history(call_id) is None for call_id in ids] == [True] * 10 + [False] * KEPT


def test_news_of_calls_from_before_are_no_news() -> None:
    feed = CallFeed()
    feed.watch(speech(1))
    assert feed.history(CALL.id) is None


ENDED_FIELDS = {
    "state": "ended",
    "disposition": "answered",
    "reason": "The person hung up.",
    "hungUpBy": "person",
    "sipCode": 200,
    "sipReason": None,
    "q850Cause": 16,
    "recording": f"/calls/{CALL.id}/recording",
}


@pytest.mark.parametrize(
    ("update", "kind", "fields"),
    [
        (CallCreated(CALL), "call", {"number": "+14155550100", "createdAt": "2025-03-01T12:00:00.123456Z"}),
        (
            CallStateChanged(CALL.id, CallState.RINGING, at(1)),
            "state",
            {"state": "ringing", "at": "2025-03-01T12:00:01.123456Z"},
        ),
        (END, "state", ENDED_FIELDS),
        (GreetingStarted(CALL.id, 84.5), "greeting", {"greetingMs": 84.5}),
        (SpeechHeard(CALL.id, True), "speech", {"speaking": True}),
        (
            SentenceStarted(CALL.id, Speaker.AGENT, "Hi", 412.0),
            "sentence",
            {"speaker": "agent", "text": "Hi", "gapMs": 412.0},
        ),
        (TurnFinished(CALL.id, a_turn(3)), "turn", {"number": 3, "speaker": "agent", "cutOff": True}),
        (CallNoted(CALL.id, an_event(CALL.id)), "note", {"kind": "sip-answer", "text": "486 Busy Here"}),
    ],
)
def test_an_event_on_the_wire(update: CallUpdate, kind: str, fields: dict[str, Any]) -> None:
    lines = encoded(update, "7").decode("ascii").split("\n")
    assert lines[:2] == ["id: 7", f"event: {kind}"]
    assert lines[3:] == ["", ""]
    data = json.loads(lines[2].removeprefix("data: "))
    assert data["callId"] == CALL.id
    assert fields.items() <= data.items()


@pytest.mark.parametrize(
    "text", ["a\n\nevent: state\ndata: {}\n\n", "a\r\rb", "a\u2028b\u0085c", "half \ud83d", "\0", "<script>"]
)
def test_nothing_that_is_said_breaks_out_of_its_line(text: str) -> None:
    wire = encoded(SentenceStarted(CALL.id, Speaker.AGENT, text, None), None)
    assert wire.count(b"\n") == 3 and wire.endswith(b"\n\n") and b"\r" not in wire
    assert json.loads(wire.split(b"data: ", 1)[1])["text"] == text


SCOPE: dict[str, Any] = {"type": "http"}


async def test_a_spectator_that_takes_nothing_is_dropped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(event_stream, "PATIENCE", 0.01)
    history = CallHistory()
    history.add(speech(1))

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()  # the socket's buffer is full and stays so

    async def receive() -> Any:
        await asyncio.Event().wait()

    await asyncio.wait_for(EventStream(live(history, 0))(SCOPE, receive, send), 5)
    assert "was dropped" in caplog.text
    history.add(speech(2))  # the call goes on


async def test_a_spectator_that_leaves_is_let_go() -> None:
    history = CallHistory()
    history.add(speech(1))
    sent: list[Any] = []
    left = asyncio.Event()

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            left.set()

    async def receive() -> Any:
        await left.wait()
        return {"type": "http.disconnect"}

    tasks = asyncio.all_tasks()
    await asyncio.wait_for(EventStream(live(history, 0))(SCOPE, receive, send), 5)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert asyncio.all_tasks() == tasks


async def test_what_breaks_in_a_stream_is_not_hushed_up() -> None:
    async def send(message: Any) -> None:
        raise ZeroDivisionError

    async def receive() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(EventStream(live(CallHistory(), 0))(SCOPE, receive, send), 5)
