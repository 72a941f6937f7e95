"""What a conversation hears and speaks with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trunkline.ports import SpeechToText, TextToSpeech, TurnEndDetector, VoiceDetector


@dataclass(frozen=True, slots=True)
class Senses:
    """The speech engines a conversation uses."""

    voice_detector: VoiceDetector
    speech_to_text: SpeechToText
    text_to_speech: TextToSpeech
    turn_end: TurnEndDetector | None = None
    """Without one, words and silence alone tell when a turn is over."""
    waiting: Callable[[], int] = lambda: 0
    """How many requests wait for a process of these engines."""
