"""Settings of transfers: to whom people are put through, and how."""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import Field, field_validator

from trunkline.settings.section import E164, Section

# Every part stands in a dial string of Asterisk's: nothing in it may end it or begin another.
ENDPOINT: Final = re.compile(r"PJSIP/(?P<endpoint>[A-Za-z0-9_.-]{1,64})")
EXTENSION: Final = re.compile(r"(?P<extension>[+*#]?[A-Za-z0-9_*#]{1,32})@(?P<context>[A-Za-z0-9_.-]{1,64})")
QUEUE: Final = re.compile(r"Queue\((?P<queue>[A-Za-z0-9_]{1,64})\)")
SIP_ADDRESS: Final = re.compile(
    r"sips?:[A-Za-z0-9_.+*~-]{1,64}@(?P<host>[A-Za-z0-9.-]{1,253})(?::[0-9]{1,5})?(?:;transport=(?:udp|tcp|tls))?"
)


class TransferSettings(Section):
    """`[transfers.NAME]`: somebody people may be put through to. A brain names them by NAME."""

    to: str
    """A number (`+14155550177`), an extension in a dialplan (`100@from-internal`), a queue (`Queue(sales)`), an
    endpoint (`PJSIP/100`) or a SIP address (`sip:anna@office.example.com`)."""
    mode: Literal["cold", "warm"] = "cold"
    """`cold`: they ring, and the agent leaves; `warm`: the agent asks them first, and comes back where they decline."""
    ring_seconds: float | None = Field(None, ge=1, le=300)
    """How long it may ring there; empty: `trunk.ring_timeout`."""
    hold: Literal["music", "silence"] = "music"
    """What the person hears while somebody is asked."""
    question: str = (
        "Hello, this is the assistant. I have somebody on the line for you, {number}.[ It is about this: {about}.] "
        "Would you take the call? Say yes, or press one. Say no, or press two."
    )
    """What they are asked: `{number}` is the person's, `{about}` what the brain says it is about, or else the person's
    last words; other names are the call's variables. Square brackets and what is in them go where one is missing."""
    taken: str = "Thank you. Here they are."
    """Said to whoever takes the call."""
    declined: str = "All right. Goodbye."
    """Said to whoever doesn't."""
    ask_again: str = "I'm sorry, I didn't get that. Would you take the call? Say yes, or press one."
    """Said where the answer isn't clear, twice at most."""
    answer_seconds: float = Field(40.0, ge=5, le=300)
    """How long they may take from picking up to a yes; then it is a no."""

    @field_validator("to")
    @classmethod
    def _known_form(cls, to: str) -> str:
        if not any(form.fullmatch(to) for form in (E164, ENDPOINT, EXTENSION, QUEUE, SIP_ADDRESS)):
            raise ValueError(
                f"{to!r} is none of +14155550177, 100@from-internal, Queue(sales), PJSIP/100, sip:anna@example.com"
            )
        return to

    @property
    def sip_host(self) -> str | None:
        """Of a SIP address."""
        address = SIP_ADDRESS.fullmatch(self.to)
        return None if address is None else address["host"]
