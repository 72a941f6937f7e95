"""What the facts of a Twilio account mean for calls. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from trunkline.carriers import diagnosis
from trunkline.carriers.twilio.facts import Alert, Country, Summary, Trunk
from trunkline.carriers.twilio.wanted import DEFAULT_USERNAME, marked_name
from trunkline.doctor.check import Verdict, first_wrong, skipped, well, wrong
from trunkline.settings import Settings

DEFAULT_PORT: Final = 5060
LOW_BALANCE: Final = 5.0
"""Of whatever currency the account is kept in: some hours of calls, or less."""
PERMISSIONS: Final = "in Twilio's console: Voice, Settings, Geo permissions."


def judge_account(account: Summary | None) -> Verdict:
    """`None`: the key may not read it."""
    if account is None:
        return skipped("its state and balance are told to a main API key or to twilio.auth_token alone")
    if account.status != "active":
        return wrong(
            f"The Twilio account {account.name!r} is {account.status}: it carries no calls.",
            "Activate it in Twilio's console, or ask Twilio's support why it isn't.",
        )
    balance = "its balance isn't told" if account.balance is None else f"{account.balance} {account.currency}"
    amount = LOW_BALANCE if account.balance is None else float(account.balance)
    if amount <= 0:
        return wrong(f"The Twilio account has no funds: {balance}.", "Add some in Twilio's console, under Billing.")
    remarks = []
    if account.kind == "Trial":
        remarks.append("A trial account calls verified numbers only, and four at once: upgrade it to call others.")
    if amount < LOW_BALANCE:
        remarks.append("That balance is soon used up, and then every call is declined: add funds.")
    return well(f"{account.name}: {account.status}, {account.kind}, {balance}", *remarks)


def judge_trunk(trunk: Trunk | None, settings: Settings, domain: str | None) -> Verdict:
    """`domain`: the termination domain of `trunk.host`."""
    name = marked_name(settings)
    if trunk is None:
        return wrong(
            f"The account has no trunk {name!r}, and none with the termination domain {domain or settings.trunk.host}.",
            "`trunkline trunk apply` sets it up.",
        )
    remedy = _repair(trunk, settings)
    twilio, faults = settings.twilio, []
    if domain is None or (trunk.domain or "").lower() != domain:
        faults.append(
            wrong(
                f"The trunk's termination domain is {trunk.domain or 'not set'}, and trunk.host is "
                f"{settings.trunk.host}: calls to that are not even answered.",
                remedy,
            )
        )
    if trunk.secure != settings.trunk.secure:
        faults.append(
            wrong(
                f"Secure media is {_switch(trunk.secure)} at Twilio, and trunk.secure is {_switch(not trunk.secure)}: "
                "Twilio refuses such calls.",
                remedy,
            )
        )
    if trunk.transfer != twilio.transfer:
        faults.append(
            wrong(f"Transfers are {trunk.transfer} at Twilio, and twilio.transfer is {twilio.transfer}.", remedy)
        )
    if trunk.recording != twilio.recording:
        faults.append(
            wrong(
                f"Twilio's recording is {trunk.recording}, and twilio.recording is {twilio.recording}.",
                remedy,
            )
        )
    told = f"{trunk.name}: {trunk.domain}, secure media {_switch(trunk.secure)}"
    return first_wrong(faults, well(f"{told}; one call per second, unless Twilio has raised that"))


def judge_addresses(trunk: Trunk, settings: Settings, seen: str | None) -> Verdict:
    """`seen`: this machine's public address, where it could be found."""
    remedy = _repair(trunk, settings)
    if trunk.networks is None:
        return wrong("No IP access control list is attached to the trunk.", remedy)
    asterisk = settings.asterisk
    known = settings.twilio.addresses or ((asterisk.external_address,) if asterisk.external_address else ())
    for address in known or ((seen,) if seen else ()):
        first, last = _ends(address)
        if not any(first in network and last in network for network in trunk.networks):
            return wrong(f"Calls from {address} are refused: it is not in the trunk's IP access control list.", remedy)
    if not known and seen is None:
        return skipped("this machine's public address could not be found: write it into twilio.addresses")
    listed = ", ".join(map(str, trunk.networks))
    elsewhere = seen is not None and not any(IPv4Address(seen) in network for network in trunk.networks)
    return well(
        f"calls may come from {listed}",
        *(
            (f"Web requests of this machine come from {seen}, which is not in it; calls must not.",)
            if elsewhere
            else ()
        ),
    )


def _ends(network: str) -> tuple[IPv4Address, IPv4Address]:
    """First and last address of `203.0.113.7` or `203.0.113.0/30`."""
    parsed = IPv4Network(network, strict=False)
    return parsed[0], parsed[-1]


def judge_credentials(trunk: Trunk, settings: Settings) -> Verdict:
    remedy = _repair(trunk, settings)
    username = settings.trunk.username or DEFAULT_USERNAME
    if trunk.users is None:
        return wrong("No credential list is attached to the trunk.", remedy)
    if username not in trunk.users:
        return wrong(f"The user {username} (trunk.username) is in no credential list of the trunk.", remedy)
    return well(f"{username} is in the trunk's credential list; whether the password is right is told by SIP alone")


def judge_caller_ids(shown: Iterable[str], owned: frozenset[str]) -> Verdict:
    """`owned`: bought or verified."""
    shown = tuple(shown)
    if not shown:
        return skipped("trunk.caller_ids is empty")
    if strange := [number for number in shown if number not in owned]:
        return wrong(
            f"{', '.join(strange)} (trunk.caller_ids) can't be shown: neither bought nor verified in this account.",
            "Buy or verify it in Twilio's console, or remove it from trunk.caller_ids.",
        )
    return well(f"{', '.join(shown)}: bought or verified")


def judge_countries(countries: Iterable[Country]) -> Verdict:
    faults, names, remarks = [], [], []
    for country in countries:
        names.append(country.name)
        if not country.permitted:
            faults.append(wrong(f"The account may not call {country.name}.", f"Allow it {PERMISSIONS}"))
        if country.toll_fraud:
            faults.append(
                wrong(
                    f"The account may call numbers in {country.name} that are known for toll fraud.",
                    f"Switch those off {PERMISSIONS}",
                )
            )
        if country.premium:
            remarks.append(f"Premium and special numbers in {country.name} may be called, which can be dear.")
    return first_wrong(faults, well(f"{', '.join(names)} may be called", *remarks))


def judge_origination(trunk: Trunk, settings: Settings, here: Mapping[str, int]) -> Verdict:
    """`here`: port by name of the nodes that are this machine; 0: TLS, whose port isn't looked at."""
    remedy = _repair(trunk, settings)
    wanted, faults = settings.twilio.origination, []
    if not any(node.enabled for node in wanted.values()):
        remedy = f"Name this machine in [twilio.origination.NAME] sip_url. {remedy}"
    for name, node in wanted.items():
        found = next((one for one in trunk.nodes if one.name == name), None)
        if found is None:
            faults.append(wrong(f"The origination URL {name} is missing: {node.sip_url} gets no calls.", remedy))
        elif found.sip_url != node.sip_url:
            faults.append(wrong(f"The origination URL {name} is {found.sip_url} instead of {node.sip_url}.", remedy))
        elif found.enabled != node.enabled:
            faults.append(wrong(f"The origination URL {name} is switched {_switch(found.enabled)} at Twilio.", remedy))
        elif (found.priority, found.weight) != (node.priority, node.weight):
            faults.append(wrong(f"The origination URL {name} has another priority or weight at Twilio.", remedy))
    own = settings.asterisk.sip_port or DEFAULT_PORT
    for name, port in here.items():
        # Behind NAT the router may lead the one port to the other.
        if port not in (0, own) and settings.asterisk.external_address is None:
            faults.append(
                wrong(
                    f"The origination URL {name} leads to port {port} of this machine, and Asterisk listens at {own}.",
                    f"Set asterisk.sip_port = {port}, or the port in twilio.origination.{name}.sip_url.",
                )
            )
    enabled = [node for node in trunk.nodes if node.enabled]
    if not enabled and trunk.numbers:
        faults.append(
            wrong("The trunk has numbers, but nobody gets their calls: no origination URL is enabled.", remedy)
        )
    if not enabled and not faults:
        return skipped("no calls come in: the trunk has no origination URL")
    shown = ", ".join(f"{node.sip_url} ({node.priority}/{node.weight})" for node in enabled)
    elsewhere = () if here or not enabled else ("None of them is this machine, as far as its addresses are known.",)
    return first_wrong(faults, well(f"calls to the trunk's numbers go to {shown}", *elsewhere))


def judge_numbers(trunk: Trunk, settings: Settings) -> Verdict:
    wanted = settings.twilio.numbers
    if missing := [number for number in wanted if number not in trunk.numbers]:
        return wrong(
            f"{', '.join(missing)} (twilio.numbers) is not attached to the trunk: its calls don't come here.",
            _repair(trunk, settings),
        )
    if not trunk.numbers:
        return skipped("the trunk has no numbers, so no calls come in")
    return well(f"{', '.join(trunk.numbers)}")


def judge_alerts(alerts: Iterable[Alert]) -> Verdict:
    """Of the last hour: what they tell may have been repaired since, so they are remarks."""
    counts = Counter(alert.error for alert in alerts)
    if not counts:
        return well("none in the last hour")
    remarks = (f"{times}× {number}: {diagnosis.of_error(number)}" for number, times in counts.most_common())
    return well(f"{counts.total()} in the last hour", *remarks)


def _repair(trunk: Trunk, settings: Settings) -> str:
    name = marked_name(settings)
    if trunk.name == name:
        return "`trunkline trunk apply` sets it right."
    return f"Change it in Twilio's console; or rename the trunk to {name!r}, and `trunkline trunk apply` sets it right."


def _switch(state: bool) -> str:
    return "on" if state else "off"
