"""What every recogniser makes sure of: no words where nobody spoke, none that are mere noise."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from trunkline.audio import FRAME_SAMPLES, SAMPLE_BYTES, bytes_of, to_float
from trunkline.ports import Transcript

NOTHING: Final = Transcript("", 0.0)

_SHORTEST: Final = 0.1
_LONGEST: Final = 30.0
_SILENT: Final = 10 ** (-60 / 20)
"""No 20 ms louder than −60 dB of full scale: nobody spoke, whatever Whisper would make of it."""
_LEAST_SCORE: Final = -1.0
"""Below it half the words or more were wrong in 46 of 46 measured utterances."""
_LEAST_SCORE_WITHOUT_NO_SPEECH: Final = -1.2
"""The score less the probability of no speech: noise, tones and music stay below, right words above."""


def nobody_spoke(audio: bytes) -> bool:
    """Whether it can be known without a recogniser. Raises `ValueError` for what is no utterance."""
    if len(audio) % SAMPLE_BYTES:
        raise ValueError("audio consists of 16-bit samples: its length is even")
    if len(audio) > bytes_of(_LONGEST):
        raise ValueError(f"an utterance lasts at most {_LONGEST:.0f} s")
    return len(audio) < bytes_of(_SHORTEST) or loudest(audio) < _SILENT


def believed(text: str, score: float, no_speech: float, trails_off: float = 0.0) -> Transcript:
    """Whisper's answer, or nothing. `score`: mean log probability of its tokens; `no_speech`: a probability."""
    words = any(character.isalnum() for character in text)
    if not words or score < _LEAST_SCORE or score - no_speech < _LEAST_SCORE_WITHOUT_NO_SPEECH:
        return NOTHING
    return Transcript(text, min(1.0, math.exp(score)), trails_off)


def loudest(audio: bytes) -> float:
    """Root mean square, 0 to 1, of the loudest 20 ms."""
    frames = len(audio) // (FRAME_SAMPLES * SAMPLE_BYTES)
    wave = to_float(audio)[: frames * FRAME_SAMPLES].reshape(frames, FRAME_SAMPLES)
    return float(np.sqrt(np.max(np.mean(np.square(wave), axis=1))))
