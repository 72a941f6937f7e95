"""One call's conversation: greet, then listen, understand, answer, until somebody hangs up.

    leg ─frames─▶ Ear ─utterance─▶ speech-to-text ─words─▶ brain ─sentences─▶ text-to-speech ─▶ Speaker ─frames─▶ leg

The leg calls in fifty times a second (`audio_received`, `next_frame`); everything else is the one coroutine
`_converse`. Hang-up is its cancellation.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from trunkline.audio import bytes_of
from trunkline.conversation.ear import Ear, Heard, Utterance
from trunkline.conversation.speaking import Answer, Sentence, Speaker
from trunkline.conversation.tape import Tape
from trunkline.conversation.transcript import Stopwatch, TurnLog
from trunkline.conversation.turns import Verdict
from trunkline.errors import BrainError, SpeechUnavailable
from trunkline.events import GreetingStarted, SentenceStarted, SpeechHeard
from trunkline.models import CallId, HangUpBy
from trunkline.models import Speaker as Side
from trunkline.ports import (
    BrainAction,
    BrainSession,
    CallLeg,
    HangUp,
    PersonTurn,
    Recorder,
    Say,
    SpeechToText,
    TextToSpeech,
    Transcript,
    VoiceDetector,
    Watcher,
)
from trunkline.settings import AgentSettings

T = TypeVar("T")

LEAST_SPEECH = 0.1
"""Seconds of speech below which nobody needs to transcribe: a click."""
NOTHING_SAID = 0.5
"""An utterance shorter than this without a word in it is a cough or a noise: the agent goes on listening."""
LAST_BREATH = 0.3
"""Silence sent behind the last word before we hang up: no jitter buffer may cut it off."""
SENTENCES_AHEAD = 2
"""Sentences synthesised while one is being spoken."""


@dataclass(frozen=True, slots=True)
class Senses:
    """The speech engines a conversation uses."""

    voice_detector: VoiceDetector
    speech_to_text: SpeechToText
    text_to_speech: TextToSpeech


@dataclass(frozen=True, slots=True)
class Ending:
    """Who ended the conversation, and a sentence why."""

    by: HangUpBy
    reason: str


class Conversation:
    """Create it while the phone rings, `prepare()` the greeting, `hold()` it when the leg is there."""

    def __init__(
        self,
        call_id: CallId,
        agent: AgentSettings,
        mind: BrainSession,
        senses: Senses,
        *,
        publish: Watcher,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._call_id = call_id
        self._agent = agent
        self._mind = mind
        self._senses = senses
        self._publish = publish
        self._clock = clock
        self._tape: Tape | None = None
        self._log = TurnLog(call_id, publish)
        self._heard: asyncio.Queue[Heard | str] = asyncio.Queue()
        self._interrupted = asyncio.Event()
        self._ear = Ear(agent.listening, senses.voice_detector.open(), self._on_heard)
        self._speaker = Speaker(self._on_sentence)
        self._stopwatch: Stopwatch | None = None
        self._greeting: Answer | None = None
        self._greeting_hangs_up = False
        self._first_words: Sentence | None = None
        self._agents_turn = True
        self._person_turns = 0
        self._last_heard: str | None = None
        self._talk: asyncio.Task[Ending] | None = None
        self._closed_why: str | None = None

    # ── before the answer ──────────────────────────────────────────────────────────────────────────────────────

    async def prepare(self) -> None:
        """Think of the greeting and synthesise it; call it while the phone rings."""
        greeting = Answer()
        async with contextlib.aclosing(self._mind.greet()) as actions:
            async for action in actions:
                if isinstance(action, HangUp):
                    self._greeting_hangs_up = True
                    break
                sentence = Sentence(action.text)
                await self._voice(sentence)
                greeting.sentences.append(sentence)
        self._greeting = greeting

    # ── the leg calls in ───────────────────────────────────────────────────────────────────────────────────────

    def audio_received(self, frame: bytes) -> None:
        self._ear.frame(frame)

    def next_frame(self) -> bytes:
        now = self._clock()
        person = self._ear.tick(now, agents_turn=self._agents_turn)
        frame = self._speaker.next_frame(now)
        if self._tape is not None:
            self._tape.tick(person, frame)
        return frame

    def key_received(self, digit: str) -> None:
        self._heard.put_nowait(digit)
        self._interrupted.set()

    def leg_closed(self, why: str) -> None:
        self._closed_why = why
        if self._talk is not None:
            self._talk.cancel()

    def _on_heard(self, heard: Heard) -> None:
        match heard.verdict:
            case Verdict.INTERRUPTED:
                self._interrupted.set()
                return
            case Verdict.SPEECH_STARTED:
                self._publish(SpeechHeard(self._call_id, speaking=True))
            case Verdict.TURN_ENDED | Verdict.TURN_CUT:
                self._publish(SpeechHeard(self._call_id, speaking=False))
            case _:
                pass
        self._heard.put_nowait(heard)

    def _on_sentence(self, sentence: Sentence) -> None:
        watch, gap = self._stopwatch, None
        if watch is not None and watch.heard is None:
            watch.audio_ready, watch.heard = sentence.ready_at, sentence.started_at
            gap = watch.timings().gap_ms
        if sentence is self._first_words and sentence.started_at is not None:
            waited = (sentence.started_at - self._log.answered_at) * 1000
            self._publish(GreetingStarted(self._call_id, round(waited, 1)))
        self._publish(SentenceStarted(self._call_id, Side.AGENT, sentence.text, gap))

    # ── the conversation ───────────────────────────────────────────────────────────────────────────────────────

    async def hold(self, leg: CallLeg, recorder: Recorder) -> Ending:
        """From the answer to the end. Returns when the leg is closed, by whichever side."""
        self._tape = Tape(recorder)
        self._log.answered_at = self._clock()
        try:
            async with asyncio.TaskGroup() as call:
                self._talk = call.create_task(self._to_the_end(), name=f"conversation {leg.call_id}")
                leg.attach(self)
            if self._talk.cancelled():
                return Ending(HangUpBy.PERSON, self._closed_why or "The person hung up.")
            return self._talk.result()
        finally:
            leg.close()
            await self.close()

    async def close(self) -> None:
        """Give everything back; also for a conversation that never began."""
        self._ear.close()
        await self._mind.close()
        if self._tape is not None:
            await self._tape.close()

    async def _to_the_end(self) -> Ending:
        ending = await self._limited()
        # A farewell's last word must not be cut off by a jitter buffer.
        self._speaker.say(Sentence("", bytearray(bytes_of(LAST_BREATH)), complete=True))
        await self._speaker.until_left(0)
        return ending

    async def _limited(self) -> Ending:
        try:
            async with asyncio.timeout(self._agent.max_call_seconds) as limit:
                return await self._converse()
        except TimeoutError:
            if not limit.expired():
                raise
            return await self._farewell(self._agent.farewell_time, "The call reached its longest length.")
        except (BrainError, SpeechUnavailable) as error:
            what = "brain" if isinstance(error, BrainError) else "speech engine"
            with contextlib.suppress(SpeechUnavailable):
                await self._say(self._agent.sorry)
            return Ending(HangUpBy.SYSTEM, f"The agent's {what} failed: {error}")

    async def _converse(self) -> Ending:
        if await self._greet():
            return Ending(HangUpBy.AGENT, "The agent said all it had to say.")
        asked = 0
        while True:
            turn = await self._listen()
            if turn is not None:
                asked = 0
                if await self._answer(self._mind.reply(turn)):
                    return Ending(HangUpBy.AGENT, "The conversation came to its end.")
            elif asked < self._agent.listening.silent_caller_asks:
                asked += 1
                await self._say(self._agent.ask_again)
            else:
                return await self._farewell(self._agent.farewell_silent, "The person stayed silent.")

    async def _farewell(self, words: str, reason: str) -> Ending:
        await self._say(words)
        return Ending(HangUpBy.AGENT, reason)

    # ── listening ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _listen(self) -> PersonTurn | None:
        """The person's next turn, in words or keys; `None` when they say nothing for too long."""
        guess: asyncio.Task[Transcript] | None = None
        self._agents_turn = False
        try:
            while True:
                heard = await self._heard.get()
                if isinstance(heard, str):
                    return await self._listen_for_keys(heard)
                utterance = heard.utterance
                match heard.verdict:
                    case Verdict.SILENT_TOO_LONG:
                        return None
                    case Verdict.SPEECH_PAUSED if utterance is not None:
                        # Most pauses are the end: the words shall be there when that is certain.
                        guess = asyncio.create_task(self._transcribe(utterance))
                    case Verdict.SPEECH_RESUMED:
                        _abandon(guess)
                        guess = None
                    case Verdict.TURN_ENDED | Verdict.TURN_CUT if utterance is not None:
                        words = await (guess if guess is not None else self._transcribe(utterance))
                        guess = None
                        if turn := self._understood(utterance, words):
                            return turn
                    case _:
                        pass
        finally:
            self._agents_turn = True
            _abandon(guess)

    async def _transcribe(self, utterance: Utterance) -> Transcript:
        if utterance.voiced_seconds < LEAST_SPEECH:
            return Transcript("", 0.0)
        return await self._senses.speech_to_text.transcribe(bytes(utterance.audio), language=self._agent.language)

    def _understood(self, utterance: Utterance, words: Transcript) -> PersonTurn | None:
        """The turn, unless it was no more than a noise."""
        if not words.text and utterance.voiced_seconds < NOTHING_SAID:
            return None
        now = self._clock()
        self._stopwatch = Stopwatch(utterance.speech_ended, utterance.over_at, now)
        turn = self._next_turn(words.text, bytes(utterance.audio))
        self._log.person(turn, utterance, words.confidence, now)
        return turn

    async def _listen_for_keys(self, first: str) -> PersonTurn:
        """Keys up to `#` or a gap. Speech meanwhile is a turn of its own, later."""
        keys = first
        later: list[Heard] = []
        with contextlib.suppress(TimeoutError):
            while not keys.endswith("#"):
                async with asyncio.timeout(self._agent.listening.keys_gap_seconds):
                    heard = await self._heard.get()
                if isinstance(heard, str):
                    keys += heard
                else:
                    later.append(heard)
        for heard in later:
            self._heard.put_nowait(heard)
        turn = self._next_turn("", b"", keys.rstrip("#") or keys)
        self._log.person(turn, None, None, self._clock())
        return turn

    def _next_turn(self, text: str, audio: bytes, keys: str = "") -> PersonTurn:
        self._person_turns += 1
        heard, self._last_heard = self._last_heard, None
        return PersonTurn(self._person_turns, text, audio, keys, heard)

    # ── speaking ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _greet(self) -> bool:
        """Speak the greeting; true when that was all there is to say."""
        if self._greeting is None:
            await self.prepare()
        greeting = self._greeting or Answer()
        self._first_words = greeting.sentences[0] if greeting.sentences else None
        for sentence in greeting.sentences:
            self._speaker.say(sentence)
        await self._hear_out(greeting, self._speaker.until_left(0))
        return self._greeting_hangs_up and not greeting.cut_off

    async def _say(self, text: str) -> None:
        """Speak a sentence of our own, not the brain's."""

        async def alone() -> AsyncGenerator[BrainAction, None]:
            yield Say(text)

        await self._answer(alone())

    async def _answer(self, actions: AsyncGenerator[BrainAction, None]) -> bool:
        """Speak what the brain says, sentence by sentence, while it still thinks; true when it wants to hang up."""
        answer = Answer()
        self._interrupted.clear()
        hang_up = await self._hear_out(answer, self._think(actions, answer))
        return bool(hang_up) and not answer.cut_off

    async def _think(self, actions: AsyncGenerator[BrainAction, None], answer: Answer) -> bool:
        hang_up = False
        async with contextlib.aclosing(actions):
            async for action in actions:
                if isinstance(action, HangUp):
                    hang_up = True
                    break
                if self._stopwatch is not None and self._stopwatch.sentence_known is None:
                    self._stopwatch.sentence_known = self._clock()
                sentence = Sentence(action.text)
                answer.sentences.append(sentence)
                self._speaker.say(sentence)
                await self._voice(sentence)
                await self._speaker.until_left(SENTENCES_AHEAD)
        await self._speaker.until_left(0)
        return hang_up

    async def _voice(self, sentence: Sentence) -> None:
        speech = self._senses.text_to_speech.synthesise(sentence.text, voice=self._agent.voice, speed=self._agent.speed)
        try:
            async with contextlib.aclosing(speech):
                async for piece in speech:
                    sentence.add(piece, self._clock())
        finally:
            sentence.complete = True

    async def _hear_out(self, answer: Answer, work: Coroutine[Any, Any, T]) -> T | None:
        """Until `work` is done and heard, or the person interrupts: then brain, voice and audio stop at once."""
        working = asyncio.create_task(work)
        interrupted = asyncio.create_task(self._interrupted.wait())
        try:
            await asyncio.wait({working, interrupted}, return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else None
        finally:
            # Reached by an interruption and by a hang-up as well.
            if not working.done():
                self._speaker.stop()
                answer.cut_off = True
                self._last_heard = answer.heard
            self._log.agent(answer, self._stopwatch, self._clock())
            self._stopwatch = None
            await _cancelled(working, interrupted)


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _abandon(task: asyncio.Task[Any] | None) -> None:
    """Cancel work that turned out to be in vain; nobody cares how it ends."""
    if task is not None:
        task.cancel()
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
