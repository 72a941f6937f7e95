"""Settings of the Asterisk that carries the calls: a private one, or one that is there already."""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from trunkline.settings.section import Section, check_reach, ipv4_networks


class AsteriskSettings(Section):
    """`[asterisk]`: the Asterisk that carries the calls: a private one, or one of your own (docs/own-asterisk.md)."""

    mode: Literal["private", "external"] = "private"
    """`private`: Trunkline starts one of its own; `external`: it places its calls through one that runs already."""
    ari_url: str = "http://127.0.0.1:8088/ari"
    """Where an external one has its REST interface; https for one on another machine."""
    ari_user: str = "trunkline"
    """Our user in an external one."""
    ari_password: SecretStr | None = None
    """That user's password; `trunkline pbx install` makes one and keeps it in `.env`."""
    ari_ca: Path | None = None
    """Authorities (PEM) its https certificate is checked against; empty: those this machine trusts."""
    audio_host: str = "127.0.0.1"
    """IPv4 address an external one brings the audio of calls to. Anything beyond loopback needs `audio_networks`."""
    audio_port: int = Field(9092, ge=1, le=65535)
    """Port of that."""
    audio_networks: tuple[str, ...] = ()
    """IPv4 networks that may bring audio, as `10.0.0.5/32`; this machine always may."""
    contexts: tuple[str, ...] = ("*",)
    """Contexts of an external one's dialplan that `POST /call` may name; a `*` at the end stands for any rest."""
    binary: Path | None = None
    """Asterisk to use; empty: the machine's own if new enough, else one fetched into the cache."""
    address: str | None = None
    """IP address of SIP and RTP; empty: a free loopback address while the trunk is on this machine, else 0.0.0.0."""
    sip_port: int = Field(0, ge=0, le=65535)
    """SIP port; 0: 5060 if free, else any free one."""
    rtp_port_first: int = Field(10000, ge=1024, le=65000)
    """First UDP port for RTP."""
    rtp_port_last: int = Field(20000, ge=1026, le=65535)
    """Last UDP port for RTP."""
    external_address: str | None = None
    """Public address when this machine is behind NAT."""
    local_nets: tuple[str, ...] = ()
    """Networks that are not behind that NAT, as `10.0.0.0/8`."""
    tls_certificate: Path | None = None
    """Certificate (PEM, with its chain) shown to whoever calls over TLS; without it none can call in so."""
    tls_key: Path | None = None
    """Its private key (PEM, without a passphrase)."""
    tls_ca: Path | None = None
    """Authorities (PEM) the certificate of a secure trunk is checked against; empty: those this machine trusts."""
    apt_mirror: str | None = None
    """Address of a Debian mirror to fetch Asterisk from; empty: the one this machine uses."""
    cache_dir: Path | None = None
    """Where a fetched Asterisk is kept; empty: the user's cache folder."""

    @model_validator(mode="after")
    def _rtp_range(self) -> AsteriskSettings:
        if self.rtp_port_last - self.rtp_port_first < 100:
            raise ValueError("asterisk.rtp_port_last must lie at least 100 above asterisk.rtp_port_first")
        return self

    @model_validator(mode="after")
    def _certificate_and_key(self) -> AsteriskSettings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("asterisk.tls_certificate and asterisk.tls_key go together: set both or neither")
        return self

    @field_validator("audio_networks")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        return ipv4_networks(networks)

    @field_validator("ari_url")
    @classmethod
    def _address(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^/?#@\s]+(/[^?#\s]*)?/ari", url):
            raise ValueError("write it as https://pbx.example.com:8089/ari, without user and password")
        return url

    @model_validator(mode="after")
    def _networks_beyond_loopback(self) -> AsteriskSettings:
        networks = self.audio_networks
        check_reach("AudioSocket", "asterisk.audio_host", self.audio_host, "asterisk.audio_networks", networks)
        return self

    @property
    def audio_allowed(self) -> tuple[IPv4Network, ...]:
        return tuple(IPv4Network(network) for network in self.audio_networks)
