"""What a brain that is asked over a network does when it fails; part of every such brain's settings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from trunkline.settings.section import E164, TRANSFER_NAME, Section


class FallbackSettings(Section):
    """What the person hears when the brain fails."""

    welcome_fallback: str = "Hello! How can I help you?"
    """Greeting when the brain gives none."""
    try_again: str = "I'm sorry, one moment, please."
    """Said when the brain could not be reached, before the one more try."""
    say_again: str = "I'm sorry, I had a problem there. Could you say that again?"
    """Said when the brain failed and may have acted, while `failed_turns` is not reached."""
    failed_turns: int = Field(2, ge=1, le=10)
    """Turns in a row that may fail before the fallback."""
    fallback: Literal["farewell", "script"] = "farewell"
    """Then: say the agent's `sorry` and hang up (or transfer), or go on with the agent's `script`."""
    transfer_to: str | None = None
    """Number (E.164), or name of a `[transfers.NAME]`, the person is put through to instead of hanging up."""
    transfer_farewell: str = "I'm sorry, something went wrong on my side. I'll put you through to a colleague."
    """Said instead of `sorry` before that transfer."""

    @field_validator("transfer_to")
    @classmethod
    def _number(cls, number: str | None) -> str | None:
        if number is not None and not (E164.fullmatch(number) or TRANSFER_NAME.fullmatch(number)):
            raise ValueError(f"{number!r} is neither an E.164 number (+14155550100) nor a transfer's name")
        return number
