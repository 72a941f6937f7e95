"""Settings of the AGI door: the dialplan of any Asterisk hands calls to agents."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from trunkline.settings.section import Section, check_reach, ipv4_networks


class AgiSettings(Section):
    """`[agi]`: `AGI(agi://HOST:4573/AGENT)` in a dialplan hands the call to an agent."""

    enabled: bool = False
    """Whether the door is open."""
    host: str = "127.0.0.1"
    """IPv4 address it listens on. Anything beyond loopback needs `networks`: AGI has no password."""
    port: int = Field(4573, ge=0, le=65535)
    """Its port; 0 takes a free one."""
    networks: tuple[str, ...] = ()
    """IPv4 networks that may connect, as `10.0.0.0/24`; this machine always may."""
    folder: Path | None = None
    """Folder of the sound files of `?mode=record`; Asterisk must write it too. Empty: `agi` in the data folder."""
    folder_there: str = ""
    """That folder as Asterisk sees it, where it has another name on its machine; empty: the same."""

    @field_validator("networks")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        return ipv4_networks(networks)

    @field_validator("folder_there")
    @classmethod
    def _absolute(cls, folder: str) -> str:
        if folder and not folder.startswith("/"):
            raise ValueError(f"{folder!r}: write the whole path, from / on")
        return folder

    @model_validator(mode="after")
    def _networks_beyond_loopback(self) -> AgiSettings:
        check_reach("AGI", "agi.host", self.host, "agi.networks", self.networks)
        return self

    @property
    def allowed(self) -> tuple[IPv4Network, ...]:
        return tuple(IPv4Network(network) for network in self.networks)
