"""From what the ear hears to what the person said: guesses begun in every pause, kept when the turn is over."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from trunkline.conversation.answering import drop
from trunkline.conversation.back_channel import asks_to_wait, is_back_channel
from trunkline.conversation.completeness import Asked
from trunkline.conversation.ear import Ear, Utterance
from trunkline.conversation.end_of_turn import EndOfTurn
from trunkline.conversation.heard import Guess, Key, Keyed, Silent
from trunkline.conversation.media_clock import MediaClock
from trunkline.conversation.prompts import Prompt, Successor
from trunkline.conversation.turns import Hearing, Verdict
from trunkline.ports import Load, LoadLevel, SpeechToText, Transcript, TurnEndDetector, VoiceStream
from trunkline.settings import AgentSettings

T = TypeVar("T")

LEAST_SPEECH = 0.1
"""Seconds of speech below which nobody needs to transcribe: a click."""
NOTHING_SAID = 0.5
"""An utterance with less clear speech than this, and without a word, is a cough, music or a noise: the agent goes on
listening."""
SHORTEST_WORD = 0.2
"""An utterance of an agent that doesn't transcribe counts from here on: it may be a "yes"."""
UNDERSTOOD_IN_CROWD = 0.5
"""Confidence below which words over the agent, among other voices, may be theirs. In the person's own turn any words
do: to answer nobody is better than to leave somebody without an answer."""
LONGEST_HOLD = 3.0
"""Seconds the agent holds its tongue for voices that nobody can make words of; then it goes on."""
SOUNDS_FINISHED = 0.5
"""Probability from which the sound alone ends a turn, where the words are never known."""
SOUND_ALONE_SECONDS = 0.6
"""Silence that does so then."""
OVERLAP = 0.7
"""Seconds: a back-channel that ended this long before the agent did was no answer to what it said."""


class Listening:
    """The person's side. `ear` is driven by the media clock; everything awaitable here waits for what it reports."""

    def __init__(
        self,
        agent: AgentSettings,
        voice: VoiceStream,
        speech_to_text: SpeechToText,
        turn_end: TurnEndDetector | None,
        *,
        clock: MediaClock,
        load: Load,
        hidden: Callable[[float], bool],
        speaking: Callable[[bool], None],
        draft: Callable[[Guess], None],
    ) -> None:
        """`hidden`: whether nobody here may understand what was begun at that time."""
        self.ear = Ear(agent.listening, voice, self._on_verdict)
        self.interrupted = asyncio.Event()
        """Speech or a key in the agent's turn, not yet judged."""
        self.asked = Asked.UNKNOWN
        """What the agent asked for."""
        self.agent = agent
        self._speech_to_text = speech_to_text
        self._turn_end = turn_end
        manners = agent.listening
        self._end_of_turn = EndOfTurn(
            undecided_seconds=manners.end_silence_seconds, longest_seconds=manners.longest_silence_seconds
        )
        self._clock = clock
        self._load = load
        self._hidden = hidden
        self._speaking = speaking
        self._draft = draft
        self._turns: deque[Guess | Key | Silent] = deque()
        self._prompts: deque[Prompt | Successor] = deque()
        self._guess: Guess | None = None
        self._news = asyncio.Event()
        self._insisted = False
        self._insisting: asyncio.Task[Transcript] | None = None
        self._interrupting: Utterance | None = None
        self._judging = False
        self._agent_ended = 0.0

    # ── what happens ───────────────────────────────────────────────────────────────────────────────────────────

    def key(self, digit: str) -> None:
        """A key was pressed."""
        self._turns.append(Key(digit, self._clock.now()))
        self._insist()

    def prompt(self, prompt: Prompt | Successor) -> None:
        """Somebody outside wants something."""
        if prompt.now:
            self._prompts.appendleft(prompt)
            self._insist()
        else:
            self._prompts.append(prompt)
            self._news.set()

    def _on_verdict(self, verdict: Verdict, utterance: Utterance | None) -> None:
        match verdict:
            case Verdict.SPEECH_STARTED:
                self._speaking(True)
            case Verdict.SPEECH_PAUSED if utterance is not None:
                # Most pauses are the end: the words shall be there when that is certain.
                if self._in_doubt and self._guess is not None:
                    return
                self._forget_guess()
                if self._speculates or utterance is self._interrupting:
                    self._guess = self._begin(utterance)
                self._judge(self._guess)
            case Verdict.SPEECH_RESUMED if not self._in_doubt:
                self._forget_guess()
            case Verdict.TURN_ENDED | Verdict.TURN_CUT if utterance is not None:
                self._speaking(False)
                guess, self._guess = self._guess or self._begin(utterance), None
                self._turns.append(guess)
            case Verdict.SILENT_TOO_LONG:
                self._turns.append(Silent())
            case Verdict.INTERRUPTED:
                self._interrupting = utterance
                self._interrupt()
            case Verdict.INSISTED if utterance is not None and utterance.in_crowd and self.agent.transcribe:
                self._insisting = asyncio.create_task(self._transcribe(utterance))
                self._insisting.add_done_callback(lambda _: self._news.set())
            case Verdict.INSISTED:
                self._insisted = True
            case _:
                pass
        self._news.set()

    def _insist(self) -> None:
        self._insisted = True
        self._interrupt()

    def _interrupt(self) -> None:
        self.interrupted.set()
        self._news.set()

    def agents_turn_begins(self) -> None:
        """Whatever interrupts from now on is news."""
        self.interrupted.clear()
        self._insisted = False
        self._drop_insisting()

    def agents_turn_ends(self) -> None:
        """The agent has fallen silent."""
        self._agent_ended = self._clock.now()

    # ── turns ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def turn(self) -> Guess | Keyed | Silent | Prompt | Successor:
        """The person's next turn, as soon as it is over; its words may still be on their way. Or a prompt."""
        while (prompt := self.prompted()) is None and not self._turns:
            self._news.clear()
            await self._news.wait()
        if prompt is not None:
            return prompt
        turn = self._turns.popleft()
        return await self._keys(turn) if isinstance(turn, Key) else turn

    def prompted(self) -> Prompt | Successor | None:
        """What is to be done before anybody is listened to; most of it can wait until the person has been answered."""
        waits = self._turns or self.ear.turns.state is not Hearing.QUIET
        return None if not self._prompts or (waits and not self._prompts[0].now) else self._prompts.popleft()

    def recorded(self, utterance: Utterance) -> Guess:
        """A turn that came as a whole; its words may still be on their way."""
        return self._begin(utterance)

    def is_noise(self, utterance: Utterance, words: Transcript) -> bool:
        """Whether that was no turn at all: a cough, a sign of listening in the middle of what the agent said, what
        others said around the person."""
        if self._is_sound(utterance, words):
            return True
        long_before = self._agent_ended - utterance.speech_ended > OVERLAP
        return bool(words.text) and utterance.over_agent and long_before and is_back_channel(words.text)

    def heard_turn(self, words: Transcript) -> None:
        """The person has said something."""
        self.ear.turns.told_to_wait = asks_to_wait(words.text)

    def heard_noise(self, utterance: Utterance) -> None:
        """What seemed to be a turn was none."""
        self.ear.mistook(utterance)
        self.ear.turns.unanswered()

    async def meant(self) -> bool:
        """After an interruption: whether the person wants the floor. If not, what they said is forgotten.

        The agent is silent meanwhile, so that nothing is lost by waiting for words.
        """
        self._judging = True
        long_enough = asyncio.create_task(self._clock.sleep(LONGEST_HOLD))
        long_enough.add_done_callback(lambda _: self._news.set())
        try:
            while not self._insisted and not self._insists_in_crowd():
                # Noises of earlier in the agent's turn wait among the turns as well: they say nothing about this one.
                guesses = (turn for turn in (self._guess, *self._turns) if isinstance(turn, Guess))
                guess = next((guess for guess in guesses if guess.utterance is self._interrupting), None)
                if guess is not None and guess.words.done() and not guess.words.cancelled():
                    if self._takes_the_floor(guess):
                        return True
                    if self._is_sound(guess.utterance, guess.words.result()):
                        self.ear.mistook(guess.utterance)
                    self._forget(guess)
                    return False
                if long_enough.done() and guess is None:
                    self._forget_interruption()
                    return False
                self._news.clear()
                await self._news.wait()
        finally:
            self._judging = False
            long_enough.cancel()
        return True

    @property
    def _in_doubt(self) -> bool:
        """The agent holds its tongue for what may be a crowd, which rises and falls: its first words shall be known."""
        return self._judging and self._interrupting is not None and self._interrupting.in_crowd

    def _insists_in_crowd(self) -> bool:
        """Among other voices to go on is not enough: there have to be words, whatever words."""
        words = None if self._insisting is None else _result(self._insisting)
        return words is not None and self._interrupting is not None and not self._is_sound(self._interrupting, words)

    def _takes_the_floor(self, guess: Guess) -> bool:
        if not self.agent.transcribe:
            return guess.utterance.voiced_seconds >= NOTHING_SAID
        words = guess.words.result()
        if guess.utterance.in_crowd and words.confidence < UNDERSTOOD_IN_CROWD:
            return False
        return not self._is_sound(guess.utterance, words) and not is_back_channel(words.text)

    def _is_sound(self, utterance: Utterance, words: Transcript) -> bool:
        """Whether it holds no words of the person: a noise, music, other voices."""
        if not self.agent.transcribe:
            return utterance.voiced_seconds < SHORTEST_WORD
        return not words.text and (utterance.in_crowd or utterance.certain_seconds < NOTHING_SAID)

    @property
    def pending(self) -> tuple[Prompt | Successor, ...]:
        """What was wanted and has not been done."""
        return tuple(self._prompts)

    async def _keys(self, first: Key) -> Keyed:
        """Keys up to `#` or a gap; what is said meanwhile is a turn of its own, later."""
        keys = first.digit
        while not keys.endswith("#"):
            gap = asyncio.create_task(self._clock.sleep(self.agent.listening.keys_gap_seconds))
            gap.add_done_callback(lambda _: self._news.set())
            try:
                digit = await self._next_key(gap)
            finally:
                gap.cancel()
            if digit is None:
                break
            keys += digit
        return Keyed(keys.rstrip("#") or keys, first.at, self._clock.now())

    async def _next_key(self, gap: asyncio.Task[None]) -> str | None:
        while not gap.done():
            for turn in self._turns:
                if isinstance(turn, Key):
                    self._turns.remove(turn)
                    return turn.digit
            self._news.clear()
            await self._news.wait()
        return None

    # ── guesses ────────────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, utterance: Utterance) -> Guess:
        guess = Guess(utterance, asyncio.create_task(self._transcribe(utterance)))
        guess.words.add_done_callback(lambda _: self._words_known(guess))
        if self._turn_end is not None and self._load.level < LoadLevel.NO_TURN_MODEL:
            guess.finished = asyncio.create_task(self._turn_end.finished(bytes(utterance.audio)))
            guess.finished.add_done_callback(lambda _: self._judge(guess))
        if self._speculates or utterance.over_at:
            self._draft(guess)
        return guess

    @property
    def _speculates(self) -> bool:
        """Whether work is begun that may turn out to be in vain."""
        return self._load.level < LoadLevel.NO_SPECULATION

    def _words_known(self, guess: Guess) -> None:
        guess.known_at = self._clock.now()
        self._judge(guess)
        self._news.set()

    def _judge(self, guess: Guess | None) -> None:
        """Something became known of the pause: how long it has to be to end the turn. `None`: nothing will."""
        if guess is self._guess:
            words = None if guess is None else _result(guess.words)
            finished = None if guess is None or guess.finished is None else _result(guess.finished)
            patience = self._end_of_turn.patience(finished, words, self.asked)
            if not self.agent.transcribe and finished is not None and finished >= SOUNDS_FINISHED:
                # No words will come that could say more.
                patience = min(SOUND_ALONE_SECONDS, self.agent.listening.end_silence_seconds)
            self.ear.turns.patience = patience

    async def _transcribe(self, utterance: Utterance) -> Transcript:
        silent = utterance.voiced_seconds < LEAST_SPEECH
        if silent or not self.agent.transcribe or self._hidden(utterance.started):
            return Transcript("", 0.0)
        agent = self.agent
        return await self._speech_to_text.transcribe(
            bytes(utterance.audio), language=agent.language, hint=agent.likely_words
        )

    def _forget_guess(self) -> None:
        if self._guess is not None:
            self._guess.drop()
            self._guess = None

    def _forget_interruption(self) -> None:
        if self._interrupting is not None:
            self.ear.mistook(self._interrupting)
        self.forget()

    def _drop_insisting(self) -> None:
        if self._insisting is not None:
            drop(self._insisting)
            self._insisting = None

    def _forget(self, guess: Guess) -> None:
        guess.drop()
        if guess is self._guess:
            self._guess = None
            self.ear.forget()
            self._speaking(False)
        else:
            self._turns.remove(guess)

    def forget(self) -> None:
        """What is being said is not for us."""
        self._forget_guess()
        self.ear.forget()
        self._speaking(False)
        self._news.set()

    def hand_over(self, other: Listening) -> None:
        """Another agent listens: what it was asked for meanwhile is the other's to do."""
        other._prompts = self._prompts
        self.close()

    def close(self) -> None:
        """Nobody listens any more."""
        self.ear.close()
        self._forget_guess()
        self._drop_insisting()
        for turn in self._turns:
            if isinstance(turn, Guess):
                turn.drop()


def _result(task: asyncio.Task[T]) -> T | None:
    """What it found, if it has and nothing went wrong."""
    return None if not task.done() or task.cancelled() or task.exception() else task.result()
