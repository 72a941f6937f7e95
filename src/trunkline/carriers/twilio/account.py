"""A Twilio account: what of ours is there, and one step at a time written to it. Blocking; for the command line."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Any

from twilio.rest import Client

from trunkline.carriers.twilio.plan import (
    KNOWN_PASSWORD,
    LISTED,
    NO_RECORDING,
    UNKNOWN_PASSWORD,
    Action,
    Kind,
    Resource,
    Step,
    Wanted,
)
from trunkline.carriers.twilio.rest import PatientClient
from trunkline.carriers.twilio.secrets_file import PasswordRecord
from trunkline.errors import CarrierError, SettingsError
from trunkline.settings import TwilioSettings

INSIDE = {
    Kind.ADDRESS: (Kind.ADDRESS_LIST, "ip_addresses"),
    Kind.CREDENTIAL: (Kind.CREDENTIAL_LIST, "credentials"),
    Kind.RECORDING: (Kind.TRUNK, "recordings"),
    Kind.ADDRESS_LINK: (Kind.TRUNK, "ip_access_control_lists"),
    Kind.CREDENTIAL_LINK: (Kind.TRUNK, "credentials_lists"),
    Kind.NODE: (Kind.TRUNK, "origination_urls"),
    Kind.NUMBER: (Kind.TRUNK, "phone_numbers"),
}
"""What belongs to what, and under which name the SDK has it."""


def connect(settings: TwilioSettings, http: PatientClient | None = None) -> Client:
    """The SDK's client, without a request. Raises `SettingsError`."""
    if settings.account_sid is None:
        raise SettingsError(
            "twilio.account_sid is not set.",
            remedy="Copy it from the first page of Twilio's console into trunkline.toml.",
        )
    secret = settings.api_key_secret or settings.auth_token
    if secret is None:
        raise SettingsError(
            "There is no key for the Twilio account.",
            remedy="Make an API key in the console and put TRUNKLINE_TWILIO__API_KEY_SID and "
            "TRUNKLINE_TWILIO__API_KEY_SECRET into .env.",
        )
    user = settings.api_key_sid or settings.account_sid
    client = Client(
        user, secret.get_secret_value(), settings.account_sid, http_client=http or PatientClient(settings.api_url)
    )
    # The SDK would take these from the environment, and the trunk's resources live in no region but the default.
    client.region = client.edge = None
    return client


class Account:
    """`name` is the marked name of trunk and lists; `password` the credential's, where there is one."""

    def __init__(self, client: Client, name: str, record: PasswordRecord, password: str | None) -> None:
        self._account = client.api.v2010.account
        self._lists = {
            Kind.ADDRESS_LIST: self._account.sip.ip_access_control_lists,
            Kind.CREDENTIAL_LIST: self._account.sip.credential_lists,
            Kind.TRUNK: client.trunking.v1.trunks,
        }
        self._name = name
        self._record = record
        self._password = password
        self._sids: dict[Kind, str] = {}

    def check(self, wanted: Wanted) -> None:
        """What would fail half-way is refused before the first write. Raises `CarrierError`."""
        trunks = {trunk.sid: trunk for trunk in self._lists[Kind.TRUNK].list()}
        for trunk in trunks.values():
            if (trunk.domain_name or "").lower() == wanted.domain and trunk.friendly_name != self._name:
                raise CarrierError(
                    f"{wanted.domain} is the domain of the trunk {trunk.friendly_name!r}, which is not ours.",
                    remedy=f"Set another trunk.host; or, to have that trunk managed here, rename it to {self._name!r}.",
                )
        for number in wanted.numbers:
            bought = self._bought(number)
            other = trunks.get(bought.trunk_sid or "")
            if other is not None and other.friendly_name != self._name:
                raise CarrierError(
                    f"{number} is attached to the trunk {other.friendly_name!r}.",
                    remedy="Detach it there first, or remove it from twilio.numbers.",
                )

    def _bought(self, number: str) -> Any:
        for bought in self._account.incoming_phone_numbers.list(phone_number=number):
            if bought.phone_number == number:
                return bought
        raise CarrierError(
            f"{number} is not a number of this account.",
            remedy="Buy it in the console, or remove it from twilio.numbers.",
        )

    def found(self) -> tuple[Resource, ...]:
        """Everything of ours. Raises `CarrierError` when there are two of one name."""
        self._sids = {}
        return tuple(self._read())

    def _read(self) -> Iterator[Resource]:
        if addresses := self._one(Kind.ADDRESS_LIST):
            yield addresses
            for entry in self._collection(Kind.ADDRESS).list():
                # 0 and nothing mean a single address as well
                network = IPv4Network(f"{entry.ip_address}/{entry.cidr_prefix_length or 32}", strict=False)
                yield Resource(Kind.ADDRESS, str(network), sid=entry.sid)
        if credentials := self._one(Kind.CREDENTIAL_LIST):
            yield credentials
            for entry in self._collection(Kind.CREDENTIAL).list():
                yield Resource(Kind.CREDENTIAL, entry.username, {"password": self._password_at(entry)}, entry.sid)
        if trunk := self._one(Kind.TRUNK):
            yield trunk
            yield from self._on_trunk()
        else:
            # Every new trunk begins with this mode, so there is nothing to write for it.
            yield Resource(Kind.RECORDING, self._name, {"mode": NO_RECORDING})

    def _on_trunk(self) -> Iterator[Resource]:
        yield Resource(Kind.RECORDING, self._name, {"mode": self._collection(Kind.RECORDING)().fetch().mode})
        for kind, of in ((Kind.ADDRESS_LINK, Kind.ADDRESS_LIST), (Kind.CREDENTIAL_LINK, Kind.CREDENTIAL_LIST)):
            for link in self._collection(kind).list():
                name = self._name if link.sid == self._sids.get(of) else f"{link.friendly_name} ({link.sid})"
                yield Resource(kind, name, sid=link.sid)
        for node in self._collection(Kind.NODE).list():
            values = {
                "sip_url": node.sip_url,
                "priority": node.priority,
                "weight": node.weight,
                "enabled": node.enabled,
            }
            yield Resource(Kind.NODE, node.friendly_name, values, node.sid)
        for number in self._collection(Kind.NUMBER).list():
            yield Resource(Kind.NUMBER, number.phone_number, sid=number.sid)

    def _password_at(self, credential: Any) -> str:
        known = self._password is not None and self._record.fits(
            credential.sid, str(credential.date_updated), self._password
        )
        return KNOWN_PASSWORD if known else UNKNOWN_PASSWORD

    def _one(self, kind: Kind) -> Resource | None:
        ours = [item for item in self._lists[kind].list() if item.friendly_name == self._name]
        if len(ours) > 1:
            raise CarrierError(
                f"There are {len(ours)} of the name {self._name!r} ({kind}): {', '.join(item.sid for item in ours)}.",
                remedy="Rename or delete all but one in Twilio's console.",
            )
        if not ours:
            return None
        item = ours[0]
        self._sids[kind] = item.sid
        values = (
            {"domain": item.domain_name, "secure": item.secure, "transfer": item.transfer_mode}
            if kind is Kind.TRUNK
            else {}
        )
        return Resource(kind, item.friendly_name, values, item.sid)

    def write(self, step: Step) -> None:
        """Does one step, after `found`. Raises `CarrierError`."""
        match step.action:
            case Action.CREATE:
                self._create(step.resource)
            case Action.UPDATE:
                self._update(step.resource)
            case Action.DELETE:
                self._delete(step.resource)

    def _create(self, new: Resource) -> None:
        made = self._collection(new.kind).create(**self._for_new(new))
        if new.kind in LISTED:
            self._sids[new.kind] = made.sid
        elif new.kind is Kind.CREDENTIAL:
            self._remember(made)

    def _for_new(self, new: Resource) -> dict[str, Any]:
        """What `create` wants to know, by the SDK's names."""
        match new.kind:
            case Kind.ADDRESS:
                address, prefix = new.name.split("/")
                return {"friendly_name": new.name, "ip_address": address, "cidr_prefix_length": int(prefix)}
            case Kind.CREDENTIAL:
                return {"username": new.name, "password": self._password}
            case Kind.ADDRESS_LINK:
                return {"ip_access_control_list_sid": self._sids[Kind.ADDRESS_LIST]}
            case Kind.CREDENTIAL_LINK:
                return {"credential_list_sid": self._sids[Kind.CREDENTIAL_LIST]}
            case Kind.NUMBER:
                return {"phone_number_sid": self._bought(new.name).sid}
            case _:
                return {"friendly_name": new.name, **_values(new)}

    def _update(self, changed: Resource) -> None:
        collection = self._collection(changed.kind)
        if changed.kind is Kind.RECORDING:
            collection().update(mode=changed.values["mode"])  # one a trunk, without an id
        elif changed.kind is Kind.CREDENTIAL:
            self._remember(collection(changed.sid).update(password=self._password))
        else:
            collection(changed.sid).update(**_values(changed))

    def _delete(self, gone: Resource) -> None:
        self._collection(gone.kind)(gone.sid).delete()
        if gone.kind is Kind.CREDENTIAL:
            self._record.forget(gone.sid)

    def _collection(self, kind: Kind) -> Any:
        """The SDK's list that a resource of this kind is in."""
        if kind in self._lists:
            return self._lists[kind]
        owner, attribute = INSIDE[kind]
        return getattr(self._lists[owner](self._sids[owner]), attribute)

    def _remember(self, credential: Any) -> None:
        assert self._password is not None
        self._record.remember(credential.sid, str(credential.date_updated), self._password)


def _values(resource: Resource) -> dict[str, Any]:
    """Its values by the SDK's names."""
    names = {"domain": "domain_name", "transfer": "transfer_mode"}
    return {names.get(key, key): value for key, value in resource.values.items()}
