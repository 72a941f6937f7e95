"""The frames of a call on their way: from the person to ear and recording, from the agent to the person.

Also where others come in: who is heard in the agent's place, who listens in, and what nobody may keep.
"""

from __future__ import annotations

from collections.abc import Callable

from trunkline.audio import SILENCE
from trunkline.conversation.discretion import Discretion
from trunkline.conversation.ear import Ear
from trunkline.conversation.media_clock import MediaClock
from trunkline.conversation.speaking import Speaker
from trunkline.conversation.tape import Tape


class Media:
    """Fits `ports.LegListener`: called fifty times a second."""

    def __init__(
        self,
        clock: MediaClock,
        speaker: Speaker,
        discretion: Discretion,
        *,
        key: Callable[[str], None],
        closed: Callable[[str | None], None],
    ) -> None:
        """`closed` is told why the leg broke, if it did."""
        self.ear: Ear
        """Of the agent; another agent brings its own."""
        self.agents_turn = True
        self._clock = clock
        self._speaker = speaker
        self._discretion = discretion
        self._key = key
        self._closed = closed
        self._tapes: tuple[Tape, ...] = ()
        self._deaf = False
        self._unheard: list[bytes] = []
        self.stand_in: Callable[[], bytes] | None = None
        """Whose frames the person hears in the agent's place."""
        self.streams = True
        """Frames come and go through here."""
        self._overheard: Callable[[bytes], None] | None = None

    # ── the leg calls in ───────────────────────────────────────────────────────────────────────────────────────

    def audio_received(self, frame: bytes) -> None:
        if not self._deaf:
            self.ear.frame(frame, self._clock.now())
            return
        self._unheard.append(frame)
        if self._overheard is not None:
            self._overheard(frame)

    def next_frame(self) -> bytes:
        now = self._clock.now()
        self._clock.tick(now)
        if self._deaf:
            person, self._unheard = self._unheard, []
        else:
            person = self.ear.tick(now, agents_turn=self.agents_turn)
        frame = self._speaker.next_frame(now) if self.stand_in is None else self.stand_in()
        self.ear.sent(frame, silent=frame is SILENCE)
        if self._tapes:
            self.keep(person, frame)
        return frame

    def key_received(self, digit: str) -> None:
        if not self._deaf:
            self._key(digit)

    def leg_closed(self, why: str, *, broken: bool) -> None:
        self._closed(why if broken else None)

    # ── who hears and is heard ─────────────────────────────────────────────────────────────────────────────────

    def keep(self, person: list[bytes], agent: bytes) -> None:
        """20 ms of both sides, for the recording and for whoever listens in: silence where nothing may be kept."""
        if self._discretion.on:
            person, agent = [SILENCE] * len(person), SILENCE
        for tape in self._tapes:
            tape.tick(person, agent)

    def add_tape(self, tape: Tape) -> None:
        """From now on both sides go there as well."""
        self._tapes = (*self._tapes, tape)

    def remove_tape(self, tape: Tape) -> None:
        """No longer; harmless where they never did."""
        self._tapes = tuple(other for other in self._tapes if other is not tape)

    def deafen(self, deaf: bool, overheard: Callable[[bytes], None] | None = None) -> None:
        """Whether the agent hears nothing of the person; then `overheard` may, frame by frame."""
        self._deaf, self._overheard = deaf, overheard
        self._unheard.clear()
