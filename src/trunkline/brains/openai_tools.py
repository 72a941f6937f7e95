"""The tools of an agent's model: those of its settings at once, those of MCP servers when they have been asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from trunkline.brains.http_tool import HttpTool
from trunkline.brains.mcp_tools import McpServer
from trunkline.brains.openai_abilities import Abilities
from trunkline.brains.openai_stream import ToolCall
from trunkline.brains.tools import Outcome, Toolbox, ToolSpec
from trunkline.errors import BrainError, SettingsError
from trunkline.ports import CallBriefing
from trunkline.settings.openai import OpenAISettings

log = logging.getLogger(__name__)

_PATIENCE: Final = 1.0
"""Seconds an answer waits for MCP servers that are still being asked."""


class AgentTools:
    """One per agent. Raises `SettingsError` for tools that can't be."""

    def __init__(self, settings: OpenAISettings) -> None:
        self._filler = settings.tool_filler
        self._http = [HttpTool(name, tool) for name, tool in settings.tools.items()]
        self._box = Toolbox(self._http, taken=[spec.name for spec in Abilities(settings).specs()])
        self._mcp = [McpServer(name, server) for name, server in settings.mcp.items()]
        self._unknown = list(self._mcp)
        self._asking: asyncio.Task[None] | None = None

    def prepare(self) -> None:
        """A call begins: ask the MCP servers that have not been heard of yet."""
        if self._unknown and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._ask(), name="mcp tools")

    async def ready(self) -> None:
        if self._asking is not None and not self._asking.done():
            await asyncio.wait({self._asking}, timeout=_PATIENCE)

    async def listed(self) -> None:
        """Until every MCP server has been asked. Raises `BrainError` where one can't be."""
        for server in list(self._unknown):
            await self._add(server)

    def specs(self) -> list[ToolSpec]:
        return self._box.specs()

    def begin(self, calls: Sequence[ToolCall], call: CallBriefing) -> list[asyncio.Task[Outcome]]:
        return self._box.begin(calls, call)

    def filler(self, calls: Sequence[ToolCall]) -> str:
        """What is said while these are used."""
        own = {spec.name: spec.filler for spec in self.specs() if spec.filler is not None}
        return next((own[call.name] for call in calls if call.name in own), self._filler)

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self._box.close()
        for tool in self._http:
            await tool.close()
        for server in self._mcp:
            await server.close()

    async def _ask(self) -> None:
        await asyncio.gather(*(self._ask_one(server) for server in list(self._unknown)))

    async def _ask_one(self, server: McpServer) -> None:
        try:
            await self._add(server)
        except BrainError as error:
            log.warning("%s The model does without its tools.", error)

    async def _add(self, server: McpServer) -> None:
        tools = await server.tools()
        self._unknown.remove(server)
        for tool in tools:
            try:
                self._box.add(tool)
            except SettingsError as error:
                log.warning("The MCP server %s: %s The model does without that tool.", server.name, error)
