"""From what a call left behind to its report's figures. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from trunkline.rehearsal.measurement import Speech, milliseconds, turn_times
from trunkline.rehearsal.media_line import Lateness
from trunkline.rehearsal.report import LATE_MS, CallReport, ClockReport, KeyPress, SaidTurn, SipLine, Span
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.script import Line, Press
from trunkline.rehearsal.steps import Interrupt, Say
from trunkline.sip.message import TraceLine


def said_turns(
    said: Sequence[Line], heard: Sequence[Speech], lateness: Lateness, *, answered: float, ended: float
) -> tuple[SaidTurn, ...]:
    """Every audible utterance with what followed. One that the hang-up cut short ends there."""
    audible = [
        (line, Speech(line.utterance.began, line.utterance.ended or ended))
        for line in said
        if line.utterance.began is not None
    ]
    times = turn_times([speech for _, speech in audible], heard)
    turns = []
    for number, ((line, speech), followed) in enumerate(zip(audible, times, strict=True), start=1):
        reply = followed.reply
        turns.append(
            SaidTurn(
                number=number,
                text=line.utterance.clip.text,
                began=round(speech.began - answered, 4),
                ended=round(speech.ended - answered, 4),
                interrupted=line.interrupted,
                gap_ms=followed.gap_ms,
                reply_began=None if reply is None else round(reply.began - answered, 4),
                reply_ended=None if reply is None else round(reply.ended - answered, 4),
                stop_ms=followed.stop_ms,
                late_ms=_latest(lateness, speech.ended - 0.1, speech.ended + 1 if reply is None else reply.began),
                step=line.step,
            )
        )
    return tuple(turns)


def key_presses(presses: Iterable[Press], *, answered: float, ended: float) -> tuple[KeyPress, ...]:
    """Seconds since the answer; what the hang-up cut short ends there."""
    return tuple(
        KeyPress(press.keys, press.step, round(press.began - answered, 4), round((press.ended or ended) - answered, 4))
        for press in presses
    )


def spans(heard: Iterable[Speech], answered: float) -> tuple[Span, ...]:
    return tuple(Span(round(s.began - answered, 4), round(s.ended - answered, 4)) for s in heard)


def clock_report(lateness: Lateness, shifted: int) -> ClockReport:
    sending = _p99_and_max(lateness.sending)
    reading = _p99_and_max(lateness.reading)
    return ClockReport(
        late=sending[1] > LATE_MS or shifted > 0,
        frames=len(lateness.sending),
        sending_p99_ms=sending[0],
        sending_max_ms=sending[1],
        reading_p99_ms=reading[0],
        reading_max_ms=reading[1],
        shifted_frames=shifted,
    )


def sip_lines(trace: Iterable[TraceLine], call_id: str, since: float) -> tuple[SipLine, ...]:
    """The messages of one Call-ID. The challenge comes before the accepted INVITE: its times are negative."""
    return tuple(
        SipLine(round(line.at - since, 4), line.direction, line.line) for line in trace if line.call_id == call_id
    )


def complaints(report: CallReport, scenario: Scenario) -> tuple[str, ...]:
    """Why this call can't count as a success, as sentences; empty when both sides were heard as the script wants."""
    wanted = "answered" if scenario.phone.then == "answers" else scenario.phone.then
    if report.outcome != wanted:
        return (f"The call was to end as {wanted}, but ended as {report.outcome}.", *report.problems)
    found = list(report.problems)
    steps = scenario.steps
    if wanted == "answered" and steps and not scenario.expects_anything:
        if not report.agent_heard:
            found.append("The agent was not heard.")
        if any(isinstance(step, Say | Interrupt) for step in steps):
            if not report.turns:
                found.append("The person said nothing audible before the call ended.")
            elif not report.person_heard:
                found.append("The agent never answered what the person said.")
    return tuple(found)


def _latest(lateness: Lateness, since: float, until: float) -> float:
    return milliseconds(max((late for at, late in lateness.moments if since <= at <= until), default=0.0))


def _p99_and_max(values: Sequence[float]) -> tuple[float, float]:
    if not values:
        return 0.0, 0.0
    return milliseconds(float(np.percentile(values, 99))), milliseconds(max(values))
