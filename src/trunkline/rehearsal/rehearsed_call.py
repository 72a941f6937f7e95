"""One call that reached a scripted person: rings, answers, plays the script, hangs up, reports."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from trunkline.ports import SpeechToText
from trunkline.rehearsal import sdp
from trunkline.rehearsal.assessment import clock_report, key_presses, said_turns, sip_lines, spans
from trunkline.rehearsal.clip import Clip
from trunkline.rehearsal.frame_clock import FrameClock
from trunkline.rehearsal.measurement import milliseconds
from trunkline.rehearsal.media_line import MediaLine
from trunkline.rehearsal.progress import (
    AgentSpoke,
    KeyHeard,
    KeysPressed,
    PersonSpoke,
    PhoneAnswered,
    PhoneRang,
    Progress,
)
from trunkline.rehearsal.recording import lay_out_received, lay_out_sent, write_stereo
from trunkline.rehearsal.report import CallReport, write
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.script import Script, StepFailed
from trunkline.rehearsal.sip_agent import TraceLine
from trunkline.rehearsal.sip_call import SipCall
from trunkline.rehearsal.sip_endpoint import SipEndpoint
from trunkline.rehearsal.studio import RINGBACK

REFUSALS = {"busy": (486, "Busy Here"), "declined": (603, "Decline")}
RINGBACK_SECONDS = 6


@dataclass(frozen=True, slots=True)
class Person:
    """A scenario with everything it says prepared."""

    scenario: Scenario
    clips: Mapping[int, Clip]


@dataclass(frozen=True, slots=True)
class Exchange:
    """What all calls of a carrier share."""

    endpoint: SipEndpoint
    clock: FrameClock
    host: str
    threshold: int
    """Magnitude from which a sample is audible."""
    recogniser: SpeechToText | None
    tell: Callable[[Progress], None]


@dataclass(slots=True)
class Moments:
    """Of one call, on the monotonic clock."""

    invited: float
    answered: float | None = None
    confirmed: float | None = None
    ended: float = 0.0


class RehearsedCall:
    """Lives from the accepted INVITE to the report."""

    def __init__(self, call: SipCall, person: Person, exchange: Exchange) -> None:
        self.sip = call
        self.moments = Moments(time.monotonic())
        self.gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Set when somebody else ends the call: `caller`, `carrier`."""
        self._person = person
        self._exchange = exchange
        self._invited_at = datetime.now(UTC)
        self.line = MediaLine(
            exchange.host, codec=call.accept.codec, offer=call.accept.offer, threshold=exchange.threshold
        )
        self._script = Script(person.scenario, person.clips, self.line)
        self._problems: list[str] = []
        self._shifted_before = exchange.clock.shifted
        self._keys_heard = ""

    def confirm(self) -> None:
        """The ACK came."""
        self.moments.confirmed = time.monotonic()

    def lose(self, by: str, problem: str | None = None) -> None:
        """Somebody else ended the call."""
        if not self.gone.done():
            self.gone.set_result(by)
        if problem is not None:
            self._problems.append(problem)

    async def run(self) -> None:
        """Returns when the call is over on this side; `report` tells what it was like."""
        self._listen()
        life = asyncio.ensure_future(self._live())
        self.gone.add_done_callback(lambda _: life.cancel())
        try:
            await life
        except asyncio.CancelledError:
            if not self.gone.done():
                raise
        finally:
            self.moments.ended = time.monotonic()
            self._exchange.clock.leave(self.line)
            self.line.close()

    async def _live(self) -> None:
        scenario = self._person.scenario
        if not await self._pick_up():
            return
        try:
            async with asyncio.timeout(scenario.longest_ms / 1000):
                if not await self._script.play():
                    await asyncio.sleep(scenario.stays_ms / 1000)
        except StepFailed as failure:
            self._problems.append(str(failure))
        except TimeoutError:
            self._problems.append(f"The call was still going on after {scenario.longest_ms / 1000:g} s.")
        self._exchange.endpoint.act(lambda agent, now: agent.hang_up(self.sip, now))

    async def _pick_up(self) -> bool:
        """Ring, then answer or refuse. False when there is nothing to talk about."""
        phone, endpoint, number = self._person.scenario.phone, self._exchange.endpoint, self.sip.accept.number
        accept = self.sip.accept
        description = sdp.build(
            self._exchange.host,
            self.line.port,
            codec=accept.codec,
            key_payload=accept.offer.key_payload,
            session=secrets.randbits(31),
        )
        if phone.ringing:
            endpoint.act(lambda agent, now: agent.ring(self.sip, now))
        if phone.early_media:
            endpoint.act(lambda agent, now: agent.progress(self.sip, description, now))
            self._exchange.clock.join(self.line)
        self._exchange.tell(PhoneRang(number, self._person.scenario.name))
        await self._ring(None if phone.then == "no-answer" else phone.rings_ms / 1000)
        if phone.then in REFUSALS:
            code, phrase = REFUSALS[phone.then]
            endpoint.act(lambda agent, now: agent.refuse(self.sip, code, phrase, now))
            return False
        self.line.hush()
        self.moments.answered = endpoint.act(lambda agent, now: agent.answer(self.sip, description, now))
        if not phone.early_media:
            self._exchange.clock.join(self.line)
        self._exchange.tell(PhoneAnswered(number, self._person.scenario.name))
        return True

    async def _ring(self, seconds: float | None) -> None:
        """For so long, or until the caller gives up; early media carries the ringback tone."""
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            if self._person.scenario.phone.early_media:
                self.line.play(RINGBACK)
            left = RINGBACK_SECONDS if until is None else min(RINGBACK_SECONDS, until - time.monotonic())
            await asyncio.sleep(max(0.0, left))

    def _listen(self) -> None:
        tell = self._exchange.tell

        def agent_spoke(began: float) -> None:
            gap = self._script.gap_since_said(began)
            tell(AgentSpoke(self._at(began), None if gap is None else milliseconds(gap)))

        def key_heard(digit: str) -> None:
            self._keys_heard += digit
            tell(KeyHeard(self._at(time.monotonic()), digit))

        self.line.on_agent_speech = agent_spoke
        self.line.on_key = key_heard
        self._script.recogniser = self._exchange.recogniser
        self._script.on_said = lambda text: tell(PersonSpoke(self._at(time.monotonic()), text))
        self._script.on_keys = lambda keys: tell(KeysPressed(self._at(time.monotonic()), keys))

    def _at(self, moment: float) -> float:
        """Seconds since the answer, or since the INVITE where there was none."""
        return round(moment - (self.moments.answered or self.moments.invited), 4)

    # ── afterwards ─────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def stem(self) -> str:
        """File name of everything this call leaves: when, number, part of the Call-ID."""
        unique = "".join(c for c in self.sip.call_id if c.isalnum())[:8]
        return f"{self._invited_at:%Y%m%dT%H%M%S}-{self.sip.accept.number.lstrip('+')}-{unique}"

    def report(self, trace: Iterable[TraceLine], *, recorded: bool) -> CallReport:
        """What the call was like, once `run` has returned."""
        moments, accept = self.moments, self.sip.accept
        zero = moments.answered or moments.invited
        heard = self.line.agent.speech()
        greeting = heard[0].began if heard and moments.answered else None
        return CallReport(
            sip_call_id=self.sip.call_id,
            number=accept.number,
            caller_id=accept.caller_id,
            person=self._person.scenario.name,
            invited_at=self._invited_at.isoformat(timespec="milliseconds"),
            outcome=self._outcome(),
            ended_by=self.gone.result() if self.gone.done() else "person",
            problems=tuple(self._problems),
            codec=accept.codec,
            answer_after_ms=_between(moments.invited, moments.answered),
            ack_after_ms=_between(moments.answered, moments.confirmed),
            greeting_ms=_between(moments.answered, greeting),
            greeting_from_ack_ms=_between(moments.confirmed, greeting),
            duration=None if moments.answered is None else round(moments.ended - moments.answered, 4),
            turns=said_turns(self._script.said, heard, self.line.lateness, answered=zero, ended=moments.ended),
            agent_speech=spans(heard, zero),
            keys_sent=self._script.keys,
            keys_heard=self._keys_heard,
            received=self.line.reception.summary(),
            stray_datagrams=self.line.stray,
            unsent_packets=self.line.unsent,
            clock=clock_report(self.line.lateness, self._exchange.clock.shifted - self._shifted_before),
            sip=sip_lines(trace, self.sip.call_id, moments.invited),
            recording=f"{self.stem}.wav" if recorded else None,
            presses=key_presses(self._script.presses, answered=zero, ended=moments.ended),
            steps_done=self._script.steps_done,
            line=self._person.scenario.line.label,
        )

    def save(self, folder: Path, report: CallReport) -> None:
        """Report and recording. Blocking; for a thread."""
        moments = self.moments
        write(folder / f"{self.stem}.json", report, self.line.reception.log, moments.answered or moments.invited)
        if report.recording is not None and moments.answered is not None:
            start, end, codec = moments.answered, moments.ended, self.line.codec
            person = lay_out_sent(self.line.sent, codec, start=start, end=end)
            agent = lay_out_received(self.line.reception.log, codec, start=start, end=end)
            write_stereo(folder / report.recording, person, agent)

    def _outcome(self) -> str:
        if self.moments.answered is not None:
            return "answered"
        wanted = self._person.scenario.phone.then
        if not self.gone.done():
            return wanted
        return "no-answer" if wanted == "no-answer" else "cancelled"


def _between(earlier: float | None, later: float | None) -> float | None:
    return None if earlier is None or later is None else milliseconds(later - earlier)
