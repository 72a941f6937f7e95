"""What clients send: the bodies of requests, checked before anything else sees them."""

from __future__ import annotations

import math
import unicodedata
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    StrictFloat,
    StrictInt,
    StringConstraints,
    TypeAdapter,
    model_validator,
)
from pydantic.alias_generators import to_camel

from trunkline.media.addresses import off_limits
from trunkline.models import CallRequest
from trunkline.phone_numbers import to_e164
from trunkline.settings import DEFAULT_AGENT


def _printable(text: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError("control characters are not allowed")
    return text


def _printable_lines(text: str) -> str:
    _printable(text.translate({ord(c): None for c in "\r\n\t"}))
    return text


def _web_address(text: str) -> str:
    url = _HTTP_URL.validate_python(_printable(text))
    if url.username is not None or url.password is not None:
        raise ValueError("an address with a password in it is not kept; put a token into the path or the query")
    if _is_address_off_limits((url.host or "").strip("[]")):
        raise ValueError("nobody's workflow lives at that address")
    return str(url)


def _is_address_off_limits(host: str) -> bool:
    try:
        return off_limits(host)
    except ValueError:
        return False  # a name, which is looked up when the time comes


def _as_text(value: str | float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not a number")
    text = str(value)
    if len(text) > _LONGEST_LINE:
        raise ValueError(f"at most {_LONGEST_LINE} characters")
    return text


_HTTP_URL = TypeAdapter(HttpUrl)
_LONGEST_LINE = 1000

Line = Annotated[str, StringConstraints(max_length=_LONGEST_LINE), AfterValidator(_printable)]
Lines = Annotated[str, StringConstraints(max_length=4000), AfterValidator(_printable_lines)]
Words = Annotated[Lines, StringConstraints(min_length=1, pattern=r"\S")]
Number = Annotated[str, StringConstraints(min_length=1, max_length=64)]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
VariableValue = Annotated[Line | StrictInt | StrictFloat, AfterValidator(_as_text)]


class Body(BaseModel):
    # An unknown field is a misspelt one: `callbackURL` would otherwise be ignored silently.
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, use_attribute_docstrings=True)


class PlaceCall(Body):
    """A call to place."""

    phone_number: Number = Field(examples=["+14155550100"])
    """Whom to call: `+`, country code and number. Spaces, dots, dashes, slashes and brackets are allowed."""
    context: Annotated[Line, Field(min_length=1, max_length=64)] = DEFAULT_AGENT
    """Name of the agent that talks; on an Asterisk of your own, also a context of its dialplan."""
    script: Lines | None = Field(None, examples=["Hello {name}, this is the dentist's office."])
    """Replaces the agent's greeting; `{name}` is filled from the variables."""
    callback_url: Annotated[str, StringConstraints(max_length=2000), AfterValidator(_web_address)] | None = Field(
        None, examples=["http://127.0.0.1:5678/webhook/call-ended"]
    )
    """Where the ended call is posted, as JSON like that of `GET /calls/{id}`. http or https."""
    caller_id: Number | None = Field(None, examples=["+14155550199"])
    """The number to show, one of the trunk's; left out: its first."""
    variables: dict[VariableName, VariableValue] = Field(default_factory=dict, max_length=50)
    """Values for the agent's script, texts or numbers."""

    def to_request(self) -> CallRequest:
        """Raises `InvalidNumber`."""
        return CallRequest(
            number=to_e164(self.phone_number),
            agent=self.context,
            caller_id=None if self.caller_id is None else to_e164(self.caller_id),
            script=self.script,
            callback_url=self.callback_url,
            variables={name: str(value) for name, value in self.variables.items()},
        )


class SayThis(Body):
    """A sentence for the agent to say."""

    text: Words = Field(examples=["I have just heard that the doctor is here."])
    now: bool = False
    """Cut off whoever speaks; otherwise it is said when the person has been answered."""


class Whisper(Body):
    """Something the agent shall know."""

    text: Words = Field(examples=["Offer them ten percent."])


class PressKeys(Body):
    """Keys to press."""

    keys: Annotated[str, StringConstraints(pattern=r"^[0-9*#A-Da-dwW,]{1,64}$")] = Field(examples=["1w2#"])
    """0 to 9, `*`, `#`, A to D; `w` or a comma waits half a second."""


class PutThrough(Body):
    """Where the person shall be put through to."""

    to: Number = Field(examples=["+14155550177"])
    """A number, or the name of a `[transfers.NAME]`."""
    text: Lines = ""
    """What the agent says before; empty: nothing."""
    about: Lines = ""
    """What it is about, for a colleague who is asked first."""
    now: bool = False
    """Cut off whoever speaks."""


class ChangeAgent(Body):
    """Who shall go on with the call."""

    agent: Annotated[Line, Field(min_length=1, max_length=64)] = Field(examples=["sales"])
    now: bool = False
    """Cut off whoever speaks."""


class EndPolitely(Body):
    """How the call shall end."""

    text: Words | None = Field(None, examples=["Thank you, we have all we need. Goodbye."])
    """The farewell; left out: the agent's own."""
    now: bool = False
    """Cut off whoever speaks."""


class Mute(Body):
    """Who isn't heard by the other."""

    agent: bool = False
    """The person doesn't hear the agent."""
    person: bool = False
    """The agent doesn't hear the person."""


class HangUp(Body):
    """The call to end, by either name of its id."""

    session_id: Line | None = None
    call_id: Line | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.session_id is None) == (self.call_id is None):
            raise ValueError("give either sessionId or callId")
        return self

    @property
    def id(self) -> str:
        return self.session_id or self.call_id or ""
