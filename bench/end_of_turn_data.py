"""The labelled turns of `end_of_turn.yaml` as a telephone delivers them: µ-law, 8 kHz, with and without noise.

Everything is made from packages and is the same to the bit on every machine that has the same packages: synthesised
voices (hibari, a lower one made of it, espeak-ng) and human recordings (Asterisk's prompts). Of the synthesised turns
every second one is spoken as a whole and cut where its pauses are: the melody goes on, nobody slows down. The others
are spoken in parts: each part ends as if it were the last, or nearly.
"""

from __future__ import annotations

import audioop
import itertools
import random
import re
import wave
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from bench.sentence_cut import end_of_beginning
from trunkline.audio import SAMPLE_BYTES, SAMPLE_RATE, audible_end, audible_start, bytes_of, seconds_of, to_float
from trunkline.speech.espeak_worker import Espeak
from trunkline.speech.hibari_worker import Voices
from trunkline.telephony.asterisk_fetch import SoundsFolder

TEXTS: Final = Path(__file__).with_name("end_of_turn.yaml")
PORTIONS: Final = ("tuning", "once_held_out", "learnt", "held_out", "unseen")
NOISES: Final = (None, 20.0, 10.0)
"""Decibels of speech above noise; `None`: a quiet line."""
LEAD_SECONDS: Final = 0.5
TRAIL_SECONDS: Final = 2.5
"""Line noise before and after each turn."""

_SPEECH_LEVEL: Final = 10 ** (-22 / 20)
"""Root mean square of the spoken parts."""
_QUIET_LINE: Final = 10 ** (-62 / 20)
_PAUSES: Final = tuple(hundredths / 100 for hundredths in range(30, 121, 5))
"""Seconds."""
_MARKS: Final = ("|", "/")
_VOICES: Final = (
    ("hibari", "heart", 1.0),
    ("hibari", "heart-deep", 0.95),
    ("hibari", "heart", 1.15),
    ("hibari", "heart-deep", 1.1),
    ("hibari", "heart", 0.9),
    ("hibari", "heart-deep", 1.0),
    ("espeak", "en-us", 1.0),
    ("hibari", "heart", 1.05),
    ("hibari", "heart-deep", 1.05),
    ("hibari", "heart", 0.95),
    ("hibari", "heart-deep", 0.9),
    ("hibari", "heart", 1.1),
    ("hibari", "heart-deep", 1.15),
    ("espeak", "en-gb-x-rp+f3", 0.9),
)


@dataclass(frozen=True, slots=True)
class Pause:
    """A silence inside a turn. Seconds: the last audible sample before, the first one after."""

    begins: float
    ends: float
    answered: bool
    """What was asked has been answered: whoever takes this for the end isn't wrong."""


@dataclass(frozen=True, slots=True)
class LabelledTurn:
    """One turn on one line. Times are seconds from the beginning of `audio`."""

    name: str
    portion: str
    """One of `PORTIONS`: nothing was ever chosen on the last two."""
    voice: str
    manner: str
    """`as a whole` and then cut, `in parts`, or `recorded`."""
    noise: float | None
    asked: str
    """What the agent said before."""
    text: str
    audio: bytes
    """8 kHz, 16-bit, after µ-law."""
    pauses: tuple[Pause, ...]
    ends: float
    """The last audible sample of the turn."""


Say = Callable[[str], bytes]
"""Words → 8 kHz audio."""


def labelled_turns(prompts: SoundsFolder, portions: Collection[str] = PORTIONS) -> Iterator[LabelledTurn]:
    """All turns of these portions on all lines, one after the other, always in the same order."""
    engines: dict[str, Voices | Espeak] = {"hibari": Voices(), "espeak": Espeak()}
    content = yaml.safe_load(TEXTS.read_text(encoding="utf-8"))
    for portion in portions:
        kinds = content[portion]
        number = itertools.count(1)
        for engine, voice, speed, manner, asked, line in _lines(kinds):
            pieces, marks = _taken_apart(line)
            if manner == "recorded":
                parts, text = [_played(prompts, names) for names in pieces], _words(prompts, line)
            else:
                say, text = partial(engines[engine].say, voice=voice, speed=speed), line
                parts = _cut(say, pieces) if manner == "as a whole" else _in_parts(say, pieces)
            clean, pauses, ends = _assemble(parts, marks, seed=line.replace(" / ", " | "))
            for noise in NOISES:
                yield LabelledTurn(
                    name=f"{portion}-{next(number):03}",
                    portion=portion,
                    voice=f"{engine} {voice}",
                    manner=manner,
                    noise=noise,
                    asked=asked,
                    text=text,
                    audio=_telephone(clean, noise, seed=f"{line} {noise}"),
                    pauses=pauses,
                    ends=ends,
                )


def _lines(kinds: dict[str, dict[str, list[Any]]]) -> Iterator[tuple[str, str, float, str, str, str]]:
    """Engine, voice, speed, manner, question, line."""
    voices, manners = itertools.cycle(_VOICES), itertools.cycle(("as a whole", "in parts"))
    for asked, lines in kinds["spoken"].items():
        for line in lines:
            yield *next(voices), next(manners) if _taken_apart(line)[1] else "as a whole", asked, line
    for asked, lines in kinds["recorded"].items():
        for line in lines:
            yield "human", "prompts", 1.0, "recorded", asked, line


def _taken_apart(line: str) -> tuple[list[str], list[str]]:
    """What is said between the pauses, and the pauses' marks."""
    pieces = re.split(r" ([|/]) ", line)
    return pieces[::2], pieces[1::2]


def _in_parts(say: Say, pieces: list[str]) -> list[bytes]:
    return [_levelled(_trimmed(say(piece))) for piece in pieces]


def _cut(say: Say, pieces: list[str]) -> list[bytes]:
    whole = _levelled(_trimmed(say(" ".join(pieces))))
    beginnings = (" ".join(pieces[:count]) for count in range(1, len(pieces)))
    ends = [end_of_beginning(_levelled(_trimmed(say(beginning))), whole) for beginning in beginnings]
    return [_trimmed(whole[start:end]) for start, end in itertools.pairwise([0, *ends, len(whole)])]


def _played(prompts: SoundsFolder, names: str) -> bytes:
    between = bytes(bytes_of(0.06))
    return _levelled(between.join(_trimmed(_recording(prompts.wav(name))) for name in names.split()))


def _recording(file: Path) -> bytes:
    with wave.open(str(file)) as sound:
        if sound.getparams()[:3] != (1, SAMPLE_BYTES, SAMPLE_RATE):
            raise ValueError(f"{file} is not 8 kHz, 16 bit, mono")
        return bytes(sound.readframes(sound.getnframes()))


def _words(prompts: SoundsFolder, line: str) -> str:
    known = prompts.texts()
    return " ".join(name if name in _MARKS else known[name].split(" [")[0] for name in line.split())


def _assemble(parts: list[bytes], marks: list[str], seed: str) -> tuple[bytes, tuple[Pause, ...], float]:
    """Clean audio, its pauses and its end."""
    lengths = random.Random(seed)
    audio = bytearray(bytes_of(LEAD_SECONDS))
    pauses: list[Pause] = []
    for part, mark in itertools.zip_longest(parts, marks):
        audio += part
        if mark is not None:
            begins = seconds_of(audio)
            audio += bytes(bytes_of(lengths.choice(_PAUSES)))
            pauses.append(Pause(begins, seconds_of(audio), answered=mark == "/"))
    ends = seconds_of(audio)
    return bytes(audio) + bytes(bytes_of(TRAIL_SECONDS)), tuple(pauses), ends


def _trimmed(pcm: bytes) -> bytes:
    start = audible_start(pcm)
    return b"" if start is None else pcm[start : audible_end(pcm)]


def _levelled(pcm: bytes) -> bytes:
    sound = to_float(pcm)
    gain = _SPEECH_LEVEL / max(float(np.sqrt(np.mean(np.square(sound)))), 1e-6)
    return _pcm(sound * gain)


def _telephone(clean: bytes, noise: float | None, seed: str) -> bytes:
    """With line or room noise from end to end, limited to the telephone's band, through µ-law."""
    sound = to_float(clean)
    level = _QUIET_LINE if noise is None else _SPEECH_LEVEL * 10 ** (-noise / 20)
    random_bits = np.random.default_rng(list(seed.encode()))
    spectrum = np.fft.rfft(sound + _pink(len(sound), random_bits) * level)
    hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    spectrum *= 1 / np.sqrt((1 + (250 / np.maximum(hertz, 1)) ** 8) * (1 + (hertz / 3400) ** 24))
    limited = np.fft.irfft(spectrum, len(sound))
    return audioop.ulaw2lin(audioop.lin2ulaw(_pcm(limited), SAMPLE_BYTES), SAMPLE_BYTES)


def _pink(samples: int, random_bits: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Noise of a room: as much power in every octave, root mean square 1."""
    spectrum = np.fft.rfft(random_bits.standard_normal(samples))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    noise = np.fft.irfft(spectrum, samples)
    return np.asarray(noise / np.sqrt(np.mean(np.square(noise))))


def _pcm(sound: np.ndarray[Any, Any]) -> bytes:
    return bytes((np.clip(sound, -1.0, 1.0) * 32767.0).astype("<i2").tobytes())
