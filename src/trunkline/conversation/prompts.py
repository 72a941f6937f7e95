"""What somebody outside a conversation wants done in it, when the agent has the floor next."""

from __future__ import annotations

from dataclasses import dataclass

from trunkline.ports import BrainAction, BrainSession, SpeechToText, TextToSpeech
from trunkline.settings import AgentSettings


@dataclass(frozen=True, slots=True)
class Prompt:
    """Something to say or do, without the brain; the brain is told of it."""

    actions: tuple[BrainAction, ...]
    now: bool = False
    """Cut off whoever speaks."""
    firm: bool = False
    """The person can't interrupt it."""
    told: str = ""
    """What the brain is told of it, with the next turn."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What the person is told before anything else, to its end."""

    text: str
    record_after: bool
    """The recording holds silence until then."""


@dataclass(frozen=True, slots=True)
class Successor:
    """Another agent, which takes the conversation over: its mind has been told what was said."""

    name: str
    agent: AgentSettings
    mind: BrainSession
    speech_to_text: SpeechToText
    text_to_speech: TextToSpeech
    now: bool = False
