"""Whole conversations with the appointment script, from a table that reads like one."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from trunkline.brains.dialogue import Dialogue
from trunkline.brains.script_file import load
from trunkline.ports import BrainAction, HangUp, Say

NOW = datetime(2026, 2, 9, 10)
VARIABLES = {"name": "Anna Lee", "appointment_day": "2026-02-10", "appointment_time": "15:00"}
CONVERSATIONS: dict[str, list[list[str]]] = yaml.safe_load(
    (Path(__file__).parent / "conversations.yaml").read_text(encoding="utf-8")
)
APPOINTMENT = Dialogue(load("appointment"))


def spoken(actions: list[BrainAction]) -> str:
    return " ".join(action.text for action in actions if isinstance(action, Say))


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("seed", [0, 1])
def test_conversation(name: str, seed: int) -> None:
    state, actions = APPOINTMENT.begin(VARIABLES, NOW, seed=seed)
    for said, *expected in CONVERSATIONS[name]:
        assert not state.ended, f"the agent hung up before {said!r}: {spoken(actions)}"
        keys = said.removeprefix("keys ") if said.startswith("keys ") else ""
        state, actions = APPOINTMENT.advance(state, "" if keys else said, keys, NOW)
        answer, place = spoken(actions), 0
        for part in expected:
            if part == "HANGS UP":
                assert actions[-1] == HangUp(), f"{said!r} → {answer!r}"
            else:
                pattern = "|".join(re.escape(choice) for choice in part.split("|"))
                found = re.compile(pattern).search(answer, place)
                assert found, f"{said!r} → {answer!r}, wanted {part!r}"
                place = found.end()
        assert (HangUp() in actions) == ("HANGS UP" in expected), f"{said!r} → {answer!r}"


def test_there_are_enough_of_them() -> None:
    assert len(CONVERSATIONS) >= 25


def test_the_greeting_says_who_calls_and_why() -> None:
    _, actions = APPOINTMENT.begin(VARIABLES, NOW)
    assert spoken(actions) == (
        "Hello Anna Lee, this is the automated assistant of Harbour Street Dental. I'm calling about your "
        "appointment on Tuesday the tenth at three o'clock. Does that still suit you?"
    )


def test_without_variables_the_defaults_make_a_whole_greeting() -> None:
    _, actions = APPOINTMENT.begin({}, NOW)
    assert spoken(actions).startswith("Hello, this is the automated assistant of Harbour Street Dental.")
    assert "on Wednesday the eighteenth at half past ten" in spoken(actions)
