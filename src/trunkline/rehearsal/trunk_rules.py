"""What one trunk lets through and where its calls go, wherever that is kept: what the stand-in carrier judges by."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OriginationUrl:
    """Who gets the calls to a trunk's numbers. Lower `priority` first; among equals by `weight`."""

    sip_url: str
    """`sip:host`, `sip:host:port`, with `;transport=tcp` or `;transport=tls`."""
    priority: int = 10
    weight: int = 10


@dataclass(frozen=True, slots=True)
class TrunkRules:
    """A trunk at one moment. `None` stands for a check that isn't made."""

    domain: str
    """Termination URI, in lower case."""
    active: bool
    """The account may call: neither suspended nor out of funds."""
    networks: Collection[IPv4Network] | None
    """Where calls may come from."""
    passwords: Mapping[str, str] | None
    """User → password."""
    calls_per_second: float | None
    concurrent_calls: int | None
    verified_callees: Collection[str] | None
    """Whom a trial account may call."""
    caller_ids: Collection[str] | None
    blocked_numbers: Collection[str]
    permits: Callable[[str], bool]
    """Whether the account may call where this number is."""
    secure: bool
    """TLS and SRTP alone."""
    transfer: str
    """`disable-all`, `enable-all` or `sip-only`: whether REFER is followed, and where to."""
    urls: tuple[OriginationUrl, ...] = ()
    sid: str | None = None
    account_sid: str = "AC" + "0" * 32


class TrunkBook(Protocol):
    """Answers as things are when it is asked."""

    def trunk(self, host: str) -> TrunkRules | None:
        """The trunk whose termination URI `host` is, in lower case."""

    def trunk_of(self, number: str) -> TrunkRules | None:
        """The trunk that gets the calls to `number`."""
