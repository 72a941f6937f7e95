from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.rehearsal.call_reports import PUNCTUAL, call_report, spoken
from trunkline.rehearsal.judgement import Evidence, Finding, Verdict, dead_air, failed, judge
from trunkline.rehearsal.report import CallReport, KeyPress
from trunkline.rehearsal.scenario import Scenario

LATE = replace(PUNCTUAL, late=True)


def scenario(*steps: Any, **expect: Any) -> Scenario:
    return Scenario.model_validate({"name": "talks", "steps": list(steps), "expect": expect})


def findings(person: Scenario, report: CallReport, *words: str, disposition: str | None = None) -> list[Finding]:
    """Without the first one, which is about the script."""
    return list(judge(person, Evidence(report, words or None, disposition)))[1:]


def only(person: Scenario, report: CallReport, *words: str, disposition: str | None = None) -> Finding:
    (finding,) = findings(person, report, *words, disposition=disposition)
    return finding


# ── words ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_words_are_looked_for_in_what_the_agent_says_after_the_step() -> None:
    person = scenario(
        {"wait_for_agent": {"hears": "does that still suit you"}},
        {"say": "Yes.", "hears": ["see you on Thursday", "goodbye"], "absent": "sorry"},
    )
    report = call_report((0.1, 3), (5, 7), said=[spoken(2, 4, 4.5)])
    told = findings(person, report, "Hello. Does that still suit you?", "We'll see you on Thursday, good by.")
    assert [(f.step, f.expectation, f.wanted, f.verdict) for f in told] == [
        (1, "hears", "does that still suit you", Verdict.MET),
        (2, "hears", "see you on Thursday", Verdict.MET),
        (2, "hears", "goodbye", Verdict.FAILED),
        (2, "absent", "sorry", Verdict.MET),
    ]
    assert told[2].got == "“We'll see you on Thursday, good by.”"


def test_a_misheard_word_is_forgiven_but_scattered_words_are_not_a_phrase() -> None:
    person = scenario({"wait_for_agent": {"hears": "on Thursday at half past eleven"}})
    report = call_report((0.1, 3))
    assert only(person, report, "So that's on Thursday at half passed 11. Right?").verdict is Verdict.MET
    scattered = "On the whole, Thursday is fine, but half of us are gone at past six or eleven."
    assert only(person, report, scattered).verdict is Verdict.FAILED


def test_what_must_be_absent_fails_when_it_is_said() -> None:
    person = scenario({"say": "Yes.", "absent": "didn't get that"})
    report = call_report((0.1, 3), said=[spoken(1, 4, 4.5)])
    assert only(person, report, "", "Sorry, I didn't get that.").verdict is Verdict.FAILED
    assert only(person, report, "Sorry, I didn't get that.", "I got that.").verdict is Verdict.MET


def test_words_of_the_whole_call_and_none_recognised() -> None:
    person = scenario(hears="goodbye", absent="bankrupt")
    assert [f.verdict for f in findings(person, call_report(), "Hello.", "Goodbye.")] == [Verdict.MET, Verdict.MET]
    assert {f.verdict for f in findings(person, call_report())} == {Verdict.NOT_JUDGED}


def test_a_step_the_call_did_not_live_to_fails() -> None:
    person = scenario("wait_for_agent", {"say": "Yes.", "hears": "fine", "absent": "no", "within_ms": 900})
    told = findings(person, call_report((0.1, 3), steps_done=1), "Hello.")
    assert {f.verdict for f in told} == {Verdict.FAILED}
    assert {f.got for f in told} == {"the call was over before"}


# ── times ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("began", "got", "verdict"),
    [
        (5.3, "800 ms", Verdict.MET),
        (5.6, "1100 ms", Verdict.FAILED),
        (4.45, "-50 ms", Verdict.MET),
        (4.1, "-400 ms", Verdict.FAILED),
    ],
)
def test_the_turn_gap_ends_with_the_first_answer(began: float, got: str, verdict: Verdict) -> None:
    person = scenario({"say": "Yes.", "within_ms": 1000})
    report = call_report((0.1, 3), (began, 8), said=[spoken(1, 4, 4.5)])
    assert (only(person, report).got, only(person, report).verdict) == (got, verdict)
    assert only(person, replace(report, clock=LATE)).verdict is Verdict.NOT_JUDGED


def test_no_answer_is_too_late_even_on_a_late_clock() -> None:
    person = scenario({"say": "Yes.", "within_ms": 1000}, {"say": "Hello?"})
    report = call_report((0.1, 3), (9, 9.5), said=[spoken(1, 4, 4.5), spoken(2, 8, 8.5)], clock=LATE)
    assert (only(person, report).got, only(person, report).verdict) == ("no answer", Verdict.FAILED)


def test_keys_are_answered_from_the_end_of_the_last_one() -> None:
    person = scenario({"keys": "12", "within_ms": 500})
    pressed = [KeyPress("12", 1, 4.0, 4.6)]
    assert only(person, call_report((0.1, 3), (5.0, 6), pressed=pressed)).got == "400 ms"


def test_an_interrupted_agent_is_silent_in_time() -> None:
    person = scenario({"interrupt": {"say": "Stop!"}, "stops_within_ms": 500})
    said = [spoken(1, 2, 3)]
    assert only(person, call_report((0.1, 2.3), (3.8, 5), said=said)).got == "300 ms"
    # A pause between two words is not a stop.
    halting = only(person, call_report((0.1, 2.1), (2.4, 3.5), said=said))
    assert (halting.got, halting.verdict) == ("1500 ms", Verdict.FAILED)
    quiet = only(person, call_report((0.1, 1.5), (3.8, 5), said=said))
    assert (quiet.got, quiet.verdict) == ("the agent was not speaking", Verdict.FAILED)
    assert only(person, call_report((0.1, 2.3), said=said, clock=LATE)).verdict is Verdict.NOT_JUDGED


@pytest.mark.parametrize(
    ("agent", "got", "verdict"),
    [
        ([(0.1, 6)], "it was never silent", Verdict.MET),
        ([(0.1, 2.2), (2.9, 6)], "it was silent for 700 ms", Verdict.MET),
        ([(0.1, 2.2), (3.4, 6)], "it was silent for 1200 ms", Verdict.FAILED),
        ([(0.1, 1.6), (2.3, 6)], "it was silent for 700 ms", Verdict.MET),
        ([(0.1, 2.4)], "it stopped 400 ms after that for good", Verdict.FAILED),
        ([(0.1, 0.9)], "the agent was not speaking", Verdict.FAILED),
    ],
)
def test_a_cough_does_not_end_an_answer(agent: list[tuple[float, float]], got: str, verdict: Verdict) -> None:
    person = scenario({"interrupt": {"sound": "cough"}, "goes_on": True})
    told = only(person, call_report(*agent, said=[spoken(1, 2, 2.5)]))
    assert (told.got, told.verdict) == (got, verdict)


def test_how_long_it_may_be_silent_is_an_option() -> None:
    person = scenario({"interrupt": {"sound": "cough"}, "goes_on": {"silence_ms": 1500}})
    report = call_report((0.1, 2.2), (3.4, 6), said=[spoken(1, 2, 2.5)])
    assert only(person, report).verdict is Verdict.MET


# ── the call ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_how_and_by_whom_it_ended() -> None:
    person = scenario(disposition="rejected", ended_by="agent", keys_heard="12")
    report = call_report(outcome="declined", ended_by="caller", keys_heard="12")
    assert {f.verdict for f in findings(person, report)} == {Verdict.MET}
    # The service's own word counts where it is known.
    assert findings(person, report, disposition="busy")[0].verdict is Verdict.FAILED
    assert [f.got for f in findings(person, call_report())] == ["answered", "person", "none"]


def test_the_greeting_has_to_come_and_in_time() -> None:
    person = scenario(hears_greeting_within_ms=500)
    assert only(person, call_report((0.4, 3))).verdict is Verdict.MET
    assert only(person, call_report((0.6, 3))).verdict is Verdict.FAILED
    assert only(person, call_report((0.6, 3), clock=LATE)).verdict is Verdict.NOT_JUDGED
    assert only(person, call_report(clock=LATE)).verdict is Verdict.FAILED


def test_dead_air_is_the_longest_time_nobody_is_audible() -> None:
    report = call_report((0.5, 3), (5, 9.5), said=[spoken(1, 2, 4.2)])
    assert dead_air(report) == (800.0, 4.2)
    assert dead_air(call_report()) == (10_000.0, 0.0)
    person = scenario(no_silence_longer_than_ms=700)
    assert (only(person, report).verdict, only(person, report).got) == (Verdict.FAILED, "800 ms from 4.2 s on")
    assert only(scenario(no_silence_longer_than_ms=800), report).verdict is Verdict.MET
    assert only(person, replace(report, clock=LATE)).verdict is Verdict.NOT_JUDGED


def test_a_script_that_was_not_played_fails_by_itself() -> None:
    good = judge(scenario(disposition="answered"), Evidence(call_report((0.1, 3))))
    assert not failed(good)
    bad = judge(scenario(disposition="answered"), Evidence(call_report((0.1, 3), problems=("Step 1 failed.",))))
    assert failed(bad)
    assert bad[0].got == "Step 1 failed."


def test_a_torn_echo_blames_nobody() -> None:
    torn = replace(LATE, shifted_frames=3)
    person = scenario({"wait_for_agent": {"hears": ["does that suit you", "hello"]}})
    on_echo = person.with_line({"echo": -20})
    report = call_report((0.1, 3), clock=torn)
    assert [f.verdict for f in findings(on_echo, report, "Hello.")] == [Verdict.NOT_JUDGED, Verdict.MET]
    assert [f.verdict for f in findings(person, report, "Hello.")] == [Verdict.FAILED, Verdict.MET]
    whole = call_report((0.1, 3), clock=LATE)
    assert findings(on_echo, whole, "Hello.")[0].verdict is Verdict.FAILED
