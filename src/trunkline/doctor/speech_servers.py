"""Checks of the servers in `speech.servers`: they answer, take the key and have the models. Nothing is spoken."""

from __future__ import annotations

from dataclasses import dataclass

from trunkline.doctor.check import Check, Verdict, well
from trunkline.settings import Settings, SpeechServerSettings
from trunkline.speech.speech_server import SpeechServer


@dataclass(frozen=True, slots=True)
class SpeechServerCheck:
    """Asks for the list of models, which every server of that protocol should have."""

    server: str
    settings: SpeechServerSettings
    used: tuple[str, ...]
    """Models that agents use of it."""

    @property
    def name(self) -> str:
        return f"speech ({self.server})"

    @property
    def limit(self) -> float:
        return self.settings.timeout_seconds + 5.0

    async def run(self) -> Verdict:
        server = SpeechServer(self.server, self.settings)
        try:
            models = await server.models()
        finally:
            await server.close()
        if models is None:
            return well(f"{self.settings.url} answers, without a list of its models")
        missing = [model for model in self.used if model not in models]
        remarks = [f"It doesn't list the model {model}: see speech.servers.{self.server}." for model in missing]
        return well(f"{self.settings.url} answers, and takes the key", *remarks)


def speech_server_checks(settings: Settings) -> list[Check]:
    checks: list[Check] = []
    for name, server in settings.speech.servers.items():
        agents = settings.agents.values()
        used = {server.stt_model for agent in agents if agent.stt == name}
        used |= {server.tts_model for agent in agents if agent.tts == name}
        checks.append(SpeechServerCheck(name, server, tuple(sorted(used))))
    return checks
