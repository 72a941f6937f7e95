"""Settings: one `trunkline.toml`, the environment, `.env`; typed, validated, documented.

Precedence, strongest first: environment (`TRUNKLINE_TRUNK__PASSWORD`), `.env`, `trunkline.toml`, embedded defaults.
With no file at all the product runs. `docs/settings.md` lists every key and is tested against this file.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

ENV_PREFIX = "TRUNKLINE_"
E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


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
    apt_mirror: str | None = None
    """Address of a Debian mirror to fetch Asterisk from; empty: the one this machine uses."""
    cache_dir: Path | None = None
    """Where a fetched Asterisk is kept; empty: the user's cache folder."""

    @model_validator(mode="after")
    def _rtp_range(self) -> AsteriskSettings:
        if self.rtp_port_last - self.rtp_port_first < 100:
            raise ValueError("asterisk.rtp_port_last must lie at least 100 above asterisk.rtp_port_first")
        return self


class TrunkSettings(Section):
    """`[trunk]`: the SIP trunk calls go out on. Any SIP peer; the words are Twilio's."""

    host: str | None = None
    """Termination host, as `example.pstn.twilio.com`. Empty: no calls can be placed."""
    port: int = Field(5060, ge=1, le=65535)
    """SIP port of the trunk."""
    transport: Literal["udp", "tcp"] = "udp"
    """Transport of SIP."""
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
    """Networks the trunk sends its own requests from; empty: none is accepted."""
    qualify_seconds: int = Field(60, ge=0, le=3600)
    """How often OPTIONS is sent to the trunk; 0 never, otherwise at least every 15 s."""

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
        if 0 < self.qualify_seconds < 15:
            raise ValueError("trunk.qualify_seconds must be 0 or at least 15")
        return self


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
    """`[twilio]`: what `trunkline trunk` sets up at Twilio; domain, user and password are those of `[trunk]`."""

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
    secure: bool = False
    """TLS and SRTP only."""
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


class ListeningSettings(Section):
    """`[agents.NAME.listening]`: how an agent listens."""

    voice_threshold: float = Field(0.5, gt=0, lt=1)
    """Probability above which a 32 ms window counts as speech."""
    start_seconds: float = Field(0.06, ge=0.02, le=1)
    """Speech that lasts this long begins a turn."""
    pause_seconds: float = Field(0.06, ge=0.04, le=2)
    """Silence after which work on the answer starts, in the hope that the turn is over; thrown away if it isn't."""
    end_silence_seconds: float = Field(0.9, ge=0.1, le=5)
    """Silence that ends a turn when nothing else tells whether it is over."""
    longest_silence_seconds: float = Field(1.5, ge=0.1, le=10)
    """Silence that ends a turn even in the middle of a sentence or a number."""
    interrupt_seconds: float = Field(0.04, ge=0, le=3)
    """Clear speech over the agent that makes it hold its tongue, until it is clear what is meant; 0: it never stops."""
    insist_seconds: float = Field(1.0, ge=0.1, le=5)
    """Speech over the agent that lasts this long is an interruption, whatever is said."""
    max_turn_seconds: float = Field(10.0, ge=1, le=30)
    """A turn is cut here, as in the hand-made set-up."""
    silent_caller_seconds: float = Field(7.0, ge=1, le=60)
    """Silence after which a silent person is asked."""
    silent_caller_asks: int = Field(2, ge=0, le=10)
    """Times a silent person is asked before the farewell."""
    keys_gap_seconds: float = Field(1.2, ge=0.2, le=10)
    """No further key for this long ends an answer by keys; `#` ends it at once."""


class N8nSettings(Section):
    """`[agents.NAME.n8n]`: the workflow behind an agent whose `brain` is `n8n`, and what happens when it fails."""

    webhook_url: str | None = None
    """Production address of the workflow's webhook, as `https://n8n.example.com/webhook/trunkline`."""
    auth_header: str = "Authorization"
    """Header that carries `auth_value`."""
    auth_value: SecretStr | None = None
    """Value of that header, for a webhook with header authentication."""
    hmac_secret: SecretStr | None = None
    """Signs every request (`X-Trunkline-Signature`); empty: it is not signed."""
    connect_seconds: float = Field(3.0, ge=0.1, le=30)
    """Longest time to connect."""
    welcome_seconds: float = Field(5.0, ge=0.5, le=60)
    """Longest wait for the welcome, from dialling on; then `welcome_fallback`."""
    answer_seconds: float = Field(12.0, ge=1, le=120)
    """Longest wait for the beginning of an answer; keep it below the agent's `give_up_after_seconds`."""
    stall_seconds: float = Field(5.0, ge=0.5, le=60)
    """Longest pause inside an answer that is on its way."""
    longest_answer: int = Field(2000, ge=100, le=20000)
    """Characters of one answer that are spoken (2000 take about two minutes); the rest is left out."""
    longest_audio_seconds: float = Field(120.0, ge=1, le=3600)
    """Audio of one answer that is played; the rest is left out."""
    largest_audio: int = Field(25_000_000, ge=10_000, le=1_000_000_000)
    """Bytes of audio that are fetched for one answer."""
    allow_private_audio: bool = False
    """Whether `audio_url` may lead to this machine or a private network."""
    welcome_fallback: str = "Hello! How can I help you?"
    """Greeting when the workflow gives none."""
    try_again: str = "I'm sorry, one moment, please."
    """Said when the workflow could not be reached, before the one more try."""
    say_again: str = "I'm sorry, I had a problem there. Could you say that again?"
    """Said when the workflow failed and may have run, while `failed_turns` is not reached."""
    failed_turns: int = Field(2, ge=1, le=10)
    """Turns in a row that may fail before the fallback."""
    fallback: Literal["farewell", "script"] = "farewell"
    """Then: say the agent's `sorry` and hang up (or transfer), or go on with the agent's `script`."""
    transfer_to: str | None = None
    """Number (E.164) the person is put through to behind that farewell, instead of hanging up."""
    transfer_farewell: str = "I'm sorry, something went wrong on my side. I'll put you through to a colleague."
    """Said instead of `sorry` before that transfer."""

    @field_validator("webhook_url")
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[^\s/@?#]+(?:[/?][^\s#]*)?", url):
            raise ValueError("write the webhook's address as https://n8n.example.com/webhook/trunkline")
        return url

    @field_validator("auth_header")
    @classmethod
    def _header(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            raise ValueError("a header's name has no blanks and no colon")
        return name

    @field_validator("auth_value")
    @classmethod
    def _header_value(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[\x20-\x7e]+", value.get_secret_value()):
            raise ValueError("a header's value is printable ASCII, in one line")
        return value

    @field_validator("transfer_to")
    @classmethod
    def _number(cls, number: str | None) -> str | None:
        if number is not None and not E164.fullmatch(number):
            raise ValueError(f"{number!r} is not an E.164 number: write it as +14155550100")
        return number


class AgentSettings(Section):
    """`[agents.NAME]`: a named greeting, brain, voice and manners."""

    brain: Literal["scripted", "n8n"] = "scripted"
    """What decides on the words: the built-in script, or a workflow of n8n (`[agents.NAME.n8n]`)."""
    script: str = "appointment"
    """Of the scripted brain: a sample that comes with Trunkline (`appointment`) or the path of a YAML file."""
    greeting: str | None = None
    """Replaces the script's (or the workflow's) greeting; `{name}` is filled from the call's variables."""
    stt: str = ""
    """Server in `speech.servers` that listens; empty: this machine's Whisper, which also stands in for the server."""
    tts: str = ""
    """Server in `speech.servers` that speaks; empty: `speech.tts_engine`, which also stands in for the server."""
    voice: str = ""
    """Voice of the engine; empty: its default."""
    speed: float = Field(1.0, ge=0.5, le=2)
    """Pace of the voice."""
    language: str = "en"
    """Language that is listened for."""
    transcribe: bool = True
    """Understand the person's words on this machine; without, only the brain does, and the sound alone tells when a
    turn is over."""
    likely_words: str = (
        "yes, no, Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday, half past, o'clock, morning, goodbye"
    )
    """Words that are often said to it, as a list: short answers on a noisy line are understood better."""
    variables: dict[str, str] = Field(default_factory=dict)
    """Values for the script when the call brings none."""
    max_call_seconds: float = Field(600.0, ge=5, le=14400)
    """Longest call; then a farewell."""
    ask_again: str = "Are you still there?"
    """Said to a silent person."""
    farewell_silent: str = "I can't hear you, so I'll hang up now. Goodbye."
    """Said before hanging up on a silent person."""
    farewell_time: str = "I'm afraid our time is up. Goodbye."
    """Said when the call reaches its longest length."""
    filler: str = "Let me see."
    """Said when the answer takes longer than `filler_after_seconds`; empty: nothing."""
    filler_after_seconds: float = Field(1.2, ge=0.2, le=10)
    """Silence after the person's turn before the filler."""
    hold_on: str = "One moment, please."
    """Said when the answer takes longer than `hold_on_after_seconds`; empty: nothing."""
    hold_on_after_seconds: float = Field(5.0, ge=1, le=30)
    """Silence after the person's turn before that."""
    give_up_after_seconds: float = Field(15.0, ge=2, le=120)
    """An answer that takes longer counts as failed."""
    sorry: str = "I'm sorry, something went wrong on my side. Please call us back later. Goodbye."
    """Said when the brain fails."""
    transfer_failed: str = "I'm sorry, I can't put you through at the moment."
    """Said when the person can't be put through; the conversation goes on."""
    listening: ListeningSettings = ListeningSettings()
    """How it listens."""
    n8n: N8nSettings = N8nSettings()
    """The workflow behind it."""

    @model_validator(mode="after")
    def _mind(self) -> AgentSettings:
        if self.brain == "n8n" and self.n8n.webhook_url is None:
            raise ValueError('brain = "n8n" needs n8n.webhook_url, the production address of the workflow\'s webhook')
        if self.brain == "n8n" and self.n8n.answer_seconds >= self.give_up_after_seconds:
            raise ValueError("n8n.answer_seconds must lie below give_up_after_seconds, which ends the call")
        if self.brain == "scripted" and not self.transcribe:
            raise ValueError("the scripted brain needs words: transcribe = false is for workflows that transcribe")
        return self


DEFAULT_AGENT = "outbound-ai-conversational"


class Settings(BaseSettings):
    """All of them."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="ignore", frozen=True, use_attribute_docstrings=True
    )

    service: ServiceSettings = ServiceSettings()
    asterisk: AsteriskSettings = AsteriskSettings()
    trunk: TrunkSettings = TrunkSettings()
    twilio: TwilioSettings = TwilioSettings()
    speech: SpeechSettings = SpeechSettings()
    agents: dict[str, AgentSettings] = Field(default_factory=lambda: {DEFAULT_AGENT: AgentSettings()})
    """Agents by name; `context` in `POST /call` names one."""

    @field_validator("agents")
    @classmethod
    def _agent_names(cls, agents: dict[str, AgentSettings]) -> dict[str, AgentSettings]:
        for name in agents:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
                raise ValueError(f"agent name {name!r}: letters, digits, - and _ only, at most 64")
        return agents or {DEFAULT_AGENT: AgentSettings()}

    @model_validator(mode="after")
    def _speech_servers(self) -> Settings:
        for name, agent in self.agents.items():
            for key, server in (("stt", agent.stt), ("tts", agent.tts)):
                if server and server not in self.speech.servers:
                    raise ValueError(f"agents.{name}.{key} names {server!r}: there is no [speech.servers.{server}]")
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
