"""What a Twilio account tells of itself, of a trunk and of failed calls. Reads only; blocking."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any, Final

from trunkline.errors import CarrierError
from trunkline.settings import TwilioSettings

if TYPE_CHECKING:
    from twilio.rest import Client

MOST_ALERTS: Final = 100
NOT_FOR_THIS_KEY: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class Summary:
    """The account itself."""

    name: str
    status: str
    """`active`, `suspended` or `closed`."""
    kind: str
    """`Full` or `Trial`."""
    balance: str | None
    """`None`: it isn't told, as of a subaccount."""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """Who gets the calls to a trunk's numbers."""

    name: str
    sip_url: str
    priority: int
    weight: int
    enabled: bool


@dataclass(frozen=True, slots=True)
class Trunk:
    """One trunk with all that is attached to it, whoever made it."""

    sid: str
    name: str
    domain: str | None
    secure: bool
    transfer: str
    recording: str
    networks: tuple[IPv4Network, ...] | None
    """Addresses of all its IP access control lists; `None`: none is attached."""
    users: tuple[str, ...] | None
    """User names of all its credential lists; `None`: none is attached."""
    nodes: tuple[Node, ...]
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Country:
    """Where the account may call."""

    code: str
    """ISO 3166-1, two letters."""
    name: str
    permitted: bool
    premium: bool
    """Special services, premium numbers and shared costs among it."""
    toll_fraud: bool
    """Numbers known for toll fraud among it."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that went wrong, as Twilio noted it."""

    error: int
    at: datetime
    about: str
    """Id of what it is about: of a call, `CA…`."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call as Twilio kept it."""

    number: str
    """Who was called, as digits with + where it is a number."""
    trunk: str | None
    """Id of its trunk."""


class Facts:
    """Every method asks Twilio, and raises `CarrierError` where that is in vain."""

    def __init__(self, client: Client) -> None:
        self._account = client.api.v2010.account
        self._trunks = client.trunking.v1.trunks
        self._countries = client.voice.v1.dialing_permissions.countries
        self._alerts = client.monitor.v1.alerts

    def summary(self) -> Summary | None:
        """`None`: the key is good, but may not read the account. Twilio tells that to a main key or the token alone."""
        try:
            account = self._account.fetch()
        except CarrierError as error:
            if error.details.get("status") not in NOT_FOR_THIS_KEY:
                raise
            self._trunks.list(limit=1)  # fails too where the key is wrong or the account not active
            return None
        try:
            balance = self._account.balance.fetch()
        except CarrierError as error:
            if error.details.get("status") not in (*NOT_FOR_THIS_KEY, HTTPStatus.NOT_FOUND):
                raise
            return Summary(account.friendly_name, account.status, account.type, None)
        return Summary(account.friendly_name, account.status, account.type, balance.balance, balance.currency)

    def trunk(self, name: str, domain: str | None) -> Trunk | None:
        """The trunk of that name, else the one with that termination domain."""
        trunks = self._trunks.list()
        found = next((one for one in trunks if one.friendly_name == name), None) or next(
            (one for one in trunks if domain and (one.domain_name or "").lower() == domain), None
        )
        return None if found is None else self._whole(found)

    def _whole(self, found: Any) -> Trunk:
        trunk, lists = self._trunks(found.sid), self._account.sip
        address_lists, credential_lists = trunk.ip_access_control_lists.list(), trunk.credentials_lists.list()
        networks = tuple(
            IPv4Network(f"{entry.ip_address}/{entry.cidr_prefix_length or 32}", strict=False)
            for one in address_lists
            for entry in lists.ip_access_control_lists(one.sid).ip_addresses.list()
        )
        users = tuple(
            entry.username for one in credential_lists for entry in lists.credential_lists(one.sid).credentials.list()
        )
        return Trunk(
            sid=found.sid,
            name=found.friendly_name or "",
            domain=found.domain_name,
            secure=bool(found.secure),
            transfer=str(found.transfer_mode),
            recording=str(trunk.recordings().fetch().mode),
            networks=networks if address_lists else None,
            users=users if credential_lists else None,
            nodes=tuple(
                Node(node.friendly_name, node.sip_url, node.priority, node.weight, node.enabled)
                for node in trunk.origination_urls.list()
            ),
            numbers=tuple(number.phone_number for number in trunk.phone_numbers.list()),
        )

    def bought(self) -> frozenset[str]:
        return frozenset(number.phone_number for number in self._account.incoming_phone_numbers.list())

    def verified(self) -> frozenset[str]:
        return frozenset(number.phone_number for number in self._account.outgoing_caller_ids.list())

    def country(self, code: str) -> Country:
        found = self._countries(code).fetch()
        return Country(
            code,
            found.name or code,
            bool(found.low_risk_numbers_enabled),
            bool(found.high_risk_special_numbers_enabled),
            bool(found.high_risk_tollfraud_numbers_enabled),
        )

    def alerts(self, since: datetime) -> tuple[Alert, ...]:
        """The latest errors and warnings since then."""
        return tuple(
            Alert(int(found.error_code), found.date_generated.astimezone(UTC), found.resource_sid or "")
            for found in self._alerts.list(start_date=since, limit=MOST_ALERTS)
            if (found.error_code or "").isdigit() and found.date_generated is not None
        )

    def attempt(self, sid: str) -> Attempt | None:
        """The call with this id; `None` where Twilio has no such call, or none yet."""
        try:
            call = self._account.calls(sid).fetch()
        except CarrierError as error:
            if error.details.get("status") == HTTPStatus.NOT_FOUND:
                return None
            raise
        return Attempt(called(call.to or ""), call.trunk_sid)


def open_facts(settings: TwilioSettings) -> Facts | None:
    """`None` where the settings have no account, or no key to it. Asks nothing yet."""
    if settings.account_sid is None or (settings.api_key_secret or settings.auth_token) is None:
        return None
    # The SDK takes a quarter of a second to import, which nobody without an account should.
    from trunkline.carriers.twilio.account import connect  # noqa: PLC0415
    from trunkline.carriers.twilio.rest import BRISK, PatientClient  # noqa: PLC0415

    return Facts(connect(settings, PatientClient(settings.api_url, patience=BRISK)))


def called(to: str) -> str:
    """The number in a SIP address or as it stands: `sip:+14155550123@acme.pstn.twilio.com` → `+14155550123`."""
    return re.sub(r"^sips?:|@.*$", "", to)
