"""What is wrong with the line from the person to the agent, as a scenario or the command line says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError

from trunkline.errors import SettingsError
from trunkline.settings import Section


class Noise(Section):
    """Noise behind the person, all through the call."""

    kind: Literal["white", "babble"] = "white"
    """`babble`: several voices of the recorded prompts at once."""
    snr_db: float = Field(20, ge=-20, le=60)
    """Level of what the person says above it."""


class EchoTap(Section):
    """One way on which the agent's voice comes back to it."""

    db: float = Field(-20, ge=-60, le=0)
    delay_ms: float = Field(120, ge=20, le=900)


def _taps(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [{"db": value}]
    return [value] if isinstance(value, dict) else value


def _noise(value: object) -> object:
    return {"snr_db": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


class LineConditions(Section):
    """The default is a perfect line. What is random depends on `seed` alone."""

    noise: Annotated[Noise | None, BeforeValidator(_noise)] = None
    """A plain number is the signal-to-noise ratio of white noise."""
    echo: Annotated[tuple[EchoTap, ...], BeforeValidator(_taps)] = Field((), max_length=8)
    """The agent's own voice; a plain number is the level of one tap."""
    loss_percent: float = Field(0, ge=0, le=90)
    """Packets towards the agent that never arrive."""
    jitter_ms: float = Field(0, ge=0, le=500)
    """Packets towards the agent are up to this much late; they stay in order."""
    level_db: float = Field(0, ge=-40, le=20)
    """What the person says is this much louder; what gets too loud is clipped, as on a real line."""
    seed: int = 1

    @property
    def perfect(self) -> bool:
        return self == LineConditions(seed=self.seed)

    @property
    def label(self) -> str:
        """For people: `white noise 20 dB, echo −20 dB after 120 ms`."""
        parts = [] if self.noise is None else [f"{self.noise.kind} noise {self.noise.snr_db:g} dB"]
        parts += [f"echo {_signed(tap.db)} dB after {tap.delay_ms:g} ms" for tap in self.echo]
        parts += [f"{self.loss_percent:g} % loss"] if self.loss_percent else []
        parts += [f"{self.jitter_ms:g} ms jitter"] if self.jitter_ms else []
        parts += [f"level {_signed(self.level_db)} dB"] if self.level_db else []
        return ", ".join(parts)


def read_conditions(texts: Iterable[str]) -> dict[str, Any]:
    """What the command line gives, as `noise: 20` or `{loss_percent: 2, jitter_ms: 30}`; later ones win.

    Raises `SettingsError`.
    """
    content: dict[str, Any] = {}
    for text in texts:
        try:
            given = yaml.safe_load(text)
        except yaml.YAMLError:
            given = None
        if not isinstance(given, dict):
            raise SettingsError(f"--line {text!r} is no condition.", remedy='Write it as --line "noise: 20".')
        content |= given
    try:
        LineConditions.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"--line: {key}: {first['msg']}.", remedy=f"There are {', '.join(LineConditions.model_fields)}."
        ) from None
    return content


def _signed(value: float) -> str:
    return f"{value:+g}".replace("-", "−")
