"""What all sections of the settings share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Network

from pydantic import BaseModel, ConfigDict

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
TRANSFER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9 _-]{0,63}")
"""NAME of a `[transfers.NAME]`."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def ipv4_networks(networks: Iterable[str]) -> tuple[str, ...]:
    """The networks as they are. Raises `ValueError` for what is none."""
    for network in networks:
        try:
            IPv4Network(network)
        except ValueError as error:
            raise ValueError(f"{network!r} is no IPv4 network as 10.0.0.0/24: {error}") from None
    return tuple(networks)
