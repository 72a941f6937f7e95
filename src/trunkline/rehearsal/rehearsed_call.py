"""One call that reached a scripted person: rings, answers, plays the script, hangs up, reports."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable
from pathlib import Path

from trunkline.rehearsal.assessment import sip_lines
from trunkline.rehearsal.media_line import MediaLine
from trunkline.rehearsal.progress import PhoneAnswered, PhoneRang
from trunkline.rehearsal.report import CallReport
from trunkline.rehearsal.sip_agent import SipAgent
from trunkline.rehearsal.sip_call import SipCall
from trunkline.rehearsal.srtp import Srtp
from trunkline.rehearsal.studio import RINGBACK
from trunkline.rehearsal.talk import Exchange, Person, Signalling, Talk
from trunkline.rehearsal.transfer import REFUSALS, TransferTarget
from trunkline.sip import sdes, sdp
from trunkline.sip.endpoint import SipEndpoint
from trunkline.sip.message import TraceLine

RINGBACK_SECONDS = 6


class RehearsedCall:
    """Lives from the accepted INVITE to the report."""

    def __init__(self, call: SipCall, person: Person, exchange: Exchange, endpoint: SipEndpoint[SipAgent]) -> None:
        self.sip = call
        self._person = person
        self._exchange = exchange
        self._endpoint = endpoint
        accept = call.accept
        self.line = MediaLine(exchange.host, codec=accept.codec, offer=accept.offer, threshold=exchange.threshold)
        self._crypto = sdes.answer_to(accept.offer.crypto) if accept.offer.secure else None
        if self._crypto is not None:
            self.line.srtp = Srtp(self._crypto, accept.offer.crypto[0])
        self.talk = Talk(person, self.line, exchange)
        self._transfer: asyncio.Task[None] | None = None
        self._put_through = False

    def confirm(self) -> None:
        """The ACK came."""
        self.talk.moments.confirmed = time.monotonic()

    def leave(self) -> None:
        """Whoever called has hung up. A person who was put through stays where they are."""
        if not self._put_through:
            self.talk.lose("caller")

    def refer(self, to: TransferTarget, patience: float) -> None:
        """Put the person through. `patience`: seconds until the caller, who should have left then, is hung up on."""
        self._transfer = asyncio.create_task(self._follow(to, patience))

    async def _follow(self, to: TransferTarget, patience: float) -> None:
        try:
            code, phrase = await to.reach()
            self._put_through = code == 200
            self._endpoint.act(lambda agent, now: agent.notify(self.sip, code, phrase, now))
            if self._put_through:
                stay = asyncio.ensure_future(to.stay())
                try:
                    await asyncio.wait({stay}, timeout=patience)
                    self._endpoint.act(lambda agent, now: agent.hang_up(self.sip, now))
                    await stay
                finally:
                    stay.cancel()
                    await asyncio.wait({stay})
                self.talk.lose("target")
        finally:
            await to.close()

    async def run(self) -> None:
        """Returns when the call is over on this side; `report` tells what it was like."""
        life = asyncio.ensure_future(self._live())
        self.talk.gone.add_done_callback(lambda _: life.cancel())
        try:
            await life
        except asyncio.CancelledError:
            if not self.talk.gone.done():
                raise
        finally:
            if self._transfer is not None:
                self._transfer.cancel()
                await asyncio.wait({self._transfer})
            self.talk.close()

    async def _live(self) -> None:
        if await self._pick_up():
            await self.talk.converse()
            self._endpoint.act(lambda agent, now: agent.hang_up(self.sip, now))

    async def _pick_up(self) -> bool:
        """Ring, then answer or refuse. False when there is nothing to talk about."""
        phone, endpoint, number = self._person.scenario.phone, self._endpoint, self.sip.accept.number
        accept = self.sip.accept
        description = sdp.build(
            self._exchange.host,
            self.line.port,
            codec=accept.codec,
            key_payload=accept.offer.key_payload,
            session=secrets.randbits(31),
            crypto=self._crypto,
        )
        if phone.ringing:
            endpoint.act(lambda agent, now: agent.ring(self.sip, now))
        if phone.early_media:
            endpoint.act(lambda agent, now: agent.progress(self.sip, description, now))
            self.talk.open()
        self._exchange.tell(PhoneRang(number, self._person.scenario.name))
        await self._ring(None if phone.then == "no-answer" else phone.rings_ms / 1000)
        if phone.then in REFUSALS:
            code, phrase = REFUSALS[phone.then]
            endpoint.act(lambda agent, now: agent.refuse(self.sip, code, phrase, now))
            return False
        self.line.hush()
        self.talk.moments.answered = endpoint.act(lambda agent, now: agent.answer(self.sip, description, now))
        if not phone.early_media:
            self.talk.open()
        self._exchange.tell(PhoneAnswered(number, self._person.scenario.name))
        return True

    async def _ring(self, seconds: float | None) -> None:
        """For so long, or until the caller gives up; early media carries the ringback tone."""
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            if self._person.scenario.phone.early_media:
                self.line.play(RINGBACK)
            left = RINGBACK_SECONDS if until is None else min(RINGBACK_SECONDS, until - time.monotonic())
            await asyncio.sleep(max(0.0, left))

    # ── afterwards ─────────────────────────────────────────────────────────────────────────────────────────────

    def report(self, trace: Iterable[TraceLine], folder: Path | None) -> CallReport:
        """What the call was like, once `run` has returned; written into `folder` too. Blocking; for a thread."""
        accept, moments = self.sip.accept, self.talk.moments
        lines = sip_lines(trace, self.sip.call_id, moments.invited)
        signalling = Signalling(self.sip.call_id, accept.number, accept.caller_id, self._outcome(), lines)
        report = self.talk.report(signalling, recorded=folder is not None)
        if folder is not None:
            self.talk.save(folder, signalling, report)
        return report

    def _outcome(self) -> str:
        if self.talk.moments.answered is not None:
            return "answered"
        wanted = self._person.scenario.phone.then
        if not self.talk.gone.done():
            return wanted
        return "no-answer" if wanted == "no-answer" else "cancelled"
