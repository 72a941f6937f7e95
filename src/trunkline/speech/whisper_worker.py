"""The process that runs Whisper: `python -m trunkline.speech.whisper_worker`, started by `whisper.py`.

The numbers below are measured on telephone audio; `docs/decisions/0003-speech-engines.md` has the tables.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import ctranslate2
import numpy as np
import soxr
import tokenizers

from trunkline.audio import SAMPLE_RATE, to_float
from trunkline.errors import SpeechUnavailable
from trunkline.speech.log_mel import RATE, Floats, log_mel
from trunkline.speech.worker_child import Handler, Head, Request, serve

_LEAD_SECONDS: Final = 0.2
"""Silence put in front: a word that starts with the first sample is misheard more often."""
_SHORTEST_WINDOW: Final = 12.0
"""Seconds of features. Whisper was trained on 30; down to 12 it is as good at a fifth of the cost, at 8 it loops."""
_WINDOW_MARGIN: Final = 1.0
_LONGEST_WINDOW: Final = 30.0
_BEAMS: Final = 5
_SURE: Final = -0.25
"""Score from which five beams find what one has found; below it, in one utterance of ten, they are asked as well."""
_NO_REPEAT: Final = 5
"""No five tokens occur twice: ends loops."""
_TOKENS_AT_LEAST: Final = 8
_TOKENS_PER_SECOND: Final = 7
"""Nobody talks faster; an answer that reaches 8 + 7 × seconds tokens is a loop."""
_HINT_TOKENS: Final = 64


@dataclass(frozen=True, slots=True)
class Hypothesis:
    text: str
    score: float
    """Mean natural logarithm of the tokens' probabilities."""
    no_speech: float
    """Probability that nothing was said."""
    capped: bool
    """It was longer than anybody talks."""
    trails_off: float
    """Probability that the last word is followed by "…" or a dash."""


class Recogniser:
    """A ctranslate2 Whisper model in a folder."""

    def __init__(self, folder: Path) -> None:
        try:
            self._model = ctranslate2.models.Whisper(
                str(folder), device="cpu", compute_type="int8", inter_threads=1, intra_threads=1
            )
        except (RuntimeError, ValueError) as error:
            raise SpeechUnavailable(f"The Whisper model in {folder} can't be loaded: {error}.") from error
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._text_ends = self._token("<|endoftext|>")
        signs = {token: self._tokenizer.decode([token]).strip() for token in range(self._text_ends)}
        self._punctuation = frozenset(token for token, text in signs.items() if not any(map(str.isalnum, text)))
        self._trailing = [token for token, text in signs.items() if text in ("...", "…", "-", "--", "–", "—")]

    def recognise(self, audio: bytes, language: str, hint: str, request: Request | None = None) -> Hypothesis:
        """Words of 8 kHz audio of at most 29 s."""
        wave = np.concatenate([np.zeros(int(_LEAD_SECONDS * SAMPLE_RATE), np.float32), to_float(audio)])
        seconds = len(wave) / SAMPLE_RATE
        wave = soxr.resample(wave, SAMPLE_RATE, RATE)
        prompt = self._prompt(language, hint)
        limit = int(_TOKENS_AT_LEAST + _TOKENS_PER_SECOND * seconds)
        window = min(max(_SHORTEST_WINDOW, seconds + _WINDOW_MARGIN), _LONGEST_WINDOW)
        found = self._decode(self._encode(wave, window, request), prompt, limit)
        if found.capped and window < _LONGEST_WINDOW:
            found = self._decode(self._encode(wave, _LONGEST_WINDOW, request), prompt, limit)
        return found

    def _encode(self, wave: Floats, window: float, request: Request | None) -> ctranslate2.StorageView:
        features = ctranslate2.StorageView.from_array(log_mel(wave, window))
        if request is not None:
            request.check()
        encoded = self._model.encode(features)
        if request is not None:
            request.check()
        return encoded

    def _decode(self, encoded: ctranslate2.StorageView, prompt: list[int], limit: int) -> Hypothesis:
        # Only the greedy search shows what else it thought of at each step.
        result = self._generate(encoded, prompt, limit, beams=1)
        trails_off = self._trails_off(result)
        if _score(result) < _SURE:
            result = self._generate(encoded, prompt, limit, beams=_BEAMS)
        tokens = result.sequences_ids[0]
        text = self._tokenizer.decode([token for token in tokens if token < self._text_ends]).strip()
        return Hypothesis(text, _score(result), result.no_speech_prob, len(tokens) >= limit, trails_off)

    def _generate(
        self, encoded: ctranslate2.StorageView, prompt: list[int], limit: int, *, beams: int
    ) -> ctranslate2.models.WhisperGenerationResult:
        # ctranslate2 generates at most min(max_length / 2, max_length - prompt) tokens: this makes it `limit`
        (result,) = self._model.generate(
            encoded,
            [prompt],
            beam_size=beams,
            no_repeat_ngram_size=_NO_REPEAT,
            max_length=limit + max(limit, len(prompt)),
            return_scores=True,
            return_no_speech_prob=True,
            return_logits_vocab=beams == 1,
        )
        return result

    def _trails_off(self, result: ctranslate2.models.WhisperGenerationResult) -> float:
        tokens, steps = result.sequences_ids[0], result.logits[0]
        last = len(tokens)
        while last and tokens[last - 1] in self._punctuation:
            last -= 1
        if last >= len(steps):
            return 0.0  # it ran into its limit
        logits = np.asarray(steps[last], np.float32).reshape(-1)
        odds = np.exp(logits - logits.max())
        return float(odds[self._trailing].sum() / odds.sum())

    def _prompt(self, language: str, hint: str) -> list[int]:
        # Whisper goes on in the style of the hint: after a list without a full stop four of five answers have none
        # either, after one with it all have, and the end of a turn is judged by them.
        sentence = f" {hint.strip().rstrip('.')}."
        words = self._tokenizer.encode(sentence, add_special_tokens=False).ids[:_HINT_TOKENS]
        before = [self._token("<|startofprev|>"), *words] if hint.strip() else []
        task = ("<|startoftranscript|>", f"<|{language}|>", "<|transcribe|>", "<|notimestamps|>")
        return before + [self._token(name) for name in task]

    def _token(self, name: str) -> int:
        token = self._tokenizer.token_to_id(name)
        if token is None:
            raise SpeechUnavailable(f"The Whisper model has no {name}.", remedy="Choose a language it knows, as en.")
        return int(token)


def _score(result: ctranslate2.models.WhisperGenerationResult) -> float:
    # ctranslate2 divides by the tokens it shows; the one that ends the text was scored as well
    tokens = len(result.sequences_ids[0])
    return float(result.scores[0]) * tokens / (tokens + 1)


def _load(config: Head) -> Handler:
    recogniser = Recogniser(Path(config["model"]))
    recogniser.recognise(bytes(SAMPLE_RATE), "en", "")  # the first run allocates what all later ones use

    def handle(request: Request) -> tuple[Head, bytes]:
        found = recogniser.recognise(request.body, request.head["language"], request.head["hint"], request)
        return asdict(found), b""

    return handle


if __name__ == "__main__":
    serve(_load)
