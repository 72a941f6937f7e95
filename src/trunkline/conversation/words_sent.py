"""Which words of a sentence somebody has heard who heard so much of its audio. Pure.

No voice tells when it says which word. Words take as long as their syllables, and pauses take no words with them: so
words are laid over the audible part of the audio. Measured against forced alignment: `python -m bench.heard_words`.
"""

from __future__ import annotations

import itertools
import re
from typing import Final

import numpy as np

from trunkline.audio import AUDIBLE, FRAME_BYTES, FRAME_SAMPLES, FRAME_SECONDS, to_samples

BETWEEN_WORDS: Final = 0.5
"""What every word takes beside its syllables, in syllables."""
_CHARACTERS_PER_SECOND: Final = 15
"""How people speak: tells how long a sentence will be whose audio isn't complete."""
_SYLLABLE: Final = re.compile(r"[aeiouy]+|\d")


def words_sent(text: str, audio: bytes | bytearray, position: int, *, complete: bool) -> str:
    """The words of `text` whose end lies in front of byte `position` of its audio; `complete`: that is all of it."""
    frames = len(audio) // FRAME_BYTES
    blocks = to_samples(audio[: frames * FRAME_BYTES]).reshape(frames, FRAME_SAMPLES).astype(np.float32)
    audible = np.mean(np.square(blocks), axis=1) >= AUDIBLE**2
    total = float(audible.sum())
    if not complete:
        total = max(total, len(text) / _CHARACTERS_PER_SECOND / FRAME_SECONDS)
    share = float(audible[: position // FRAME_BYTES].sum()) / max(total, 1.0)
    words = text.split()
    ends = list(itertools.accumulate(_syllables(word) + BETWEEN_WORDS for word in words))
    return " ".join(word for word, end in zip(words, ends, strict=True) if end <= share * ends[-1])


def _syllables(word: str) -> int:
    """About how many: groups of vowels but a silent e at the end, and one for a digit."""
    return max(len(_SYLLABLE.findall(re.sub(r"e\W*$", "", word.lower()))), 1)
