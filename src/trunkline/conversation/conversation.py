"""One call's conversation: greet, then listen, understand, answer, until somebody hangs up.

    leg ─frames─▶ Listening ─guess─▶ speech-to-text ─words─▶ brain ─sentences─▶ Answering ─▶ Speaker ─frames─▶ leg

The leg calls in fifty times a second (`media.py`), operators and supervisors come in from outside (`controls.py`);
everything else is the one coroutine `_converse`. Hang-up is its cancellation.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from trunkline.audio import bytes_of
from trunkline.conversation.answering import Answering
from trunkline.conversation.controls import Controls
from trunkline.conversation.discretion import Discretion
from trunkline.conversation.floor import Ending, Floor, ending_of, over
from trunkline.conversation.heard import Guess, Keyed, Silent
from trunkline.conversation.listening import Listening
from trunkline.conversation.load import LoadGauge
from trunkline.conversation.media import Media
from trunkline.conversation.media_clock import MediaClock
from trunkline.conversation.person_turns import PersonTurns
from trunkline.conversation.prompts import Notice, Prompt, Successor
from trunkline.conversation.senses import Senses
from trunkline.conversation.speaking import Answer, Sentence, Speaker
from trunkline.conversation.tape import Tape
from trunkline.conversation.transcript import TurnLog
from trunkline.errors import BrainError, ProtocolError, SpeechUnavailable
from trunkline.events import CallNoted, GreetingStarted, SentenceStarted, SpeechHeard
from trunkline.models import CallEvent, CallId, HangUpBy, Turn
from trunkline.models import Speaker as Side
from trunkline.ports import (
    BrainAction,
    BrainSession,
    CallControl,
    CallLeg,
    Load,
    Note,
    Recorder,
    Watcher,
)
from trunkline.settings import AgentSettings

__all__ = ["Conversation", "Ending", "Senses"]

LAST_BREATH = 0.14
"""Seconds of silence sent behind the last word (and the pause that follows each sentence) before we hang up: no jitter
buffer may cut it off."""
WHOLE_GREETING = 1000
"""Sentences of a greeting that are made before it is heard: all of them."""


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
        control: CallControl | None = None,
        load: Load | None = None,
        notice: Notice | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._call_id = call_id
        self._publish = publish
        self._senses = senses
        self._control = control
        self._load = load or LoadGauge()
        self._clock = MediaClock(clock)
        self._discretion = Discretion(self._clock.now)
        self._log = TurnLog(call_id, publish, self._discretion)
        self._speaker = Speaker(self._on_sentence)
        self.media = Media(self._clock, self._speaker, self._discretion, key=self._on_key, closed=self._on_closed)
        self.controls = Controls(
            self._clock,
            self.media,
            self._speaker,
            self._discretion,
            note=self._note,
            turns=self._log.turns,
            longest_hold=agent.longest_hold,
        )
        self._floor = Floor(self._clock, self._speaker, self._log)
        self._engage(agent, mind)
        self._notice = notice
        self._telling: Answer | None = None
        self._greeting: Answer | None = None
        self._gap_from: float | None = None
        self._turns = PersonTurns(self._floor, self.controls, self._discretion)
        self._tape: Tape | None = None
        self._talk: asyncio.Task[Ending] | None = None
        self._broken_by: str | None = None
        self._left_at = 0.0
        self._resumed = False

    def _engage(self, agent: AgentSettings, mind: BrainSession) -> None:
        """That agent holds the conversation from now on."""
        senses = self._senses
        self._agent = agent
        self._session = self._mind = mind
        self._answering = Answering(
            agent,
            senses.text_to_speech,
            self._speaker,
            self._clock,
            discretion=self._discretion,
            control=self._control,
            note=self._note,
        )
        self._listening = Listening(
            agent,
            senses.voice_detector.open(),
            senses.speech_to_text,
            senses.turn_end,
            clock=self._clock,
            load=self._load,
            hidden=self._discretion.hides,
            speaking=self._on_speech,
            draft=self._draft,
        )
        self.media.ear = self._listening.ear
        self.controls.listening = self._floor.listening = self._listening
        self._floor.answering = self._answering

    # ── before the answer ──────────────────────────────────────────────────────────────────────────────────────

    async def prepare(self) -> None:
        """Think of the greeting and synthesise it; call it while the phone rings. `hold()` need not wait for it."""
        if self._notice is not None:
            self._telling = self._answering.say(self._notice.text)
        self._greeting = self._answering.begin(self._mind.greet(), drafted=WHOLE_GREETING)
        fillers = asyncio.create_task(self._answering.prepare())
        try:
            if self._telling is not None:
                await self._answering.made_ahead(self._telling)
            await self._answering.made_ahead(self._greeting)
            await fillers
        finally:
            await over(fillers)

    # ── what happens on the line ───────────────────────────────────────────────────────────────────────────────

    def _on_key(self, digit: str) -> None:
        self._listening.key(digit)

    def _on_closed(self, broken_by: str | None) -> None:
        self._broken_by = broken_by
        if self._talk is not None:
            self._talk.cancel()

    def _on_speech(self, speaking: bool) -> None:
        self._publish(SpeechHeard(self._call_id, speaking))
        if speaking:
            self._mind.turn_ahead()

    def _note(self, note: Note) -> None:
        note = self.controls.masked(note)
        event = CallEvent(self._call_id, datetime.now(UTC), note.kind, note.text, dict(note.data))
        self._publish(CallNoted(self._call_id, event))

    def _on_sentence(self, sentence: Sentence) -> None:
        at, gap = sentence.started_at or 0.0, None
        sentence.withheld = sentence.withheld or self._discretion.of_operator
        if self._gap_from is not None:
            gap, self._gap_from = round((at - self._gap_from) * 1000, 1), None
        if (opening := self._telling or self._greeting) is not None and sentence is opening.first:
            self._publish(GreetingStarted(self._call_id, round((at - self._log.answered_at) * 1000, 1)))
        self._publish(SentenceStarted(self._call_id, Side.AGENT, sentence.told, gap))

    # ── the conversation ───────────────────────────────────────────────────────────────────────────────────────

    async def hold(self, leg: CallLeg, recorder: Recorder) -> Ending:
        """From the answer to the end. Returns when the leg is closed, by whichever side; raises `ProtocolError` when it
        broke. Who is to be put through to somebody else is still on it, and may come back: `resume()`, else `close()`.
        """
        self._tape = Tape(recorder)
        self._tape.withheld = self._notice is not None and self._notice.record_after
        self.media.add_tape(self._tape)
        self._log.answered_at = self._clock.now()
        return await self._talk_over(leg)

    async def resume(self, leg: CallLeg) -> Ending:
        """The person is back on this leg: nobody took them. As `hold()`."""
        if self._tape is not None:
            self._tape.pause(self._clock.now() - self._left_at)
        self._resumed = True
        return await self._talk_over(leg)

    async def _talk_over(self, leg: CallLeg) -> Ending:
        kept = False
        try:
            async with asyncio.TaskGroup() as call:
                self._talk = call.create_task(self._to_the_end(), name=f"conversation {leg.call_id}")
                self.controls.open()
                leg.attach(self.media)
            if self._talk.cancelled():
                if self._broken_by is not None:
                    raise ProtocolError(f"The call's audio broke off: {self._broken_by.rstrip('.')}.")
                return Ending(HangUpBy.PERSON, "The person hung up.")
            ending = self._talk.result()
            kept = ending.transferred_to is not None
            return ending
        finally:
            self._left_at = self._clock.now()
            self.controls.close()
            if not kept:
                leg.close()
                await self.close()

    @property
    def turns(self) -> Sequence[Turn]:
        """What was said so far, as far as it may be kept."""
        return self._log.turns

    async def close(self) -> None:
        """Give everything back; also for a conversation that never began."""
        self._listening.close()
        for prepared in (self._telling, self._greeting):
            if prepared is not None:
                await self._answering.drop(prepared)
        await self._session.close()
        for prompt in self._listening.pending:
            if isinstance(prompt, Successor):
                await prompt.mind.close()
        if self._tape is not None:
            await self._tape.close()

    async def _to_the_end(self) -> Ending:
        ending = await self._limited()
        self._speaker.say(Sentence("", bytearray(bytes_of(LAST_BREATH)), complete=True))
        await self._speaker.until_left(0)
        return ending

    async def _limited(self) -> Ending:
        talk = asyncio.create_task(self._converse())
        limit = asyncio.create_task(self._clock.sleep(self._agent.max_call_seconds))
        try:
            await asyncio.wait({talk, limit}, return_when=asyncio.FIRST_COMPLETED)
            if talk.done():
                return talk.result()
        except (BrainError, SpeechUnavailable) as error:
            if isinstance(error, BrainError):
                fault = str(error.details.get("kind", "failed"))
                self._note(Note("brain-fault", str(error), {"fault": fault, "remedy": error.remedy or ""}))
            with contextlib.suppress(SpeechUnavailable):
                await self._floor.say(self._agent.sorry)
            what = "brain" if isinstance(error, BrainError) else "speech engine"
            return Ending(HangUpBy.SYSTEM, f"The agent's {what} failed: {error}")
        finally:
            await over(talk, limit)
        await self._floor.say(self._agent.farewell_time)
        return Ending(HangUpBy.AGENT, "The call reached its longest length.")

    async def _converse(self) -> Ending:
        if self._resumed:
            await self._floor.say(self._agent.transfer_failed)
        elif (ending := await self._greet()) is not None:
            return ending
        asked = 0
        while True:
            match await self._listen():
                case Silent() if asked >= self._agent.listening.silent_caller_asks:
                    await self._floor.say(self._agent.farewell_silent)
                    return Ending(HangUpBy.AGENT, "The person stayed silent.")
                case Silent():
                    asked += 1
                    await self._floor.say(self._agent.ask_again)
                case Keyed() as keyed:
                    asked = 0
                    if (ending := await self._answer_keys(keyed)) is not None:
                        return ending
                case Guess() as guess:
                    turns = self._turns.number
                    ending = await self._answer(guess)
                    asked = 0 if self._turns.number > turns else asked
                    if ending is not None:
                        return ending
                case prompt:
                    if (ending := await self._follow(prompt)) is not None:
                        return ending

    async def _greet(self) -> Ending | None:
        if self._greeting is None:
            await self.prepare()
        if self._notice is not None and self._telling is not None:
            await self._tell(self._notice, self._telling)
        return None if self._greeting is None else await self._floor.speak(self._greeting, bridged=True, greeting=True)

    async def _tell(self, notice: Notice, telling: Answer) -> None:
        """Whoever speaks over it has not been told, and shall be."""
        await self._floor.speak(telling, firm=True)
        self._listening.agents_turn_begins()
        if self._tape is not None:
            self._tape.withheld = False
        self._note(Note("notice", f"The person was told: {notice.text}", {"text": notice.text}))

    async def _listen(self) -> Guess | Keyed | Silent | Prompt | Successor:
        self.media.agents_turn = False
        try:
            return await self._listening.turn()
        finally:
            self.media.agents_turn = True
            self._listening.agents_turn_begins()

    # ── answering ──────────────────────────────────────────────────────────────────────────────────────────────

    def _draft(self, guess: Guess) -> None:
        """In a pause: begin the answer to what was said so far, where that can be undone."""
        mind = self._mind.fork()
        if mind is not None:
            guess.mind = mind
            guess.answer = self._answering.begin(self._reply(guess, mind))

    async def _reply(self, guess: Guess, mind: BrainSession) -> AsyncGenerator[BrainAction, None]:
        words = await guess.words
        if self._listening.is_noise(guess.utterance, words):
            return
        async with contextlib.aclosing(mind.reply(self._turns.spoken(guess, words.text))) as actions:
            async for action in actions:
                yield action

    async def _answer(self, guess: Guess) -> Ending | None:
        """Answer a turn in words; how it ends the conversation, if it does."""
        if guess.answer is None:
            guess.answer = self._answering.begin(self._reply(guess, self._mind))
        answer, before = guess.answer, self._mind
        bridge = asyncio.create_task(self._answering.bridge(answer, guess.utterance.speech_ended))
        try:
            heard_out = await self._floor.hold(answer, self._deliver(guess, answer), guess, bridge)
        finally:
            guess.drop()
            await over(guess.words, bridge)
        if not heard_out and guess.mind is not None and not answer.heard_of_brain and not guess.words.cancelled():
            # The person went on before they heard anything: it was one turn, and the brain shall see it as one.
            self._mind = before
            self._turns.went_on(guess, guess.words.result().text)
        return ending_of(answer) if heard_out else None

    async def _deliver(self, guess: Guess, answer: Answer) -> None:
        words = await guess.words
        if self._listening.is_noise(guess.utterance, words):
            self._listening.heard_noise(guess.utterance)
            return
        self._listening.heard_turn(words)
        self._gap_from = guess.utterance.speech_ended
        self._turns.over(guess)
        self._log.spoken(guess, words)
        if guess.mind is not None:
            self._mind = guess.mind
        self._answering.release(answer)
        await self._answering.made(answer)
        self._turns.answered()
        await self._speaker.until_left(0)

    async def _answer_keys(self, keyed: Keyed) -> Ending | None:
        self._log.keyed(keyed)
        answer = self._answering.begin(self._mind.reply(self._turns.keyed(keyed)))
        return await self._floor.speak(answer, bridged=True)

    # ── what others want ───────────────────────────────────────────────────────────────────────────────────────

    async def _follow(self, prompt: Prompt | Successor) -> Ending | None:
        if isinstance(prompt, Successor):
            return await self._hand_over(prompt)
        ending = await self._floor.speak(self._answering.do(*prompt.actions), firm=prompt.firm)
        if prompt.told:
            self.controls.notes += (prompt.told,)
        if ending is None or ending.transferred_to is not None:
            return ending
        return replace(ending, by=HangUpBy.OPERATOR, reason="Ended on request, with a farewell.")

    async def _hand_over(self, successor: Successor) -> Ending | None:
        """Another agent goes on: it has read what was said, and greets."""
        before, session = self._listening, self._session
        self._senses = replace(
            self._senses, speech_to_text=successor.speech_to_text, text_to_speech=successor.text_to_speech
        )
        self._engage(successor.agent, successor.mind)
        before.hand_over(self._listening)
        self._turns.answered()
        self._floor.cut_words = None
        await session.close()
        self._note(Note("agent-changed", f"{successor.name} takes over.", {"agent": successor.name}))
        fillers = asyncio.create_task(self._answering.prepare())
        try:
            return await self._floor.speak(self._answering.begin(self._mind.greet()), bridged=True)
        finally:
            await over(fillers)
