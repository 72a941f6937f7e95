"""What 20 ms of a conversation cost us, part by part: `python -m bench.concurrency.tick [--calls 100] [--seconds 60]`.

Whole conversations without Asterisk and without the kernel's part in reading and writing: each tick every leg is given
the bytes of a frame, then the clock ticks. Time is what each part used itself, what it called taken off.
"""

from __future__ import annotations

import argparse
import asyncio
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.concurrency.canned import CannedBrain, CannedSpeechToText, CannedTextToSpeech, CannedTurnEnd
from bench.concurrency.voices import background, fluent_speech
from trunkline.audio import FRAME_BYTES, FRAME_SECONDS
from trunkline.conversation.conversation import Conversation, Senses
from trunkline.conversation.ear import Ear
from trunkline.conversation.echo import EchoGuard
from trunkline.conversation.media_clock import MediaClock
from trunkline.conversation.speaking import Speaker
from trunkline.conversation.tape import Tape
from trunkline.conversation.turns import TurnTaker
from trunkline.models import CallId, Direction
from trunkline.ports import CallBriefing
from trunkline.settings import AgentSettings, AsteriskSettings
from trunkline.speech.silero import SileroDetector, SileroStream
from trunkline.store.recordings import WavRecorder, WavShelf
from trunkline.telephony.asterisk_fetch import provide_sounds
from trunkline.telephony.audiosocket_leg import AudioSocketLeg
from trunkline.telephony.audiosocket_protocol import AudioSocketParser, audio_message
from trunkline.telephony.audiosocket_server import AudioSocketServer
from trunkline.telephony.pacing_clock import PacingClock

PARTS: dict[tuple[type, str], tuple[type, str] | None] = {
    (AudioSocketLeg, "data_received"): None,
    (AudioSocketParser, "feed"): (AudioSocketLeg, "data_received"),
    (Conversation, "audio_received"): (AudioSocketLeg, "data_received"),
    (Ear, "frame"): (Conversation, "audio_received"),
    (SileroStream, "push"): (Ear, "frame"),
    (EchoGuard, "received"): (Ear, "frame"),
    (SileroDetector, "run_pending"): None,
    (AudioSocketLeg, "tick"): None,
    (Conversation, "next_frame"): (AudioSocketLeg, "tick"),
    (MediaClock, "tick"): (Conversation, "next_frame"),
    (Ear, "tick"): (Conversation, "next_frame"),
    (EchoGuard, "hears_itself"): (Ear, "tick"),
    (TurnTaker, "hear"): (Ear, "tick"),
    (Speaker, "next_frame"): (Conversation, "next_frame"),
    (EchoGuard, "sent"): (Conversation, "next_frame"),
    (Tape, "tick"): (Conversation, "next_frame"),
    (WavRecorder, "write"): (Tape, "tick"),
}
"""What is measured, and who calls it."""
FRAMES_OF_SPEECH, FRAMES_OF_LISTENING = 100, 150
"""A person speaks for two seconds and listens for three, in which the agent answers for two."""


def _label(part: tuple[type, str]) -> str:
    return f"{part[0].__name__}.{part[1]}"


CALLED_BY = {_label(part): _label(caller) for part, caller in PARTS.items() if caller is not None}
LAP_SECONDS = (FRAMES_OF_SPEECH + FRAMES_OF_LISTENING) * FRAME_SECONDS


class Meter:
    """Time that each part used itself, what it called taken off, and what the measuring costs as well."""

    def __init__(self) -> None:
        self.times: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._inner = [0.0]
        self._own_cost, self._callers_cost = min(self._calibrate() for _ in range(20))

    def wrap(self, owner: type, name: str) -> None:
        setattr(owner, name, self._timed(f"{owner.__name__}.{name}", getattr(owner, name)))

    def take(self) -> dict[str, float]:
        """Seconds of each part since the last time."""
        taken = {label: seconds - self.times[label] * self._own_cost for label, seconds in self._seconds.items()}
        for label in taken:
            if (caller := CALLED_BY.get(label)) in taken:
                taken[caller] -= self.times[label] * self._callers_cost
        self._seconds.clear()
        self.times.clear()
        return taken

    def _calibrate(self) -> tuple[float, float]:
        """Seconds that measuring adds to a part itself, and to the part that calls it, per call."""
        rounds, nothing = 5_000, self._timed("called", lambda: None)
        self._timed("caller", lambda: [nothing() for _ in range(rounds)])()
        costs = self._seconds["called"] / rounds, self._seconds["caller"] / rounds
        self._seconds.clear()
        self.times.clear()
        return costs

    def _timed(self, label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        now, inner, seconds, times = time.perf_counter, self._inner, self._seconds, self.times

        def timed(*args: Any, **kwargs: Any) -> Any:
            inner.append(0.0)
            began = now()
            try:
                return function(*args, **kwargs)
            finally:
                passed = now() - began
                seconds[label] += passed - inner.pop()
                times[label] += 1
                inner[-1] += passed

        return timed


class Plug:
    """A transport that takes everything."""

    def write(self, data: bytes) -> None: ...

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int) -> None: ...

    def abort(self) -> None: ...

    def write_eof(self) -> None: ...


class Hand:
    """A timer that never rings: the bench says when 20 ms have passed."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Hand:
        self.callback = callback
        return self

    def cancel(self) -> None: ...


class Room:
    """All calls, and a clock that is turned by hand."""

    def __init__(self, shelf: WavShelf, answer: bytes) -> None:
        self.now = 1000.0
        self._hand = Hand()
        self._clock = PacingClock(self._hand, lambda: self.now)
        self._detector = SileroDetector()
        self._clock.before_legs(self._judge)
        self._server = AudioSocketServer(self._clock)
        self._shelf = shelf
        self._senses = Senses(self._detector, CannedSpeechToText(), CannedTextToSpeech(answer), CannedTurnEnd())
        self.legs: list[AudioSocketLeg] = []
        self.holding: list[asyncio.Task[Any]] = []

    def _judge(self) -> None:
        self._detector.run_pending()  # looked up at each tick: it is wrapped later

    async def enter(self, agent: AgentSettings) -> None:
        """One more call, answered."""
        call_id = CallId(str(uuid.uuid4()))
        mind = await CannedBrain().open(CallBriefing(call_id, Direction.OUTBOUND, "agent", "+14155550123"))
        conversation = Conversation(call_id, agent, mind, self._senses, publish=lambda _: None, clock=lambda: self.now)
        await conversation.prepare()
        leg = AudioSocketLeg(self._server, self._clock)
        leg.connection_made(cast(asyncio.Transport, Plug()))
        self._server.expect(call_id, lambda _: None)
        leg.data_received(b"\x01\x00\x10" + uuid.UUID(call_id).bytes)
        self.holding.append(asyncio.create_task(conversation.hold(leg, self._shelf.open(call_id))))
        self.legs.append(leg)

    async def tick(self, frames: list[bytes]) -> float:
        """20 ms: a message for every leg, then the clock. Returns the seconds that took, the rest of the loop aside."""
        self.now += FRAME_SECONDS
        began = time.perf_counter()
        for leg, frame in zip(self.legs, frames, strict=True):
            leg.data_received(frame)
        self._hand.callback()
        passed = time.perf_counter() - began
        for _ in range(4):
            await asyncio.sleep(0)
        return passed

    async def lap(self, script: Script) -> float:
        """Every person speaks and listens once. Returns the seconds of all ticks."""
        return sum([await self.tick(script.frames(number)) for number in range(FRAMES_OF_SPEECH + FRAMES_OF_LISTENING)])

    async def close(self) -> None:
        for leg in self.legs:
            leg.close()
        await asyncio.gather(*self.holding)


class Script:
    """What the far ends send: speech and the line's noise in turn, each call at another place."""

    def __init__(self, said: bytes, calls: int) -> None:
        speech = said.ljust(FRAMES_OF_SPEECH * FRAME_BYTES, b"\0")[: FRAMES_OF_SPEECH * FRAME_BYTES]
        noise = background(FRAMES_OF_LISTENING * FRAME_SECONDS)
        audio = speech + noise
        self._messages = [audio_message(audio[at : at + FRAME_BYTES]) for at in range(0, len(audio), FRAME_BYTES)]
        self._starts = np.random.default_rng(1).integers(0, len(self._messages), calls).tolist()

    def frames(self, tick: int) -> list[bytes]:
        return [self._messages[(start + tick) % len(self._messages)] for start in self._starts]


async def run(calls: int, laps: int, folder: Path) -> tuple[dict[str, float], dict[str, int], float]:
    """Of one lap the seconds of each part, how often each was called, and the seconds of everything unmeasured.

    The least of several laps counts: other work on the machine only ever makes things look slower.
    """
    sounds = await provide_sounds(AsteriskSettings())
    said, answer = (clip.pcm for clip in islice(fluent_speech(sounds, 1.8, 2.0), 2))
    agent = AgentSettings(max_call_seconds=14_400)
    shelf = await WavShelf.at(folder / "recordings")
    room, script = Room(shelf, answer), Script(said, calls)
    for _ in range(calls):
        await room.enter(agent)
    await room.lap(script)  # greetings, gates, memory: the beginning is not what a conversation costs
    whole = min([await room.lap(script) for _ in range(laps)])
    meter = Meter()
    taken: list[dict[str, float]] = []
    times: dict[str, int] = {}
    for owner, name in PARTS:
        meter.wrap(owner, name)
    for _ in range(laps):
        await room.lap(script)
        times = dict(meter.times)
        taken.append(meter.take())
    await room.close()
    await shelf.close()
    parts = {_label(part): min(lap.get(_label(part), 0.0) for lap in taken) for part in PARTS}
    return parts, times, whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--laps", type=int, default=4, help=f"of {LAP_SECONDS:g} s of conversation")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        parts, times, whole = asyncio.run(run(arguments.calls, arguments.laps, Path(folder)))
    ticks = arguments.calls * LAP_SECONDS / FRAME_SECONDS
    table = Table("part", "µs per call and tick", "times per call and tick", box=None, header_style="bold")
    for label, seconds in parts.items():
        table.add_row(label, f"{1e6 * seconds / ticks:.2f}", f"{times.get(label, 0) / ticks:.3f}")
    table.add_row("all of it, unmeasured", f"{1e6 * whole / ticks:.2f}", "")
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
