"""Checks of the trunk: its name, whether it answers, and what it says to an INVITE."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trunkline.carriers import diagnosis
from trunkline.doctor.account import Account
from trunkline.doctor.check import Check, Verdict, skipped, well, wrong
from trunkline.doctor.probe import Reply, Way, find_way, invite, next_hop, ping
from trunkline.errors import CarrierError, NotReady
from trunkline.settings import TrunkSettings

LIMIT: Final = 10.0
NO_TRUNK: Final = "no trunk is configured (trunk.host)"
NO_WAY: Final = "the trunk's name has no address, or no way leads there; see DNS"
PROVES_NOTHING: Final = (
    "This proves nothing about termination host, address list and password: OPTIONS is answered to all."
)
NOT_CONFIRMED: Final = (
    "Termination host and address list are right if that trunk has credentials to ask for, which only the carrier's "
    "account tells ([twilio] in the settings)."
)
CHALLENGES: Final = (401, 407)
ABOUT_THE_NUMBER: Final = (400, 404, 410, 484)
"""Answers to whoever may call: what was called is no number."""
SIP_DOMAINS: Final = (".sip.twilio.com",)
"""Ends of host names of Twilio's other product, which takes no calls of a trunk."""


@dataclass(frozen=True, slots=True)
class Dns:
    trunk: TrunkSettings
    name: str = "DNS"
    limit: float = LIMIT

    async def run(self) -> Verdict:
        if self.trunk.host is None:
            return skipped(NO_TRUNK)
        way = await find_way(self.trunk)
        return well(f"{next_hop(self.trunk)[0]} is {way.peer[0]}, reached from {way.own}")


@dataclass(frozen=True, slots=True)
class SipCheck:
    """Something is asked over SIP, where there is a trunk and a way to it."""

    name: str
    trunk: TrunkSettings
    ask: Callable[[TrunkSettings, Way], Awaitable[Verdict]]
    authorities: Path | None
    limit: float = LIMIT

    async def run(self) -> Verdict:
        if self.trunk.host is None:
            return skipped(NO_TRUNK)
        try:
            way = await find_way(self.trunk, self.authorities)
        except NotReady:
            return skipped(NO_WAY)
        return await self.ask(self.trunk, way)


def sip_checks(trunk: TrunkSettings, account: Account | None = None, authorities: Path | None = None) -> list[Check]:
    """`authorities`: what the trunk's certificate is checked against (`asterisk.tls_ca`)."""

    async def first_invite(trunk: TrunkSettings, way: Way) -> Verdict:
        reply, attached = await asyncio.gather(invite(trunk, way), _has_credentials(account))
        return judge_invite(reply, trunk, attached)

    return [
        SipCheck("OPTIONS", trunk, options, authorities),
        SipCheck("INVITE", trunk, first_invite, authorities),
        SipCheck("password", trunk, password, authorities),
    ]


async def options(trunk: TrunkSettings, way: Way) -> Verdict:
    answer = await ping(trunk, way)
    if answer is None:
        return wrong(
            f"{way.peer[0]}:{way.peer[1]} does not answer OPTIONS.",
            "Check trunk.port and trunk.proxy, and that no firewall drops SIP in either direction.",
        )
    response = answer.response
    return well(f"{response.code} {response.phrase} after {answer.seconds * 1000:.0f} ms", PROVES_NOTHING)


async def password(trunk: TrunkSettings, way: Way) -> Verdict:
    """With the digest: behind it a carrier looks at the number, which is none."""
    if trunk.username is None:
        return skipped("no trunk.username is set")
    reply = await invite(trunk, way, with_digest=True)
    if reply is None or not reply.challenged:
        return skipped("the carrier asked for none; see INVITE")
    return judge_credentials(reply)


async def _has_credentials(account: Account | None) -> bool | None:
    """Whether the account's trunk has a credential list with somebody in it; `None`: nobody can tell."""
    try:
        trunk = await account.trunk() if account is not None else None
    except CarrierError:
        return None
    return None if trunk is None else bool(trunk.users)


def judge_invite(reply: Reply | None, trunk: TrunkSettings, attached: bool | None = None) -> Verdict:
    """What an answer to an INVITE without digest means; `None`: there was none.

    Who is asked for a password has named the right host and comes from an address on the list, provided that the
    trunk has credentials to ask for (`attached`, as the account tells; `None`: it does not).
    """
    host = trunk.host or ""
    if reply is None:
        return wrong(
            "An INVITE is not answered at all.",
            f"Compare trunk.host ({host}) with the trunk's termination host to the letter: an unknown one is ignored.",
        )
    if reply.code in CHALLENGES:
        return _judge_challenge(reply.code, trunk, attached)
    if reply.code == 403 and reply.error in (None, 32201):
        seen = f", which it sees as {reply.seen_from}," if reply.seen_from else ""
        return wrong(
            f"The carrier refuses this machine's address{seen} before it asks for a password (403).",
            "Add the public address to the trunk's IP access control list; and see that trunk.host is the termination "
            "host, not an address.",
        )
    if reply.code in (180, 200) or (
        reply.code in ABOUT_THE_NUMBER and not (reply.code == 404 and host.lower().endswith(SIP_DOMAINS))
    ):
        return well(
            f"{reply.code} {reply.phrase}: the carrier takes calls from here without a password",
            *(() if trunk.username is None else ("trunk.username is set, but nobody asked for it.",)),
        )
    return _refused(reply)


def _judge_challenge(code: int, trunk: TrunkSettings, attached: bool | None) -> Verdict:
    if trunk.username is None:
        return wrong(
            f"The carrier asks for a password ({code}), and none is set.",
            "Set trunk.username and trunk.password as in the trunk's credential list.",
        )
    if attached is None:
        return well(f"{code}: the carrier asks for a password", NOT_CONFIRMED)
    if not attached:
        return wrong(
            f"The carrier asks for a password ({code}), and the account's trunk has no credentials: trunk.host is some "
            "other trunk.",
            "Set trunk.host to the termination domain of yours; `trunkline trunk show` tells it.",
        )
    return well(f"{code}: termination host and address list are right")


def judge_credentials(reply: Reply) -> Verdict:
    """What an answer to an INVITE with digest means, where one without it was asked for one."""
    if reply.code in (180, 200, *ABOUT_THE_NUMBER):
        return well(f"{reply.code} {reply.phrase}: user name and password are right")
    if reply.code in CHALLENGES or (reply.code == 403 and reply.error is None):
        row = diagnosis.meaning(reply.code, reply.phrase, 32202)
        assert row is not None
        return wrong(row.cause, row.remedy)
    return _refused(reply)


def _refused(reply: Reply) -> Verdict:
    row = diagnosis.meaning(reply.code, reply.phrase, reply.error)
    said = f"{reply.code} {reply.phrase}".strip()
    if row is None:
        return wrong(f"The carrier answers {said}.", "Ask its support what that means.")
    return wrong(f"{row.cause.rstrip('.')} ({said}).", row.remedy)
