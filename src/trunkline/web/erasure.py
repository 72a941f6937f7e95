"""The routes of deletion: everything that is kept of a call, or of a number."""

from __future__ import annotations

from fastapi import APIRouter

from trunkline.errors import CallLive, InvalidNumber, UnknownCall
from trunkline.phone_numbers import to_e164
from trunkline.web.answers import ErasedAnswer
from trunkline.web.calls import to_call_id
from trunkline.web.errors import errors
from trunkline.web.services import House

router = APIRouter(tags=["data protection"])


@router.delete("/calls/{call_id}/data", responses=errors(UnknownCall, CallLive))
async def forget_call(call_id: str, house: House) -> ErasedAnswer:
    """Delete everything that is kept of an ended call: itself, transcript, recording. Nothing brings it back."""
    wanted = to_call_id(call_id)
    erased = ErasedAnswer.model_validate(await house.eraser.forget_call(wanted))
    house.feed.forget(wanted)
    return erased


@router.delete("/numbers/{number}", responses=errors(InvalidNumber, CallLive))
async def forget_number(number: str, house: House) -> ErasedAnswer:
    """The same of all calls with a number (E.164). Zeros where there were none; nothing while one of them runs."""
    return ErasedAnswer.model_validate(await house.eraser.forget_number(to_e164(number)))
