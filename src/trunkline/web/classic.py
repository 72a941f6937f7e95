"""The three addresses of the hand-made set-ups that this product replaces; what was built on those keeps working."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response, status

from trunkline.errors import (
    CalledTooOften,
    CallEnded,
    CallerIdNotAllowed,
    ConsentMissing,
    CountryNotAllowed,
    DailyCallsReached,
    DiallingStopped,
    DoNotCall,
    EmergencyNumber,
    InvalidNumber,
    NumberTypeDenied,
    OutsideCallingHours,
    PbxUnavailable,
    SpendCapReached,
    StoreError,
    TooManyCalls,
    TrunkNotConfigured,
    UnknownAgent,
    UnknownCall,
)
from trunkline.web.answers import Accepted, ConversationAnswer, conversation
from trunkline.web.audit import about
from trunkline.web.bodies import HangUp, PlaceCall
from trunkline.web.calls import find_call, hanging_up, to_call_id
from trunkline.web.errors import errors
from trunkline.web.services import House

router = APIRouter(tags=["calls"])

_PLACING = errors(
    InvalidNumber,
    EmergencyNumber,
    UnknownAgent,
    CallerIdNotAllowed,
    TrunkNotConfigured,
    PbxUnavailable,
    TooManyCalls,
    StoreError,
    DiallingStopped,
    NumberTypeDenied,
    CountryNotAllowed,
    DoNotCall,
    ConsentMissing,
    OutsideCallingHours,
    CalledTooOften,
    DailyCallsReached,
    SpendCapReached,
)


@router.post("/call", status_code=status.HTTP_202_ACCEPTED, responses=_PLACING)
async def place_call(body: PlaceCall, house: House, request: Request, response: Response) -> Accepted:
    """Place a call. The answer comes at once, with the call's id; `Location` says where it can be looked at."""
    about(request, body.phone_number)
    call = await house.switchboard.place_call(body.to_request())
    response.headers["location"] = f"/calls/{call.id}"
    return Accepted(message=f"Calling {call.number}.", phone_number=call.number, session_id=call.id, status=call.state)


@router.get("/conversation/{session_id}", responses=errors(UnknownCall))
async def show_conversation(session_id: str, house: House) -> ConversationAnswer:
    """What was said in a call so far, as a chat."""
    return conversation(await find_call(house, session_id))


@router.post("/hangup", status_code=status.HTTP_202_ACCEPTED, responses=errors(UnknownCall, CallEnded))
async def hang_up(body: HangUp, house: House) -> Accepted:
    """Hang up, like `DELETE /calls/{call_id}`."""
    return hanging_up(await house.switchboard.hang_up(to_call_id(body.id)))
