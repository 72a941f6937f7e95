"""What stands in the way of the include folder in somebody's configuration, found before anything is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from trunkline.settings import Settings
from trunkline.telephony.existing_config import FoundConfig, FoundSection, read_config, sections_of
from trunkline.telephony.include_files import has_line
from trunkline.telephony.include_folder import FOLDER, NAMES, listening

_PORT = re.compile(r":(\d+)$")
_CUSTOM = {
    "pjsip.conf": ("pjsip_custom.conf", "pjsip.endpoint_custom.conf"),
    "extensions.conf": ("extensions_custom.conf",),
    "ari.conf": ("ari_additional_custom.conf",),
    "manager.conf": ("manager_custom.conf",),
}
"""Files that FreePBX includes and never writes, while it writes the others anew."""
_USUAL_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to be told: a sentence, and what to do about it."""

    message: str
    remedy: str
    fatal: bool = True
    """Whether the installation can't be done."""


@dataclass(frozen=True, slots=True)
class Existing:
    """The configuration in a folder, without what is ours."""

    folder: Path
    files: Mapping[str, FoundConfig]
    """By the names of the include folder's files, and `http.conf`."""

    def place(self, name: str) -> Path:
        """The file our line is in or goes to: the one of that name, or what FreePBX leaves to its owner."""
        usual = self.folder / name
        places = [self.folder / custom for custom in _CUSTOM[name]]
        has_it = [place for place in (usual, *places) if has_line(place, name)]
        included = [place for place in places if place in self.files[name].files]
        return next(iter((*has_it, *included)), usual)

    def transport(self, settings: Settings) -> str | None:
        """The transport that fits the trunk: one on the wanted port, else the first one; `None` when there is none."""
        wanted = settings.trunk.sip_transport
        found = [one for one in self.files["pjsip.conf"].of_type("transport") if _protocol(one) == wanted]
        port = settings.asterisk.sip_port
        at_port = [one.name for one in found if port and _port(one) == port]
        return next(iter([*at_port, *(one.name for one in found)]), None)


def read_existing(folder: Path) -> Existing:
    files = {name: read_config(folder, name, without=folder / FOLDER) for name in (*NAMES, "http.conf")}
    return Existing(folder, files)


def clashes(existing: Existing, files: Mapping[str, str], settings: Settings) -> list[Finding]:
    """Names of ours that are taken, ports, networks; and what the owner has to allow for ARI."""
    found = [finding for name in NAMES for finding in _names(existing, name, files[name])]
    found += _ports(existing, files["pjsip.conf"], settings)
    found += _nat(existing, settings)
    found += _networks(existing, files["pjsip.conf"])
    found += _order(existing)
    found += _doors(existing, settings)
    return found


def _names(existing: Existing, name: str, text: str) -> Iterable[Finding]:
    theirs = {(_kind(section, name), section.name): section for section in existing.files[name].sections}
    for ours in sections_of(text, Path(name)):
        if clash := theirs.get((_kind(ours, name), ours.name)):
            what = _kind(ours, name) or "section"
            yield Finding(
                f"{clash.file.name} has {_article(what)} [{ours.name}] already.",
                f"Rename or remove it: Trunkline's {what} has that name.",
            )


def _kind(section: FoundSection, name: str) -> str:
    """Objects of pjsip.conf share their names with objects of other types; nothing else does."""
    words = {"extensions.conf": "context", "ari.conf": "user", "manager.conf": "user"}
    return words.get(name) or section.get("type") or ""


def _article(what: str) -> str:
    return f"an {what}" if what[0] in "aei" else f"a {what}"


def _ports(existing: Existing, pjsip: str, settings: Settings) -> Iterable[Finding]:
    if not any(section.get("type") == "transport" for section in sections_of(pjsip, Path())):
        return
    port = listening(settings).port
    stream = settings.trunk.sip_transport != "udp"
    for theirs in existing.files["pjsip.conf"].of_type("transport"):
        if _port(theirs) == port and (_protocol(theirs) != "udp") == stream:
            yield Finding(
                f"The transport [{theirs.name}] of {theirs.file.name} has port {port}, which Trunkline's would need.",
                "Set asterisk.sip_port to a free one.",
            )


def _nat(existing: Existing, settings: Settings) -> Iterable[Finding]:
    public = settings.asterisk.external_address
    name = existing.transport(settings)
    theirs = [one for one in existing.files["pjsip.conf"].of_type("transport") if one.name == name]
    for transport in theirs if public else ():
        if transport.get("external_media_address") != public:
            yield Finding(
                f"The transport [{transport.name}] of {transport.file.name} doesn't tell the carrier {public}.",
                f"Set external_media_address and external_signaling_address = {public} there, or nobody is heard.",
                fatal=False,
            )


def _networks(existing: Existing, pjsip: str) -> Iterable[Finding]:
    ours = [net for section in sections_of(pjsip, Path()) for net in _matches(section)]
    for theirs in existing.files["pjsip.conf"].of_type("identify"):
        both = [
            net for net in _matches(theirs) if any(net.version == own.version and _overlap(net, own) for own in ours)
        ]
        if both:
            yield Finding(
                f"The identify [{theirs.name}] of {theirs.file.name} takes calls from {both[0]}, as Trunkline's would.",
                "Remove it there, or leave that network out of trunk.identify.",
            )


def _order(existing: Existing) -> Iterable[Finding]:
    orders = [one.get("endpoint_identifier_order") for one in existing.files["pjsip.conf"].of_type("global")]
    if any(order is not None and "ip" not in order.replace(" ", "").split(",") for order in orders):
        yield Finding(
            "Asterisk knows nobody by address, so calls of the trunk are refused.",
            "Add ip to endpoint_identifier_order in the global section of pjsip.conf.",
            fatal=False,
        )


def _overlap(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    if isinstance(one, IPv4Network):
        return isinstance(other, IPv4Network) and one.overlaps(other)
    return isinstance(other, IPv6Network) and one.overlaps(other)


def _matches(section: FoundSection) -> list[IPv4Network | IPv6Network]:
    """Networks; names of hosts are left out, as asking for them would take the network."""
    if section.get("type") != "identify":
        return []
    found = []
    for text in section.all("match"):
        try:
            found.append(ip_network(text, strict=False))
        except ValueError:
            continue
    return found


def _doors(existing: Existing, settings: Settings) -> Iterable[Finding]:
    if not settings.agi.enabled:
        yield Finding(
            "trunkline serve doesn't listen for AGI, so no agent takes calls of that Asterisk.",
            "Set agi.enabled = true.",
            fatal=False,
        )
    if not _yes(existing.files["http.conf"].get("general", "enabled")):
        yield Finding(
            "Asterisk's HTTP server is off: calls can come and go by the dialplan, but none can be placed over ARI.",
            "In http.conf set enabled = yes and bindaddr = 127.0.0.1.",
            fatal=False,
        )
    elif not _yes(existing.files["ari.conf"].get("general", "enabled"), default=True):
        yield Finding("ARI is off: no calls can be placed over it.", "In ari.conf set enabled = yes.", fatal=False)
    off = [key for key in ("enabled", "webenabled") if not _yes(existing.files["manager.conf"].get("general", key))]
    if off:
        yield Finding(
            "Asterisk's manager interface is off, or not offered over HTTP: on calls placed over ARI, agents can "
            "neither press keys nor transfer.",
            f"In manager.conf set {' and '.join(f'{key} = yes' for key in off)}.",
            fatal=False,
        )


def _yes(value: str | None, *, default: bool = False) -> bool:
    return default if value is None else value.lower() in ("yes", "true", "y", "t", "1", "on")


def _protocol(transport: FoundSection) -> str:
    return (transport.get("protocol") or "udp").lower()


def _port(transport: FoundSection) -> int:
    match = _PORT.search(re.sub(r"\[.*\]", "", transport.get("bind") or ""))
    return int(match[1]) if match else _USUAL_PORTS.get(_protocol(transport), 0)
