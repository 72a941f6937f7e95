"""`POST /call`, `GET /conversation/{id}`, `POST /hangup`: what existing set-ups send, and what nobody should."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.records import a_turn, at
from tests.web.desk import FIRST, Desk
from trunkline.errors import (
    CallerIdNotAllowed,
    PbxUnavailable,
    StoreError,
    TooManyCalls,
    TrunklineError,
    TrunkNotConfigured,
)
from trunkline.events import CallStateChanged, TurnFinished
from trunkline.models import CallId, CallRequest, CallState, Speaker

SEED: dict[str, Any] = {"phoneNumber": "+919876543210", "context": "outbound-ai-conversational"}


async def test_the_seeds_request(desk: Desk, client: httpx.AsyncClient) -> None:
    answer = await client.post("/call", json=SEED)
    assert answer.status_code == 202
    assert answer.json() == {
        "message": "Calling +919876543210.",
        "phoneNumber": "+919876543210",
        "sessionId": FIRST,
        "status": "queued",
    }
    assert answer.headers["location"] == f"/calls/{FIRST}"
    assert desk.switchboard.requests == [CallRequest("+919876543210", "outbound-ai-conversational")]


async def test_everything_that_can_be_asked_for(desk: Desk, client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/call",
        json={
            "phoneNumber": "+1 (415) 555-0100",
            "script": "Hello {name},\nhow are you? – Ça va 👋",
            "callbackUrl": "https://n8n.example/webhook/done?x=1",
            "callerId": "+1 415-555-0199",
            "variables": {"name": "Ada 'Bobby' <b>", "age": 42, "price": 1.5},
        },
    )
    assert answer.status_code == 202
    assert desk.switchboard.requests == [
        CallRequest(
            "+14155550100",
            "outbound-ai-conversational",
            caller_id="+14155550199",
            script="Hello {name},\nhow are you? – Ça va 👋",
            callback_url="https://n8n.example/webhook/done?x=1",
            variables={"name": "Ada 'Bobby' <b>", "age": "42", "price": "1.5"},
        )
    ]


async def test_an_unknown_context_gets_those_that_exist(client: httpx.AsyncClient) -> None:
    answer = await client.post("/call", json={"phoneNumber": "+14155550100", "context": "x'; DROP TABLE calls; --"})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "unknown_agent"
    assert error["details"] == {"agents": ["outbound-ai-conversational"]}


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (CallerIdNotAllowed("No.", remedy="Use another."), 422),
        (TrunkNotConfigured("No trunk."), 503),
        (PbxUnavailable("Not ready."), 503),
        (TooManyCalls("Full."), 503),
        (StoreError("Disk full."), 503),
    ],
)
async def test_the_switchboards_refusals(
    desk: Desk, client: httpx.AsyncClient, refusal: TrunklineError, status: int
) -> None:
    desk.switchboard.refusal = refusal
    answer = await client.post("/call", json=SEED)
    assert answer.status_code == status
    assert answer.json() == {
        "error": {"code": refusal.code, "message": refusal.message, "remedy": refusal.remedy, "details": {}}
    }
    assert ("retry-after" in answer.headers) == refusal.retryable


HOSTILE: list[tuple[str, Any]] = [
    ("phoneNumber", None),
    ("phoneNumber", 14155550100),
    ("phoneNumber", ["+14155550100"]),
    ("phoneNumber", {"$ne": None}),
    ("phoneNumber", True),
    ("phoneNumber", ""),
    ("phoneNumber", "4155550100"),
    ("phoneNumber", "+1" + "4" * 10_000),
    ("phoneNumber", "+14155550100\r\nFrom: <sip:evil@example.com>"),
    ("phoneNumber", "+14155550100@evil.example"),
    ("phoneNumber", "+14155550100&PJSIP/+19005550100@trunk"),
    ("phoneNumber", "+1415555٠١٠٠"),
    ("phoneNumber", "+14155550100\x00"),
    ("phoneNumber", "\ud800"),
    ("context", ""),
    ("context", "a\x00b"),
    ("context", "x" * 65),
    ("context", None),
    ("context", "../../etc/passwd\n"),
    ("callerId", ""),
    ("callerId", '"Evil" <+14155550199>'),
    ("callerId", "+14155550199\nX: y"),
    ("callerId", 5),
    ("script", "a\x00b"),
    ("script", "bell\x07"),
    ("script", "c1 control \x85"),
    ("script", "x" * 4001),
    ("script", ["Hello"]),
    ("script", "half \ud83d"),
    ("callbackUrl", "javascript:alert(1)"),
    ("callbackUrl", "file:///etc/passwd"),
    ("callbackUrl", "ftp://example.com/"),
    ("callbackUrl", "gopher://127.0.0.1:6379/_FLUSHALL"),
    ("callbackUrl", "not a url"),
    ("callbackUrl", "http://"),
    ("callbackUrl", "http://user:secret@example.com/"),
    ("callbackUrl", "http://169.254.169.254/latest/meta-data/"),
    ("callbackUrl", "http://2852039166/latest/meta-data/"),
    ("callbackUrl", "http://0xA9FEA9FE/"),
    ("callbackUrl", "http://[::ffff:169.254.169.254]/"),
    ("callbackUrl", "http://[64:ff9b::a9fe:a9fe]/"),
    ("callbackUrl", "http://[fe80::1]/"),
    ("callbackUrl", "http://0.0.0.0/"),
    ("callbackUrl", "https://example.com/\r\nHost: evil"),
    ("callbackUrl", "https://example.com/" + "x" * 3000),
    ("variables", {"name": "a\nb"}),
    ("variables", {"name": "a\x00"}),
    ("variables", {"name": "x" * 1001}),
    ("variables", {"name": None}),
    ("variables", {"name": True}),
    ("variables", {"name": {"nested": "yes"}}),
    ("variables", {"name": ["list"]}),
    ("variables", {"": "x"}),
    ("variables", {"__class__.__init__": "x"}),
    ("variables", {"na me": "x"}),
    ("variables", {"name\n": "x"}),
    ("variables", {"n\u00e4me": "x"}),
    ("variables", {"\ud800": "x"}),
    ("variables", {"x" * 65: "x"}),
    ("variables", {"n": 10**1200}),
    ("variables", {f"n{number}": "x" for number in range(51)}),
    ("variables", "name=Ada"),
    ("callbackURL", "https://example.com/"),
    ("phone_number", "+14155550100"),
    ("maxDuration\ud800\x00", 5),
    ("x" * 5000, 5),
]


@pytest.mark.parametrize(("field", "value"), HOSTILE, ids=lambda part: ascii(part)[:50])
async def test_what_nobody_should_send(desk: Desk, client: httpx.AsyncClient, field: str, value: Any) -> None:
    body = json.dumps({**SEED, field: value})  # ASCII, so that lone surrogates get through as escapes
    answer = await client.post("/call", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    if field in ("phoneNumber", "callerId") and isinstance(value, str) and error["code"] == "invalid_number":
        assert error["remedy"]
    else:
        assert error["code"] == "request_invalid"
        assert error["message"].startswith(field[:200] if field.isascii() else "body: ")
        assert error["details"]["problems"][0]["problem"]
    assert len(answer.content) < 3000
    assert desk.switchboard.requests == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"null", 422),
        (b"[]", 422),
        (b'"+14155550100"', 422),
        (b"phoneNumber=%2B14155550100", 422),
        (b'{"phoneNumber": NaN}', 422),
        (b'{"phoneNumber": "+14155550100", "variables": {"a": NaN}}', 422),
        (b'{"phoneNumber": "+14155550100", "variables": {"a": 1e999}}', 422),
        (b'{"variables": ' + b"9" * 5000 + b"}", 400),
        (b"\xff\xfe{}", 422),
        (b'{"phoneNumber": "\xc3\x28"}', 400),
        (b"[" * 60_000, 400),
        (b'{"a":' * 10_000, 400),
        (b'{"phoneNumber": "' + b"1" * 1_000_000 + b'"}', 413),
        (b" " * 1_000_000, 413),
    ],
    ids=lambda part: ascii(part)[:40],
)
async def test_bodies_that_are_none(desk: Desk, client: httpx.AsyncClient, body: bytes, status: int) -> None:
    answer = await client.post("/call", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] == ("body_too_large" if status == 413 else "request_invalid")
    assert desk.switchboard.requests == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"])
async def test_a_page_in_a_browser_cannot_place_a_call_unasked(
    desk: Desk, client: httpx.AsyncClient, kind: str
) -> None:
    # Of these kinds a browser sends a body to another site without asking that site first.
    answer = await client.post("/call", content=json.dumps(SEED), headers={"content-type": kind} if kind else {})
    assert answer.status_code == 422
    assert "Content-Type: application/json" in answer.json()["error"]["message"]
    assert desk.switchboard.requests == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
bodies = st.dictionaries(
    st.sampled_from(["phoneNumber", "context", "script", "callbackUrl", "callerId", "variables", "other"]),
    json_values | st.sampled_from(["+14155550100", "https://example.com/", "outbound-ai-conversational"]),
)


@given(body=bodies | json_values)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_whatever_is_sent_gets_a_sensible_answer(desk: Desk, client: httpx.AsyncClient, body: Any) -> None:
    answer = await client.post("/call", content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code in (202, 400, 422), answer.text
    if answer.status_code != 202:
        assert answer.json()["error"]["code"] in ("request_invalid", "invalid_number", "unknown_agent")


async def test_a_call_as_a_conversation(desk: Desk, client: httpx.AsyncClient) -> None:
    await client.post("/call", json={"phoneNumber": "+14155550100"})
    call_id = CallId(FIRST)
    await desk.switchboard.tell(CallStateChanged(call_id, CallState.ANSWERED, at(10)))
    for turn in (
        a_turn(1, text="Hello!", started=0.5, timings=None),
        a_turn(2, text="Monday", speaker=Speaker.PERSON, started=3.25),
        a_turn(3, text="", keys="12#", speaker=Speaker.PERSON, started=5.0),
    ):
        await desk.switchboard.tell(TurnFinished(call_id, turn))
    answer = await client.get(f"/conversation/{FIRST}")
    assert answer.json() == {
        "sessionId": FIRST,
        "phoneNumber": "+14155550100",
        "status": "answered",
        "conversation": [
            {"role": "assistant", "content": "Hello!", "timestamp": "2025-03-01T12:00:10.623456Z"},
            {"role": "user", "content": "Monday", "timestamp": "2025-03-01T12:00:13.373456Z"},
            {"role": "user", "content": "12#", "timestamp": "2025-03-01T12:00:15.123456Z"},
        ],
    }
    assert (await client.get("/conversation/nobody")).json()["error"]["code"] == "unknown_call"


@pytest.mark.parametrize("name", ["sessionId", "callId"])
async def test_hanging_up(client: httpx.AsyncClient, name: str) -> None:
    await client.post("/call", json=SEED)
    answer = await client.post("/hangup", json={name: FIRST})
    assert answer.status_code == 202
    assert answer.json()["sessionId"] == FIRST
    again = await client.post("/hangup", json={name: FIRST})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "call_ended")
    unknown = await client.post("/hangup", json={name: "00000000-0000-4000-8000-999999999999"})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_call")


@pytest.mark.parametrize(
    "body", [{}, {"sessionId": FIRST, "callId": FIRST}, {"sessionId": None}, {"sessionId": 5}, {"id": FIRST}]
)
async def test_hanging_up_needs_one_id(client: httpx.AsyncClient, body: dict[str, object]) -> None:
    answer = await client.post("/hangup", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "request_invalid")
