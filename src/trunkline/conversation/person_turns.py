"""The person's turns as the agent's brain is told them: numbered, with what was heard before and what it shall know."""

from __future__ import annotations

from dataclasses import replace

from trunkline.conversation.controls import Controls
from trunkline.conversation.discretion import Discretion
from trunkline.conversation.floor import Floor
from trunkline.conversation.heard import Guess, Keyed
from trunkline.models import NOT_RECORDED
from trunkline.ports import PersonTurn


class PersonTurns:
    """A turn in words may be told several times before it is over; `over` says which one counted."""

    def __init__(self, floor: Floor, controls: Controls, discretion: Discretion) -> None:
        self.number = 0
        """How many there were."""
        self._carried = ""
        """Words of a turn that went on after it seemed to be over."""
        self._floor = floor
        self._controls = controls
        self._discretion = discretion

    def spoken(self, guess: Guess, text: str) -> PersonTurn:
        """The next one, if it is over now."""
        guess.notes = self._controls.notes
        words, audio = f"{self._carried} {text}".strip(), bytes(guess.utterance.audio)
        turn = PersonTurn(self.number + 1, words, audio, heard=self._floor.cut_words, notes=guess.notes)
        return self._told(turn, guess.utterance.started)

    def over(self, guess: Guess) -> None:
        """That was one."""
        self.number += 1
        self._floor.cut_words = None
        self._controls.told(guess.notes)

    def went_on(self, guess: Guess, text: str) -> None:
        """It was none yet: the brain shall see what follows as the same turn."""
        self._controls.untold(guess.notes)
        self._carried = f"{self._carried} {text}".strip()

    def answered(self) -> None:
        """Whatever follows is another one."""
        self._carried = ""

    def keyed(self, keyed: Keyed) -> PersonTurn:
        """The next one, in keys."""
        self.number += 1
        notes = self._controls.notes
        turn = PersonTurn(self.number, "", b"", keyed.keys, self._floor.cut_words, notes)
        self._floor.cut_words = None
        self._controls.told(notes)
        return self._told(turn, keyed.since)

    def _told(self, turn: PersonTurn, since: float) -> PersonTurn:
        hidden = self._discretion.hides(since)
        return replace(turn, text=NOT_RECORDED, audio=b"", keys="", hidden=True) if hidden else turn
