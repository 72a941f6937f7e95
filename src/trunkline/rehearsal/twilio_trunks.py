"""The trunks of a Twilio account, as its REST API left them, for the carrier's SIP side to judge by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from ipaddress import IPv4Network

from trunkline.rehearsal.trunk_rules import OriginationUrl, TrunkRules
from trunkline.rehearsal.twilio_account import TwilioAccount
from trunkline.rehearsal.twilio_shapes import ACCOUNTS, Record

TRUNKS = "/v1/Trunks"
TRIAL_CALLS = 4
"""Calls at once of a trial account."""
_EDGE = re.compile(r"(?<=\.pstn)\.[a-z0-9-]+(?=\.twilio\.com$)")
"""`acme.pstn.ashburn.twilio.com` is `acme.pstn.twilio.com` by way of one edge."""


class TwilioTrunks:
    """A `TrunkBook`: each answer is the account at that moment."""

    def __init__(self, account: TwilioAccount) -> None:
        self._account = account

    def trunk(self, host: str) -> TrunkRules | None:
        domain = _EDGE.sub("", host)
        with self._account.lock:
            found = (one for one in self._of(TRUNKS) if (one["domain_name"] or "").lower() == domain)
            return next(map(self._rules, found), None)

    def trunk_of(self, number: str) -> TrunkRules | None:
        with self._account.lock:
            for trunk in self._of(TRUNKS):
                attached = self._of(f"{TRUNKS}/{trunk['sid']}/PhoneNumbers")
                if any(one["phone_number"] == number for one in attached):
                    return self._rules(trunk)
        return None

    def _rules(self, trunk: Record) -> TrunkRules:
        account, on_trunk = self._account, f"{TRUNKS}/{trunk['sid']}"
        old = f"{ACCOUNTS}/{account.sid}"
        address_lists = self._of(f"{on_trunk}/IpAccessControlLists")
        credential_lists = self._of(f"{on_trunk}/CredentialLists")
        verified = {one["phone_number"] for one in self._of(f"{old}/OutgoingCallerIds")}
        bought = {one["phone_number"] for one in self._of(f"{old}/IncomingPhoneNumbers")}
        trial = account.kind == "Trial"
        return TrunkRules(
            domain=(trunk["domain_name"] or "").lower(),
            active=account.status == "active" and Decimal(account.balance) > 0,
            # A trunk without any authentication takes no calls [?: with this answer].
            networks=frozenset(self._networks(address_lists)) if address_lists or not credential_lists else None,
            passwords=dict(self._passwords(credential_lists)) if credential_lists else None,
            calls_per_second=account.calls_per_second,
            concurrent_calls=TRIAL_CALLS if trial else None,
            verified_callees=verified if trial else None,
            caller_ids=bought | verified,
            blocked_numbers=frozenset(account.blocked_numbers),
            permits=account.dialling.permits,
            secure=trunk["secure"],
            transfer=trunk["transfer_mode"],
            urls=tuple(
                OriginationUrl(url["sip_url"], url["priority"], url["weight"])
                for url in self._of(f"{on_trunk}/OriginationUrls")
                if url["enabled"]
            ),
            sid=trunk["sid"],
            account_sid=account.sid,
        )

    def _networks(self, lists: list[Record]) -> Iterator[IPv4Network]:
        base = f"{ACCOUNTS}/{self._account.sid}/SIP/IpAccessControlLists"
        for entry in (entry for one in lists for entry in self._of(f"{base}/{one['sid']}/IpAddresses")):
            yield IPv4Network(f"{entry['ip_address']}/{entry['cidr_prefix_length'] or 32}", strict=False)

    def _passwords(self, lists: list[Record]) -> Iterator[tuple[str, str]]:
        base = f"{ACCOUNTS}/{self._account.sid}/SIP/CredentialLists"
        for entry in (entry for one in lists for entry in self._of(f"{base}/{one['sid']}/Credentials")):
            yield entry["username"], self._account.passwords[entry["sid"]]

    def _of(self, path: str) -> list[Record]:
        return self._account.records.get(path, [])
