"""The routes of a live call: what somebody outside can have done in it. See `docs/control.md`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, status

from trunkline.conversation.controls import Controls
from trunkline.errors import (
    BrainError,
    CallEnded,
    EmergencyNumber,
    InvalidNumber,
    PbxUnavailable,
    TrunklineError,
    UnknownAgent,
    UnknownCall,
    WrongMoment,
)
from trunkline.live_call import LiveCall
from trunkline.web.answers import StandingAnswer
from trunkline.web.audit import about
from trunkline.web.bodies import ChangeAgent, EndPolitely, Mute, PressKeys, PutThrough, SayThis, Whisper
from trunkline.web.calls import to_call_id
from trunkline.web.errors import errors
from trunkline.web.services import House

router = APIRouter(tags=["control"])


async def _live(call_id: str, house: House) -> LiveCall:
    return await house.switchboard.live_call(to_call_id(call_id))


Live = Annotated[LiveCall, Depends(_live)]
"""The call a route is about, if it has not ended."""


def _raises(*kinds: type[TrunklineError]) -> dict[int | str, dict[str, object]]:
    return errors(UnknownCall, CallEnded, WrongMoment, *kinds)


def _standing(controls: Controls) -> StandingAnswer:
    return StandingAnswer.model_validate(controls.standing)


@router.get("/calls/{call_id}/control", responses=_raises())
async def show_standing(call: Live) -> StandingAnswer:
    """Who hears whom at the moment, and whether it is recorded."""
    return _standing(call.controls)


# ── what the agent shall do ────────────────────────────────────────────────────────────────────────────────────────


@router.post("/calls/{call_id}/say", status_code=status.HTTP_202_ACCEPTED, responses=_raises())
async def say(call: Live, body: SayThis) -> StandingAnswer:
    """The agent says this next, when the person has been answered. Its brain is told."""
    call.controls.say(body.text, now=body.now)
    return _standing(call.controls)


@router.post("/calls/{call_id}/whisper", status_code=status.HTTP_202_ACCEPTED, responses=_raises())
async def whisper(call: Live, body: Whisper) -> StandingAnswer:
    """A note for the agent's brain, given to it with the person's next turn. Nobody hears it."""
    call.controls.whisper(body.text)
    return _standing(call.controls)


@router.post("/calls/{call_id}/keys", responses=_raises(PbxUnavailable))
async def press_keys(call: Live, body: PressKeys) -> StandingAnswer:
    """Press keys (DTMF) towards the person. The answer comes when they have been pressed."""
    controls = call.controls
    await call.press(body.keys)
    return _standing(controls)


@router.post(
    "/calls/{call_id}/transfer", status_code=status.HTTP_202_ACCEPTED, responses=_raises(InvalidNumber, EmergencyNumber)
)
async def transfer(call: Live, body: PutThrough, request: Request) -> StandingAnswer:
    """The agent puts the person through when it has the floor next. Where that number may not be called, or nobody
    takes them there, it tells them and goes on; the call's history says why.
    """
    about(request, body.to)
    call.put_through(body.to, words=body.text, about=body.about, now=body.now)
    return _standing(call.controls)


@router.post(
    "/calls/{call_id}/agent", status_code=status.HTTP_202_ACCEPTED, responses=_raises(UnknownAgent, BrainError)
)
async def change_agent(call: Live, body: ChangeAgent, house: House) -> StandingAnswer:
    """Another agent goes on: it is told what was said so far, and greets."""
    controls = call.controls
    await house.switchboard.change_agent(call.record.id, body.agent, now=body.now)
    return _standing(controls)


@router.post("/calls/{call_id}/end", status_code=status.HTTP_202_ACCEPTED, responses=_raises())
async def end_politely(call: Live, body: EndPolitely) -> StandingAnswer:
    """The agent takes its leave, then hangs up. `DELETE /calls/{call_id}` hangs up at once."""
    call.controls.end(body.text, now=body.now)
    return _standing(call.controls)


# ── who hears whom, and what is kept ───────────────────────────────────────────────────────────────────────────────


@router.post("/calls/{call_id}/hold", responses=_raises())
async def hold(call: Live) -> StandingAnswer:
    """Music for the person; the agent neither hears nor speaks."""
    call.controls.hold()
    return _standing(call.controls)


@router.delete("/calls/{call_id}/hold", responses=_raises())
async def resume(call: Live) -> StandingAnswer:
    """The agent is back."""
    call.controls.resume()
    return _standing(call.controls)


@router.put("/calls/{call_id}/mute", responses=_raises())
async def mute(call: Live, body: Mute) -> StandingAnswer:
    """Who isn't heard by the other from now on."""
    call.controls.mute(agent=body.agent, person=body.person)
    return _standing(call.controls)


@router.post("/calls/{call_id}/recording/pause", responses=_raises())
async def pause_recording(call: Live) -> StandingAnswer:
    """Nothing that is said or keyed from now on is kept, nor told to the agent's brain: for card numbers."""
    call.controls.pause_recording()
    return _standing(call.controls)


@router.delete("/calls/{call_id}/recording/pause", responses=_raises())
async def resume_recording(call: Live) -> StandingAnswer:
    """Everything is kept again."""
    call.controls.resume_recording()
    return _standing(call.controls)
