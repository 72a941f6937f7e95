"""Server-sent events (WHATWG HTML §9.2): the updates of a call on the wire."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

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
from trunkline.models import CallRecord, CallState
from trunkline.web.answers import end_fields, event_answer, recording_path, summary, turn_answer
from trunkline.web.live import CallHistory

log = logging.getLogger(__name__)

HEARTBEAT: Final = 15.0
"""Seconds of silence after which a comment is sent, so that nobody between takes the connection for dead."""
PATIENCE: Final = 30.0
"""Seconds a spectator may take for one event before it is dropped."""
LAST: Final = "end"
"""Id of a call's last event. A browser that comes back with it is told to stop (204)."""

EXAMPLE: Final = """\
id: 0
event: call
data: {"callId":"6f1c1b9e-…","number":"+14155550100","agent":"outbound-ai-conversational","state":"queued", …}

id: 1
event: state
data: {"callId":"6f1c1b9e-…","state":"answered","at":"2025-03-01T12:00:04.120Z", …}

id: 2
event: sentence
data: {"callId":"6f1c1b9e-…","speaker":"agent","text":"Hello, this is the dentist's office.","gapMs":null}

id: 3
event: turn
data: {"callId":"6f1c1b9e-…","number":1,"speaker":"agent","text":"Hello, this is the dentist's office.", …}

id: end
event: state
data: {"callId":"6f1c1b9e-…","state":"ended","disposition":"answered","reason":"The person hung up.", …}

"""


def encoded(update: CallUpdate, event_id: str | None) -> bytes:
    """One event: a kind, and its JSON on one line."""
    call_id = update.call.id if isinstance(update, CallCreated) else update.call_id
    kind, fields = _content(update)
    # ASCII, so that no separator that somebody takes for a line's end can hide in what was said.
    data = json.dumps({"callId": call_id} | fields, separators=(",", ":"))
    head = "" if event_id is None else f"id: {event_id}\n"
    return f"{head}event: {kind}\ndata: {data}\n\n".encode("ascii")


def _content(update: CallUpdate) -> tuple[str, dict[str, object]]:
    fields: dict[str, object]
    match update:
        case CallCreated(call):
            kind, fields = "call", summary(call).model_dump(mode="json", by_alias=True, exclude={"id"})
        case CallStateChanged():
            kind, fields = "state", _state(update)
        case GreetingStarted(_, greeting_ms):
            kind, fields = "greeting", {"greetingMs": greeting_ms}
        case SpeechHeard(_, speaking):
            kind, fields = "speech", {"speaking": speaking}
        case SentenceStarted(_, speaker, text, gap_ms):
            kind, fields = "sentence", {"speaker": speaker, "text": text, "gapMs": gap_ms}
        case TurnFinished(_, turn):
            kind, fields = "turn", turn_answer(turn).model_dump(mode="json", by_alias=True)
        case CallNoted(_, event):
            kind, fields = "note", event_answer(event).model_dump(mode="json", by_alias=True)
    return kind, fields


def _state(update: CallStateChanged) -> dict[str, object]:
    fields: dict[str, object] = {"state": update.state, "at": update.at.isoformat().replace("+00:00", "Z")}
    if update.end is not None:
        fields |= end_fields(update.end)
        fields["recording"] = None if update.recording is None else recording_path(update.call_id)
    return fields


async def live(history: CallHistory, start: int) -> AsyncGenerator[bytes]:
    """A call as it happens, from update number `start` on."""
    async with aclosing(history.follow(start, HEARTBEAT)) as steps:
        async for step in steps:
            if step is None:
                yield b": still here\n\n"
            else:
                number, update = step
                yield encoded(update, LAST if _ends(update) else str(number))


async def replayed(call: CallRecord) -> AsyncGenerator[bytes]:
    """A call of the past, as far as it is kept: without the passing moments."""
    for update in _retold(call):
        yield encoded(update, LAST if _ends(update) else None)


def _ends(update: CallUpdate) -> bool:
    return isinstance(update, CallStateChanged) and update.state is CallState.ENDED


def _retold(call: CallRecord) -> Iterator[CallUpdate]:
    yield CallCreated(call)
    stamps = (
        (CallState.DIALLING, call.dialled_at),
        (CallState.RINGING, call.ringing_at),
        (CallState.ANSWERED, call.answered_at),
    )
    timeline: list[tuple[datetime, CallUpdate]] = []
    timeline += [(at, CallStateChanged(call.id, state, at)) for state, at in stamps if at is not None]
    timeline += [(event.at, CallNoted(call.id, event)) for event in call.events]
    spoken_from = call.answered_at or call.created_at
    timeline += [(spoken_from + timedelta(seconds=turn.ended), TurnFinished(call.id, turn)) for turn in call.turns]
    for _, update in sorted(timeline, key=lambda step: step[0]):
        yield update
    if call.ended_at is not None:
        yield CallStateChanged(call.id, CallState.ENDED, call.ended_at, call.end, call.recording)


class EventStream(Response):
    """Sends events until they end, the client leaves, or it takes nothing for `PATIENCE` seconds."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes]) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"cache-control": "no-store", "x-accel-buffering": "no"})
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.wait({sending, leaving})
        if not sending.cancelled():
            sending.result()

    async def _send(self, send: Send) -> None:
        async with aclosing(self._events) as events:
            try:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                async for event in events:
                    async with asyncio.timeout(PATIENCE):
                        await send({"type": "http.response.body", "body": event, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            except TimeoutError:
                log.warning("Somebody who looked on took nothing for %.0f s and was dropped", PATIENCE)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
