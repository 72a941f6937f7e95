"""A telephone booth for conversations: a leg without a network, and a media clock that ticks as fast as the test can.

Time here is the media clock's: a minute of conversation passes in milliseconds, and every figure is exact.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from tests.doubles import FakeSpeechToText, FakeTextToSpeech, FakeVoiceDetector, level_of, tone
from tests.doubles_store import MemoryRecorder
from trunkline.audio import FRAME_BYTES, FRAME_SECONDS, SILENCE, to_samples
from trunkline.conversation.conversation import Conversation, Ending, Senses
from trunkline.conversation.prompts import Notice
from trunkline.events import CallUpdate, TurnFinished
from trunkline.models import CallId, Turn
from trunkline.ports import BrainAction, CallControl, LegListener, LoadLevel, PersonTurn, Say
from trunkline.settings import AgentSettings, ListeningSettings

CALL = CallId("00000000-0000-4000-8000-000000000001")
TURNS_OF_THE_LOOP = 12
"""How often other tasks get to run between two ticks: what is ready is done before the next frame, as in life."""


class FakeTurnEndDetector:
    """Hears the same in every pause."""

    def __init__(self, probability: float) -> None:
        self._probability = probability
        self.asked = 0

    async def warm_up(self) -> None: ...

    async def finished(self, audio: bytes) -> float:
        self.asked += 1
        return self._probability

    async def close(self) -> None: ...


class FakeLoad:
    """As busy as the test says."""

    level = LoadLevel.NORMAL


class Mind:
    """A brain that greets, then gives the answers it was made with, one list of actions a turn."""

    def __init__(
        self, greeting: str = "Hello there.", *answers: list[BrainAction | Exception], forkable: bool = False
    ) -> None:
        self.forkable = forkable
        self.greeting = greeting
        self.answers = list(answers)
        self.turns: list[PersonTurn] = []
        self.closed = False
        self.abandoned = 0
        self.turns_ahead = 0

    async def greet(self) -> AsyncGenerator[BrainAction, None]:
        if self.greeting:
            yield Say(self.greeting)

    async def reply(self, turn: PersonTurn) -> AsyncGenerator[BrainAction, None]:
        self.turns.append(turn)
        try:
            for action in self.answers.pop(0) if self.answers else [Say("I see.")]:
                if isinstance(action, Exception):
                    raise action
                yield action
        except GeneratorExit:
            self.abandoned += 1
            raise

    def turn_ahead(self) -> None:
        self.turns_ahead += 1

    def fork(self) -> Mind | None:
        """A copy that shares what the test looks at; answers are taken from its own list."""
        if not self.forkable:
            return None
        copy = Mind(self.greeting, *self.answers, forkable=True)
        copy.turns = self.turns
        return copy

    async def close(self) -> None:
        self.closed = True


class Booth:
    """Holds one conversation. `say()` and `wait()` move the media clock; `heard` is what reached the person's ear."""

    def __init__(
        self,
        mind: Mind,
        *texts: str,
        listening: ListeningSettings | None = None,
        agent: AgentSettings | None = None,
        sound: float | None = None,
        control: CallControl | None = None,
        notice: Notice | None = None,
    ) -> None:
        self.call_id = CALL
        self.mind = mind
        self.now = 100.0
        self.start = self.now
        self.updates: list[CallUpdate] = []
        self.out: list[bytes] = []
        self.closed = False
        self.echo: tuple[float, float] | None = None
        """Delay in seconds and factor of what the line gives back of our own voice."""
        self.recorder = MemoryRecorder(Path("call.wav"))
        self.voice = FakeTextToSpeech()
        self.ears = FakeSpeechToText(*texts)
        self.turn_end = None if sound is None else FakeTurnEndDetector(sound)
        self.load = FakeLoad()
        settings = agent or AgentSettings(listening=listening or ListeningSettings())
        self.conversation = Conversation(
            CALL,
            settings,
            mind,
            Senses(FakeVoiceDetector(), self.ears, self.voice, self.turn_end),
            publish=self.updates.append,
            control=control,
            load=self.load,
            notice=notice,
            clock=lambda: self.now,
        )
        self._listener: LegListener | None = None
        self.ending: asyncio.Task[Ending] | None = None

    # ── the leg ────────────────────────────────────────────────────────────────────────────────────────────────

    def attach(self, listener: LegListener) -> None:
        self._listener = listener

    def close(self) -> None:
        self.hang_up("The agent hung up.")

    def hang_up(self, why: str = "The person hung up.", *, broken: bool = False) -> None:
        if not self.closed:
            self.closed = True
            assert self._listener is not None
            self._listener.leg_closed(why, broken=broken)

    # ── the person ─────────────────────────────────────────────────────────────────────────────────────────────

    async def pick_up(self) -> None:
        await self.conversation.prepare()
        self.ending = asyncio.create_task(self.conversation.hold(self, self.recorder))
        await self._settle()

    async def say(self, seconds: float, amplitude: float = 0.3) -> float:
        """Speak; returns when the last sample was sent, on the media clock."""
        audio = tone(seconds, 300.0, amplitude)
        for start in range(0, len(audio), FRAME_BYTES):
            await self._tick(audio[start : start + FRAME_BYTES].ljust(FRAME_BYTES, b"\0"))
        return self.now

    async def wait(self, seconds: float) -> None:
        """Be silent."""
        for _ in range(round(seconds / FRAME_SECONDS)):
            await self._tick(SILENCE)

    async def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Be silent until something has happened."""
        deadline = self.now + seconds
        while not condition():
            assert self.now < deadline, f"not within {seconds} s: {self.updates}"
            await self._tick(SILENCE)

    async def until_quiet(self) -> None:
        """Be silent until the agent has spoken and is silent again."""
        await self.until(lambda: self.agent_speaks)
        await self.until(lambda: not self.agent_speaks)

    async def until_over(self, seconds: float = 60.0) -> Ending:
        assert self.ending is not None
        ending = self.ending
        await self.until(ending.done, seconds)
        return ending.result()

    def press(self, digit: str) -> None:
        assert self._listener is not None
        self._listener.key_received(digit)

    @property
    def agent_speaks(self) -> bool:
        """The last 40 ms at the person's ear hold sound."""
        return any(level_of(frame) > 0.01 for frame in self.out[-2:])

    @property
    def seconds_heard(self) -> float:
        """Sound that has reached the person's ear."""
        return sum(level_of(frame) > 0.01 for frame in self.out) * FRAME_SECONDS

    @property
    def turns(self) -> list[Turn]:
        return [update.turn for update in self.updates if isinstance(update, TurnFinished)]

    async def _tick(self, frame: bytes) -> None:
        self.now += FRAME_SECONDS
        if not self.closed and self._listener is not None:
            self._listener.audio_received(self._with_echo(frame))
            out = self._listener.next_frame()
            assert len(out) == FRAME_BYTES
            self.out.append(out)
        await self._settle()

    def _with_echo(self, frame: bytes) -> bytes:
        if self.echo is None:
            return frame
        delay, factor = self.echo
        frames = round(delay / FRAME_SECONDS)
        ours = to_samples(self.out[-frames]) if len(self.out) >= frames else to_samples(SILENCE)
        return bytes((to_samples(frame) + ours * factor).astype("<i2").tobytes())

    @staticmethod
    async def _settle() -> None:
        for _ in range(TURNS_OF_THE_LOOP):
            await asyncio.sleep(0)
