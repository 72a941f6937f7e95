"""What a model may use beside words: an agent's tools, checked before they run, and run at the same time."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from trunkline.brains.openai_stream import ToolCall
from trunkline.errors import SettingsError, ToolFailed
from trunkline.ports import CallBriefing, Note

log = logging.getLogger(__name__)

LONGEST_RESULT: Final = 6000
"""Characters of a result that the model is told."""
LONGEST_NOTE: Final = 500
"""Characters of a result or an argument in the call's history."""
MASK: Final = "••••••••"


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What the model is told about a tool, and what we need to know of it."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON schema of an object."""
    seconds: float
    """Longest time it may take."""
    filler: str | None = None
    """Said while it takes its time; `None`: the agent's."""
    secret_arguments: frozenset[str] = frozenset()
    secret_result: bool = False

    def wire(self) -> dict[str, Any]:
        """As OpenAI's `tools`."""
        function = {"name": self.name, "description": self.description, "parameters": dict(self.parameters)}
        return {"type": "function", "function": function}


class Tool(Protocol):
    @property
    def spec(self) -> ToolSpec: ...

    async def run(self, arguments: Mapping[str, Any], call: CallBriefing) -> str:
        """Its result, in words or JSON. Raises `ToolFailed`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A call of a tool, and what became of it."""

    result: str
    """What the model is told."""
    note: Note
    """What stands in the call's history."""


class Toolbox:
    """The tools of one agent. Raises `SettingsError` for a schema that is none and for two tools of one name.

    `taken`: names that mean something else.
    """

    def __init__(self, tools: Iterable[Tool], taken: Collection[str] = ()) -> None:
        self._taken = taken
        self._tools: dict[str, Tool] = {}
        self._validators: dict[str, Draft202012Validator] = {}
        self._running: set[asyncio.Task[Outcome]] = set()
        for tool in tools:
            self.add(tool)

    def add(self, tool: Tool) -> None:
        spec = tool.spec
        if spec.name in self._tools or spec.name in self._taken:
            raise SettingsError(f"Two tools are named {spec.name}.", remedy="Name them differently.")
        self._validators[spec.name] = validator(spec)
        self._tools[spec.name] = tool

    def specs(self) -> list[ToolSpec]:
        return [tool.spec for tool in self._tools.values()]

    def begin(self, calls: Sequence[ToolCall], call: CallBriefing) -> list[asyncio.Task[Outcome]]:
        """Run them all at once. A tool that was begun is seen through, even when nobody waits for it any more:
        half a booking is worse than one nobody hears of.
        """
        tasks = [asyncio.create_task(self._run(wanted, call), name=f"tool {wanted.name[:64]}") for wanted in calls]
        self._running.update(tasks)
        for task in tasks:
            task.add_done_callback(self._running.discard)
        return tasks

    async def close(self) -> None:
        """Returns when every tool is done or has used up its time."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _run(self, wanted: ToolCall, call: CallBriefing) -> Outcome:
        clock = asyncio.get_running_loop().time
        began, arguments, failed = clock(), {}, False
        tool = self._tools.get(wanted.name)
        try:
            if tool is None:
                raise ToolFailed(f"There is no tool {wanted.name!r}. There are: {', '.join(self._tools) or 'none'}.")
            arguments = arguments_of(wanted, self._validators[wanted.name])
            async with asyncio.timeout(tool.spec.seconds):
                result = await tool.run(arguments, call)
        except TimeoutError:
            failed, result = True, "The tool took too long; whether it had an effect is not known."
        except ToolFailed as error:
            failed, result = True, error.message
        except Exception:
            log.exception("The tool %.64s broke", wanted.name)
            failed, result = True, "The tool broke; whether it had an effect is not known."
        seconds = round(clock() - began, 3)
        # Whoever began it may be gone: then this line is all that tells of it.
        log.info(
            "Call %s: tool %.64s %s after %.2f s", call.call_id, wanted.name, "failed" if failed else "done", seconds
        )
        told = _shown(tool.spec if tool else None, arguments, result)
        return Outcome(
            json.dumps({"error": result}, ensure_ascii=False) if failed else _short(result, LONGEST_RESULT),
            _note(wanted.name[:64], {**told, "failed": failed, "seconds": seconds}),
        )


def validator(spec: ToolSpec) -> Draft202012Validator:
    """Raises `SettingsError` where the schema is none."""
    try:
        Draft202012Validator.check_schema(spec.parameters)
    except SchemaError as error:
        raise SettingsError(
            f"The parameters of the tool {spec.name} are no JSON schema: {error.message[:200]}.",
            remedy="Describe them as an object with properties, as json-schema.org does.",
        ) from error
    # An empty registry: a schema must not make us fetch other addresses.
    return Draft202012Validator(dict(spec.parameters), registry=Registry())


def arguments_of(wanted: ToolCall, schema: Draft202012Validator) -> dict[str, Any]:
    """The arguments, where they are what the tool's schema asks for. Raises `ToolFailed`."""
    try:
        arguments = json.loads(wanted.arguments or "{}")
    except ValueError as error:
        raise ToolFailed(f"The arguments are no JSON: {error}.") from error
    if not isinstance(arguments, dict):
        raise ToolFailed("The arguments must be a JSON object.")
    try:
        schema.validate(arguments)
    except ValidationError as error:
        where = f"{error.json_path}: " if error.path else ""
        raise ToolFailed(f"The arguments don't fit: {where}{error.message[:300]}.") from error
    except Unresolvable as error:
        raise ToolFailed("The tool's own description refers to what is not in it.") from error
    return arguments


def _note(name: str, data: Mapping[str, Any]) -> Note:
    text = f"The agent wanted to use {name}, which failed." if data["failed"] else f"The agent used {name}."
    return Note("tool", text, {"tool": name, **data})


def _shown(spec: ToolSpec | None, arguments: Mapping[str, Any], result: str) -> dict[str, Any]:
    """Arguments and result as the call's history may have them."""
    hidden = spec.secret_arguments if spec else frozenset()
    return {
        "arguments": {name: MASK if name in hidden else _brief(value) for name, value in arguments.items()},
        "result": MASK if spec and spec.secret_result else _short(result, LONGEST_NOTE),
    }


def _brief(value: Any) -> Any:
    return _short(value, LONGEST_NOTE) if isinstance(value, str) else value


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} … (cut)"
