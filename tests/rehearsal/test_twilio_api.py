"""The stand-in's answers have the shape that Twilio publishes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trunkline.rehearsal.termination import ANSWERS, Cause
from trunkline.rehearsal.twilio_account import TwilioAccount
from trunkline.rehearsal.twilio_calls import TwilioCalls
from trunkline.rehearsal.twilio_shapes import Refused
from trunkline.rehearsal.twilio_trunks import TwilioTrunks

PUBLISHED = Path(__file__).parents[3] / "shared/data/twilio-openapi"
OLD = "/2010-04-01/Accounts"


@pytest.fixture
def account() -> TwilioAccount:
    return TwilioAccount()


def build(account: TwilioAccount) -> list[tuple[str, str, str, dict[str, Any]]]:
    """One of everything: (file, path in it, method, answer)."""
    seen: list[tuple[str, str, str, dict[str, Any]]] = []
    sip, old = f"{OLD}/{account.sid}/SIP", "api_v2010_trunk_paths"

    def ask(
        file: str, template: str, method: str, path: str, form: dict[str, str], *, expected: int = 200
    ) -> dict[str, Any]:
        status, body = account.answer(method, path, form, {})
        assert (status, body is None) == (expected, False)
        assert body is not None
        seen.append((file, template, method.lower(), body))
        return body

    def make(file: str, template: str, path: str, form: dict[str, str]) -> dict[str, Any]:
        """Made, changed or fetched, and listed."""
        ending = ".json" if file == old else ""
        made = ask(file, template + ending, "POST", path + ending, form, expected=201)
        one = f"{template}/{{Sid}}{ending}"
        ask(file, one, "GET", f"{path}/{made['sid']}{ending}", {})
        ask(file, template + ending, "GET", path + ending, {})
        return made

    base = f"{OLD}/{{AccountSid}}"
    acl = make(old, f"{base}/SIP/IpAccessControlLists", f"{sip}/IpAccessControlLists", {"FriendlyName": "a"})
    make(
        old,
        f"{base}/SIP/IpAccessControlLists/{{IpAccessControlListSid}}/IpAddresses",
        f"{sip}/IpAccessControlLists/{acl['sid']}/IpAddresses",
        {"FriendlyName": "x", "IpAddress": "203.0.113.7", "CidrPrefixLength": "32"},
    )
    users = make(old, f"{base}/SIP/CredentialLists", f"{sip}/CredentialLists", {"FriendlyName": "c"})
    make(
        old,
        f"{base}/SIP/CredentialLists/{{CredentialListSid}}/Credentials",
        f"{sip}/CredentialLists/{users['sid']}/Credentials",
        {"Username": "u", "Password": "Long-Enough-12"},
    )
    numbers = f"{OLD}/{account.sid}/IncomingPhoneNumbers"
    number = make(old, f"{base}/IncomingPhoneNumbers", numbers, {"PhoneNumber": "+14155550111"})
    account.verify("+14155550113")
    caller_ids = f"{OLD}/{account.sid}/OutgoingCallerIds.json"
    ask(old, f"{base}/OutgoingCallerIds.json", "POST", caller_ids, {"PhoneNumber": "+14155550114"})
    ask(old, f"{base}/OutgoingCallerIds.json", "GET", caller_ids, {})
    ask(old, f"{OLD}.json", "GET", f"{OLD}.json", {})
    ask(old, f"{OLD}/{{Sid}}.json", "POST", f"{OLD}/{account.sid}.json", {"Status": "active"})
    ask(old, f"{base}/Balance.json", "GET", f"{OLD}/{account.sid}/Balance.json", {})
    ask(old, f"{OLD}/{{Sid}}.json", "GET", f"{OLD}/{account.sid}.json", {})

    new, trunks = "trunking_v1", "/v1/Trunks"
    trunk = make(new, trunks, trunks, {"FriendlyName": "t", "DomainName": "a.pstn.twilio.com"})
    here, there = f"{trunks}/{trunk['sid']}", f"{trunks}/{{TrunkSid}}"
    make(new, f"{there}/IpAccessControlLists", f"{here}/IpAccessControlLists", {"IpAccessControlListSid": acl["sid"]})
    make(new, f"{there}/CredentialLists", f"{here}/CredentialLists", {"CredentialListSid": users["sid"]})
    make(new, f"{there}/PhoneNumbers", f"{here}/PhoneNumbers", {"PhoneNumberSid": number["sid"]})
    node = {"FriendlyName": "n", "SipUrl": "sip:pbx.example", "Priority": "1", "Weight": "0", "Enabled": "true"}
    make(new, f"{there}/OriginationUrls", f"{here}/OriginationUrls", node)
    ask(new, f"{there}/Recording", "GET", f"{here}/Recording", {})
    ask(new, f"{there}/Recording", "POST", f"{here}/Recording", {"Mode": "record-from-answer"})
    ask(new, f"{trunks}/{{Sid}}", "POST", here, {"Secure": "true"})

    rules = TwilioTrunks(account).trunk("a.pstn.twilio.com")
    assert rules is not None
    TwilioCalls(account).refused(rules, "+14155550123", "+14155550111", ANSWERS[Cause.NOT_IN_ACL])
    TwilioCalls(account).over(TwilioCalls(account).began(rules, "+14155550123", "+14155550111"), "answered", 3.2)
    TwilioCalls(account).began(rules, "+14155550111", "+14155550177", "trunking-originating")
    calls = f"{OLD}/{account.sid}/Calls"
    for call in ask(old, f"{base}/Calls.json", "GET", f"{calls}.json", {})["calls"]:
        ask(old, f"{base}/Calls/{{Sid}}.json", "GET", f"{calls}/{call['sid']}.json", {})
    (alert,) = ask("monitor_v1", "/v1/Alerts", "GET", "/v1/Alerts", {})["alerts"]
    ask("monitor_v1", "/v1/Alerts/{Sid}", "GET", f"/v1/Alerts/{alert['sid']}", {})

    voice, countries = "voice_v1", "/v1/DialingPermissions/Countries"
    ask(voice, countries, "GET", countries, {})
    ask(voice, f"{countries}/{{IsoCode}}", "GET", f"{countries}/US", {})
    prefixes = "HighRiskSpecialPrefixes"
    ask(voice, f"{countries}/{{IsoCode}}/{prefixes}", "GET", f"{countries}/LV/{prefixes}", {})
    bulk = "/v1/DialingPermissions/BulkCountryUpdates"
    ask(
        voice,
        bulk,
        "POST",
        bulk,
        {"UpdateRequest": '[{"iso_code": "GB", "low_risk_numbers_enabled": true}]'},
        expected=201,
    )
    ask(voice, "/v1/Settings", "GET", "/v1/Settings", {})
    ask(voice, "/v1/Settings", "POST", "/v1/Settings", {"DialingPermissionsInheritance": "false"}, expected=202)
    return seen


def test_answers_are_those_of_the_published_specification(account: TwilioAccount) -> None:
    if not PUBLISHED.exists():
        pytest.skip("Twilio's OpenAPI files are not beside the project")
    for file, path, method, answer in build(account):
        specification = json.loads((PUBLISHED / f"{file}.json").read_text(encoding="utf-8"))
        responses = specification["paths"][path][method]["responses"]
        ok = next(answer for status, answer in responses.items() if status.startswith("2"))
        schema = ok["content"]["application/json"]["schema"]
        faults = list(mismatches(answer, schema, specification))
        assert not faults, f"{method} {path}: {faults}"


def mismatches(value: Any, schema: dict[str, Any], specification: dict[str, Any], at: str = "") -> list[str]:
    """Fields too many and too few, and wrong types, patterns and values. Of JSON Schema, what those files use."""
    if "$ref" in schema:
        schema = specification["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if value is None:
        return [] if schema.get("nullable") else [f"{at} is null"]
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{at}: {value!r} is none of {schema['enum']}"]
    types: dict[str, type | tuple[type, ...]] = {
        "string": str,
        "integer": int,
        "boolean": bool,
        "object": dict,
        "array": list,
        "number": (int, float),
    }
    if schema.get("type") and not isinstance(value, types[schema["type"]]):
        return [f"{at}: {value!r} is no {schema['type']}"]
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return [f"{at}: {value!r} is not as {schema['pattern']}"]
    faults: list[str] = []
    if isinstance(value, list):
        for item in value:
            faults += mismatches(item, schema.get("items", {}), specification, f"{at}[]")
    if isinstance(value, dict) and "properties" in schema:
        faults += [f"{at}.{name} differs" for name in value.keys() ^ schema["properties"].keys()]
        for name in value.keys() & schema["properties"].keys():
            faults += mismatches(value[name], schema["properties"][name], specification, f"{at}.{name}")
    return faults


def post(path: str, **form: str) -> Callable[[TwilioAccount], object]:
    return lambda account: account.answer("POST", path.replace("AC", account.sid), form, {})


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (post("/v1/Trunks", DomainName="acme.example.com"), 400, 21245),
        (post("/v1/Trunks", DomainName="taken.pstn.twilio.com"), 400, 21248),
        (post("/v1/Trunks/TK1/OriginationUrls", FriendlyName="x"), 404, 20404),
        (post(f"{OLD}/AC/SIP/CredentialLists.json"), 400, 20001),
        (lambda account: account.answer("GET", "/v1/Trunks/TK1", {}, {}), 404, 20404),
        (lambda account: account.answer("GET", "/v1/Nonsense", {}, {}), 404, 20404),
        (lambda account: account.answer("GET", "/v1/DialingPermissions/Countries/XX", {}, {}), 404, 20404),
        (lambda account: account.answer("GET", "/v1/Alerts", {}, {"Page": "x"}), 400, 20001),
        (post("/v1/DialingPermissions/BulkCountryUpdates", UpdateRequest="US"), 400, 20001),
        (post("/v1/Alerts"), 405, 20004),
        (post(f"{OLD}/AC/Calls.json", To="+14155550123"), 405, 20004),
    ],
)
def test_refusals(account: TwilioAccount, request_: Callable[[TwilioAccount], object], status: int, code: int) -> None:
    account.taken_domains.add("taken.pstn.twilio.com")
    with pytest.raises(Refused) as refused:
        request_(account)
    assert (refused.value.status, refused.value.body["code"]) == (status, code)


def test_no_answer_holds_a_password(account: TwilioAccount) -> None:
    assert "Long-Enough-12" not in json.dumps([answer for *_, answer in build(account)])
    assert list(account.passwords.values()) == ["Long-Enough-12"]


def test_a_deleted_trunk_lets_its_numbers_go_and_keeps_its_domain(account: TwilioAccount) -> None:
    build(account)
    (trunk,) = account.all("/v1/Trunks")
    account.answer("DELETE", f"/v1/Trunks/{trunk['sid']}", {}, {})
    assert account.all("/PhoneNumbers") == []
    assert [number["trunk_sid"] for number in account.all("/IncomingPhoneNumbers")] == [None]
    with pytest.raises(Refused, match="taken"):
        account.answer("POST", "/v1/Trunks", {"DomainName": "a.pstn.twilio.com"}, {})
