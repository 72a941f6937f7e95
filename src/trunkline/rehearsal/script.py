"""Plays a scripted person: one step after the other, over a line that is already answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trunkline.audio import FRAME_SECONDS
from trunkline.ports import SpeechToText
from trunkline.rehearsal.clip import Clip
from trunkline.rehearsal.media_line import MediaLine, Utterance
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.steps import HangUp, Interrupt, Pause, PressKeys, Say, Step, WaitForAgent, WaitForWords

TAIL_SECONDS = 0.5
"""Speech that began before the person did and ends this soon after them is a tail, not an answer."""


class StepFailed(Exception):
    """The agent did not do what a step waited for; the message is for the report."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing the person said."""

    utterance: Utterance
    interrupted: bool
    step: int = 0
    """Number of the step that said it, from 1."""


@dataclass(slots=True)
class Press:
    """Keys the person pressed, on the line's clock."""

    keys: str
    step: int
    began: float
    ended: float | None = None


class Script:
    """The person's side of one call."""

    def __init__(self, scenario: Scenario, clips: Mapping[int, Clip], line: MediaLine) -> None:
        self.said: list[Line] = []
        self.presses: list[Press] = []
        self.steps_done = 0
        self.recogniser: SpeechToText | None = None
        self.on_said: Callable[[str], None] = lambda text: None
        self.on_keys: Callable[[str], None] = lambda keys: None
        self._scenario = scenario
        self._clips = clips
        self._line = line
        self._number = 0
        self._since = (0.0, 0.0)
        """When the person last began and ended to speak; what the agent says after it is an answer."""
        self._condition: Callable[[float], bool] | None = None
        self._met: asyncio.Future[None] | None = None
        line.on_tick = self._tick

    async def play(self) -> bool:
        """All steps. True when the script hangs up itself. Raises `StepFailed`."""
        for index, step in enumerate(self._scenario.steps):
            self._number = index + 1
            try:
                if isinstance(step, HangUp):
                    self.steps_done += 1
                    return True
                await self._step(step, self._clips.get(index))
                self.steps_done += 1
            except StepFailed as failure:
                raise StepFailed(f"Step {index + 1} ({step.kind}): {failure}") from None
        return False

    @property
    def keys(self) -> str:
        """All that were pressed."""
        return "".join(press.keys for press in self.presses)

    def gap_since_said(self, began: float) -> float | None:
        """Seconds from the last utterance's end to `began`, if that is the first speech after it."""
        spoken = self.said[-1].utterance.speech if self.said else None
        if spoken is None or began < spoken.ended:
            return None
        first = all(s.began < spoken.began or s.began >= began for s in self._line.agent.finished)
        return began - spoken.ended if first else None

    async def _step(self, step: Step, clip: Clip | None) -> None:
        match step:
            case Say() if clip is not None:
                await self._say(clip, interrupted=False)
            case Interrupt():
                await self._wait(lambda now: self._agent_began(now, step.after_ms / 1000), step.timeout_ms)
                if step.keys is not None:
                    await self._press(step.keys)
                elif clip is not None:
                    await self._say(clip, interrupted=True)
            case WaitForAgent():
                await self._wait(lambda now: self._agent_finished(now, step.silence_ms / 1000), step.timeout_ms)
                self._since = (self._line.now, self._line.now)
            case WaitForWords():
                await self._wait_for_words(step)
            case Pause():
                await asyncio.sleep(step.pause_ms / 1000)
            case PressKeys():
                await self._press(step.keys)

    async def _say(self, clip: Clip, *, interrupted: bool) -> None:
        utterance = self._line.play(clip, at_once=interrupted)
        self.said.append(Line(utterance, interrupted, self._number))
        self.on_said(clip.text)
        await utterance.done
        if utterance.speech is not None:
            self._since = (utterance.speech.began, utterance.speech.ended)

    async def _press(self, digits: str) -> None:
        if self._line.key_payload is None:
            raise StepFailed("the caller's offer has no telephone-event, so keys can't be sent.")
        press = Press(digits, self._number, self._line.now)
        self.presses.append(press)
        self._line.press(digits)
        self.on_keys(digits)
        await self._wait(lambda now: not self._line.pressing, 60_000)
        press.ended = self._line.now
        self._since = (press.began, press.ended)

    async def _wait_for_words(self, step: WaitForWords) -> None:
        if self.recogniser is None:
            raise StepFailed("speech recognition is needed for it, and there is none.")
        heard: list[str] = []
        try:
            async with asyncio.timeout(step.timeout_ms / 1000):
                while True:
                    await self._until(lambda now: self._agent_finished(now, step.silence_ms / 1000))
                    since, self._since = self._since[0], (self._line.now, self._line.now)
                    audio = self._line.heard(since)
                    transcript = await self.recogniser.transcribe(audio, hint=step.words)
                    heard.append(transcript.text)
                    if _plain(step.words) in _plain(transcript.text):
                        return
        except TimeoutError:
            said = f"It said: {' / '.join(heard)}" if heard else "It said nothing."
            raise StepFailed(f"the agent did not say {step.words!r}. {said}") from None

    # ── what the agent did, as seen at a tick ──────────────────────────────────────────────────────────────────

    def _agent_finished(self, now: float, silence: float) -> bool:
        speech = self._line.agent.speech()
        if not speech or now - speech[-1].ended < silence:
            return False
        began, ended = self._since
        return speech[-1].began >= began or speech[-1].ended > ended + TAIL_SECONDS

    def _agent_began(self, now: float, after: float) -> bool:
        began = self._line.agent.began
        # What is said now goes out with the next tick: take the one that comes closest.
        return began is not None and began >= self._since[0] and now + FRAME_SECONDS / 2 >= began + after

    async def _wait(self, condition: Callable[[float], bool], timeout_ms: float) -> None:
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await self._until(condition)
        except TimeoutError:
            heard = "was still speaking" if self._line.agent.began is not None else "said nothing"
            raise StepFailed(f"waited {timeout_ms / 1000:g} s; the agent {heard}.") from None

    async def _until(self, condition: Callable[[float], bool]) -> None:
        """Looked at once per tick: nothing polls faster than the line."""
        self._met = asyncio.get_running_loop().create_future()
        self._condition = condition
        try:
            await self._met
        finally:
            self._condition = None

    def _tick(self, now: float) -> None:
        if self._condition is not None and self._met is not None and not self._met.done() and self._condition(now):
            self._met.set_result(None)


def _plain(text: str) -> str:
    """Lower case, letters and digits only, single spaces."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())
