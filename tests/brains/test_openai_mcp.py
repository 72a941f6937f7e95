"""Tools of a real MCP server, on a real socket, made with the official SDK."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.brains.n8n_call import BRIEFING
from tests.brains.openai_server import ModelServer, agent_of, says, uses
from trunkline.brains import make_brain
from trunkline.brains.openai_chat import OpenAIBrain
from trunkline.ports import BrainAction, Note, PersonTurn

PATIENCE = 10.0
"""Seconds; far more than anything here takes."""


class Clinic:
    """An MCP server with three tools. `headers` are those of the newest request."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.booked: list[str] = []
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.sock.getsockname()[1]
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    async def start(self) -> None:
        app: ASGIApp = self._tools().streamable_http_app()

        async def noted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                self.headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            await app(scope, receive, send)

        config = uvicorn.Config(noted, log_config=None, lifespan="on", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[self.sock]))

    async def stop(self) -> None:
        assert self._server is not None and self._task is not None
        self._server.should_exit = True
        await self._task

    async def restart(self) -> None:
        await self.stop()
        self.sock = socket.create_server(("127.0.0.1", self.port))
        await self.start()

    def _tools(self) -> MCPServer:
        server = MCPServer("clinic")

        @server.tool(description="Book a day.")
        async def book(day: str) -> str:
            await asyncio.sleep(0.1)
            self.booked.append(day)
            return f"Booked {day}."

        @server.tool(name="free.times", description="Free times.")
        def free(day: str) -> str:
            raise ToolError(f"{day} is a holiday.")

        @server.tool(description="Gives a refund.")
        def refund() -> str:
            return "No."

        return server


@asynccontextmanager
async def clinic() -> AsyncIterator[Clinic]:
    found = Clinic()
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


@asynccontextmanager
async def brain_of(server: ModelServer, **mcp: Any) -> AsyncIterator[OpenAIBrain]:
    brain = make_brain(agent_of(server, mcp={"clinic": mcp}))
    assert isinstance(brain, OpenAIBrain)
    try:
        yield brain
    finally:
        await brain.close()


async def answer(brain: OpenAIBrain) -> list[BrainAction]:
    async with asyncio.timeout(PATIENCE):
        session = await brain.open(BRIEFING)
        return [action async for action in session.reply(PersonTurn(1, "Book Monday.", b""))]


def told(server: ModelServer) -> list[str]:
    return [message["content"] for message in server.asked[-1]["messages"] if message["role"] == "tool"]


async def test_a_model_uses_the_tools_of_an_mcp_server() -> None:
    wanted = uses(("book", {"day": "Monday"}), ("book", {"day": "Friday"}), ("free_times", {"day": "Sunday"}))
    async with clinic() as mcp, ModelServer(wanted, says("Booked.")) as server:
        async with brain_of(server, url=mcp.url, headers={"X-Key": "mcp-secret"}, only=["book", "free.times"]) as brain:
            notes = [action for action in await answer(brain) if isinstance(action, Note)]
        assert mcp.headers["x-key"] == "mcp-secret"
        offered = {tool["function"]["name"]: tool["function"] for tool in server.asked[0]["tools"]}
        assert set(offered) == {"hang_up", "book", "free_times"}
        assert offered["book"]["description"] == "Book a day."
        assert offered["book"]["parameters"]["required"] == ["day"]
        assert sorted(mcp.booked) == ["Friday", "Monday"]
        assert told(server)[:2] == ["Booked Monday.", "Booked Friday."]
        assert "Sunday is a holiday." in json.loads(told(server)[2])["error"]
        assert [note.data["failed"] for note in notes] == [False, False, True]


async def test_wrong_arguments_never_reach_the_server() -> None:
    async with clinic() as mcp, ModelServer(uses(("book", {"day": 7})), says("Which day?")) as server:
        async with brain_of(server, url=mcp.url) as brain:
            await answer(brain)
        assert not mcp.booked
        assert "is not of type 'string'" in json.loads(told(server)[0])["error"]


async def test_a_server_that_was_restarted_is_used_again() -> None:
    """The first use may find the old connection broken, which the model is told; the next one is well."""
    plays = [
        uses(("book", {"day": day})) if day else says("Well.") for day in ("Monday", "", "Friday", "", "Friday", "")
    ]
    async with clinic() as mcp, ModelServer(*plays) as server, brain_of(server, url=mcp.url) as brain:
        await answer(brain)
        assert told(server) == ["Booked Monday."]
        await mcp.restart()
        await answer(brain)
        if told(server) != ["Booked Friday."]:
            assert "error" in json.loads(told(server)[0])
            await answer(brain)
        assert told(server) == ["Booked Friday."]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/mcp", "the model's own server"])
async def test_without_its_server_the_model_does_without_its_tools(url: str) -> None:
    async with ModelServer() as server:
        async with brain_of(server, url=url if url.startswith("http") else server.url) as brain:
            await answer(brain)
        completion = next(asked for asked in server.asked if asked.get("model"))
        assert [tool["function"]["name"] for tool in completion["tools"]] == ["hang_up"]
