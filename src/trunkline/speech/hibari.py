"""Text to speech with hibari-tts: natural, American English, 60 times faster than it is spoken on one core."""

from __future__ import annotations

from trunkline.speech.worker_voice import WorkerVoice


def hibari_voice() -> WorkerVoice:
    """Voices: `heart` (the default) and `heart-deep`, a lower one; others of hibari's when their files are there."""
    return WorkerVoice("trunkline.speech.hibari_worker")
