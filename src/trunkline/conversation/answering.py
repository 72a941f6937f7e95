"""From what the brain wants to say to what is heard: sentences are synthesised while those before them are spoken."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import replace
from typing import Any

from trunkline.conversation.discretion import Asker, Discretion
from trunkline.conversation.media_clock import MediaClock
from trunkline.conversation.speaking import Answer, Sentence, Speaker
from trunkline.errors import BrainError, TrunklineError
from trunkline.ports import (
    BrainAction,
    CallControl,
    Commit,
    Discreet,
    HangUp,
    Note,
    Play,
    Say,
    SendKeys,
    TextToSpeech,
    Transfer,
)
from trunkline.settings import AgentSettings

SENTENCES_AHEAD = 2
"""Sentences synthesised while one is being spoken."""
PAUSE_STEP = 0.1
"""Seconds: how finely a pause in the middle of an answer is timed."""
DRAFTED_SENTENCES = 1
"""Sentences synthesised of an answer that may never be heard."""


class Answering:
    """The agent's side. `note` is told what belongs into the call's history."""

    def __init__(
        self,
        agent: AgentSettings,
        voice: TextToSpeech,
        speaker: Speaker,
        clock: MediaClock,
        *,
        discretion: Discretion,
        control: CallControl | None,
        note: Callable[[Note], None],
    ) -> None:
        self._agent = agent
        self._discretion = discretion
        self._control = control
        self._note = note
        self._text_to_speech = voice
        self._speaker = speaker
        self._clock = clock
        self._fillers: list[tuple[float, Sentence]] = []

    async def prepare(self) -> None:
        """Synthesise what bridges a silence, so that it is there when it is needed."""
        agent = self._agent
        for after, text in ((agent.filler_after_seconds, agent.filler), (agent.hold_on_after_seconds, agent.hold_on)):
            if text:
                sentence = Sentence(text, filler=True)
                await self._fill_in(sentence, self._speech(text))
                self._fillers.append((after, sentence))

    def begin(self, actions: AsyncGenerator[BrainAction, None], *, drafted: int = DRAFTED_SENTENCES) -> Answer:
        """Think and synthesise; nothing is heard before `release`, and little is made."""
        answer = Answer(drafted)
        answer.thinking = asyncio.create_task(self._think(actions, answer))
        return answer

    def say(self, text: str) -> Answer:
        """An answer of our own, without the brain."""
        return self.do(Say(text))

    def do(self, *actions: BrainAction) -> Answer:
        """The same of anything a brain can do."""

        async def ours() -> AsyncGenerator[BrainAction, None]:
            for action in actions:
                yield action

        return self.begin(ours())

    def release(self, answer: Answer) -> None:
        """Let it be heard, as far as it is and as it goes on."""
        for sentence in answer.sentences:
            if not sentence.filler:
                self._speaker.say(sentence)
        if answer.discreet:
            self._begin_discretion()
        answer.released.set()

    async def made_ahead(self, answer: Answer) -> None:
        """Until all of it is made that can be before it is heard. Raises what brain and voice raise."""
        assert answer.thinking is not None
        waiting = asyncio.create_task(answer.waiting.wait())
        try:
            await asyncio.wait({answer.thinking, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if answer.thinking.done():
            answer.thinking.result()

    async def made(self, answer: Answer) -> None:
        """Until the brain has nothing to add and the voice is done. Raises what they raise."""
        assert answer.thinking is not None
        await answer.thinking

    async def drop(self, answer: Answer) -> None:
        """Stop brain, voice and what is being said; harmless when all has been said."""
        assert answer.thinking is not None
        self._speaker.stop()
        drop(answer.thinking)
        await asyncio.wait({answer.thinking})

    async def bridge(self, answer: Answer, since: float, *, greeting: bool = False) -> None:
        """Say the fillers into a silence that began at `since`, until the answer is there, and into its own pauses.

        Raises `BrainError` when it isn't there after `give_up_after_seconds`.
        """
        # Nobody begins a call with "let me see".
        fillers = [(self._fillers[0][0], self._fillers[-1][1])] if greeting and self._fillers else self._fillers
        for after, filler in fillers:
            await self._clock.sleep(since + after - self._clock.now())
            if _begun(answer):
                break
            self._fill(answer, filler)
        silent, patience = 0.0, self._agent.give_up_after_seconds
        while True:
            await self._clock.sleep(PAUSE_STEP)
            if not _begun(answer):
                if self._clock.now() - since >= patience:
                    raise BrainError(f"No answer within {patience:g} seconds.")
                continue
            # What has begun may stand still: nobody shall think the line is dead.
            silent = silent + PAUSE_STEP if self._speaker.wordless and not answer.acting else 0.0
            if self._fillers and silent >= self._agent.filler_after_seconds:
                self._fill(answer, self._fillers[-1][1])
                silent = PAUSE_STEP - self._agent.hold_on_after_seconds

    def _fill(self, answer: Answer, filler: Sentence) -> None:
        if self._speaker.wordless:
            sentence = replace(filler)
            answer.sentences.insert(sum(s.filler for s in answer.sentences), sentence)
            self._speaker.say_first(sentence)

    # ── making ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _think(self, actions: AsyncGenerator[BrainAction, None], answer: Answer) -> None:
        async with contextlib.aclosing(actions):
            async for action in actions:
                match action:
                    case Say(text):
                        await self._make(answer, text, self._speech(text))
                    case Play(audio, text):
                        await self._make(answer, text, audio)
                    case Note():
                        self._note(action)
                    case Commit():
                        await self._until_released(answer)
                    case SendKeys(keys):
                        await self._press(answer, keys)
                    case Discreet(on):
                        await self._be_discreet(answer, on)
                    case Transfer():
                        if await self._transfer(answer, action):
                            break
                    case HangUp():
                        answer.hang_up = True
                        break

    async def _make(self, answer: Answer, text: str, audio: AsyncGenerator[bytes, None]) -> None:
        if answer.known_at is None:
            answer.known_at = self._clock.now()
        sentence = Sentence(text, withheld=self._discretion.on or answer.discreet)
        answer.sentences.append(sentence)
        if answer.released.is_set():
            self._speaker.say(sentence)
        await self._fill_in(sentence, audio)
        if len(answer.sentences) >= answer.drafted:
            await self._until_released(answer)
        if answer.released.is_set():
            await self._speaker.until_left(SENTENCES_AHEAD)

    async def _until_heard(self, answer: Answer) -> CallControl:
        """Until everything before has been said. Raises `BrainError` where there is no call to do anything with."""
        await self._until_released(answer)
        await self._speaker.until_left(0)
        if self._control is None:
            raise BrainError("The brain wants to press keys or transfer, and this call can't.")
        return self._control

    @staticmethod
    async def _until_released(answer: Answer) -> None:
        answer.waiting.set()
        await answer.released.wait()

    async def _press(self, answer: Answer, keys: str) -> None:
        control = await self._until_heard(answer)
        answer.acting = True
        try:
            await _to_the_end(control.send_keys(keys))
            self._note(Note("keys-sent", f"The agent pressed {keys}.", {"keys": keys}))
        except TrunklineError as error:
            self._note(Note("keys-refused", f"The agent wanted to press {keys}: {error}", {"keys": keys}))
        finally:
            answer.acting = False

    async def _be_discreet(self, answer: Answer, on: bool) -> None:
        if on and not answer.released.is_set():
            answer.discreet = True
        elif on:
            self._begin_discretion()
        else:
            await self._until_released(answer)
            await self._speaker.until_left(0)
            self._discretion.end(Asker.BRAIN)
            self._note(Note("recording-resumed", "The agent is done with what may not be kept."))

    def _begin_discretion(self) -> None:
        """Before anything of it is heard: whoever doesn't hear the question out may begin with the number."""
        self._note(Note("recording-paused", "The agent asked that nothing be kept."))
        self._discretion.begin(Asker.BRAIN)

    async def _transfer(self, answer: Answer, wanted: Transfer) -> bool:
        """Whether the person will be put through; if not, they are told."""
        control = await self._until_heard(answer)
        to = wanted.to
        try:
            name = await control.transfer(to, wanted.about)
        except TrunklineError as error:
            self._note(Note("transfer-refused", f"The agent wanted to transfer to {to[:40]}: {error}", {"to": to[:40]}))
            await self._make(answer, text := self._agent.transfer_failed, self._speech(text))
            return False
        answer.transferred_to = name
        self._note(Note("transfer", f"The agent transfers to {name}.", {"to": name}))
        return True

    def _speech(self, text: str) -> AsyncGenerator[bytes, None]:
        return self._text_to_speech.synthesise(text, voice=self._agent.voice, speed=self._agent.speed)

    async def _fill_in(self, sentence: Sentence, audio: AsyncGenerator[bytes, None]) -> None:
        async with contextlib.aclosing(audio):
            async for piece in audio:
                sentence.add(piece, self._clock.now())
        sentence.complete = True


def _begun(answer: Answer) -> bool:
    """Something of the answer proper has been heard or is ready to be."""
    return any(sentence.ready_at is not None and not sentence.filler for sentence in answer.sentences)


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Half of a number is worse than all of it: whoever speaks meanwhile does not stop the keys."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def drop(task: asyncio.Task[Any]) -> None:
    """Cancel work that turned out to be in vain; nobody cares how it ends."""
    task.cancel()
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
