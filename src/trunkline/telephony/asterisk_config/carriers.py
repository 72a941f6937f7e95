"""What carriers differ in, as data. A setting of `[trunk]` of the same name goes before it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final, Literal

from trunkline.settings import TrunkSettings
from trunkline.telephony.asterisk_config.sections import host_and_port, network


@dataclass(frozen=True, slots=True)
class Carrier:
    identify: tuple[str, ...] = ()
    """Networks its requests come from."""
    qualify_seconds: int = 60
    """How often OPTIONS is sent to it."""
    session_timers: bool = False
    """Whether calls are kept up by RFC 4028: not every carrier knows it, and some end calls over it."""
    wildcard_certificates: bool = False
    """Whether `*.example.com` in its certificate is taken for its host."""
    number_format: Literal["e164", "digits"] = "e164"
    caller_id_header: Literal["from", "p-asserted-identity"] = "from"
    registers: bool = False
    """Whether we register with it, so that it knows where calls for us go."""


TWILIO: Final = Carrier(
    # One range for each of its regions: a trunk's calls come from any of them.
    identify=(
        "54.172.60.0/30",  # ashburn
        "54.244.51.0/30",  # umatilla
        "54.171.127.192/30",  # dublin
        "35.156.191.128/30",  # frankfurt
        "54.65.63.192/30",  # tokyo
        "54.169.127.128/30",  # singapore
        "54.252.254.64/30",  # sydney
        "177.71.206.192/30",  # sao-paulo
    ),
    wildcard_certificates=True,
)

CARRIERS: Final = {
    "twilio": TWILIO,
    "ip": Carrier(),
    # OPTIONS often enough that a router on the way keeps the path open.
    "registration": Carrier(
        qualify_seconds=30, session_timers=True, caller_id_header="p-asserted-identity", registers=True
    ),
}


def carrier_of(trunk: TrunkSettings) -> Carrier:
    """The carrier as the settings want it. Raises `SettingsError` for a network that is none."""
    host = (trunk.host or "").partition(":")[0].lower()
    carrier = CARRIERS[trunk.carrier or ("twilio" if host.endswith(".twilio.com") else "ip")]
    named = tuple(network("trunk.identify", net) for net in trunk.identify)
    return replace(
        carrier,
        identify=named or tuple(dict.fromkeys((*carrier.identify, *literal_addresses(trunk)))),
        qualify_seconds=carrier.qualify_seconds if trunk.qualify_seconds is None else trunk.qualify_seconds,
        number_format=trunk.number_format or carrier.number_format,
        caller_id_header=trunk.caller_id_header or carrier.caller_id_header,
    )


def as_sent(trunk: TrunkSettings, number: str) -> str:
    """A number (E.164) as the carrier wants it written."""
    return number.removeprefix("+") if carrier_of(trunk).number_format == "digits" else number


def as_received(trunk: TrunkSettings, number: str) -> str:
    """A number of the carrier's in E.164; what is none, as `anonymous`, stays."""
    digits = carrier_of(trunk).number_format == "digits" and re.fullmatch(r"[1-9][0-9]{6,14}", number)
    return f"+{number}" if digits else number


def literal_addresses(trunk: TrunkSettings) -> list[str]:
    """Networks of `host` and `proxy`, where they are IP addresses: calls are sent there and come from there."""
    found = []
    for place in (trunk.host, trunk.proxy):
        host = host_and_port(place, trunk.sip_port)[0].strip("[]") if place is not None else ""
        try:
            found.append(network("trunk.host", str(ip_address(host))))
        except ValueError:
            continue
    return found
