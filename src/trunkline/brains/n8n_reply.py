"""What an answer's JSON asks for: the names that workflows use, in all the wrappings they use. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from trunkline.brains.n8n_faults import FaultKind, N8nFault, of_text

TEXT_KEYS: Final = (
    "text_response", "textResponse", "text", "response", "output", "answer", "reply", "content", "message"
)  # fmt: skip
AUDIO_KEYS: Final = ("audio_url", "audioUrl", "audioURL")
HANG_UP_KEYS: Final = ("hangup", "hang_up", "hangUp")
TRANSFER_KEYS: Final = ("transfer", "transfer_to", "transferTo")
DISCREET_KEY: Final = "discreet"
ABOUT_KEY: Final = "about"
KEY_KEYS: Final = ("dtmf", "send_dtmf", "sendDtmf")
RESULTS_KEY: Final = "results"
_MOST_RESULTS: Final = 20
_WRAPPINGS: Final = ("json", "data", "body", "result")
"""Keys whose object is the answer itself, where nothing else is known of the outer one."""
_ERROR_KEYS: Final = frozenset({"hint", "stacktrace", "stackTrace", "stack", "errorMessage", "error"})
_DEEPEST: Final = 6

DIGITS: Final = re.compile(r"[0-9*#A-Da-dwW,]{1,64}")


@dataclass(frozen=True, slots=True)
class Reply:
    """One thing to do; what is heard comes first, then keys, then the end."""

    text: str = ""
    audio_url: str | None = None
    keys: str = ""
    transfer: str | None = None
    about: str = ""
    """Of that transfer, for whoever is asked first."""
    hang_up: bool = False
    discreet: bool | None = None
    """Whether nothing that is said is kept from then on; `None`: as before."""
    results: Mapping[str, str] = field(default_factory=dict)
    """What was found out, by name."""

    @property
    def silent(self) -> bool:
        return not self.text and self.audio_url is None


def replies(value: Any) -> list[Reply]:
    """Everything a JSON value asks for, in order.

    Raises `N8nFault` where it is n8n's report of a failure, or nothing that could be said or done.
    """
    found = _read(value, 0)
    if not found:
        raise N8nFault(FaultKind.UNKNOWN_REPLY, _shape(value))
    return found


def _read(value: Any, depth: int) -> list[Reply]:
    found: list[Reply] = []
    match value:
        case _ if depth > _DEEPEST or isinstance(value, bool):
            pass
        case str():
            found = _of_text(value, depth)
        case int() | float():
            found = [Reply(str(value))]
        case list():
            found = [reply for item in value for reply in _read(item, depth + 1)]
        case dict():
            found = _of_object(value, depth)
    return found


def _of_text(text: str, depth: int) -> list[Reply]:
    """A string, which may be JSON itself: a Respond node inside a stream, a model that answers in JSON."""
    stripped = unfenced(text)
    if stripped[:1] in ("{", "[") and (inner := _parsed(stripped)) is not None:
        return _read(inner, depth + 1)
    if not stripped:
        return []
    if (fault := of_text(text)) is not None:
        raise N8nFault(fault)
    return [Reply(text.strip())]


def _of_object(value: dict[str, Any], depth: int) -> list[Reply]:
    said: list[Reply] = []
    url = next((value[key] for key in AUDIO_KEYS if isinstance(value.get(key), str) and value[key].strip()), None)
    for key in TEXT_KEYS:
        if value.get(key) is None:
            continue
        if _is_report(value, key):
            raise N8nFault(of_text(str(value[key])) or FaultKind.ERROR_TEXT)
        if said := _read(value[key], depth + 1):
            break
    if url is not None:
        said = [Reply(" ".join(reply.text for reply in said), url.strip())]
    discreet = _discreet(value)
    if discreet:
        said.insert(0, Reply(discreet=True))
    ends = Reply(
        keys=_keys(value),
        transfer=(transfer := _number(value)),
        about="" if transfer is None else _about(value),
        hang_up=_yes(value, HANG_UP_KEYS),
        discreet=False if discreet is False else None,
    )
    if ends != Reply():
        said.append(ends)
    if said:
        results = _results(value)
        return [*said, Reply(results=results)] if results else said
    if value.get("error"):
        raise N8nFault(FaultKind.ERROR_TEXT)
    for key in _WRAPPINGS:
        if isinstance(value.get(key), dict | list) and (said := _read(value[key], depth + 1)):
            return said
    return []


def _is_report(value: dict[str, Any], key: str) -> bool:
    """`message` beside a code, a hint or a stack is n8n's word to us, not the agent's to the person."""
    return key == "message" and ("code" in value or not _ERROR_KEYS.isdisjoint(value))


def _yes(value: dict[str, Any], keys: tuple[str, ...]) -> bool:
    return any(value.get(key) in (True, 1, "true", "True", "yes", "1") for key in keys)


def _discreet(value: dict[str, Any]) -> bool | None:
    wanted = value.get(DISCREET_KEY)
    return None if wanted is None else _yes(value, (DISCREET_KEY,))


def _number(value: dict[str, Any]) -> str | None:
    for key in TRANSFER_KEYS:
        wanted = value.get(key)
        if isinstance(wanted, dict):
            wanted = wanted.get("to") or wanted.get("number")
        if isinstance(wanted, str | int) and not isinstance(wanted, bool) and str(wanted).strip():
            return str(wanted).strip()
    return None


def _about(value: dict[str, Any]) -> str:
    """Of a transfer, in its own object or beside it."""
    inner = next((value[key] for key in TRANSFER_KEYS if isinstance(value.get(key), dict)), value)
    about = inner.get(ABOUT_KEY)
    return about.strip() if isinstance(about, str) else ""


def _keys(value: dict[str, Any]) -> str:
    for key in KEY_KEYS:
        wanted = value.get(key)
        if isinstance(wanted, str | int) and not isinstance(wanted, bool):
            digits = str(wanted).replace(" ", "")
            return digits if DIGITS.fullmatch(digits) else ""
    return ""


def _results(value: dict[str, Any]) -> dict[str, str]:
    """Those that are no objects or lists themselves."""
    found = value.get(RESULTS_KEY)
    pairs = list(found.items())[:_MOST_RESULTS] if isinstance(found, dict) else []
    return {name[:40]: str(result)[:400] for name, result in pairs if isinstance(result, str | int | float)}


def unfenced(text: str) -> str:
    """Without the ```json … ``` that models like to put around it."""
    text = text.strip()
    match = re.fullmatch(r"```(?:json)?\s*(.*?)\s*```", text, re.DOTALL)
    return match[1] if match else text


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _shape(value: Any) -> str:
    """What it is, without its contents: they may be private."""
    match value:
        case dict():
            return f"an object with {', '.join(sorted(map(str, value))[:8]) or 'nothing in it'}"
        case list():
            return "an empty array" if not value else "an array"
    return f"{value!r:.20}"
