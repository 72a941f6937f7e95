"""The measured service, a process of its own: the whole house but its HTTP port, with canned engines at the ports.

    python -m bench.concurrency.service FOLDER TRUNK canned|model|words

TRUNK: what the far end said, as JSON; `model`: with the real end-of-turn model, which is what a busy machine leaves out
first; `words`: with Whisper as well.

The first line of output is Asterisk's process id. Orders: `"place" calls per_second`, `"hang_up"`, `"open"` (an
account, from now on), `"report"`. Ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from bench.concurrency.canned import CannedBrain, CannedSpeechToText, CannedTextToSpeech, CannedTurnEnd
from bench.concurrency.orders import obey, tell
from bench.concurrency.voices import fluent_speech
from trunkline.app import House, open_house
from trunkline.conversation.conversation import Senses
from trunkline.events import CallStateChanged, CallUpdate, GreetingStarted, TurnFinished
from trunkline.models import CallRequest, CallState
from trunkline.ports import LoadLevel
from trunkline.settings import DEFAULT_AGENT, AgentSettings, ServiceSettings, Settings, TrunkSettings
from trunkline.speech import make_speech_to_text, make_turn_end_detector, make_voice_detector
from trunkline.speech.silero import SileroDetector
from trunkline.telephony.asterisk_fetch import provide_sounds
from trunkline.telephony.pacing_clock import Lateness

ANSWER_SECONDS = (1.6, 2.4)
MOST_CALLS = 250
CALL_SECONDS = 7200.0
SET_UP_SECONDS = 30.0
NUMBER = "+14155550123"


class Operator:
    """Places the calls and keeps the account."""

    def __init__(self, house: House, detector: SileroDetector) -> None:
        self._house = house
        self._detector = detector
        self._news = asyncio.Event()
        self._talking = self._ended = 0
        house.switchboard.watch(self._watch)
        house.clock.watch(self._woke)
        house.clock.before_legs(self._tick_begins)
        house.clock.after_legs(self._tick_ends)
        self._open()

    @property
    def asterisk(self) -> int | None:
        """Its process id."""
        return self._house.asterisk.pid

    def _open(self) -> None:
        self._lateness, self._work = Lateness(), Lateness()
        self._levels: Counter[LoadLevel] = Counter()
        self._gaps: list[float] = []
        self._clock_before, self._windows_before = self._house.clock.report(), self._detector.windows_run
        self._tick_began = time.monotonic()

    async def place(self, calls: int, per_second: float) -> dict[str, Any]:
        """Returns when all of them have greeted or ended."""
        before, began = (self._talking, self._ended), time.monotonic()
        for number in range(calls):
            await asyncio.sleep(began + number / per_second - time.monotonic())
            await self._house.switchboard.place_call(CallRequest(number=NUMBER, agent=DEFAULT_AGENT))
        placed = time.monotonic()
        async with asyncio.timeout(SET_UP_SECONDS):
            while self._talking + self._ended - sum(before) < calls:
                self._news.clear()
                await self._news.wait()
        return {"failed": self._ended - before[1], "per_second": round(calls / (placed - began), 1)}

    async def hang_up(self) -> None:
        """Returns when every call has ended."""
        live = list(self._house.switchboard.live_calls)
        before = self._ended
        for call_id in live:
            await self._house.switchboard.hang_up(call_id)
        while self._ended - before < len(live):
            self._news.clear()
            await self._news.wait()

    async def open_account(self) -> None:
        """Measure from now on."""
        self._open()

    async def report(self) -> dict[str, Any]:
        clock, before = self._house.clock.report(), self._clock_before
        wake_ups = max(self._levels.total(), 1)
        return {
            "calls": len(self._house.switchboard.live_calls),
            "turns": len(self._gaps),
            "gap_ms_p50": round(float(np.percentile(self._gaps, 50)), 1) if self._gaps else None,
            "gap_ms_p95": round(float(np.percentile(self._gaps, 95)), 1) if self._gaps else None,
            "clock_late_ms_p50": self._lateness.percentile(0.5),
            "clock_late_ms_p99": self._lateness.percentile(0.99),
            "tick_ms_p50": self._work.percentile(0.5),
            "tick_ms_p99": self._work.percentile(0.99),
            "caught_up": clock.caught_up - before.caught_up,
            "skipped": clock.skipped - before.skipped,
            "load_levels": [round(self._levels[level] / wake_ups, 3) for level in LoadLevel],
            "windows_run": self._detector.windows_run - self._windows_before,
        }

    def _watch(self, update: CallUpdate) -> None:
        match update:
            case GreetingStarted():
                self._talking += 1
            case CallStateChanged(state=CallState.ENDED):
                self._ended += 1
            case TurnFinished(turn=turn) if turn.timings is not None and turn.timings.gap_ms is not None:
                self._gaps.append(turn.timings.gap_ms)
            case _:
                return
        self._news.set()

    def _woke(self, late: float) -> None:
        self._lateness.record(late)
        self._levels[self._house.load.level] += 1

    def _tick_begins(self) -> None:
        self._tick_began = time.monotonic()

    def _tick_ends(self) -> None:
        self._work.record(time.monotonic() - self._tick_began)


def _settings(folder: Path, trunk: dict[str, Any]) -> Settings:
    return Settings(
        service=ServiceSettings(data_dir=folder, max_calls=MOST_CALLS),
        trunk=TrunkSettings(**trunk),
        agents={DEFAULT_AGENT: AgentSettings(max_call_seconds=CALL_SECONDS)},
    )


@asynccontextmanager
async def _senses(settings: Settings, engines: str) -> AsyncIterator[Senses]:
    (answer, *_) = fluent_speech(await provide_sounds(settings.asterisk), *ANSWER_SECONDS)
    ears = make_speech_to_text(settings.speech) if engines == "words" else CannedSpeechToText()
    turn_end = CannedTurnEnd() if engines == "canned" else make_turn_end_detector(settings.speech)
    try:
        await asyncio.gather(ears.warm_up(), turn_end.warm_up())
        voice = CannedTextToSpeech(answer.pcm)
        yield Senses(make_voice_detector(), ears, voice, turn_end, waiting=lambda: ears.waiting + turn_end.waiting)
    finally:
        await asyncio.gather(ears.close(), turn_end.close())


@asynccontextmanager
async def _operator(settings: Settings, engines: str) -> AsyncIterator[Operator]:
    async with (
        _senses(settings, engines) as senses,
        open_house(settings, senses=senses, brains=lambda _: CannedBrain()) as house,
    ):
        detector = senses.voice_detector
        assert isinstance(detector, SileroDetector)
        house.clock.before_legs(detector.run_pending)
        yield Operator(house, detector)


async def main(folder: Path, trunk: dict[str, Any], engines: str) -> None:
    async with _operator(_settings(folder, trunk), engines) as operator:
        tell(operator.asterisk)
        orders = {"open": operator.open_account, "report": operator.report}
        await obey({**orders, "place": operator.place, "hang_up": operator.hang_up})


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]))
