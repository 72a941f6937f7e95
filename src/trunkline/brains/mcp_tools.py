"""Tools of a server of the Model Context Protocol, by the official SDK (the extra `trunkline[mcp]`).

https://modelcontextprotocol.io, streamable HTTP transport.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from trunkline.brains.tools import ToolSpec
from trunkline.errors import BrainError, SettingsError, ToolFailed
from trunkline.ports import CallBriefing
from trunkline.settings.openai import McpServerSettings

if TYPE_CHECKING:
    from mcp import Client

log = logging.getLogger(__name__)

_CONNECT_SECONDS: Final = 5.0
_REST_SECONDS: Final = 15.0
"""A server that couldn't be reached is left alone this long."""
_CONNECTION_CLOSED: Final = -32000
"""The SDK's own error code."""
_MOST_TOOLS: Final = 64


class McpServer:
    """One connection, kept by a task of its own: the SDK wants it closed where it was opened.

    It is opened by the first call that needs it, and anew after it broke.
    """

    def __init__(self, name: str, settings: McpServerSettings) -> None:
        """Raises `SettingsError` where the SDK is not installed."""
        self.name = name
        self.settings = settings
        self._keeper: asyncio.Task[None] | None = None
        self._client: asyncio.Future[Client] | None = None
        self._over = asyncio.Event()
        self._rests_until = 0.0
        try:
            import mcp  # noqa: F401, PLC0415 - a second and 60 MB, for those who use it
        except ImportError as error:
            raise SettingsError(
                f"openai.mcp.{name} needs the MCP SDK, which isn't installed.", remedy="Install trunkline[mcp]."
            ) from error

    async def tools(self) -> list[McpTool]:
        """What it offers. Raises `BrainError` when it can't be reached."""
        now = asyncio.get_running_loop().time()
        if now < self._rests_until:
            raise BrainError(f"The MCP server {self.name} couldn't be reached a moment ago.")
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                client = await self.client()
                found = (await client.list_tools()).tools
        except Exception as error:  # the SDK and what it stands on raise many kinds, and all mean this
            self._rests_until = asyncio.get_running_loop().time() + _REST_SECONDS
            self.drop()
            raise BrainError(
                f"The MCP server {self.name} can't be used: {_first(error)}.",
                remedy=f"Check openai.mcp.{self.name}.url and headers, and that the server runs.",
            ) from error
        wanted = self.settings.only
        return [
            McpTool(self, tool.name, tool.description or tool.name, tool.input_schema)
            for tool in found[:_MOST_TOOLS]
            if not wanted or tool.name in wanted
        ]

    async def client(self) -> Client:
        """The open connection. Raises what the SDK raises."""
        if self._client is None or (self._client.done() and (self._client.cancelled() or self._client.exception())):
            self._over = asyncio.Event()
            self._client = asyncio.get_running_loop().create_future()
            self._keeper = asyncio.create_task(self._keep(self._client, self._over), name=f"mcp {self.name}")
        return await asyncio.shield(self._client)

    def drop(self) -> None:
        """Something is wrong with the connection: the next one who needs it gets another."""
        self._over.set()
        self._client = None

    async def close(self) -> None:
        self.drop()
        if self._keeper is not None:
            await asyncio.wait({self._keeper}, timeout=_CONNECT_SECONDS)
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    async def _keep(self, ready: asyncio.Future[Client], over: asyncio.Event) -> None:
        import httpx2  # noqa: PLC0415
        from mcp import Client  # noqa: PLC0415
        from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

        headers = {name: value.get_secret_value() for name, value in self.settings.headers.items()}
        seconds = self.settings.timeout_seconds
        try:
            async with (
                httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(seconds, connect=_CONNECT_SECONDS)) as http,
                Client(
                    streamable_http_client(self.settings.url, http_client=http), read_timeout_seconds=seconds
                ) as mcp,
            ):
                ready.set_result(mcp)
                await over.wait()
        except Exception as error:  # noqa: BLE001 - a task's outermost frame; whoever waits for the connection is told
            if not ready.done():
                ready.set_exception(error)
            else:
                log.info("The connection to the MCP server %s broke: %s", self.name, _first(error))
                self._client = None if self._client is ready else self._client


class McpTool:
    """Fits `Tool`."""

    def __init__(self, server: McpServer, name: str, description: str, parameters: Mapping[str, Any]) -> None:
        settings = server.settings
        self._server = server
        self._name = name
        self.spec = ToolSpec(
            re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64],
            description,
            parameters,
            settings.timeout_seconds,
            secret_arguments=frozenset(settings.secret_arguments),
            secret_result=settings.secret_result,
        )

    async def run(self, arguments: Mapping[str, Any], call: CallBriefing) -> str:
        from mcp import MCPError  # noqa: PLC0415

        try:
            client = await self._server.client()
            result = await client.call_tool(self._name, dict(arguments))
        except MCPError as error:
            if error.code == _CONNECTION_CLOSED:
                self._server.drop()
            raise ToolFailed(str(error)) from error
        except Exception as error:  # as above
            self._server.drop()
            raise ToolFailed("The system behind this tool can't be reached.") from error
        texts = [text for part in result.content if isinstance(text := getattr(part, "text", None), str)]
        text = "\n".join(texts) or (json.dumps(result.structured_content) if result.structured_content else "Done.")
        if result.is_error:
            raise ToolFailed(text)
        return text


def _first(error: BaseException) -> str:
    """The cause inside of groups of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error).rstrip(".")[:200] or type(error).__name__
