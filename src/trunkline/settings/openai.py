"""Settings of a language model behind an agent, and of the tools it may use."""

from __future__ import annotations

import os
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from trunkline.settings.fallback import FallbackSettings
from trunkline.settings.section import E164, TRANSFER_NAME, Section

OPENAI_HOST = "api.openai.com"
PROMPT = (
    "You are a friendly assistant on the telephone. Everything you write is spoken aloud: answer in one or two short "
    "sentences, without lists, markdown or emoji. Ask one question at a time. What the person says was transcribed and "
    "may be misheard: ask when it makes no sense. Say goodbye and hang up when the person is done."
)
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _header_checked(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, value in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            raise ValueError(f"{name!r} is no header: its name has no blanks and no colon")
        if not re.fullmatch(r"[\x20-\x7e]+", value.get_secret_value()):
            raise ValueError(f"the value of {name} must be printable ASCII, in one line")
    return headers


def _checked(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@?#]+(?:[/?][^\s#]*)?", url):
        raise ValueError("write the address as https://example.com/v1; a key goes into api_key or headers")
    return url


Headers = Annotated[dict[str, SecretStr], AfterValidator(_header_checked)]
WebAddress = Annotated[str, AfterValidator(_checked)]


class HttpToolSettings(Section):
    """`[agents.NAME.openai.tools.TOOL]`: something the model may look up or do, by one HTTP request."""

    description: str
    """What it does and when to use it; the model decides by this."""
    url: str
    """Where: `{argument}` stands for an argument of that name, anywhere behind the host."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    """How. What doesn't stand in the URL goes into the query of GET and DELETE, otherwise into a JSON body."""
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    """JSON schema of the arguments (an object); what doesn't fit it is never sent."""
    fixed: dict[str, str] = Field(default_factory=dict)
    """Arguments the model neither sees nor sets: `{number}`, `{call_id}` and the call's variables are filled in."""
    headers: Headers = Field(default_factory=dict)
    """Headers of the request, as `Authorization`."""
    timeout_seconds: float = Field(8.0, ge=0.5, le=60)
    """Longest time for the whole request."""
    filler: str | None = None
    """Said while it takes its time; empty: nothing; not set: `tool_filler`."""
    allow_private: bool = False
    """Whether the address may be this machine's or in a private network."""
    secret_arguments: tuple[str, ...] = ()
    """Arguments that are kept out of the call's history."""
    secret_result: bool = False
    """Keep its result out of the call's history."""

    @field_validator("url")
    @classmethod
    def _web_address(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^\s/@?#{}]+(?:[/?][^\s#]*)?", url):
            raise ValueError("write the address as https://example.com/api/{argument}: no argument in the host")
        return url


class McpServerSettings(Section):
    """`[agents.NAME.openai.mcp.SERVER]`: a server of the Model Context Protocol, whose tools the model may use."""

    url: WebAddress
    """Address of its streamable HTTP transport, as `https://example.com/mcp`."""
    headers: Headers = Field(default_factory=dict)
    """Headers of every request, as `Authorization`."""
    only: tuple[str, ...] = ()
    """Names of the tools that may be used; empty: all it has."""
    timeout_seconds: float = Field(8.0, ge=0.5, le=60)
    """Longest time for one tool."""
    secret_arguments: tuple[str, ...] = ()
    """Arguments that are kept out of the call's history."""
    secret_result: bool = False
    """Keep results out of the call's history."""


class OpenAISettings(FallbackSettings):
    """`[agents.NAME.openai]`: the model behind an agent whose `brain` is `openai`, and what happens when it fails."""

    base_url: WebAddress = f"https://{OPENAI_HOST}/v1"
    """Address of any server that speaks OpenAI's chat completions, up to and with its version."""
    model: str = "gpt-4.1-mini"
    """Its name there."""
    api_key: SecretStr | None = None
    """Sent as `Authorization: Bearer KEY`; not set: `OPENAI_API_KEY` of the environment, for OpenAI's own address."""
    headers: Headers = Field(default_factory=dict)
    """More headers, as `api-key`."""
    body: dict[str, Any] = Field(default_factory=dict)
    """More of the request's body, as `reasoning_effort`; replaces what Trunkline would send."""
    prompt: str = PROMPT
    """The system prompt. `{number}`, `{direction}`, `{today}`, `{time}` and the call's variables are filled in."""
    temperature: float | None = Field(None, ge=0, le=2)
    """Not set: the server's own."""
    max_tokens: int = Field(400, ge=16, le=16384)
    """Longest answer in tokens."""
    history_characters: int = Field(24000, ge=2000, le=1_000_000)
    """Conversation that is sent along, beside the prompt (four characters are about a token); the oldest goes first."""
    speculate: bool = False
    """Ask in every pause, in the hope that the turn is over: answers come earlier, and up to twice as many are paid."""
    connect_seconds: float = Field(3.0, ge=0.1, le=30)
    """Longest time to connect."""
    welcome_seconds: float = Field(5.0, ge=0.5, le=60)
    """Longest wait for the greeting, from dialling on; then `welcome_fallback`."""
    answer_seconds: float = Field(10.0, ge=1, le=120)
    """Longest wait for the first words; keep it below the agent's `give_up_after_seconds`."""
    stall_seconds: float = Field(4.0, ge=0.5, le=60)
    """Longest pause inside an answer that is on its way."""
    longest_answer: int = Field(2000, ge=100, le=20000)
    """Characters of one answer that are spoken; the rest is left out."""
    transfers: dict[str, str] = Field(default_factory=dict)
    """Whom the model may put the person through to: name = number (E.164), or the name of a `[transfers.NAME]`."""
    keys: bool = False
    """Whether the model may press keys, to find its way through another system's menu."""
    discreet: bool = False
    """Whether the model may have nothing kept of what is said, as while a card number is told (docs/control.md)."""
    tool_filler: str = "One moment, let me look."
    """Said when a tool takes longer than a quarter of a second and nothing was said before; empty: nothing."""
    tool_rounds: int = Field(4, ge=1, le=20)
    """How often in one answer the model may use tools before it has to speak."""
    tools: dict[str, HttpToolSettings] = Field(default_factory=dict)
    """Tools by name."""
    mcp: dict[str, McpServerSettings] = Field(default_factory=dict)
    """MCP servers by name; needs `trunkline[mcp]`."""

    @model_validator(mode="before")
    @classmethod
    def _key_of_environment(cls, values: Any) -> Any:
        """Only for OpenAI itself: a key must not go to whatever address somebody tries."""
        key = os.environ.get("OPENAI_API_KEY", "").strip()
        if not key or not isinstance(values, dict) or "api_key" in values:
            return values
        return {**values, "api_key": key} if _host(values.get("base_url")) == OPENAI_HOST else values

    @field_validator("api_key")
    @classmethod
    def _one_line(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not re.fullmatch(r"[\x21-\x7e]+", key.get_secret_value()):
            raise ValueError("a key is printable ASCII without blanks")
        return key

    @field_validator("transfers")
    @classmethod
    def _numbers(cls, transfers: dict[str, str]) -> dict[str, str]:
        for name, number in transfers.items():
            if not (E164.fullmatch(number) or TRANSFER_NAME.fullmatch(number)):
                raise ValueError(f"{name} = {number!r} is neither a number as +14155550100 nor a transfer's name")
        return transfers

    @field_validator("tools")
    @classmethod
    def _tool_names(cls, tools: dict[str, HttpToolSettings]) -> dict[str, HttpToolSettings]:
        for name in tools:
            if not _TOOL_NAME.fullmatch(name):
                raise ValueError(f"tool name {name!r}: letters, digits, - and _ only, at most 64")
        return tools


def _host(url: object) -> str | None:
    return OPENAI_HOST if url is None else urlsplit(str(url)).hostname
