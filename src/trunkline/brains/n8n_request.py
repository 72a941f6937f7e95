"""What a workflow is sent: the welcome as JSON, a turn as a form with the recording. Pure.

The seed's fields (`mode`, `caller_id`, `unique_id`, `file`) keep their names and meaning; the others are new. What
identifies call and turn stands in the query string as well: n8n's first Webhook node loses the fields of a form.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import struct
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from trunkline.audio import SAMPLE_BYTES, SAMPLE_RATE, bytes_of
from trunkline.models import Speaker
from trunkline.ports import CallBriefing, PersonTurn

SHORTEST: Final = 0.5
"""Seconds of recording that are always sent: transcription services refuse less than 0.1 s, and a turn in keys has
none at all."""

_ROLES: Final = {Speaker.AGENT: "assistant", Speaker.PERSON: "user"}


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """One POST, but for the address's own query and what authenticates it."""

    query: str
    content_type: str
    body: bytes
    signed: str
    """What a signature covers, behind the time: `mode.call_id.turn.sha256-of-the-file` (of nothing: empty)."""


def welcome(call: CallBriefing) -> WebhookRequest:
    """The call begins; what shall be said first?"""
    fields: dict[str, object] = {"mode": "welcome", **_call(call), "turn": 0, "variables": call.variables}
    if call.so_far:
        fields["history"] = [{"role": _ROLES[turn.speaker], "content": turn.text or turn.keys} for turn in call.so_far]
    return WebhookRequest(
        _query("welcome", call, 0),
        "application/json",
        json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace"),
        f"welcome.{call.call_id}.0.",
    )


def process_input(
    call: CallBriefing, turn: PersonTurn, *, heard: str, interrupted: bool, transcribed: bool
) -> WebhookRequest:
    """The person's turn. `heard`: what they heard of the last answer; `transcribed`: whether its words are known."""
    wav = wav_of(turn.audio)
    fields = {
        "mode": "process_input",
        **_call(call),
        "turn": str(turn.number),
        "variables": json.dumps(call.variables, ensure_ascii=False),
        "heard": heard,
        "interrupted": "true" if interrupted else "false",
        **({"transcript": turn.text} if transcribed else {}),
        **({"keys": turn.keys} if turn.keys else {}),
        **({"notes": "\n".join(turn.notes)} if turn.notes else {}),
        **({"withheld": "true"} if turn.hidden else {}),
    }
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode("utf-8", "replace")
        for name, value in fields.items()
    ]
    file = 'Content-Disposition: form-data; name="file"; filename="turn.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    body = b"".join([*parts, f"--{boundary}\r\n{file}".encode(), wav, f"\r\n--{boundary}--\r\n".encode()])
    return WebhookRequest(
        _query("process_input", call, turn.number),
        f"multipart/form-data; boundary={boundary}",
        body,
        f"process_input.{call.call_id}.{turn.number}.{hashlib.sha256(wav).hexdigest()}",
    )


def signature(secret: str, timestamp: int, signed: str) -> str:
    """`X-Trunkline-Signature`: HMAC-SHA256 of `timestamp.signed`, in hex."""
    return hmac.new(secret.encode(), f"{timestamp}.{signed}".encode(), hashlib.sha256).hexdigest()


def wav_of(pcm: bytes) -> bytes:
    """8 kHz, 16 bit, mono; short audio is followed by silence."""
    pcm = pcm.ljust(bytes_of(SHORTEST), b"\0")
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + len(pcm), b"WAVE", b"fmt ", 16, 1, 1, SAMPLE_RATE, SAMPLE_RATE * SAMPLE_BYTES),
        *(SAMPLE_BYTES, 8 * SAMPLE_BYTES, b"data", len(pcm)),
    )
    return head + pcm


def _call(call: CallBriefing) -> dict[str, str]:
    return {
        "caller_id": call.number,
        "unique_id": call.call_id,
        "call_id": call.call_id,
        "direction": call.direction.value,
        "context": call.agent,
        "phone_number": call.number,
        **({"our_number": call.caller_id} if call.caller_id else {}),
    }


def _query(mode: str, call: CallBriefing, turn: int) -> str:
    return urlencode(
        {
            "mode": mode,
            "call_id": call.call_id,
            "unique_id": call.call_id,
            "caller_id": call.number,
            "turn": turn,
        }
    )
