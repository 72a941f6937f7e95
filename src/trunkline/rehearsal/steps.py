"""The steps of a scripted person, and their short forms in YAML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from trunkline.rehearsal.expectation import Answered, Heard
from trunkline.rehearsal.sounds import SOUNDS
from trunkline.settings import Section


def _sound(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Sound(Section):
    """A sound that is no speech, made here."""

    kind: Literal[tuple(SOUNDS)]  # type: ignore[valid-type]  # the names are data
    seconds: float | None = Field(None, gt=0, le=300)
    """Absent: as long as such a sound is."""


class Source(Section):
    """Something that sounds: exactly one of these."""

    say: str | None = Field(None, min_length=1, max_length=3000)
    """Words for the voice engine."""
    wav: Path | None = None
    """WAV file, beside the scenario."""
    prompt: Annotated[tuple[str | int, ...] | None, BeforeValidator(_one_or_many)] = Field(None, min_length=1)
    """Names of recorded prompts, as `digits/4`, one after the other; a number among them is a silence in ms."""
    sound: Annotated[Sound | None, BeforeValidator(_sound)] = None
    text: str | None = None
    """Words of `wav` or `prompt`, where they aren't known."""
    between_ms: float = Field(80, ge=0, le=10_000)
    """Silence between two prompts; 80 ms is that between the words of a sentence."""
    level_db: float = Field(0, ge=-60, le=20)
    """Louder or quieter than it is."""

    @property
    def sources(self) -> int:
        return sum(part is not None for part in (self.say, self.wav, self.prompt, self.sound))


class Beside(Source):
    """Something that sounds at the same time."""

    after_ms: float = Field(0, ge=0, le=60_000)

    @model_validator(mode="after")
    def _exactly_one(self) -> Beside:
        if self.sources != 1:
            raise ValueError("give exactly one of say, wav, prompt, sound")
        return self


class Speaking(Source, Answered):
    """What a person says."""

    beside: Beside | None = None
    """Somebody or something else that is heard at the same time."""


class Say(Speaking):
    """Speak."""

    kind: Literal["say"] = "say"

    @model_validator(mode="after")
    def _exactly_one(self) -> Say:
        if self.sources != 1:
            raise ValueError("give exactly one of say, wav, prompt, sound")
        return self


class Interrupt(Speaking):
    """Wait until the agent begins to speak, and speak into it, or press keys."""

    kind: Literal["interrupt"] = "interrupt"
    keys: str | None = Field(None, pattern=r"^[0-9A-D*#]{1,32}$")
    after_ms: float = Field(500, ge=0, le=60_000)
    """After the agent's first audible sample."""
    timeout_ms: float = Field(15_000, gt=0, le=600_000)

    @model_validator(mode="after")
    def _exactly_one(self) -> Interrupt:
        if self.sources + (self.keys is not None) != 1:
            raise ValueError("give exactly one of say, wav, prompt, sound, keys")
        return self


class WaitForAgent(Heard):
    """Wait until the agent has spoken since the person did, and has then been silent."""

    kind: Literal["wait_for_agent"] = "wait_for_agent"
    silence_ms: float = Field(900, ge=200, le=60_000)
    timeout_ms: float = Field(15_000, gt=0, le=600_000)
    """Longest wait for the agent's silence; then the step fails."""


class WaitForWords(Heard):
    """Wait until the agent has said these words; needs speech recognition."""

    kind: Literal["wait_for_words"] = "wait_for_words"
    words: str = Field(min_length=1)
    silence_ms: float = Field(700, ge=200, le=60_000)
    """What was said is read at every silence of the agent this long."""
    timeout_ms: float = Field(30_000, gt=0, le=600_000)


class Pause(Heard):
    """Stay silent."""

    kind: Literal["pause"] = "pause"
    pause_ms: float = Field(ge=0, le=600_000)


class PressKeys(Answered):
    """Press keys, 120 ms each."""

    kind: Literal["keys"] = "keys"
    keys: str = Field(pattern=r"^[0-9A-D*#]{1,32}$")


class HangUp(Section):
    kind: Literal["hang_up"] = "hang_up"


Step = Annotated[
    Say | Interrupt | WaitForAgent | WaitForWords | Pause | PressKeys | HangUp, Field(discriminator="kind")
]

SHORT: Mapping[str, tuple[str, str | None]] = {
    # how a step is written → (kind, field a plain value goes to)
    "interrupt": ("interrupt", None),
    "wait_for_agent": ("wait_for_agent", "silence_ms"),
    "wait_for_words": ("wait_for_words", "words"),
    "pause_ms": ("pause", "pause_ms"),
    "say": ("say", "say"),
    "wav": ("say", "wav"),
    "prompt": ("say", "prompt"),
    "sound": ("say", "sound"),
    "keys": ("keys", "keys"),
    "hang_up": ("hang_up", None),
}


def spell_out(step: object, number: int) -> object:
    """`{say: hello}` → `{kind: say, say: hello}`; `wait_for_agent` → `{kind: wait_for_agent}`."""
    if isinstance(step, str) and step in {"wait_for_agent", "hang_up"}:
        return {"kind": step}
    if isinstance(step, Section):
        return step
    if not isinstance(step, dict) or not (verbs := [key for key in SHORT if key in step]):
        raise ValueError(f"step {number}: {step!r} is no step")
    verb = verbs[0]
    kind, plain = SHORT[verb]
    rest: dict[str, Any] = {key: value for key, value in step.items() if key != verb}
    if isinstance(step[verb], dict) and verb != "sound":
        rest |= step[verb]
    elif plain is not None and step[verb] is not None:
        rest[plain] = step[verb]
    return {"kind": kind, **rest}
