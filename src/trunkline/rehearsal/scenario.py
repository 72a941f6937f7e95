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
line: {noise: 20, loss_percent: 2}  # see line_conditions.py
expect: {disposition: answered}     # see expectation.py; what is expected of the agent after a step stands beside it
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator

from trunkline.errors import SettingsError
from trunkline.rehearsal.config import E164Number
from trunkline.rehearsal.expectation import Answered, CallExpectations, Heard
from trunkline.rehearsal.line_conditions import LineConditions
from trunkline.rehearsal.steps import SHORT, Step, WaitForWords, spell_out
from trunkline.settings import Section

SHIPPED = Path(__file__).parent / "scenarios"
"""Scenarios that come with Trunkline, by file name."""


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
    about: str = ""
    """What it is good for, in a sentence."""
    tags: tuple[str, ...] = ()
    """Suites it belongs to."""
    agent: str | None = None
    """Name of the agent that is to call; absent: the one the command line names."""
    numbers: tuple[E164Number, ...] = ()
    """Numbers this person answers; empty: every number nobody else has."""
    phone: Phone = Phone()
    line: LineConditions = LineConditions()
    steps: tuple[Step, ...] = ()
    expect: CallExpectations = CallExpectations()
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
        return [spell_out(step, number) for number, step in enumerate(value, start=1)]

    @property
    def needs_recognition(self) -> bool:
        """While the call goes on."""
        return any(isinstance(step, WaitForWords) for step in self.steps)

    @property
    def expects_words(self) -> bool:
        return self.expect.words_wanted or any(
            isinstance(step, Heard) and bool(step.hears or step.absent) for step in self.steps
        )

    @property
    def expects_anything(self) -> bool:
        answers = (step for step in self.steps if isinstance(step, Answered))
        return (
            self.expects_words
            or self.expect != CallExpectations()
            or any((step.within_ms, step.stops_within_ms, step.goes_on) != (None, None, None) for step in answers)
        )

    def with_line(self, conditions: dict[str, Any]) -> Scenario:
        """The same person on another line: `conditions` replace their own."""
        line = LineConditions.model_validate(self.line.model_dump() | conditions)
        return self.model_copy(update={"line": line})


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


def load_suite(name: str | None) -> list[Scenario]:
    """The scenarios of a folder, or the shipped ones that bear a tag; `None`: all shipped ones.

    Raises `SettingsError`.
    """
    folder = Path(name) if name is not None and Path(name).is_dir() else SHIPPED
    found = [load_scenario(file) for file in sorted(folder.glob("*.yaml"))]
    if folder == SHIPPED and name is not None:
        tags = sorted({tag for scenario in found for tag in scenario.tags})
        found = [scenario for scenario in found if name in scenario.tags]
        if not found:
            raise SettingsError(
                f"There is no suite {name!r}.", remedy=f"Name a folder of scenarios, or one of: {', '.join(tags)}."
            )
    if not found:
        raise SettingsError(f"There are no scenarios in {folder}.", remedy="Name a folder that holds *.yaml files.")
    return found


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
        remedy=f"Steps are {', '.join(SHORT)}; docs/rehearsals.md describes each.",
    )
