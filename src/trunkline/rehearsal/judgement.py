"""What a scenario expected against what a call was like. Pure: no clock, no audio; times in seconds since the answer.

A call whose measuring side was late says nothing certain about milliseconds: its time expectations are not judged, and
neither count as met nor as failed. Where it was so late that it tore the echo it sent, nothing counts as failed.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from trunkline.audio import FRAME_SECONDS
from trunkline.rehearsal.assessment import complaints
from trunkline.rehearsal.expectation import Answered, GoesOn, Heard
from trunkline.rehearsal.measurement import milliseconds
from trunkline.rehearsal.report import CallReport, Span
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.words import share_in

SCRIPT = "the script"
"""What is expected of every scenario: that it could be played."""
LEAST_SHARE = 0.8
"""Of the words of `hears`: recognition of telephone speech loses one now and then."""
LEAST_SHARE_ABSENT = 0.9
"""Of the words of `absent`, from which the phrase counts as said."""
EARLY_MS = 100.0
"""An answer that begins before the person has finished is none, unless it is only the fall of their voice."""
GONE_ON_SECONDS = 0.3
"""Speech that lasts this long after the person was done is more than the tail of a word."""
OUTCOMES = {"declined": "rejected"}
"""What the line shows → what a service calls it."""


class Verdict(enum.StrEnum):
    MET = "met"
    FAILED = "failed"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True)
class Finding:
    """One expectation and what became of it."""

    step: int | None
    """Number of the step it stands beside; `None`: the call as a whole."""
    expectation: str
    wanted: str
    got: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Act:
    """Something the person did: a border between what the agent says before and after."""

    step: int
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """A call, and what is known of it beyond its report."""

    report: CallReport
    words: tuple[str, ...] | None = None
    """The agent's words: before the person's first act, after the first, after the second …; `None`: not recognised."""
    disposition: str | None = None
    """As the service tells it."""


def acts(report: CallReport) -> tuple[Act, ...]:
    """What the person did, in order."""
    spoken = [Act(turn.step, turn.began, turn.ended) for turn in report.turns]
    pressed = [Act(press.step, press.began, press.ended) for press in report.presses]
    return tuple(sorted([*spoken, *pressed], key=lambda act: act.began))


def judge(scenario: Scenario, evidence: Evidence) -> tuple[Finding, ...]:
    """Every expectation of the scenario, step by step, then of the call; first of all that it went as scripted."""
    report = evidence.report
    wanted = "played to its end"
    script = [Finding(None, SCRIPT, wanted, complaint, Verdict.FAILED) for complaint in complaints(report, scenario)]
    played = script or [Finding(None, SCRIPT, wanted, "it was", Verdict.MET)]
    findings = (*played, *_of_steps(scenario, evidence), *_of_call(scenario, evidence))
    return tuple(_unless_torn(finding, scenario, report) for finding in findings)


def failed(findings: Sequence[Finding]) -> bool:
    return any(finding.verdict is Verdict.FAILED for finding in findings)


def _unless_torn(finding: Finding, scenario: Scenario, report: CallReport) -> Finding:
    """An echo whose delay we changed ourselves, by sending late, is none that any line has."""
    if finding.verdict is Verdict.FAILED and scenario.line.echo and report.clock.shifted_frames:
        return replace(finding, verdict=Verdict.NOT_JUDGED)
    return finding


# ── beside steps ───────────────────────────────────────────────────────────────────────────────────────────────────


def _of_steps(scenario: Scenario, evidence: Evidence) -> Iterator[Finding]:
    done = acts(evidence.report)
    for number, step in enumerate(scenario.steps, start=1):
        if not isinstance(step, Heard):
            continue
        act = next((act for act in done if act.step == number), None)
        reached = act is not None or evidence.report.steps_done >= number
        before = [index for index, act in enumerate(done) if act.step <= number]
        words = None if evidence.words is None or not reached else evidence.words[len(before)]
        yield from _words(number, step.hears, step.absent, words, over=not reached)
        if isinstance(step, Answered):
            yield from _of_act(number, step, act, evidence.report)


def _of_act(number: int, step: Answered, act: Act | None, report: CallReport) -> Iterator[Finding]:
    late = report.clock.late
    if step.within_ms is not None:
        gap = None if act is None else _gap(act, report)
        got = _unreached(act) or ("no answer" if gap is None else f"{gap:.0f} ms")
        met = gap is not None and -EARLY_MS <= gap <= step.within_ms
        yield Finding(number, "within_ms", _at_most(step.within_ms), got, _verdict(met, late=late and gap is not None))
    if step.stops_within_ms is not None:
        stop = None if act is None else _stop(act, report)
        got = _unreached(act) or ("the agent was not speaking" if stop is None else f"{stop:.0f} ms")
        met = stop is not None and stop <= step.stops_within_ms
        verdict = _verdict(met, late=late and stop is not None)
        yield Finding(number, "stops_within_ms", _at_most(step.stops_within_ms), got, verdict)
    if step.goes_on is not None:
        met, got = (False, _unreached(act)) if act is None else _goes_on(act, step.goes_on, report)
        yield Finding(number, "goes_on", f"silent for {_at_most(step.goes_on.silence_ms)}", got, _verdict(met))


def _unreached(act: Act | None) -> str:
    return "the call was over before" if act is None else ""


def _gap(act: Act, report: CallReport) -> float | None:
    """Turn gap; the answer may begin before the person has finished, and must before they do something else."""
    until = _next_act(act, report)
    replies = [span for span in report.agent_speech if act.began <= span.began < until]
    return milliseconds(replies[0].began - act.ended) if replies else None


def _stop(act: Act, report: CallReport) -> float | None:
    """The agent's last audible sample of what it began to say before the person was done, from when they began."""
    if not _over(act, report):
        return None
    ends = [span.ended for span in report.agent_speech if span.began < act.ended and span.ended > act.began]
    return milliseconds(max(ends, default=act.began) - act.began)


def _goes_on(act: Act, expected: GoesOn, report: CallReport) -> tuple[bool, str]:
    # A breath between two sentences is part of what is being said.
    if (cut := _over(act, report, breath=expected.silence_ms / 1000)) is None:
        return False, "the agent was not speaking"
    until = _next_act(act, report)
    spans = [cut, *(span for span in report.agent_speech if cut.began < span.began < until)]
    if min(spans[-1].ended, until) < act.ended + GONE_ON_SECONDS:
        return False, f"it stopped {milliseconds(spans[-1].ended - act.began):.0f} ms after that for good"
    silences = [later.began - earlier.ended for earlier, later in itertools.pairwise(spans)]
    longest = milliseconds(max(silences, default=0.0))
    return longest <= expected.silence_ms, f"it was silent for {longest:.0f} ms" if longest else "it was never silent"


def _over(act: Act, report: CallReport, breath: float = FRAME_SECONDS) -> Span | None:
    """The agent's speech that the act fell into, or that had ended only just before."""
    spans = (span for span in reversed(report.agent_speech) if span.began < act.began < span.ended + breath)
    return next(spans, None)


def _next_act(act: Act, report: CallReport) -> float:
    return min((other.began for other in acts(report) if other.began > act.began), default=float("inf"))


# ── of the whole call ──────────────────────────────────────────────────────────────────────────────────────────────


def _of_call(scenario: Scenario, evidence: Evidence) -> Iterator[Finding]:
    expected, report = scenario.expect, evidence.report
    if expected.disposition is not None:
        outcome = evidence.disposition or OUTCOMES.get(report.outcome, report.outcome)
        yield _same("disposition", expected.disposition, outcome)
    if expected.ended_by is not None:
        yield _same("ended_by", expected.ended_by, "agent" if report.ended_by == "caller" else report.ended_by)
    if expected.keys_heard is not None:
        yield _same("keys_heard", expected.keys_heard or "none", report.keys_heard or "none")
    words = None if evidence.words is None else " ".join(evidence.words)
    yield from _words(None, expected.hears, expected.absent, words, over=False)
    late = report.clock.late
    if (limit := expected.hears_greeting_within_ms) is not None:
        greeting = report.greeting_ms
        got = "nothing" if greeting is None else f"{greeting:.0f} ms"
        verdict = _verdict(greeting is not None and greeting <= limit, late=late and greeting is not None)
        yield Finding(None, "hears_greeting_within_ms", _at_most(limit), got, verdict)
    if (limit := expected.no_silence_longer_than_ms) is not None:
        length, begins = dead_air(report)
        got = f"{length:.0f} ms from {begins:.1f} s on"
        yield Finding(None, "no_silence_longer_than_ms", _at_most(limit), got, _verdict(length <= limit, late=late))


def dead_air(report: CallReport) -> tuple[float, float]:
    """The longest time nobody was audible: milliseconds, and the second in which it begins."""
    sounding = [(act.began, act.ended) for act in acts(report)] + [(s.began, s.ended) for s in report.agent_speech]
    quiet_since, longest, begins = 0.0, 0.0, 0.0
    for began, ended in [*sorted(sounding), (report.duration or 0.0, 0.0)]:
        if began - quiet_since > longest:
            longest, begins = began - quiet_since, quiet_since
        quiet_since = max(quiet_since, ended)
    return milliseconds(longest), begins


def _same(expectation: str, wanted: str, got: str) -> Finding:
    return Finding(None, expectation, wanted, got, _verdict(wanted == got))


def _words(
    step: int | None, hears: Sequence[str], absent: Sequence[str], words: str | None, *, over: bool
) -> Iterator[Finding]:
    for expectation, phrases in (("hears", hears), ("absent", absent)):
        for phrase in phrases:
            if over:
                yield Finding(step, expectation, phrase, "the call was over before", Verdict.FAILED)
            elif words is None:
                yield Finding(step, expectation, phrase, "no words were recognised", Verdict.NOT_JUDGED)
            else:
                share = share_in(phrase, words)
                met = share >= LEAST_SHARE if expectation == "hears" else share < LEAST_SHARE_ABSENT
                yield Finding(step, expectation, phrase, f"“{words}”" if words else "nothing", _verdict(met))


def _verdict(met: bool, *, late: bool = False) -> Verdict:
    return Verdict.NOT_JUDGED if late else Verdict.MET if met else Verdict.FAILED


def _at_most(ms: float) -> str:
    return f"at most {ms:g} ms"
