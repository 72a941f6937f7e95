"""Settings: one `trunkline.toml`, the environment, `.env`; typed, validated, documented.

Precedence, strongest first: environment (`TRUNKLINE_TRUNK__PASSWORD`), `.env`, `trunkline.toml`, embedded defaults.
With no file at all the product runs. `docs/settings.md` lists every key and is tested against this file.
"""

from __future__ import annotations

import re

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from trunkline.settings.agents import DEFAULT_AGENT, AgentSettings, ListeningSettings, N8nSettings
from trunkline.settings.agi import AgiSettings
from trunkline.settings.asterisk import AsteriskSettings
from trunkline.settings.dialling import DiallingSettings
from trunkline.settings.incoming import HoursSettings, IncomingSettings, RouteSettings
from trunkline.settings.privacy import NoticeSettings, PrivacySettings
from trunkline.settings.section import E164, TRANSFER_NAME, Section
from trunkline.settings.service import ServiceSettings
from trunkline.settings.speech import SpeechServerSettings, SpeechSettings
from trunkline.settings.transfers import TransferSettings
from trunkline.settings.trunk import OriginationSettings, TrunkSettings, TwilioSettings

__all__ = [
    "DEFAULT_AGENT",
    "E164",
    "ENV_PREFIX",
    "AgentSettings",
    "AgiSettings",
    "AsteriskSettings",
    "DiallingSettings",
    "HoursSettings",
    "IncomingSettings",
    "ListeningSettings",
    "N8nSettings",
    "NoticeSettings",
    "OriginationSettings",
    "PrivacySettings",
    "RouteSettings",
    "Section",
    "ServiceSettings",
    "Settings",
    "SpeechServerSettings",
    "SpeechSettings",
    "TransferSettings",
    "TrunkSettings",
    "TwilioSettings",
]

ENV_PREFIX = "TRUNKLINE_"


class Settings(BaseSettings):
    """All of them."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="ignore", frozen=True, use_attribute_docstrings=True
    )

    service: ServiceSettings = ServiceSettings()
    asterisk: AsteriskSettings = AsteriskSettings()
    trunk: TrunkSettings = TrunkSettings()
    twilio: TwilioSettings = TwilioSettings()
    dialling: DiallingSettings = DiallingSettings()
    incoming: IncomingSettings = IncomingSettings()
    agi: AgiSettings = AgiSettings()
    transfers: dict[str, TransferSettings] = Field(default_factory=dict)
    """Whom people may be put through to, by name."""
    speech: SpeechSettings = SpeechSettings()
    privacy: PrivacySettings = PrivacySettings()
    agents: dict[str, AgentSettings] = Field(default_factory=lambda: {DEFAULT_AGENT: AgentSettings()})
    """Agents by name; `context` in `POST /call` names one."""

    @field_validator("agents")
    @classmethod
    def _agent_names(cls, agents: dict[str, AgentSettings]) -> dict[str, AgentSettings]:
        for name in agents:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
                raise ValueError(f"agent name {name!r}: letters, digits, - and _ only, at most 64")
        return agents or {DEFAULT_AGENT: AgentSettings()}

    @field_validator("transfers")
    @classmethod
    def _transfer_names(cls, transfers: dict[str, TransferSettings]) -> dict[str, TransferSettings]:
        for name in transfers:
            if not TRANSFER_NAME.fullmatch(name):
                raise ValueError(f"transfer {name!r}: a letter, then letters, digits, blanks, - and _, at most 64")
        return transfers

    @model_validator(mode="after")
    def _transfers_named(self) -> Settings:
        for name, agent in self.agents.items():
            named = {f"openai.transfers.{key}": to for key, to in agent.openai.transfers.items()}
            brains = {"n8n": agent.n8n.transfer_to, "openai": agent.openai.transfer_to}
            named |= {f"{brain}.transfer_to": to for brain, to in brains.items() if to is not None}
            for key, to in named.items():
                if not E164.fullmatch(to) and to not in self.transfers:
                    raise ValueError(f"agents.{name}.{key} names {to!r}: there is no [transfers.{to}]")
        return self

    @model_validator(mode="after")
    def _speech_servers(self) -> Settings:
        for name, agent in self.agents.items():
            for key, server in (("stt", agent.stt), ("tts", agent.tts)):
                if server and server not in self.speech.servers:
                    raise ValueError(f"agents.{name}.{key} names {server!r}: there is no [speech.servers.{server}]")
        return self

    @model_validator(mode="after")
    def _answering_agents(self) -> Settings:
        named = {f"routes.{name}.agent": route.agent for name, route in self.incoming.routes.items()}
        if self.incoming.agent:
            named["agent"] = self.incoming.agent
        for key, agent in named.items():
            if agent not in self.agents:
                raise ValueError(f"incoming.{key} names {agent!r}: there is no [agents.{agent}]")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, dotenv_settings, init_settings
