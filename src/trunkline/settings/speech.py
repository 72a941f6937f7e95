"""Settings of the speech engines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from trunkline.settings.section import Section


class SpeechServerSettings(Section):
    """`[speech.servers.NAME]`: a server of OpenAI's audio protocol, on this machine or elsewhere."""

    url: str
    """Address up to and with its version, as `http://127.0.0.1:8000/v1`."""
    api_key: SecretStr | None = None
    """Sent as `Authorization: Bearer KEY`."""
    stt_model: str = "whisper-1"
    """Model of `/audio/transcriptions`."""
    tts_model: str = "tts-1"
    """Model of `/audio/speech`."""
    voice: str = "alloy"
    """Voice of agents that name none."""
    tts_format: Literal["pcm", "wav", "mp3", "opus", "flac", "aac"] = "pcm"
    """Format asked for; `pcm` is what most servers send while they still make it."""
    timeout_seconds: float = Field(4.0, ge=0.2, le=60)
    """Silence of the server after which the engine of this machine takes over."""

    @field_validator("url")
    @classmethod
    def _web_address(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", url):
            raise ValueError(f"{url!r} is not an address as http://127.0.0.1:8000/v1; a key goes into api_key")
        return url


class SpeechSettings(Section):
    """`[speech]`: engines on this machine, and servers for agents that name one."""

    stt_model: str = "base"
    """Whisper model: `base`, or a folder with a ctranslate2 model."""
    stt_workers: int = Field(1, ge=1, le=32)
    """Processes that transcribe; each takes one core while busy and about 400 MB."""
    tts_engine: Literal["hibari", "espeak"] = "hibari"
    """Voice engine; espeak-ng is also what hibari falls back to."""
    models_dir: Path | None = None
    """Where models are kept; empty: the user's cache folder."""
    offline: bool = False
    """Never fetch a model; fail with a clear error instead."""
    servers: dict[str, SpeechServerSettings] = Field(default_factory=dict)
    """Servers by name, for `agents.NAME.stt` and `agents.NAME.tts`."""

    @field_validator("servers")
    @classmethod
    def _server_names(cls, servers: dict[str, SpeechServerSettings]) -> dict[str, SpeechServerSettings]:
        for name in servers:
            if name == "local" or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
                raise ValueError(f"server name {name!r}: letters, digits, - and _ only, at most 64, and not `local`")
        return servers
