"""Each agent's ears and voice: this machine's, or a server's with this machine's behind it."""

from __future__ import annotations

import asyncio

from trunkline.ports import SpeechToText, TextToSpeech
from trunkline.settings import AgentSettings, SpeechSettings
from trunkline.speech.fallbacks import FallbackEars, FallbackVoice
from trunkline.speech.measured import EngineCounters, MeasuredEars, MeasuredVoice
from trunkline.speech.speech_server import SpeechServer
from trunkline.speech.url_ears import UrlEars
from trunkline.speech.url_voice import UrlVoice


class Engines:
    """`ears` and `voice` are this machine's; they are warmed up and closed with the servers'."""

    def __init__(self, settings: SpeechSettings, ears: SpeechToText, voice: TextToSpeech) -> None:
        self.counters = EngineCounters()
        here_ears = MeasuredEars(ears, "local", self.counters)
        here_voice = MeasuredVoice(voice, "local", self.counters)
        self._ears: dict[str, SpeechToText] = {"": here_ears}
        self._voices: dict[str, TextToSpeech] = {"": here_voice}
        for name, server in settings.servers.items():
            there_ears = MeasuredEars(UrlEars(SpeechServer(name, server)), name, self.counters)
            there_voice = MeasuredVoice(UrlVoice(SpeechServer(name, server)), name, self.counters)
            self._ears[name] = FallbackEars([there_ears, here_ears])
            self._voices[name] = FallbackVoice([there_voice, here_voice])

    def ears(self, agent: AgentSettings) -> SpeechToText:
        return self._ears[agent.stt]

    def voice(self, agent: AgentSettings) -> TextToSpeech:
        return self._voices[agent.tts]

    async def warm_up(self) -> None:
        """Raises `SpeechUnavailable` or `ModelRefused` for this machine's; a server may be down and come later."""
        await asyncio.gather(*(engine.warm_up() for engine in self._all()))

    async def close(self) -> None:
        for engine in self._all():
            await engine.close()

    def _all(self) -> list[SpeechToText | TextToSpeech]:
        return [*self._ears.values(), *self._voices.values()]
