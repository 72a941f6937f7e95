"""What a person does in a call, whoever set it up: the line, the script, the figures, the files. Knows no SIP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from trunkline.ports import SpeechToText
from trunkline.rehearsal.assessment import clock_report, key_presses, said_turns, spans
from trunkline.rehearsal.clip import Clip
from trunkline.rehearsal.frame_clock import FrameClock
from trunkline.rehearsal.impairment import Impairment
from trunkline.rehearsal.measurement import milliseconds
from trunkline.rehearsal.media_line import MediaLine
from trunkline.rehearsal.progress import AgentSpoke, KeyHeard, KeysPressed, PersonSpoke, Progress
from trunkline.rehearsal.recording import lay_out_received, lay_out_sent, write_stereo
from trunkline.rehearsal.report import CallReport, SipLine, write
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.script import Script, StepFailed


@dataclass(frozen=True, slots=True)
class Person:
    """A scenario with everything it says prepared."""

    scenario: Scenario
    clips: Mapping[int, Clip]
    noise: bytes = b""
    """What is heard behind them, as loud as it is to be."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What all calls share."""

    clock: FrameClock
    host: str
    """IPv4 address of our side of the audio."""
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


@dataclass(frozen=True, slots=True)
class Signalling:
    """What SIP knows of a call."""

    call_id: str
    number: str
    caller_id: str
    outcome: str
    lines: tuple[SipLine, ...]


class Talk:
    """One person's side of one call, from the first ring to the report."""

    def __init__(self, person: Person, line: MediaLine, exchange: Exchange) -> None:
        self.person = person
        self.line = line
        self.moments = Moments(time.monotonic())
        self.problems: list[str] = []
        self.gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Set when somebody else ends the call: `caller`, `carrier`."""
        self._exchange = exchange
        self._invited_at = datetime.now(UTC)
        self._script = Script(person.scenario, person.clips, line)
        self._shifted_before = exchange.clock.shifted
        self._keys_heard = ""
        if not person.scenario.line.perfect:
            line.impairment = Impairment(person.scenario.line, line.codec, person.noise)
        self._listen()

    def lose(self, by: str, problem: str | None = None) -> None:
        """Somebody else ended the call."""
        if not self.gone.done():
            self.gone.set_result(by)
        if problem is not None:
            self.problems.append(problem)

    def open(self) -> None:
        """Audio flows from now on."""
        self._exchange.clock.join(self.line)

    def close(self) -> None:
        """The call is over."""
        self.moments.ended = time.monotonic()
        self._exchange.clock.leave(self.line)
        self.line.close()

    async def converse(self) -> None:
        """Play the script; returns when it is up to the person to hang up."""
        scenario = self.person.scenario
        try:
            async with asyncio.timeout(scenario.longest_ms / 1000):
                if not await self._script.play():
                    await asyncio.sleep(scenario.stays_ms / 1000)
        except StepFailed as failure:
            self.problems.append(str(failure))
        except TimeoutError:
            self.problems.append(f"The call was still going on after {scenario.longest_ms / 1000:g} s.")

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

    def _stem(self, signalling: Signalling) -> str:
        """File name of everything this call leaves: when, number, part of the Call-ID."""
        unique = "".join(c for c in signalling.call_id if c.isalnum())[:8]
        number = "".join(c for c in signalling.number if c.isalnum())
        return f"{self._invited_at:%Y%m%dT%H%M%S}-{number}-{unique}"

    def report(self, signalling: Signalling, *, recorded: bool) -> CallReport:
        """What the call was like, once it is over."""
        moments = self.moments
        zero = moments.answered or moments.invited
        heard = self.line.agent.speech()
        greeting = heard[0].began if heard and moments.answered else None
        return CallReport(
            sip_call_id=signalling.call_id,
            number=signalling.number,
            caller_id=signalling.caller_id,
            person=self.person.scenario.name,
            invited_at=self._invited_at.isoformat(timespec="milliseconds"),
            outcome=signalling.outcome,
            ended_by=self.gone.result() if self.gone.done() else "person",
            problems=tuple(self.problems),
            codec=self.line.codec,
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
            sip=signalling.lines,
            recording=f"{self._stem(signalling)}.wav" if recorded and moments.answered is not None else None,
            presses=key_presses(self._script.presses, answered=zero, ended=moments.ended),
            steps_done=self._script.steps_done,
            line=self.person.scenario.line.label,
        )

    def save(self, folder: Path, signalling: Signalling, report: CallReport) -> None:
        """Report and recording. Blocking; for a thread."""
        moments = self.moments
        stem = self._stem(signalling)
        write(folder / f"{stem}.json", report, self.line.reception.log, moments.answered or moments.invited)
        if report.recording is not None and moments.answered is not None:
            start, end, codec = moments.answered, moments.ended, self.line.codec
            person = lay_out_sent(self.line.sent, codec, start=start, end=end)
            agent = lay_out_received(self.line.reception.log, codec, start=start, end=end)
            write_stereo(folder / report.recording, person, agent)


def _between(earlier: float | None, later: float | None) -> float | None:
    return None if earlier is None or later is None else milliseconds(later - earlier)
