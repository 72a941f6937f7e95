"""What people do while an agent speaks, labelled: they interrupt, show that they listen, cough; or it's only the line.

Made from packages alone, the same to the bit wherever they are the same. Every sound is µ-law, 8 kHz; nothing that is
in one half is in the other: `tuning` is what rules and thresholds were chosen on, nothing ever on `held_out`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from bench.noises import NOISES, Random, Wave, band, hum
from trunkline.audio import SAMPLE_RATE, audible_end, audible_start, to_float
from trunkline.rehearsal.sounds import make_sound
from trunkline.rehearsal.studio import Prompts, read_wav, tone
from trunkline.speech.espeak_worker import Espeak
from trunkline.speech.hibari_worker import Voices

TEXTS: Final = Path(__file__).with_name("barge_in.yaml")
QUIET_LINE: Final = -62.0
"""Noise of a good line, in decibels of full scale, root mean square; like all levels here."""
_SPEECH: Final = -22.0
_LEVELS: Final = (-22.0, -18.0, -26.0, -22.0, -32.0)
_VOICES: Final = (
    ("hibari", "heart", 1.0),
    ("hibari", "heart-deep", 0.95),
    ("hibari", "heart", 1.2),
    ("espeak", "en-us", 1.0),
    ("hibari", "heart-deep", 1.15),
    ("espeak", "en-gb-x-rp+f3", 0.9),
    ("hibari", "heart-deep", 0.85),
)
_MOMENTS: Final = (0.35, 0.05, 0.6, 0.2, 0.85, 0.5, 0.75)
"""Where in the agent's words it happens, as a share of them."""


@dataclass(frozen=True, slots=True)
class Echo:
    """What the line gives back of the agent's voice."""

    seconds: float
    decibels: float
    taps: tuple[tuple[int, float], ...] = ((0, 1.0),)
    """Further reflections: samples after the first, factor."""

    def path(self) -> Wave:
        """The line's answer to one sample."""
        first = round(self.seconds * SAMPLE_RATE)
        path = np.zeros(first + max(at for at, _ in self.taps) + 1)
        for at, factor in self.taps:
            path[first + at] = factor
        return np.asarray(path * 10 ** (self.decibels / 20) / np.sqrt(np.sum(np.square(path))))


@dataclass(frozen=True, slots=True)
class Sound:
    """One thing that happens once while the agent says one thing."""

    name: str
    half: str
    kind: str
    source: str
    words: str
    """What a perfect transcript of it says; empty for what isn't words."""
    meant: bool
    """The person wants the floor."""
    audio: Wave
    """From its first audible sample on; empty where only the line is heard."""
    agent: str
    """What the agent says meanwhile."""
    moment: float
    """When it begins, as a share of the agent's words."""
    noise: float = QUIET_LINE
    echo: Echo | None = None
    room: Wave | None = None
    """What is heard behind it from the first frame of the call on, again and again."""
    seed: int = 0


def labelled_sounds(prompts: Prompts) -> Iterator[Sound]:
    """All of them, always in the same order."""
    content = yaml.safe_load(TEXTS.read_text(encoding="utf-8"))
    seeds = itertools.count(1)
    for half, texts in content["people"].items():
        agents, moments = itertools.cycle(content["agent"][half]), itertools.cycle(_MOMENTS)
        kinds: dict[str, int] = {}
        for sound in _sounds(half, texts, _Cast(prompts)):
            seed = next(seeds)
            kinds[sound.kind] = kinds.get(sound.kind, 0) + 1
            yield replace(
                sound,
                name=f"{half} {sound.kind} {kinds[sound.kind]}",
                agent=next(agents),
                moment=0.0 if sound.kind in _THROUGHOUT else next(moments),
                seed=seed,
            )


_THROUGHOUT: Final = {"echo", "line noise", "background talk"}
"""Kinds that last as long as the agent speaks."""


class _Cast:
    """Whoever can say something."""

    def __init__(self, prompts: Prompts) -> None:
        self.prompts = prompts
        self._engines: dict[str, Voices | Espeak] = {"hibari": Voices(), "espeak": Espeak()}
        self._turns = itertools.cycle(_VOICES)
        self._levels = itertools.cycle(_LEVELS)

    def say(self, text: str) -> tuple[str, Wave]:
        """By the next voice, at the next level; who it was."""
        engine, voice, speed = next(self._turns)
        level = next(self._levels)
        return f"{engine} {voice} {level:.0f} dB", _levelled(self._engines[engine].say(text, voice, speed), level)

    def play(self, name: str) -> tuple[str, str, Wave]:
        """A human's recorded words."""
        level = next(self._levels)
        audio = _levelled(read_wav(self.prompts.wav(name)), level)
        return f"human {level:.0f} dB", self.prompts.texts()[name].split(" [")[0], audio


def _sounds(half: str, texts: dict[str, list[str]], cast: _Cast) -> Iterator[Sound]:
    random = np.random.default_rng(list(half.encode()))
    said = [(text, *cast.say(text)) for text in texts["interruptions"]]
    said += [(words, who, audio) for who, words, audio in map(cast.play, texts["recorded"])]
    for words, who, audio in said:
        yield _sound(half, "interruption", who, words, audio, meant=True)
    echoes = _echoes(random)
    for number, (words, who, audio) in enumerate(said):
        if number % 2:
            yield _sound(half, "interruption over echo", who, words, audio, meant=True, echo=next(echoes))
        else:
            noise = _SPEECH - (20 if number % 4 else 10)
            yield _sound(half, "interruption in noise", who, words, _levelled_wave(audio), meant=True, noise=noise)
    for words in (*texts["back_channels"], *texts["back_channels"]):
        who, audio = cast.say(words)
        yield _sound(half, "back-channel", who, words, audio)
    for number in range(16):
        audio = hum(random, syllables=1 + number % 2, rising=number % 3 == 0)
        words = "Mm-hm." if number % 2 else "Mm."
        yield _sound(half, "hum", "lips", words, _levelled_wave(audio, float(random.uniform(-32, -18))))
    for name, make in NOISES.items():
        for _ in range(4):
            level = random.uniform(-30, -12)
            yield _sound(half, name, "noise", "", _peaked(make(random), level))
    for _ in range(8):
        talk = np.concatenate([cast.say(text)[1] for text in texts["background"]])
        yield _sound(half, "background talk", "room", "", _levelled_wave(talk, _SPEECH - 25))
    for decibels in (20, 20, 10, 10):
        yield _sound(half, "line noise", f"{decibels} dB", "", np.zeros(0), noise=_SPEECH - decibels)
    yield from _rooms(half, said, cast)
    for _ in range(36):
        echo = next(echoes)
        yield _sound(half, "echo", f"{echo.decibels:.0f} dB", "", np.zeros(0), echo=echo)


_TONES: Final = {"tuning": ("music", "ringback"), "held_out": ("ringback of Europe", "busy tone")}
_TONES_OF: Final[dict[str, tuple[tuple[float, ...], float, float]]] = {
    "ringback": ((440.0, 480.0), 2.0, 4.0),
    "ringback of Europe": ((425.0,), 1.0, 4.0),
    "busy tone": ((480.0, 620.0), 0.5, 0.5),
}
"""Frequencies (Hz), seconds of tone and of silence."""


def _machine(name: str) -> Wave:
    if name == "music":
        return to_float(make_sound(name, 12.0)).astype(np.float64)
    frequencies, on, off = _TONES_OF[name]
    return to_float(tone(frequencies, on, silence=off)).astype(np.float64)


_VOICES_OF_A_CROWD: Final = 6
_LONG: Final = 40
"""Characters of a recorded prompt that is long enough to be television."""


def _room(half: str, cast: _Cast) -> tuple[Wave, Wave]:
    """Half a minute of six people speaking at once, and of one; recorded humans, others in each half."""
    names = sorted(name for name, text in cast.prompts.texts().items() if len(text) >= _LONG)
    mine = [name for number, name in enumerate(names) if number % 2 == (half == "held_out")][:60]
    voices = [to_float(read_wav(cast.prompts.wav(name))).astype(np.float64) for name in mine]
    length = 30 * SAMPLE_RATE
    layers = []
    for number in range(_VOICES_OF_A_CROWD):
        talk = np.concatenate(voices[number::_VOICES_OF_A_CROWD])
        layers.append(np.resize(np.roll(talk, -len(talk) * (number + 1) // (_VOICES_OF_A_CROWD + 1)), length))
    return np.sum(layers, axis=0), layers[0]


def _rooms(half: str, said: list[tuple[str, str, Wave]], cast: _Cast) -> Iterator[Sound]:
    """What is heard from the first frame on: a crowd (and somebody who interrupts in it), television, machines."""
    crowd, television = _room(half, cast)
    for number, (words, who, audio) in enumerate(said[::2]):
        behind = _levelled_wave(crowd, _SPEECH - (10, 15, 20)[number % 3])
        yield _sound(half, "interruption in a crowd", who, words, _levelled_wave(audio), meant=True, room=behind)
    for decibels in (10, 10, 15, 20):
        yield _sound(half, "crowd", f"{decibels} dB", "", np.zeros(0), room=_levelled_wave(crowd, _SPEECH - decibels))
    for decibels in (10, 15, 20, 25):
        behind = _levelled_wave(television, _SPEECH - decibels)
        yield _sound(half, "television", f"{decibels} dB", "", np.zeros(0), room=behind)
    for decibels in (0, 10):
        for name in _TONES[half]:
            behind = _levelled_wave(_machine(name), _SPEECH - decibels)
            yield _sound(half, name, f"{decibels} dB", "", np.zeros(0), room=behind)


def _sound(half: str, kind: str, source: str, words: str, audio: Wave, **more: Any) -> Sound:
    return Sound("", half, kind, source, words, more.pop("meant", False), audio, "", 0.0, **more)


def _echoes(random: Random) -> Iterator[Echo]:
    """Delays of 20 to 300 ms, −12 to −30 dB, one reflection or several."""
    levels, delays = (
        itertools.cycle((-12, -18, -24, -30, -15)),
        itertools.cycle((0.02, 0.05, 0.09, 0.14, 0.2, 0.25, 0.3)),
    )
    for number, (decibels, seconds) in enumerate(zip(levels, delays, strict=False)):
        late = seconds + random.uniform(-0.01, 0.01) if 0.02 < seconds < 0.3 else seconds
        if number % 3 == 0:
            yield Echo(late, decibels)
            continue
        # a handset's few milliseconds, or a speaker-phone in a room
        longest = 40 if number % 3 == 1 else 240
        more = tuple((int(random.integers(1, longest)), float(random.uniform(-0.5, 0.5))) for _ in range(5))
        yield Echo(late, decibels, ((0, 1.0), *more))


def _levelled(pcm: bytes, level: float) -> Wave:
    start = audible_start(pcm)
    kept = b"" if start is None else pcm[start : audible_end(pcm)]
    return _levelled_wave(to_float(kept).astype(np.float64), level)


def _levelled_wave(wave: Wave, level: float = _SPEECH) -> Wave:
    """In the telephone's band, at this root mean square."""
    limited = band(wave, 250, 3400)
    return np.asarray(limited * 10 ** (level / 20) / max(float(np.sqrt(np.mean(np.square(limited)))), 1e-6))


def _peaked(wave: Wave, level: float) -> Wave:
    """In the telephone's band, its loudest sample 12 dB above `level`."""
    limited = band(wave, 250, 3400)
    return np.asarray(limited * min(10 ** ((level + 12) / 20), 1.0) / np.abs(limited).max())
