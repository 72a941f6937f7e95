"""Checks of the trunk: its name, whether it answers, and what it says to an INVITE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trunkline.carriers import diagnosis
from trunkline.doctor.check import Verdict, skipped, well, wrong
from trunkline.doctor.probe import Reply, find_way, invite, next_hop, ping
from trunkline.errors import NotReady
from trunkline.settings import TrunkSettings

LIMIT: Final = 10.0
NO_TRUNK: Final = "no trunk is configured (trunk.host)"
NO_WAY: Final = "the trunk's name has no address, or no way leads there; see DNS"
PROVES_NOTHING: Final = (
    "This proves nothing about termination host, address list and password: OPTIONS is answered to all."
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
class Options:
    trunk: TrunkSettings
    name: str = "OPTIONS"
    limit: float = LIMIT

    async def run(self) -> Verdict:
        if (why := _unreachable_by_us(self.trunk)) is not None:
            return skipped(why)
        try:
            way = await find_way(self.trunk)
        except NotReady:
            return skipped(NO_WAY)
        answer = await ping(self.trunk, way)
        if answer is None:
            return wrong(
                f"{way.peer[0]}:{way.peer[1]} does not answer OPTIONS.",
                "Check trunk.port and trunk.proxy, and that no firewall drops SIP in either direction.",
            )
        response = answer.response
        return well(f"{response.code} {response.phrase} after {answer.seconds * 1000:.0f} ms", PROVES_NOTHING)


@dataclass(frozen=True, slots=True)
class Invite:
    """Without a digest: who is asked for a password has named the right host and comes from an address on the list."""

    trunk: TrunkSettings
    name: str = "INVITE"
    limit: float = LIMIT

    async def run(self) -> Verdict:
        if (why := _unreachable_by_us(self.trunk)) is not None:
            return skipped(why)
        try:
            way = await find_way(self.trunk)
        except NotReady:
            return skipped(NO_WAY)
        return judge_invite(await invite(self.trunk, way), self.trunk)


@dataclass(frozen=True, slots=True)
class Credentials:
    """With the digest: behind it a carrier looks at the number, which is none."""

    trunk: TrunkSettings
    name: str = "password"
    limit: float = LIMIT

    async def run(self) -> Verdict:
        if (why := _unreachable_by_us(self.trunk)) is not None:
            return skipped(why)
        if self.trunk.username is None:
            return skipped("no trunk.username is set")
        try:
            way = await find_way(self.trunk)
        except NotReady:
            return skipped(NO_WAY)
        reply = await invite(self.trunk, way, with_digest=True)
        if reply is None or not reply.challenged:
            return skipped("the carrier asked for none; see INVITE")
        return judge_credentials(reply)


def judge_invite(reply: Reply | None, trunk: TrunkSettings) -> Verdict:
    """What an answer to an INVITE without digest means; `None`: there was none."""
    host = trunk.host or ""
    if reply is None:
        return wrong(
            "An INVITE is not answered at all.",
            f"Compare trunk.host ({host}) with the trunk's termination host to the letter: an unknown one is ignored.",
        )
    if reply.code in CHALLENGES:
        if trunk.username is None:
            return wrong(
                f"The carrier asks for a password ({reply.code}), and none is set.",
                "Set trunk.username and trunk.password as in the trunk's credential list.",
            )
        return well(f"{reply.code}: termination host and address list are right")
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


def _unreachable_by_us(trunk: TrunkSettings) -> str | None:
    if trunk.host is None:
        return NO_TRUNK
    return None if trunk.transport == "udp" else f"only UDP is asked, and trunk.transport is {trunk.transport}"
