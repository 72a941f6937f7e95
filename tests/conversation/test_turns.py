"""Turn-taking as a story of seconds: speech and silence in, verdicts out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.conversation.turns import Hearing, TurnTaker, Verdict
from trunkline.settings import ListeningSettings

MANNERS = ListeningSettings(
    start_seconds=0.06, pause_seconds=0.2, end_silence_seconds=0.5, interrupt_seconds=0.3, silent_caller_seconds=3.0
)
STEP = 0.02


def play(story: str, taker: TurnTaker | None = None, *, agents_turn: bool = False) -> list[Verdict]:
    """`s0.5 q0.3`: half a second of speech, then 0.3 s of quiet. Returns the verdicts in order."""
    taker = taker or TurnTaker(MANNERS)
    verdicts = []
    for part in story.split():
        for _ in range(round(float(part[1:]) / STEP)):
            verdict = taker.hear(0.9 if part[0] == "s" else 0.05, STEP, agents_turn=agents_turn)
            if verdict is not None:
                verdicts.append(verdict)
    return verdicts


@pytest.mark.parametrize(
    ("story", "verdicts"),
    [
        ("q1.0", []),
        ("q0.5 s0.04 q0.5", []),
        ("s1.0", [Verdict.SPEECH_STARTED]),
        ("s1.0 q0.1 s1.0", [Verdict.SPEECH_STARTED]),
        ("s1.0 q0.3 s0.5", [Verdict.SPEECH_STARTED, Verdict.SPEECH_PAUSED, Verdict.SPEECH_RESUMED]),
        ("s1.0 q0.6", [Verdict.SPEECH_STARTED, Verdict.SPEECH_PAUSED, Verdict.TURN_ENDED]),
        ("q3.1", [Verdict.SILENT_TOO_LONG]),
        ("q6.1", [Verdict.SILENT_TOO_LONG] * 2),
        ("q2.0 s0.5 q2.0", [Verdict.SPEECH_STARTED, Verdict.SPEECH_PAUSED, Verdict.TURN_ENDED]),
    ],
)
def test_persons_turn(story: str, verdicts: list[Verdict]) -> None:
    assert play(story) == verdicts


def test_a_turn_is_cut_at_its_longest() -> None:
    assert Verdict.TURN_CUT in play("s10.1")


def test_speech_in_the_agents_turn_interrupts_and_then_insists() -> None:
    assert play("s2.0", agents_turn=True) == [Verdict.SPEECH_STARTED, Verdict.INTERRUPTED, Verdict.INSISTED]


def test_patience_decides_when_a_pause_is_the_end() -> None:
    taker = TurnTaker(MANNERS)
    play("s1.0 q0.3", taker)
    taker.patience = 1.0
    assert play("q0.6", taker) == []
    assert play("q0.2", taker) == [Verdict.TURN_ENDED]
    play("s1.0 q0.3", taker)
    taker.patience = 0.0
    assert play("q0.02", taker) == [Verdict.TURN_ENDED]


def test_what_is_forgotten_never_was_a_turn() -> None:
    taker = TurnTaker(MANNERS)
    play("s0.5", taker)
    taker.forget()
    assert play("q1.0", taker) == []


def test_a_short_sound_in_the_agents_turn_does_not_interrupt() -> None:
    assert Verdict.INTERRUPTED not in play("s0.2 q0.6", agents_turn=True)


def test_what_is_hardly_speech_does_not_interrupt() -> None:
    taker = TurnTaker(ListeningSettings())
    verdicts = [taker.hear(0.6, STEP, agents_turn=True) for _ in range(100)]
    assert Verdict.SPEECH_STARTED in verdicts
    assert Verdict.INTERRUPTED not in verdicts


def test_clear_speech_interrupts_within_60_milliseconds() -> None:
    taker = TurnTaker(ListeningSettings())
    verdicts = [taker.hear(0.95, STEP, agents_turn=True) for _ in range(3)]
    assert Verdict.INTERRUPTED in verdicts


def test_somebody_far_off_does_not_interrupt() -> None:
    taker = TurnTaker(ListeningSettings())
    far = [taker.hear(0.95, STEP, agents_turn=True, near=False) for _ in range(100)]
    assert Verdict.INTERRUPTED not in far
    assert taker.hear(0.95, STEP, agents_turn=True, near=True) is Verdict.INTERRUPTED


def test_what_is_far_off_does_not_insist() -> None:
    taker = TurnTaker(ListeningSettings())
    verdicts = [taker.hear(0.95, STEP, agents_turn=True, near=number < 5) for number in range(200)]
    assert Verdict.INTERRUPTED in verdicts
    assert Verdict.INSISTED not in verdicts


def test_noises_are_not_taken_for_company() -> None:
    taker = TurnTaker(MANNERS)
    verdicts = []
    for _ in range(3):
        verdicts += play("q0.8 s0.3 q0.7", taker)
        taker.unanswered()
    assert Verdict.SILENT_TOO_LONG in verdicts


def test_who_asked_for_a_moment_has_longer() -> None:
    taker = TurnTaker(MANNERS, told_to_wait=True)
    assert play("q29", taker) == []
    assert play("q2", taker) == [Verdict.SILENT_TOO_LONG]
    assert play("q3.1", taker) == [Verdict.SILENT_TOO_LONG], "asked once, they are waited for as ever"


def test_nobody_is_silent_while_the_agent_speaks() -> None:
    assert play("q10", agents_turn=True) == []


def test_speech_that_began_in_the_persons_turn_interrupts_as_soon_as_the_agent_begins() -> None:
    taker = TurnTaker(MANNERS)
    play("s1.0", taker)
    assert play("s0.02", taker, agents_turn=True) == [Verdict.INTERRUPTED]


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=400))
def test_verdicts_always_follow_the_drawing(pieces: list[tuple[float, bool]]) -> None:
    taker = TurnTaker(MANNERS)
    state = Hearing.QUIET
    allowed = {
        Verdict.SPEECH_STARTED: (Hearing.QUIET, Hearing.SPEAKING),
        Verdict.SPEECH_PAUSED: (Hearing.SPEAKING, Hearing.PAUSED),
        Verdict.SPEECH_RESUMED: (Hearing.PAUSED, Hearing.SPEAKING),
        Verdict.TURN_ENDED: (Hearing.PAUSED, Hearing.QUIET),
        Verdict.TURN_CUT: (Hearing.SPEAKING, Hearing.QUIET),
        Verdict.SILENT_TOO_LONG: (Hearing.QUIET, Hearing.QUIET),
        Verdict.INTERRUPTED: (Hearing.SPEAKING, Hearing.SPEAKING),
        Verdict.INSISTED: (Hearing.SPEAKING, Hearing.SPEAKING),
    }
    for probability, agents_turn in pieces:
        verdict = taker.hear(probability, STEP, agents_turn=agents_turn)
        if verdict is None:
            assert taker.state is state
        else:
            assert allowed[verdict] == (state, taker.state)
            state = taker.state
