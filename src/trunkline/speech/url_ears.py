"""Speech to text by a server of OpenAI's audio protocol."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from trunkline.audio import SAMPLE_RATE
from trunkline.errors import SpeechUnavailable
from trunkline.media.containers import wav_head
from trunkline.ports import Transcript
from trunkline.speech.speech_server import SpeechServer
from trunkline.speech.utterances import NOTHING, believed, nobody_spoke

_USUAL_SCORE: Final = math.log(0.8)
"""Taken where the server doesn't tell how sure it is."""


class UrlEars:
    """Sends utterances as they are, 8 kHz: every server resamples for its model."""

    def __init__(self, server: SpeechServer) -> None:
        self._server = server

    async def warm_up(self) -> None:
        """Raises `SpeechUnavailable`."""
        await self._server.reach()

    async def transcribe(self, audio: bytes, *, language: str = "en", hint: str = "") -> Transcript:
        """As the port says."""
        if self._server.closed:
            raise SpeechUnavailable("Speech recognition is closed.")
        if nobody_spoke(audio):
            return NOTHING
        model = self._server.settings.stt_model
        fields = {
            "model": model,
            "language": language.lower().partition("-")[0],
            # gpt-4o-transcribe and its kin know nothing else; Whisper tells how sure it is.
            "response_format": "json" if model.startswith("gpt-") else "verbose_json",
            "temperature": "0",
        }
        if hint:
            fields["prompt"] = hint
        answer = await self._server.transcribe(fields, wav_head(SAMPLE_RATE, len(audio)) + audio)
        return believed(answer["text"].strip(), *_scores(answer))

    async def close(self) -> None:
        await self._server.close()


def _scores(answer: Mapping[str, Any]) -> tuple[float, float]:
    """Mean log probability of the tokens and probability of no speech, of `verbose_json`'s segments."""
    segments = answer.get("segments")
    try:
        told = [(float(part["avg_logprob"]), float(part["no_speech_prob"])) for part in segments or ()]
    except (LookupError, TypeError, ValueError):
        told = []
    if not told:
        return _USUAL_SCORE, 0.0
    return sum(score for score, _ in told) / len(told), min(no_speech for _, no_speech in told)
