"""All files of a private Asterisk."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from trunkline.errors import SettingsError
from trunkline.settings import TrunkSettings
from trunkline.telephony.asterisk_config import dialplan, pjsip
from trunkline.telephony.asterisk_config.sections import HEAD, sections, written
from trunkline.telephony.asterisk_config.transports import Listening, TlsFiles, transports
from trunkline.telephony.asterisk_modules import MODULES

ARI_USER: Final = "trunkline"

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
    tls: TlsFiles = field(default_factory=TlsFiles)
    sip_hosts: tuple[str, ...] = ()
    """Hosts of the SIP addresses that people may be put through to."""
    modules: tuple[str, ...] = MODULES
    """Names without `.so`."""


def render(instance: AsteriskInstance) -> dict[str, str]:
    """Every configuration file of the instance by name. Raises `SettingsError` when a value can't be written safely."""
    return {
        "asterisk.conf": _asterisk(instance),
        "modules.conf": _modules(instance),
        "logger.conf": sections(
            ("general", [("dateformat", "%F %T.%3q"), ("queue_log", "no"), ("rotatestrategy", "rotate")]),
            ("logfiles", [("messages.log", "notice,warning,error"), ("console", "warning,error")], "=>"),
        ),
        "pjsip.conf": _pjsip(instance),
        "rtp.conf": sections(
            ("general", [("rtpstart", instance.rtp_ports[0]), ("rtpend", instance.rtp_ports[1]), ("icesupport", "no")])
        ),
        "http.conf": _http(instance),
        "ari.conf": _ari(instance),
        "extensions.conf": (
            f"{HEAD}\n[general]\nstatic = yes\nwriteprotect = yes\n\n{dialplan.contexts(instance.audiosocket)}"
        ),
        # Call records and event logs are Trunkline's own; these would cost time on every call.
        "cdr.conf": sections(("general", [("enable", "no")])),
        "cel.conf": sections(("general", [("enable", "no")])),
        "manager.conf": _manager(instance),
        "indications.conf": sections(
            ("general", [("country", "us")]),
            ("us", [("ringcadence", "2000,4000"), ("description", "United States"), ("ring", "440+480/2000,0/4000")]),
        ),
        **dict.fromkeys(_DEFAULTS, sections()),
    }


def _asterisk(instance: AsteriskInstance) -> str:
    folder = instance.folder
    return sections(
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
    loads = "".join(f"load = {written(module)}.so\n" for module in instance.modules)
    return f"{HEAD}\n[modules]\nautoload = no\n{loads}"


def _pjsip(instance: AsteriskInstance) -> str:
    listening = Listening(instance.sip_address, instance.sip_port, instance.external_address, instance.local_nets)
    return sections(
        ("global", [("type", "global"), ("user_agent", "Trunkline"), ("endpoint_identifier_order", "ip")]),
        *transports(instance.trunk, listening, instance.tls),
        *pjsip.access_list(instance.trunk, instance.sip_hosts),
        *pjsip.trunk_sections(instance.trunk, instance.sip_address),
        *(pjsip.sip_address_sections(instance.trunk, instance.sip_address) if instance.sip_hosts else ()),
    )


def _http(instance: AsteriskInstance) -> str:
    if not ip_address(instance.http_address).is_loopback:
        raise SettingsError("ARI must listen on a loopback address.", remedy="This is a fault of Trunkline: report it.")
    return sections(
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
    return sections(
        ("general", [("enabled", "yes"), ("pretty", "no"), ("websocket_write_timeout", 2000)]),
        (ARI_USER, [("type", "user"), ("read_only", "no"), ("password", instance.ari_password)]),
    )


def _manager(instance: AsteriskInstance) -> str:
    """For what ARI can't do to a channel in the dialplan: keys, and where it goes on. Asked over ARI's HTTP server."""
    return sections(
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
