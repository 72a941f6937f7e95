"""What every model can do with its call, as tools: put the person through, press keys, hang up. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from trunkline.brains.n8n_reply import DIGITS
from trunkline.brains.openai_stream import ToolCall
from trunkline.brains.tools import ToolSpec, arguments_of, validator
from trunkline.errors import ToolFailed
from trunkline.ports import Discreet, HangUp, SendKeys, Transfer
from trunkline.settings.openai import OpenAISettings

GOODBYE: Final = "Goodbye."
PUT_THROUGH: Final = "I'll put you through."
NOT_ARRANGED: Final = "It could not be arranged, and the person was told so."
TOO_EARLY: Final = "Not done yet: look at the other results, tell the person, and then use it again."
NOTHING_KEPT: Final = "Nothing that is said or keyed is kept from now on, until you are discreet no more."
OPTIONAL: Final = ("words", "about")
INTERRUPTED: Final = "Not done: the person spoke before."


@dataclass(frozen=True, slots=True)
class Ability:
    """Something to do when everything said before has been heard."""

    action: Transfer | SendKeys | HangUp | Discreet
    words: str
    """To say before, where the answer has none; may be empty."""
    otherwise: str
    """What is said instead of nothing."""
    result: str
    """What the model is told, should the call go on behind it."""


class Abilities:
    """Those that an agent's settings allow."""

    def __init__(self, settings: OpenAISettings) -> None:
        self._transfers = settings.transfers
        specs = [_HANG_UP]
        if settings.transfers:
            specs.append(_transfer(tuple(settings.transfers)))
        if settings.keys:
            specs.append(_SEND_KEYS)
        if settings.discreet:
            specs.append(_BE_DISCREET)
        self._specs = {spec.name: spec for spec in specs}
        self._validators = {spec.name: validator(spec) for spec in specs}

    def specs(self) -> list[ToolSpec]:
        return list(self._specs.values())

    def __contains__(self, name: str) -> bool:
        return name in self._specs

    def read(self, call: ToolCall) -> Ability:
        """Raises `ToolFailed` for arguments that don't fit."""
        given = arguments_of(call, self._validators[call.name])
        words = str(given.get("words", "")).strip()
        match call.name:
            case "transfer":
                action = Transfer(self._transfers[given["to"]], str(given.get("about", "")))
                return Ability(action, words, PUT_THROUGH, NOT_ARRANGED)
            case "send_keys":
                keys = given["keys"].replace(" ", "")
                if not DIGITS.fullmatch(keys):
                    raise ToolFailed("Keys are 0 to 9, * and #.")
                return Ability(SendKeys(keys), words, "", "The keys were pressed; what follows was heard behind them.")
            case "be_discreet":
                told = NOTHING_KEPT if given["on"] else "What is said is kept again."
                return Ability(Discreet(given["on"]), "", "", told)
        return Ability(HangUp(), words, GOODBYE, "The call ends.")

    def number(self, wanted: str) -> str | None:
        """The number a mark in the text names, by name or number; `None` where that is not one of ours."""
        plain = wanted.replace(" ", "")
        return self._transfers.get(wanted) or (plain if plain in self._transfers.values() else None)


def _spec(name: str, description: str, **properties: Any) -> ToolSpec:
    required = [key for key in properties if key not in OPTIONAL]
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return ToolSpec(name, description, schema, seconds=0)


_HANG_UP: Final = _spec(
    "hang_up",
    "End the call. Use it when the person has said goodbye or wants nothing more.",
    words={"type": "string", "description": "Your goodbye, if you haven't said it yet."},
)
_SEND_KEYS: Final = _spec(
    "send_keys",
    "Press keys on the telephone, to find the way through another system's menu.",
    keys={"type": "string", "description": "0 to 9, * and #; w waits half a second.", "minLength": 1},
)


_BE_DISCREET: Final = _spec(
    "be_discreet",
    "Have nothing kept of what is said and keyed. Use it before you ask for a card number or a password, and again, "
    "with false, when you have it.",
    on={"type": "boolean"},
)


def _transfer(names: tuple[str, ...]) -> ToolSpec:
    return _spec(
        "transfer",
        "Put the person through to a colleague; you leave the call.",
        to={"type": "string", "enum": list(names)},
        about={"type": "string", "description": "For the colleague: who it is and what they want, in a few words."},
        words={"type": "string", "description": "What to say before, if you haven't said it yet."},
    )
