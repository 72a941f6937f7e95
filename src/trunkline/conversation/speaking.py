"""The speaking half of a conversation: sentences in, one frame per 20 ms out, and the truth about what was heard."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from trunkline.audio import (
    FRAME_BYTES,
    SAMPLE_BYTES,
    SAMPLE_RATE,
    SILENCE,
    audible_start,
    bytes_of,
    loudness,
)
from trunkline.conversation.words_sent import words_sent
from trunkline.models import NOT_RECORDED

BYTES_PER_SECOND = SAMPLE_BYTES * SAMPLE_RATE
BETWEEN_SENTENCES = 0.16
"""Seconds of silence between two sentences, beside what their audio holds: one breath."""
REWIND = 0.4
"""Seconds that may be said again when we go on after falling silent for nothing: the part of a word that was cut."""
_PAUSE = 0.1
"""Loudness, relative to the loudest of those seconds, of the gap between two words or a stop within one (−20 dB)."""


@dataclass(slots=True)
class Sentence:
    """Words and their audio, which may still be growing. Times are on the media clock, in seconds."""

    text: str
    audio: bytearray = field(default_factory=bytearray)
    complete: bool = False
    """No more audio will come."""
    filler: bool = False
    """Said to bridge a silence, not as part of the answer."""
    position: int = 0
    """Bytes that have been sent."""
    onset: int | None = None
    """Byte offset of the first audible sample."""
    ready_at: float | None = None
    """When its first audio was there."""
    started_at: float | None = None
    """When its first audible sample was sent."""
    ended_at: float | None = None
    """When the last sample of it that was sent had been."""
    muted_at: int | None = None
    """Byte offset from which on it was sent to nobody."""
    withheld: bool = False
    """Its words are told to nobody but the person."""

    def add(self, pcm: bytes, now: float) -> None:
        """More audio of this sentence."""
        if self.ready_at is None and pcm:
            self.ready_at = now
        start = len(self.audio)
        self.audio += pcm
        if self.onset is None and (found := audible_start(pcm)) is not None:
            self.onset = start + found

    @property
    def heard(self) -> str:
        """The words that were sent, to the word."""
        position = self.position if self.muted_at is None else self.muted_at
        if self.complete and position >= len(self.audio):
            return self.text
        return words_sent(self.text, self.audio, position, complete=self.complete)

    @property
    def told(self) -> str:
        """Its words, as far as anybody may know them."""
        return NOT_RECORDED if self.withheld else self.text

    @property
    def told_heard(self) -> str:
        """The same of the words that were sent."""
        return NOT_RECORDED if self.withheld and self.position else self.heard


class Speaker:
    """Plays sentences one after the other. `on_started` is told when a sentence's first audible sample goes out."""

    def __init__(self, on_started: Callable[[Sentence], None]) -> None:
        self._queue: deque[Sentence] = deque()
        self._on_started = on_started
        self._moved = asyncio.Event()
        self._held = False
        self._rest_until = 0.0
        self.muted = False
        """What is said goes to nobody."""
        self.underruns = 0
        """Frames of silence sent inside a sentence because its audio was late."""

    @property
    def wordless(self) -> bool:
        """There is no audio to send at the moment."""
        return not self._queue or self._queue[0].position >= len(self._queue[0].audio)

    @property
    def due(self) -> Sentence | None:
        """What is to be said next, if all of its audio is there: for a line that plays whole sentences."""
        ready = bool(self._queue) and self._queue[0].complete and not self._held
        return self._queue[0] if ready else None

    def say(self, sentence: Sentence) -> None:
        """Queue a sentence behind those before it."""
        self._queue.append(sentence)

    def say_first(self, sentence: Sentence) -> None:
        """Say it before anything that is queued."""
        self._queue.appendleft(sentence)

    async def until_left(self, sentences: int) -> None:
        """Until no more than so many sentences are unfinished; 0: everything has been sent."""
        while len(self._queue) > sentences:
            self._moved.clear()
            await self._moved.wait()

    def hold(self) -> None:
        """Fall silent with the next frame, ready to go on."""
        self._held = True

    def resume(self) -> None:
        """Go on where we fell silent, or where the syllable begins that was cut."""
        self._held = False
        self.rewind()

    def rewind(self) -> None:
        """Somebody else was heard meanwhile: begin again with the syllable that was cut."""
        if self._queue:
            sentence = self._queue[0]
            sentence.position = _breath_before(sentence.audio, sentence.position)

    def stop(self) -> None:
        """Fall silent with the next frame; nothing queued will be heard."""
        self._queue.clear()
        self._held = False
        self._moved.set()

    def next_frame(self, now: float) -> bytes:
        """The frame that is sent at `now`; `SILENCE` itself when nothing is said, or nobody hears it."""
        frame = self._next_frame(now)
        return SILENCE if self.muted else frame

    def _next_frame(self, now: float) -> bytes:
        while self._queue and not self._held:
            sentence = self._queue[0]
            start = sentence.position
            if not start and now < self._rest_until:
                return SILENCE
            chunk = sentence.audio[start : start + FRAME_BYTES]
            if len(chunk) == FRAME_BYTES:
                self._sent(sentence, FRAME_BYTES, now)
                return bytes(chunk)
            if not sentence.complete:
                self.underruns += 1 if start else 0
                return SILENCE
            self._sent(sentence, len(chunk), now)
            self._queue.popleft()
            self._rest_until = now + len(chunk) / BYTES_PER_SECOND + BETWEEN_SENTENCES
            self._moved.set()
            if chunk:
                return bytes(chunk.ljust(FRAME_BYTES, b"\0"))
        return SILENCE

    def _sent(self, sentence: Sentence, size: int, now: float) -> None:
        before = sentence.position
        sentence.position = before + size
        sentence.ended_at = now + size / BYTES_PER_SECOND
        if self.muted:
            sentence.muted_at = before if sentence.muted_at is None else sentence.muted_at
            return
        onset = sentence.onset
        if sentence.started_at is None and onset is not None and onset < sentence.position:
            sentence.started_at = now + max(onset - before, 0) / BYTES_PER_SECOND
            self._on_started(sentence)


def _breath_before(audio: bytearray, position: int) -> int:
    """The newest frame without much sound in the last `REWIND` seconds before `position`: nothing before it is said
    again. Where all is loud, the softest."""
    first = max(position - bytes_of(REWIND), 0) // FRAME_BYTES
    # The frame at `position` hasn't been heard: where it is soft, nothing was cut.
    frames = range(first, position // FRAME_BYTES + 1)
    levels = {i: loudness(audio[i * FRAME_BYTES : (i + 1) * FRAME_BYTES]) for i in frames}
    least = _PAUSE * max(levels.values())
    soft = [i for i in frames if levels[i] <= least]
    return (soft[-1] if soft else min(frames, key=lambda i: levels[i])) * FRAME_BYTES


@dataclass(slots=True)
class Answer:
    """Everything the agent says in one turn, and how far it has come."""

    drafted: int
    """Sentences that may be synthesised before it is released."""
    sentences: list[Sentence] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it may be heard; until then it is a draft."""
    thinking: asyncio.Task[None] | None = None
    """Brain and voice at work."""
    known_at: float | None = None
    """When the first sentence was known."""
    hang_up: bool = False
    """The brain wants to hang up behind it."""
    transferred_to: str | None = None
    """The person is put through to this number when the leg is closed."""
    acting: bool = False
    """Something is done that makes no sound: keys are pressed."""
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when no more of it can be made before it is heard."""
    discreet: bool = False
    """Nothing may be kept from its release on."""
    cut_off: bool = False

    @property
    def text(self) -> str:
        return " ".join(sentence.text for sentence in self.sentences)

    @property
    def told(self) -> str:
        """Its words, as far as anybody but the person may know them."""
        return " ".join(sentence.told for sentence in self.sentences)

    @property
    def told_heard(self) -> str:
        """The same of the words that were sent."""
        return " ".join(words for sentence in self.sentences if (words := sentence.told_heard))

    @property
    def muted(self) -> bool:
        """Some of it was sent to nobody."""
        return any(sentence.muted_at is not None for sentence in self.sentences)

    @property
    def heard_of_brain(self) -> str:
        """The brain's words that were sent: all but the fillers, of which it knows nothing."""
        return " ".join(words for sentence in self.sentences if not sentence.filler and (words := sentence.heard))

    @property
    def first(self) -> Sentence | None:
        """The sentence that was heard first."""
        started = [sentence for sentence in self.sentences if sentence.started_at is not None]
        return min(started, key=lambda sentence: sentence.started_at or 0.0, default=None)

    @property
    def ended_at(self) -> float:
        return max((s.ended_at for s in self.sentences if s.ended_at is not None), default=0.0)
