"""How Twilio's Elastic SIP Trunking answers a call that is sent to it. Pure: request and time in, verdict out.

Its order of checks, as far as known: host → account → address list → digest → limits → number → caller ID → geography
→ media.
Facts are collected from Twilio's documentation and from traces; `[?]` marks what no source confirmed.
"""

from __future__ import annotations

import enum
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from typing import NamedTuple

from trunkline.errors import ProtocolError
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.trunk_rules import TrunkBook, TrunkRules
from trunkline.settings import E164
from trunkline.sip import sdp
from trunkline.sip.digest import DigestGuard, Proof
from trunkline.sip.message import Header, Incoming


class Cause(enum.Enum):
    """Why a call is refused."""

    EDGE_ADDRESS = "sent to an address instead of the termination URI"
    SIP_DOMAIN = "sent to a SIP domain instead of the termination URI"
    SUSPENDED = "account suspended or without funds"
    NOT_IN_ACL = "source address not in the access control list"
    BAD_CREDENTIALS = "bad credentials"
    TOO_FAST = "calls per second exceeded"
    TOO_MANY = "concurrent calls exceeded"
    NOT_E164 = "number not in E.164 format"
    UNVERIFIED_CALLEE = "trial account, number not verified"
    CALLER_ID_MISSING = "caller ID missing or not in E.164 format"
    CALLER_ID_NOT_ALLOWED = "caller ID not allowed"
    BLOCKED = "destination blocked"
    COUNTRY = "country not permitted"
    NO_TLS = "no TLS on a trunk with secure media"
    PLAIN_ON_SECURE = "no SRTP on a trunk with secure media"
    SECURE_ON_PLAIN = "SRTP on a trunk without secure media"
    NO_G711 = "no G.711 offered"
    NO_OFFER = "no audio offered"
    NOBODY = "no scripted person has this number"


class Refusal(NamedTuple):
    code: int
    phrase: str
    twilio_error: str = ""
    """Number and words in `X-Twilio-Error` [?: not every answer was seen to carry it]; empty: none is known."""

    @property
    def headers(self) -> list[Header]:
        return [("X-Twilio-Error", self.twilio_error)] if self.twilio_error else []


ANSWERS: Mapping[Cause, Refusal] = {
    Cause.EDGE_ADDRESS: Refusal(403, "Forbidden"),
    Cause.SIP_DOMAIN: Refusal(404, "Not Found"),
    Cause.SUSPENDED: Refusal(603, "Decline", "10001 Account is not active"),
    Cause.NOT_IN_ACL: Refusal(403, "Forbidden", "32201 Authentication failure - source IP Address not in ACL"),
    Cause.BAD_CREDENTIALS: Refusal(403, "Forbidden", "32202 Authentication failure - bad user credentials"),
    Cause.TOO_FAST: Refusal(503, "Trunk CPS limit exceeded", "32001 Trunk CPS limit exceeded"),
    Cause.TOO_MANY: Refusal(
        503, "Trunk concurrent call limit exceeded", "10004 Call concurrency limit exceeded"
    ),  # [?]
    Cause.NOT_E164: Refusal(400, "Invalid Phone Number", "32101 Phone number is not in E.164 format"),
    Cause.UNVERIFIED_CALLEE: Refusal(
        400, "the number is unverified", "32100 Trial accounts call verified numbers only"
    ),
    Cause.CALLER_ID_MISSING: Refusal(403, "Invalid Caller ID", "32204 Invalid caller ID"),
    Cause.CALLER_ID_NOT_ALLOWED: Refusal(403, "Caller ID is unauthorized", "32204 Caller ID is not owned or verified"),
    Cause.BLOCKED: Refusal(403, "Phone number is blocked for verification", "32203 Destination is blocked"),
    Cause.COUNTRY: Refusal(403, "No International Authorization", "32205 Destination country is not permitted"),
    Cause.NO_TLS: Refusal(488, "Secure SIP transport required", "32209 Secure SIP transport required"),
    Cause.PLAIN_ON_SECURE: Refusal(488, "Not Acceptable Here", "32208 RTP on a trunk with secure media"),  # [?]
    Cause.SECURE_ON_PLAIN: Refusal(488, "Not Acceptable Here", "32207 SRTP on a trunk without secure media"),  # [?]
    Cause.NO_G711: Refusal(415, "Unsupported media type"),  # [?]
    Cause.NO_OFFER: Refusal(488, "Not Acceptable Here"),  # [?]
    Cause.NOBODY: Refusal(404, "Not Found"),  # [?]
}


@dataclass(frozen=True, slots=True)
class Ignore:
    """No answer at all."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """407 with this `Proxy-Authenticate`."""

    header: str


@dataclass(frozen=True, slots=True)
class Refuse:
    cause: Cause
    trunk: TrunkRules | None = None
    """`None`: it isn't known whose call that was."""


@dataclass(frozen=True, slots=True)
class Accept:
    """The call goes through to `number`."""

    number: str
    caller_id: str
    offer: sdp.AudioOffer
    codec: str
    trunk: TrunkRules
    """As it was when the call came."""


Verdict = Ignore | Challenge | Refuse | Accept


@dataclass(slots=True)
class Termination:
    """Judges INVITEs. Remembers only nonces and the times of calls it let through.

    `trunks`: those of an account; absent: the one of `config`.
    """

    config: CarrierConfig
    guard: DigestGuard
    trunks: TrunkBook | None = None
    _accepted: defaultdict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    """Termination URI → times."""

    def judge(self, invite: Incoming, *, now: float, live_calls: int) -> Verdict:
        """The verdict on a new INVITE outside any dialog; `now` in seconds, `live_calls` at this moment."""
        host = invite.request.uri.host.lower().rstrip(".")
        trunk = (self.trunks or self.config).trunk(host)
        if trunk is None:
            return self._wrong_host(host)
        if not trunk.active:
            return Refuse(Cause.SUSPENDED, trunk)
        if trunk.secure and invite.transport != "tls":
            return Refuse(Cause.NO_TLS, trunk)  # its place in the order: [?]
        source = ip_address(invite.source[0])
        if trunk.networks is not None and not any(source in network for network in trunk.networks):
            return Refuse(Cause.NOT_IN_ACL, trunk)
        if (verdict := self._digest(trunk, invite, now)) is not None:
            return verdict
        cause = self._limits(trunk, now, live_calls) or _number(trunk, invite)
        return _media(trunk, invite) if cause is None else Refuse(cause, trunk)

    def _wrong_host(self, host: str) -> Verdict:
        if host.endswith(self.config.sip_domains):
            return Refuse(Cause.SIP_DOMAIN)
        try:
            IPv4Address(host)
        except ValueError:
            return Ignore()
        return Refuse(Cause.EDGE_ADDRESS)

    def _digest(self, trunk: TrunkRules, invite: Incoming, now: float) -> Verdict | None:
        if trunk.passwords is None:
            return None
        header = invite.request.headers.get("Proxy-Authorization")
        if header is None:
            return Challenge(self.guard.challenge(now))
        match self.guard.check(header, method="INVITE", uri=invite.raw_uri, now=now, passwords=trunk.passwords):
            case Proof.STALE:
                return Challenge(self.guard.challenge(now, stale=True))
            case Proof.WRONG:
                return Refuse(Cause.BAD_CREDENTIALS, trunk)
            case Proof.VALID:
                return None

    def _limits(self, trunk: TrunkRules, now: float, live_calls: int) -> Cause | None:
        accepted = self._accepted[trunk.domain]
        while accepted and now - accepted[0] >= 1.0:
            accepted.popleft()
        limit = trunk.calls_per_second
        if limit is not None and len(accepted) >= max(1.0, limit):
            return Cause.TOO_FAST
        accepted.append(now)
        if trunk.concurrent_calls is not None and live_calls >= trunk.concurrent_calls:
            return Cause.TOO_MANY
        return None


def _number(trunk: TrunkRules, invite: Incoming) -> Cause | None:
    number, caller_id = invite.request.uri.user or "", invite.caller.uri.user or ""
    checks = (
        (Cause.NOT_E164, not E164.fullmatch(number)),
        (Cause.UNVERIFIED_CALLEE, trunk.verified_callees is not None and number not in trunk.verified_callees),
        (Cause.CALLER_ID_MISSING, not E164.fullmatch(caller_id)),
        (Cause.CALLER_ID_NOT_ALLOWED, trunk.caller_ids is not None and caller_id not in trunk.caller_ids),
        (Cause.BLOCKED, number in trunk.blocked_numbers),
        (Cause.COUNTRY, not trunk.permits(number)),
    )
    return next((cause for cause, wrong in checks if wrong), None)


def _media(trunk: TrunkRules, invite: Incoming) -> Verdict:
    try:
        offer = sdp.parse(invite.request.body)
    except ProtocolError:
        return Refuse(Cause.NO_OFFER, trunk)
    if offer.secure and not trunk.secure:
        return Refuse(Cause.SECURE_ON_PLAIN, trunk)
    if trunk.secure and not offer.crypto:
        return Refuse(Cause.PLAIN_ON_SECURE, trunk)
    if not offer.codecs:
        return Refuse(Cause.NO_G711, trunk)
    # µ-law then A-law is Twilio's order; the offer's own order decides between them (RFC 3264 §6.1).
    return Accept(invite.request.uri.user or "", invite.caller.uri.user or "", offer, offer.codecs[0], trunk)
