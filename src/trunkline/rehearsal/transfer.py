"""A person is put through: to another scripted person, or to a SIP address. Their audio then goes there alone."""

from __future__ import annotations

import asyncio
import secrets
from typing import Protocol

from trunkline.errors import NotReady
from trunkline.rehearsal.dialling import Destination, locate
from trunkline.rehearsal.media_line import MediaLine
from trunkline.rehearsal.referral import Target
from trunkline.rehearsal.srtp import Srtp
from trunkline.rehearsal.talk import Exchange, Person, Talk
from trunkline.sip import sdes, sdp
from trunkline.sip.caller import Answered, CallerEvent, HungUp, Identity, Moved, Refused, SipCaller
from trunkline.sip.endpoint import SipEndpoint
from trunkline.sip.wire import reach

REFUSALS = {"busy": (486, "Busy Here"), "declined": (603, "Decline")}
FAREWELL_SECONDS = 1.0
Final = tuple[int, str]
"""Status and phrase."""


class TransferTarget(Protocol):
    """Whom somebody is put through to."""

    async def reach(self) -> Final:
        """Ring them. On 200 both hear each other."""

    async def stay(self) -> None:
        """Returns when they have hung up."""

    async def close(self) -> None:
        """Hang up, and leave nothing behind."""


class OtherPerson:
    """Somebody at a telephone behind the carrier. Their line and the first one's send to each other."""

    def __init__(self, person: Person, line: MediaLine, exchange: Exchange) -> None:
        self._line = line
        self._exchange = exchange
        back = sdp.AudioOffer(exchange.host, line.port, (line.codec,), line.key_payload)
        self._own = MediaLine(exchange.host, codec=line.codec, offer=back, threshold=exchange.threshold)
        self.talk = Talk(person, self._own, exchange)

    async def reach(self) -> Final:
        phone = self.talk.person.scenario.phone
        if phone.then == "no-answer":
            await asyncio.Future()
        await asyncio.sleep(phone.rings_ms / 1000)
        if phone.then in REFUSALS:
            return REFUSALS[phone.then]
        self._line.hand_over(
            sdp.AudioOffer(self._exchange.host, self._own.port, (self._own.codec,), self._own.key_payload)
        )
        self.talk.open()
        return 200, "OK"

    async def stay(self) -> None:
        await self.talk.converse()

    async def close(self) -> None:
        self.talk.close()


class SipAddress:
    """Somebody the carrier calls for it. Over TLS the audio is SRTP."""

    def __init__(self, target: Target, caller: str, line: MediaLine, exchange: Exchange) -> None:
        self._target = target
        self._caller = caller
        self._line = line
        self._exchange = exchange
        self._crypto = sdes.new_crypto() if target.transport == "tls" else None
        self._final: asyncio.Future[Final] = asyncio.get_running_loop().create_future()
        self._gone = asyncio.Event()
        self._endpoint: SipEndpoint[SipCaller] | None = None

    async def reach(self) -> Final:
        target, host = self._target, self._exchange.host
        try:
            peer, _ = await locate(Destination(target.number, *target.address))
            wire = await reach(target.transport, host, peer, server_name=target.host)
        except NotReady:
            return 503, "Service Unavailable"
        offer = sdp.build_offer(host, self._line.port, session=secrets.randbits(31), crypto=self._crypto)
        identity = Identity(target.uri, f"sip:{self._caller}@{host}", "carrier")
        caller = SipCaller(
            identity, wire.address, peer, offer, lambda: secrets.token_hex(8), transport=target.transport
        )
        self._endpoint = SipEndpoint(caller, [wire], self._event)
        self._endpoint.act(lambda agent, now: agent.call(now))
        return await self._final

    async def stay(self) -> None:
        await self._gone.wait()

    async def close(self) -> None:
        if self._endpoint is not None:
            self._endpoint.act(lambda agent, now: agent.hang_up(now))
            await self._endpoint.quiet(FAREWELL_SECONDS)
            self._endpoint.close()

    def _event(self, event: CallerEvent) -> None:
        match event:
            case Answered(answer):
                srtp = None if self._crypto is None else Srtp(self._crypto, answer.crypto[0])
                self._line.hand_over(answer, srtp)
                self._final.set_result((200, "OK"))
            case Refused(code, phrase) if not self._final.done():
                self._final.set_result((code, phrase))
            case HungUp():
                self._gone.set()
            case Moved(offer):
                self._line.move(offer)
