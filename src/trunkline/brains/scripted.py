"""The scripted brain: speaks and understands what a YAML file says. See `docs/scripts.md`."""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import datetime

from trunkline.brains.dialogue import Dialogue, State
from trunkline.brains.script import Script
from trunkline.ports import RESULT, BrainAction, CallBriefing, Discreet, HangUp, Note, PersonTurn, Say

Clock = Callable[[], datetime]
"""Local time of the people who are called."""


class ScriptedBrain:
    """Fits `ports.Brain`. One for all calls of an agent; the calls share nothing but the script."""

    def __init__(
        self,
        script: Script,
        *,
        greeting: str | None = None,
        variables: Mapping[str, str] | None = None,
        clock: Clock = datetime.now,
    ) -> None:
        self._dialogue = Dialogue(script)
        self._greeting = greeting
        self._variables = dict(variables or {})
        self._clock = clock

    async def open(self, briefing: CallBriefing) -> ScriptedSession:
        state, greeting = self._dialogue.begin(
            self._variables | briefing.variables,
            self._clock(),
            seed=zlib.crc32(briefing.call_id.encode()),
            greeting=briefing.script or self._greeting,
        )
        return ScriptedSession(self._dialogue, state, greeting, self._clock)

    async def close(self) -> None:
        """Holds nothing."""


class ScriptedSession:
    """Fits `ports.BrainSession`. A turn asked about twice (a reply that was begun too early) is answered afresh."""

    def __init__(self, dialogue: Dialogue, state: State, greeting: list[BrainAction], clock: Clock) -> None:
        self._dialogue = dialogue
        self._greeting = greeting
        self._clock = clock
        self._before = self._state = state
        self._turn = 0
        self._discreet = False
        """Asked that nothing be kept."""

    async def greet(self) -> AsyncGenerator[BrainAction, None]:
        if self._dialogue.discreet(self._state):
            yield self._keep(nothing=True)
        for action in self._greeting:
            yield action

    async def reply(self, turn: PersonTurn) -> AsyncGenerator[BrainAction, None]:
        if turn.hidden:  # somebody else sees to it
            return
        if turn.number != self._turn:
            self._turn, self._before = turn.number, self._state
        self._state, actions = self._dialogue.advance(self._before, turn.text, turn.keys, self._clock())
        learnt = {
            name: str(value) for name, value in self._state.filled.items() if value != self._before.filled.get(name)
        }
        secret, was_secret = self._dialogue.discreet(self._state), self._dialogue.discreet(self._before)
        if self._discreet and not was_secret:  # the answer that was to end it was interrupted
            yield self._keep(nothing=False)
        if was_secret:
            learnt = {}
        if secret and not self._discreet:
            yield self._keep(nothing=True)
        for action in actions:
            if isinstance(action, HangUp) and self._discreet:
                yield self._keep(nothing=False)
            yield action
            if learnt and isinstance(action, Say):  # behind the first one: what is never heard was never said
                yield Note(RESULT, f"The person told: {', '.join(learnt)}.", learnt)
                learnt = {}

        if self._discreet and not secret:
            yield self._keep(nothing=False)

    def _keep(self, *, nothing: bool) -> Discreet:
        self._discreet = nothing
        return Discreet(nothing)

    def turn_ahead(self) -> None:
        """Nothing to get ready."""

    def fork(self) -> ScriptedSession:
        """States are never changed, only followed by others: a copy costs nothing."""
        fork = ScriptedSession(self._dialogue, self._state, [], self._clock)
        fork._before, fork._turn, fork._discreet = self._before, self._turn, self._discreet
        return fork

    async def close(self) -> None:
        """Holds nothing."""
