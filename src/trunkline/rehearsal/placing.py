"""Has a service place calls to a carrier's people, any number at a time, and asks it afterwards how they ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from trunkline.errors import NotReady, RequestError, TrunklineError
from trunkline.rehearsal.attempt import Attempt
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.progress import CallOver, CallPlaced, CallTurnedAway, Progress
from trunkline.rehearsal.report import CallReport
from trunkline.rehearsal.scenario import Scenario

POINT_TRUNK = "Check that the service's [trunk] points at this carrier: host, proxy, username, password, caller_ids."
ANSWER_SECONDS = 10.0
"""How long a service may take to accept `POST /call`."""
CLOSING_SECONDS = 5.0
"""How long a service may take to close a call that has ended on the line."""
LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Service:
    """A running `trunkline serve` whose trunk points at the carrier."""

    url: str
    agent: str
    api_key: str | None = None


class Placing:
    """Calls of one service to one carrier. Every scenario has a number of its own."""

    def __init__(self, carrier: StandInCarrier, service: Service, timeout: float) -> None:
        self._carrier = carrier
        self._service = service
        self._timeout = timeout
        self._expected: dict[str, asyncio.Future[CallReport]] = {}
        """By number."""
        carrier.on_event(self._watch)

    async def all(self, scenarios: Sequence[Scenario], parallel: int) -> list[Attempt]:
        """So many calls at a time, in this order."""
        free = asyncio.Semaphore(parallel)
        headers = {"Authorization": f"Bearer {self._service.api_key}"} if self._service.api_key else {}
        url = self._service.url.rstrip("/")
        async with httpx.AsyncClient(base_url=url, timeout=ANSWER_SECONDS, trust_env=False, headers=headers) as http:

            async def one(scenario: Scenario) -> Attempt:
                async with free:
                    return await self._call(http, scenario)

            async with asyncio.TaskGroup() as group:
                calls = [group.create_task(one(scenario)) for scenario in scenarios]
        return [call.result() for call in calls]

    async def _call(self, http: httpx.AsyncClient, scenario: Scenario) -> Attempt:
        (number,) = scenario.numbers
        coming = self._expected[number] = asyncio.get_running_loop().create_future()
        try:
            call_id = await self._place(http, scenario, number)
            self._carrier.tell(CallPlaced(number, call_id))
            report = await self._report(http, coming, call_id)
        except TrunklineError as error:
            return Attempt(scenario, None, error)
        finally:
            del self._expected[number]
        return Attempt(scenario, report, disposition=await _disposition(http, call_id))

    async def _place(self, http: httpx.AsyncClient, scenario: Scenario, number: str) -> str:
        """Ask the service for a call; its id."""
        body = {"phoneNumber": number, "context": scenario.agent or self._service.agent}
        try:
            answer = await http.post("/call", json=body)
        except httpx.HTTPError as error:
            url = self._service.url
            raise NotReady(f"The service at {url} can't be reached: {error}.", remedy="Start it first.") from error
        if answer.status_code >= 400:
            raise RequestError(f"The service refused the call ({answer.status_code}): {answer.text[:300]}")
        return str(_json(answer).get("sessionId", ""))

    async def _report(self, http: httpx.AsyncClient, coming: asyncio.Future[CallReport], call_id: str) -> CallReport:
        """Until the call is over on the line. One that the service gives up before it gets there isn't waited for."""
        try:
            async with asyncio.timeout(self._timeout):
                while not coming.done():
                    await asyncio.wait({coming}, timeout=4 * LOOK_SECONDS)
                    if not coming.done() and (call := await _record(http, call_id)) and call.get("disposition"):
                        await asyncio.wait({coming}, timeout=CLOSING_SECONDS)
                        if not coming.done():
                            raise NotReady(f"The service gave the call up: {call.get('reason')}", remedy=POINT_TRUNK)
        except TimeoutError:
            raise NotReady(f"The call did not end within {self._timeout:g} s.", remedy=POINT_TRUNK) from None
        return coming.result()

    def _watch(self, event: Progress) -> None:
        match event:
            case CallOver(report) if (coming := self._expected.get(report.number)) and not coming.done():
                coming.set_result(report)
            case CallTurnedAway(number, cause) if (coming := self._expected.get(number)) and not coming.done():
                refusal = NotReady(f"The carrier refused the call: {cause.value}.", remedy=POINT_TRUNK)
                coming.set_exception(refusal)


async def _disposition(http: httpx.AsyncClient, call_id: str) -> str | None:
    """How the service says that a call ended, once it does; `None` where it doesn't."""
    try:
        async with asyncio.timeout(CLOSING_SECONDS):
            while (call := await _record(http, call_id)) is not None:
                if call.get("disposition"):
                    return str(call["disposition"])
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        return "still going on"
    return None


async def _record(http: httpx.AsyncClient, call_id: str) -> dict[str, Any] | None:
    """`GET /calls/{id}`; `None` when there is no such thing."""
    try:
        answer = await http.get(f"/calls/{call_id}")
        return _json(answer) if answer.status_code == 200 else None
    except (httpx.HTTPError, RequestError):
        return None


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise RequestError(f"What answers at {answer.url} is no Trunkline service.", remedy="Name its address.")
    return content
