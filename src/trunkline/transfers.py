"""Putting people through: whom a name stands for, what the person hears meanwhile, and what a colleague is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from trunkline.audio import SILENCE
from trunkline.conversation.hold_music import HoldMusic
from trunkline.models import NOT_RECORDED, CallId, CallRecord, HangUpBy, Speaker, Turn
from trunkline.phone_numbers import to_e164
from trunkline.settings import E164, TransferSettings

ASKED: Final = "transfer-asked"
"""Kind of the event that names a colleague's call."""
CALL_ID: Final = "callId"
GIST_TURNS: Final = 2
"""Turns of the person that are told a colleague where the brain doesn't say what it is about."""
LONGEST_ABOUT: Final = 300
"""Characters of it that are read out."""


@dataclass(frozen=True, slots=True)
class Target:
    """Somebody the person may be put through to."""

    name: str
    """As people call it: a name of the settings, or a number."""
    manners: TransferSettings

    @property
    def to(self) -> str:
        return self.manners.to


class Consultation(Protocol):
    """A colleague who is being asked, in a call of their own."""

    @property
    def record(self) -> CallRecord: ...

    @property
    def taken(self) -> asyncio.Future[bool]:
        """Whether they take the person: then both meet as soon as the person's media closes."""

    def hang_up(self, by: HangUpBy) -> None:
        """Nobody is there to be put through any more."""


@dataclass(frozen=True, slots=True)
class TransferDesk:
    """What a call needs to put people through."""

    named: Mapping[str, TransferSettings]
    may_dial: Callable[[str], Awaitable[str]]
    """A number as E.164, where somebody may be put through to it; raises `RequestError`."""
    ask: Callable[[CallRecord, Target, str], Awaitable[Consultation]]
    """Call a colleague and ask them to take that call's person. Raises `TrunklineError`: nobody was called then."""

    def check(self, to: str) -> None:
        """Raises `InvalidNumber` for what is neither a name nor a number. Whether it may be called is asked by `find`,
        which counts as an attempt.
        """
        if to.strip().casefold() not in map(str.casefold, self.named):
            to_e164(to)

    async def find(self, to: str) -> Target:
        """Whom a name or number stands for. Raises `RequestError`: nobody, or nobody who may be called."""
        wanted = to.strip().casefold()
        for name, manners in self.named.items():
            if wanted == name.casefold():
                if E164.fullmatch(manners.to):
                    await self.may_dial(manners.to)
                return Target(name, manners)
        number = await self.may_dial(to)
        return Target(number, TransferSettings(to=number))


def colleagues_asked(person: CallRecord) -> list[CallId]:
    """Their calls, by the history of the person's."""
    asked = (event.data.get(CALL_ID) for event in person.events if event.kind == ASKED)
    return [CallId(call_id) for call_id in asked if isinstance(call_id, str)]


class Waiting:
    """A person on their own leg while a colleague is asked. Fits `ports.LegListener`: nobody listens to them."""

    def __init__(self, *, music: bool) -> None:
        self.left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """They have hung up."""
        self._music = HoldMusic() if music else None

    def audio_received(self, frame: bytes) -> None: ...

    def next_frame(self) -> bytes:
        return SILENCE if self._music is None else self._music.next_frame()

    def key_received(self, digit: str) -> None: ...

    def leg_closed(self, why: str, *, broken: bool) -> None:
        if not self.left.done():
            self.left.set_result(None)


def gist(about: str, turns: Iterable[Turn]) -> str:
    """What a colleague is told that it is about; empty where nothing is known that may be told."""
    if not about.strip():
        said = [turn.text for turn in turns if turn.speaker is Speaker.PERSON and turn.text not in ("", NOT_RECORDED)]
        about = " ".join(text.strip() for text in said[-GIST_TURNS:])
    return about.strip().rstrip(".!?,;: ")[:LONGEST_ABOUT]
