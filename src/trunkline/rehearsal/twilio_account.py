"""The state of a Twilio account, and what its REST API answers: the part behind trunks. No network in here.

After Twilio's published OpenAPI files (twilio/twilio-oai: api v2010, trunking v1) and its error documentation. What no
source confirms says so with `[?]`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from trunkline.rehearsal.dialling_permissions import ROOT, SETTINGS, DiallingPermissions
from trunkline.rehearsal.twilio_lists import page, wanted
from trunkline.rehearsal.twilio_shapes import ACCOUNTS, Form, Record, Refused, Shape, shape_of

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_ACCOUNTS = Shape(ACCOUNTS, "accounts", "AC", filters={"Status": ("status", "is")})


@dataclass
class TwilioAccount:
    """`users` are the keys that open it: user → password. Records are kept by the path of their collection."""

    sid: str = "AC" + "0" * 31 + "1"
    users: dict[str, str] = field(default_factory=dict)
    standard_keys: set[str] = field(default_factory=set)
    """Those of `users` that may not read the account itself, as standard API keys may not."""
    status: str = "active"
    kind: str = "Full"
    balance: str = "19.32"
    taken_domains: set[str] = field(default_factory=set)
    """Termination domains somebody else has, or that were given up lately."""
    blocked_numbers: set[str] = field(default_factory=set)
    """Whom the carrier lets nobody call."""
    calls_per_second: float | None = 1.0
    """Of each trunk; no part of the REST API."""
    dialling: DiallingPermissions = field(default_factory=DiallingPermissions)
    passwords: dict[str, str] = field(default_factory=dict)
    """Credential id → password: what the SIP side checks, and no answer holds."""
    records: dict[str, list[Record]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _made: int = 0
    _seconds: int = 0

    def buy(self, number: str) -> Record:
        """A number of the account, as a purchase in the console."""
        return self.add(f"{ACCOUNTS}/{self.sid}/IncomingPhoneNumbers", {"PhoneNumber": number, "FriendlyName": number})

    def verify(self, number: str) -> Record:
        """A caller ID that was verified."""
        return self.add(f"{ACCOUNTS}/{self.sid}/OutgoingCallerIds", {"PhoneNumber": number, "FriendlyName": number})

    def all(self, ending: str) -> list[Record]:
        """Every record of the collections whose path ends so."""
        return [record for path, records in self.records.items() if path.endswith(ending) for record in records]

    def answer(self, method: str, path: str, form: Form, query: Mapping[str, str]) -> tuple[int, Record | None]:
        """Status and body of a request that has passed authentication. Raises `Refused`."""
        with self.lock:
            path = path.removesuffix(".json") if path.startswith(ACCOUNTS) else path
            if (of_account := self._about_account(method, path, form, query)) is not None:
                return 200, of_account
            if path == SETTINGS:
                return self.dialling.settings(method, form)
            if path.startswith(ROOT):
                return self.dialling.answer(method, path, form, query)
            if path.endswith("/Recording"):
                return 200, self._recording(method, path.removesuffix("/Recording"), form)
            if shape := shape_of(path):
                return self._answer_list(shape, method, path, form, query)
            return self._answer_one(method, path, form)

    def _answer_list(
        self, shape: Shape, method: str, path: str, form: Form, query: Mapping[str, str]
    ) -> tuple[int, Record]:
        self._check_owner(path)
        if method == "POST" and shape.name == "outgoing_caller_ids":
            return 200, self._validation(shape, form)
        if method == "POST":
            return 201, self.add(path, form)
        found = [self._shown(record) for record in self.records.get(path, [])]
        return 200, page(shape, path, wanted(shape, found, query), query)

    def _answer_one(self, method: str, path: str, form: Form) -> tuple[int, Record | None]:
        collection, _, sid = path.rpartition("/")
        shape = shape_of(collection)
        record = next((r for r in self.records.get(collection, []) if r["sid"] == sid), None)
        if shape is None or record is None:
            raise Refused.unknown(path)
        if method != "GET" and not shape.writable:
            raise Refused.not_allowed()
        if method == "DELETE":
            self._remove(collection, record)
            return 204, None
        if method == "POST":
            self._change(shape, record, form)
        return 200, self._shown(record)

    def _about_account(self, method: str, path: str, form: Form, query: Mapping[str, str]) -> Record | None:
        here = f"{ACCOUNTS}/{self.sid}"
        if path == f"{here}/Balance":
            return {"account_sid": self.sid, "balance": self.balance, "currency": "USD"}
        if path not in (ACCOUNTS, here):
            return None
        if method == "POST":
            self.status = form.get("Status", self.status)
        date = format_datetime(BEGINNING)
        account = {
            "auth_token": "",
            "date_created": date,
            "date_updated": date,
            "friendly_name": "Stand-in",
            "owner_account_sid": self.sid,
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {},
            "type": self.kind,
            "uri": f"{here}.json",
        }
        return account if path == here else page(_ACCOUNTS, path, wanted(_ACCOUNTS, [account], query), query)

    def _validation(self, shape: Shape, form: Form) -> Record:
        """Twilio calls the number and wants a code pressed; `verify` stands for that."""
        shape.check(form)
        number = form["PhoneNumber"]
        self._made += 1
        return {
            "account_sid": self.sid,
            "call_sid": f"CA{self._made:032x}",
            "friendly_name": form.get("FriendlyName", number),
            "phone_number": number,
            "validation_code": f"{self._made:06}",
        }

    def note(self, path: str, values: Record) -> Record:
        """A record of what happened, which no request makes: the one that is kept, newest first in its list."""
        shape = shape_of(path)
        assert shape is not None, path
        with self.lock:
            self._made += 1
            sid = f"{shape.prefix}{self._made:032x}"
            kept = shape.fixed(path, sid, self.sid) | dict(shape.defaults) | values
            kept |= {"sid": sid, "account_sid": self.sid}
            self.records.setdefault(path, []).insert(0, kept)
            return kept

    def add(self, path: str, form: Form) -> Record:
        """A new record, as by POST to its collection. Raises `Refused`."""
        shape = shape_of(path)
        assert shape is not None, path
        if not shape.writable:
            raise Refused.not_allowed()
        shape.check(form)
        if shape.link_to:
            record = dict(self._linked(shape, path, form))
        else:
            self._made += 1
            sid = f"{shape.prefix}{self._made:032x}"
            created = self._now(shape)
            record = {**shape.fixed(path, sid, self.sid), **shape.defaults, **shape.values(form)}
            if "phone_number" in record:
                record.setdefault("friendly_name", record["phone_number"])
            record |= {"sid": sid, "account_sid": self.sid, "date_created": created, "date_updated": created}
        self._check_unique(shape, path, record, form)
        self.records.setdefault(path, []).append(record)
        if shape.name == "credentials":
            self.passwords[record["sid"]] = form["Password"]
        return self._shown(record)

    def _linked(self, shape: Shape, path: str, form: Form) -> Record:
        """A link is the other record, seen from the trunk."""
        sid, trunk = form[shape.needed[0]], path.split("/")[3]
        target = next((r for r in self.all(shape.link_to) if r["sid"] == sid), None)
        if target is None:
            raise Refused.unknown(sid)
        if shape.name == "phone_numbers":
            target["trunk_sid"] = trunk
        created = self._now(shape)
        seen = shape.fixed(path, sid, self.sid) | {"date_created": created, "date_updated": created, "sid": sid}
        return seen | {key: target[key] for key in shape.taken_over} | {"account_sid": self.sid, "trunk_sid": trunk}

    def _change(self, shape: Shape, record: Record, form: Form) -> None:
        if shape.link_to:
            raise Refused.not_allowed()
        shape.check(form, new=False)
        self._check_domain(form, record)
        record |= shape.values(form)
        record["date_updated"] = self._now(shape)
        if shape.name == "credentials" and "Password" in form:
            self.passwords[record["sid"]] = form["Password"]

    def _remove(self, collection: str, record: Record) -> None:
        sid = record["sid"]
        shape = shape_of(collection)
        assert shape is not None
        in_use = any(sid == link["sid"] for link in self.all(f"/{collection.rpartition('/')[2]}") if link is not record)
        if shape.name in ("ip_access_control_lists", "credential_lists") and not shape.link_to and in_use:
            raise Refused(409, 20409, f"{sid} is in use by a trunk")  # [?] whether Twilio minds
        self.records[collection].remove(record)
        if shape.name == "phone_numbers":
            for number in self.all("/IncomingPhoneNumbers"):
                number["trunk_sid"] = None if number["sid"] == sid else number["trunk_sid"]
        if shape.name == "trunks":
            self.taken_domains |= {record["domain_name"]} - {None}
            for number in self.all("/IncomingPhoneNumbers"):
                number["trunk_sid"] = None if number["trunk_sid"] == sid else number["trunk_sid"]
        for path in [path for path in self.records if path.startswith(f"{collection}/{sid}/")]:
            del self.records[path]

    def _check_unique(self, shape: Shape, path: str, record: Record, form: Form) -> None:
        others = self.records.get(path, [])
        key = {"credentials": "username", "ip_access_control_lists": "sid", "credential_lists": "sid"}.get(shape.name)
        if shape.name == "phone_numbers":
            key = "sid"
        if key and any(other[key] == record[key] for other in others):
            raise Refused(409, 20409, f"{record[key]} is there already")  # [?] the code
        self._check_domain(form, record)

    def _check_domain(self, form: Form, record: Record) -> None:
        if "DomainName" not in form:
            return
        domain = form["DomainName"]
        if not re.fullmatch(r"[a-z0-9-]+\.pstn\.twilio\.com", domain):
            raise Refused(400, 21245, "Trunk domain must end with pstn.twilio.com")
        ours = {trunk["domain_name"] for trunk in self.records.get("/v1/Trunks", []) if trunk["sid"] != record["sid"]}
        if domain in ours | self.taken_domains:
            raise Refused(400, 21248, "Trunk Domain already taken")

    def _check_owner(self, path: str) -> None:
        """A collection inside a record is there as long as that record."""
        collection, _, sid = path.rpartition("/")[0].rpartition("/")
        if shape_of(collection) and not any(r["sid"] == sid for r in self.records.get(collection, [])):
            raise Refused.unknown(path)

    def _shown(self, record: Record) -> Record:
        """A trunk tells how it is authenticated, in no fixed order."""
        if "auth_type_set" not in record:
            return dict(record)
        links = {"IP_ACL": "IpAccessControlLists", "CREDENTIAL_LIST": "CredentialLists"}
        kinds = [name for name, path in links.items() if self.records.get(f"/v1/Trunks/{record['sid']}/{path}")]
        return {**record, "auth_type": ", ".join(kinds), "auth_type_set": kinds[::-1]}

    def _recording(self, method: str, trunk: str, form: Form) -> Record:
        collection, _, sid = trunk.rpartition("/")
        found = next((r for r in self.records.get(collection, []) if r["sid"] == sid), None)
        if found is None:
            raise Refused.unknown(trunk)
        if method == "POST":
            found["recording"] = found["recording"] | {k.lower(): v for k, v in form.items() if k in ("Mode", "Trim")}
        return dict(found["recording"])

    def _now(self, shape: Shape) -> str:
        """A clock that moves with every write."""
        self._seconds += 1
        moment = BEGINNING + timedelta(seconds=self._seconds)
        return format_datetime(moment) if shape.old_style else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
