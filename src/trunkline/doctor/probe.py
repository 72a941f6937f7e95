"""Asks a carrier over SIP: OPTIONS, and an INVITE to somebody who can't exist. No such call can ever be completed:
the name that is called is no number, whatever rings is cancelled at once, whatever answers is hung up.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sipmessage import Response

from trunkline.errors import NotReady
from trunkline.settings import TrunkSettings
from trunkline.sip import sdes, sdp
from trunkline.sip.caller import Answered, CallerEvent, Identity, Refused, Ringing, SipCaller
from trunkline.sip.endpoint import Side, SipEndpoint
from trunkline.sip.message import PeerAddress, Transport
from trunkline.sip.ping import Ponged, SipPing
from trunkline.sip.wire import reach
from trunkline.telephony.asterisk_config import host_and_port

NOBODY: Final = "trunkline-doctor"
"""No number in E.164, so no carrier has anybody to connect; Twilio looks at it only behind address list and digest."""
ANSWER_SECONDS: Final = 3.0
"""Longest wait for a final answer; carriers take a tenth of that."""
FAREWELL_SECONDS: Final = 1.0
_DISCARD: Final = 9


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of the INVITE."""

    code: int
    """Final status; 180 where something rang, 200 where something answered (both were ended at once)."""
    phrase: str = ""
    error: int | None = None
    """The number in `X-Twilio-Error`."""
    seen_from: str | None = None
    """Our address as the carrier saw it (`received` in Via)."""
    challenged: bool = False
    """A password was asked for before that."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where requests go, and from which of our addresses."""

    peer: PeerAddress
    own: str
    transport: Transport = "udp"
    name: str = ""
    """Of the peer, as its certificate has to say it."""
    authorities: Path | None = None
    """What its certificate is checked against (PEM); `None`: whom this machine trusts."""


async def find_way(trunk: TrunkSettings, authorities: Path | None = None) -> Way:
    """To `trunk.proxy`, else `trunk.host`. Raises `NotReady` where its name has no address or no route leads there."""
    host, port = next_hop(trunk)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise NotReady(
            f"The name {host} has no address ({error.strerror}).",
            remedy="Copy the trunk's termination host to trunk.host to the letter, and check this machine's DNS.",
        ) from error
    peer = (str(found[0][4][0]), port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(peer)  # sends nothing; the kernel picks the way and with it our address
        except OSError as error:
            raise NotReady(f"No way leads to {peer[0]}: {error.strerror}.", remedy="Check the network.") from error
        return Way(peer, str(probe.getsockname()[0]), trunk.sip_transport, host, authorities)


def next_hop(trunk: TrunkSettings) -> tuple[str, int]:
    """Host and port. `trunk.host` is set."""
    host, port = host_and_port(trunk.proxy or trunk.host or "", trunk.sip_port)
    return host.strip("[]"), port


async def ping(trunk: TrunkSettings, way: Way, *, patience: float = ANSWER_SECONDS) -> Ponged | None:
    """`None`: no answer within `patience` seconds."""
    answered: asyncio.Future[Ponged] = asyncio.get_running_loop().create_future()

    def event(event: Ponged) -> None:
        if not answered.done():
            answered.set_result(event)

    host = (trunk.host or "").partition(":")[0]
    async with _endpoint(
        way, lambda own: SipPing(host, own, way.peer, _token, transport=way.transport), event
    ) as endpoint:
        endpoint.act(lambda side, now: side.ask(now))
        await asyncio.wait({answered}, timeout=patience)
        return answered.result() if answered.done() else None


async def invite(
    trunk: TrunkSettings, way: Way, *, with_digest: bool = False, patience: float = ANSWER_SECONDS
) -> Reply | None:
    """`None`: no final answer within `patience` seconds. `with_digest`: a challenge is answered with the password."""
    heard: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def event(event: CallerEvent) -> None:
        if heard.done():
            return
        match event:
            case Ringing():
                heard.set_result(Reply(180, "Ringing"))
            case Answered():
                heard.set_result(Reply(200, "OK"))
            case Refused(code, phrase, message) if message is not None:
                heard.set_result(Reply(code, phrase, _carriers_number(message), _seen_from(message)))

    place = (trunk.host or "").removesuffix(":5060")
    shown = trunk.caller_ids[0] if trunk.caller_ids else NOBODY
    password = trunk.password.get_secret_value() if with_digest and trunk.password else None
    host = place.partition(":")[0]
    who = Identity(f"sip:{NOBODY}@{place}", f"sip:{shown}@{host}", trunk.username or "trunkline", password)
    crypto = sdes.new_crypto() if way.transport == "tls" else None
    offer = sdp.build_offer(way.own, _DISCARD, session=secrets.randbits(31), crypto=crypto)

    def caller(own: PeerAddress) -> SipCaller:
        return SipCaller(who, own, way.peer, offer, _token, transport=way.transport)

    async with _endpoint(way, caller, event) as endpoint:
        endpoint.act(lambda side, now: side.call(now))
        try:
            await asyncio.wait({heard}, timeout=patience)
        finally:
            endpoint.act(lambda side, now: side.hang_up(now))
            await endpoint.quiet(FAREWELL_SECONDS)
        challenged = any(re.match(r"SIP/2.0 40[17] ", line.line) for line in endpoint.agent.trace)
        return replace(heard.result(), challenged=challenged) if heard.done() else None


@asynccontextmanager
async def _endpoint(
    way: Way, make: Callable[[PeerAddress], Side], on_event: Callable[[Any], None]
) -> AsyncIterator[SipEndpoint[Side]]:
    tls = ssl.create_default_context(cafile=way.authorities) if way.transport == "tls" else None
    wire = await reach(way.transport, way.own, way.peer, tls=tls, server_name=way.name)
    endpoint = SipEndpoint(make(wire.address), [wire], on_event)
    try:
        yield endpoint
    finally:
        endpoint.close()


def _token() -> str:
    return secrets.token_hex(8)


def _carriers_number(message: Response) -> int | None:
    match = re.match(r"\s*(\d+)", message.headers.get("X-Twilio-Error") or "")
    return int(match[1]) if match else None


def _seen_from(message: Response) -> str | None:
    return message.via[0].parameters.get("received")
