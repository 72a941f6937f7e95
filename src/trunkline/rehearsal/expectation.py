"""What a scenario expects of the agent, as it is written in YAML: beside steps, and of the call as a whole.

steps:
  - say: Yes.
    hears: see you on              # words in what the agent says next; a list: each of them
    absent: sorry                  # must not be among them
    within_ms: 1200                # turn gap at the ear
  - interrupt: {after_ms: 1500, say: "Stop, please."}
    stops_within_ms: 600           # the agent is silent this long after the person began
  - interrupt: {after_ms: 1500, sound: cough}
    goes_on: true                  # or {silence_ms: 1200}: how long it may fall silent on the way
expect:
  disposition: answered
  ended_by: agent
  hears: goodbye
  keys_heard: "12"
  hears_greeting_within_ms: 1000
  no_silence_longer_than_ms: 3000
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from trunkline.settings import Section


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _plain_yes(value: object) -> object:
    return {} if value is True else value


Phrase = Annotated[str, Field(min_length=1, max_length=500)]
Phrases = Annotated[tuple[Phrase, ...], BeforeValidator(_one_or_many)]
Milliseconds = Annotated[float, Field(gt=0, le=600_000)]


class GoesOn(Section):
    """The agent finishes what it was saying."""

    silence_ms: float = Field(1000, ge=200, le=60_000)
    """The longest it may fall silent on the way."""


class Heard(Section):
    """Beside every step: words of the agent from here until the person does something next."""

    hears: Phrases = ()
    """Each has to be heard, but for a word or so of every five."""
    absent: Phrases = ()
    """None may be heard."""


class Answered(Heard):
    """Beside every step with which the person does something."""

    within_ms: Milliseconds | None = None
    """Longest turn gap. An answer into what the person is still saying fails."""
    stops_within_ms: Milliseconds | None = None
    """The agent was speaking, and is silent at the latest this long after the person began."""
    goes_on: Annotated[GoesOn | None, BeforeValidator(_plain_yes)] = None
    """The agent was speaking, and does not let itself be stopped."""


class CallExpectations(Section):
    """Of the whole call."""

    disposition: Literal["answered", "busy", "no-answer", "rejected", "cancelled", "failed"] | None = None
    """How it ended, as the service tells it; without a service as the line shows it."""
    ended_by: Literal["person", "agent", "carrier"] | None = None
    hears: Phrases = ()
    absent: Phrases = ()
    keys_heard: str | None = Field(None, pattern=r"^[0-9A-D*#]{0,64}$")
    """Keys the agent pressed."""
    hears_greeting_within_ms: Milliseconds | None = None
    """Answer → first audible sample of the agent."""
    no_silence_longer_than_ms: Milliseconds | None = None
    """Dead air: the longest time in which neither side is audible, from the answer to the end."""

    @property
    def words_wanted(self) -> bool:
        return bool(self.hears or self.absent)
