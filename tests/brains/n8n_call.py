"""A whole conversation with the n8n brain and a real socket, in virtual time: the loop's clock is the media clock."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.brains.n8n_server import N8nServer
from tests.conversation.booth import CALL, Booth
from trunkline.brains import make_brain
from trunkline.events import CallNoted
from trunkline.models import Direction
from trunkline.ports import CallBriefing, CallControl
from trunkline.settings import AgentSettings, N8nSettings

BRIEFING = CallBriefing(
    call_id=CALL,
    direction=Direction.OUTBOUND,
    agent="clinic",
    number="+14155550123",
    caller_id="+14155550100",
    variables={"name": "Jürgen & Söhne"},
)
REAL_TIME = 0.0003
DECODING_TIME = 0.005
"""Seconds that really pass per frame, at least: threads that decode audio are no part of virtual time."""


class N8nBooth(Booth):
    """`server` plays the workflow."""

    server: N8nServer

    @property
    def notes(self) -> list[CallNoted]:
        return [update for update in self.updates if isinstance(update, CallNoted)]

    @property
    def faults(self) -> list[object]:
        return [note.event.data["fault"] for note in self.notes if note.event.kind == "brain-fault"]

    async def ask(self, seconds: float = 1.0) -> float:
        """The person's turn; returns when it ended."""
        return await self.say(seconds)

    async def until_said(self, words: str, seconds: float = 30.0) -> None:
        """Until the agent's turn with these words is over."""
        await self.until(lambda: any(words in turn.text for turn in self.turns), seconds)

    async def _tick(self, frame: bytes) -> None:
        await super()._tick(frame)
        decoding = any(thread.name.startswith("decode") for thread in threading.enumerate())
        time.sleep(DECODING_TIME if decoding else REAL_TIME)  # noqa: ASYNC251 - others shall get their share
        await self._settle()


def agent_of(server: N8nServer, *, manners: dict[str, Any] | None = None, **n8n: Any) -> AgentSettings:
    return AgentSettings(
        brain="n8n",
        n8n=N8nSettings(**{"webhook_url": server.url, **n8n}),
        **{"filler_after_seconds": 1.2, **(manners or {})},
    )


@asynccontextmanager
async def call(
    server: N8nServer, agent: AgentSettings, *texts: str, control: CallControl | None = None, greeted: bool = True
) -> AsyncIterator[N8nBooth]:
    """A call from the answer on; when the block is left, the person hangs up, and nothing may be left open."""
    before = asyncio.all_tasks()
    loop = asyncio.get_running_loop()
    brain = make_brain(agent)
    mind = await brain.open(BRIEFING)
    booth = N8nBooth(mind, *(texts or ("one", "two", "three", "four")), agent=agent, control=control)  # type: ignore[arg-type]
    booth.server = server
    real = loop.time
    booth.start = booth.now = real()
    loop.time = lambda: booth.now  # type: ignore[method-assign]
    try:
        preparing = asyncio.create_task(booth.conversation.prepare())
        booth.ending = asyncio.create_task(booth.conversation.hold(booth, booth.recorder))
        if greeted:
            await booth.until(lambda: bool(booth.turns), 20)
        yield booth
        booth.hang_up()
        await asyncio.wait([booth.ending])
        await preparing
        await brain.close()
        for _ in range(400):  # the other side sees our connections close
            if not server.connections:
                break
            await booth._settle()
            time.sleep(REAL_TIME)  # noqa: ASYNC251
        assert server.connections == 0, "a connection is left open"
        await booth._settle()
        left = {task for task in asyncio.all_tasks() - before if not task.get_name().startswith("server")}
        assert not left, f"tasks are left: {left}"
    finally:
        loop.time = real  # type: ignore[method-assign]
