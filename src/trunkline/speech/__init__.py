"""Speech on this machine: voice activity, speech to text, text to speech. One file per engine.

The engines are imported only by the factory that makes them: the worker processes import this package too, and each
is to load its own libraries and no others.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trunkline.settings import SpeechSettings

if TYPE_CHECKING:
    from trunkline.ports import TextToSpeech
    from trunkline.speech.fallbacks import FallbackVoice
    from trunkline.speech.models import Report
    from trunkline.speech.silero import SileroDetector
    from trunkline.speech.smart_turn import SmartTurnDetector
    from trunkline.speech.whisper import WhisperSpeechToText


def make_voice_detector() -> SileroDetector:
    """Silero VAD, batched over calls and gated. Raises `ModelRefused` or `SpeechUnavailable`."""
    from trunkline.speech.silero import SileroDetector

    return SileroDetector()


def make_speech_to_text(settings: SpeechSettings) -> WhisperSpeechToText:
    """Whisper; its model is looked for, and fetched if need be, when it is warmed up."""
    from trunkline.speech.whisper import WhisperSpeechToText

    return WhisperSpeechToText(partial(whisper_model, settings), workers=settings.stt_workers)


def make_text_to_speech(settings: SpeechSettings) -> FallbackVoice:
    """The engine of the settings, then the other ones."""
    from trunkline.speech.espeak import espeak_voice
    from trunkline.speech.fallbacks import FallbackVoice
    from trunkline.speech.hibari import hibari_voice

    engines: list[TextToSpeech] = [hibari_voice(), espeak_voice()]
    return FallbackVoice(engines if settings.tts_engine == "hibari" else engines[::-1])


def make_turn_end_detector(settings: SpeechSettings) -> SmartTurnDetector:
    """Smart Turn; its model is looked for, and fetched if need be, when it is warmed up."""
    from trunkline.speech.smart_turn import SmartTurnDetector, smart_turn_model

    return SmartTurnDetector(partial(smart_turn_model, settings))


def whisper_model(settings: SpeechSettings, report: Report | None = None, *, replace: bool = False) -> Path:
    """The folder of the verified Whisper model. Blocks while it is fetched; `replace` mends a damaged one."""
    from trunkline.speech.model_sources import sources
    from trunkline.speech.models import WHISPER_BASE, default_models_dir, provide, refetch, verify_folder

    if settings.stt_model != "base":
        return verify_folder(Path(settings.stt_model).expanduser())
    bring = refetch if replace else provide
    found = sources(offline=settings.offline)
    return bring(WHISPER_BASE, settings.models_dir or default_models_dir(), found, report or _silently)


def _silently(_what: str, _done: int, _total: int) -> None:
    """Nobody watches."""


__all__ = [
    "make_speech_to_text",
    "make_text_to_speech",
    "make_turn_end_detector",
    "make_voice_detector",
    "whisper_model",
]
