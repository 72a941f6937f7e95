"""From what the brain wants to say to what is heard: sentences are synthesised while those before them are spoken."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

from trunkline.conversation.media_clock import MediaClock
from trunkline.conversation.speaking import Answer, Sentence, Speaker
from trunkline.errors import BrainError
from trunkline.ports import BrainAction, HangUp, Say, TextToSpeech
from trunkline.settings import AgentSettings

SENTENCES_AHEAD = 2
"""Sentences synthesised while one is being spoken."""
DRAFTED_SENTENCES = 1
"""Sentences synthesised of an answer that may never be heard."""


class Answering:
    """The agent's side."""

    def __init__(self, agent: AgentSettings, voice: TextToSpeech, speaker: Speaker, clock: MediaClock) -> None:
        self._agent = agent
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
                await self._synthesise(sentence)
                self._fillers.append((after, sentence))

    def begin(self, actions: AsyncGenerator[BrainAction, None], *, drafted: int = DRAFTED_SENTENCES) -> Answer:
        """Think and synthesise; nothing is heard before `release`, and little is made."""
        answer = Answer(drafted)
        answer.thinking = asyncio.create_task(self._think(actions, answer))
        return answer

    def say(self, text: str) -> Answer:
        """An answer of our own, without the brain."""

        async def ours() -> AsyncGenerator[BrainAction, None]:
            yield Say(text)

        return self.begin(ours())

    def release(self, answer: Answer) -> None:
        """Let it be heard, as far as it is and as it goes on."""
        for sentence in answer.sentences:
            if not sentence.filler:
                self._speaker.say(sentence)
        answer.released.set()

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

    async def bridge(self, answer: Answer, since: float) -> None:
        """Say the fillers into a silence that began at `since`, until the answer is there.

        Raises `BrainError` when it isn't after `give_up_after_seconds`.
        """
        for after, filler in self._fillers:
            await self._clock.sleep(since + after - self._clock.now())
            if _begun(answer):
                return
            if self._speaker.wordless:
                sentence = replace(filler)
                answer.sentences.insert(sum(s.filler for s in answer.sentences), sentence)
                self._speaker.say_first(sentence)
        await self._clock.sleep(since + self._agent.give_up_after_seconds - self._clock.now())
        if not _begun(answer):
            raise BrainError(f"No answer within {self._agent.give_up_after_seconds:g} seconds.")

    # ── making ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _think(self, actions: AsyncGenerator[BrainAction, None], answer: Answer) -> None:
        async with contextlib.aclosing(actions):
            async for action in actions:
                if isinstance(action, HangUp):
                    answer.hang_up = True
                    break
                if not isinstance(action, Say):
                    continue
                if answer.known_at is None:
                    answer.known_at = self._clock.now()
                sentence = Sentence(action.text)
                answer.sentences.append(sentence)
                if answer.released.is_set():
                    self._speaker.say(sentence)
                await self._synthesise(sentence)
                if len(answer.sentences) >= answer.drafted:
                    await answer.released.wait()
                if answer.released.is_set():
                    await self._speaker.until_left(SENTENCES_AHEAD)

    async def _synthesise(self, sentence: Sentence) -> None:
        agent = self._agent
        speech = self._text_to_speech.synthesise(sentence.text, voice=agent.voice, speed=agent.speed)
        async with contextlib.aclosing(speech):
            async for piece in speech:
                sentence.add(piece, self._clock.now())
        sentence.complete = True


def _begun(answer: Answer) -> bool:
    """Something of the answer proper has been heard or is ready to be."""
    return any(sentence.ready_at is not None and not sentence.filler for sentence in answer.sentences)


def drop(task: asyncio.Task[Any]) -> None:
    """Cancel work that turned out to be in vain; nobody cares how it ends."""
    task.cancel()
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
