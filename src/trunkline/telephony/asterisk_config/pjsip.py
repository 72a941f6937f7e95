"""pjsip.conf: the trunk."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

from trunkline.settings import TrunkSettings
from trunkline.telephony.asterisk_config.carriers import Carrier, as_sent, carrier_of, literal_addresses
from trunkline.telephony.asterisk_config.dialplan import ARRIVAL_CONTEXT, GONE_CONTEXT
from trunkline.telephony.asterisk_config.sections import Options, host_and_port
from trunkline.telephony.asterisk_config.transports import transport_name, transport_parameter

TRUNK_ENDPOINT: Final = "trunkline-trunk"
"""Its name clashes with nothing in an Asterisk of somebody's own."""
SIP_ENDPOINT: Final = "trunkline-sip"
"""For SIP addresses that people are put through to. Nobody is let in by it."""
RTP_SILENCE_SECONDS: Final = 60
"""A far end that sends no RTP for this long is taken for gone: its BYE was lost."""
REGISTRATION_SECONDS: Final = 600
"""How long a registration holds; Asterisk renews it before."""
RETRY_SECONDS: Final = 30
"""Between two attempts to register where the carrier gave no answer."""
REFUSED_RETRY_SECONDS: Final = 300
"""The same where it refused: a password may be corrected there, and asking more often would get us locked out."""


def dial_string(trunk: TrunkSettings, number: str) -> str:
    """The endpoint to originate to. `number` is E.164, checked by the caller; `trunk.host` is set.

    The address stands here although the aor has it too: given only the aor, Asterisk would refuse to call while the
    carrier leaves an OPTIONS unanswered, for up to `qualify_seconds` after it is back.
    """
    return f"PJSIP/{TRUNK_ENDPOINT}/{_address(trunk, as_sent(trunk, number))}"


def trunk_sections(trunk: TrunkSettings, media_address: str) -> Sequence[tuple[str, Options]]:
    """Endpoint, aor, auth, identify and registration of the trunk; none without `trunk.host`.

    `media_address` is the IP address of RTP, `0.0.0.0` for all. Raises `SettingsError`.
    """
    if trunk.host is None:
        return []
    carrier = carrier_of(trunk)
    # The endpoint's proxy carries INVITE, the aor's OPTIONS, the registration's REGISTER.
    proxy = _proxy(trunk)
    auth: Options = [("outbound_auth", TRUNK_ENDPOINT)] if trunk.username is not None else []
    aor: Options = [("type", "aor"), ("contact", _address(trunk)), ("qualify_frequency", carrier.qualify_seconds)]
    found = [
        (TRUNK_ENDPOINT, [*_endpoint(trunk, carrier, media_address), *auth, *proxy]),
        (TRUNK_ENDPOINT, [*aor, *proxy]),
    ]
    if trunk.username is not None and trunk.password is not None:
        credentials: Options = [("username", trunk.username), ("password", trunk.password.get_secret_value())]
        found.append((TRUNK_ENDPOINT, [("type", "auth"), ("auth_type", "userpass"), *credentials]))
    if carrier.identify:
        matches: Options = [("match", net) for net in carrier.identify]
        found.append((TRUNK_ENDPOINT, [("type", "identify"), ("endpoint", TRUNK_ENDPOINT), *matches]))
    if carrier.registers and trunk.username is not None:
        found.append((TRUNK_ENDPOINT, [*_registration(trunk, trunk.username), *proxy]))
    return found


def sip_address_sections(trunk: TrunkSettings, media_address: str) -> Sequence[tuple[str, Options]]:
    """The endpoint for SIP addresses, which calls go out by and none comes in. `media_address` as for the trunk's."""
    options: Options = [("type", "endpoint"), ("context", GONE_CONTEXT), ("identify_by", "ip"), *_media(trunk)]
    return [(SIP_ENDPOINT, [*options, *_media_address(media_address)])]


def access_list(trunk: TrunkSettings, others: Sequence[str] = ()) -> Sequence[tuple[str, Options]]:
    """Refuses requests from anywhere but the carrier's networks, before anybody looks at them; none where those aren't
    known. It holds for a whole Asterisk: not for one that others use as well.

    `others`: hosts we call directly; where one of them is a name, anybody may ask, and is still known to no endpoint.
    """
    networks = carrier_of(trunk).identify
    if trunk.host is None or not networks or not all(map(_literal, others)):
        return []
    # Wherever calls are sent, their end is told from there.
    networks = tuple(dict.fromkeys((*networks, *literal_addresses(trunk), *others)))
    everybody: Options = [("deny", "0.0.0.0/0"), ("deny", "::/0")]
    return [("trunkline-carrier", [("type", "acl"), *everybody, *(("permit", net) for net in networks)])]


def _endpoint(trunk: TrunkSettings, carrier: Carrier, media_address: str) -> Options:
    options: Options = [
        ("type", "endpoint"),
        # Without a named transport Asterisk may answer from another one.
        ("transport", transport_name(trunk)),
        ("context", ARRIVAL_CONTEXT),
        ("aors", TRUNK_ENDPOINT),
        ("identify_by", "ip"),
        ("from_domain", _host_and_port(trunk)[0]),
        *_media(trunk),
        ("timers", "yes" if carrier.session_timers else "no"),
    ]
    if trunk.secure:
        options = [*options, ("media_encryption", "sdes")]
    if carrier.caller_id_header == "p-asserted-identity":
        options = [*options, ("send_pai", "yes")]
        # A name in From would stand where the number of the call belongs.
        options = [*options, ("from_user", trunk.username)] if trunk.username is not None else options
    return [*options, *_media_address(media_address)]


def _media(trunk: TrunkSettings) -> Options:
    """How audio and keys go, and that nobody but us decides where to."""
    return [
        ("disallow", "all"),
        ("allow", ",".join(trunk.codecs)),
        ("dtmf_mode", "rfc4733"),
        ("direct_media", "no"),
        ("rtp_symmetric", "yes"),
        ("force_rport", "yes"),
        ("rtp_timeout", RTP_SILENCE_SECONDS),
        ("allow_transfer", "no"),
    ]


def _media_address(address: str) -> Options:
    if ip_address(address).is_unspecified:
        return []
    return [("media_address", address), ("bind_rtp_to_media_address", "yes")]


def _literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _registration(trunk: TrunkSettings, username: str) -> Options:
    return [
        ("type", "registration"),
        ("transport", transport_name(trunk)),
        ("outbound_auth", TRUNK_ENDPOINT),
        ("server_uri", _address(trunk)),
        ("client_uri", f"sip:{username}@{_host_and_port(trunk)[0]}"),
        ("contact_user", username),
        # Calls come back with a token of ours, so the carrier is known whatever address it calls from.
        ("line", "yes"),
        ("endpoint", TRUNK_ENDPOINT),
        ("expiration", REGISTRATION_SECONDS),
        ("retry_interval", RETRY_SECONDS),
        ("forbidden_retry_interval", REFUSED_RETRY_SECONDS),
        ("fatal_retry_interval", REFUSED_RETRY_SECONDS),
        ("auth_rejection_permanent", "no"),
        ("max_retries", 1_000_000),
    ]


def _address(trunk: TrunkSettings, user: str | None = None) -> str:
    host, port = _host_and_port(trunk)
    return f"sip:{'' if user is None else f'{user}@'}{host}:{port}{transport_parameter(trunk)}"


def _host_and_port(trunk: TrunkSettings) -> tuple[str, int]:
    return host_and_port(trunk.host or "", trunk.sip_port)


def _proxy(trunk: TrunkSettings) -> Options:
    if trunk.proxy is None:
        return []
    host, port = host_and_port(trunk.proxy, trunk.sip_port)
    return [("outbound_proxy", f"sip:{host}:{port}{transport_parameter(trunk)};lr")]
