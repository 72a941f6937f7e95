"""Whom a REFER names (RFC 3515 §2.1), and whether a trunk puts calls through to them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sipmessage import Address

from trunkline.errors import ProtocolError
from trunkline.sip.message import Incoming, PeerAddress, Transport

TRANSPORTS: Mapping[str, Transport] = {"udp": "udp", "tcp": "tcp", "tls": "tls"}


@dataclass(frozen=True, slots=True)
class Target:
    """Refer-To."""

    number: str
    host: str
    port: int | None
    transport: Transport

    @property
    def on_the_network(self) -> bool:
        """A telephone number behind the carrier, written as at one of its termination hosts (`+1…@pstn.twilio.com`)."""
        return self.host.startswith("pstn.") or ".pstn." in self.host

    @property
    def address(self) -> PeerAddress:
        return self.host, self.port or (5061 if self.transport == "tls" else 5060)

    @property
    def uri(self) -> str:
        user, port = f"{self.number}@" if self.number else "", "" if self.port is None else f":{self.port}"
        return f"sip:{user}{self.host}{port}"


def target_of(refer: Incoming) -> Target:
    """Raises `ProtocolError` where no single SIP address is named."""
    values = refer.request.headers.getlist("Refer-To")
    try:
        if len(values) != 1:
            raise ValueError(f"{len(values)} Refer-To headers")
        uri = Address.parse(values[0]).uri
        transport = TRANSPORTS.get((uri.parameters.get("transport") or "udp").lower())
        if uri.scheme != "sip" or transport is None or not 0 < (uri.port or 5060) < 65536:
            raise ValueError(f"{values[0]} can't be called")
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ProtocolError(f"The REFER names nobody: {error}.") from error
    return Target(uri.user or "", uri.host.lower(), uri.port, transport)


def refusal(mode: str, target: Target) -> tuple[int, str] | None:
    """Status and phrase by the trunk's transfer mode; `None`: it is followed. Both answers: [?]."""
    if mode == "disable-all":
        return 405, "Method Not Allowed"
    if mode == "sip-only" and target.on_the_network:
        return 603, "Decline"
    return None
