"""What the heart needs of the world, as Protocols. Plugs fit these; each has an honest double in `tests/doubles.py`
that passes the same contract suite as the real thing.

Audio everywhere: 8 kHz, signed 16-bit little-endian, mono (`trunkline.audio`).
"""

from __future__ import annotations

import enum
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from trunkline.events import CallUpdate, PbxEvent
from trunkline.models import REMOVED, CallEnd, CallEvent, CallId, CallRecord, CallState, Direction, Part, Turn

# ── telephony ──────────────────────────────────────────────────────────────────────────────────────────────────


class LegListener(Protocol):
    """Who listens to a leg. Called on the event loop, up to fifty times a second per call: must return at once."""

    def audio_received(self, frame: bytes) -> None:
        """One frame from the person: 320 bytes, 20 ms."""

    def next_frame(self) -> bytes:
        """The pacing clock asks for the frame to send now: exactly 320 bytes; silence when there is nothing to say.

        Called exactly once per 20 ms while the leg is open, whether or not audio comes in: the media clock.
        """

    def key_received(self, digit: str) -> None:
        """The person pressed a key: one of `0123456789*#ABCD`."""

    def leg_closed(self, why: str, *, broken: bool) -> None:
        """The leg is gone, `why` for the log; `broken` where that was no hang-up of either side but a failure.

        Called once; nothing is called after it.
        """


class CallLeg(Protocol):
    """One side of a call, with its audio."""

    @property
    def call_id(self) -> CallId: ...

    def attach(self, listener: LegListener) -> None:
        """Start the media: frames flow to and from `listener` until either side closes, or another one is attached."""

    def close(self) -> None:
        """Hang up. `leg_closed` follows. Closing twice is harmless."""


class LegSource(Protocol):
    """Hands out the media legs of calls that are expected; refuses all others."""

    def expect(self, call_id: CallId, on_leg: Callable[[CallLeg], None]) -> None:
        """Announce a call: when its media connects, `on_leg` is called on the event loop, at most once."""

    def forget(self, call_id: CallId) -> None:
        """Stop expecting that call; harmless when it isn't expected."""


class ChannelControl(Protocol):
    """What can be done with the far end of a call."""

    async def answer(self, call_id: CallId) -> None:
        """Answer a call that has arrived; its media leg follows. Raises `PbxUnavailable`."""

    async def hang_up(self, call_id: CallId, *, cause: int | None = None) -> None:
        """End the channel, whatever its state; harmless when it is gone.

        `cause` (Q.850) tells an unanswered caller why, as 17 for busy.
        """

    async def press_key(self, call_id: CallId, key: str, *, seconds: float) -> None:
        """Send one DTMF digit to the far end (RFC 4733). Returns when it begins; raises `PbxUnavailable`."""

    async def connect_next(self, call_id: CallId, to: str, *, ring_timeout: float) -> None:
        """When our media closes, put the far end through to `to`, instead of hanging up: a number (E.164) on the trunk,
        or whatever else `transfers.NAME.to` may be.

        `FarEndGone` follows when that is over; where nobody took them, their media comes again. Raises
        `PbxUnavailable` or `InvalidNumber` when it could not be arranged.
        """


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the person said or pressed while we listened."""

    audio: bytes
    """8 kHz s16le mono; empty where nothing came."""
    key: str = ""
    """The key that ended it."""


@runtime_checkable
class TurnChannel(ChannelControl, CallLeg, Protocol):
    """A call in which only one side is heard at a time: its leg carries no frames, what we say is played and what the
    person says is recorded. Every method raises `PbxUnavailable`; when the channel is gone, after `FarEndGone`.
    """

    async def play(self, audio: bytes) -> str:
        """Returns when it has been heard, or as soon as a key is pressed: that key."""

    async def record(self, *, longest: float, silence: float) -> Recorded:
        """Until the person has been silent for so many seconds (rounded up to whole ones), or a key is pressed."""

    async def next_key(self, *, within: float) -> str:
        """The key pressed next; empty after so many seconds."""


@dataclass(frozen=True, slots=True)
class Extension:
    """A place in the phone system's own dialplan."""

    context: str
    name: str


class Pbx(ChannelControl, Protocol):
    """The phone system's control side (Asterisk's ARI)."""

    def on_event(self, listener: Callable[[PbxEvent], None]) -> None:
        """Who gets `PbxEvent`s, on the event loop."""

    @property
    def ready(self) -> bool: ...

    async def dial(
        self,
        call_id: CallId,
        to: str,
        *,
        caller_id: str | None,
        ring_timeout: float,
        extension: Extension | None = None,
    ) -> None:
        """Place a call to what `connect_next` takes. Progress follows as events, always ending in `FarEndGone` or
        `PbxLost`.

        Raises `PbxUnavailable` when the request surely did not reach Asterisk or was refused: nothing rang then.
        """

    async def join(self, one: CallId, other: CallId) -> None:
        """When the media of both has been closed, they hear each other; when one hangs up, the other is hung up on.

        Raises `PbxUnavailable` when it could not be arranged: where `one` is gone, `other` is as it was.
        """

    async def find_extension(self, context: str, number: str) -> Extension | None:
        """Where in `context` of the dialplan a call to `number` runs; `None` where that context isn't ours to use.

        Raises `PbxUnavailable`.
        """


class CallControl(Protocol):
    """What an agent can do with its call beside speaking."""

    async def send_keys(self, keys: str) -> None:
        """Press these keys towards the person, one after the other. Raises `TrunklineError`."""

    async def transfer(self, to: str, about: str) -> str:
        """Put the person through to `to`, a number or a name, when the conversation has ended; the leg stays open till
        then. `about`: why, for whoever is asked first. Returns whom that is, as people call it.

        Raises `TrunklineError`: the call goes on.
        """


# ── speech ─────────────────────────────────────────────────────────────────────────────────────────────────────


class VoiceStream(Protocol):
    """Voice activity of one leg."""

    @property
    def probability(self) -> float:
        """That the newest audio holds speech, 0 to 1. May lag the last `push` by one 32 ms window."""

    def push(self, frame: bytes) -> None:
        """20 ms of audio, in order."""

    def close(self) -> None: ...


class VoiceDetector(Protocol):
    """Tells speech from everything else, for many legs at a time."""

    def open(self) -> VoiceStream: ...


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said. `text` is empty when nothing was understood."""

    text: str
    confidence: float
    """0 to 1."""
    trails_off: float = 0.0
    """Probability that the last word is not the end of what was to be said; 0 where the engine doesn't tell."""


class SpeechToText(Protocol):
    async def warm_up(self) -> None:
        """Load whatever the first transcription would otherwise wait for."""

    async def transcribe(self, audio: bytes, *, language: str = "en", hint: str = "") -> Transcript:
        """Words of an utterance (0.1 to 30 s). `hint`: words likely to occur. Raises `SpeechUnavailable`.

        Never blocks the event loop; cancelling gives the worker back as soon as it can be.
        """

    async def close(self) -> None: ...


class TextToSpeech(Protocol):
    async def warm_up(self) -> None: ...

    def synthesise(self, text: str, *, voice: str = "", speed: float = 1.0) -> AsyncGenerator[bytes, None]:
        """Audio of `text`, in pieces as they become ready (whole samples, any length), without leading dead air.

        Raises `SpeechUnavailable`. Cancelling stops the work.
        """

    async def close(self) -> None: ...


class TurnEndDetector(Protocol):
    """Hears whether somebody has finished or only pauses."""

    async def warm_up(self) -> None:
        """Load whatever the first answer would otherwise wait for."""

    async def finished(self, audio: bytes) -> float:
        """Probability, 0 to 1, that the person is done: `audio` is their turn so far, up to the pause and into it.

        Raises `SpeechUnavailable`. Never blocks the event loop; cancelling gives the worker back as soon as it can be.
        """

    async def close(self) -> None: ...


# ── load ───────────────────────────────────────────────────────────────────────────────────────────────────────


class LoadLevel(enum.IntEnum):
    """What a busy machine leaves out, so that no frame is ever late; each level leaves out what those below it do."""

    NORMAL = 0
    """Nothing."""
    NO_TURN_MODEL = 1
    """Nobody listens whether a turn sounds finished: words and silence alone decide."""
    NO_SPECULATION = 2
    """Nothing is begun before a turn is over."""


class Load(Protocol):
    """How busy the machine is."""

    @property
    def level(self) -> LoadLevel:
        """Asked whenever there is something that might be left out."""


# ── brains ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Say:
    """Speak this (a sentence or more)."""

    text: str


@dataclass(frozen=True, slots=True)
class Play:
    """Play audio of the brain's own: 8 kHz s16le mono, in pieces of any length as they arrive.

    Reading it raises `BrainError` when it can't be had. Whoever takes the action closes the generator.
    """

    audio: AsyncGenerator[bytes, None]
    text: str = ""
    """What it says, where that is known."""


@dataclass(frozen=True, slots=True)
class SendKeys:
    """Press these keys (DTMF, `0123456789*#ABCD`) towards the person, when everything said before has been heard."""

    keys: str


@dataclass(frozen=True, slots=True)
class Discreet:
    """Nothing that is said or keyed may be kept, as while a card number is told; or it may again.

    Begins with the first word of the answer or, where that is being heard already, at once; ends when everything said
    before has been heard. The brain is told all of it, nobody else is.
    """

    on: bool


@dataclass(frozen=True, slots=True)
class Transfer:
    """Put the person through when everything said before has been heard; the agent leaves, unless nobody takes them."""

    to: str
    """A number, or the name of a `[transfers.NAME]`."""
    about: str = ""
    """What it is about, for a colleague who is asked first: a clause or a sentence."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """Hang up when everything said before it has been heard."""


RESULT: Final = "result"
"""Kind of a note whose `data` is what the agent found out, by name; later ones add to it."""


@dataclass(frozen=True, slots=True)
class Note:
    """Nothing that is heard: a line for the call's history, as a fault with its remedy."""

    kind: str
    """Stable; `brain-fault` is counted in the metrics by `data["fault"]`."""
    text: str
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Commit:
    """Nothing that is heard: what the brain does next has effects outside, so it is not asked to go on before the
    person's turn is surely over.
    """


BrainAction = Say | Play | SendKeys | Discreet | Transfer | HangUp | Note | Commit


@dataclass(frozen=True, slots=True)
class CallBriefing:
    """What a brain knows when a call begins."""

    call_id: CallId
    """Also Asterisk's unique id of the person's channel."""
    direction: Direction
    agent: str
    """Its name: the `context` of `POST /call`."""
    number: str
    """The person's."""
    caller_id: str | None = None
    """Ours, as the person saw it."""
    script: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    so_far: tuple[Turn, ...] = ()
    """What was said before, where it takes the call over from another agent."""

    @classmethod
    def of(cls, call: CallRecord) -> CallBriefing:
        return cls(
            call_id=call.id,
            direction=call.direction,
            agent=call.agent,
            number=call.number,
            caller_id=call.caller_id,
            script=call.script,
            variables=call.variables,
        )


@dataclass(frozen=True, slots=True)
class PersonTurn:
    """What the person did since the agent's last words."""

    number: int
    """1, 2, 3 …: the person's turns."""
    text: str
    """The transcript; empty when nothing was understood, only keys were pressed or the agent doesn't transcribe."""
    audio: bytes
    """8 kHz s16le mono; empty where only keys were pressed."""
    keys: str = ""
    heard: str | None = None
    """What the person heard of the agent's last answer, when it was cut off."""
    notes: tuple[str, ...] = ()
    """What a supervisor wants the brain to know, and what was done in its place meanwhile."""
    hidden: bool = False
    """Nobody may know what was said or keyed, the brain included: `text` is `NOT_RECORDED`."""


class BrainSession(Protocol):
    """The mind of one call. Its generators are closed (`aclose`) when the person interrupts or hangs up."""

    def greet(self) -> AsyncGenerator[BrainAction, None]:
        """What to say at the answer. Asked for while the phone still rings."""

    def reply(self, turn: PersonTurn) -> AsyncGenerator[BrainAction, None]:
        """What to do after the person's turn. Raises `BrainError` when there is no usable answer."""

    def turn_ahead(self) -> None:
        """The person begins to speak, so `reply` is likely to be called soon. Returns at once."""

    def fork(self) -> BrainSession | None:
        """A copy that can answer in place of this one and be thrown away; it holds nothing that must be closed.

        It yields `Commit` before anything that has effects outside. `None` where every answer has (a request to a
        workflow): none is asked for before it is needed.
        """

    async def close(self) -> None: ...


class Brain(Protocol):
    async def open(self, briefing: CallBriefing) -> BrainSession: ...

    async def close(self) -> None: ...


# ── store ──────────────────────────────────────────────────────────────────────────────────────────────────────


class CallStore(Protocol):
    """Keeps calls. Every method returns when the data is safe from the process's death.

    Raises `StoreError` (its kind `RecordRefused` where trying again is in vain), and `UnknownCall` for news of a call
    that was never added. Text that no database holds (NUL, half a surrogate pair) is kept with U+FFFD in its place.
    """

    async def add(self, call: CallRecord) -> None: ...

    async def set_state(self, call_id: CallId, state: CallState, at: datetime) -> None:
        """Also stamps `dialled_at`, `ringing_at` (180 or 183), `answered_at`, whichever belongs to `state`."""

    async def set_greeting(self, call_id: CallId, greeting_ms: float) -> None: ...

    async def add_turn(self, call_id: CallId, turn: Turn) -> None:
        """Adding the same turn number again replaces it."""

    async def add_event(self, event: CallEvent) -> None: ...

    async def end(self, call_id: CallId, end: CallEnd, at: datetime, *, recording: str | None = None) -> None:
        """The first end stays: later ends and states change nothing. Late turns and events are still kept."""

    async def explain(self, call_id: CallId, reason: str) -> None:
        """A better reason for the end of a call that has ended."""

    async def get(self, call_id: CallId) -> CallRecord | None: ...

    async def recent(
        self,
        *,
        limit: int = 50,
        before: CallId | None = None,
        state: CallState | None = None,
        number: str | None = None,
    ) -> list[CallRecord]:
        """Newest first, without turns and events."""

    async def close_orphans(
        self, end: CallEnd, at: datetime, *, recordings: Mapping[CallId, str] | None = None
    ) -> list[CallId]:
        """End every call that a dead process left open; returns their ids. `recordings`: what the shelf has of them."""

    async def due(self, part: Part, before: datetime) -> list[CallId]:
        """Calls that ended before then and of which `part` is still there, oldest first.

        `NUMBER`: only of calls of which neither recording nor transcript is left.
        """

    async def erase(self, call_id: CallId, part: Part, at: datetime, *, number: str = REMOVED) -> int:
        """Delete `part` of an ended call for good; how many turns and events that were. `number`: what stands for it.

        Raises `CallLive`. The recording's file is somebody else's.
        """

    async def scrub(self) -> None:
        """What was erased can't be found in the database's files either."""

    async def close(self) -> None: ...


class Recorder(Protocol):
    """Writes one call's recording: stereo, left the person, right the agent."""

    @property
    def path(self) -> Path: ...

    def write(self, person: bytes, agent: bytes) -> None:
        """Equal lengths of both sides. Returns at once; the disk is somebody else's thread. Ignored after `close`."""

    async def close(self) -> None:
        """Returns when the file is complete, or as complete as the disk allowed. Closing twice is harmless."""


class RecordingShelf(Protocol):
    def open(self, call_id: CallId) -> Recorder:
        """Raises `StoreError`."""

    async def repair(self) -> Mapping[CallId, str]:
        """Before the first `open`: make whatever a dead process left behind playable. File names of all there are."""


class RecordedSound(Protocol):
    """A recording that is no plain file."""

    @property
    def size(self) -> int:
        """Bytes of the WAV file it stands for."""

    async def read(self, start: int, length: int) -> bytes:
        """So many of them; fewer at the end. Raises `StoreError`."""


class Recordings(Protocol):
    """Finished recordings."""

    async def find(self, name: str) -> Path | RecordedSound | None:
        """By file name: a WAV file, or what stands for one. Raises `StoreError` where it is there in vain."""

    async def remove(self, call_id: CallId) -> bool:
        """Delete the recording of a call; whether there was one. Raises `StoreError`."""


Watcher = Callable[[CallUpdate], None]
"""Called on the event loop for every update of every call; must return at once."""
