"""The body of a chat completion → words and tool calls, as soon as they are known. Pure: bytes in, events out.

Server-sent events of `chat.completion.chunk`, ended by `[DONE]`; or one `chat.completion`, from servers that don't
stream. Source: OpenAI's API reference (chat completions).
"""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass
from typing import Any, Final

from trunkline.brains.openai_faults import ModelFault, ModelFaultKind, of_error

LARGEST: Final = 4_000_000
"""Bytes of one completion; each token comes in about 300."""
_MOST_CALLS: Final = 32


@dataclass(frozen=True, slots=True)
class Words:
    """The next piece of what it says."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """It wants a tool to be used. `arguments` is JSON as the model wrote it, which may be wrong."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Ended:
    """It is complete. `reason`: `stop`, `length`, `tool_calls`, `content_filter`, or a server's own."""

    reason: str
    calls: tuple[ToolCall, ...]


CompletionEvent = Words | Ended


@dataclass(slots=True)
class _Call:
    """A tool call that is still being written."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class CompletionStream:
    """`feed` it the body, `finish` it at its end. Both raise `ModelFault` for what is no completion."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self.written = 0
        """Characters of words and arguments so far; what only keeps the connection alive is no progress."""
        self._rest = ""
        self._size = 0
        self._events = False
        self._reason = ""
        self._done = False
        self._calls: list[_Call] = []
        self._newest: dict[int, _Call] = {}

    def feed(self, data: bytes) -> list[CompletionEvent]:
        self._size += len(data)
        if self._size > LARGEST:
            raise ModelFault(ModelFaultKind.NO_COMPLETION, "it is far too large")
        self._rest += self._decoder.decode(data)
        if not self._events and self._rest.lstrip()[:1] in ("", "{", "[", "<"):
            return []  # one JSON value, or a page: nothing is known before its end
        self._events = True
        *lines, self._rest = self._rest.replace("\r\n", "\n").split("\n")
        return [event for line in lines for event in self._line(line)]

    def finish(self) -> list[CompletionEvent]:
        """At the end of the body, unless `Ended` has come."""
        if self._done:
            return []
        found = self._line(self._rest) if self._events else self._whole(self._rest)
        if not self._done and not self._reason:
            raise ModelFault(ModelFaultKind.BROKEN_OFF)
        return found if self._done else [*found, self._end()]

    def _line(self, line: str) -> list[CompletionEvent]:
        """Comments, which keep a connection alive, and names of events say nothing."""
        if self._done or not line.startswith("data:"):
            return []
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            if not self._reason:
                self._reason = "tool_calls" if self._calls else "stop"
            return [self._end()]
        try:
            chunk = json.loads(data)
        except ValueError as error:
            raise ModelFault(ModelFaultKind.STREAM_ERROR, "a chunk is no JSON") from error
        return self._choice(chunk, "delta")

    def _whole(self, text: str) -> list[CompletionEvent]:
        if not text.strip():
            raise ModelFault(ModelFaultKind.BROKEN_OFF if self._size == 0 else ModelFaultKind.NO_COMPLETION)
        try:
            completion = json.loads(text)
        except ValueError as error:
            broken = text.lstrip()[:1] == "{"
            raise ModelFault(ModelFaultKind.BROKEN_OFF if broken else ModelFaultKind.NO_COMPLETION) from error
        if not isinstance(completion, dict) or not (completion.get("choices") or completion.get("error")):
            raise ModelFault(ModelFaultKind.NO_COMPLETION)
        found = self._choice(completion, "message")
        self._reason = self._reason or "stop"
        return found

    def _choice(self, chunk: Any, part: str) -> list[CompletionEvent]:
        if not isinstance(chunk, dict):
            raise ModelFault(ModelFaultKind.NO_COMPLETION)
        if chunk.get("error"):
            raise of_error(chunk["error"])
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return []  # usage, or a provider's own remarks
        choice = choices[0]
        self._reason = str(choice.get("finish_reason") or self._reason)
        delta = choice.get(part)
        if not isinstance(delta, dict):
            return []
        calls = delta.get("tool_calls")
        for place, call in enumerate(calls if isinstance(calls, list) else ()):
            if isinstance(call, dict):
                self._call(call, place)
        # A refusal is a sentence of its own, meant for the person.
        said = delta.get("content") or delta.get("refusal")
        if not isinstance(said, str):
            return []
        self.written += len(said)
        return [Words(said)]

    def _call(self, piece: dict[str, Any], place: int) -> None:
        index = piece.get("index")
        index = index if isinstance(index, int) else place
        name, call = str(piece.get("id") or ""), self._newest.get(index)
        # Some servers give every call the same index, but its own id.
        if call is None or (name and call.id and name != call.id):
            if len(self._calls) >= _MOST_CALLS:
                return
            call = self._newest[index] = _Call(index)
            self._calls.append(call)
        call.id = name or call.id
        function = piece.get("function")
        if isinstance(function, dict):
            call.name += str(function.get("name") or "")
            given = function.get("arguments") or ""
            arguments = given if isinstance(given, str) else json.dumps(given)
            call.arguments += arguments
            self.written += len(arguments) + 1

    def _end(self) -> Ended:
        self._done = True
        calls = tuple(
            ToolCall(call.id or f"call_{place}", call.name, call.arguments)
            for place, call in enumerate(sorted(self._calls, key=lambda call: call.index))
        )
        return Ended(self._reason, calls)
