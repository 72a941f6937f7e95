"""Asks a colleague whether they take somebody who waits on the line."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from functools import cache
from typing import Final

from trunkline.brains.matching import Phrasebook
from trunkline.brains.script_file import common_intents
from trunkline.brains.templates import render
from trunkline.brains.words import tokens
from trunkline.models import CallId
from trunkline.ports import BrainAction, BrainSession, CallBriefing, HangUp, PersonTurn, Say, Transfer
from trunkline.settings import TransferSettings

YES_KEY, NO_KEY = "1", "2"
ATTEMPTS: Final = 3
"""Answers that are listened to."""
LONGEST_ANSWER: Final = 12
"""Words; what is longer is a mailbox that talks, or somebody who talks to somebody else."""
MORE: Final = {
    "yes": ("I'll take it", "I'll take the call", "put them through", "put him through", "put her through", "go ahead"),
    "no": ("not now", "not today", "I can't", "I'm busy", "I'm in a meeting", "take a message", "call back later"),
}
"""What is said to this question beside what always means yes or no."""


class ColleagueAsked:
    """Brain and mind in one, of one call. A yes is a `Transfer` to the waiting person's call, a no is a `HangUp`."""

    def __init__(self, manners: TransferSettings, person: CallId, values: Mapping[str, str]) -> None:
        """`values` fill the question."""
        self._manners = manners
        self._person = person
        self._values = values
        self._answers = 0
        self._taken = False

    async def open(self, briefing: CallBriefing) -> BrainSession:
        return self

    async def greet(self) -> AsyncGenerator[BrainAction, None]:
        yield Say(render(self._manners.question, self._values))

    async def reply(self, turn: PersonTurn) -> AsyncGenerator[BrainAction, None]:
        self._answers += 1
        answer = self._taken or meant(turn)
        if answer:
            if not self._taken:
                self._taken = True
                yield Say(self._manners.taken)
            # Also behind a "hello?" that cuts this off.
            yield Transfer(self._person)
            yield HangUp()  # reached only where that could not be arranged
        elif answer is None and self._answers < ATTEMPTS:
            yield Say(self._manners.ask_again)
        else:
            yield Say(self._manners.declined)
            yield HangUp()

    def turn_ahead(self) -> None: ...

    def fork(self) -> BrainSession | None:
        return None

    async def close(self) -> None: ...


def meant(turn: PersonTurn) -> bool | None:
    """Yes, no, or nobody knows."""
    if turn.keys:
        return {YES_KEY: True, NO_KEY: False}.get(turn.keys[-1])
    if not turn.text or len(tokens(turn.text)) > LONGEST_ANSWER:
        return None
    matches = _phrases().matches(turn.text, MORE)
    return None if not matches else matches[0].intent == "yes"


@cache
def _phrases() -> Phrasebook:
    intents = common_intents()
    return Phrasebook({name: (*intents[name], *more) for name, more in MORE.items()})
