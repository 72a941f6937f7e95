"""Every row of Twilio's table, and the order in which it is read."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

import pytest
from sipmessage import Response

from tests.rehearsal.exchange import Exchange, codes
from tests.rehearsal.sip_caller import CALLER_ID, HOST, NUMBER, Wording, new_branch, offer
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.sip_call import CallOffered, CallRefused
from trunkline.rehearsal.termination import ANSWERS, Cause
from trunkline.sip.message import Transport

ELSEWHERE = (IPv4Network("203.0.113.0/24"),)


@dataclass(frozen=True)
class Row:
    cause: Cause
    code: int
    phrase: str
    twilio: str | None
    config: dict[str, Any] = field(default_factory=dict)
    wording: dict[str, Any] = field(default_factory=dict)
    transport: Transport = "udp"


ROWS = [
    Row(Cause.EDGE_ADDRESS, 403, "Forbidden", None, wording={"uri": f"sip:{NUMBER}@127.0.0.1"}),
    Row(Cause.SIP_DOMAIN, 404, "Not Found", None, wording={"uri": f"sip:{NUMBER}@somebody.sip.twilio.com"}),
    Row(Cause.SUSPENDED, 603, "Decline", "10001", {"suspended": True}),
    Row(Cause.NOT_IN_ACL, 403, "Forbidden", "32201", {"acl": ELSEWHERE, "username": "trunk"}),
    Row(Cause.TOO_MANY, 503, "Trunk concurrent call limit exceeded", "10004", {"concurrent_calls": 1}),
    Row(Cause.NOT_E164, 400, "Invalid Phone Number", "32101", wording={"uri": f"sip:4155550123@{HOST}"}),
    Row(Cause.NOT_E164, 400, "Invalid Phone Number", "32101", wording={"uri": f"sip:{HOST}"}),
    Row(Cause.UNVERIFIED_CALLEE, 400, "the number is unverified", "32100", {"verified_callees": (CALLER_ID,)}),
    Row(Cause.CALLER_ID_MISSING, 403, "Invalid Caller ID", "32204", wording={"caller": f"<sip:asterisk@{HOST}>"}),
    Row(Cause.CALLER_ID_MISSING, 403, "Invalid Caller ID", "32204", wording={"caller": f"<sip:{HOST}>"}),
    Row(Cause.CALLER_ID_NOT_ALLOWED, 403, "Caller ID is unauthorized", "32204", {"caller_ids": ("+14155550199",)}),
    Row(Cause.BLOCKED, 403, "Phone number is blocked for verification", "32203", {"blocked_numbers": (NUMBER,)}),
    Row(Cause.COUNTRY, 403, "No International Authorization", "32205", wording={"uri": f"sip:+881612345678@{HOST}"}),
    Row(
        Cause.SECURE_ON_PLAIN,
        488,
        "Not Acceptable Here",
        "32207",
        wording={"body": offer().replace(b"RTP/AVP", b"RTP/SAVP")},
    ),
    Row(Cause.NO_TLS, 488, "Secure SIP transport required", "32209", {"secure": True}),
    Row(Cause.NO_TLS, 488, "Secure SIP transport required", "32209", {"secure": True}, transport="tcp"),
    Row(Cause.PLAIN_ON_SECURE, 488, "Not Acceptable Here", "32208", {"secure": True}, transport="tls"),
    Row(Cause.NO_G711, 415, "Unsupported media type", None, wording={"body": offer().replace(b"AVP 0 8 ", b"AVP 9 ")}),
    Row(Cause.NO_OFFER, 488, "Not Acceptable Here", None, wording={"body": b""}),
]


def trunk(**changes: Any) -> CarrierConfig:
    return CarrierConfig.model_validate({"username": None, "calls_per_second": None} | changes)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.cause.name)
def test_a_refusal_has_twilios_code_phrase_and_error(row: Row) -> None:
    exchange = Exchange(trunk(**row.config))
    if row.cause is Cause.TOO_MANY:
        exchange.offered()
    exchange.wording, exchange.transport = Wording(**row.wording), row.transport
    trying, refusal = exchange.send(exchange.invite(branch=new_branch()))
    assert isinstance(trying, Response)
    assert isinstance(refusal, Response)
    assert (trying.code, refusal.code, refusal.phrase) == (100, row.code, row.phrase)
    error = refusal.headers.get("X-Twilio-Error")
    assert (error.split()[0] if error else None) == row.twilio
    (event,) = exchange.events()
    assert isinstance(event, CallRefused)
    assert event.cause is row.cause


def test_every_cause_has_an_answer() -> None:
    assert set(ANSWERS) == set(Cause)


def test_a_wrong_host_gets_no_answer_at_all() -> None:
    exchange = Exchange(trunk(), Wording(uri=f"sip:{NUMBER}@other.pstn.example.com"))
    assert exchange.send(exchange.invite()) == []
    assert exchange.send(exchange.invite()) == []
    assert exchange.events() == []
    assert exchange.after(60) == []


def test_options_is_answered_without_authentication_even_on_a_wrong_host() -> None:
    exchange = Exchange(CarrierConfig(acl=ELSEWHERE), Wording(uri="sip:other.pstn.example.com"))
    assert exchange.codes(exchange.wording.request("OPTIONS", 1, new_branch())) == [200]


def test_the_host_is_read_without_regard_to_case_and_port() -> None:
    exchange = Exchange(trunk(), Wording(uri=f"sip:{NUMBER}@{HOST.upper()}:5060;transport=udp"))
    assert exchange.codes(exchange.invite()) == [100]


def test_the_address_list_is_read_before_any_challenge() -> None:
    exchange = Exchange(CarrierConfig(acl=ELSEWHERE))
    assert exchange.codes(exchange.invite()) == [100, 403]
    exchange = Exchange(CarrierConfig(acl=ELSEWHERE))
    exchange.source = ("203.0.113.5", 5060)
    assert exchange.codes(exchange.invite()) == [100, 407]


def test_without_an_address_list_credentials_alone_decide() -> None:
    exchange = Exchange(CarrierConfig(acl=None))
    exchange.source = ("198.51.100.7", 5060)
    assert exchange.codes(exchange.invite_with_password()) == [100]


def test_the_right_password_gets_through() -> None:
    exchange = Exchange(CarrierConfig())
    assert exchange.codes(exchange.invite_with_password()) == [100]
    assert [type(event) for event in exchange.events()] == [CallRefused, CallOffered]


@pytest.mark.parametrize(("username", "password"), [("trunk", "wrong"), ("nobody", "rehearsal-Password-1")])
def test_bad_credentials_are_refused_after_the_challenge(username: str, password: str) -> None:
    exchange = Exchange(CarrierConfig())
    trying, refusal = exchange.send(exchange.invite_with_password(username, password))
    assert isinstance(refusal, Response)
    assert codes([trying, refusal]) == [100, 403]
    assert refusal.headers["X-Twilio-Error"].startswith("32202")


def test_credentials_sent_again_are_challenged_again() -> None:
    exchange = Exchange(CarrierConfig(calls_per_second=None))
    invite = exchange.invite_with_password()
    assert exchange.codes(invite) == [100]
    exchange.wording.call_id = "another call with the same header"
    replay = exchange.send(invite.replace(b"z9hG4bK", b"z9hG4bKreplay"))
    assert codes(replay) == [100, 407]
    assert "stale=true" in replay[-1].headers["Proxy-Authenticate"]


def test_a_second_call_within_a_second_is_too_fast() -> None:
    exchange = Exchange(trunk(calls_per_second=1))
    assert exchange.codes(exchange.invite(branch="z9hG4bK1")) == [100]
    exchange.now += 0.98
    trying, refusal = exchange.send(exchange.invite(branch="z9hG4bK2"))
    assert isinstance(refusal, Response)
    assert (refusal.code, refusal.phrase) == (503, "Trunk CPS limit exceeded")
    exchange.now += 0.03
    assert exchange.codes(exchange.invite(branch="z9hG4bK3")) == [100]
    assert codes([trying]) == [100]


def test_refused_credentials_do_not_count_as_calls() -> None:
    exchange = Exchange(CarrierConfig(calls_per_second=1))
    assert exchange.codes(exchange.invite_with_password(password="wrong"))[-1] == 403
    assert exchange.codes(exchange.invite_with_password()) == [100]


def test_the_account_is_judged_before_anything_else_of_the_call() -> None:
    config = CarrierConfig(suspended=True, secure=True, acl=(IPv4Network("192.0.2.0/24"),))
    refusal = Exchange(config).send(Exchange().invite())[-1]
    assert isinstance(refusal, Response) and refusal.code == 603


def test_the_number_is_judged_before_the_caller_id_and_after_the_password() -> None:
    wording = Wording(uri=f"sip:0123@{HOST}", caller=f"<sip:nobody@{HOST}>")
    assert codes(Exchange(CarrierConfig(), wording).send(Exchange(wording=wording).invite()))[-1] == 407
    refusal = Exchange(trunk(), wording).send(Exchange(wording=wording).invite())[-1]
    assert refusal.headers["X-Twilio-Error"].startswith("32101")


def test_secure_media_takes_srtp_over_tls() -> None:
    key = b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + base64.b64encode(bytes(30)) + b"\r\n"
    body = offer().replace(b"RTP/AVP", b"RTP/SAVP") + key
    exchange = Exchange(trunk(secure=True), Wording(body=body))
    exchange.transport = "tls"
    assert exchange.offered().accept.trunk.secure


def test_the_offers_first_g711_codec_is_taken() -> None:
    exchange = Exchange(trunk(), Wording(body=offer().replace(b"AVP 0 8", b"AVP 9 8 0")))
    assert exchange.offered().accept.codec == "alaw"
