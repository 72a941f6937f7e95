"""pjsip.conf: the transport and the trunk."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

from trunkline.settings import TrunkSettings
from trunkline.telephony.asterisk_config.sections import Options, host_and_port, network, socket_address

TRUNK_ENDPOINT: Final = "trunk"
TRANSPORT: Final = "sip"
NOWHERE: Final = "trunkline-nothing"
"""A context that holds no extension: whoever is taken for the trunk reaches nothing."""
RTP_SILENCE_SECONDS: Final = 60
"""A far end that sends no RTP for this long is taken for gone: its BYE was lost."""


def dial_string(trunk: TrunkSettings, number: str) -> str:
    """The endpoint to originate to. `number` is E.164, checked by the caller; `trunk.host` is set.

    The address stands here although the aor has it too: given only the aor, Asterisk would refuse to call while the
    carrier leaves an OPTIONS unanswered, for up to `qualify_seconds` after it is back.
    """
    host, port = host_and_port(trunk.host or "", trunk.port)
    return f"PJSIP/{TRUNK_ENDPOINT}/sip:{number}@{host}:{port}{_transport_parameter(trunk)}"


def transport(
    trunk: TrunkSettings, address: str, port: int, *, external_address: str | None, local_nets: Sequence[str]
) -> tuple[str, Options]:
    """What SIP is sent and taken on. `address` is an IP address, `0.0.0.0` for all."""
    options: Options = [
        ("type", "transport"),
        ("protocol", trunk.transport),
        ("bind", socket_address(address, port)),
    ]
    if external_address is not None:
        public = external_address
        options = [*options, ("external_media_address", public), ("external_signaling_address", public)]
    return TRANSPORT, [*options, *(("local_net", network("asterisk.local_nets", net)) for net in local_nets)]


def trunk_sections(trunk: TrunkSettings, media_address: str) -> Sequence[tuple[str, Options]]:
    """Endpoint, aor, auth and identify of the trunk; none without `trunk.host`.

    `media_address` is the IP address of RTP, `0.0.0.0` for all.
    """
    if trunk.host is None:
        return []
    host, port = host_and_port(trunk.host, trunk.port)
    parameter = _transport_parameter(trunk)
    proxy: Options = []
    if trunk.proxy is not None:
        proxy_host, proxy_port = host_and_port(trunk.proxy, trunk.port)
        proxy = [("outbound_proxy", f"sip:{proxy_host}:{proxy_port}{parameter};lr")]
    auth: Options = [("outbound_auth", TRUNK_ENDPOINT)] if trunk.username is not None else []
    # The endpoint's proxy carries INVITE, the aor's carries OPTIONS.
    found = [
        (TRUNK_ENDPOINT, [*_endpoint(trunk, host, media_address), *auth, *proxy]),
        (
            TRUNK_ENDPOINT,
            [
                ("type", "aor"),
                ("contact", f"sip:{host}:{port}{parameter}"),
                ("qualify_frequency", trunk.qualify_seconds),
                *proxy,
            ],
        ),
    ]
    if trunk.username is not None and trunk.password is not None:
        credentials: Options = [("username", trunk.username), ("password", trunk.password.get_secret_value())]
        found.append((TRUNK_ENDPOINT, [("type", "auth"), ("auth_type", "userpass"), *credentials]))
    if trunk.identify:
        matches: Options = [("match", network("trunk.identify", net)) for net in trunk.identify]
        found.append((TRUNK_ENDPOINT, [("type", "identify"), ("endpoint", TRUNK_ENDPOINT), *matches]))
    return found


def _endpoint(trunk: TrunkSettings, termination_host: str, media_address: str) -> Options:
    options: Options = [
        ("type", "endpoint"),
        # Without a named transport Asterisk may answer from another one.
        ("transport", TRANSPORT),
        ("context", NOWHERE),
        ("aors", TRUNK_ENDPOINT),
        ("identify_by", "ip"),
        ("from_domain", termination_host),
        ("disallow", "all"),
        ("allow", ",".join(trunk.codecs)),
        ("dtmf_mode", "rfc4733"),
        ("direct_media", "no"),
        ("rtp_symmetric", "yes"),
        ("force_rport", "yes"),
        ("rtp_timeout", RTP_SILENCE_SECONDS),
        # Carriers of this kind support no session timers and transfer only where that was bought.
        ("timers", "no"),
        ("allow_transfer", "no"),
    ]
    if not ip_address(media_address).is_unspecified:
        options = [*options, ("media_address", media_address), ("bind_rtp_to_media_address", "yes")]
    return options


def _transport_parameter(trunk: TrunkSettings) -> str:
    return "" if trunk.transport == "udp" else f";transport={trunk.transport}"
