"""A rehearsal from end to end: prepare the people, listen, have calls placed if wanted, wait for the reports."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from trunkline.errors import NotReady, RequestError
from trunkline.rehearsal.assessment import complaints
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.progress import CallPlaced, CallTurnedAway, CarrierListening, Progress
from trunkline.rehearsal.report import CallReport
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.steps import Interrupt, Say
from trunkline.rehearsal.studio import Studio
from trunkline.settings import Settings
from trunkline.speech import make_speech_to_text, make_text_to_speech
from trunkline.telephony.asterisk_fetch import provide_sounds

try:
    import uvloop
except ImportError:  # it exists for Linux and macOS only
    NEW_LOOP: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
else:
    NEW_LOOP = uvloop.new_event_loop

NUMBER = "+14155550123"
"""Called where a scenario names no number: fictional."""
POINT_TRUNK = "Check that the service's [trunk] points at this carrier: host, proxy, username, password, caller_ids."
ANSWER_SECONDS = 10.0
"""How long a service may take to accept `POST /call`."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running `trunkline serve` whose trunk points at the carrier."""

    url: str
    agent: str
    api_key: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be rehearsed."""

    scenarios: tuple[Scenario, ...]
    carrier: CarrierConfig
    calls: int = 1
    """How many calls are waited for; with `service` also how many are placed, one after the other."""
    timeout: float = 300.0
    """Seconds to wait for each."""
    out_dir: Path | None = None
    service: Service | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    report: CallReport
    complaints: tuple[str, ...]
    """Empty: both sides were heard, and everything went as the script wants."""


async def rehearse(plan: Plan, settings: Settings, tell: Callable[[Progress], None]) -> list[Outcome]:
    """Returns when all calls are over. Raises `NotReady` when one doesn't come, `SettingsError` for a bad scenario."""
    by_name = {scenario.name: scenario for scenario in plan.scenarios}
    outcomes = []
    async with AsyncExitStack() as stack:
        recogniser = None
        if any(scenario.needs_recognition for scenario in plan.scenarios):
            recogniser = make_speech_to_text(settings.speech)
            stack.push_async_callback(recogniser.close)
            await recogniser.warm_up()
        async with _studio(plan.scenarios, settings) as studio:  # its voice is gone before anything is measured
            carrier = StandInCarrier(
                plan.carrier, plan.scenarios, out_dir=plan.out_dir, studio=studio, recogniser=recogniser
            )
            carrier.on_event(tell)
            await stack.enter_async_context(carrier)
        tell(CarrierListening(carrier.host, carrier.port, carrier.trunk_settings()))
        for number in range(plan.calls):
            if plan.service is not None:
                called = _number_of(plan.scenarios[number % len(plan.scenarios)])
                tell(CallPlaced(called, await _place(plan.service, called)))
            report = await _report(carrier, plan)
            outcomes.append(Outcome(report, complaints(report, by_name[report.person])))
    return outcomes


async def _report(carrier: StandInCarrier, plan: Plan) -> CallReport:
    """The next report. A call we had placed ourselves and the carrier turns away is not waited for any longer."""
    coming = asyncio.ensure_future(carrier.next_report(plan.timeout))
    refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def watch(event: Progress) -> None:
        if isinstance(event, CallTurnedAway) and plan.service is not None and not refused.done():
            refused.set_result(event.cause.value)

    carrier.on_event(watch)
    try:
        either: tuple[asyncio.Future[Any], ...] = (coming, refused)
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if refused.done():
            raise NotReady(f"The carrier refused the call: {refused.result()}.", remedy=POINT_TRUNK)
        return coming.result()
    except TimeoutError:
        raise NotReady(f"No call came to an end within {plan.timeout:g} s.", remedy=POINT_TRUNK) from None
    finally:
        coming.cancel()


async def _place(service: Service, number: str) -> str:
    """Ask the service for a call; its id."""
    headers = {"Authorization": f"Bearer {service.api_key}"} if service.api_key else {}
    body = {"phoneNumber": number, "context": service.agent}
    try:
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
            answer = await client.post(f"{service.url.rstrip('/')}/call", json=body, headers=headers)
    except httpx.HTTPError as error:
        raise NotReady(f"The service at {service.url} can't be reached: {error}.", remedy="Start it first.") from error
    if answer.status_code >= 400:
        raise RequestError(f"The service refused the call ({answer.status_code}): {answer.text[:300]}")
    return str(_json(answer).get("sessionId", ""))


def _json(answer: httpx.Response) -> dict[str, object]:
    try:
        content = answer.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise RequestError(f"What answers at {answer.url} is no Trunkline service.", remedy="Name its address.")
    return content


def _number_of(scenario: Scenario) -> str:
    return scenario.numbers[0] if scenario.numbers else NUMBER


@asynccontextmanager
async def _studio(scenarios: Sequence[Scenario], settings: Settings) -> AsyncIterator[Studio]:
    """Brings what these people need to speak, and nothing else."""
    steps = [step for scenario in scenarios for step in scenario.steps if isinstance(step, Say | Interrupt)]
    voice = make_text_to_speech(settings.speech) if any(step.say is not None for step in steps) else None
    try:
        prompts = await provide_sounds(settings.asterisk) if any(step.prompt is not None for step in steps) else None
        yield Studio(voice, prompts)
    finally:
        if voice is not None:
            await voice.close()


def run(plan: Plan, settings: Settings, tell: Callable[[Progress], None]) -> list[Outcome] | None:
    """`rehearse` on the loop whose timers and sockets cost the measuring side least; `None` after SIGTERM."""

    async def until_terminated() -> list[Outcome] | None:
        rehearsal = asyncio.ensure_future(rehearse(plan, settings, tell))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, rehearsal.cancel)
        await asyncio.wait({rehearsal})
        return None if rehearsal.cancelled() else rehearsal.result()

    with asyncio.Runner(loop_factory=NEW_LOOP) as runner:
        return runner.run(until_terminated())
