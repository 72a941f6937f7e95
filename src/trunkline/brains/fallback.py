"""What the person hears when a brain fails: an apology, one more try where that is safe, then somebody else."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol

from trunkline.brains.faults import BrainFault
from trunkline.brains.scripted import ScriptedBrain, ScriptedSession
from trunkline.brains.templates import render
from trunkline.ports import BrainAction, CallBriefing, Commit, HangUp, Note, PersonTurn, Play, Say, Transfer
from trunkline.settings import AgentSettings
from trunkline.settings.fallback import FallbackSettings


class FaultySession(Protocol):
    """A session that may raise `BrainFault`."""

    def turn_ahead(self) -> None: ...
    def greet(self) -> AsyncGenerator[BrainAction, None]: ...
    def reply(self, turn: PersonTurn) -> AsyncGenerator[BrainAction, None]: ...
    def fork(self) -> FaultySession | None: ...

    def greeted(self, text: str) -> None:
        """The person is greeted with these words, which it was not asked for."""


class SteadySession:
    """Fits `ports.BrainSession`, and raises nothing."""

    def __init__(
        self,
        mind: FaultySession,
        agent: AgentSettings,
        manners: FallbackSettings,
        call: CallBriefing,
        script: ScriptedBrain | None = None,
    ) -> None:
        self._mind = mind
        self._agent = agent
        self._manners = manners
        self._call = call
        self._script = script
        self._stand_in: ScriptedSession | None = None
        self._failed = 0

    def turn_ahead(self) -> None:
        if self._stand_in is None:
            self._mind.turn_ahead()

    async def greet(self) -> AsyncGenerator[BrainAction, None]:
        """A greeting of the call's or the agent's own is spoken without asking the mind."""
        own = self._call.script or self._agent.greeting
        if own is not None:
            text = render(own, {**self._agent.variables, **self._call.variables})
            self._mind.greeted(text)
            yield Say(text)
            return
        tried = _Tried(self._mind.greet)
        async with aclosing(tried.actions()) as actions:
            async for action in actions:
                yield action
        if tried.fault is None:
            return
        yield self._note(tried.fault, 0)
        if tried.heard:
            return
        if tried.fault.lasting and self._script is not None:
            async with aclosing(self._step_in(self._script)) as actions:
                async for action in actions:
                    yield action
            return
        self._mind.greeted(self._manners.welcome_fallback)
        yield Say(self._manners.welcome_fallback)

    async def reply(self, turn: PersonTurn) -> AsyncGenerator[BrainAction, None]:
        answer = self._stand_in.reply(turn) if self._stand_in is not None else self._ask(turn)
        async with aclosing(answer) as actions:
            async for action in actions:
                yield action

    def fork(self) -> SteadySession | None:
        mind = self._mind.fork()
        if mind is None:
            return None
        fork = SteadySession(mind, self._agent, self._manners, self._call, self._script)
        fork._stand_in = self._stand_in.fork() if self._stand_in is not None else None
        fork._failed = self._failed
        return fork

    async def close(self) -> None:
        """Holds nothing between two turns."""

    async def _ask(self, turn: PersonTurn) -> AsyncGenerator[BrainAction, None]:
        for may_try_again in (True, False):
            tried = _Tried(lambda: self._mind.reply(turn))
            async with aclosing(tried.actions()) as actions:
                async for action in actions:
                    yield action
            if tried.fault is None:
                self._failed = 0
                return
            yield Commit()
            yield self._note(tried.fault, turn.number)
            if not (may_try_again and tried.fault.never_ran and not tried.heard):
                break
            yield Say(self._manners.try_again)
        self._failed += 1
        assert tried.fault is not None
        if self._failed < self._manners.failed_turns and not tried.fault.lasting:
            yield Say(self._manners.say_again)
            return
        async with aclosing(self._give_up()) as actions:
            async for action in actions:
                yield action

    async def _give_up(self) -> AsyncGenerator[BrainAction, None]:
        if self._script is not None:
            async with aclosing(self._step_in(self._script)) as actions:
                async for action in actions:
                    yield action
        elif self._manners.transfer_to is not None:
            yield Say(self._manners.transfer_farewell)
            yield Transfer(self._manners.transfer_to)
        else:
            yield Say(self._agent.sorry)
            yield HangUp()

    async def _step_in(self, script: ScriptedBrain) -> AsyncGenerator[BrainAction, None]:
        """The script holds the rest of the call."""
        self._stand_in = await script.open(self._call)
        yield Note("brain-fallback", "The built-in script goes on in the agent's place.")
        async with aclosing(self._stand_in.greet()) as actions:
            async for action in actions:
                yield action

    @staticmethod
    def _note(fault: BrainFault, turn: int) -> Note:
        return Note("brain-fault", str(fault), {"fault": fault.kind.value, "remedy": fault.remedy or "", "turn": turn})


class _Tried:
    """One attempt: its actions, then what was wrong with it and whether anything of it was said."""

    def __init__(self, begin: Callable[[], AsyncGenerator[BrainAction, None]]) -> None:
        self._begin = begin
        self.fault: BrainFault | None = None
        self.heard = False

    async def actions(self) -> AsyncGenerator[BrainAction, None]:
        try:
            async with aclosing(self._begin()) as actions:
                async for action in actions:
                    self.heard = self.heard or isinstance(action, Say | Play)
                    yield action
        except BrainFault as fault:
            self.fault = fault
