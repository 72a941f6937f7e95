"""Deletion on request, and recordings that are encrypted."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest

from tests.store.records import ANSWERED, a_turn, an_event, at
from tests.web.desk import FIRST, Desk
from trunkline.audio import FRAME_BYTES
from trunkline.events import CallStateChanged, TurnFinished
from trunkline.models import CallId, CallRecord, CallState, Direction, Part
from trunkline.store import Keyring, WavShelf

CALL = CallId(FIRST)
NUMBER = "+14155550123"
KEY = bytes(range(32))
ENDED = CallRecord(
    id=CALL,
    direction=Direction.OUTBOUND,
    number=NUMBER,
    agent="outbound-ai-conversational",
    state=CallState.ENDED,
    created_at=at(0),
    ended_at=at(60),
    end=ANSWERED,
    recording=f"{FIRST}.wav",
    turns=(a_turn(1),),
    events=(an_event(CALL),),
)


@pytest.mark.parametrize("path", [f"/calls/{FIRST}/data", f"/numbers/{NUMBER}", "/numbers/%2B1 415 555 0123"])
async def test_everything_is_deleted_and_counted(desk: Desk, client: httpx.AsyncClient, path: str) -> None:
    await desk.store.add(ENDED)
    (desk.recordings / f"{FIRST}.wav").write_bytes(b"RIFF")
    answer = await client.delete(path)
    assert (answer.status_code, answer.json()) == (200, {"calls": 1, "recordings": 1, "transcripts": 1, "numbers": 1})
    assert not list(desk.recordings.iterdir())
    for gone in ("", "/recording", "/events"):
        assert (await client.get(f"/calls/{FIRST}{gone}")).status_code == 404
    assert (await client.get("/calls")).json()["calls"] == []


@pytest.mark.parametrize("path", [f"/calls/{FIRST}/data", f"/numbers/{NUMBER}"])
async def test_a_call_that_runs_is_left_alone(desk: Desk, client: httpx.AsyncClient, path: str) -> None:
    placed = await client.post("/call", json={"phoneNumber": NUMBER})
    assert placed.json()["sessionId"] == FIRST
    answer = await client.delete(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "call_live")
    assert FIRST in answer.json()["error"]["message"]
    assert (await client.get(f"/calls/{FIRST}")).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/calls/{FIRST}/data", 404, "unknown_call"),
        ("/calls/..%2Fetc/data", 404, "not_found"),
        ("/calls/a b/data", 404, "unknown_call"),
        ("/numbers/5550100", 422, "invalid_number"),
        ("/numbers/removed", 422, "invalid_number"),
    ],
)
async def test_what_is_not_there(client: httpx.AsyncClient, path: str, status: int, code: str) -> None:
    answer = await client.delete(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_a_number_without_calls_is_no_error(client: httpx.AsyncClient) -> None:
    answer = await client.delete(f"/numbers/{NUMBER}")
    assert (answer.status_code, answer.json()["calls"]) == (200, 0)


async def test_what_was_just_said_is_not_told_from_memory(desk: Desk, client: httpx.AsyncClient) -> None:
    await client.post("/call", json={"phoneNumber": NUMBER})
    await desk.switchboard.tell(TurnFinished(CALL, a_turn(1, text="my secret")))
    await desk.switchboard.tell(CallStateChanged(CALL, CallState.ENDED, at(60), ANSWERED))
    assert "my secret" in (await client.get(f"/calls/{FIRST}/events")).text
    await desk.store.erase(CALL, Part.TRANSCRIPT, at(90))  # by a sweep
    events = (await client.get(f"/calls/{FIRST}/events")).text
    assert "my secret" not in events and '"state":"ended"' in events
    assert (await client.get(f"/calls/{FIRST}")).json()["forgottenAt"] == at(90).isoformat().replace("+00:00", "Z")
    await desk.store.erase(CALL, Part.CALL, at(90))  # by the command line
    assert (await client.get(f"/calls/{FIRST}/events")).status_code == 404


# ── encrypted recordings ───────────────────────────────────────────────────────────────────────────────────────


async def sealed(desk: Desk) -> bytes:
    """An encrypted recording of 12 s on the shelf; the samples in it."""
    shelf = await WavShelf.at(desk.recordings, Keyring(KEY))
    recorder = shelf.open(CALL)
    for second in range(12):
        recorder.write(bytes([second, 1]) * 8000, bytes([second, 2]) * 8000)
    await shelf.close()
    await desk.store.add(replace(ENDED, recording=recorder.path.name))
    return b"".join(bytes([second, 1, second, 2]) * 8000 for second in range(12))


async def test_an_encrypted_recording_is_heard_as_a_plain_one(desk: Desk, client: httpx.AsyncClient) -> None:
    samples = await sealed(desk)
    desk.keys = Keyring(KEY)
    transport = httpx.ASGITransport(desk.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3030") as reader:
        url = f"/calls/{FIRST}/recording"
        whole = await reader.get(url)
        assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/wav")
        assert whole.headers["content-length"] == str(len(whole.content))
        assert whole.content[:4] == b"RIFF" and whole.content[44:] == samples
        assert f'filename="{FIRST}.wav"' in whole.headers["content-disposition"]
        size = len(whole.content)
        for asked, start, end in (
            ("bytes=0-0", 0, 1),
            ("bytes=40-50", 40, 51),
            ("bytes=32000-96100", 32000, 96101),
            (f"bytes={size - 10}-", size - 10, size),
            ("bytes=-7", size - 7, size),
            ("bytes=100-99999999", 100, size),
        ):
            part = await reader.get(url, headers={"range": asked})
            assert (part.status_code, part.content) == (206, whole.content[start:end]), asked
            assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
            assert part.headers["content-length"] == str(end - start)
        for asked in ("bytes=9-3", "bytes=-", "seconds=1-2", "bytes=0-1,5-6"):
            assert (await reader.get(url, headers={"range": asked})).content == whole.content
        conditional = await reader.get(url, headers={"range": "bytes=0-0", "if-range": '"x"'})
        assert conditional.status_code == 200
        for asked in (f"bytes={size}-", "bytes=-0"):
            beyond = await reader.get(url, headers={"range": asked})
            assert (beyond.status_code, beyond.content) == (416, b"")
            assert beyond.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize("keys", [Keyring(), Keyring(bytes(32))])
async def test_without_its_key_it_is_no_secret_why(desk: Desk, keys: Keyring) -> None:
    await sealed(desk)
    desk.keys = keys
    transport = httpx.ASGITransport(desk.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3030") as reader:
        answer = await reader.get(f"/calls/{FIRST}/recording")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "recording_locked")
    assert "privacy.recording_key" in answer.json()["error"]["remedy"]


async def test_a_damaged_recording_is_an_error_and_no_noise(desk: Desk) -> None:
    await sealed(desk)
    desk.keys = Keyring(KEY)
    file = next(desk.recordings.iterdir())
    file.write_bytes(file.read_bytes().replace(file.read_bytes()[100:200], bytes(100)))
    transport = httpx.ASGITransport(desk.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3030") as reader:
        answer = await reader.get(f"/calls/{FIRST}/recording")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "recording_locked")


async def test_listeners_to_one_recording_do_not_disturb_each_other(desk: Desk) -> None:
    samples = await sealed(desk)
    desk.keys = Keyring(KEY)
    transport = httpx.ASGITransport(desk.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3030") as reader:
        url = f"/calls/{FIRST}/recording"
        offsets = [44 + n * FRAME_BYTES for n in range(8)]
        heads = [{"range": f"bytes={offset}-{offset + 99999}"} for offset in offsets]
        answers = await asyncio.gather(*(reader.get(url, headers=head) for head in heads))
    assert [answer.content for answer in answers] == [samples[o - 44 : o - 44 + 100000] for o in offsets]
