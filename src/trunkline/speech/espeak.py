"""Text to speech with espeak-ng: robotic, in every language; the last resort."""

from __future__ import annotations

from trunkline.speech.worker_voice import WorkerVoice


def espeak_voice() -> WorkerVoice:
    """Voices: espeak-ng's names, as `en-us` (the default), `en-gb`, `de`, `en-us+f3`."""
    return WorkerVoice("trunkline.speech.espeak_worker")
