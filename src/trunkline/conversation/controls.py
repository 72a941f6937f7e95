"""What somebody outside can do with a conversation while it is held. Everything returns at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from trunkline.conversation.discretion import Asker, Discretion
from trunkline.conversation.hold_music import HoldMusic
from trunkline.conversation.listening import Listening
from trunkline.conversation.live_audio import LISTENER_FRAMES, LiveAudio, TakenOver
from trunkline.conversation.media import Media
from trunkline.conversation.media_clock import MediaClock
from trunkline.conversation.prompts import Prompt, Successor
from trunkline.conversation.speaking import Speaker
from trunkline.conversation.tape import Tape
from trunkline.errors import WrongMoment
from trunkline.models import NOT_RECORDED, Turn
from trunkline.ports import BrainAction, HangUp, Note, Say


@dataclass(frozen=True, slots=True)
class Standing:
    """How things are with a conversation."""

    held: bool
    """The person hears music; agent and person don't hear each other."""
    agent_muted: bool
    """The person doesn't hear the agent."""
    person_muted: bool
    """The agent doesn't hear the person."""
    recording_paused: bool
    """Nothing that is said or keyed is kept."""
    taken_over: bool
    """A supervisor speaks in the agent's place."""
    listeners: int
    """How many listen in."""


class Controls:
    """Of one conversation, from its beginning to its end; then everything raises `WrongMoment`."""

    def __init__(
        self,
        clock: MediaClock,
        media: Media,
        speaker: Speaker,
        discretion: Discretion,
        *,
        note: Callable[[Note], None],
        turns: Sequence[Turn],
        longest_hold: float,
    ) -> None:
        """`turns`: all so far; `longest_hold`: seconds after which the agent is back."""
        self.listening: Listening
        """Of the agent; another agent brings its own."""
        self.note = note
        """Puts something into the call's history, as far as anybody may know it at the moment."""
        self.notes: tuple[str, ...] = ()
        """What the brain is to be told with the next turn."""
        self._clock = clock
        self._media = media
        self._speaker = speaker
        self._discretion = discretion
        self._turns = turns
        self._longest_hold = longest_hold
        self._open = False
        self._held: HoldMusic | None = None
        self._person_muted = False
        self._supervisor: TakenOver | None = None
        self._listeners: dict[LiveAudio, Tape] = {}

    @property
    def so_far(self) -> tuple[Turn, ...]:
        """What has been said."""
        return tuple(self._turns)

    @property
    def standing(self) -> Standing:
        return Standing(
            held=self._held is not None,
            agent_muted=self._speaker.muted,
            person_muted=self._person_muted,
            recording_paused=self._discretion.on,
            taken_over=self._supervisor is not None,
            listeners=len(self._listeners),
        )

    def check(self) -> None:
        """Raises `WrongMoment` where there is nobody to talk with."""
        if not self._open:
            raise WrongMoment(
                "Nobody talks in this call at the moment.", remedy="Wait for its answer; DELETE /calls/{id} cancels it."
            )

    def check_stream(self) -> None:
        """Raises `WrongMoment` where nobody can come in between."""
        self.check()
        if not self._media.streams:
            raise WrongMoment(
                "This call is held turn by turn, so nobody can come in between.",
                remedy="Give the dialplan's call without mode=record, where Asterisk has AudioSocket.",
            )

    # ── what the agent shall do ────────────────────────────────────────────────────────────────────────────────

    def say(self, text: str, *, now: bool = False) -> None:
        """The agent says this next; `now`: it cuts off whoever speaks. The brain is told."""
        self.check()
        self.note(Note("prompted", "The agent was asked to say something.", {"text": text}))
        self.listening.prompt(Prompt((Say(text),), now, told=f"You were asked to say, and said: {text}"))

    def do(self, *actions: BrainAction, now: bool = False) -> None:
        """The agent does this next, whatever the person says meanwhile."""
        self.check()
        self.listening.prompt(Prompt(actions, now, firm=True))

    def end(self, farewell: str | None = None, *, now: bool = False) -> None:
        """The agent takes its leave, with words of its own unless some are given, and hangs up."""
        self.do(Say(farewell or self.listening.agent.farewell), HangUp(), now=now)

    def whisper(self, text: str) -> None:
        """The brain is told this with the person's next turn; the person isn't."""
        self.check()
        self.note(Note("whispered", "The agent was told something.", {"text": text}))
        self.notes += (f"Your supervisor tells you: {text}",)

    def succeed(self, successor: Successor) -> None:
        """Another agent takes over, as soon as the present one has spoken."""
        self.check()
        self.listening.prompt(successor)

    # ── who hears whom ─────────────────────────────────────────────────────────────────────────────────────────

    def hold(self) -> None:
        """Music for the person; the agent neither hears nor speaks, and no time passes for it."""
        self.check_stream()
        if self._held is None:
            self._held = HoldMusic()
            self.note(Note("held", "The person is on hold."))
            self._connect()

    def resume(self) -> None:
        """The agent is back. Harmless where it was never away."""
        self.check()
        if self._held is not None:
            self._held = None
            self.note(Note("resumed", "The person is off hold."))
            self._connect()

    def _music(self) -> bytes:
        assert self._held is not None
        frame = self._held.next_frame()
        if self._held.seconds >= self._longest_hold:
            self.resume()
        return frame

    def mute(self, *, agent: bool = False, person: bool = False) -> None:
        """Whether the person doesn't hear the agent, and the agent not the person, from now on."""
        self.check_stream()
        if (agent, person) == (self._speaker.muted, self._person_muted):
            return
        self._speaker.muted, self._person_muted = agent, person
        who = {"agent": agent, "person": person}
        muted = " and ".join(side for side, is_muted in who.items() if is_muted) or "nobody"
        self.note(Note("muted", f"Muted: {muted}.", dict(who)))
        self._connect()

    def take_over(self) -> TakenOver:
        """A supervisor speaks in the agent's place until `give_back`. Raises `WrongMoment` where another one does."""
        self.check_stream()
        if self._supervisor is not None:
            raise WrongMoment("Somebody else has taken this call over.", remedy="Wait until they give it back.")
        self._supervisor = TakenOver(self._clock.now())
        self.note(Note("taken-over", "A supervisor speaks in the agent's place."))
        self._connect()
        return self._supervisor

    def give_back(self, supervisor: TakenOver) -> None:
        """The agent goes on; its brain is told. Harmless where the conversation is over."""
        supervisor.close()
        if self._supervisor is supervisor and self._open:
            self._supervisor = None
            seconds = round(self._clock.now() - supervisor.since)
            self.note(Note("given-back", f"The agent is back after {seconds} s.", {"seconds": seconds}))
            self.notes += (f"A colleague has spoken with the person for {seconds} seconds; you heard nothing of it.",)
            self._connect()

    def _connect(self) -> None:
        """Put through whoever is to be heard now."""
        supervisor = self._supervisor
        was_away = self._media.stand_in is not None
        away = supervisor is not None or self._held is not None
        overheard = None if supervisor is None else supervisor.overhear
        self._media.deafen(deaf := away or self._person_muted, overheard)
        if deaf:
            self.listening.forget()
        if supervisor is not None:
            self._media.stand_in = supervisor.next_frame
        elif self._held is not None:
            self._media.stand_in = self._music
        else:
            self._media.stand_in = None
        if away:
            self._clock.stand_still()
        elif was_away:
            self._clock.go_on()
            self._speaker.rewind()

    # ── what is kept, and who listens in ───────────────────────────────────────────────────────────────────────

    def pause_recording(self) -> None:
        """Nothing that is said or keyed is kept, nor is the brain told of it."""
        self.check()
        if not self._discretion.of_operator:
            self.note(Note("recording-paused", "Somebody asked that nothing be kept."))
            self._discretion.begin(Asker.OPERATOR)

    def resume_recording(self) -> None:
        """Everything is kept again, whoever asked that it be not."""
        self.check()
        if self._discretion.on:
            self._discretion.end(Asker.OPERATOR)
            self.note(Note("recording-resumed", "Everything is kept again."))

    def listen_in(self) -> LiveAudio:
        """Both sides from now on, until `leave`."""
        self.check_stream()
        listener = LiveAudio()
        self._listeners[listener] = tape = Tape(listener, chunk=LISTENER_FRAMES)
        self._media.add_tape(tape)
        self.note(Note("listening-in", "Somebody listens in."))
        return listener

    def leave(self, listener: LiveAudio) -> None:
        """They listen no more; harmless when the conversation is over."""
        listener.end()
        if (tape := self._listeners.pop(listener, None)) is not None:
            self._media.remove_tape(tape)
            self.note(Note("listening-ended", "Somebody who listened in has left."))

    # ── for the conversation ───────────────────────────────────────────────────────────────────────────────────

    def open(self) -> None:
        """There is somebody to talk with."""
        self._open = True

    def close(self) -> None:
        """The person is gone, or with somebody else: who listened in or had taken over is told so."""
        self._open = False
        self._held = None
        for listener, tape in self._listeners.items():
            self._media.remove_tape(tape)
            listener.end()
        self._listeners.clear()
        if self._supervisor is not None:
            self._supervisor.close()
            self._supervisor = None
        self._media.stand_in = None
        self._media.deafen(self._person_muted)
        self._clock.go_on()

    def told(self, notes: Sequence[str]) -> None:
        """The brain knows these."""
        self.notes = tuple(note for note in self.notes if note not in notes)

    def untold(self, notes: Sequence[str]) -> None:
        """The brain has forgotten them."""
        self.notes = (*(note for note in notes if note not in self.notes), *self.notes)

    def masked(self, note: Note) -> Note:
        """As anybody may know it at the moment."""
        if not self._discretion.on:
            return note
        return replace(note, text=NOT_RECORDED, data={k: v for k, v in note.data.items() if k in ("fault", "turn")})
