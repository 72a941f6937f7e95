"""The settings → the trunk that is wanted, or what is missing in them. Pure."""

from __future__ import annotations

import re
from ipaddress import IPv4Network

from trunkline.carriers.twilio.plan import MARK, Wanted
from trunkline.errors import SettingsError
from trunkline.settings import Settings

DEFAULT_USERNAME = "trunkline"
TERMINATION = re.compile(r"([a-z0-9-]+)\.pstn(?:\.[a-z0-9-]+)?\.twilio\.com", re.IGNORECASE)
OVER_TLS = re.compile(r"sips:|.*;transport=tls(;|$)", re.IGNORECASE)
SHORTEST_PASSWORD = 12
"""Twilio's rule, besides upper case, lower case and a digit."""


def wanted(settings: Settings, addresses: tuple[str, ...]) -> Wanted:
    """`addresses` are the networks calls may come from, where the settings name none. Raises `SettingsError`."""
    trunk, twilio = settings.trunk, settings.twilio
    _check_nodes(settings)
    return Wanted(
        name=marked_name(settings),
        domain=domain(settings),
        username=trunk.username or DEFAULT_USERNAME,
        addresses=tuple(dict.fromkeys(str(IPv4Network(address)) for address in twilio.addresses or addresses)),
        secure=trunk.secure,
        transfer=twilio.transfer,
        recording=twilio.recording,
        nodes={name: node.model_dump() for name, node in twilio.origination.items()},
        numbers=tuple(dict.fromkeys(twilio.numbers)),
    )


def _check_nodes(settings: Settings) -> None:
    """A secure trunk's calls have to come in over TLS: Asterisk listens to nothing else. Raises `SettingsError`."""
    for name, node in settings.twilio.origination.items():
        if settings.trunk.secure and not OVER_TLS.match(node.sip_url):
            raise SettingsError(
                f"The trunk is secure, and twilio.origination.{name} would be called without TLS: {node.sip_url}.",
                remedy='Write its sip_url as "sip:HOST:5061;transport=tls", or set trunk.secure to false.',
            )


def marked_name(settings: Settings) -> str:
    return settings.twilio.trunk_name + MARK


def domain(settings: Settings) -> str:
    """The termination domain of `trunk.host`, without an edge. Raises `SettingsError`."""
    host = settings.trunk.host
    match = TERMINATION.fullmatch(host or "")
    if match is None:
        raise SettingsError(
            f"trunk.host is {host!r}: that is no termination domain of Twilio." if host else "trunk.host is not set.",
            remedy='Choose a name nobody else has and set trunk.host = "NAME.pstn.twilio.com" in trunkline.toml.',
        )
    return f"{match[1].lower()}.pstn.twilio.com"


def check_password(password: str) -> None:
    """Raises `SettingsError` for one that Twilio would refuse."""
    kinds = (str.isupper, str.islower, str.isdigit)
    if len(password) < SHORTEST_PASSWORD or not all(any(kind(letter) for letter in password) for kind in kinds):
        raise SettingsError(
            "trunk.password is too weak for Twilio: it wants 12 characters, upper case, lower case and a digit.",
            remedy="Remove trunk.username and trunk.password: `trunkline trunk apply` makes a strong one.",
        )
