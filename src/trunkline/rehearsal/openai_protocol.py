"""The part of OpenAI's HTTP protocol that the stand-in speaks: what is asked, what is answered, what is refused. Pure.

Source: OpenAI's API reference (chat completions, audio transcriptions, audio speech, models, errors).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import HTTP
from typing import Any, Final

CHAT_MODELS: Final = ("gpt-4o-mini", "gpt-4o", "gpt-4.1-mini", "gpt-4.1", "gpt-5-mini")
EAR_MODELS: Final = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")
VOICE_MODELS: Final = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
MODELS: Final = (*CHAT_MODELS, *EAR_MODELS, *VOICE_MODELS)
CREATED: Final = 1_715_367_049
"""When the models were made, which their list tells; any time will do."""
LONGEST_INPUT: Final = 4096
"""Characters that may be spoken at a time."""


class Refused(Exception):
    """What the protocol answers with an error object."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        kind = "server_error" if status >= 500 else "invalid_request_error"
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


def check_key(authorization: str | None, key: str) -> None:
    """Raises `Refused` (401) unless the header is `Bearer KEY`."""
    kind, _, given = (authorization or "").partition(" ")
    if kind.lower() != "bearer" or not given.strip():
        raise Refused(401, "You didn't provide an API key. You need to provide it in an Authorization header.")
    if given.strip() != key:
        shown = given.strip()[:3] + "*" * 8 + given.strip()[-4:]
        raise Refused(401, f"Incorrect API key provided: {shown}.", code="invalid_api_key")


def known_model(body: Mapping[str, Any], among: tuple[str, ...]) -> str:
    """The model that was asked for. Raises `Refused`."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise Refused(400, "you must provide a model parameter", param="model")
    if model not in among:
        raise Refused(404, f"The model `{model}` does not exist.", param="model", code="model_not_found")
    return model


def models() -> dict[str, Any]:
    listed = [{"id": model, "object": "model", "created": CREATED, "owned_by": "stand-in"} for model in MODELS]
    return {"object": "list", "data": listed}


# ── chat ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def user_messages(body: Mapping[str, Any]) -> list[str]:
    """What the user said, message by message; remarks in brackets were not said. Raises `Refused`."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise Refused(400, "Missing required parameter: 'messages'.", param="messages")
    _check_results(messages)
    said = [_text(message.get("content")) for message in messages if message.get("role") == "user"]
    return [words for text in said if (words := re.sub(r"\[[^\]]*\]", "", text).strip()) or not text]


def tool_names(body: Mapping[str, Any]) -> set[str]:
    """The functions that may be called. Raises `Refused`."""
    tools = body.get("tools") or []
    try:
        names = {tool["function"]["name"] for tool in tools if tool["type"] == "function"}
    except (TypeError, KeyError) as error:
        raise Refused(400, "Missing required parameter: 'tools[].function.name'.", param="tools") from error
    if any(not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in names):
        raise Refused(400, "Invalid 'tools[].function.name': string does not match pattern.", param="tools")
    return set() if body.get("tool_choice") == "none" else names


def _check_results(messages: list[dict[str, Any]]) -> None:
    """Behind a message with tool calls stands a result for each of them, and none anywhere else. Raises `Refused`."""
    open_calls: set[str] = set()
    for message in messages:
        if message.get("role") == "tool":
            if message.get("tool_call_id") not in open_calls:
                text = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
                raise Refused(400, f"Invalid parameter: {text}", param="messages")
            open_calls.discard(message["tool_call_id"])
            continue
        if open_calls:
            break
        open_calls = {call["id"] for call in message.get("tool_calls") or []}
    if open_calls:
        text = "An assistant message with 'tool_calls' must be followed by tool messages responding to each of them."
        raise Refused(400, text, param="messages")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
    raise Refused(400, "Invalid type for 'messages[].content'.", param="messages")


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer of a chat, whole or in chunks."""

    id: str
    model: str
    created: int
    text: str
    prompt_tokens: int
    tool: str = ""
    """A function that is called behind the words, without arguments; empty: none."""

    @property
    def reason(self) -> str:
        return "tool_calls" if self.tool else "stop"

    @property
    def call(self) -> dict[str, Any]:
        function = {"name": self.tool, "arguments": "{}"}
        return {"id": f"call_{self.id[-24:]}", "type": "function", "function": function}

    @property
    def tokens(self) -> list[str]:
        """Words with the blanks in front of them: about what a model's tokens are."""
        return re.findall(r"\s*\S+|\s+$", self.text)

    @property
    def usage(self) -> dict[str, int]:
        made = len(self.tokens)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": made,
            "total_tokens": self.prompt_tokens + made,
        }

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.text, "refusal": None, "annotations": []}
        if self.tool:
            message["tool_calls"] = [self.call]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.reason}
        return self._head("chat.completion") | {"choices": [choice], "usage": self.usage}

    def chunks(self, *, with_usage: bool) -> Iterator[str]:
        """Server-sent events, to the end."""
        yield self._chunk({"role": "assistant", "content": "", "refusal": None}, None)
        for token in self.tokens:
            yield self._chunk({"content": token}, None)
        if self.tool:
            yield self._chunk({"tool_calls": [{"index": 0} | self.call]}, None)
        yield self._chunk({}, self.reason)
        if with_usage:
            yield _event(self._head("chat.completion.chunk") | {"choices": [], "usage": self.usage})
        yield "data: [DONE]\n\n"

    def _chunk(self, delta: Mapping[str, Any], reason: str | None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _event(self._head("chat.completion.chunk") | {"choices": [choice]})

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def _event(data: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


# ── audio ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form."""

    fields: Mapping[str, str]
    files: Mapping[str, bytes]


def form(content_type: str, body: bytes) -> Form:
    """Reads `multipart/form-data` (RFC 7578). Raises `Refused`."""
    message = message_from_bytes(b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body, policy=HTTP)
    if message.get_content_type() != "multipart/form-data" or not message.is_multipart():
        raise Refused(400, "Could not parse multipart form")
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            continue
        if part.get_filename() is None:
            fields[name] = content.decode("utf-8", "replace")
        else:
            files[name] = content
    return Form(fields, files)


def transcription(text: str, seconds: float, response_format: str, language: str) -> tuple[str, str]:
    """Content type and body of a transcription. Raises `Refused`."""
    match response_format:
        case "json":
            usage = {"type": "duration", "seconds": round(seconds)}
            return "application/json", json.dumps({"text": text, "usage": usage}, ensure_ascii=False)
        case "text":
            return "text/plain; charset=utf-8", f"{text}\n"
        case "verbose_json":
            found = {"task": "transcribe", "language": language, "duration": seconds, "text": text, "segments": []}
            return "application/json", json.dumps(found, ensure_ascii=False)
    raise Refused(400, f"response_format '{response_format}' is not supported here.", param="response_format")
