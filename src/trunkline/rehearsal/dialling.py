"""People who call: over SIP, to any phone system, with a name and a password where it wants them."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from trunkline.errors import NotReady, SettingsError
from trunkline.rehearsal.assessment import sip_lines
from trunkline.rehearsal.attempt import Attempt
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.frame_clock import FrameClock
from trunkline.rehearsal.measurement import magnitude_of
from trunkline.rehearsal.media_line import MediaLine
from trunkline.rehearsal.progress import CallOver, PhoneAnswered, PhoneRang, Progress
from trunkline.rehearsal.report import CallReport
from trunkline.rehearsal.srtp import Srtp
from trunkline.rehearsal.talk import Exchange, Person, Signalling, Talk
from trunkline.sip import sdes, sdp
from trunkline.sip.caller import Answered, CallerEvent, HungUp, Identity, Moved, Refused, SipCaller
from trunkline.sip.endpoint import SipEndpoint
from trunkline.sip.message import PeerAddress, Transport
from trunkline.sip.sdes import Crypto
from trunkline.sip.wire import reach

RING_SECONDS = 60.0
"""After that the person gives up."""
FAREWELL_SECONDS = 1.0
OUTCOMES = {486: "busy", 600: "busy", 408: "no-answer", 480: "no-answer", 487: "no-answer", 603: "declined"}
"""SIP status → outcome; other refusals of the 4xx and 6xx kind are `declined`."""
DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
NOWHERE = sdp.AudioOffer("127.0.0.1", 9, ("ulaw",), None)
"""Where audio goes until the answer says where: the discard port."""
_ADDRESS = re.compile(
    r"(?:sip:)?(?P<number>[^@:\s;<>]+)@(?P<host>[A-Za-z0-9.-]+)(?::(?P<port>\d{1,5}))?"
    r"(?:;transport=(?P<transport>udp|tcp|tls))?"
)


@dataclass(frozen=True, slots=True)
class Destination:
    """Whom people call: `sip:number@host:port;transport=tls`."""

    number: str
    host: str
    port: int = 5060
    username: str | None = None
    password: str | None = None
    caller: str | None = None
    """Number or name that is shown; absent: the user name."""
    transport: Transport = "udp"
    """Over TLS the audio is SRTP."""
    tls: ssl.SSLContext | None = None
    """Whom to trust; `None`: whom this machine does."""
    silence: float = RING_SECONDS
    """Seconds without any answer after which the call is given up."""

    def identity(self, own: PeerAddress) -> Identity:
        """Who calls; `own`: where we are reached."""
        place = self.host if self.port == DEFAULT_PORTS[self.transport] else f"{self.host}:{self.port}"
        user = self.username or "rehearsal"
        return Identity(f"sip:{self.number}@{place}", f"sip:{self.caller or user}@{self.host}", user, self.password)


def destination(
    address: str, username: str | None = None, password: str | None = None, caller: str | None = None
) -> Destination:
    """From what the command line gives. Raises `SettingsError`."""
    match = _ADDRESS.fullmatch(address)
    transport = cast(Transport, match["transport"] or "udp") if match is not None else "udp"
    if match is None or not 0 < (port := int(match["port"] or DEFAULT_PORTS[transport])) < 65536:
        raise SettingsError(
            f"{address!r} is no SIP address.",
            remedy="Write it as sip:100@192.0.2.1:5060, with ;transport=tcp or ;transport=tls where UDP won't do.",
        )
    return Destination(match["number"], match["host"], port, username, password, caller, transport)


async def dial_all(
    to: Destination,
    people: Sequence[Person],
    *,
    parallel: int = 1,
    out_dir: Path | None = None,
    tell: Callable[[Progress], None] = lambda _: None,
) -> list[Attempt]:
    """Everybody calls, so many at a time. Raises `NotReady` when the host has no address."""
    peer, own_host = await locate(to)
    if out_dir is not None:
        await asyncio.to_thread(out_dir.mkdir, parents=True, exist_ok=True)
    exchange = Exchange(FrameClock(), own_host, magnitude_of(CarrierConfig().audible_dbfs), None, tell)
    free = asyncio.Semaphore(parallel)

    async def one(person: Person) -> Attempt:
        async with free:
            try:
                call = await DialledCall.begin(to, peer, person, exchange)
            except NotReady as error:
                return Attempt(person.scenario, None, error)
            await call.run()
            report = await asyncio.to_thread(call.report, out_dir)
            tell(CallOver(report))
            return Attempt(person.scenario, report)

    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(one(person)) for person in people]
    return [call.result() for call in calls]


class DialledCall:
    """Lives from the INVITE to the report."""

    def __init__(self, to: Destination, talk: Talk, exchange: Exchange, crypto: Crypto | None) -> None:
        self._to = to
        self._crypto = crypto
        self._talk = talk
        self._exchange = exchange
        self._outcome = "no-answer"
        self.refused: int | None = None
        """Status with which the other side declined."""
        self._answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._endpoint: SipEndpoint[SipCaller]

    @classmethod
    async def begin(cls, to: Destination, peer: PeerAddress, person: Person, exchange: Exchange) -> DialledCall:
        """Send the INVITE. Raises `NotReady` when nobody takes the connection."""
        wire = await reach(to.transport, exchange.host, peer, tls=to.tls, server_name=to.host)
        line = MediaLine(exchange.host, codec="ulaw", offer=NOWHERE, threshold=exchange.threshold)
        crypto = sdes.new_crypto() if to.transport == "tls" else None
        call = cls(to, Talk(person, line, exchange), exchange, crypto)
        offer = sdp.build_offer(exchange.host, line.port, session=secrets.randbits(31), crypto=crypto)
        identity = to.identity(wire.address)
        caller = SipCaller(identity, wire.address, peer, offer, lambda: secrets.token_hex(8), transport=to.transport)
        call._endpoint = SipEndpoint(caller, [wire], call._event)
        exchange.tell(PhoneRang(to.number, person.scenario.name))
        call._endpoint.act(lambda caller, now: caller.call(now))
        return call

    async def run(self) -> None:
        """Returns when the call is over on this side."""
        life = asyncio.ensure_future(self._live())
        self._talk.gone.add_done_callback(lambda _: life.cancel())
        try:
            await life
        except asyncio.CancelledError:
            if not self._talk.gone.done():
                raise
        finally:
            self._talk.close()
            self._endpoint.act(lambda caller, now: caller.hang_up(now))
            if self.heard:
                await self._endpoint.quiet(FAREWELL_SECONDS)
            self._endpoint.close()

    @property
    def heard(self) -> bool:
        """There is somebody at the other side."""
        return self._endpoint.agent.heard

    async def _live(self) -> None:
        await asyncio.wait({self._answered}, timeout=self._to.silence)
        if self.heard:
            await asyncio.wait({self._answered}, timeout=RING_SECONDS)
        if self._answered.done() and self._answered.result():
            await self._talk.converse()

    def _event(self, event: CallerEvent) -> None:
        match event:
            case Answered(answer):
                self._talk.moments.answered = self._talk.moments.confirmed = time.monotonic()
                srtp = Srtp(self._crypto, answer.crypto[0]) if self._crypto is not None and answer.crypto else None
                self._talk.line.agree(answer, srtp)
                self._outcome = "answered"
                self._talk.open()
                self._exchange.tell(PhoneAnswered(self._to.number, self._talk.person.scenario.name))
                self._answered.set_result(True)
            case Refused(code, phrase):
                self.refused = code
                self._outcome = OUTCOMES.get(code, "declined" if 400 <= code < 500 or code >= 600 else "failed")
                self._talk.problems.append(f"The call was refused: {code} {phrase}.")
                if not self._answered.done():
                    self._answered.set_result(False)
            case HungUp():
                self._talk.lose("caller")
            case Moved(offer):
                self._talk.line.move(offer)

    def report(self, folder: Path | None) -> CallReport:
        """What the call was like; written into `folder` too. Blocking; for a thread."""
        caller = self._endpoint.agent
        lines = sip_lines(caller.trace, caller.call_id, self._talk.moments.invited)
        signalling = Signalling(caller.call_id, self._to.number, caller.identity.caller, self._outcome, lines)
        report = self._talk.report(signalling, recorded=folder is not None)
        if folder is not None:
            self._talk.save(folder, signalling, report)
        return report


async def locate(to: Destination) -> tuple[PeerAddress, str]:
    """The other side's address, and ours as it sees it. Raises `NotReady`."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            to.host, to.port, family=socket.AF_INET, type=socket.SOCK_DGRAM
        )
    except OSError as error:
        raise NotReady(f"{to.host} has no address: {error.strerror}.", remedy="Check the name.") from error
    peer = (str(found[0][4][0]), to.port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(peer)  # sends nothing; the kernel picks the way and with it our address
        except OSError as error:
            raise NotReady(f"There is no way to {to.host}: {error.strerror}.", remedy="Check the network.") from error
        return peer, str(probe.getsockname()[0])
