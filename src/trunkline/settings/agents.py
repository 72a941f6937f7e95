"""Settings of agents: what they say, how they listen, who decides on their words."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from trunkline.settings.fallback import FallbackSettings
from trunkline.settings.openai import OpenAISettings
from trunkline.settings.privacy import NoticeSettings
from trunkline.settings.section import Section


class ListeningSettings(Section):
    """`[agents.NAME.listening]`: how an agent listens."""

    voice_threshold: float = Field(0.5, gt=0, lt=1)
    """Probability above which a 32 ms window counts as speech."""
    start_seconds: float = Field(0.06, ge=0.02, le=1)
    """Speech that lasts this long begins a turn."""
    pause_seconds: float = Field(0.06, ge=0.04, le=2)
    """Silence after which work on the answer starts, in the hope that the turn is over; thrown away if it isn't."""
    end_silence_seconds: float = Field(0.9, ge=0.1, le=5)
    """Silence that ends a turn when nothing else tells whether it is over."""
    longest_silence_seconds: float = Field(1.5, ge=0.1, le=10)
    """Silence that ends a turn even in the middle of a sentence or a number."""
    interrupt_seconds: float = Field(0.04, ge=0, le=3)
    """Clear speech over the agent that makes it hold its tongue, until it is clear what is meant; 0: it never stops."""
    insist_seconds: float = Field(1.0, ge=0.1, le=5)
    """Speech over the agent that lasts this long is an interruption, whatever is said."""
    max_turn_seconds: float = Field(10.0, ge=1, le=30)
    """A turn is cut here, as in the hand-made set-up."""
    silent_caller_seconds: float = Field(7.0, ge=1, le=60)
    """Silence after which a silent person is asked."""
    silent_caller_asks: int = Field(2, ge=0, le=10)
    """Times a silent person is asked before the farewell."""
    keys_gap_seconds: float = Field(1.2, ge=0.2, le=10)
    """No further key for this long ends an answer by keys; `#` ends it at once."""


class N8nSettings(FallbackSettings):
    """`[agents.NAME.n8n]`: the workflow behind an agent whose `brain` is `n8n`, and what happens when it fails."""

    webhook_url: str | None = None
    """Production address of the workflow's webhook, as `https://n8n.example.com/webhook/trunkline`."""
    auth_header: str = "Authorization"
    """Header that carries `auth_value`."""
    auth_value: SecretStr | None = None
    """Value of that header, for a webhook with header authentication."""
    hmac_secret: SecretStr | None = None
    """Signs every request (`X-Trunkline-Signature`); empty: it is not signed."""
    connect_seconds: float = Field(3.0, ge=0.1, le=30)
    """Longest time to connect."""
    welcome_seconds: float = Field(5.0, ge=0.5, le=60)
    """Longest wait for the welcome, from dialling on; then `welcome_fallback`."""
    answer_seconds: float = Field(12.0, ge=1, le=120)
    """Longest wait for the beginning of an answer; keep it below the agent's `give_up_after_seconds`."""
    stall_seconds: float = Field(5.0, ge=0.5, le=60)
    """Longest pause inside an answer that is on its way."""
    longest_answer: int = Field(2000, ge=100, le=20000)
    """Characters of one answer that are spoken (2000 take about two minutes); the rest is left out."""
    longest_audio_seconds: float = Field(120.0, ge=1, le=3600)
    """Audio of one answer that is played; the rest is left out."""
    largest_audio: int = Field(25_000_000, ge=10_000, le=1_000_000_000)
    """Bytes of audio that are fetched for one answer."""
    allow_private_audio: bool = False
    """Whether `audio_url` may lead to this machine or a private network."""

    @field_validator("webhook_url")
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[^\s/@?#]+(?:[/?][^\s#]*)?", url):
            raise ValueError("write the webhook's address as https://n8n.example.com/webhook/trunkline")
        return url

    @field_validator("auth_header")
    @classmethod
    def _header(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            raise ValueError("a header's name has no blanks and no colon")
        return name

    @field_validator("auth_value")
    @classmethod
    def _header_value(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[\x20-\x7e]+", value.get_secret_value()):
            raise ValueError("a header's value is printable ASCII, in one line")
        return value


class AgentSettings(Section):
    """`[agents.NAME]`: a named greeting, brain, voice and manners."""

    brain: Literal["scripted", "n8n", "openai"] = "scripted"
    """What decides on the words: the built-in script, a workflow of n8n (`[agents.NAME.n8n]`), or a language model
    (`[agents.NAME.openai]`)."""
    script: str = "appointment"
    """Of the scripted brain: a sample that comes with Trunkline (`appointment`) or the path of a YAML file."""
    greeting: str | None = None
    """Replaces the script's (or the workflow's) greeting; `{name}` is filled from the call's variables."""
    stt: str = ""
    """Server in `speech.servers` that listens; empty: this machine's Whisper, which also stands in for the server."""
    tts: str = ""
    """Server in `speech.servers` that speaks; empty: `speech.tts_engine`, which also stands in for the server."""
    voice: str = ""
    """Voice of the engine; empty: its default."""
    speed: float = Field(1.0, ge=0.5, le=2)
    """Pace of the voice."""
    language: str = "en"
    """Language that is listened for."""
    transcribe: bool = True
    """Understand the person's words on this machine; without, only the brain does, and the sound alone tells when a
    turn is over."""
    likely_words: str = (
        "yes, no, Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday, half past, o'clock, morning, goodbye"
    )
    """Words that are often said to it, as a list: short answers on a noisy line are understood better."""
    variables: dict[str, str] = Field(default_factory=dict)
    """Values for the script when the call brings none."""
    max_call_seconds: float = Field(600.0, ge=5, le=14400)
    """Longest call; then a farewell."""
    ask_again: str = "Are you still there?"
    """Said to a silent person."""
    farewell_silent: str = "I can't hear you, so I'll hang up now. Goodbye."
    """Said before hanging up on a silent person."""
    farewell_time: str = "I'm afraid our time is up. Goodbye."
    """Said when the call reaches its longest length."""
    filler: str = "Let me see."
    """Said when the answer takes longer than `filler_after_seconds`; empty: nothing."""
    filler_after_seconds: float = Field(1.2, ge=0.2, le=10)
    """Silence after the person's turn before the filler."""
    hold_on: str = "One moment, please."
    """Said when the answer takes longer than `hold_on_after_seconds`; empty: nothing."""
    hold_on_after_seconds: float = Field(5.0, ge=1, le=30)
    """Silence after the person's turn before that."""
    give_up_after_seconds: float = Field(15.0, ge=2, le=120)
    """An answer that takes longer counts as failed."""
    sorry: str = "I'm sorry, something went wrong on my side. Please call us back later. Goodbye."
    """Said when the brain fails."""
    farewell: str = "Thank you for your time. Goodbye."
    """Said before hanging up where somebody outside ends the call politely and names no words."""
    longest_hold: float = Field(600.0, ge=5, le=14400)
    """Seconds a person can be on hold; then the agent is back."""
    transfer_failed: str = "I'm sorry, I can't put you through at the moment."
    """Said when the person can't be put through; the conversation goes on."""
    notices: NoticeSettings | None = None
    """What its people are told first, in place of `[privacy.notices]` and with its keys; `{text = ""}`: nothing."""
    listening: ListeningSettings = ListeningSettings()
    """How it listens."""
    n8n: N8nSettings = N8nSettings()
    """The workflow behind it."""
    openai: OpenAISettings = Field(default_factory=OpenAISettings)
    """The model behind it."""

    @model_validator(mode="after")
    def _mind(self) -> AgentSettings:
        if self.brain == "n8n" and self.n8n.webhook_url is None:
            raise ValueError('brain = "n8n" needs n8n.webhook_url, the production address of the workflow\'s webhook')
        if self.brain == "n8n" and self.n8n.answer_seconds >= self.give_up_after_seconds:
            raise ValueError("n8n.answer_seconds must lie below give_up_after_seconds, which ends the call")
        if self.brain == "openai" and self.openai.answer_seconds >= self.give_up_after_seconds:
            raise ValueError("openai.answer_seconds must lie below give_up_after_seconds, which ends the call")
        if self.brain != "n8n" and not self.transcribe:
            raise ValueError(f"the {self.brain} brain needs words: transcribe = false is for workflows that transcribe")
        return self


DEFAULT_AGENT = "outbound-ai-conversational"
