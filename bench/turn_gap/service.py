"""The measured service, a process of its own: the whole house but its HTTP port, with a brain that need not think.

    python -m bench.turn_gap.service FOLDER TRUNK THINKS

`THINKS`: seconds the brain takes for each answer. The first line of output says that it is ready. Orders:
`"call" [[number, questions] …]` places calls in which the agent asks these one after the other, whatever is said, and
answers with what was measured when all have ended. Ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import uvloop

from bench.concurrency.orders import obey, tell
from trunkline.app import House, open_house
from trunkline.events import CallCreated, CallStateChanged, CallUpdate, GreetingStarted, TurnFinished
from trunkline.models import CallId, CallRequest, CallState
from trunkline.ports import Brain, BrainAction, BrainSession, CallBriefing, HangUp, PersonTurn, Say
from trunkline.settings import DEFAULT_AGENT, AgentSettings, ServiceSettings, Settings, TrunkSettings
from trunkline.settings_file import load

GOODBYE = "Thank you. That is all I wanted to know."


class Questionnaire:
    """Asks what the call's variables `1`, `2` … say, each after whatever was answered. Fits `ports.Brain`."""

    def __init__(self, thinks: float) -> None:
        self._thinks = thinks

    async def open(self, briefing: CallBriefing) -> BrainSession:
        return _Session(briefing.variables, self._thinks)

    async def close(self) -> None: ...


class _Session:
    def __init__(self, questions: dict[str, str], thinks: float) -> None:
        self._questions = questions
        self._thinks = thinks

    async def greet(self) -> AsyncGenerator[BrainAction, None]:
        yield Say(self._questions["1"])

    async def reply(self, turn: PersonTurn) -> AsyncGenerator[BrainAction, None]:
        if self._thinks:
            await asyncio.sleep(self._thinks)
        if (question := self._questions.get(str(turn.number + 1))) is not None:
            yield Say(question)
        else:
            yield Say(GOODBYE)
            yield HangUp()

    def turn_ahead(self) -> None:
        """Nothing to get ready."""

    def fork(self) -> BrainSession | None:
        # One that takes its time is like a workflow: it isn't asked before it is needed.
        return None if self._thinks else self

    async def close(self) -> None: ...


class Operator:
    """Places calls and keeps what the product says of each."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._calls: dict[CallId, dict[str, Any]] = {}
        self._ended: dict[CallId, asyncio.Event] = {}
        house.switchboard.watch(self._watch)

    async def call(self, calls: list[tuple[str, list[str]]]) -> list[dict[str, Any]]:
        return await asyncio.gather(*(self._call(number, questions) for number, questions in calls))

    async def _call(self, number: str, questions: list[str]) -> dict[str, Any]:
        variables = {str(place): question for place, question in enumerate(questions, start=1)}
        record = await self._house.switchboard.place_call(
            CallRequest(number=number, agent=DEFAULT_AGENT, variables=variables)
        )
        ended = self._ended.setdefault(record.id, asyncio.Event())
        await ended.wait()
        return self._calls[record.id]

    def _watch(self, update: CallUpdate) -> None:
        if isinstance(update, CallCreated):
            return
        told = self._calls.setdefault(update.call_id, {"gaps_ms": [], "steps": [], "greeting_ms": None})
        match update:
            case GreetingStarted(greeting_ms=greeting_ms):
                told["greeting_ms"] = greeting_ms
            case TurnFinished(turn=turn) if turn.timings is not None and turn.timings.gap_ms is not None:
                told["gaps_ms"].append(turn.timings.gap_ms)
                told["steps"].append(
                    {
                        "end of turn": turn.timings.endpointing_ms,
                        "transcription": turn.timings.transcription_ms,
                        "brain": turn.timings.brain_ms,
                        "synthesis": turn.timings.synthesis_ms,
                        "playout": turn.timings.playout_ms,
                    }
                )
            case CallStateChanged(state=CallState.ENDED):
                self._ended.setdefault(update.call_id, asyncio.Event()).set()
            case _:
                pass


def _settings(folder: Path, trunk: dict[str, Any]) -> Settings:
    machine = load()
    return Settings(
        service=ServiceSettings(data_dir=folder),
        asterisk=machine.asterisk,
        speech=machine.speech,
        trunk=TrunkSettings(**trunk),
        agents={DEFAULT_AGENT: AgentSettings()},
    )


async def main(folder: Path, trunk: dict[str, Any], thinks: float) -> None:
    def brains(agent: AgentSettings) -> Brain:
        return Questionnaire(thinks)

    async with open_house(_settings(folder, trunk), brains=brains) as house:
        operator = Operator(house)
        tell("ready")
        await obey({"call": operator.call})


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), json.loads(sys.argv[2]), float(sys.argv[3])))
