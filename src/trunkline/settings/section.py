"""What all sections of the settings share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network

from pydantic import BaseModel, ConfigDict

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
TRANSFER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9 _-]{0,63}")
"""NAME of a `[transfers.NAME]`."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def check_reach(protocol: str, key: str, host: str, networks_key: str, networks: Sequence[str]) -> None:
    """Who has no password says who may connect. Raises `ValueError`, also where `host` is no IPv4 address."""
    try:
        loopback = IPv4Address(host).is_loopback
    except ValueError:
        raise ValueError(f"{key} {host!r} is no IPv4 address") from None
    if not loopback and not networks:
        raise ValueError(
            f"{key} {host!r} is reachable from other machines, and {protocol} has no password: first name the Asterisk "
            f"machines in {networks_key}, as 10.0.0.5/32"
        )


def ipv4_networks(networks: Iterable[str]) -> tuple[str, ...]:
    """The networks as they are. Raises `ValueError` for what is none."""
    for network in networks:
        try:
            IPv4Network(network)
        except ValueError as error:
            raise ValueError(f"{network!r} is no IPv4 network as 10.0.0.0/24: {error}") from None
    return tuple(networks)
