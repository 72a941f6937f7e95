"""A conversation in which only one side is heard at a time: a sentence is played, then the person is recorded.

The same conversation but for its ear: the person can't interrupt by voice, a key does; a turn is over when the line
has recorded a silence. While a file is played, the speaker's frames go nowhere but into the recording: they tell how
far the person has heard it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import NoReturn

from trunkline.audio import FRAME_BYTES, FRAME_SECONDS, SILENCE, audible_end, audible_start, seconds_of
from trunkline.conversation.conversation import Conversation, Ending, Senses
from trunkline.conversation.ear import Utterance
from trunkline.conversation.heard import Guess, Keyed, Silent
from trunkline.conversation.prompts import Notice, Prompt, Successor
from trunkline.conversation.speaking import BETWEEN_SENTENCES, Sentence
from trunkline.errors import PbxUnavailable
from trunkline.models import CallId, HangUpBy
from trunkline.ports import BrainSession, CallControl, Load, TurnChannel, Watcher
from trunkline.settings import AgentSettings

ENDS_SPEECH = "#"
"""The key by which a person says that their sentence is over."""
STOPPING_SECONDS = 0.1
"""After a key nothing is said for so long: by then the answer it interrupts has been dropped."""


class TurnByTurn(Conversation):
    """`channel` is also the leg that `hold` is given."""

    def __init__(
        self,
        call_id: CallId,
        agent: AgentSettings,
        mind: BrainSession,
        senses: Senses,
        *,
        channel: TurnChannel,
        publish: Watcher,
        control: CallControl | None = None,
        load: Load | None = None,
        notice: Notice | None = None,
    ) -> None:
        # Nobody has to guess whether a recording is over.
        senses = replace(senses, turn_end=None)
        super().__init__(call_id, agent, mind, senses, publish=publish, control=control, load=load, notice=notice)
        self.media.streams = False
        self._channel = channel
        self._playing: Sentence | None = None
        self._recording = False
        self._pressed = False
        self._silent_seconds = 0.0
        self._turns_before = 0

    async def _to_the_end(self) -> Ending:
        talk = asyncio.create_task(super()._to_the_end())
        playing = asyncio.create_task(self._play())
        ticking = asyncio.create_task(self._keep_time())
        try:
            await asyncio.wait({talk, playing}, return_when=asyncio.FIRST_COMPLETED)
            return talk.result() if talk.done() else playing.result()
        except PbxUnavailable as error:
            return Ending(HangUpBy.SYSTEM, str(error))
        finally:
            for task in (talk, playing, ticking):
                task.cancel()
            await asyncio.gather(talk, playing, ticking, return_exceptions=True)

    # ── speaking ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _play(self) -> NoReturn:
        """Whatever is to be said, sentence by sentence."""
        while True:
            sentence = self._speaker.due
            if sentence is None:
                await asyncio.sleep(FRAME_SECONDS)
                continue
            self._playing = sentence
            key = await self._channel.play(bytes(sentence.audio))
            self._playing = None
            if key:
                self._speaker.hold()
                self._press(key)
                await asyncio.sleep(STOPPING_SECONDS)
                self._speaker.resume()
            else:
                self._heard_out(sentence)

    def _heard_out(self, sentence: Sentence) -> None:
        """Asterisk's clock and ours differ by some frames."""
        while self._speaker.due is sentence:
            self._send(self._clock.now() + BETWEEN_SENTENCES)

    async def _keep_time(self) -> None:
        """In place of a leg's clock, every 20 ms."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += FRAME_SECONDS
            await asyncio.sleep(due - loop.time())
            now = self._clock.now()
            self._clock.tick(now)
            if self._playing is not None and self._speaker.due is self._playing:
                self._send(now)
            elif not self._recording:
                self.media.keep([SILENCE], SILENCE)

    def _send(self, now: float) -> None:
        self.media.keep([SILENCE], self._speaker.next_frame(now))

    def _press(self, key: str) -> None:
        self._pressed = True
        self._listening.key(key)

    # ── listening ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _listen(self) -> Guess | Keyed | Silent | Prompt | Successor:
        try:
            return await self._turn()
        finally:
            self._listening.agents_turn_begins()

    async def _turn(self) -> Guess | Keyed | Silent | Prompt | Successor:
        manners = self._agent.listening
        if self._turns.number != self._turns_before:
            self._turns_before, self._silent_seconds = self._turns.number, 0.0
        while not self._pressed:
            if (prompt := self._listening.prompted()) is not None:
                return prompt
            if self._silent_seconds >= manners.silent_caller_seconds:
                self._silent_seconds = 0.0
                return Silent()
            began, audio = self._clock.now(), await self._record()
            if (start := audible_start(audio)) is not None:
                return self._listening.recorded(_utterance(audio, start, began, self._clock.now()))
            self._silent_seconds += max(seconds_of(audio), self._clock.now() - began)
        self._pressed = False
        pressing = asyncio.create_task(self._more_keys())
        try:
            return await self._listening.turn()
        finally:
            pressing.cancel()
            await asyncio.gather(pressing, return_exceptions=True)

    async def _record(self) -> bytes:
        """What the person says until they are silent, or press a key."""
        manners = self._agent.listening
        self._recording = True
        try:
            recorded = await self._channel.record(longest=manners.max_turn_seconds, silence=manners.end_silence_seconds)
        finally:
            self._recording = False
        audio = recorded.audio[: len(recorded.audio) // FRAME_BYTES * FRAME_BYTES]
        for start in range(0, len(audio), FRAME_BYTES):
            self.media.keep([audio[start : start + FRAME_BYTES]], SILENCE)
        spoken = audible_start(audio) is not None
        if recorded.key and not (spoken and recorded.key == ENDS_SPEECH):
            self._press(recorded.key)
            return b""
        return audio

    async def _more_keys(self) -> None:
        """Those behind the first one."""
        gap = self._agent.listening.keys_gap_seconds
        while key := await self._channel.next_key(within=gap):
            self._listening.key(key)
            if key == ENDS_SPEECH:
                break


def _utterance(audio: bytes, start: int, began: float, ended: float) -> Utterance:
    """A recording that ended just now; `start` is the offset of its first sound."""
    voiced = seconds_of(audio[start : audible_end(audio)])
    return Utterance(
        started=max(ended - seconds_of(audio[start:]), began),
        audio=bytearray(audio),
        voiced_seconds=voiced,
        heard_until=ended,
        over_at=ended,
        certain_seconds=voiced,
    )
