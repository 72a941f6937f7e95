"""The brain of any server that speaks OpenAI's chat completions: it talks, uses tools, and knows what was heard.

See `docs/openai.md`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from trunkline.brains.fallback import SteadySession
from trunkline.brains.n8n_faults import N8nFault
from trunkline.brains.n8n_reply import Reply
from trunkline.brains.openai_abilities import INTERRUPTED, TOO_EARLY, Abilities
from trunkline.brains.openai_faults import PASSING, ModelFault, ModelFaultKind
from trunkline.brains.openai_history import History, Step
from trunkline.brains.openai_prompt import rendered
from trunkline.brains.openai_server import ModelServer
from trunkline.brains.openai_stream import Ended, ToolCall, Words
from trunkline.brains.openai_tools import AgentTools
from trunkline.brains.scripted import ScriptedBrain
from trunkline.brains.spoken_stream import SpokenStream
from trunkline.brains.tools import Outcome
from trunkline.errors import ToolFailed
from trunkline.ports import BrainAction, CallBriefing, Commit, HangUp, Note, PersonTurn, Say, SendKeys, Transfer
from trunkline.settings import AgentSettings
from trunkline.settings.openai import OpenAISettings
from trunkline.spoken_text import speakable

FILLER_SECONDS: Final = 0.25
"""A tool that takes longer is bridged with words."""
AGAIN_SECONDS: Final = 0.2
"""Before a model is asked once more."""
LONGEST_WAIT: Final = 3.0
"""A server that wants to be asked later than that is not waited for."""


@dataclass(frozen=True, slots=True)
class Means:
    """What all calls of an agent share."""

    settings: OpenAISettings
    server: ModelServer
    abilities: Abilities
    tools: AgentTools


class OpenAIBrain:
    """Fits `ports.Brain`. One per agent; `script` is what it falls back to, where the settings want that."""

    def __init__(
        self, agent: AgentSettings, script: ScriptedBrain | None = None, *, clock: Callable[[], datetime] = datetime.now
    ) -> None:
        """Raises `SettingsError` for tools that can't be."""
        settings = agent.openai
        self._agent = agent
        self._script = script
        self._clock = clock
        self._means = Means(settings, ModelServer(settings), Abilities(settings), AgentTools(settings))

    async def open(self, briefing: CallBriefing) -> SteadySession:
        self._means.tools.prepare()
        self._means.server.prepare()
        prompt = rendered(self._agent, briefing, self._clock())
        session = ChatSession(briefing, prompt, self._means)
        return SteadySession(session, self._agent, self._agent.openai, briefing, self._script)

    async def close(self) -> None:
        await self._means.tools.close()
        await self._means.server.close()


class ChatSession:
    """One call's conversation with the model. Its generators raise `ModelFault`; closing one ends the request."""

    def __init__(self, call: CallBriefing, prompt: str, means: Means) -> None:
        self._call = call
        self._prompt = prompt
        self._means = means
        self._settings = means.settings
        self._room = means.settings.history_characters
        self._history = History()
        self._using: tuple[asyncio.Task[Outcome], ...] = ()
        """Tools of the last step whose results the history doesn't hold yet."""
        # Of the answer that is being given:
        self._steps: tuple[Step, ...] = ()
        self._said = ""
        self._ended = Ended("", ())
        self._last: BrainAction | None = None
        self._left = 0

    def turn_ahead(self) -> None:
        self._means.server.prepare()

    def fork(self) -> ChatSession | None:
        """A completion has no effects, and tools wait behind a `Commit`; but every one asked for is paid."""
        if not self._settings.speculate:
            return None
        fork = ChatSession(self._call, self._prompt, self._means)
        fork._room, fork._history, fork._using = self._room, self._history, self._using
        return fork

    def greeted(self, text: str) -> None:
        self._history = History.begun(self._call.so_far).answered(Step(text))

    async def greet(self) -> AsyncGenerator[BrainAction, None]:
        """The phone still rings: words only."""
        self._history = History.begun(self._call.so_far)
        self._begin()
        async with aclosing(self._round([], self._settings.welcome_seconds)) as actions:
            async for action in actions:
                yield action

    async def reply(self, turn: PersonTurn) -> AsyncGenerator[BrainAction, None]:
        if self._using:
            # Used in an answer that was interrupted: asked without the result, a model would use it once more.
            yield Commit()
            for note in await self._results():
                yield note
        self._history = self._history.asked(turn)
        self._begin()
        await self._means.tools.ready()
        tools = [spec.wire() for spec in (*self._means.abilities.specs(), *self._means.tools.specs())]
        for used in range(self._settings.tool_rounds + 1):
            enough = used == self._settings.tool_rounds
            async with aclosing(self._round(tools, self._settings.answer_seconds, speak=enough)) as actions:
                async for action in actions:
                    yield action
            calls = self._ended.calls
            if not calls:
                break
            if enough and self._said:
                break
            if enough:
                raise ModelFault(ModelFaultKind.ONLY_TOOLS)
            yield Commit()
            acted = False
            async with aclosing(self._act(calls)) as actions:
                async for action in actions:
                    yield action
                    acted = acted or isinstance(action, HangUp | SendKeys | Transfer)
            if acted:
                return
        if self._last is not None:
            yield self._last

    # ── asking ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        self._steps, self._said, self._last = (), "", None
        self._left = self._settings.longest_answer

    async def _round(
        self, tools: list[dict[str, Any]], seconds: float, *, speak: bool = False
    ) -> AsyncGenerator[BrainAction, None]:
        """One completion as it is written; asked for once more where it failed before anything of it was said."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        for may_try_again in (True, False):
            self._said = ""
            messages = self._history.messages(self._prompt, self._room)
            completion = self._means.server.complete(messages, tools, deadline, speak=speak)
            try:
                async with aclosing(completion) as events, aclosing(self._spoken(events)) as actions:
                    async for action in actions:
                        yield action
                return
            except ModelFault as fault:
                wait = max(fault.wait, AGAIN_SECONDS)
                passing = fault.kind in PASSING and wait <= LONGEST_WAIT and clock() + wait < deadline
                if not (may_try_again and passing and not self._said):
                    raise
                if fault.kind is ModelFaultKind.TOO_LONG:
                    self._room //= 2
                yield Note("brain-retry", f"The model is asked once more: {fault.message}", {"fault": fault.kind.value})
            await asyncio.sleep(wait)

    async def _spoken(self, events: AsyncGenerator[Words | Ended, None]) -> AsyncGenerator[BrainAction, None]:
        """What is written as what is said, sentence by sentence."""
        stream = SpokenStream()
        async for event in events:
            try:
                found = stream.feed(event.text) if isinstance(event, Words) else stream.finish()
            except N8nFault as fault:
                raise ModelFault(ModelFaultKind.NOT_WORDS) from fault
            cut = isinstance(event, Ended) and event.reason in ("length", "content_filter")
            for reply in found:
                if cut and self._said and reply is found[-1] and not reply.text.endswith((".", "!", "?")):
                    break
                for action in self._actions(reply):
                    yield action
                if self._left < 0:  # the rest is neither read nor paid
                    self._ended = Ended("length", ())
                    return
            if isinstance(event, Ended):
                self._ended = event
                if cut:
                    yield Note("answer-cut", f"The model's answer was cut off ({event.reason}).")
                self._check(event)

    def _check(self, ended: Ended) -> None:
        """Raises `ModelFault` for an answer of nothing, unless something was said before it."""
        said = self._said or any(step.words for step in self._steps)
        if not (said or ended.calls or self._last):
            raise ModelFault(ModelFaultKind.FILTERED if ended.reason == "content_filter" else ModelFaultKind.EMPTY)

    def _actions(self, reply: Reply) -> list[BrainAction]:
        """Marks do what the tools do, for models that know none."""
        found: list[BrainAction] = []
        text = speakable(reply.text)
        if text and len(text) > self._left:
            self._left = -1
            return [Note("answer-cut", f"The answer is longer than {self._settings.longest_answer} characters.")]
        if text:
            found.append(self._say(text))
        if reply.keys and self._settings.keys:
            found.append(SendKeys(reply.keys))
        if reply.transfer is not None and (number := self._means.abilities.number(reply.transfer)) is not None:
            self._last = Transfer(number)
        elif reply.hang_up and self._last is None:
            self._last = HangUp()
        return found

    def _say(self, text: str, calls: Sequence[ToolCall] = ()) -> Say:
        self._left -= len(text)
        self._said = f"{self._said} {text}".strip()
        self._write(Step(self._said, tuple(calls)))
        return Say(text)

    def _write(self, *steps: Step) -> None:
        """What has been said and done so far: whoever interrupts finds it in the history."""
        self._history = self._history.answered(*self._steps, *steps)

    # ── tools ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _act(self, calls: Sequence[ToolCall]) -> AsyncGenerator[BrainAction, None]:
        """Use the tools the model asked for."""
        outside = [call for call in calls if call.name not in self._means.abilities]
        if outside:
            self._using = tuple(self._means.tools.begin(outside, self._call))
            self._write(Step(self._said, tuple(calls)))
            await asyncio.wait(self._using, timeout=FILLER_SECONDS)
            if filler := self._filler(outside):
                yield self._say(filler, calls)
            for note in await self._results():
                yield note
        else:
            async with aclosing(self._do(calls)) as actions:
                async for action in actions:
                    yield action
        self._steps = self._history.exchanges[-1].steps

    def _filler(self, calls: Sequence[ToolCall]) -> str:
        """Words for a wait, unless there have been some."""
        if all(task.done() for task in self._using) or self._said or any(step.words for step in self._steps):
            return ""
        return self._means.tools.filler(calls)

    async def _results(self) -> list[Note]:
        """Until the tools that are used are done: what became of them is put into the history."""
        outcomes = await asyncio.gather(*(asyncio.shield(task) for task in self._using))
        *before, last = self._history.exchanges
        *steps, step = last.steps
        found = iter(outcomes)
        results = tuple(TOO_EARLY if call.name in self._means.abilities else next(found).result for call in step.calls)
        self._history = History((*before, last)).answered(*steps, Step(step.words, step.calls, results))
        self._using = ()
        return [outcome.note for outcome in outcomes]

    async def _do(self, calls: Sequence[ToolCall]) -> AsyncGenerator[BrainAction, None]:
        """What the model does with the call itself."""
        results: list[str] = []
        for call in calls:
            try:
                ability = self._means.abilities.read(call)
            except ToolFailed as error:
                results.append(error.message)
                self._write(Step(self._said, tuple(calls), tuple(results)))
                continue
            words = speakable(ability.words or ("" if self._said else ability.otherwise))
            if words and words not in self._said:
                yield self._say(words)
            self._write(Step(self._said, tuple(calls), (*results, INTERRUPTED)))
            yield ability.action
            results.append(ability.result)
            self._write(Step(self._said, tuple(calls), tuple(results)))
            if isinstance(ability.action, Transfer):  # nobody would ask for more if it had been arranged
                return
