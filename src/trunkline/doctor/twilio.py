"""Checks of the Twilio account of the settings: what in it lets calls through, and what doesn't."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from trunkline.carriers.twilio.facts import Alert, Node, Trunk
from trunkline.doctor.account import Account
from trunkline.doctor.check import Check, Verdict, skipped
from trunkline.doctor.probe import NOBODY
from trunkline.doctor.twilio_verdicts import (
    DEFAULT_PORT,
    judge_account,
    judge_addresses,
    judge_alerts,
    judge_caller_ids,
    judge_countries,
    judge_credentials,
    judge_numbers,
    judge_origination,
    judge_trunk,
)
from trunkline.errors import CarrierError, SettingsError
from trunkline.phone_numbers import region
from trunkline.settings import Settings
from trunkline.telephony.asterisk_config import host_and_port

LIMIT: Final = 20.0
NO_ACCOUNT: Final = "no Twilio account is configured (twilio.account_sid and a key)"
NO_TRUNK: Final = "there is no trunk to look at; see trunk"


@dataclass(frozen=True, slots=True)
class AccountCheck:
    """Skipped without an account, and where the account can't be asked at all: one check says so, not each of them."""

    name: str
    account: Account | None
    judge: Callable[[Account], Awaitable[Verdict]]
    limit: float = LIMIT

    async def run(self) -> Verdict:
        if self.account is None:
            return skipped(NO_ACCOUNT)
        if self.name != "account":
            try:
                await self.account.summary()
            except CarrierError:
                return skipped("the account can't be asked; see account")
        return await self.judge(self.account)


def account_checks(account: Account | None, settings: Settings) -> list[Check]:
    def of_trunk(judge: Callable[[Trunk], Awaitable[Verdict] | Verdict]) -> Callable[[Account], Awaitable[Verdict]]:
        async def look(account: Account) -> Verdict:
            trunk = await account.trunk()
            if trunk is None:
                return skipped(NO_TRUNK)
            verdict = judge(trunk)
            return verdict if isinstance(verdict, Verdict) else await verdict

        return look

    async def summary(account: Account) -> Verdict:
        return judge_account(await account.summary())

    async def trunk(account: Account) -> Verdict:
        return judge_trunk(await account.trunk(), settings, account.domain)

    async def addresses(trunk: Trunk) -> Verdict:
        assert account is not None
        return judge_addresses(trunk, settings, await _seen_address(account))

    async def origination(trunk: Trunk) -> Verdict:
        assert account is not None
        seen = await _seen_address(account)
        named = (seen, settings.asterisk.external_address, settings.asterisk.address, *settings.twilio.addresses)
        here = {address.removesuffix("/32") for address in named if address}
        return judge_origination(trunk, settings, await ports_here(trunk.nodes, here))

    async def caller_ids(account: Account) -> Verdict:
        bought, verified = await asyncio.gather(account.bought(), account.verified())
        return judge_caller_ids(settings.trunk.caller_ids, bought | verified)

    async def countries(account: Account) -> Verdict:
        codes = settings.twilio.countries or tuple(filter(None, map(region, settings.trunk.caller_ids)))
        if not codes:
            return skipped("no country is known: trunk.caller_ids and twilio.countries are empty")
        return judge_countries(await asyncio.gather(*map(account.country, dict.fromkeys(codes))))

    async def alerts(account: Account) -> Verdict:
        return judge_alerts(await _alerts_of_trunk(account))

    return [
        AccountCheck("account", account, summary),
        AccountCheck("trunk", account, trunk),
        AccountCheck("addresses", account, of_trunk(addresses)),
        AccountCheck("credentials", account, of_trunk(lambda found: judge_credentials(found, settings))),
        AccountCheck("caller IDs", account, caller_ids),
        AccountCheck("countries", account, countries),
        AccountCheck("origination", account, of_trunk(origination)),
        AccountCheck("numbers", account, of_trunk(lambda found: judge_numbers(found, settings))),
        AccountCheck("alerts", account, alerts),
    ]


async def _seen_address(account: Account) -> str | None:
    try:
        return await account.public_address()
    except CarrierError:
        return None


async def ports_here(nodes: Iterable[Node], here: Collection[str]) -> dict[str, int]:
    """Of the enabled nodes that lead to one of these addresses: name → UDP or TCP port; 0 where it is over TLS."""
    ports = {}
    for node in nodes:
        place = re.match(r"sips?:(?:[^@;]*@)?([^;?]+)", node.sip_url)
        if not node.enabled or place is None:
            continue
        try:
            host, port = host_and_port(place[1], DEFAULT_PORT)
            found = await asyncio.get_running_loop().getaddrinfo(host, port, family=socket.AF_INET)
        except (OSError, SettingsError):
            continue  # Twilio shows what somebody wrote there, right or wrong
        secure = node.sip_url.startswith("sips:") or "transport=tls" in node.sip_url
        if any(address[0] in here for *_, address in found):
            ports[node.name] = 0 if secure else port
    return ports


async def _alerts_of_trunk(account: Account) -> list[Alert]:
    """Those of other trunks left out, as far as they tell, and those of the doctor's own INVITEs."""
    alerts, trunk = await asyncio.gather(account.alerts(), account.trunk())
    calls = list(dict.fromkeys(alert.about for alert in alerts if alert.about.startswith("CA")))
    attempts = dict(zip(calls, await asyncio.gather(*map(account.attempt, calls)), strict=True))
    others = {
        sid
        for sid, attempt in attempts.items()
        if attempt and (attempt.number == NOBODY or (trunk and attempt.trunk not in (None, trunk.sid)))
    }
    return [alert for alert in alerts if alert.about not in others]
