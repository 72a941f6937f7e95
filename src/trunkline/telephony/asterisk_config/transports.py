"""pjsip.conf: what SIP is sent and taken on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trunkline.settings import TrunkSettings
from trunkline.telephony.asterisk_config.carriers import carrier_of
from trunkline.telephony.asterisk_config.sections import Options, network, socket_address


@dataclass(frozen=True, slots=True)
class Listening:
    """Where SIP arrives, and what the world calls that place."""

    address: str
    """IP address; `0.0.0.0` for all."""
    port: int
    external_address: str | None = None
    """Public address of a machine behind NAT."""
    local_nets: tuple[str, ...] = ()
    """Networks that are not behind that NAT."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of a secure trunk."""

    authorities: Path | None = None
    """What the far end's certificate is checked against."""
    certificate: Path | None = None
    """Shown to whoever connects to us; without it nobody can."""
    key: Path | None = None


def transport_name(trunk: TrunkSettings) -> str:
    """The one the trunk's own requests leave by."""
    return f"trunkline-{trunk.sip_transport}"


def transport_parameter(trunk: TrunkSettings) -> str:
    """What stands behind the address in a SIP URI (RFC 3261 §19.1.1)."""
    return "" if trunk.sip_transport == "udp" else f";transport={trunk.sip_transport}"


def transports(trunk: TrunkSettings, listening: Listening, tls: TlsFiles) -> Sequence[tuple[str, Options]]:
    """TLS alone for a secure trunk; else UDP and TCP, as a carrier may call over either. `tls` is for the former."""
    if trunk.secure:
        return [(transport_name(trunk), [*_transport("tls", listening), *_tls(trunk, tls)])]
    return [(f"trunkline-{protocol}", _transport(protocol, listening)) for protocol in ("udp", "tcp")]


def _transport(protocol: str, listening: Listening) -> Options:
    options: Options = [
        ("type", "transport"),
        ("protocol", protocol),
        ("bind", socket_address(listening.address, listening.port)),
    ]
    if (public := listening.external_address) is not None:
        options = [*options, ("external_media_address", public), ("external_signaling_address", public)]
    return [*options, *(("local_net", network("asterisk.local_nets", net)) for net in listening.local_nets)]


def _tls(trunk: TrunkSettings, files: TlsFiles) -> Options:
    named = {"ca_list_file": files.authorities, "cert_file": files.certificate, "priv_key_file": files.key}
    wildcard: Options = [("allow_wildcard_certs", "yes")] if carrier_of(trunk).wildcard_certificates else []
    return [
        ("method", "tlsv1_2"),
        ("verify_server", "yes"),
        *wildcard,
        *((key, file) for key, file in named.items() if file is not None),
    ]
