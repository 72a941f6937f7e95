"""What the collections of Twilio's REST API hold: fields, what a POST needs, ids. Data, after its OpenAPI files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ACCOUNTS = "/2010-04-01/Accounts"
TRUNKING = "https://trunking.twilio.com"
MONITOR = "https://monitor.twilio.com"
Form = Mapping[str, str]
Record = dict[str, Any]


class Refused(Exception):
    """An answer of 4xx, with Twilio's error code."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "code": code,
            "message": message,
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        }

    @classmethod
    def unknown(cls, what: str) -> Refused:
        return cls(404, 20404, f"The requested resource {what} was not found")

    @classmethod
    def not_allowed(cls) -> Refused:
        return cls(405, 20004, "Method not allowed")


@dataclass(frozen=True)
class Shape:
    """One kind of collection. Form names are the fields' in CamelCase."""

    path: str
    """Pattern of the collection's path, without `.json`."""
    name: str
    """The list's key in an answer."""
    prefix: str
    needed: tuple[str, ...] = ()
    """What a POST must have."""
    taken: tuple[str, ...] = ()
    """What else it may have."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    link_to: str = ""
    """End of the path of the collection whose records are linked here."""
    taken_over: tuple[str, ...] = ("friendly_name",)
    host: str = TRUNKING
    """Where the new style's addresses lead."""
    filters: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Name in a query → field, and how they are compared: `is`, `part`, `from`, `until`."""
    only_alone: tuple[str, ...] = ()
    """Fields that lists leave out."""
    writable: bool = True

    @property
    def old_style(self) -> bool:
        return self.path.startswith(ACCOUNTS)

    def check(self, form: Form, *, new: bool = True) -> None:
        """Raises `Refused` for what is missing, or out of its range."""
        for name in self.needed if new else ():
            if not form.get(name):
                raise Refused(400, 20001, f"Missing required parameter {name} in the post body")
        password = form.get("Password")
        kinds = ("[a-z]", "[A-Z]", r"\d", ".{12}")
        if password is not None and not all(re.search(kind, password) for kind in kinds):
            raise Refused(400, 20001, "Password is too weak")  # [?] the code
        for name in ("Priority", "Weight"):
            if name in form and not 0 <= int(form[name]) <= 65535:
                raise Refused(400, 20001, f"{name} must be between 0 and 65535")

    def values(self, form: Form) -> dict[str, Any]:
        known = {*self.needed, *self.taken} - {"Password"}
        return {_field(name): _typed(name, value) for name, value in form.items() if name in known}

    def fixed(self, path: str, sid: str, account: str) -> dict[str, Any]:
        """What follows from where a record is."""
        here = f"{path}/{sid}"
        if not self.old_style:
            found: Record = {"url": self.host + here}
            parts = path.split("/")
            if len(parts) > 3:
                found["trunk_sid"] = parts[3]
            if self.name == "phone_numbers":
                found["links"] = {
                    "phone_number": f"https://api.twilio.com{ACCOUNTS}/{account}/IncomingPhoneNumbers/{sid}"
                }
            if self.name == "trunks":
                ends = ("OriginationUrls", "CredentialLists", "IpAccessControlLists", "PhoneNumbers", "Recording")
                found["links"] = {_field(end): f"{TRUNKING}{here}/{end}" for end in ends}
            return found
        found = {"uri": f"{here}.json"}
        owner = path.split("/")[-2]
        if self.name == "ip_addresses":
            found["ip_access_control_list_sid"] = owner
        elif self.name == "calls":
            found["subresource_uris"] = {"notifications": f"{here}/Notifications.json", "events": f"{here}/Events.json"}
        elif self.name == "credentials":
            found["credential_list_sid"] = owner
        elif self.name in ("ip_access_control_lists", "credential_lists"):
            end = "IpAddresses" if self.name.startswith("ip") else "Credentials"
            found["subresource_uris"] = {_field(end): f"{here}/{end}.json"}
        return found


_TELEPHONE: Mapping[str, Any] = {
    "address_requirements": "none",
    "api_version": "2010-04-01",
    "beta": False,
    "capabilities": {"mms": True, "sms": True, "voice": True, "fax": False},
    "sms_application_sid": None,
    "sms_fallback_method": "POST",
    "sms_fallback_url": "",
    "sms_method": "POST",
    "sms_url": "",
    "status_callback": "",
    "status_callback_method": "POST",
    "trunk_sid": None,
    "voice_application_sid": None,
    "voice_caller_id_lookup": False,
    "voice_fallback_method": "POST",
    "voice_fallback_url": None,
    "voice_method": "POST",
    "voice_url": None,
}
_BY_NUMBER = {"PhoneNumber": ("phone_number", "part"), "FriendlyName": ("friendly_name", "is")}
_OLD = ACCOUNTS + r"/AC\w+"
_ON_TRUNK = r"/v1/Trunks/TK\w+"

SHAPES: tuple[Shape, ...] = (
    Shape(f"{_OLD}/SIP/IpAccessControlLists", "ip_access_control_lists", "AL", ("FriendlyName",)),
    Shape(
        rf"{_OLD}/SIP/IpAccessControlLists/AL\w+/IpAddresses",
        "ip_addresses",
        "IP",
        ("FriendlyName", "IpAddress"),
        ("CidrPrefixLength",),
        {"cidr_prefix_length": 32},
    ),
    Shape(f"{_OLD}/SIP/CredentialLists", "credential_lists", "CL", ("FriendlyName",)),
    Shape(rf"{_OLD}/SIP/CredentialLists/CL\w+/Credentials", "credentials", "CR", ("Username", "Password")),
    Shape(
        f"{_OLD}/IncomingPhoneNumbers",
        "incoming_phone_numbers",
        "PN",
        ("PhoneNumber",),
        ("FriendlyName",),
        {
            **_TELEPHONE,
            "address_sid": None,
            "bundle_sid": None,
            "emergency_address_sid": None,
            "emergency_address_status": "unregistered",
            "emergency_status": "Inactive",
            "identity_sid": None,
            "origin": "twilio",
            "status": "in-use",
            "type": "local",
            "voice_receive_mode": "voice",
        },
        filters=_BY_NUMBER,
    ),
    Shape(
        f"{_OLD}/OutgoingCallerIds",
        "outgoing_caller_ids",
        "PN",
        ("PhoneNumber",),
        ("FriendlyName",),
        filters=_BY_NUMBER,
    ),
    Shape(
        f"{_OLD}/Calls",
        "calls",
        "CA",
        defaults=dict.fromkeys(
            ("parent_call_sid", "phone_number_sid", "price", "answered_by", "forwarded_from", "group_sid")
        )
        | {"price_unit": "USD", "api_version": "2010-04-01", "caller_name": None, "queue_time": "0"},
        filters={
            "To": ("to", "is"),
            "From": ("from", "is"),
            "Status": ("status", "is"),
            "StartTime>": ("start_time", "from"),
            "StartTime<": ("start_time", "until"),
        },
        writable=False,
    ),
    Shape(
        "/v1/Alerts",
        "alerts",
        "NO",
        defaults=dict.fromkeys(
            ("request_method", "request_url", "request_headers", "response_body", "response_headers", "service_sid")
        )
        | {"api_version": "2010-04-01"},
        host=MONITOR,
        filters={
            "LogLevel": ("log_level", "is"),
            "StartDate": ("date_generated", "from"),
            "EndDate": ("date_generated", "until"),
        },
        only_alone=("request_variables", "request_headers", "response_body", "response_headers"),
        writable=False,
    ),
    Shape(
        "/v1/Trunks",
        "trunks",
        "TK",
        (),
        (
            "FriendlyName",
            "DomainName",
            "DisasterRecoveryUrl",
            "DisasterRecoveryMethod",
            "TransferMode",
            "Secure",
            "CnamLookupEnabled",
            "TransferCallerId",
        ),
        {
            "friendly_name": None,
            "domain_name": None,
            "disaster_recovery_method": None,
            "disaster_recovery_url": None,
            "secure": False,
            "recording": {"mode": "do-not-record", "trim": "do-not-trim"},
            "transfer_mode": "disable-all",
            "transfer_caller_id": "from-transferee",
            "cnam_lookup_enabled": False,
            "auth_type": "",
            "symmetric_rtp_enabled": False,
            "auth_type_set": [],
        },
    ),
    Shape(
        f"{_ON_TRUNK}/IpAccessControlLists",
        "ip_access_control_lists",
        "AL",
        ("IpAccessControlListSid",),
        link_to="/SIP/IpAccessControlLists",
    ),
    Shape(
        f"{_ON_TRUNK}/CredentialLists",
        "credential_lists",
        "CL",
        ("CredentialListSid",),
        link_to="/SIP/CredentialLists",
    ),
    Shape(
        f"{_ON_TRUNK}/OriginationUrls",
        "origination_urls",
        "OU",
        ("Weight", "Priority", "Enabled", "FriendlyName", "SipUrl"),
    ),
    Shape(
        f"{_ON_TRUNK}/PhoneNumbers",
        "phone_numbers",
        "PN",
        ("PhoneNumberSid",),
        link_to="/IncomingPhoneNumbers",
        taken_over=("friendly_name", "phone_number", *_TELEPHONE),
    ),
)


def shape_of(path: str) -> Shape | None:
    """Of the collection at this path."""
    return next((shape for shape in SHAPES if re.fullmatch(shape.path, path)), None)


def _field(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _typed(name: str, value: str) -> Any:
    if name in ("Priority", "Weight", "CidrPrefixLength"):
        return int(value)
    if name in ("Enabled", "Secure", "CnamLookupEnabled"):
        return value.lower() == "true"
    return value
