"""Requests that are hostile or unlawful: what is asked of which house (`test_hostile_requests.py`), and the answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

US = "+14155550100"


@dataclass(frozen=True)
class Row:
    """A request to a house, and what has to be answered."""

    house: str
    body: Any
    status: int
    code: str
    headers: dict[str, str] = field(default_factory=dict)


def rows(house: str, status: int, code: str, bodies: Iterable[Any]) -> list[Row]:
    return [Row(house, body, status, code) for body in bodies]


def to(*numbers: str) -> list[dict[str, str]]:
    return [{"phoneNumber": number} for number in numbers]


def with_field(name: str, *values: Any) -> list[dict[str, Any]]:
    return [{"phoneNumber": US, name: value} for value in values]


NO_NUMBER = to(
    f"{US}&PJSIP/trunk/sip:+19005550100@trunk", f"{US},30,D(1)", f"{US}@evil.example", f"sip:{US}@evil.example",
    f"tel:{US}", f"{US};phone-context=x", f"{US}?Replaces=1", f"{US}|{US}", f"{US}\r\nVia: SIP/2.0/UDP evil.example",
    f"{US}\nRoute: <sip:evil.example>", f"{US}\x00", f"\x00{US}", f"{US}\t1", f"{US}`id`", f"{US}$(id)", f"{US};ls",
    f"{US}' OR '1'='1", f"{US}\"); DROP TABLE calls;--", "${CALLERID(num)}", "${SHELL(id)}", "PJSIP/100",
    "Local/s@default", "SIP/trunk/19005550100", "../../etc/passwd", "%2B14155550100", "＋14155550100",
    "+1415555\u0660\u0661\u0660\u0660", "+1\u200b4155550100", "\u202e+14155550100", "+1 415 555 CALL", "+1415555010O",
    "*67+14155550100", "#31#+14155550100", "+14155550100#", "+14155550100*1", "+14155550100w1", "+14155550100p1",
    "+14155550100 x5", "+14155550100 ext. 5", "+", "++14155550100", "0014155550100", "01114155550100", "4155550100",
    "5550100", "+0", "+01234567890", "+9990000000000", "+1415555", "+141555501000000", "+1" * 16, "-1", "1e10",
    "null", "anonymous", "+1_415_555_0100", "   ", "+1415555\u00a00100x", "1900", "46000",
)  # fmt: skip
EMERGENCY = to(
    "911", "112", "999", "000", "110", "119", "+911", "+1911", "+1 911", "+1 (911)", "+44999", "+44 112", "+91112",
    "+49110", "+33112", "+353999",
)  # fmt: skip
DENIED = to(
    "+19005550100", "+1 900 555 0199", "+19769761234", "+15005550006", "+15335550100", "+449098790000", "+449112345678",
    "+447012345678", "+447640123456", "+33899123456", "+4919001234567", "+881631555555",
    "+881612345678", "+8816214001234", "+88216123456", "+88213123456", "+882161234567", "+883510001234",
    "+870773111632", "+870600123456", "+979123456789", "+13335550100", "+14115550100", "+19115550100", "+15555550100",
)  # fmt: skip
ABROAD = to(
    "+18095550123", "+18295550123", "+18495550123", "+18765550123", "+16585550123", "+12684641234", "+12462501234",
    "+14413701234", "+12843001234", "+13453231234", "+17672251234", "+14734031234", "+16644923456", "+17215205678",
    "+17582845678", "+17845550123", "+18682911234", "+16492311234", "+18697652917", "+14165550123", "+16045550123",
    "+15145550123", "+17875550123", "+16715550123", "+16705550123", "+13405550123", "+442079460123", "+447400123456",
    "+919876543210", "+37167000000", "+37129000000", "+25271123456", "+23225123456", "+5351234567", "+8501921234567",
    "+79161234567", "+861012345678", "+963111234567", "+994123123456", "+80012345678",
)  # fmt: skip
NO_AGENT = with_field(
    "context",
    "nobody",
    "default",
    "from-internal",
    "../me",
    "me,s,1",
    "me)",
    "${AGENT}",
    "ME",
    "me\u200b",
    "_X.",
    "me;x",
)
NO_CALLER_ID = with_field("callerId", "+14155550123", "+19005550100", "+442079460123", "+18095550123", "+12025550143")
BAD_CALLER_ID = with_field(
    "callerId", f"{US}\r\nFrom: x", "Bank <+14155550111>", '"Bank" <sip:+14155550111@x>', "anonymous", "4155550111",
    "${EXTEN}", "+14155550111;verstat=TN-Validation-Passed",
)  # fmt: skip
BAD_BODY: list[Any] = [
    *with_field("phoneNumber", "", 14155550100, None, True, [US], {"number": US}, "+" + "1" * 5000, US + " " * 60),
    *with_field("callerId", 5, [], {}, "", "9" * 100),
    *with_field("context", "", 5, None, [], "x" * 65, "me\x00", "me\r\nX: y", "me\x1b[2J"),
    *with_field("script", 5, [], {}, "x" * 4001, "Hello\x00", "Hello\x1b]0;x\x07", "Hello\x08"),
    *with_field("variables", 5, "x", [], [1], {"a b": "x"}, {"a-b": "x"}, {"": "x"}, {"CALLERID(num)": "x"},
                {"__proto__.x": "1"}, {"x" * 65: "1"}, {"1a": "x"}, {"a=b": "x"}, {"a\n": "x"}, {"ä": "x"},
                {"a": {"b": "c"}}, {"a": ["b"]}, {"a": None}, {"a": "x\x00"}, {"a": "x\ny"}, {"a": "x" * 1001},
                {f"v{n}": "x" for n in range(51)}),
    *with_field("callbackUrl", "ftp://x.example/", "file:///etc/passwd", "javascript:alert(1)", "gopher://x.example/",
                "http://", "//x.example/", "x.example", "http://u:p@x.example/", "http://169.254.169.254/latest",
                "http://[fe80::1]/", "http://0.0.0.0/", "http://224.0.0.1/",
                "http://x.example/\r\nX: y", "http://x.example/\x00", 5, [], "http://" + "x" * 3000),
    *with_field("callbackURL", "http://x.example/"), *with_field("phone_number", US), *with_field("maxPrice", 1),
    *with_field("endpoint", "PJSIP/evil"), *with_field("timeout", 1), *with_field("admin", True),
    {}, [], "x", 5, None, True, {"context": "me"},
]  # fmt: skip
UNREADABLE = [b"{", b"", b"\xff\xfe", b'{"phoneNumber": "+1415', b"phoneNumber=%2B14155550100", b"NaN"]
NOT_JSON = {"content-type": "text/plain"}

TABLE = [
    *rows("plain", 422, "invalid_number", NO_NUMBER),
    *rows("plain", 403, "emergency_number", EMERGENCY),
    *rows("plain", 403, "number_type_denied", DENIED),
    *rows("plain", 403, "country_not_allowed", ABROAD),
    *rows("plain", 422, "unknown_agent", NO_AGENT),
    *rows("plain", 422, "caller_id_not_allowed", NO_CALLER_ID),
    *rows("plain", 422, "invalid_number", BAD_CALLER_ID),
    *rows("plain", 422, "request_invalid", BAD_BODY),
    *rows("plain", 422, "request_invalid", UNREADABLE),
    Row("plain", b"[" * 5000, 400, "request_invalid"),
    Row("plain", {"phoneNumber": US}, 422, "request_invalid", NOT_JSON),
    Row("plain", {"phoneNumber": US, "script": "x" * 70_000}, 413, "body_too_large"),
    Row("plain", {"phoneNumber": US}, 403, "host_refused", {"host": "evil.example"}),
    *rows("night", 403, "outside_calling_hours", to(US, "+12125550123", "+18085550123", "+18005550123")),
    *rows("consent", 403, "consent_missing", [
        *to(US), *({"phoneNumber": US, "variables": {"consent": said}} for said in ("", " ", "no", "FALSE", 0, "none")),
    ]),
    *rows("listed", 403, "do_not_call", to(US, "+1 (415) 555-0100", "+1.415.555.0100", "+1 415/555 0100")),
    *rows("often", 429, "called_too_often", to(US, "+1 415 555 0100")),
    *rows("day", 429, "daily_calls_reached", to(US, "+14155550101")),
    *rows("spent", 429, "spend_cap_reached", to(US, "+12125550123")),
    *rows("stopped", 503, "dialling_stopped", to(US, "+19005550100")),
    *rows("switched", 503, "dialling_stopped", to(US, "+442079460123")),
    Row("keyed", {"phoneNumber": US}, 401, "unauthorized"),
    Row("keyed", {"phoneNumber": US}, 401, "unauthorized", {"authorization": "Bearer wrong"}),
    Row("keyed", {"phoneNumber": US}, 401, "unauthorized", {"x-api-key": ""}),
    Row("keyed", {"phoneNumber": US}, 401, "unauthorized", {"authorization": "Basic cmVhZGVy"}),
    Row("keyed", {"phoneNumber": US}, 403, "scope_missing", {"authorization": "Bearer reader"}),
]  # fmt: skip
