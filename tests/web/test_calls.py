"""`/calls`: lists, details, recordings, ends."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.store.records import ANSWERED, a_call, a_turn, an_event, at
from tests.web.desk import FIRST, Desk, client_of
from trunkline.errors import StoreError
from trunkline.models import CallEnd, CallId, CallState, Disposition, HangUpBy, Speaker
from trunkline.store import wav

ENDED = a_call(
    id=CallId(FIRST),
    state=CallState.ENDED,
    dialled_at=at(1),
    ringing_at=at(2),
    answered_at=at(3),
    ended_at=at(45.5),
    greeting_ms=84.0,
    end=replace(ANSWERED, sip_reason="OK"),
    recording=f"{FIRST}.wav",
)
ENDED = replace(
    ENDED,
    turns=(a_turn(1), a_turn(2, speaker=Speaker.PERSON, text="Monday", timings=None, cut_off=False, confidence=0.9)),
    events=(an_event(ENDED.id),),
)


async def test_everything_known_of_a_call(desk: Desk, client: httpx.AsyncClient) -> None:
    await desk.store.add(ENDED)
    answer = await client.get(f"/calls/{FIRST}")
    assert answer.status_code == 200
    assert answer.json() == {
        "id": FIRST,
        "direction": "outbound",
        "number": "+14155550100",
        "agent": "outbound-ai-conversational",
        "state": "ended",
        "callerId": "+14155550199",
        "createdAt": "2025-03-01T12:00:00.123456Z",
        "dialledAt": "2025-03-01T12:00:01.123456Z",
        "ringingAt": "2025-03-01T12:00:02.123456Z",
        "answeredAt": "2025-03-01T12:00:03.123456Z",
        "endedAt": "2025-03-01T12:00:45.623456Z",
        "durationSeconds": 42.5,
        "greetingMs": 84.0,
        "disposition": "answered",
        "reason": "The person hung up.",
        "hungUpBy": "person",
        "sipCode": 200,
        "sipReason": "OK",
        "q850Cause": 16,
        "recording": f"/calls/{FIRST}/recording",
        "forgottenAt": None,
        "variables": {"name": "Ada", "day": "Montag – früh ☎"},
        "script": "Hello {name}",
        "callbackUrl": "http://127.0.0.1:5678/webhook/done",
        "transcript": "Agent: Does Monday suit you?\nPerson: Monday",
        "turns": [
            {
                "number": 1,
                "speaker": "agent",
                "text": "Does Monday suit you?",
                "started": 1.25,
                "ended": 3.5,
                "timings": {
                    "endpointingMs": 500.0,
                    "transcriptionMs": 180.5,
                    "brainMs": None,
                    "synthesisMs": None,
                    "playoutMs": None,
                    "gapMs": 812.25,
                },
                "confidence": None,
                "keys": "",
                "cutOff": True,
                "intended": "Does Monday suit you? Or Tuesday?",
            },
            {
                "number": 2,
                "speaker": "person",
                "text": "Monday",
                "started": 1.25,
                "ended": 3.5,
                "timings": None,
                "confidence": 0.9,
                "keys": "",
                "cutOff": False,
                "intended": "Does Monday suit you? Or Tuesday?",
            },
        ],
        "events": [
            {
                "at": "2025-03-01T12:00:01.123456Z",
                "kind": "sip-answer",
                "text": "486 Busy Here",
                "data": {"sipCode": 486, "tags": ["a", None, 1.5]},
            }
        ],
    }


async def test_a_call_that_has_only_begun(desk: Desk, client: httpx.AsyncClient) -> None:
    await client.post("/call", json={"phoneNumber": "+14155550100"})
    call = (await client.get(f"/calls/{FIRST}")).json()
    assert call["state"] == "queued"
    assert [name for name, value in call.items() if value is None] == [
        "callerId", "dialledAt", "ringingAt", "answeredAt", "endedAt", "durationSeconds", "greetingMs", "disposition",
        "reason", "hungUpBy", "sipCode", "sipReason", "q850Cause", "recording", "forgottenAt", "script", "callbackUrl",
    ]  # fmt: skip


async def test_pages(desk: Desk, client: httpx.AsyncClient) -> None:
    for number in range(7):
        await desk.store.add(a_call(id=CallId(f"call-{number}"), created_at=at(number)))
    seen: list[list[str]] = []
    before: dict[str, str] = {}
    while True:
        page = (await client.get("/calls", params={"limit": 3, **before})).json()
        seen.append([call["id"] for call in page["calls"]])
        if page["next"] is None:
            break
        before = {"before": page["next"]}
    assert seen == [["call-6", "call-5", "call-4"], ["call-3", "call-2", "call-1"], ["call-0"]]
    assert "turns" not in page["calls"][0]


async def test_a_page_that_is_just_full_is_the_last(desk: Desk, client: httpx.AsyncClient) -> None:
    for number in range(2):
        await desk.store.add(a_call(created_at=at(number)))
    assert (await client.get("/calls?limit=2")).json()["next"] is None
    assert (await client.get("/calls?limit=1")).json()["next"] is not None


async def test_filters(desk: Desk, client: httpx.AsyncClient) -> None:
    await desk.store.add(ENDED)
    await desk.store.add(a_call(id=CallId("other"), number="+919876543210"))

    async def found(query: str) -> list[str]:
        return [call["id"] for call in (await client.get(f"/calls?{query}")).json()["calls"]]

    assert await found("state=ended") == [FIRST]
    assert await found("state=ringing") == []
    for number in ("%2B919876543210", "+919876543210", "919876543210", "%2B91%2098765%2043210"):
        assert await found(f"number={number}") == ["other"]
    assert await found("number=%2B14155550100&state=queued") == []


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("limit=0", 422, "request_invalid"),
        ("limit=201", 422, "request_invalid"),
        ("limit=-1", 422, "request_invalid"),
        ("limit=1e9", 422, "request_invalid"),
        ("limit=%D9%A5", 422, "request_invalid"),
        ("limit=" + "9" * 5000, 422, "request_invalid"),
        ("limit=5%00", 422, "request_invalid"),
        ("state=asleep", 422, "request_invalid"),
        ("state=", 422, "request_invalid"),
        ("number=' OR 1=1 --", 422, "invalid_number"),
        ("number=", 422, "invalid_number"),
        ("number=%00", 422, "invalid_number"),
        ("number=" + "1" * 65, 422, "request_invalid"),
        ("before=nobody", 404, "unknown_call"),
        ("before=%00", 404, "unknown_call"),
        ("before=' OR 1=1 --", 404, "unknown_call"),
        ("before=" + "x" * 65, 422, "request_invalid"),
    ],
)
async def test_questions_without_an_answer(client: httpx.AsyncClient, query: str, status: int, code: str) -> None:
    answer = await client.get(f"/calls?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize("path", ["", "/recording", "/events"])
@pytest.mark.parametrize("name", ["nobody", "%00", "..%2F..%2Fetc%2Fpasswd", "' OR 1=1", "%F0%9F%98%80", "a" * 5000])
async def test_calls_that_do_not_exist(client: httpx.AsyncClient, name: str, path: str) -> None:
    answer = await client.get(f"/calls/{name}{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] in ("unknown_call", "not_found")
    assert len(answer.content) < 1000


async def test_deleting_a_call_hangs_it_up(client: httpx.AsyncClient) -> None:
    await client.post("/call", json={"phoneNumber": "+14155550100"})
    answer = await client.delete(f"/calls/{FIRST}")
    assert (answer.status_code, answer.json()["sessionId"]) == (202, FIRST)
    ended = (await client.get(f"/calls/{FIRST}")).json()
    assert (ended["state"], ended["disposition"], ended["hungUpBy"]) == ("ended", "cancelled", "operator")
    again = await client.delete(f"/calls/{FIRST}")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "call_ended")
    assert (await client.delete("/calls/nobody")).status_code == 404


async def test_the_recording(desk: Desk, client: httpx.AsyncClient) -> None:
    content = wav.header(64_000) + bytes(range(256)) * 250
    (desk.recordings / f"{FIRST}.wav").write_bytes(content)
    await desk.store.add(ENDED)
    whole = await client.get(f"/calls/{FIRST}/recording")
    assert whole.status_code == 200
    assert whole.content == content
    assert whole.headers["content-type"] == "audio/wav"
    assert whole.headers["accept-ranges"] == "bytes"
    for asked, expected in (
        ("bytes=0-43", content[:44]),
        ("bytes=64000-", content[64_000:]),
        ("bytes=-9", content[-9:]),
    ):
        part = await client.get(f"/calls/{FIRST}/recording", headers={"range": asked})
        assert (part.status_code, part.content) == (206, expected)
    beyond = await client.get(f"/calls/{FIRST}/recording", headers={"range": "bytes=999999-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */64044")


@pytest.mark.parametrize(
    "name", [None, "gone.wav", "../secret.wav", "/etc/passwd", "..", "", "a\x00.wav", "folder.wav", "secret.txt"]
)
async def test_a_recording_that_is_none(desk: Desk, tmp_path: Path, name: str | None) -> None:
    desk.recordings = tmp_path / "shelf"
    desk.recordings.mkdir()
    (desk.recordings / "folder.wav").mkdir()
    for secret in (tmp_path / "secret.wav", desk.recordings / "secret.txt"):
        secret.write_text("secret")
    await desk.store.add(replace(ENDED, recording=name))
    async with client_of(desk.app()) as client:
        answer = await client.get(f"/calls/{FIRST}/recording")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_recording")


def events_of(text: str) -> list[tuple[str, str]]:
    """Id (or nothing) and kind of each event."""
    return [
        (
            found[1] if (found := re.search(r"^id: (.*)$", block, re.M)) else "",
            re.findall(r"^event: (.*)$", block, re.M)[0],
        )
        for block in text.strip().split("\n\n")
    ]


async def test_following_a_call_of_the_past(desk: Desk, client: httpx.AsyncClient) -> None:
    await desk.store.add(ENDED)
    answer = await client.get(f"/calls/{FIRST}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert events_of(answer.text) == [
        ("", "call"), ("", "state"), ("", "note"), ("", "state"), ("", "state"), ("", "turn"), ("", "turn"),
        ("end", "state"),
    ]  # fmt: skip
    assert '"state":"ended","at":"2025-03-01T12:00:45.623456Z","disposition":"answered"' in answer.text


async def test_a_browser_that_has_seen_the_end_is_told_to_stop(desk: Desk, client: httpx.AsyncClient) -> None:
    await desk.store.add(ENDED)
    answer = await client.get(f"/calls/{FIRST}/events", headers={"last-event-id": "end"})
    assert (answer.status_code, answer.content) == (204, b"")


async def test_an_unanswered_call_can_be_followed_too(desk: Desk, client: httpx.AsyncClient) -> None:
    end = CallEnd(Disposition.BUSY, "Busy.", HangUpBy.CARRIER, sip_code=486)
    await desk.store.add(a_call(id=CallId(FIRST), state=CallState.ENDED, dialled_at=at(1), ended_at=at(2), end=end))
    answer = await client.get(f"/calls/{FIRST}/events")
    assert events_of(answer.text) == [("", "call"), ("", "state"), ("end", "state")]
    assert '"sipCode":486' in answer.text


async def test_a_store_that_fails(desk: Desk, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    await desk.store.close()
    answer = await client.get("/calls")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_failed")
    assert answer.headers["retry-after"]
    assert StoreError.__name__ not in answer.text
    assert "closed" in caplog.text
