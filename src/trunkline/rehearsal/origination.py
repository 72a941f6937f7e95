"""Calls to a trunk's numbers: an INVITE in Twilio's shape to its origination URLs, one after the other.

Failover comes after 4 s without any answer, or after an answer that isn't among `FINAL`. What no source confirmed is
marked `[?]`.
"""

from __future__ import annotations

import math
import random
import secrets
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, cast

from sipmessage import URI

from trunkline.errors import NotReady
from trunkline.rehearsal.dialling import DEFAULT_PORTS, Destination, DialledCall, locate
from trunkline.rehearsal.talk import Exchange, Person
from trunkline.rehearsal.trunk_rules import OriginationUrl, TrunkRules
from trunkline.sip import message as sip_message
from trunkline.sip.caller import Identity
from trunkline.sip.message import Header, PeerAddress, Transport

FINAL: Final = frozenset({400, 404, 405, 410, 416, 482, 484, 486})
"""With 2xx and 6xx, the answers after which no other URL is tried."""


def in_order(urls: Iterable[OriginationUrl], chance: random.Random) -> list[OriginationUrl]:
    """By priority; among equals at random, each first as often as its share of their weights."""

    def place(url: OriginationUrl) -> tuple[int, float]:
        return url.priority, chance.expovariate(url.weight) if url.weight else math.inf

    return sorted(urls, key=place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(Destination):
    """An origination URL, called as Twilio calls it: from behind two proxies, without authentication."""

    trunk: TrunkRules
    call_sid: str

    def identity(self, own: PeerAddress) -> Identity:
        private = f"172.{16 + secrets.randbelow(16)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"
        place = self.host if self.port == DEFAULT_PORTS[self.transport] else f"{self.host}:{self.port}"
        headers: tuple[Header, ...] = (
            ("Via", f"SIP/2.0/UDP {private}:5060;rport=5060;branch=z9hG4bK{secrets.token_hex(8)}"),
            ("Record-Route", sip_message.own_uri(self.transport, own, more=";lr")),
            ("Record-Route", f"<sip:{private}:5060;lr>"),
            ("Diversion", f"<sip:{self.number}@twilio.com>;reason=unconditional"),  # [?: host and reason]
            ("X-Twilio-AccountSid", self.trunk.account_sid),
            ("X-Twilio-CallSid", self.call_sid),
            ("X-Twilio-VerStat", "TN-Validation-Passed-A"),
        )
        return Identity(
            f"sip:{self.number}@{place}",
            f"sip:{self.caller}@{self.trunk.domain}",
            "twilio",
            headers=headers,
            contact=f"<sip:{self.caller}@{private}:5060;transport={self.transport}>",
        )


@dataclass(frozen=True, slots=True)
class Origination:
    """Brings one call at a time to a trunk's nodes. `silence`: seconds without an answer until the next one's turn."""

    exchange: Exchange
    silence: float
    chance: random.Random

    async def call(self, trunk: TrunkRules, number: str, caller: str, person: Person, call_sid: str) -> DialledCall:
        """The call that got through or was declined for good, else the last one, once it is over.

        Raises `NotReady` when there was nobody to be called.
        """
        failure = NotReady(
            f"No origination URL of {trunk.domain} is enabled, so calls to {number} go nowhere.",
            remedy="Add one to the trunk.",
        )
        last: DialledCall | None = None
        for url in in_order(trunk.urls, self.chance):
            try:
                node = self._node(url, trunk, number, caller, call_sid)
                peer, _ = await locate(node)
                last = await DialledCall.begin(node, peer, person, self.exchange)
            except NotReady as error:
                failure = error
                continue
            await last.run()
            if last.heard and (last.refused is None or last.refused in FINAL or last.refused >= 600):
                return last
        if last is None:
            raise failure
        return last

    def _node(self, url: OriginationUrl, trunk: TrunkRules, number: str, caller: str, call_sid: str) -> Node:
        try:
            uri = URI.parse(url.sip_url)
        except ValueError as error:
            raise NotReady(f"{url.sip_url} is no SIP address.", remedy="Correct that origination URL.") from error
        transport = cast(Transport, "tls" if uri.scheme == "sips" else uri.parameters.get("transport") or "udp")
        return Node(
            number=number,
            host=uri.host,
            port=uri.port or DEFAULT_PORTS[transport],
            caller=caller,
            transport=transport,
            tls=_trusting() if transport == "tls" else None,
            silence=self.silence,
            trunk=trunk,
            call_sid=call_sid,
        )


def _trusting() -> ssl.SSLContext:
    """Takes any certificate, as those of people's own Asterisk are issued by themselves [?]."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
