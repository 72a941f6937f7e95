"""A rehearsal from end to end: prepare the people, listen, have calls placed if wanted, judge what came of them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from trunkline.errors import NotReady, SettingsError, SpeechUnavailable
from trunkline.rehearsal.attempt import Attempt
from trunkline.rehearsal.built_in import built_in_service
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.dialling import Destination, dial_all
from trunkline.rehearsal.hearing import agent_words
from trunkline.rehearsal.judgement import SCRIPT, Evidence, Finding, Verdict, acts, judge
from trunkline.rehearsal.placing import POINT_TRUNK, Placing, Service
from trunkline.rehearsal.progress import BuiltInStarting, CarrierListening, Judging, Progress
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


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be rehearsed, and with whom: calls that come by themselves, unless one of the last three says else."""

    scenarios: tuple[Scenario, ...]
    carrier: CarrierConfig
    calls: int = 1
    """How many calls are waited for, where they come by themselves."""
    repeat: int = 1
    """How often each scenario is called."""
    parallel: int = 1
    """Calls at the same time."""
    timeout: float = 300.0
    """Seconds to wait for each."""
    out_dir: Path | None = None
    judged: bool = True
    """Expectations are judged; words are recognised for it."""
    service: Service | None = None
    """A running one that is asked to call."""
    built_in: str | None = None
    """Start a service of our own, whose agent of this name calls."""
    destination: Destination | None = None
    """Whom people call themselves."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One rehearsed call."""

    attempt: Attempt
    findings: tuple[Finding, ...]
    words: tuple[str, ...] | None = None
    """The agent's, between the person's acts; `None`: not recognised."""

    @property
    def complaints(self) -> tuple[str, ...]:
        """What failed, as sentences; empty: all went as the scenario wants."""
        failures = [finding for finding in self.findings if finding.verdict is Verdict.FAILED]
        return tuple(
            finding.got
            if finding.expectation == SCRIPT
            else f"{place(finding)}: wanted {finding.wanted}, got {finding.got}"
            for finding in failures
        )


def place(finding: Finding) -> str:
    """`Step 3, within_ms`."""
    return f"{'The call' if finding.step is None else f'Step {finding.step}'}, {finding.expectation}"


async def rehearse(plan: Plan, settings: Settings, tell: Callable[[Progress], None]) -> list[Outcome]:
    """Returns when all calls are over and judged.

    Raises `NotReady` when there was no call at all to judge, `SettingsError` for a bad scenario.
    """
    attempts = await (_dial(plan, settings, tell) if plan.destination else _receive(plan, settings, tell))
    if attempts[0].error is not None and all(attempt.report is None for attempt in attempts):
        raise attempts[0].error
    return await _judged(attempts, plan, settings, tell)


async def _receive(plan: Plan, settings: Settings, tell: Callable[[Progress], None]) -> list[Attempt]:
    """Calls to a stand-in carrier."""
    placed = plan.service is not None or plan.built_in is not None
    scenarios = several(plan.scenarios, plan.repeat) if placed else list(plan.scenarios)
    async with AsyncExitStack() as stack:
        recogniser = None
        if any(scenario.needs_recognition for scenario in scenarios):
            recogniser = make_speech_to_text(settings.speech)
            stack.push_async_callback(recogniser.close)
            await recogniser.warm_up()
        async with studio_for(scenarios, settings) as studio:  # its voice is gone before anything is measured
            carrier = StandInCarrier(
                plan.carrier, scenarios, out_dir=plan.out_dir, studio=studio, recogniser=recogniser
            )
            carrier.on_event(tell)
            await stack.enter_async_context(carrier)
        service = plan.service
        if plan.built_in is None:
            tell(CarrierListening(carrier.host, carrier.port, carrier.trunk_settings()))
        else:
            tell(BuiltInStarting())
            folder = (plan.out_dir or settings.service.data_dir / "rehearsals") / "built-in"
            folder = await asyncio.to_thread(folder.absolute)
            service = await stack.enter_async_context(
                built_in_service(folder, carrier.trunk_settings(), settings, plan.built_in)
            )
        if service is not None:
            return await Placing(carrier, service, plan.timeout).all(scenarios, plan.parallel)
        return [await _next(carrier, plan) for _ in range(plan.calls)]


async def _next(carrier: StandInCarrier, plan: Plan) -> Attempt:
    """The next call that comes by itself. Raises `NotReady`."""
    try:
        report = await carrier.next_report(plan.timeout)
    except TimeoutError:
        raise NotReady(f"No call came to an end within {plan.timeout:g} s.", remedy=POINT_TRUNK) from None
    return Attempt(next(scenario for scenario in plan.scenarios if scenario.name == report.person), report)


async def _dial(plan: Plan, settings: Settings, tell: Callable[[Progress], None]) -> list[Attempt]:
    """Calls of the people themselves."""
    assert plan.destination is not None
    scenarios = several(plan.scenarios, plan.repeat, numbered=False)
    async with studio_for(scenarios, settings) as studio:
        people = [await studio.person(scenario) for scenario in scenarios]
    return await dial_all(plan.destination, people, parallel=plan.parallel, out_dir=plan.out_dir, tell=tell)


async def _judged(
    attempts: Sequence[Attempt], plan: Plan, settings: Settings, tell: Callable[[Progress], None]
) -> list[Outcome]:
    """When nothing is measured any more: recognition takes all the processors there are."""
    reports = [attempt.report for attempt in attempts if attempt.report is not None and attempt.report.recording]
    wanted = plan.judged and plan.out_dir is not None and any(a.scenario.expects_words for a in attempts)
    words: dict[str, tuple[str, ...]] = {}
    if wanted and reports and plan.out_dir is not None:
        tell(Judging(len(reports)))
        ears = make_speech_to_text(settings.speech)
        try:
            for report in reports:
                borders = [act.began for act in acts(report)]
                recording = plan.out_dir / str(report.recording)
                with suppress(SpeechUnavailable):  # what it said is then not judged
                    words[str(report.recording)] = await agent_words(recording, borders, ears)
        finally:
            await ears.close()
    return [_outcome(attempt, words) for attempt in attempts]


def _outcome(attempt: Attempt, words: dict[str, tuple[str, ...]]) -> Outcome:
    if attempt.report is None:
        why = "" if attempt.error is None else attempt.error.message
        lost = Finding(None, "the call", "one that reaches the person", why, Verdict.FAILED)
        return Outcome(attempt, (lost,))
    heard = words.get(attempt.report.recording or "")
    if heard is None and words and attempt.report.outcome != "answered":
        heard = ("",)
    evidence = Evidence(attempt.report, heard, attempt.disposition)
    return Outcome(attempt, judge(attempt.scenario, evidence), heard)


def several(scenarios: Sequence[Scenario], times: int, *, numbered: bool = True) -> list[Scenario]:
    """Every scenario so often, each with a name and (if `numbered`) a fictional number of its own.

    Raises `SettingsError` when one that insists on its numbers is wanted more than once.
    """
    taken = {number for scenario in scenarios for number in scenario.numbers}
    free = (number for number in _fictional_numbers() if number not in taken)
    found = []
    for time in range(times):
        for scenario in scenarios:
            if scenario.numbers and numbered and times > 1:
                raise SettingsError(
                    f"The scenario {scenario.name} has a number, so it can't be called several times at once.",
                    remedy="Take `numbers` out of it; then every call gets its own.",
                )
            changes: dict[str, object] = {}
            if numbered:
                changes["numbers"] = scenario.numbers[:1] or (next(free),)
            if time:
                line = scenario.line.model_copy(update={"seed": scenario.line.seed + time})
                changes |= {"name": f"{scenario.name} ({time + 1})", "line": line}
            found.append(scenario.model_copy(update=changes))
    return found


def _fictional_numbers() -> list[str]:
    """Numbers nobody has: 555-0101 to 555-0199 of many areas. The first is spared, it is the caller's."""
    return [f"+1{area}5550{last}" for area in range(415, 515) for last in range(101, 200)]


@asynccontextmanager
async def studio_for(scenarios: Sequence[Scenario], settings: Settings) -> AsyncIterator[Studio]:
    """Brings what these people need to speak, and nothing else."""
    steps = [step for scenario in scenarios for step in scenario.steps if isinstance(step, Say | Interrupt)]
    sources = [*steps, *(step.beside for step in steps if step.beside is not None)]
    babble = any(scenario.line.noise is not None and scenario.line.noise.kind == "babble" for scenario in scenarios)
    voice = make_text_to_speech(settings.speech) if any(source.say is not None for source in sources) else None
    try:
        recorded = babble or any(source.prompt is not None for source in sources)
        yield Studio(voice, await provide_sounds(settings.asterisk) if recorded else None)
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
