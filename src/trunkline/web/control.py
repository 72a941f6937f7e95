"""The routes of a live call: what somebody outside can have done in it. See `docs/control.md`."""

from __future__ import annotations

from fastapi import APIRouter, status

from trunkline.errors import (
    BrainError,
    CallEnded,
    InvalidNumber,
    PbxUnavailable,
    TrunklineError,
    UnknownAgent,
    UnknownCall,
    WrongMoment,
)
from trunkline.live_call import LiveCall
from trunkline.web.answers import StandingAnswer
from trunkline.web.bodies import ChangeAgent, EndPolitely, Mute, PressKeys, PutThrough, SayThis, Whisper
from trunkline.web.calls import to_call_id
from trunkline.web.errors import errors
from trunkline.web.services import House

router = APIRouter(tags=["control"])


def _raises(*kinds: type[TrunklineError]) -> dict[int | str, dict[str, object]]:
    return errors(UnknownCall, CallEnded, WrongMoment, *kinds)


def standing(call: LiveCall) -> StandingAnswer:
    return StandingAnswer.model_validate(call.controls.standing)


@router.get("/calls/{call_id}/control", responses=_raises())
async def show_standing(call_id: str, house: House) -> StandingAnswer:
    """Who hears whom at the moment, and whether it is recorded."""
    return standing(await house.switchboard.live_call(to_call_id(call_id)))


@router.post("/calls/{call_id}/say", status_code=status.HTTP_202_ACCEPTED, responses=_raises())
async def say(call_id: str, body: SayThis, house: House) -> StandingAnswer:
    """The agent says this next, when the person has been answered. Its brain is told."""
    call = await house.switchboard.live_call(to_call_id(call_id))
    call.controls.say(body.text, now=body.now)
    return standing(call)


@router.post("/calls/{call_id}/whisper", status_code=status.HTTP_202_ACCEPTED, responses=_raises())
async def whisper(call_id: str, body: Whisper, house: House) -> StandingAnswer:
    """A note for the agent's brain, given to it with the person's next turn. Nobody hears it."""
    call = await house.switchboard.live_call(to_call_id(call_id))
    call.controls.whisper(body.text)
    return standing(call)


@router.post("/calls/{call_id}/keys", responses=_raises(PbxUnavailable))
async def press_keys(call_id: str, body: PressKeys, house: House) -> StandingAnswer:
    """Press keys (DTMF) towards the person. The answer comes when they have been pressed."""
    call = await house.switchboard.live_call(to_call_id(call_id))
    await call.press(body.keys)
    return standing(call)


@router.post("/calls/{call_id}/transfer", status_code=status.HTTP_202_ACCEPTED, responses=_raises(InvalidNumber))
async def transfer(call_id: str, body: PutThrough, house: House) -> StandingAnswer:
    """The agent puts the person through when it has the floor next. Where nobody takes them, it goes on."""
    call = await house.switchboard.live_call(to_call_id(call_id))
    await call.put_through(body.to, words=body.text, about=body.about, now=body.now)
    return standing(call)


@router.post(
    "/calls/{call_id}/agent", status_code=status.HTTP_202_ACCEPTED, responses=_raises(UnknownAgent, BrainError)
)
async def change_agent(call_id: str, body: ChangeAgent, house: House) -> StandingAnswer:
    """Another agent goes on: it is told what was said so far, and greets."""
    wanted = to_call_id(call_id)
    await house.switchboard.change_agent(wanted, body.agent, now=body.now)
    return standing(await house.switchboard.live_call(wanted))


@router.post("/calls/{call_id}/end", status_code=status.HTTP_202_ACCEPTED, responses=_raises())
async def end_politely(call_id: str, body: EndPolitely, house: House) -> StandingAnswer:
    """The agent takes its leave, then hangs up. `DELETE /calls/{call_id}` hangs up at once."""
    call = await house.switchboard.live_call(to_call_id(call_id))
    call.controls.end(body.text, now=body.now)
    return standing(call)


@router.post("/calls/{call_id}/hold", responses=_raises())
async def hold(call_id: str, house: House) -> StandingAnswer:
    """Music for the person; the agent neither hears nor speaks."""
    call = await house.switchboard.live_call(to_call_id(call_id))
    call.controls.hold()
    return standing(call)


@router.delete("/calls/{call_id}/hold", responses=_raises())
async def resume(call_id: str, house: House) -> StandingAnswer:
    """The agent is back."""
    call = await house.switchboard.live_call(to_call_id(call_id))
    call.controls.resume()
    return standing(call)


@router.put("/calls/{call_id}/mute", responses=_raises())
async def mute(call_id: str, body: Mute, house: House) -> StandingAnswer:
    """Who isn't heard by the other from now on."""
    call = await house.switchboard.live_call(to_call_id(call_id))
    call.controls.mute(agent=body.agent, person=body.person)
    return standing(call)


@router.post("/calls/{call_id}/recording/pause", responses=_raises())
async def pause_recording(call_id: str, house: House) -> StandingAnswer:
    """Nothing that is said or keyed from now on is kept, nor told to the agent's brain: for card numbers."""
    call = await house.switchboard.live_call(to_call_id(call_id))
    call.controls.pause_recording()
    return standing(call)


@router.delete("/calls/{call_id}/recording/pause", responses=_raises())
async def resume_recording(call_id: str, house: House) -> StandingAnswer:
    """Everything is kept again."""
    call = await house.switchboard.live_call(to_call_id(call_id))
    call.controls.resume_recording()
    return standing(call)
