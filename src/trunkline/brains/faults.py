"""What a brain that is asked over a network can fail with. Pure."""

from __future__ import annotations

import enum

from trunkline.errors import BrainError


class BrainFault(BrainError):
    """A turn without a usable answer. `kind` is also the label in the metrics."""

    def __init__(
        self, kind: enum.StrEnum, meaning: tuple[str, str], detail: str = "", *, lasting: bool, never_ran: bool = False
    ) -> None:
        """`meaning`: a sentence that says what is wrong, and its remedy. `detail` is put into that sentence."""
        message, remedy = meaning
        said = f"{message[:-1]}: {detail[:200].rstrip('.')}." if detail else message
        super().__init__(said, remedy=remedy, kind=kind.value, detail=detail)
        self.kind = kind
        self.lasting = lasting
        """A set-up that is wrong: the next turn would fail in the same way."""
        self.never_ran = never_ran
        """Nothing can have happened yet, so it is asked once more, with a word to the person."""
