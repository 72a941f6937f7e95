"""Scripted people as YAML: who picks up, how, and what they say and do, step by step.

name: moves the appointment
numbers: ["+14155550123"]          # absent: every number
phone: {rings_ms: 600, early_media: false, then: answers}
steps:
  - wait_for_agent                  # until it has spoken and then been silent for silence_ms
  - say: "Could I move it, please?"
  - wait_for_agent: {silence_ms: 900, timeout_ms: 15000}
  - prompt: [digits/day-4]          # recorded human speech of Asterisk's sound packages, one after the other
  - wav: thursday.wav               # beside the scenario file
  - keys: "12#"
  - interrupt: {after_ms: 600, say: "Sorry, wait."}
  - pause_ms: 500
  - hang_up
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from trunkline.errors import SettingsError
from trunkline.rehearsal.config import E164Number
from trunkline.settings import Section

SHIPPED = Path(__file__).parent / "scenarios"
"""Scenarios that come with Trunkline, by file name."""


class Speaking(Section):
    """What is said: exactly one of `say`, `wav`, `prompt`."""

    say: str | None = Field(None, min_length=1, max_length=1000)
    """Words for the voice engine."""
    wav: Path | None = None
    """WAV file, beside the scenario."""
    prompt: tuple[str, ...] | None = Field(None, min_length=1)
    """Names of recorded prompts, as `digits/4`, said one after the other."""
    text: str | None = None
    """Words of `wav` or `prompt`, where they aren't known."""

    @field_validator("prompt", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _exactly_one(self) -> Speaking:
        if sum(part is not None for part in (self.say, self.wav, self.prompt)) != 1:
            raise ValueError("give exactly one of say, wav, prompt")
        return self


class Say(Speaking):
    """Speak."""

    kind: Literal["say"] = "say"


class Interrupt(Speaking):
    """Wait until the agent begins to speak, and speak into it."""

    kind: Literal["interrupt"] = "interrupt"
    after_ms: float = Field(500, ge=0, le=60_000)
    """After the agent's first audible sample."""
    timeout_ms: float = Field(15_000, gt=0, le=600_000)


class WaitForAgent(Section):
    """Wait until the agent has spoken since the person did, and has then been silent."""

    kind: Literal["wait_for_agent"] = "wait_for_agent"
    silence_ms: float = Field(900, ge=200, le=60_000)
    timeout_ms: float = Field(15_000, gt=0, le=600_000)
    """Longest wait for the agent's silence; then the step fails."""


class WaitForWords(Section):
    """Wait until the agent has said these words; needs speech recognition."""

    kind: Literal["wait_for_words"] = "wait_for_words"
    words: str = Field(min_length=1)
    silence_ms: float = Field(700, ge=200, le=60_000)
    """What was said is read at every silence of the agent this long."""
    timeout_ms: float = Field(30_000, gt=0, le=600_000)


class Pause(Section):
    """Stay silent."""

    kind: Literal["pause"] = "pause"
    pause_ms: float = Field(ge=0, le=600_000)


class PressKeys(Section):
    """Press keys, 120 ms each."""

    kind: Literal["keys"] = "keys"
    keys: str = Field(pattern=r"^[0-9A-D*#]{1,32}$")


class HangUp(Section):
    kind: Literal["hang_up"] = "hang_up"


Step = Annotated[
    Say | Interrupt | WaitForAgent | WaitForWords | Pause | PressKeys | HangUp, Field(discriminator="kind")
]

_SHORT: Mapping[str, tuple[str, str | None]] = {
    # how a step is written → (kind, field a plain value goes to)
    "say": ("say", "say"),
    "wav": ("say", "wav"),
    "prompt": ("say", "prompt"),
    "interrupt": ("interrupt", None),
    "wait_for_agent": ("wait_for_agent", "silence_ms"),
    "wait_for_words": ("wait_for_words", "words"),
    "pause_ms": ("pause", "pause_ms"),
    "keys": ("keys", "keys"),
    "hang_up": ("hang_up", None),
}


class Phone(Section):
    """How the telephone behaves before anybody speaks."""

    then: Literal["answers", "busy", "no-answer", "declined"] = "answers"
    """`busy`: 486; `declined`: 603; `no-answer`: rings until the caller gives up."""
    rings_ms: float = Field(500, ge=0, le=120_000)
    """From the first sign of ringing to the answer or refusal."""
    ringing: bool = True
    """180 Ringing is sent."""
    early_media: bool = False
    """183 with a session description is sent, and a ringback tone as RTP until the answer."""


class Scenario(Section):
    """One scripted person."""

    name: str = Field(min_length=1, max_length=80)
    numbers: tuple[E164Number, ...] = ()
    """Numbers this person answers; empty: every number nobody else has."""
    phone: Phone = Phone()
    steps: tuple[Step, ...] = ()
    stays_ms: float = Field(10_000, ge=0, le=600_000)
    """How long the person stays on the line after the last step, for the agent to hang up."""
    longest_ms: float = Field(300_000, gt=0, le=7_200_000)
    """Longest call; then the person hangs up, and the call counts as failed."""
    folder: Path = Path()
    """Where `wav` files are looked for; filled in from the file's place."""

    @field_validator("steps", mode="before")
    @classmethod
    def _short_forms(cls, value: object) -> object:
        if not isinstance(value, list):
            return value
        return [_spell_out(step, number) for number, step in enumerate(value, start=1)]

    @property
    def needs_recognition(self) -> bool:
        return any(isinstance(step, WaitForWords) for step in self.steps)


def _spell_out(step: object, number: int) -> object:
    """`{say: hello}` → `{kind: say, say: hello}`; `wait_for_agent` → `{kind: wait_for_agent}`."""
    if isinstance(step, str) and step in {"wait_for_agent", "hang_up"}:
        return {"kind": step}
    if isinstance(step, Section):
        return step
    if not isinstance(step, dict) or not (verbs := [key for key in step if key in _SHORT]):
        raise ValueError(f"step {number}: {step!r} is no step")
    verb = verbs[0]
    kind, plain = _SHORT[verb]
    rest: dict[str, Any] = {key: value for key, value in step.items() if key != verb}
    if isinstance(step[verb], dict):
        rest |= step[verb]
    elif plain is not None and step[verb] is not None:
        rest[plain] = step[verb]
    return {"kind": kind, **rest}


def load_scenario(file: Path | str) -> Scenario:
    """A scenario from a YAML file, or the shipped one of that name. Raises `SettingsError` with file, step, remedy."""
    path = Path(file)
    if not path.exists() and (SHIPPED / f"{file}.yaml").exists():
        path = SHIPPED / f"{file}.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        shipped = ", ".join(sorted(scenario.stem for scenario in SHIPPED.glob("*.yaml")))
        raise SettingsError(
            f"The scenario {path} can't be read: {error.strerror}.", remedy=f"Name a YAML file, or one of: {shipped}."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"The scenario {path} is not valid YAML: {error}.", remedy="Correct that line.") from error
    if not isinstance(content, dict):
        raise SettingsError(f"The scenario {path} is empty.", remedy="Write at least a `name:` and some `steps:`.")
    try:
        return Scenario.model_validate({"name": path.stem, **content, "folder": path.parent})
    except ValidationError as error:
        raise _explain(error, path) from None


def _explain(error: ValidationError, path: Path) -> SettingsError:
    first = error.errors(include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    place = [str(part) for part in first["loc"]]
    if place[0] == "steps" and len(place) > 1:
        where = f"step {int(place[1]) + 1}"
        if len(place) > 2:
            where += " (" + ": ".join(place[2:]) + ")"
    else:
        where = ".".join(place)
    if first["type"] == "extra_forbidden":
        message = f"there is no {place[-1]} here"
    if not message.startswith("step "):
        message = f"{where}: {message}"
    return SettingsError(
        f"{path}: {message}.",
        remedy=f"Steps are {', '.join(_SHORT)}; docs/rehearsals.md describes each.",
    )
