"""One real n8n for all these tests, with every workflow they need, and the stand-in for the models behind it.

`make parts-n8n` fetches it; where that wasn't done the tests are skipped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from fastapi import FastAPI, Request

from tests.real_n8n import workflows
from tests.web.serving import serving
from trunkline.brains import make_brain
from trunkline.n8n.fetch import find_n8n
from trunkline.n8n.instance import private_n8n
from trunkline.n8n.workflows import openai_credential
from trunkline.ports import (
    Brain,
    BrainAction,
    BrainSession,
    CallBriefing,
    HangUp,
    PersonTurn,
    Say,
    SpeechToText,
    TextToSpeech,
)
from trunkline.rehearsal.openai_stand_in import openai_stand_in, stand_in_engines
from trunkline.settings import AgentSettings, Settings

KEY = "sk-of-the-tests"


class Overheard:
    """A brain whose words are kept."""

    def __init__(self, brain: Brain) -> None:
        self._brain = brain
        self.said: list[str] = []

    async def open(self, briefing: CallBriefing) -> BrainSession:
        return _Session(await self._brain.open(briefing), self.said)

    async def close(self) -> None:
        await self._brain.close()


class _Session:
    def __init__(self, session: BrainSession, said: list[str]) -> None:
        self._session = session
        self._said = said

    def turn_ahead(self) -> None:
        self._session.turn_ahead()

    def greet(self) -> AsyncGenerator[BrainAction, None]:
        return self._session.greet()

    async def reply(self, turn: PersonTurn) -> AsyncGenerator[BrainAction, None]:
        async for action in self._session.reply(turn):
            if isinstance(action, Say):
                self._said.append(action.text)
            yield action

    def fork(self) -> BrainSession | None:
        return None

    async def close(self) -> None:
        await self._session.close()


class Recounting:
    """A brain that repeats all it was told, in order: what it forgets or mixes up shows. Hangs up after two."""

    async def open(self, briefing: CallBriefing) -> BrainSession:
        return _Recounter()

    async def close(self) -> None:
        pass


class _Recounter:
    def __init__(self) -> None:
        self._told: list[str] = []

    def turn_ahead(self) -> None:
        pass

    async def greet(self) -> AsyncGenerator[BrainAction, None]:
        yield Say("Hello.")

    async def reply(self, turn: PersonTurn) -> AsyncGenerator[BrainAction, None]:
        self._told.append(turn.text)
        yield Say(f"You told me: {' / '.join(self._told)}")
        if len(self._told) == 2:
            yield HangUp()

    def fork(self) -> BrainSession | None:
        return None

    async def close(self) -> None:
        pass


@dataclass
class RealN8n:
    """What runs for these tests."""

    url: str
    folder: Path
    chat: Overheard
    ears: SpeechToText
    voice: TextToSpeech
    calls: list[dict[str, Any]] = field(default_factory=list)
    """Bodies that were posted to `/call`."""

    def webhook(self, path: str) -> str:
        return f"{self.url}/webhook/{path}"

    def executions(self, workflow_id: str) -> list[str]:
        """How that workflow's runs ended, in order, by n8n's own database."""
        file = next((self.folder / ".n8n").glob("database.sqlite"))
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            rows = database.execute(
                "select status from execution_entity where workflowId = ? order by id", (workflow_id,)
            )
            return [status for (status,) in rows]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def n8n(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RealN8n]:
    program = find_n8n()
    if program is None:
        pytest.skip("there is no n8n: make parts-n8n")
    folder = tmp_path_factory.mktemp("n8n")
    calls: list[dict[str, Any]] = []
    async with AsyncExitStack() as stack:
        _, ears, voice = await stack.enter_async_context(stand_in_engines(Settings()))
        chat = Overheard(make_brain(AgentSettings()))
        models = [
            await stack.enter_async_context(openai_stand_in(brain, ears, voice, key=KEY))
            for brain in (chat, Recounting())
        ]
        service = await stack.enter_async_context(serving(_call_desk(calls)))
        credentials = [openai_credential(KEY, url) for url in models]
        credentials[1] = replace(credentials[1], id="recounting", name="Recounting")
        conversation = workflows.shipped("n8n-workflow-template.json")
        streaming = workflows.shipped("n8n-streaming-template.json")
        place_call = workflows.shipped("n8n-trigger-call-workflow.json")
        wanted = [
            conversation,
            streaming,
            workflows.shipped("n8n-call-finished-workflow.json"),
            *(workflows.seed("seed-v1", 1), workflows.seed("seed-v2", 2), workflows.seed_raw("seed-raw")),
            *(workflows.speaks("speaks"), workflows.voice("speaks-voice"), workflows.slow("slow")),
            workflows.variant(place_call, "place-call", **{"http://127.0.0.1:3030": service}),
            workflows.variant(conversation, "recount").with_credentials(credentials[1:]),
            workflows.variant(streaming, "recount-streaming").with_credentials(credentials[1:]),
        ]
        running = private_n8n(program, folder, workflows=wanted, credentials=credentials)
        yield RealN8n(await stack.enter_async_context(running), folder, chat, ears, voice, calls)


def _call_desk(calls: list[dict[str, Any]]) -> FastAPI:
    """Takes calls as `POST /call` does, and places none."""
    app = FastAPI()

    @app.post("/call", status_code=202)
    async def call(request: Request) -> dict[str, str]:
        body = await request.json()
        calls.append(body)
        return {"message": "Call initiated", "phoneNumber": body["phoneNumber"], "sessionId": "one", "status": "queued"}

    return app
