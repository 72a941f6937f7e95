"""Checks of ports and addresses: what has to be free, and what a machine behind NAT has to say of itself."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final

from trunkline.doctor.check import Verdict, skipped, well, wrong
from trunkline.doctor.probe import Way, find_way
from trunkline.errors import NotReady
from trunkline.settings import AsteriskSettings, Settings
from trunkline.telephony.pbx_home import read_state

LIMIT: Final = 10.0
PORTS_PER_CALL: Final = 2
"""RTP and RTCP."""


@dataclass(frozen=True, slots=True)
class Ports:
    settings: Settings
    name: str = "ports"
    limit: float = LIMIT

    async def run(self) -> Verdict:
        return await asyncio.to_thread(self._look)

    def _look(self) -> Verdict:
        service, asterisk = self.settings.service, self.settings.asterisk
        room = (asterisk.rtp_port_last - asterisk.rtp_port_first + 1) // PORTS_PER_CALL
        if room < service.max_calls:
            return wrong(
                f"The RTP ports {asterisk.rtp_port_first}–{asterisk.rtp_port_last} are enough for {room} calls, and "
                f"service.max_calls is {service.max_calls}.",
                "Set asterisk.rtp_port_last higher, or service.max_calls lower.",
            )
        if (state := read_state(service.data_dir / "pbx")) is not None:
            return well(f"Asterisk is running already, SIP at {state.sip}")
        if service.port and (trouble := trouble_at(service.host, service.port, socket.SOCK_STREAM)):
            return wrong(
                f"The service can't listen on {service.host}:{service.port}: {trouble}.",
                "Stop what else uses the port, or set service.host and service.port (0 takes a free one).",
            )
        own = asterisk.address or "0.0.0.0"
        plain = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
        for kind in (socket.SOCK_STREAM,) if self.settings.trunk.secure else plain:
            if trouble := trouble_at(own, asterisk.sip_port, kind):
                return wrong(
                    f"Asterisk can't listen on {own}:{asterisk.sip_port}: {trouble}.",
                    "Stop what else uses the port, or set asterisk.sip_port to another one, or 0; asterisk.address has "
                    "to be an address of this machine.",
                )
        return well(f"free: HTTP {service.port or 'any'}, SIP {asterisk.sip_port or 'any'}; RTP for {room} calls")


@dataclass(frozen=True, slots=True)
class Nat:
    settings: Settings
    name: str = "NAT"
    limit: float = LIMIT

    async def run(self) -> Verdict:
        if self.settings.trunk.host is None:
            return skipped("no trunk is configured (trunk.host)")
        try:
            way = await find_way(self.settings.trunk)
        except NotReady:
            return skipped("it depends on the trunk's address; see DNS")
        return judge_addresses(self.settings.asterisk, way)


def judge_addresses(asterisk: AsteriskSettings, way: Way) -> Verdict:
    """Whether the addresses of the settings can work on this way to the trunk."""
    for fault in _faults(asterisk, way):
        return fault
    if asterisk.external_address is not None:
        return well(
            f"the trunk is told {asterisk.external_address}; {', '.join(asterisk.local_nets)} are not behind NAT"
        )
    return well(f"none: the trunk reaches us at {asterisk.address or way.own}")


def _faults(asterisk: AsteriskSettings, way: Way) -> Iterator[Verdict]:
    own, peer = ip_address(way.own), ip_address(way.peer[0])
    for net in asterisk.local_nets:
        try:
            ip_network(net, strict=False)
        except ValueError:
            yield wrong(f"asterisk.local_nets: {net!r} is no network.", "Write it as 10.0.0.0/8.")
            return
    nets = [ip_network(net, strict=False) for net in asterisk.local_nets]
    if (asterisk.address or "").startswith(("127.", "::1")) and not peer.is_loopback:
        yield wrong(
            f"asterisk.address is {asterisk.address}, which the trunk can't reach.",
            "Leave asterisk.address empty, or name an address of this machine's network.",
        )
    if asterisk.external_address is None:
        if own.is_private and not own.is_loopback and not peer.is_private:
            yield wrong(
                f"This machine's address is private ({way.own}) and the trunk is elsewhere: it would send "
                "the person's voice to where it can't arrive.",
                "Set asterisk.external_address to the public address, and asterisk.local_nets to this network.",
            )
        return
    try:
        public = ip_address(asterisk.external_address)
    except ValueError:
        yield wrong(
            f"asterisk.external_address is {asterisk.external_address!r}, which is no IP address.",
            "Set it to the public IP address of this network.",
        )
        return
    if not public.is_global and not peer.is_private:
        yield wrong(
            f"asterisk.external_address is {public}, which no carrier can reach.",
            "Set it to the public address of this network.",
        )
    if not any(own in net for net in nets):
        yield wrong(
            f"asterisk.external_address is set, but asterisk.local_nets does not hold this machine's network ({own}).",
            "Set asterisk.local_nets to it, as 192.168.0.0/16: the others are told the public address.",
        )
    if any(peer in net for net in nets):
        yield wrong(
            f"The trunk's address {peer} lies in asterisk.local_nets, so it would be told the private address.",
            "Take that network out of asterisk.local_nets.",
        )


def trouble_at(host: str, port: int, kind: int) -> str:
    """Why nobody can listen there; empty: one can. Port 0 is any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""
