"""The process that runs espeak-ng through its C API (`speak_lib.h`): `python -m trunkline.speech.espeak_worker`.

espeak-ng is GPL-3.0. It is loaded in this process only, and only if the operator installed it: the machine's own
library, or the one in the package `espeakng-loader` (`pip install trunkline[espeak]`).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
from typing import Final

import numpy as np

from trunkline.errors import SpeechUnavailable
from trunkline.speech.telephone_sound import Wave, telephone_sound
from trunkline.speech.worker_child import Handler, Head, Request, serve

_SYNCHRONOUS: Final = 2
_POSITION_IS_CHARACTER: Final = 1
_TEXT_IS_UTF8: Final = 1
_RATE: Final = 1
_WORDS_PER_MINUTE: Final = 165
_OK: Final = 0

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """One engine per process: espeak-ng keeps its state in globals."""

    def __init__(self) -> None:
        self._library, data = _find()
        self._rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0)
        if self._rate <= 0:
            raise SpeechUnavailable("espeak-ng can't find its data.", remedy="Install the package espeak-ng-data.")
        self._heard = bytearray()
        self._callback = _Callback(self._hear)  # kept: the library holds only the bare pointer
        self._library.espeak_SetSynthCallback(self._callback)

    def say(self, text: str, voice: str, speed: float) -> bytes:
        """8 kHz audio of `text`. Raises `SpeechUnavailable` for a voice espeak-ng doesn't know."""
        if self._library.espeak_SetVoiceByName((voice or "en-us").encode()) != _OK:
            raise SpeechUnavailable(f"espeak-ng has no voice {voice!r}.", remedy="Choose one as en-us or en-gb.")
        self._library.espeak_SetParameter(_RATE, round(_WORDS_PER_MINUTE * speed), 0)
        self._heard.clear()
        encoded = text.encode() + b"\0"
        status = self._library.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded)), 0, _POSITION_IS_CHARACTER, 0, _TEXT_IS_UTF8, None, None
        )
        if status != _OK:
            raise SpeechUnavailable(f"espeak-ng could not speak (status {status}).")
        wave: Wave = np.frombuffer(bytes(self._heard), "<i2").astype(np.float32) / np.float32(32768)
        return telephone_sound(wave, self._rate)

    def _hear(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._heard += ctypes.string_at(samples, 2 * count)
        return 0


def _find() -> tuple[ctypes.CDLL, bytes | None]:
    """The library and the folder of its data (`None`: where it was installed to)."""
    if importlib.util.find_spec("espeakng_loader") is not None:
        import espeakng_loader  # noqa: PLC0415 - an optional extra

        return ctypes.CDLL(espeakng_loader.get_library_path()), espeakng_loader.get_data_path().encode()
    name = ctypes.util.find_library("espeak-ng")
    if name is None:
        raise SpeechUnavailable(
            "The fallback voice espeak-ng is not installed.",
            remedy="Install the system's package espeak-ng, or the extra trunkline[espeak] (GPL-3.0).",
        )
    return ctypes.CDLL(name), None


def _load(_config: Head) -> Handler:
    espeak = Espeak()

    def handle(request: Request) -> tuple[Head, bytes]:
        return {}, espeak.say(request.head["text"], request.head["voice"], request.head["speed"])

    return handle


if __name__ == "__main__":
    serve(_load)
