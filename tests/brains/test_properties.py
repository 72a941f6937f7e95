"""Whatever is heard, the scripted brain answers, and an unintelligible person is let go."""

from __future__ import annotations

from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.brains.dialogue import Dialogue
from trunkline.brains.script_file import load
from trunkline.brains.words import words
from trunkline.ports import HangUp, Say

APPOINTMENT = load("appointment")
DIALOGUE = Dialogue(APPOINTMENT)
NOW = datetime(2026, 2, 9, 10)

VOCABULARY = sorted(
    {word for phrases in APPOINTMENT.intents.values() for phrase in phrases for word in phrase.split()}
    | words("thursday tuesday next week the twelfth at half past three fifteen 15:30 , . ? not thirsty tree")
)
anything = st.text(max_size=80) | st.lists(st.sampled_from(VOCABULARY), max_size=12).map(" ".join)
keys = st.text(alphabet="0123456789*#", max_size=6)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2035, 1, 1))


@given(turns=st.lists(st.tuples(anything, keys | st.just("")), max_size=8), now=moments, seed=st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_every_turn_is_answered_without_a_blank_left(turns: list[tuple[str, str]], now: datetime, seed: int) -> None:
    state, actions = DIALOGUE.begin({}, now, seed=seed)
    for text, pressed in turns:
        before = state
        state, actions = DIALOGUE.advance(before, text, pressed, now)
        assert actions
        assert (state, actions) == DIALOGUE.advance(before, text, pressed, now)
        assert all(action.text.strip() and "{" not in action.text for action in actions if isinstance(action, Say))
        assert HangUp() not in actions[:-1]
        assert state.ended == (actions[-1] == HangUp())


@given(
    script=st.text(max_size=60), values=st.dictionaries(st.sampled_from(["name", "appointment_day", "x"]), st.text())
)
@settings(max_examples=60, deadline=None)
def test_any_greeting_and_any_variables_do(script: str, values: dict[str, str]) -> None:
    state, _ = DIALOGUE.begin(values, NOW, greeting=script)
    assert DIALOGUE.advance(state, "yes", "", NOW)[1][-1] == HangUp()


@given(opening=st.lists(anything, max_size=4))
@settings(max_examples=60, deadline=None)
def test_who_is_never_understood_is_let_go_after_three_times(opening: list[str]) -> None:
    state, _ = DIALOGUE.begin({}, NOW)
    for text in opening:
        state, _ = DIALOGUE.advance(state, text, "", NOW)
    for _ in range(APPOINTMENT.not_understood.after):
        state, _ = DIALOGUE.advance(state, "", "", NOW)
    assert state.ended
