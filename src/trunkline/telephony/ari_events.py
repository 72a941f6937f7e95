"""What Asterisk tells of calls, turned into our events. Knows no connection: JSON in, events out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from trunkline.events import FarEndAnswered, FarEndGone, FarEndProgress, FarEndRinging, LegEvent
from trunkline.models import ANONYMOUS, Arrival, CallId
from trunkline.telephony.asterisk_config import ARRIVED, GONE_EVENT

WANTED: Final = ("StasisStart", "ChannelStateChange", "Dial", "ChannelUserevent", "ChannelDestroyed")
"""The kinds of event that matter here; Asterisk is asked to send no others."""

_NO_ANSWER: Final = 19
"""Q.850 cause of a call Asterisk itself gave up because the ring timeout was over."""


def message_of(text: str | bytes) -> Mapping[str, Any] | None:
    """The event in a message of the websocket; `None` where it holds none."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def channel_of(message: Mapping[str, Any]) -> str | None:
    """The channel the event is about: of a call we dialled, its id is our call's."""
    match message.get("channel") or message.get("peer"):
        case {"id": str(channel)}:
            return channel
    return None


def arrival_of(message: Mapping[str, Any], call_id: CallId) -> Arrival | None:
    """The call that the event brings, if it brings one: it gets that id."""
    match message:
        case {"type": "StasisStart", "args": [str(kind), *_], "channel": {"caller": {**caller}, "dialplan": {**place}}}:
            if kind != ARRIVED:
                return None
            number, called = str(caller.get("number") or ""), str(place.get("exten") or "")
            return Arrival(call_id, number if re.fullmatch(r"\+?[0-9]+", number) else ANONYMOUS, called)
    return None


class ChannelNews:
    """Remembers what was told of a call's channel, so that every fact is reported once."""

    def __init__(self, call_id: CallId) -> None:
        self.call_id = call_id
        self._told: set[type] = set()
        self._answer = ""
        self._transfer: str | None = None

    def event_of(self, message: Mapping[str, Any]) -> LegEvent | None:
        """What the message means for this call, if it is news."""
        event = self._translate(message)
        if event is None or type(event) in self._told:
            return None
        self._told.add(type(event))
        return event

    def _translate(self, message: Mapping[str, Any]) -> LegEvent | None:
        match message:
            case {"type": "ChannelStateChange", "channel": {"state": "Ringing"}}:
                return FarEndRinging(self.call_id)
            case {"type": "ChannelStateChange", "channel": {"state": "Up"}}:
                return FarEndAnswered(self.call_id)
            case {"type": "Dial", "dialstatus": "PROGRESS"}:
                return FarEndProgress(self.call_id)
            case {"type": "ChannelUserevent", "eventname": eventname, "userevent": {"tech": str(answer), **told}} if (
                eventname == GONE_EVENT
            ):
                self._answer = unquote(answer)
                self._transfer = str(told.get("transfer") or "") or None
            case {"type": "ChannelDestroyed"}:
                return self._gone(message)
        return None

    def _gone(self, message: Mapping[str, Any]) -> FarEndGone:
        cause = message.get("cause")
        q850 = cause if isinstance(cause, int) and cause > 0 else None
        # "SIP 403 Forbidden": the last response to our INVITE, as our hang-up handler reports it.
        answer = re.fullmatch(r"SIP (\d{3})(?: (.*))?", self._answer, re.DOTALL)
        if answer is not None and int(answer[1]) >= 300:
            return FarEndGone(self.call_id, q850, int(answer[1]), answer[2] or None)
        code = message.get("tech_cause")
        # No final response came. Asterisk then sets 408 when its INVITE ran into the void (RFC 3261 §8.1.3.1), which is
        # worth telling, and 480 when it gave up ringing, which the carrier never said.
        if answer is None and isinstance(code, int) and code >= 300 and q850 != _NO_ANSWER:
            return FarEndGone(self.call_id, q850, code)
        return FarEndGone(self.call_id, q850, transfer=self._transfer)
