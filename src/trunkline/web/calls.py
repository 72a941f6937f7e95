"""The routes of calls: place, look at, listen to, follow, end."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response, status
from fastapi.responses import FileResponse

from trunkline.errors import CallEnded, NoRecording, RecordingLocked, UnknownCall
from trunkline.models import CallId, CallRecord, CallState
from trunkline.phone_numbers import to_e164
from trunkline.web.answers import (
    Accepted,
    CallDetail,
    CallList,
    detail,
    summary,
)
from trunkline.web.errors import errors
from trunkline.web.event_stream import EXAMPLE, LAST, EventStream, live, replayed
from trunkline.web.recorded_response import RecordedResponse
from trunkline.web.services import House, Services

_CALL_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_UNKNOWN = errors(UnknownCall)

router = APIRouter(tags=["calls"])


@router.get("/calls")
async def list_calls(
    house: House,
    limit: Annotated[int, Query(ge=1, le=200, description="Calls per page.")] = 50,
    before: Annotated[str | None, Query(max_length=64, description="`next` of the page before.")] = None,
    state: Annotated[CallState | None, Query(description="Only calls in this state.")] = None,
    number: Annotated[str | None, Query(max_length=64, description="Only calls to this number.")] = None,
) -> CallList:
    """Calls, newest first."""
    page = await house.store.recent(
        # One more than asked for tells whether there is another page.
        limit=limit + 1,
        before=None if before is None else to_call_id(before),
        state=state,
        number=None if number is None else searched(number),
    )
    more = len(page) > limit
    return CallList(calls=tuple(summary(call) for call in page[:limit]), next=page[limit - 1].id if more else None)


@router.get("/calls/{call_id}", responses=_UNKNOWN)
async def show_call(call_id: str, house: House) -> CallDetail:
    """Everything known of a call: state, times, outcome, what was said with its timings, and what happened."""
    return detail(await find_call(house, call_id))


@router.get(
    "/calls/{call_id}/recording",
    response_class=FileResponse,
    responses={
        200: {
            "content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}},
            "description": "Stereo WAV, 8 kHz, 16 bit: left the person, right the agent.",
        },
        206: {"description": "The range that was asked for."},
        **errors(UnknownCall, NoRecording, RecordingLocked),
    },
)
async def download_recording(call_id: str, house: House) -> Response:
    """The recording of an ended call. Ranges are served, so that a player can jump."""
    call = await find_call(house, call_id)
    if call.recording is None:
        raise NoRecording(f"Call {call.id} has no recording.", remedy="It exists once an answered call has ended.")
    found = await house.recordings.find(Path(call.recording).name)
    if found is None:
        raise NoRecording(f"The recording of call {call.id} is gone.", remedy="Somebody moved its file.")
    name = f"{call.id}.wav"
    if not isinstance(found, Path):
        return RecordedResponse(found, name)
    return FileResponse(found, media_type="audio/wav", filename=name, content_disposition_type="inline")


@router.get(
    "/calls/{call_id}/events",
    response_class=Response,
    responses={
        200: {"content": {"text/event-stream": {"example": EXAMPLE}}, "description": "Events until the call's end."},
        204: {"description": "The client has seen the last event already (`Last-Event-ID: end`): stop."},
        **_UNKNOWN,
    },
)
async def follow_call(call_id: str, house: House, last_event_id: Annotated[str | None, Header()] = None) -> Response:
    """A call as it happens, as server-sent events: first what has happened so far, then live until its end.

    | event | when | fields besides `callId` |
    |---|---|---|
    | `call` | first of all | those of `GET /calls` |
    | `state` | the state changed | `state`, `at`; with `ended` also `disposition`, `reason`, `hungUpBy`, `sipCode`, \
`sipReason`, `q850Cause`, `recording` |
    | `greeting` | the greeting was first heard | `greetingMs` after the answer |
    | `speech` | the person began to speak or stopped | `speaking` |
    | `sentence` | an agent's sentence was first heard | `speaker`, `text`, `gapMs` (first sentence of a reply) |
    | `turn` | somebody finished speaking | those of a turn |
    | `note` | something else happened | those of an event |

    The last event has the id `end`. A client that reconnects with `Last-Event-ID` continues where it was. Of calls
    that ended a while ago, `greeting`, `speech` and `sentence` are not kept.
    """
    if last_event_id == LAST:
        return Response(status_code=status.HTTP_204_NO_CONTENT)
    history = house.feed.history(to_call_id(call_id))
    if history is None or history.finished:
        # What was deleted meanwhile, by whomever, is not told from memory.
        call = await find_call(house, call_id)
        if history is None or call.forgotten_at is not None:
            return EventStream(replayed(call))
    seen = last_event_id or ""
    return EventStream(live(history, int(seen) + 1 if seen.isascii() and seen.isdigit() and len(seen) < 10 else 0))


@router.delete("/calls/{call_id}", status_code=status.HTTP_202_ACCEPTED, responses=errors(UnknownCall, CallEnded))
async def end_call(call_id: str, house: House) -> Accepted:
    """Hang up, whatever the call is doing. Its end follows within a moment."""
    return hanging_up(await house.switchboard.hang_up(to_call_id(call_id)))


def searched(number: str) -> str:
    """A number in an address, as E.164. Raises `InvalidNumber`."""
    # A plus sign in an address stands for a space unless it was escaped, which hardly anybody does.
    digits = number.strip()
    return to_e164(digits if digits.startswith("+") else f"+{digits}")


async def find_call(house: Services, call_id: str) -> CallRecord:
    """Raises `UnknownCall`."""
    if (call := await house.store.get(to_call_id(call_id))) is None:
        raise UnknownCall(f"There is no call {call_id}.", remedy="GET /calls lists the calls there are.")
    return call


def to_call_id(text: str) -> CallId:
    """Raises `UnknownCall` for what was never an id."""
    if not _CALL_ID.fullmatch(text):
        raise UnknownCall("There is no such call.", remedy="GET /calls lists the calls there are.")
    return CallId(text)


def hanging_up(call: CallRecord) -> Accepted:
    return Accepted(message="Hanging up.", phone_number=call.number, session_id=call.id, status=call.state)
