"""Made-up calls for tests that judge or show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trunkline.rehearsal.reception import Reception
from trunkline.rehearsal.report import CallReport, ClockReport, KeyPress, SaidTurn, Span

PUNCTUAL = ClockReport(
    late=False,
    frames=500,
    sending_p99_ms=0.3,
    sending_max_ms=1.0,
    reading_p99_ms=0.3,
    reading_max_ms=1.0,
    shifted_frames=0,
)


def spoken(step: int, began: float, ended: float, text: str = "Yes.", gap_ms: float | None = None) -> SaidTurn:
    """One utterance of the person."""
    return SaidTurn(
        number=step,
        text=text,
        began=began,
        ended=ended,
        interrupted=False,
        gap_ms=gap_ms,
        reply_began=None,
        reply_ended=None,
        stop_ms=None,
        late_ms=0.0,
        step=step,
    )


def call_report(
    *agent: tuple[float, float],
    said: Sequence[SaidTurn] = (),
    pressed: Sequence[KeyPress] = (),
    **more: Any,
) -> CallReport:
    """An answered call of ten seconds in which the agent spoke in these times and all steps were played."""
    fields: dict[str, Any] = {
        "sip_call_id": "abc",
        "number": "+14155550123",
        "caller_id": "+14155550100",
        "person": "talks",
        "invited_at": "2026-01-01T00:00:00.000+00:00",
        "outcome": "answered",
        "ended_by": "person",
        "problems": (),
        "codec": "ulaw",
        "answer_after_ms": 1.0,
        "ack_after_ms": 1.0,
        "greeting_ms": round(agent[0][0] * 1000, 1) if agent else None,
        "greeting_from_ack_ms": None,
        "duration": 10.0,
        "turns": tuple(said),
        "agent_speech": tuple(Span(*span) for span in agent),
        "keys_sent": "".join(press.keys for press in pressed),
        "keys_heard": "",
        "received": Reception().summary(),
        "stray_datagrams": 0,
        "unsent_packets": 0,
        "clock": PUNCTUAL,
        "sip": (),
        "recording": None,
        "presses": tuple(pressed),
        "steps_done": 99,
    }
    return CallReport(**(fields | more))
