"""The script of docs/scripts.md loads, and holds the conversation printed below it."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from trunkline.brains.dialogue import Dialogue
from trunkline.brains.script import Reaction, Step
from trunkline.brains.script_file import parse
from trunkline.brains.slots import Slot
from trunkline.ports import BrainAction, HangUp, Say

PAGE = (Path(__file__).parents[2] / "docs" / "scripts.md").read_text(encoding="utf-8")


def block(kind: str) -> str:
    found = re.search(rf"^```{kind}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def written(actions: list[BrainAction]) -> str:
    return " ".join(action.text if isinstance(action, Say) else "(hangs up)" for action in actions)


def test_the_example_talks_as_printed() -> None:
    now = datetime(2026, 2, 9, 10)
    dialogue = Dialogue(parse(block("yaml"), "docs/scripts.md"))
    state, actions = dialogue.begin({"name": "Anna"}, now)
    for line in block("conversation").splitlines():
        speaker, _, words = line.partition(":")
        if speaker == "agent":
            assert written(actions) == words.strip()
        else:
            state, actions = dialogue.advance(state, words.strip(), "", now)
    assert actions[-1] == HangUp()


def test_every_entry_is_described() -> None:
    for model in (Step, Reaction, Slot):
        for entry in model.model_fields:
            assert f"`{entry}" in PAGE, f"{model.__name__}.{entry}"
