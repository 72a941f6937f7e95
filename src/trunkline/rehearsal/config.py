"""What the stand-in carrier lets through and what it refuses: `CarrierConfig`, also as a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator

from trunkline.errors import SettingsError
from trunkline.rehearsal.trunk_rules import OriginationUrl, TrunkRules
from trunkline.settings import E164, Section
from trunkline.sip.transaction import SipTimers


def _e164(number: str) -> str:
    if not E164.fullmatch(number):
        raise ValueError(f"{number!r} is not an E.164 number: write + and the country code, as +14155550100")
    return number


E164Number = Annotated[str, AfterValidator(_e164)]


class CarrierConfig(Section):
    """A trunk as the carrier sees it. The defaults let a well-configured caller through, one call per second."""

    listen_host: str = "127.0.0.1"
    """IPv4 address of SIP and RTP, as callers reach it."""
    listen_port: int = Field(0, ge=0, le=65535)
    """UDP port of SIP; 0 takes a free one."""
    listen_tcp_port: int = Field(0, ge=0, le=65535)
    """TCP port of SIP; 0 takes a free one."""
    listen_tls_port: int = Field(0, ge=0, le=65535)
    """Port of SIP over TLS; 0 takes a free one."""
    host: str = "rehearsal.pstn.example.com"
    """Termination URI: requests for any other host are not even answered."""
    sip_domains: tuple[str, ...] = (".sip.twilio.com", ".sip.example.com")
    """Ends of host names that belong to the carrier's other product: 404."""
    realm: str = "sip.twilio.com"
    """Realm of the challenge."""
    username: str | None = "trunk"
    """User of the credential list; empty: the address list alone decides."""
    password: SecretStr = SecretStr("rehearsal-Password-1")
    """Its password."""
    acl: tuple[IPv4Network, ...] | None = (IPv4Network("127.0.0.0/8"),)
    """Networks calls may come from; `null`: credentials alone decide."""
    caller_ids: tuple[E164Number, ...] | None = None
    """Bought or verified numbers; `null`: any E.164 number may be shown."""
    verified_callees: tuple[E164Number, ...] | None = None
    """Numbers a trial account may call; `null`: a paid account."""
    forbidden_prefixes: tuple[str, ...] = ("+881", "+882", "+883", "+979")
    """Destinations without permission, by the beginning of the number; satellite networks at first."""
    blocked_numbers: tuple[E164Number, ...] = ()
    """Destinations the carrier blocks."""
    secure: bool = False
    """Only TLS and SRTP are taken; otherwise no SRTP."""
    suspended: bool = False
    """The account is suspended or out of funds."""
    calls_per_second: float | None = Field(1.0, gt=0)
    """Calls taken within any second; `null`: no limit."""
    concurrent_calls: int | None = Field(None, ge=1)
    """Calls at once; `null`: no limit."""
    transfer: Literal["disable-all", "enable-all", "sip-only"] = "disable-all"
    """Whether a REFER is followed."""
    origination: tuple[str, ...] = ()
    """SIP addresses that get calls to our numbers, the first one first: `sip:pbx.example.com:5060`."""
    failover_seconds: float = Field(4.0, gt=0)
    """Silence after which the next origination address is tried."""
    t1: float = Field(0.5, gt=0, le=4)
    """SIP's T1 in seconds; an unacknowledged answer drops the call after 64 times that."""
    audible_dbfs: float = Field(-40.0, ge=-70, le=-10)
    """Peak level from which sound counts as audible."""

    @field_validator("listen_host")
    @classmethod
    def _one_address(cls, host: str) -> str:
        try:
            address = IPv4Address(host)
        except ValueError:
            raise ValueError(f"{host!r} is not an IPv4 address") from None
        if address.is_unspecified:
            # It is written into Record-Route and the session description, where it would lead nowhere.
            raise ValueError("name the address under which callers reach this machine, not 0.0.0.0")
        return host

    @property
    def timers(self) -> SipTimers:
        return SipTimers(t1=self.t1, t2=max(self.t1, min(4.0, self.t1 * 8)), t4=min(5.0, self.t1 * 10))

    # ── a `TrunkBook` of one trunk, which has every number ──────────────────────────────────────────────────────

    def trunk(self, host: str) -> TrunkRules | None:
        return self.trunk_of("") if host == self.host.lower() else None

    def trunk_of(self, _number: str) -> TrunkRules:
        return TrunkRules(
            domain=self.host.lower(),
            active=not self.suspended,
            networks=self.acl,
            passwords=None if self.username is None else {self.username: self.password.get_secret_value()},
            calls_per_second=self.calls_per_second,
            concurrent_calls=self.concurrent_calls,
            verified_callees=self.verified_callees,
            caller_ids=self.caller_ids,
            blocked_numbers=self.blocked_numbers,
            permits=lambda number: not number.startswith(self.forbidden_prefixes),
            secure=self.secure,
            transfer=self.transfer,
            urls=tuple(OriginationUrl(url, priority) for priority, url in enumerate(self.origination)),
        )


def load_config(file: Path) -> CarrierConfig:
    """A carrier from a YAML file. Raises `SettingsError` naming key, file and remedy."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"The carrier file {file} can't be read: {error.strerror}.", remedy="Name another."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The carrier file {file} is not valid YAML: {error}.", remedy="Correct that line."
        ) from error
    if not isinstance(content, dict):
        raise SettingsError(
            f"The carrier file {file} holds no settings.", remedy="Write lines such as `username: trunk`."
        )
    return make_config(content, str(file))


def make_config(content: Mapping[str, object], source: str) -> CarrierConfig:
    """A carrier from what `source` says. Raises `SettingsError` naming source, key and remedy."""
    try:
        return CarrierConfig.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{source}: {key}: {first['msg'].removeprefix('Value error, ')}.",
            remedy=f"Settings of a carrier are: {', '.join(CarrierConfig.model_fields)}.",
        ) from None
