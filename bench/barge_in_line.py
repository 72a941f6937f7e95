"""A call on the media clock in which one thing happens while the agent speaks: what it does about it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.barge_in_data import Sound
from bench.noises import Wave, pink
from trunkline.audio import FRAME_BYTES, FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, SILENCE, seconds_of, to_float
from trunkline.conversation.conversation import Conversation, Senses
from trunkline.conversation.ear import RUN_UP_FRAMES
from trunkline.events import CallUpdate, TurnFinished
from trunkline.models import CallId
from trunkline.ports import BrainAction, LegListener, PersonTurn, Say, Transcript
from trunkline.rehearsal.rtp import decode, encode
from trunkline.settings import AgentSettings
from trunkline.speech.silero import SileroDetector

TRANSCRIPTION_SECONDS: Final = 0.3
"""What Whisper takes for a few words on a machine that has other calls to look after."""
LEAD_SECONDS: Final = 1.0
"""Line before the agent speaks: a call has been going on for a while."""
LONGEST_SECONDS: Final = 8.0
"""Over the agent's own length; by then all is decided."""
_TURNS_OF_THE_LOOP: Final = 12
"""How often other tasks run between two frames: what is ready is done before the next one, as in life."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the agent did about one sound. Seconds."""

    name: str
    half: str
    kind: str
    source: str
    words: str
    meant: bool
    stopped: float | None
    """From the first audible sample to the first frame of silence; `None`: it never fell silent."""
    held: float
    """How long it was silent before it went on, in all."""
    holds: int
    """How often it fell silent."""
    lost: bool
    """What it had to say was given up."""
    understood: tuple[str, ...]
    """What was transcribed."""
    cpu: float
    """Seconds of CPU per second of call, on the frames' path."""


class Transcriber:
    """Speech to text that takes a fixed time of the media clock."""

    def __init__(self, recognise: Callable[[bytes], Awaitable[Transcript]], clock: Callable[[], float]) -> None:
        self._recognise = recognise
        self._clock = clock
        self.found: list[str] = []
        self._due: list[tuple[float, asyncio.Event]] = []
        self._idle = asyncio.Event()
        self._idle.set()

    async def advanced(self) -> None:
        """The clock has moved on: what is due arrives. Returns when nothing that takes real time is under way."""
        now = self._clock()
        for _, arrived in (pair for pair in self._due if pair[0] <= now):
            arrived.set()
        self._due = [pair for pair in self._due if pair[0] > now]
        await self._idle.wait()

    async def warm_up(self) -> None:
        """Nothing to load."""

    async def transcribe(self, audio: bytes, *, language: str = "en", hint: str = "") -> Transcript:
        due = self._clock() + TRANSCRIPTION_SECONDS
        self._idle.clear()
        try:
            words = await self._recognise(audio)
            self.found.append(words.text)
        finally:
            self._idle.set()
        self._due.append((due, arrived := asyncio.Event()))
        await arrived.wait()
        return words

    async def close(self) -> None:
        """Nothing to give back."""


class Voice:
    """Says what it was made with."""

    def __init__(self, audio: bytes) -> None:
        self._audio = audio

    async def warm_up(self) -> None:
        """Nothing to load."""

    async def synthesise(self, text: str, *, voice: str = "", speed: float = 1.0) -> AsyncGenerator[bytes, None]:
        yield self._audio

    async def close(self) -> None:
        """Nothing to give back."""


class Mind:
    """Says one thing, then listens."""

    def __init__(self, text: str) -> None:
        self._text = text

    async def greet(self) -> AsyncGenerator[BrainAction, None]:
        yield Say(self._text)

    async def reply(self, turn: PersonTurn) -> AsyncGenerator[BrainAction, None]:
        return
        yield

    def turn_ahead(self) -> None:
        """Nothing to get ready."""

    def fork(self) -> None:
        return None

    async def close(self) -> None:
        """Nothing to give back."""


class NoRecorder:
    path = Path("none")

    def write(self, person: bytes, agent: bytes) -> None:
        """Nobody wants to hear it."""

    async def close(self) -> None:
        """Nothing was opened."""


class Line:
    """One call in which one thing happens. `recognise` gives the words of an utterance's audio."""

    call_id = CallId("00000000-0000-4000-8000-000000000001")

    def __init__(self, sound: Sound, agent: bytes, recognise: Callable[[bytes], Awaitable[Transcript]]) -> None:
        self._sound = sound
        self._agent = agent
        self._now = 0.0
        self._out: list[bytes] = []
        self._updates: list[CallUpdate] = []
        self._listener: LegListener | None = None
        self._cpu = 0.0
        self._transcriber = Transcriber(recognise, lambda: self._now)
        # Who picks up in a noisy room does so there.
        self._lead = LEAD_SECONDS if sound.room is None or sound.meant else 0.0
        self._room = self._without_echo()
        self._echo_path = sound.echo.path() if sound.echo is not None else None

    async def outcome(self) -> Outcome:
        """Hold the call, from before the agent's first word until it has said all or given up."""
        senses = Senses(SileroDetector(), self._transcriber, Voice(self._agent))
        conversation = Conversation(
            self.call_id,
            AgentSettings(),
            Mind(self._sound.agent),
            senses,
            publish=self._updates.append,
            clock=lambda: self._now,
        )
        self._listener = conversation.media
        for _ in range(round(self._lead / FRAME_SECONDS)):
            # a call that has been going on: detector and echo guard have heard the line for a while
            await self._tick()
        await conversation.prepare()
        holding = asyncio.create_task(conversation.hold(self, NoRecorder()))
        longest = self._now + seconds_of(self._agent) + LONGEST_SECONDS
        while self._agents_end is None and self._now < longest:
            await self._tick()
        conversation.media.leg_closed("measured", broken=False)
        await holding
        return self._judge()

    def attach(self, listener: LegListener) -> None:
        self._listener = listener

    def close(self) -> None:
        """It is over when everything is known."""

    # ── the line ───────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _starts(self) -> int:
        """The sound's first sample, counted from the beginning of the call."""
        speech = int(self._sound.moment * len(self._agent) / 2)
        return round(self._lead * SAMPLE_RATE) + speech

    def _without_echo(self) -> Wave:
        samples = self._starts + len(self._agent) // 2 + round((LONGEST_SECONDS + 1) * SAMPLE_RATE)
        wave = pink(samples, np.random.default_rng(self._sound.seed)) * 10 ** (self._sound.noise / 20)
        audio = self._sound.audio
        wave[self._starts : self._starts + len(audio)] += audio[: samples - self._starts]
        if self._sound.room is not None:
            wave += np.resize(self._sound.room, samples)
        return wave

    async def _tick(self) -> None:
        assert self._listener is not None
        frame = self._frame(len(self._out))
        before = time.process_time()
        self._listener.audio_received(frame)
        self._out.append(self._listener.next_frame())
        self._cpu += time.process_time() - before
        self._now += FRAME_SECONDS
        for _ in range(_TURNS_OF_THE_LOOP):
            await asyncio.sleep(0)
            await self._transcriber.advanced()

    def _frame(self, number: int) -> bytes:
        """The frame that arrives in tick `number`: the sound, the line, and what comes back of what was sent before."""
        wave = self._room[number * FRAME_SAMPLES : (number + 1) * FRAME_SAMPLES].copy()
        path = self._echo_path
        if path is not None:
            frames = len(path) // FRAME_SAMPLES + 2
            sent = b"".join(self._out[max(number - frames, 0) :])
            past = np.concatenate([to_float(sent.rjust(frames * FRAME_BYTES, b"\0")), np.zeros(FRAME_SAMPLES)])
            wave += np.convolve(past, path)[len(past) - FRAME_SAMPLES : len(past)]
        pcm = (np.clip(wave, -1, 1) * 32767).astype("<i2").tobytes()
        return decode(encode(pcm, "ulaw"), "ulaw")

    # ── what became of it ──────────────────────────────────────────────────────────────────────────────────────

    @property
    def _agents_end(self) -> TurnFinished | None:
        return next((update for update in self._updates if isinstance(update, TurnFinished)), None)

    def _judge(self) -> Outcome:
        end = self._agents_end
        began = next((index for index, frame in enumerate(self._out) if frame is not SILENCE), len(self._out))
        silences = _silences(self._out, began)
        lost = end is None or end.turn.cut_off  # cut before a word of it was heard: no turn at all
        over = [silences.pop()] if silences and sum(silences[-1]) == len(self._out) else []
        since = self._starts / SAMPLE_RATE
        stops = [at * FRAME_SECONDS - since for at, _ in silences + (over if lost else [])]
        sound = self._sound
        return Outcome(
            name=sound.name,
            half=sound.half,
            kind=sound.kind,
            source=sound.source,
            words=sound.words,
            meant=sound.meant,
            stopped=next((round(stop, 4) for stop in stops if stop >= 0), None),
            held=round(sum(length for _, length in silences) * FRAME_SECONDS, 2),
            holds=len(stops),
            lost=lost,
            understood=tuple(self._transcriber.found),
            cpu=self._cpu / self._now,
        )


def _silences(frames: Sequence[bytes], first: int) -> list[tuple[int, int]]:
    """Frame and length of every stretch in which nothing was sent."""
    found: list[tuple[int, int]] = []
    for number in range(first, len(frames)):
        if frames[number] is not SILENCE:
            continue
        if found and sum(found[-1]) == number:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((number, 1))
    return found


class Labels:
    """The words of a sound, as far as it has been heard: what a perfect recogniser would find."""

    def __init__(self, sound: Sound) -> None:
        self._words = sound.words.split()
        self._seconds = len(sound.audio) / SAMPLE_RATE

    async def __call__(self, audio: bytes) -> Transcript:
        manners = AgentSettings().listening
        spoken = seconds_of(audio) - RUN_UP_FRAMES * FRAME_SECONDS - manners.pause_seconds
        share = min(max(spoken / max(self._seconds, 0.1), 0.0), 1.0)
        return Transcript(" ".join(self._words[: max(round(len(self._words) * share), 1)]), 0.9)
