"""The process that runs hibari-tts: `python -m trunkline.speech.hibari_worker`, started by `hibari.py`."""

from __future__ import annotations

from typing import Final

from hibari import Hibari
from hibari.voices import DEFAULT, VOICES, voice_path

from trunkline.errors import SpeechUnavailable
from trunkline.speech.telephone_sound import telephone_sound
from trunkline.speech.worker_child import Handler, Head, Request, serve

_DEEP: Final = "-deep"
_DEEPER: Final = 0.84
"""Pitch and formants of a `-deep` voice relative to its model: about the step from a woman's voice to a man's."""
_SEED: Final = 1
"""Of the voice's noise: the same text always sounds the same."""


class Voices:
    """Loaded voices by name. A name with `-deep` behind it is the same model, played slower and spoken faster."""

    def __init__(self) -> None:
        self._engines = {DEFAULT: Hibari(DEFAULT)}

    def say(self, text: str, voice: str, speed: float) -> bytes:
        """8 kHz audio of `text`. Raises `SpeechUnavailable` for a voice that isn't here."""
        name = voice.removesuffix(_DEEP) or DEFAULT
        shift = _DEEPER if voice.endswith(_DEEP) else 1.0
        engine = self._engine(name)
        wave = engine(text, speed=speed / shift, seed=_SEED)
        return telephone_sound(wave, engine.sample_rate * shift)

    def _engine(self, name: str) -> Hibari:
        if name not in self._engines:
            if name not in VOICES:
                raise SpeechUnavailable(f"hibari has no voice {name!r}.", remedy=f"It has {', '.join(VOICES)}.")
            try:
                voice_path(name, download_missing=False)
            except FileNotFoundError as error:
                raise SpeechUnavailable(
                    f"The voice {name!r} is not on this machine.",
                    remedy=f"Put its model where hibari expects it: {error}.",
                ) from error
            self._engines[name] = Hibari(name)
        return self._engines[name]


def _load(_config: Head) -> Handler:
    voices = Voices()
    voices.say("Hello, this is 1 warm-up.", "", 1.0)  # the first run loads dictionaries and allocates

    def handle(request: Request) -> tuple[Head, bytes]:
        return {}, voices.say(request.head["text"], request.head["voice"], request.head["speed"])

    return handle


if __name__ == "__main__":
    serve(_load)
