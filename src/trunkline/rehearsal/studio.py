"""Prepares what people say: voice engine, WAV files and recorded prompts become 8 kHz clips with their words."""

from __future__ import annotations

import asyncio
import audioop
import wave
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import soxr

from trunkline.audio import SAMPLE_BYTES, SAMPLE_RATE, bytes_of, from_float
from trunkline.errors import SettingsError
from trunkline.ports import TextToSpeech
from trunkline.rehearsal.clip import Clip
from trunkline.rehearsal.impairment import NOISE_SECONDS, at_level, babble, speech_rms, white_noise
from trunkline.rehearsal.measurement import magnitude_of
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.sounds import make_sound
from trunkline.rehearsal.steps import Interrupt, Say, Source, Speaking
from trunkline.rehearsal.talk import Person

CROWD = ("demo-thanks", "privacy-prompt", "followme/sorry", "vm-saveoper", "vm-whichbox", "please-try-call-later")
"""What the voices behind a person say."""
PROMPT_EDGE_SECONDS = 0.03
"""Of the silence around a recorded prompt, this much is kept: files begin and end with up to a third of a second."""


class Prompts(Protocol):
    """Recorded human speech by name; `trunkline.telephony.asterisk_fetch.SoundsFolder` is one."""

    def texts(self) -> Mapping[str, str]:
        """Words by name."""

    def wav(self, name: str) -> Path: ...


@dataclass(slots=True)
class Studio:
    """Where clips come from. A scenario that needs what isn't here gets a clear error before any call."""

    voice: TextToSpeech | None = None
    prompts: Prompts | None = None
    _spoken: dict[str, Clip] = field(default_factory=dict)
    """Synthesised lines by text: several people say thank you."""

    async def prepare(self, scenario: Scenario) -> dict[int, Clip]:
        """The clip of every speaking step, by its index. Raises `SettingsError` naming step and remedy."""
        clips = {}
        for index, step in enumerate(scenario.steps):
            if isinstance(step, Say | Interrupt) and step.sources:
                try:
                    clips[index] = await self._mixed(step, scenario.folder, scenario.line.level_db)
                except SettingsError as error:
                    where = f"Scenario {scenario.name}, step {index + 1}"
                    raise SettingsError(f"{where}: {error.message}", remedy=error.remedy) from error
        return clips

    async def person(self, scenario: Scenario) -> Person:
        """Everything a call of theirs needs. Raises as `prepare`."""
        clips = await self.prepare(scenario)
        noise = await asyncio.to_thread(self._noise, scenario, [clip.pcm for clip in clips.values()])
        return Person(scenario, clips, noise)

    def _noise(self, scenario: Scenario, said: list[bytes]) -> bytes:
        conditions = scenario.line
        if conditions.noise is None:
            return b""
        if conditions.noise.kind == "babble":
            crowd = self._prompt(Say(prompt=CROWD)).pcm
            made = babble([crowd[start:] + crowd[:start] for start in _cuts(crowd)], NOISE_SECONDS, conditions.seed)
        else:
            made = white_noise(NOISE_SECONDS, conditions.seed)
        return at_level(made, speech_rms(said) / 10 ** (conditions.noise.snr_db / 20))

    async def _mixed(self, step: Speaking, folder: Path, level_db: float) -> Clip:
        """What the step says, with what is heard beside it."""
        clip = louder(await self._record(step, folder), step.level_db + level_db)
        if (beside := step.beside) is None:
            return clip
        other = louder(await self._record(beside, folder), beside.level_db + level_db)
        delay = bytes(bytes_of(beside.after_ms / 1000))
        return Clip(f"{clip.text} / {other.text}", mix(clip.pcm, delay + other.pcm))

    async def _record(self, step: Source, folder: Path) -> Clip:
        if step.sound is not None:
            return Clip(
                f"[{step.sound.kind}]", await asyncio.to_thread(make_sound, step.sound.kind, step.sound.seconds)
            )
        if step.say is not None:
            return await self._speak(step.say)
        if step.wav is not None:
            pcm = await asyncio.to_thread(read_wav, folder / step.wav)
            return Clip(step.text or f"[{step.wav.stem}]", pcm)
        return await asyncio.to_thread(self._prompt, step)

    async def _speak(self, text: str) -> Clip:
        if self.voice is None:
            raise SettingsError(f"There is no voice engine to say {text!r}.", remedy="Use wav or prompt, or give one.")
        if text not in self._spoken:
            pcm = b"".join([piece async for piece in self.voice.synthesise(text)])
            self._spoken[text] = Clip(text, pcm)
        return self._spoken[text]

    def _prompt(self, step: Source) -> Clip:
        names = step.prompt or ()
        if self.prompts is None:
            raise SettingsError(
                f"The recorded prompts are not at hand for {', '.join(str(name) for name in names)}.",
                remedy="Run `trunkline pbx fetch`.",
            )
        texts, pieces = self.prompts.texts(), []
        for name in names:
            if isinstance(name, int):
                pieces.append(bytes(bytes_of(name / 1000)))
                continue
            file = self.prompts.wav(name)
            if not file.exists():
                near = sorted(known for known in texts if known.startswith(name.split("/")[0]))[:8]
                raise SettingsError(
                    f"There is no recorded prompt {name!r}.",
                    remedy=f"Near it are: {', '.join(near)}." if near else "Names are as in `digits/4`.",
                )
            pieces.append(_trimmed(read_wav(file)))
        between = bytes(bytes_of(step.between_ms / 1000))
        words = step.text or " ".join("…" if isinstance(name, int) else texts.get(name, f"[{name}]") for name in names)
        return Clip(words, between.join(pieces))


def _cuts(crowd: bytes) -> range:
    """Where each voice of a crowd that says the same begins: seconds apart."""
    return range(0, len(crowd), len(crowd) // 6 // SAMPLE_BYTES * SAMPLE_BYTES)


def louder(clip: Clip, db: float) -> Clip:
    """By so many decibels; what gets too loud is clipped."""
    return clip if db == 0 else Clip(clip.text, audioop.mul(clip.pcm, SAMPLE_BYTES, 10 ** (db / 20)))


def mix(one: bytes, other: bytes) -> bytes:
    """Both at once, as long as the longer."""
    length = max(len(one), len(other))
    return audioop.add(one.ljust(length, b"\0"), other.ljust(length, b"\0"), SAMPLE_BYTES)


def _trimmed(pcm: bytes) -> bytes:
    span = Clip("", pcm).audible(magnitude_of(-50))
    if span is None:
        return pcm
    edge = round(PROMPT_EDGE_SECONDS * SAMPLE_RATE)
    return pcm[max(0, span[0] - edge) * SAMPLE_BYTES : (span[1] + edge) * SAMPLE_BYTES]


def read_wav(file: Path) -> bytes:
    """A 16-bit WAV file as 8 kHz mono audio. Raises `SettingsError` for anything else."""
    try:
        with wave.open(str(file), "rb") as wav:
            channels, width, rate = wav.getnchannels(), wav.getsampwidth(), wav.getframerate()
            content = wav.readframes(wav.getnframes())
    except OSError as error:
        raise SettingsError(f"{file} can't be read: {error.strerror}.", remedy="Correct the path.") from error
    except (wave.Error, EOFError) as error:
        raise SettingsError(f"{file} is no WAV file: {error}.", remedy="Save it as 16-bit PCM WAV.") from error
    if width != 2:
        raise SettingsError(f"{file} has {8 * width} bits per sample.", remedy="Save it as 16-bit PCM WAV.")
    if channels == 1 and rate == SAMPLE_RATE:
        return content
    samples = np.frombuffer(content, dtype="<i2").reshape(-1, channels).mean(axis=1).astype(np.float32) / 32768
    return from_float(np.asarray(soxr.resample(samples, rate, SAMPLE_RATE), dtype=np.float32))


def tone(frequencies: tuple[float, ...], seconds: float, *, dbfs: float = -20.0, silence: float = 0.0) -> bytes:
    """A sum of sines whose peak is at `dbfs`, followed by silence; 8 kHz 16-bit."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wave_ = sum(np.sin(2 * np.pi * f * t) for f in frequencies) * (10 ** (dbfs / 20) / len(frequencies))
    return from_float(np.asarray(wave_, dtype=np.float32)) + bytes(bytes_of(silence))


RINGBACK = Clip("[ringback]", tone((440.0, 480.0), 2.0, dbfs=-16.0, silence=4.0))
"""What a US caller hears while it rings (2 s on, 4 s off)."""
