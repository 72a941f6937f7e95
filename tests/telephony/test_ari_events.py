"""What Asterisk tells, as recorded from Asterisk 22, and what we make of it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from trunkline.events import FarEndAnswered, FarEndGone, FarEndProgress, FarEndRinging
from trunkline.models import CallId
from trunkline.telephony.ari_events import ChannelNews, arrival_of, channel_of, message_of

CALL = CallId("547a82df-d097-4496-8b40-0c6d21a5e20a")


def channel(state: str = "Down") -> dict[str, Any]:
    return {
        "id": CALL,
        "name": "PJSIP/trunk-00000000",
        "state": state,
        "caller": {"name": "", "number": "+14155550100"},
        "connected": {"name": "", "number": ""},
        "dialplan": {"context": "trunkline-call", "exten": "media", "priority": 1},
    }


def state_change(state: str) -> dict[str, Any]:
    return {"type": "ChannelStateChange", "timestamp": "2026-01-01T00:00:00.000+0000", "channel": channel(state)}


def dial(status: str) -> dict[str, Any]:
    return {"type": "Dial", "dialstatus": status, "forward": "", "dialstring": "trunk", "peer": channel()}


def last_answer(text: str, eventname: str = "TrunklineFarEndGone") -> dict[str, Any]:
    userevent = {"eventname": eventname, "tech": text}
    return {"type": "ChannelUserevent", "eventname": eventname, "userevent": userevent, "channel": channel()}


def destroyed(cause: int, tech_cause: int | None = None) -> dict[str, Any]:
    message = {"type": "ChannelDestroyed", "cause": cause, "cause_txt": "…", "channel": channel()}
    return message if tech_cause is None else {**message, "tech_cause": tech_cause}


def test_an_answered_call() -> None:
    call = ChannelNews(CALL)
    messages = [
        dial(""),
        state_change("Ringing"),
        dial("RINGING"),
        dial("PROGRESS"),
        state_change("Up"),
        dial("ANSWER"),
        last_answer("SIP%20200%20OK"),
        destroyed(16),
    ]
    assert [event for message in messages if (event := call.event_of(message))] == [
        FarEndRinging(CALL),
        FarEndProgress(CALL),
        FarEndAnswered(CALL),
        FarEndGone(CALL, q850_cause=16),
    ]


@pytest.mark.parametrize(
    ("text", "cause", "tech_cause", "expected"),
    [
        ("SIP%20403%20Forbidden%2C%20really%3B%20yes", 21, 403, FarEndGone(CALL, 21, 403, "Forbidden, really; yes")),
        ("SIP%20486%20Busy%20Here", 17, 486, FarEndGone(CALL, 17, 486, "Busy Here")),
        ("SIP%20603%20", 21, 603, FarEndGone(CALL, 21, 603)),
        ("SIP%20480%20Temporarily%20Unavailable", 19, 480, FarEndGone(CALL, 19, 480, "Temporarily Unavailable")),
        # an Asterisk too old to know tech_cause
        ("SIP%20404%20Not%20Found", 1, None, FarEndGone(CALL, 1, 404, "Not Found")),
        # the ring timeout: 480 is Asterisk's invention
        ("SIP%20180%20Ringing", 19, 480, FarEndGone(CALL, 19)),
        ("", 19, 480, FarEndGone(CALL, 19)),
        # 32 s without any response
        ("", 18, 408, FarEndGone(CALL, 18, 408)),
        # hung up by us before any response; Asterisk ending
        ("", 16, None, FarEndGone(CALL, 16)),
        ("SIP%20180%20Ringing", 0, None, FarEndGone(CALL)),
    ],
)
def test_how_a_call_ended(text: str, cause: int, tech_cause: int | None, expected: FarEndGone) -> None:
    call = ChannelNews(CALL)
    assert call.event_of(last_answer(text)) is None
    assert call.event_of(destroyed(cause, tech_cause)) == expected


def test_every_fact_is_told_once() -> None:
    call = ChannelNews(CALL)
    messages = [state_change("Ringing"), state_change("Ringing"), destroyed(16), destroyed(16)]
    assert [event for message in messages if (event := call.event_of(message))] == [
        FarEndRinging(CALL),
        FarEndGone(CALL, 16),
    ]


def test_other_peoples_events_mean_nothing() -> None:
    call = ChannelNews(CALL)
    assert call.event_of(last_answer("SIP%20403%20Forbidden", eventname="Other")) is None
    assert call.event_of({"type": "ChannelVarset", "variable": "X", "value": "1", "channel": channel()}) is None
    assert call.event_of(destroyed(16)) == FarEndGone(CALL, 16)


def test_which_call_a_message_is_about() -> None:
    assert channel_of(dial("RINGING")) == CALL
    assert channel_of(destroyed(16)) == CALL
    assert channel_of({"type": "ApplicationReplaced", "application": "trunkline"}) is None
    assert channel_of({"type": "ChannelDestroyed", "channel": "no object"}) is None


@pytest.mark.parametrize("status", ["ANSWER", "BUSY", ""])
def test_how_a_transfer_went(status: str) -> None:
    call = ChannelNews(CALL)
    message = last_answer("SIP%20200%20OK")
    message["userevent"]["transfer"] = status
    second_leg = {**dial("RINGING"), "peer": {**channel(), "id": "1764000000.7"}}
    assert channel_of(second_leg) != CALL, "its ringing is none of the call's"
    assert call.event_of(message) is None
    assert call.event_of(destroyed(16)) == FarEndGone(CALL, 16, transfer=status or None)


# ── fuzz ───────────────────────────────────────────────────────────────────────────────────────────────────────

JUNK: tuple[Any, ...] = (
    None,
    True,
    -1,
    1e300,
    10**30,
    "",
    "x" * 300,
    "\ud800",
    [],
    [[]],
    {},
    {"id": []},
    {"id": CALL},
    {"number": {}},
)


def twisted(value: Any, chance: random.Random) -> Any:
    """The same with some of its parts put in another's place, doubled or left out."""
    if chance.random() < 0.06:
        return chance.choice(JUNK)
    if isinstance(value, dict):
        return {name: twisted(part, chance) for name, part in value.items() if chance.random() > 0.03}
    return [twisted(part, chance) for part in value] * chance.choice((1, 1, 2)) if isinstance(value, list) else value


def test_a_hundred_thousand_twisted_messages_break_nothing() -> None:
    chance = random.Random(8088)
    arrived = {"type": "StasisStart", "args": ["arrived"], "channel": channel()}
    honest = [dial("PROGRESS"), state_change("Up"), last_answer("SIP%20403%20No"), destroyed(16, 486), arrived]
    events = arrivals = 0
    for _ in range(100_000):
        text = bytearray(json.dumps(twisted(chance.choice(honest), chance)).encode())
        for _ in range(chance.choice((0, 0, 1, 5))):
            text[chance.randrange(len(text))] = chance.randrange(256)
        message = message_of(bytes(text))
        if message is not None and channel_of(message) is not None:
            events += ChannelNews(CALL).event_of(message) is not None
            arrivals += arrival_of(message, CALL) is not None
    assert events > 10_000 and arrivals > 1_000


@pytest.mark.parametrize("text", ["", "[]", "1", "null", "{", "[" * 100_000, b"\xff\xfe", '"channel"'])
def test_what_is_no_event(text: str | bytes) -> None:
    assert message_of(text) is None
