"""A model's server on a real socket, which answers as each test says: well, badly, slowly, or not at all."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.brains.n8n_server import Exchange, N8nServer, Play
from trunkline.settings import AgentSettings
from trunkline.settings.openai import OpenAISettings

KEY = "sk-test-4711"


class ModelServer(N8nServer):
    """`plays` answer the requests in order, then "Fine."; `files` are what tools find, by any method."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def asked(self) -> list[dict[str, Any]]:
        """Bodies of the requests for completions."""
        return [exchange.fields for exchange in self.exchanges if exchange.path == "/v1/chat/completions"]

    def _play(self, exchange: Exchange) -> Play:
        if exchange.path.startswith("/files/"):
            return self.files[exchange.path.removeprefix("/files/")]
        return self.plays.pop(0) if self.plays else says("Fine.")


def agent_of(server: ModelServer, *, manners: dict[str, Any] | None = None, **openai: Any) -> AgentSettings:
    given = {"base_url": server.url, "api_key": KEY, "model": "small", **openai}
    return AgentSettings(
        brain="openai", openai=OpenAISettings(**given), **{"greeting": "Hello there.", **(manners or {})}
    )


def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    """One `chat.completion.chunk`, as OpenAI sends it."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "small"}
    return {**head, "choices": [choice]}


def says(*steps: object, reason: str | None = "stop", done: bool = True) -> Play:
    """A stream. Texts are pieces of the answer, dictionaries chunks as they are, numbers pauses in seconds, bytes go
    out bare. `None` breaks the connection off; without a `reason` the answer ends without one.
    """

    async def play(exchange: Exchange) -> None:
        exchange.head(200, "text/event-stream", Transfer_Encoding="chunked")
        last = [chunk({}, reason)] if reason else []
        for step in [chunk({"role": "assistant", "content": "", "refusal": None}), *steps, *last]:
            match step:
                case None:
                    return
                case int() | float():
                    await exchange.writer.drain()
                    await asyncio.sleep(step)
                case bytes():
                    exchange.chunk(step)
                case str():
                    exchange.chunk(event(chunk({"content": step})))
                case _:
                    exchange.chunk(event(step))
        if done:
            exchange.chunk(b"data: [DONE]\n\n")
        exchange.chunk(b"")

    return play


def event(data: object) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def uses(*tools: tuple[str, object], words: str = "") -> Play:
    """The model says `words`, then wants these tools: names with arguments, which come in pieces."""
    steps: list[object] = [words] if words else []
    for index, (name, arguments) in enumerate(tools):
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        first = {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": ""}}
        steps.append(chunk({"tool_calls": [first]}))
        for piece in (text[:3], text[3:]):
            steps.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
    return says(*steps, reason="tool_calls")


def error(status: int, message: str = "No.", code: str | None = None, **headers: str) -> Play:
    """OpenAI's error object."""

    async def play(exchange: Exchange) -> None:
        body = json.dumps({"error": {"message": message, "type": "error", "param": None, "code": code}}).encode()
        exchange.head(status, "application/json", Content_Length=str(len(body)), **headers)
        exchange.send(body)

    return play
