"""Settings of the service itself and of its Asterisk."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from trunkline.settings.section import Section


class ServiceSettings(Section):
    """`[service]`: the HTTP API and where things are kept."""

    host: str = "127.0.0.1"
    """Address the HTTP API listens on. Anything beyond loopback needs `api_key`."""
    port: int = Field(3030, ge=0, le=65535)
    """Port of the HTTP API; 0 takes a free one."""
    api_key: SecretStr | None = None
    """When set, every request but `/health` needs `Authorization: Bearer KEY`."""
    data_dir: Path = Path("var")
    """Folder for the database, recordings and the private Asterisk."""
    database_url: SecretStr | None = None
    """SQLAlchemy address of the call store; empty: SQLite at `data_dir/trunkline.db`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe lines that are logged."""
    max_calls: int = Field(50, ge=1, le=1000)
    """Simultaneous calls; more are refused with `too_many_calls`."""

    @model_validator(mode="after")
    def _key_beyond_loopback(self) -> ServiceSettings:
        try:
            loopback = ip_address(self.host).is_loopback
        except ValueError:
            loopback = self.host == "localhost"
        if not loopback and (self.api_key is None or len(self.api_key.get_secret_value()) < 16):
            raise ValueError(
                f"host {self.host!r} is reachable from other machines: "
                "first set service.api_key (16 characters or more)"
            )
        return self


class AsteriskSettings(Section):
    """`[asterisk]`: the private Asterisk that carries the calls."""

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
    ari_password: SecretStr | None = None
    """Password of our user in an Asterisk of your own; `trunkline pbx install` makes one and keeps it in `.env`."""
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
