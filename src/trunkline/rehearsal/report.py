"""What one rehearsed call was like: `CallReport`, also as JSON. Seconds count from the answer (first 200 sent)."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from trunkline.rehearsal.reception import PacketLog, ReceptionSummary

LATE_MS = 20.0
"""Waking later than a frame tears the person's speech, and disturbs what is measured: `clock.late` is set."""


@dataclass(frozen=True, slots=True)
class SaidTurn:
    """One utterance of the person and what followed. See `measurement` for the definitions."""

    number: int
    """1, 2, 3 …"""
    text: str
    began: float
    ended: float
    interrupted: bool
    """The script meant it to fall into the agent's speech."""
    gap_ms: float | None
    """Turn gap; `None` when the agent did not answer before the person spoke again."""
    reply_began: float | None
    reply_ended: float | None
    stop_ms: float | None
    """Barge-in stop, where it fell into the agent's speech."""
    late_ms: float
    """Latest wake-up of this side between the utterance's end and the reply: how far the figures may be off."""
    step: int = 0
    """Number of the scenario's step that said it."""


@dataclass(frozen=True, slots=True)
class KeyPress:
    """Keys the person pressed."""

    keys: str
    step: int
    began: float
    ended: float
    """After the last key's last packet and a pause of 60 ms."""


@dataclass(frozen=True, slots=True)
class Span:
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class ClockReport:
    """How punctual the measuring side was."""

    late: bool
    """Some wake-up was more than a frame late, or frames had to be shifted: don't trust this call's figures."""
    frames: int
    sending_p99_ms: float
    sending_max_ms: float
    reading_p99_ms: float
    """Reading a packet after the kernel had stamped it; the figures use the kernel's stamp."""
    reading_max_ms: float
    shifted_frames: int


@dataclass(frozen=True, slots=True)
class SipLine:
    at: float
    """Seconds since the INVITE."""
    direction: str
    """`in` or `out`, as the carrier sees it."""
    line: str


@dataclass(frozen=True, slots=True)
class CallReport:
    """One call that reached a scripted person."""

    sip_call_id: str
    number: str
    caller_id: str
    person: str
    invited_at: str
    """UTC, ISO 8601."""
    outcome: str
    """`answered`, `busy`, `declined`, `no-answer` (the caller gave up) or `cancelled`."""
    ended_by: str
    """`person`, `caller` or `carrier`."""
    problems: tuple[str, ...]
    """What did not go as the script wanted, as sentences."""
    codec: str
    answer_after_ms: float | None
    """INVITE → 200."""
    ack_after_ms: float | None
    """200 → ACK."""
    greeting_ms: float | None
    """200 sent → first audible sample of the agent."""
    greeting_from_ack_ms: float | None
    """ACK received → first audible sample of the agent."""
    duration: float | None
    """Answer → end."""
    turns: tuple[SaidTurn, ...]
    agent_speech: tuple[Span, ...]
    keys_sent: str
    keys_heard: str
    received: ReceptionSummary
    stray_datagrams: int
    """What came to the call's port and was neither audio in the agreed codec nor keys."""
    unsent_packets: int
    """Packets to the agent that the kernel did not take."""
    clock: ClockReport
    sip: tuple[SipLine, ...]
    recording: str | None
    """File name of the stereo WAV beside this report: left the person, right the agent; it begins at the answer."""
    presses: tuple[KeyPress, ...] = ()
    steps_done: int = 0
    """How many of the scenario's steps were played before the call was over."""
    line: str = ""
    """What was wrong with the line, in words."""

    @property
    def agent_heard(self) -> bool:
        """The person heard the agent."""
        return bool(self.agent_speech)

    @property
    def person_heard(self) -> bool:
        """The agent heard the person, as far as can be told from here: it answered at least one utterance."""
        return any(turn.gap_ms is not None for turn in self.turns)

    @property
    def gaps_ms(self) -> tuple[float, ...]:
        return tuple(turn.gap_ms for turn in self.turns if turn.gap_ms is not None)


def to_json(report: CallReport, packets: PacketLog | None = None, *, answered: float = 0.0) -> str:
    """The report as JSON; with `packets` also every received one, as columns (arrival in ms since the answer)."""
    content = dataclasses.asdict(report)
    content |= {"agent_heard": report.agent_heard, "person_heard": report.person_heard}
    text = json.dumps(content, indent=2, ensure_ascii=False)
    if packets is None:
        return text + "\n"
    columns: dict[str, list[float] | list[int]] = {
        "arrival_ms": [round((at - answered) * 1000, 2) for at in packets.arrival],
        "sequence": packets.sequence.tolist(),
        "timestamp": packets.timestamp.tolist(),
        "ssrc": packets.ssrc.tolist(),
        "marker": list(packets.marker),
    }
    lines = ",\n".join(f'    "{name}": {json.dumps(values, separators=(",", ":"))}' for name, values in columns.items())
    return f'{text[: text.rindex("}")].rstrip()},\n  "packets": {{\n{lines}\n  }}\n}}\n'


def write(file: Path, report: CallReport, packets: PacketLog, answered: float) -> None:
    """Blocking; for a thread."""
    file.write_text(to_json(report, packets, answered=answered), encoding="utf-8")
