"""The routes of who may be dialled: the switch, the do-not-call list, refusals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from trunkline.errors import InvalidNumber, NotOnList
from trunkline.ledger import Purpose, Stop, Unwanted
from trunkline.phone_numbers import masked
from trunkline.web.answers import Answer
from trunkline.web.audit import about
from trunkline.web.bodies import Body, Line
from trunkline.web.calls import searched
from trunkline.web.errors import errors
from trunkline.web.services import House

router = APIRouter(tags=["dialling"])
_INVALID = errors(InvalidNumber)


class Reason(Body):
    why: Annotated[Line, Field(min_length=1, max_length=200)]
    """For whoever looks at it later."""


class StopAnswer(Answer):
    at: datetime
    why: str


class DiallingAnswer(Answer):
    """Whether calls may go out, and what went out in 24 hours."""

    stopped: StopAnswer | None
    calls: int
    """Calls and transfers."""
    cost: float
    """By `dialling.prices`; calls that have not ended count as their longest."""


class UnwantedAnswer(Answer):
    """A number that is not called."""

    number: str = Field(examples=["+14155550100"])
    at: datetime
    why: str


class UnwantedList(Answer):
    numbers: tuple[UnwantedAnswer, ...]
    """In the order of the numbers."""
    next: str | None
    """Give it as `after` to get the next page; null on the last one."""


class RefusalAnswer(Answer):
    """A number that was not dialled."""

    id: int
    at: datetime
    number: str = Field(examples=["+1415•••0100"])
    purpose: Purpose
    code: str = Field(examples=["country_not_allowed"])
    message: str


class RefusalList(Answer):
    refusals: tuple[RefusalAnswer, ...]
    """Newest first."""
    next: int | None
    """Give it as `before` to get the next page; null on the last one."""


@router.get("/dialling")
async def show_dialling(house: House) -> DiallingAnswer:
    """Whether calls may go out, and what went out in 24 hours."""
    stop = await house.ledger.stop()
    usage = await house.ledger.usage(datetime.now(UTC) - timedelta(hours=24))
    stopped = None if stop is None else StopAnswer.model_validate(stop)
    return DiallingAnswer(stopped=stopped, calls=usage.attempts, cost=usage.cost)


@router.put("/dialling/stop")
async def stop_dialling(body: Reason, house: House) -> DiallingAnswer:
    """Nobody is called any more, until `DELETE /dialling/stop`. Live calls go on."""
    await house.ledger.set_stop(Stop(datetime.now(UTC), body.why))
    return await show_dialling(house)


@router.delete("/dialling/stop")
async def resume_dialling(house: House) -> DiallingAnswer:
    """Calls may go out again; harmless when they may already."""
    await house.ledger.set_stop(None)
    return await show_dialling(house)


@router.get("/do-not-call")
async def list_unwanted(
    house: House,
    limit: Annotated[int, Query(ge=1, le=1000, description="Numbers per page.")] = 100,
    after: Annotated[str, Query(max_length=16, description="`next` of the page before.")] = "",
) -> UnwantedList:
    """Numbers that are not called. Long lists are imported by `trunkline dnc import`."""
    page = await house.ledger.list_unwanted(limit=limit + 1, after=after)
    shown = tuple(UnwantedAnswer.model_validate(each) for each in page[:limit])
    return UnwantedList(numbers=shown, next=shown[-1].number if len(page) > limit else None)


@router.get("/do-not-call/{number}", responses=errors(InvalidNumber, NotOnList))
async def show_unwanted(number: str, house: House) -> UnwantedAnswer:
    """Whether that number is on the list, since when, and why."""
    if (found := await house.ledger.unwanted(searched(number))) is None:
        raise _not_on_list(searched(number))
    return UnwantedAnswer.model_validate(found)


@router.put("/do-not-call/{number}", responses=_INVALID)
async def put_on_list(number: str, body: Reason, house: House, request: Request) -> UnwantedAnswer:
    """That number is not called any more. One that is on the list already stays as it is."""
    e164 = searched(number)
    about(request, e164)
    entry = Unwanted(e164, datetime.now(UTC), body.why)
    await house.ledger.put_on_list([entry])
    return UnwantedAnswer.model_validate(await house.ledger.unwanted(e164) or entry)


@router.delete(
    "/do-not-call/{number}", status_code=status.HTTP_204_NO_CONTENT, responses=errors(InvalidNumber, NotOnList)
)
async def take_off_list(number: str, house: House, request: Request) -> Response:
    """That number may be called again."""
    e164 = searched(number)
    about(request, e164)
    if not await house.ledger.take_off_list(e164):
        raise _not_on_list(e164)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.get("/refusals", responses=_INVALID)
async def list_refusals(
    house: House,
    limit: Annotated[int, Query(ge=1, le=200, description="Refusals per page.")] = 50,
    before: Annotated[int | None, Query(ge=1, le=2**53, description="`next` of the page before.")] = None,
    number: Annotated[str | None, Query(max_length=64, description="Only of this number.")] = None,
) -> RefusalList:
    """Numbers that were not dialled, and why; only the last ten thousand are kept, numbers masked."""
    wanted = None if number is None else masked(searched(number))
    page = await house.ledger.refusals(limit=limit + 1, before=before, number=wanted)
    shown = tuple(RefusalAnswer.model_validate(each) for each in page[:limit])
    return RefusalList(refusals=shown, next=shown[-1].id if len(page) > limit else None)


def _not_on_list(number: str) -> NotOnList:
    return NotOnList(f"{number} is not on the do-not-call list.", remedy="GET /do-not-call shows the list.")
