from __future__ import annotations

import json
from array import array
from dataclasses import replace

import pytest

from trunkline.rehearsal.assessment import clock_report, complaints, said_turns, sip_lines
from trunkline.rehearsal.clip import Clip
from trunkline.rehearsal.measurement import Speech
from trunkline.rehearsal.media_line import Lateness, Utterance
from trunkline.rehearsal.progress import AgentSpoke, CallOver, CallTurnedAway, to_json_line
from trunkline.rehearsal.reception import Reception
from trunkline.rehearsal.report import CallReport, ClockReport, to_json
from trunkline.rehearsal.rtp import RtpPacket
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.script import Line
from trunkline.rehearsal.termination import Cause
from trunkline.sip.message import TraceLine

ANSWERED = 100.0
TALKS = Scenario.model_validate({"name": "talks", "steps": ["wait_for_agent", {"say": "Hello."}]})


async def said(began: float | None, ended: float | None, text: str = "hello") -> Line:
    return Line(Utterance(Clip(text, b""), began, ended), interrupted=False)


async def report(*heard: Speech, lines: tuple[Line, ...] = (), problems: tuple[str, ...] = ()) -> CallReport:
    return CallReport(
        sip_call_id="abc",
        number="+14155550123",
        caller_id="+14155550100",
        person="talks",
        invited_at="2026-01-01T00:00:00.000+00:00",
        outcome="answered",
        ended_by="person",
        problems=problems,
        codec="ulaw",
        answer_after_ms=1.0,
        ack_after_ms=1.0,
        greeting_ms=None,
        greeting_from_ack_ms=None,
        duration=10.0,
        turns=said_turns(lines, heard, Lateness(), answered=ANSWERED, ended=110.0),
        agent_speech=tuple(heard),  # type: ignore[arg-type]  # the same two fields
        keys_sent="",
        keys_heard="",
        received=Reception().summary(),
        stray_datagrams=0,
        unsent_packets=0,
        clock=ClockReport(
            late=False,
            frames=0,
            sending_p99_ms=0,
            sending_max_ms=0,
            reading_p99_ms=0,
            reading_max_ms=0,
            shifted_frames=0,
        ),
        sip=(),
        recording=None,
    )


async def test_times_of_turns_count_from_the_answer() -> None:
    lateness = Lateness(moments=[(101.0, 0.5), (103.1, 0.007), (104.0, 0.009)])
    lines = [await said(102.0, 103.0), await said(None, None), await said(109.0, None)]
    turns = said_turns(lines, [Speech(103.6, 104.0)], lateness, answered=ANSWERED, ended=109.5)
    first, cut = turns
    assert (first.number, first.began, first.ended, first.gap_ms) == (1, 2.0, 3.0, 600.0)
    assert (first.reply_began, first.reply_ended) == (3.6, 4.0)
    assert first.late_ms == 7.0  # the wake-ups before and after don't touch this turn
    assert (cut.number, cut.began, cut.ended, cut.gap_ms) == (2, 9.0, 9.5, None)


def test_the_clock_is_late_when_a_frame_was_or_frames_were_shifted() -> None:
    def lateness(worst: float) -> Lateness:
        return Lateness(sending=array("f", [0.001] * 200 + [worst]), reading=array("f", [0.0002]))

    assert not clock_report(lateness(0.015), 0).late
    assert clock_report(lateness(0.021), 0).late
    assert clock_report(lateness(0.001), 3).late
    assert clock_report(lateness(0.015), 0).sending_max_ms == 15.0
    assert clock_report(lateness(0.015), 0).sending_p99_ms == 1.0
    assert not clock_report(Lateness(), 0).late


def test_only_lines_of_the_call_are_told() -> None:
    trace = [
        TraceLine(5.0, "in", "INVITE", "a"),
        TraceLine(5.1, "in", "OPTIONS", "b"),
        TraceLine(5.2, "out", "200", "a"),
    ]
    assert [(line.at, line.line) for line in sip_lines(trace, "a", 5.0)] == [(0.0, "INVITE"), (0.2, "200")]


async def test_a_call_on_which_both_were_heard_has_no_complaints() -> None:
    good = await report(Speech(100.1, 101.0), Speech(103.5, 104.0), lines=(await said(102.0, 103.0),))
    assert (good.agent_heard, good.person_heard, good.gaps_ms) == (True, True, (500.0,))
    assert complaints(good, TALKS) == ()


async def test_a_side_that_was_not_heard_is_a_complaint() -> None:
    line = await said(102.0, 103.0)
    assert complaints(await report(lines=(line,)), TALKS)[0] == "The agent was not heard."
    deaf = await report(Speech(100.1, 101.0), lines=(line,))
    assert complaints(deaf, TALKS) == ("The agent never answered what the person said.",)
    mute = await report(Speech(100.1, 101.0))
    assert complaints(mute, TALKS) == ("The person said nothing audible before the call ended.",)


async def test_problems_and_another_end_than_wanted_are_complaints() -> None:
    good = await report(
        Speech(100.1, 101.0), Speech(103.5, 104.0), lines=(await said(102.0, 103.0),), problems=("Oh.",)
    )
    assert complaints(good, TALKS) == ("Oh.",)
    busy = TALKS.model_copy(update={"phone": TALKS.phone.model_copy(update={"then": "busy"})})
    assert complaints(good, busy) == ("The call was to end as busy, but ended as answered.", "Oh.")
    assert complaints(replace(good, outcome="busy", problems=()), busy) == ()


async def test_a_report_is_json_with_and_without_packets() -> None:
    reception = Reception()
    reception.packet(ANSWERED + 0.02, RtpPacket(0, True, 7, 160, 99, b"\xff" * 160))
    plain = await report()
    assert json.loads(to_json(plain))["number"] == "+14155550123"
    full = json.loads(to_json(plain, reception.log, answered=ANSWERED))
    assert full["packets"] == {"arrival_ms": [20.0], "sequence": [7], "timestamp": [160], "ssrc": [99], "marker": [1]}
    assert full["agent_heard"] is False


async def test_progress_is_one_json_line_each() -> None:
    assert json.loads(to_json_line(AgentSpoke(1.25, 640.0))) == {"event": "agent_spoke", "at": 1.25, "gap_ms": 640.0}
    refused = json.loads(to_json_line(CallTurnedAway("+14155550123", Cause.TOO_FAST)))
    assert refused == {
        "event": "call_turned_away",
        "number": "+14155550123",
        "cause": "calls per second exceeded",
        "sip_code": 503,
        "sip_reason": "Trunk CPS limit exceeded",
    }
    assert json.loads(to_json_line(CallOver(await report())))["report"]["outcome"] == "answered"


@pytest.mark.parametrize("threshold", [100, 3000])
def test_a_clip_ends_where_it_has_fallen_far_below_its_loudest(threshold: int) -> None:
    loud = b"\x00\x60" * 400  # −2.5 dB
    room = b"\x80\x01" * 800  # −38.6 dB: above the first threshold, but 36 dB below the word
    assert Clip("word", bytes(320) + loud + room).audible(threshold) == (160, 560)
    assert Clip("room", bytes(320) + room).audible(100) == (160, 960)
