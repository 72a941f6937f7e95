"""Settings of the service itself."""

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
    """When set, every request but `/health` needs `Authorization: Bearer KEY`. It opens everything; keys that open less
    are made by `trunkline keys create`."""
    requests_per_second: float = Field(50.0, ge=0, le=10_000)
    """Requests that each API key may make, twice as many at once; 0: any number."""
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
