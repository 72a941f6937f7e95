"""What the voice detector, Smart Turn and Whisper make of the labelled turns: computed once, kept in a file.

The models run here one after the other, off the clock: how long each takes in a call is `end_of_turn.py`'s business.
A change of a turn or of this file makes its evidence anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bench.end_of_turn_data import LabelledTurn
from bench.processes import CpuMeter
from trunkline.audio import FRAME_BYTES, FRAME_SECONDS, bytes_of, seconds_of
from trunkline.conversation.turns import Hearing, TurnTaker
from trunkline.settings import AgentSettings, ListeningSettings
from trunkline.speech.silero import SileroDetector
from trunkline.speech.smart_turn import SmartTurnDetector
from trunkline.speech.whisper import WhisperSpeechToText

ASK_SECONDS: Final = 0.06
"""Silence, as the voice detector counts it, after which the models are asked."""
LATER_SECONDS: Final = 0.2
"""Silence after which Smart Turn is asked by those who use it alone."""
_RUN_UP_SECONDS: Final = 0.4
"""Audio from before speech was noticed, as `conversation/ear.py` keeps it."""
_PATIENT: Final = ListeningSettings(pause_seconds=2, end_silence_seconds=5, longest_silence_seconds=10)


_HINT: Final = AgentSettings().likely_words


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence inside or behind a turn, as the voice detector sees it. Seconds from the beginning of the audio."""

    begins: float
    resumes: float | None
    """When the turn-taker takes what comes for speech again; `None`: the turn is over."""
    finished: float | None = None
    """Smart Turn's probability after `ASK_SECONDS`; `None`: the silence was shorter."""
    finished_later: float | None = None
    """The same after `LATER_SECONDS`."""
    words: str | None = None
    """Whisper's transcript of the turn up to `ASK_SECONDS`."""
    confidence: float = 0.0
    trails_off: float = 0.0
    """That come with them."""
    smart_turn_cpu: float = 0.0
    whisper_cpu: float = 0.0
    """CPU seconds that `finished` and `words` took, to the kernel's 10 ms."""


@dataclass(frozen=True, slots=True)
class Heard:
    turn: LabelledTurn
    silences: tuple[Silence, ...]


class Witness:
    """Asks the product's own engines; whatever `kept` holds already is not asked again."""

    def __init__(self, smart_turn: SmartTurnDetector, whisper: WhisperSpeechToText, kept: Path) -> None:
        self._smart_turn = smart_turn
        self._whisper = whisper
        self._kept = kept
        self._detector = SileroDetector()
        self._method = Path(__file__).read_bytes()

    async def testify(self, turns: Iterable[LabelledTurn]) -> AsyncIterator[Heard]:
        known: dict[str, Any] = json.loads(self._kept.read_text()) if self._kept.exists() else {}
        used: dict[str, Any] = {}
        for turn in turns:
            key = hashlib.sha256(turn.audio + self._method).hexdigest()
            if key not in known:
                known[key] = [asdict(silence) for silence in await self._listen(turn.audio)]
                if len(used) % 20 == 0:
                    self._keep(known)
            used[key] = known[key]
            yield Heard(turn, tuple(Silence(**silence) for silence in used[key]))
        self._keep(used)

    def _keep(self, evidence: dict[str, Any]) -> None:
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        self._kept.write_text(json.dumps(evidence, indent=0))

    async def _listen(self, audio: bytes) -> list[Silence]:
        started, spans = self._spans(audio)
        start = bytes_of(max(0.0, started - _RUN_UP_SECONDS))
        silences = []
        for begins, resumes in spans:
            lasts = float("inf") if resumes is None else resumes - begins - _PATIENT.start_seconds
            if lasts < ASK_SECONDS:
                silences.append(Silence(begins, resumes))
                continue
            heard = audio[start : bytes_of(begins + ASK_SECONDS)]
            smart_turn_cpu, whisper_cpu = CpuMeter(self._smart_turn.pids[0]), CpuMeter(self._whisper.pids[0])
            finished = await self._smart_turn.finished(heard)
            words = await self._whisper.transcribe(heard, hint=_HINT)
            costs = smart_turn_cpu.own, whisper_cpu.own
            later = audio[start : bytes_of(begins + LATER_SECONDS)]
            finished_later = await self._smart_turn.finished(later) if lasts >= LATER_SECONDS else None
            silences.append(
                Silence(
                    begins, resumes, finished, finished_later, words.text, words.confidence, words.trails_off, *costs
                )
            )
        return silences

    def _spans(self, audio: bytes) -> tuple[float, list[tuple[float, float | None]]]:
        """When speech was first noticed to begin, and every silence after it."""
        voice, taker = self._detector.open(), TurnTaker(_PATIENT)
        started: float | None = None
        begins: float | None = None
        spans: list[tuple[float, float | None]] = []
        for start in range(0, len(audio) - FRAME_BYTES + 1, FRAME_BYTES):
            voice.push(audio[start : start + FRAME_BYTES])
            now = seconds_of(audio[: start + FRAME_BYTES])
            taker.hear(voice.probability, FRAME_SECONDS, agents_turn=False)
            if taker.state is Hearing.QUIET:
                continue
            started = now - taker.turn if started is None else started
            if begins is None and taker.silent > 0.0:
                begins = now - FRAME_SECONDS
            elif begins is not None and taker.voiced >= _PATIENT.start_seconds - FRAME_SECONDS / 2:
                spans.append((round(begins, 3), round(now, 3)))
                begins = None
        voice.close()
        if started is None or begins is None:
            raise ValueError("a labelled turn was not heard, or not to its end")
        return started, [*spans, (round(begins, 3), None)]
