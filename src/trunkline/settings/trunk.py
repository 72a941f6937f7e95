"""Settings of the SIP trunk, and of the Twilio account behind it."""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from trunkline.settings.section import E164, Section


class TrunkSettings(Section):
    """`[trunk]`: the SIP trunk calls go out and come in on. Any SIP peer; the words are Twilio's."""

    carrier: Literal["twilio", "ip", "registration"] | None = None
    """`twilio`; `ip`: one that knows us by address or password; `registration`: one we register with. Empty: `twilio`
    where `host` is Twilio's, else `ip`."""
    host: str | None = None
    """Termination host, as `example.pstn.twilio.com`. Empty: no calls can be placed."""
    port: int | None = Field(None, ge=1, le=65535)
    """SIP port of the trunk; empty: 5060, with `secure` 5061."""
    transport: Literal["udp", "tcp"] = "udp"
    """Transport of SIP, where it isn't `secure`."""
    secure: bool = False
    """TLS for SIP and SRTP for audio, and nothing else; `trunkline trunk` sets Twilio's side by it too."""
    proxy: str | None = None
    """Address `host[:port]` requests are sent to when it differs from `host` (an edge or an outbound proxy)."""
    username: str | None = None
    """User of the trunk's credential list."""
    password: SecretStr | None = None
    """Password of the trunk's credential list."""
    caller_ids: tuple[str, ...] = ()
    """Numbers (E.164) we may show; the first one is the default."""
    ring_timeout: float = Field(45.0, ge=5, le=300)
    """Seconds a phone may ring."""
    codecs: tuple[Literal["ulaw", "alaw"], ...] = ("ulaw", "alaw")
    """Codecs offered, best first."""
    identify: tuple[str, ...] = ()
    """Networks the trunk's own requests come from; anybody elsewhere is refused. Empty: Twilio's where it is the
    carrier, and `host` and `proxy` where they are IP addresses; where there is none of these no calls come in, but
    from a carrier we register with."""
    qualify_seconds: int | None = Field(None, ge=0, le=3600)
    """How often OPTIONS is sent to the trunk; 0 never, otherwise at least every 15 s; empty: as suits the carrier."""
    number_format: Literal["e164", "digits"] | None = None
    """How numbers are sent: `e164` (+14155550100) or `digits` (14155550100); empty: `e164`."""
    refer: bool = False
    """Cold transfers by REFER: the carrier puts the person through, and the call leaves us. Where it refuses, Asterisk
    dials. Twilio takes REFER as `twilio.transfer` says."""
    caller_id_header: Literal["from", "p-asserted-identity"] | None = None
    """Where our number stands; empty: `from`, but `p-asserted-identity` with `registration` (From names the user)."""

    @field_validator("caller_ids")
    @classmethod
    def _e164(cls, numbers: tuple[str, ...]) -> tuple[str, ...]:
        for number in numbers:
            if not E164.fullmatch(number):
                raise ValueError(f"{number!r} is not an E.164 number: write + and the country code, as +14155550100")
        return numbers

    @field_validator("host", "proxy")
    @classmethod
    def _host(cls, host: str | None) -> str | None:
        if host is not None and not re.fullmatch(r"[A-Za-z0-9.\-]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?", host):
            raise ValueError(f"{host!r} is not a host name: write it without sip: and without a path")
        return host

    @field_validator("username")
    @classmethod
    def _username(cls, user: str | None) -> str | None:
        if user is not None and not re.fullmatch(r"[A-Za-z0-9._@+\-]{1,64}", user):
            raise ValueError("a user name is 1 to 64 letters, digits or . _ @ + -")
        return user

    @field_validator("password")
    @classmethod
    def _password(cls, password: SecretStr | None) -> SecretStr | None:
        # It is written into pjsip.conf, where a semicolon starts a comment and a line end starts another setting.
        if password is not None and re.search(r"[\x00-\x1f;\\]", password.get_secret_value()):
            raise ValueError("a password must not hold control characters, semicolons or backslashes")
        return password

    @model_validator(mode="after")
    def _credentials_together(self) -> TrunkSettings:
        if (self.username is None) != (self.password is None):
            raise ValueError("trunk.username and trunk.password go together: set both or neither")
        if self.qualify_seconds is not None and 0 < self.qualify_seconds < 15:
            raise ValueError("trunk.qualify_seconds must be 0 or at least 15")
        if self.carrier == "registration" and self.host is not None and self.username is None:
            raise ValueError("a carrier we register with wants trunk.username and trunk.password")
        return self

    @model_validator(mode="after")
    def _one_transport(self) -> TrunkSettings:
        if self.secure and "transport" in self.model_fields_set:
            raise ValueError("trunk.secure means TLS: leave trunk.transport out, or set trunk.secure to false")
        return self

    @property
    def sip_transport(self) -> Literal["udp", "tcp", "tls"]:
        return "tls" if self.secure else self.transport

    @property
    def sip_port(self) -> int:
        return self.port or (5061 if self.secure else 5060)


class OriginationSettings(Section):
    """`[twilio.origination.NAME]`: an Asterisk that gets the calls to your numbers."""

    sip_url: str
    """Where it is reached, as `sip:pbx.example.com:5060;transport=udp`."""
    priority: int = Field(10, ge=0, le=65535)
    """Lower ones are tried first, higher ones when those fail."""
    weight: int = Field(10, ge=0, le=65535)
    """Share of the calls among nodes of the same priority."""
    enabled: bool = True
    """Whether it gets calls."""

    @field_validator("sip_url")
    @classmethod
    def _sip(cls, url: str) -> str:
        if not re.fullmatch(r"sips?:[^\s\"<>]+", url):
            raise ValueError(f"{url!r} is not a SIP address as sip:pbx.example.com:5060")
        return url


class TwilioSettings(Section):
    """`[twilio]`: what `trunkline trunk` sets up at Twilio; domain, user, password, `secure` are those of `[trunk]`."""

    account_sid: str | None = None
    """The account (`AC…`), from the first page of Twilio's console."""
    api_key_sid: str | None = None
    """An API key (`SK…`); better than the token, as it can be withdrawn by itself."""
    api_key_secret: SecretStr | None = None
    """That key's secret."""
    auth_token: SecretStr | None = None
    """The account's token, where there is no API key."""
    trunk_name: str = "Trunkline"
    """Name of the trunk and its lists; in Twilio ` (trunkline)` follows it, the mark of what is ours."""
    addresses: tuple[str, ...] = ()
    """IPv4 networks calls may come from; empty: `asterisk.external_address`, else this machine's as it is found."""
    address_service: str = "https://checkip.amazonaws.com"
    """Web address that answers with the public address of whoever asks."""
    transfer: Literal["disable-all", "enable-all", "sip-only"] = "disable-all"
    """Whether a call may be transferred by REFER."""
    recording: Literal[
        "do-not-record",
        "record-from-ringing",
        "record-from-answer",
        "record-from-ringing-dual",
        "record-from-answer-dual",
    ] = "do-not-record"
    """Whether Twilio records; Trunkline does anyway."""
    numbers: tuple[str, ...] = ()
    """Bought numbers (E.164) whose calls come in over this trunk."""
    origination: dict[str, OriginationSettings] = Field(default_factory=dict)
    """Who gets those calls, by name."""
    countries: tuple[str, ...] = ()
    """Countries that are called, as `US`: the doctor sees whether they may be; empty: those of `trunk.caller_ids`."""
    api_url: str | None = None
    """A stand-in of Twilio's API on this machine; empty: Twilio itself."""

    @field_validator("account_sid", "api_key_sid")
    @classmethod
    def _sid(cls, sid: str | None, info: ValidationInfo) -> str | None:
        letters = "AC" if info.field_name == "account_sid" else "SK"
        if sid is not None and not re.fullmatch(letters + "[0-9a-fA-F]{32}", sid):
            raise ValueError(f"it is {letters} and 32 hexadecimal digits")
        return sid

    @field_validator("trunk_name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}", name):
            raise ValueError("a trunk's name: letters, digits, blanks and . _ - only, at most 40")
        return name

    @field_validator("addresses")
    @classmethod
    def _networks(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            try:
                IPv4Network(address)
            except ValueError as error:
                raise ValueError(f"{address!r} is no IPv4 address or network: {error}") from None
        return addresses

    @field_validator("numbers")
    @classmethod
    def _e164(cls, numbers: tuple[str, ...]) -> tuple[str, ...]:
        for number in numbers:
            if not E164.fullmatch(number):
                raise ValueError(f"{number!r} is not an E.164 number: write it as +14155550100")
        return numbers

    @field_validator("countries")
    @classmethod
    def _iso(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        for code in codes:
            if not re.fullmatch("[A-Z]{2}", code):
                raise ValueError(f"{code!r} is no country as ISO 3166 writes them: two capital letters, as US")
        return codes

    @field_validator("origination")
    @classmethod
    def _node_names(cls, nodes: dict[str, OriginationSettings]) -> dict[str, OriginationSettings]:
        for name in nodes:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
                raise ValueError(f"node name {name!r}: letters, digits, - and _ only, at most 64")
        return nodes

    @field_validator("address_service")
    @classmethod
    def _web_address(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^\s/@?#]+(/\S*)?", url):
            raise ValueError(f"{url!r} is not a web address")
        return url

    @field_validator("api_url")
    @classmethod
    def _loopback(cls, url: str | None) -> str | None:
        # The keys of an account go there, unencrypted.
        if url is not None and not re.fullmatch(r"http://(127(\.\d{1,3}){3}|localhost):\d{1,5}", url):
            raise ValueError("a stand-in is on this machine: http://127.0.0.1:PORT")
        return url

    @model_validator(mode="after")
    def _key_together(self) -> TwilioSettings:
        if (self.api_key_sid is None) != (self.api_key_secret is None):
            raise ValueError("twilio.api_key_sid and twilio.api_key_secret go together: set both or neither")
        return self
