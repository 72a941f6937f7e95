"""Settings to the text of Asterisk's configuration files. Pure: no file, clock or network is touched.

The instance that comes out can place calls on one trunk and hand their audio to our AudioSocket server; nothing can be
reached from outside: the only identified endpoint is the trunk, and its context holds no extension.
Meaning of every option: Asterisk's own documentation of the file it stands in (asterisk.conf, pjsip.conf …).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final

from trunkline.errors import SettingsError
from trunkline.settings import TrunkSettings
from trunkline.telephony.asterisk_modules import MODULES

ARI_USER: Final = "trunkline"
ARI_APP: Final = "trunkline"
TRUNK_ENDPOINT: Final = "trunk"
CALL_CONTEXT: Final = "trunkline-call"
CALL_EXTENSION: Final = "media"
NEXT_VARIABLE: Final = "TRUNKLINE_NEXT"
"""Channel variable with the endpoint a call is put through to when our media closes; `…_SECONDS`: how long it rings."""
GONE_CONTEXT: Final = "trunkline-gone"
GONE_EVENT: Final = "TrunklineFarEndGone"

RTP_SILENCE_SECONDS: Final = 60
"""A far end that sends no RTP for this long is taken for gone: its BYE was lost."""

_DEFAULTS: Final = (
    "acl.conf",
    "ccss.conf",
    "features.conf",
    "pjproject.conf",
    "stasis.conf",
    "udptl.conf",
    "websocket_client.conf",
)
"""Files Asterisk's core complains about when they are missing, though their defaults are what we want."""

_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-]+)(?::(?P<port>\d{1,5}))?")
# A line end starts another setting, a backslash escapes what follows.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")


@dataclass(frozen=True, slots=True)
class AsteriskInstance:
    """One private Asterisk: where it lives, what it listens on, whom it calls."""

    folder: Path
    """Holds `etc`, `lib`, `spool`, `log`."""
    run_dir: Path
    """Holds the control socket; its path must stay short (sun_path has 108 bytes)."""
    modules_dir: Path
    data_dir: Path
    """Asterisk's `astdatadir`: documentation, rest-api."""
    sip_address: str
    """IP address of SIP and RTP; `0.0.0.0` for all."""
    sip_port: int
    http_address: str
    """Loopback address of ARI."""
    http_port: int
    audiosocket: str
    """`host:port` of our AudioSocket server."""
    trunk: TrunkSettings
    ari_password: str = field(repr=False)
    manager_port: int = 5038
    """Of Asterisk's manager interface, at `http_address`. We use it by HTTP only, but it opens the port as well."""
    rtp_ports: tuple[int, int] = (10000, 20000)
    external_address: str | None = None
    local_nets: tuple[str, ...] = ()
    modules: tuple[str, ...] = MODULES
    """Names without `.so`."""


def render(instance: AsteriskInstance) -> dict[str, str]:
    """Every configuration file of the instance by name. Raises `SettingsError` when a value can't be written safely."""
    return {
        "asterisk.conf": _asterisk(instance),
        "modules.conf": _modules(instance),
        "logger.conf": _sections(
            ("general", [("dateformat", "%F %T.%3q"), ("queue_log", "no"), ("rotatestrategy", "rotate")]),
            ("logfiles", [("messages.log", "notice,warning,error"), ("console", "warning,error")], "=>"),
        ),
        "pjsip.conf": _pjsip(instance),
        "rtp.conf": _sections(
            ("general", [("rtpstart", instance.rtp_ports[0]), ("rtpend", instance.rtp_ports[1]), ("icesupport", "no")])
        ),
        "http.conf": _http(instance),
        "ari.conf": _ari(instance),
        "extensions.conf": _extensions(instance),
        # Call records and event logs are Trunkline's own; these would cost time on every call.
        "cdr.conf": _sections(("general", [("enable", "no")])),
        "cel.conf": _sections(("general", [("enable", "no")])),
        "manager.conf": _manager(instance),
        "indications.conf": _sections(
            ("general", [("country", "us")]),
            ("us", [("ringcadence", "2000,4000"), ("description", "United States"), ("ring", "440+480/2000,0/4000")]),
        ),
        **dict.fromkeys(_DEFAULTS, _sections()),
    }


def dial_string(trunk: TrunkSettings, number: str) -> str:
    """The endpoint to originate to. `number` is E.164, checked by the caller; `trunk.host` is set.

    The address stands here although the aor has it too: given only the aor, Asterisk would refuse to call while the
    carrier leaves an OPTIONS unanswered, for up to `qualify_seconds` after it is back.
    """
    host, port = host_and_port(trunk.host or "", trunk.port)
    return f"PJSIP/{TRUNK_ENDPOINT}/sip:{number}@{host}:{port}{_transport_parameter(trunk)}"


def _transport_parameter(trunk: TrunkSettings) -> str:
    return "" if trunk.transport == "udp" else f";transport={trunk.transport}"


def host_and_port(text: str, default_port: int) -> tuple[str, int]:
    """Splits `host[:port]` (an IPv6 address in brackets). Raises `SettingsError`."""
    match = _HOST.fullmatch(text)
    port = int(match["port"]) if match and match["port"] else default_port
    if match is None or not 0 < port < 65536:
        raise SettingsError(
            f"{text!r} is not host or host:port.", remedy="Write it as example.com or example.com:5060."
        )
    return match["host"], port


def _written(value: object) -> str:
    """The value as Asterisk reads it back; refuses whatever could become another setting."""
    text = str(value)
    if _FORBIDDEN.search(text) or text != text.strip() or not text:
        raise SettingsError(
            "A value for Asterisk's configuration is empty or holds a line end, a backslash or outer blanks.",
            remedy="Correct the [asterisk] and [trunk] settings.",
        )
    return text.replace(";", "\\;")  # a bare semicolon starts a comment


Options = Sequence[tuple[str, object]]


def _sections(*sections: tuple[str, Options] | tuple[str, Options, str]) -> str:
    lines = ["; Written by Trunkline at every start: changes are lost."]
    for name, options, *arrow in sections:
        lines += ["", f"[{name}]", *(f"{key} {arrow[0] if arrow else '='} {_written(value)}" for key, value in options)]
    return "\n".join(lines) + "\n"


def _socket_address(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ip_address(address).version == 6 else f"{address}:{port}"


def _asterisk(instance: AsteriskInstance) -> str:
    folder = instance.folder
    return _sections(
        (
            "directories",
            [
                ("astetcdir", folder / "etc"),
                ("astmoddir", instance.modules_dir),
                ("astvarlibdir", folder / "lib"),
                ("astdbdir", folder / "lib"),
                ("astkeydir", folder / "lib"),
                ("astdatadir", instance.data_dir),
                ("astagidir", folder / "lib"),
                ("astspooldir", folder / "spool"),
                ("astrundir", instance.run_dir),
                ("astlogdir", folder / "log"),
            ],
            "=>",
        ),
        # transmit_silence: RTP flows while nobody speaks, so that NAT and the carrier keep the path open.
        ("options", [("transmit_silence", "yes"), ("hideconnect", "yes"), ("live_dangerously", "no")]),
    )


def _modules(instance: AsteriskInstance) -> str:
    head = "; Written by Trunkline at every start: changes are lost.\n\n[modules]\nautoload = no\n"
    return head + "".join(f"load = {_written(module)}.so\n" for module in instance.modules)


def _http(instance: AsteriskInstance) -> str:
    if not ip_address(instance.http_address).is_loopback:
        raise SettingsError("ARI must listen on a loopback address.", remedy="This is a fault of Trunkline: report it.")
    return _sections(
        (
            "general",
            [
                ("enabled", "yes"),
                ("bindaddr", instance.http_address),
                ("bindport", instance.http_port),
                ("enablestatic", "no"),
                ("enable_status", "no"),
                # Our one connection stays open between calls, so that dialling costs no handshake (milliseconds).
                ("session_keep_alive", 3_600_000),
            ],
        )
    )


def _ari(instance: AsteriskInstance) -> str:
    return _sections(
        ("general", [("enabled", "yes"), ("pretty", "no"), ("websocket_write_timeout", 2000)]),
        (ARI_USER, [("type", "user"), ("read_only", "no"), ("password", instance.ari_password)]),
    )


def _manager(instance: AsteriskInstance) -> str:
    """For what ARI can't do to a channel in the dialplan: keys, and where it goes on. Asked over ARI's HTTP server."""
    return _sections(
        (
            "general",
            [
                ("enabled", "yes"),
                ("webenabled", "yes"),
                ("bindaddr", instance.http_address),
                ("port", instance.manager_port),
                ("displayconnects", "no"),
            ],
        ),
        (ARI_USER, [("secret", instance.ari_password), ("write", "call"), ("read", "call")]),
    )


def _extensions(instance: AsteriskInstance) -> str:
    host, port = host_and_port(instance.audiosocket, 0)
    return (
        "; Written by Trunkline at every start: changes are lost.\n\n"
        "[general]\nstatic = yes\nwriteprotect = yes\n\n"
        "; An answered call: its channel's id is the call's id, by which our AudioSocket server knows it.\n"
        f"[{CALL_CONTEXT}]\n"
        f"exten = {CALL_EXTENSION},1,AudioSocket(${{UNIQUEID}},{host}:{port})\n"
        f' same = n,GotoIf($["${{{NEXT_VARIABLE}}}" = ""]?over)\n'
        f" same = n,Dial(${{{NEXT_VARIABLE}}},${{{NEXT_VARIABLE}_SECONDS}},rg)\n"
        " same = n(over),Hangup(16)\n\n"
        "; Runs at the end of every call: ARI itself never tells the reason phrase of the carrier's answer.\n"
        "; It is the carrier's text, so it is encoded: a comma would otherwise become another argument.\n"
        f"[{GONE_CONTEXT}]\n"
        f"exten = s,1,UserEvent({GONE_EVENT},tech: ${{URIENCODE(${{HANGUPCAUSE(${{CHANNEL(name)}},tech)}})}},"
        "transfer: ${DIALSTATUS})\n"
        " same = n,Return()\n"
    )


def _pjsip(instance: AsteriskInstance) -> str:
    sections: list[tuple[str, Options]] = [
        ("global", [("type", "global"), ("user_agent", "Trunkline"), ("endpoint_identifier_order", "ip")]),
        ("sip", _transport(instance)),
    ]
    if instance.trunk.host is not None:
        sections += _trunk(instance, instance.trunk.host)
    return _sections(*sections)


def _transport(instance: AsteriskInstance) -> Options:
    options: Options = [
        ("type", "transport"),
        ("protocol", instance.trunk.transport),
        ("bind", _socket_address(instance.sip_address, instance.sip_port)),
    ]
    if instance.external_address is not None:
        public = instance.external_address
        options = [*options, ("external_media_address", public), ("external_signaling_address", public)]
    return [*options, *(("local_net", _network("asterisk.local_nets", net)) for net in instance.local_nets)]


def _trunk(instance: AsteriskInstance, termination: str) -> Sequence[tuple[str, Options]]:
    """Endpoint, aor, auth and identify of the trunk."""
    trunk = instance.trunk
    host, port = host_and_port(termination, trunk.port)
    transport = _transport_parameter(trunk)
    proxy: Options = []
    if trunk.proxy is not None:
        proxy_host, proxy_port = host_and_port(trunk.proxy, trunk.port)
        proxy = [("outbound_proxy", f"sip:{proxy_host}:{proxy_port}{transport};lr")]
    auth: Options = [("outbound_auth", TRUNK_ENDPOINT)] if trunk.username is not None else []
    # The endpoint's proxy carries INVITE, the aor's carries OPTIONS.
    sections = [
        (TRUNK_ENDPOINT, [*_endpoint(instance, host), *auth, *proxy]),
        (
            TRUNK_ENDPOINT,
            [
                ("type", "aor"),
                ("contact", f"sip:{host}:{port}{transport}"),
                ("qualify_frequency", trunk.qualify_seconds),
                *proxy,
            ],
        ),
    ]
    if trunk.username is not None and trunk.password is not None:
        credentials: Options = [("username", trunk.username), ("password", trunk.password.get_secret_value())]
        sections.append((TRUNK_ENDPOINT, [("type", "auth"), ("auth_type", "userpass"), *credentials]))
    if trunk.identify:
        matches: Options = [("match", _network("trunk.identify", net)) for net in trunk.identify]
        sections.append((TRUNK_ENDPOINT, [("type", "identify"), ("endpoint", TRUNK_ENDPOINT), *matches]))
    return sections


def _endpoint(instance: AsteriskInstance, termination_host: str) -> Options:
    options: Options = [
        ("type", "endpoint"),
        # Without a named transport Asterisk may answer from another one.
        ("transport", "sip"),
        # Holds no extension: whoever is taken for the trunk reaches nothing.
        ("context", "trunkline-nothing"),
        ("aors", TRUNK_ENDPOINT),
        ("identify_by", "ip"),
        ("from_domain", termination_host),
        ("disallow", "all"),
        ("allow", ",".join(instance.trunk.codecs)),
        ("dtmf_mode", "rfc4733"),
        ("direct_media", "no"),
        ("rtp_symmetric", "yes"),
        ("force_rport", "yes"),
        ("rtp_timeout", RTP_SILENCE_SECONDS),
        # Carriers of this kind support no session timers and transfer only where that was bought.
        ("timers", "no"),
        ("allow_transfer", "no"),
    ]
    if not ip_address(instance.sip_address).is_unspecified:
        options = [*options, ("media_address", instance.sip_address), ("bind_rtp_to_media_address", "yes")]
    return options


def _network(key: str, text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError as error:
        raise SettingsError(f"{key}: {text!r} is not a network.", remedy="Write it as 10.0.0.0/8.") from error
