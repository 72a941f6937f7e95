"""AGI (Asterisk Gateway Interface), bytes in and events out: what `AGI(agi://…)` in a dialplan speaks over TCP.

Asterisk sends the environment, ends it with an empty line, and then answers one line for each command of ours. Between
those it may say `HANGUP`, once: the channel is dead, and only variables can still be read and set.

    ENVIRONMENT ── empty line ──▶ COMMANDS ⟲ reply, HANGUP          anything else ──▶ ProtocolError

Source: Asterisk 22 `res/res_agi.c` and docs.asterisk.org, Asterisk Gateway Interface.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from trunkline.errors import ProtocolError

MAX_LINE: Final = 8192
"""Bytes; Asterisk gives no value longer than 4096."""
MAX_ENVIRONMENT: Final = 200
"""Lines: some twenty of Asterisk's own, and at most 128 arguments."""
MAX_LINES_OF_REPLY: Final = 50
"""A wrong command is answered with its whole description."""
MAX_COMMAND: Final = 2000
"""Bytes; Asterisk reads no line longer than 2048."""

DEAD: Final = 511
"""Code of a command that a channel which has hung up can't follow."""

_VARIABLE = re.compile(rb"(agi_[a-z0-9_]{1,60}):[ ]?(.*)", re.DOTALL)
_REPLY = re.compile(
    r"(?P<code>[0-9]{3}) result=(?P<result>-?[0-9A-D*#]{0,20})"
    r"(?: \((?P<value>.*)\))?(?: endpos=(?P<endpos>[0-9]{1,15}))?",
    re.DOTALL,
)
_REFUSAL = re.compile(r"(?P<code>5[0-9]{2})[ -](?P<text>.*)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Asked:
    """The environment: which channel is handed to whom."""

    environment: Mapping[str, str]
    """`agi_channel`, `agi_callerid` …, without the prefix."""
    agent: str = ""
    """The path of the address."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Of the address (`?mode=record`) and, where they read `name=value`, of the arguments behind it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a command."""

    code: int
    """200: it was followed; 510, 511, 520: it was not."""
    result: str = ""
    """Most often a number: -1 for a failure or a hang-up, 0, or the ASCII code of the key that was pressed."""
    value: str | None = None
    """What stood in parentheses: a variable's value, or why a recording ended."""
    samples: int = 0
    """`endpos`: how far playing or recording came, in samples."""

    @property
    def failed(self) -> bool:
        return self.code != 200 or self.result.startswith("-")

    @property
    def key(self) -> str:
        """The key that was pressed; empty: none."""
        code = int(self.result) if self.code == 200 and self.result.isdigit() else 0
        return chr(code) if code < 128 and chr(code) in "0123456789*#ABCD" else ""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The channel is dead."""


Event = Asked | Reply | HungUp


class AgiParser:
    """Reads one connection. Holds at most one unfinished line, the environment and one unfinished reply."""

    def __init__(self) -> None:
        self._pending = b""
        self._environment: dict[str, str] | None = {}
        """`None` when it is complete."""
        self._lines: list[str] = []
        """Of a reply that goes on."""

    def feed(self, data: bytes) -> Iterator[Event]:
        """Events of the next bytes, however TCP cut them. Iterate to the end before feeding more.

        The iteration raises `ProtocolError` after the events that came before the fault; never feed again then.
        """
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            if len(line) > MAX_LINE:
                raise ProtocolError("AGI: a line is too long.")
            event = self._read(line.removesuffix(b"\r"))
            if event is not None:
                yield event
        if len(self._pending) > MAX_LINE:
            raise ProtocolError("AGI: a line is too long.")

    def _read(self, line: bytes) -> Event | None:
        if self._environment is not None:
            return self._variable(self._environment, line)
        if not self._lines and line == b"HANGUP":
            return HungUp()
        return self._reply(line.decode("utf-8", "replace"))

    def _variable(self, environment: dict[str, str], line: bytes) -> Asked | None:
        if not line:
            self._environment = None
            return _asked(environment)
        match = _VARIABLE.fullmatch(line)
        if match is None or len(environment) >= MAX_ENVIRONMENT:
            raise ProtocolError("AGI: the environment can't be read.")
        environment.setdefault(match[1].decode().removeprefix("agi_"), match[2].decode("utf-8", "replace"))
        return None

    def _reply(self, line: str) -> Reply | None:
        """A value may hold line ends, and the description of a command goes over many lines."""
        self._lines.append(line)
        first, text = self._lines[0], "\n".join(self._lines)
        if (match := _REPLY.fullmatch(text)) is not None:
            self._lines = []
            return Reply(int(match["code"]), match["result"], match["value"], int(match["endpos"] or 0))
        refusal = _REFUSAL.fullmatch(first)
        if refusal is not None and (first[3] == " " or (len(self._lines) > 1 and line.startswith(f"{first[:3]} "))):
            self._lines = []
            return Reply(int(refusal["code"]), value=refusal["text"])
        goes_on = refusal is not None or re.match(r"[0-9]{3} result=-?[0-9A-D*#]{0,20} \(", first)
        if not goes_on or len(self._lines) >= MAX_LINES_OF_REPLY or len(text) > 2 * MAX_LINE:
            raise ProtocolError(f"AGI: {line[:60]!r} is no answer.")
        return None


def command(verb: str, *arguments: object) -> bytes:
    """A line that Asterisk reads as this command. Control characters become blanks: a line end would begin another one.

    Raises `ValueError` when it is longer than Asterisk reads.
    """
    quoted = (_CONTROL.sub(" ", str(argument)).replace("\\", "\\\\").replace('"', '\\"') for argument in arguments)
    line = " ".join([verb, *(f'"{argument}"' for argument in quoted)]).encode("utf-8", "replace") + b"\n"
    if len(line) > MAX_COMMAND:
        raise ValueError(f"an AGI command of {len(line)} bytes")
    return line


def _asked(environment: Mapping[str, str]) -> Asked:
    path, _, query = environment.get("network_script", "").partition("?")
    arguments = (value for name, value in environment.items() if re.fullmatch(r"arg_[0-9]+", name))
    named = (argument.partition("=") for argument in arguments)
    parameters = {name: value for name, equals, value in named if equals and name}
    if query:
        parts = (part.partition("=") for part in query.split("&", MAX_ENVIRONMENT))
        # A plus stays one: it begins a number.
        parameters = {unquote(name): unquote(value) for name, _, value in parts if name} | parameters
    return Asked(environment, unquote(path).strip("/"), parameters)
