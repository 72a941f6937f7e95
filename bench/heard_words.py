"""`python -m bench.heard_words`: what was heard of a cut sentence, against Whisper's forced alignment of its words.

Every sentence the agent says in `barge_in.yaml` is cut at every 0.1 s. An alignment names a word's first token some
80 ms before it is heard (it looks at what comes before); that much is added.
"""

from __future__ import annotations

import argparse
import re
from typing import Final

import ctranslate2
import numpy as np
import soxr
import yaml
from rich.console import Console
from rich.table import Table

from bench.barge_in_data import TEXTS
from trunkline.audio import SAMPLE_RATE, bytes_of, seconds_of, to_float
from trunkline.conversation.words_sent import words_sent
from trunkline.settings import Settings
from trunkline.speech import whisper_model
from trunkline.speech.hibari_worker import Voices
from trunkline.speech.log_mel import RATE, log_mel
from trunkline.speech.whisper_worker import Recogniser

EARLY: Final = 0.08
STEP: Final = 0.1
LEAD: Final = 0.2
"""Seconds of silence in front, as `whisper_worker.py` has it."""
_WINDOW: Final = 12.0
_TOKEN_SECONDS: Final = 0.02
_VOICES: Final = (("", 1.0), ("heart-deep", 1.0), ("", 1.2))
console = Console(highlight=False)


def word_ends(recogniser: Recogniser, text: str, audio: bytes) -> list[float]:
    """When each word is over: when the next one begins, and the last one at the end. Seconds."""
    wave = np.concatenate([np.zeros(int(LEAD * SAMPLE_RATE), np.float32), to_float(audio)])
    features = log_mel(soxr.resample(wave, SAMPLE_RATE, RATE), _WINDOW)
    tokens, owners = [], []
    for number, word in enumerate(text.split()):
        pieces = recogniser._tokenizer.encode(f" {word}", add_special_tokens=False).ids
        tokens += pieces
        owners += [number] * len(pieces)
    encoded = recogniser._model.encode(ctranslate2.StorageView.from_array(features))
    (aligned,) = recogniser._model.align(
        encoded, recogniser._prompt("en", ""), [tokens], [int(100 * seconds_of(audio))]
    )
    begins: dict[int, float] = {}
    for token, moment in aligned.alignments:
        if token < len(owners):
            begins.setdefault(owners[token], moment * _TOKEN_SECONDS - LEAD + EARLY)
    return [begins[number] for number in range(1, len(text.split()))] + [seconds_of(audio)]


def errors(text: str, audio: bytes, ends: list[float]) -> list[int]:
    """Words too many (or, negative, too few) at every cut."""
    found = []
    for step in range(1, int(seconds_of(audio) / STEP)):
        at = step * STEP
        said = len(words_sent(text, audio, bytes_of(at), complete=True).split())
        found.append(said - sum(end <= at for end in ends))
    return found


def main() -> None:
    recogniser, voices = Recogniser(whisper_model(Settings().speech)), Voices()
    table = Table("half", "cuts", "words off: mean", "p50", "p95", "most", "at most one", box=None)
    for half, texts in yaml.safe_load(TEXTS.read_text(encoding="utf-8"))["agent"].items():
        sentences = [sentence for text in texts for sentence in re.split(r"(?<=[.?!]) ", text)]
        off: list[int] = []
        for sentence in sentences:
            for voice, speed in _VOICES:
                audio = voices.say(sentence, voice, speed)
                off += errors(sentence, audio, word_ends(recogniser, sentence, audio))
        wrong = np.abs(off)
        p50, p95 = np.percentile(wrong, [50, 95])
        one = f"{100 * np.mean(wrong <= 1):.0f} %"
        table.add_row(half, str(len(off)), f"{np.mean(off):+.2f}", f"{p50:.0f}", f"{p95:.0f}", str(wrong.max()), one)
    console.print(table)


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m bench.heard_words", description=__doc__).parse_args()
    main()
