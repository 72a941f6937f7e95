"""What is done in live calls over HTTP, with the real switchboard and conversation behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from fastapi import FastAPI
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.conversation.booth import Mind
from tests.doubles import tone
from tests.doubles_ledger import MemoryAccessBook
from tests.test_switchboard import FakeLeg, Office, OneMind
from tests.web.serving import serving
from trunkline.audio import FRAME_BYTES, FRAME_SECONDS, SILENCE
from trunkline.errors import BrainError, PbxUnavailable
from trunkline.events import CallNoted, FarEndGone
from trunkline.models import CallId
from trunkline.settings import AgentSettings, ServiceSettings
from trunkline.store import Recordings
from trunkline.switchboard import Agent
from trunkline.web import Metrics, create_app

VERBS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "control", None),
    ("POST", "say", {"text": "Hello again."}),
    ("POST", "whisper", {"text": "They are a VIP."}),
    ("POST", "keys", {"keys": "12#"}),
    ("POST", "transfer", {"to": "+14155550177"}),
    ("POST", "agent", {"agent": "me"}),
    ("POST", "end", {}),
    ("POST", "hold", None),
    ("DELETE", "hold", None),
    ("PUT", "mute", {"agent": True}),
    ("POST", "recording/pause", None),
    ("DELETE", "recording/pause", None),
    ("GET", "audio", None),
]


class Phone(FakeLeg):
    """Keeps what the person hears."""

    def __init__(self, call_id: CallId, on_closed: Callable[[], None]) -> None:
        super().__init__(call_id, on_closed)
        self.heard = bytearray()

    async def run(self, seconds: float) -> None:
        for _ in range(round(seconds / FRAME_SECONDS)):
            if self.closed or self._listener is None:
                return
            self._listener.audio_received(SILENCE)
            self.heard += self._listener.next_frame()
            await asyncio.sleep(0)


@dataclass
class Desk:
    """A service with one call in it."""

    office: Office
    url: str
    http: httpx.AsyncClient
    call_id: CallId
    leg: Phone

    async def ask(self, method: str, verb: str, body: dict[str, Any] | None = None) -> httpx.Response:
        return await self.http.request(method, f"/calls/{self.call_id}/{verb}", json=body)

    async def done(self, method: str, verb: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = await self.ask(method, verb, body)
        assert answer.status_code in (200, 202), answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def hear(self, seconds: float) -> None:
        """So much time passes in the call."""
        await self.leg.run(seconds)
        await asyncio.sleep(0)

    async def until(self, condition: Callable[[], bool]) -> None:
        """The call goes on until then."""
        async with asyncio.timeout(20):
            while not condition():
                await self.hear(0.02)
                await asyncio.sleep(0.001)

    @property
    def said(self) -> list[str]:
        voice: Any = self.office.senses.text_to_speech
        return list(voice.said)

    @property
    def notes(self) -> list[str]:
        return [update.event.kind for update in self.office.updates if isinstance(update, CallNoted)]

    @property
    def socket(self) -> str:
        return f"{self.url.replace('http', 'ws', 1)}/calls/{self.call_id}/takeover"


def app_of(office: Office, folder: Path, settings: ServiceSettings | None = None) -> FastAPI:
    return create_app(
        office.board,
        office.store,
        settings or ServiceSettings(),
        recordings=Recordings(folder),
        metrics=Metrics(),
        health=dict,
        ledger=office.ledger,
        access=MemoryAccessBook(),
    )


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    office = Office()
    app = app_of(office, tmp_path)
    async with office.board, serving(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as http:
        record = await office.place()
        leg = Phone(record.id, lambda: office.pbx.report(FarEndGone(record.id, 16)))
        office.legs.expected.pop(record.id)(leg)
        desk = Desk(office, url, http, record.id, leg)
        await desk.until(lambda: "Hello." in desk.said and len(leg.heard) > 10 * FRAME_BYTES)
        yield desk
        await office.board.end_calls()


async def test_every_verb_is_refused_where_it_makes_no_sense(desk: Desk) -> None:
    desk.leg.close()
    await desk.office.ended(desk.call_id)
    ringing = await desk.office.place()
    for method, verb, body in VERBS:
        for call_id, status, code in (
            (desk.call_id, 409, "call_ended"),
            (ringing.id, 409, "wrong_moment"),
            ("nothing", 404, "unknown_call"),
        ):
            answer = await desk.http.request(method, f"/calls/{call_id}/{verb}", json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), (method, verb)


async def test_the_agent_says_what_it_is_asked_to_and_ends_politely(desk: Desk) -> None:
    await desk.done("POST", "say", {"text": "One more thing."})
    await desk.until(lambda: "One more thing." in desk.said)
    await desk.done("POST", "end", {})
    await desk.until(lambda: desk.leg.closed)
    record = await desk.office.ended(desk.call_id)
    assert [turn.text for turn in record.turns][-2:] == ["One more thing.", AgentSettings().farewell]
    assert record.end is not None
    assert record.end.hung_up_by == "operator"


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("say", {"text": ""}),
        ("say", {"text": "  "}),
        ("say", {"text": "a\u0000b"}),
        ("say", {"words": "x"}),
        ("whisper", {"text": "x" * 5000}),
        ("keys", {"keys": "12x"}),
        ("keys", {"keys": ""}),
        ("transfer", {"to": ""}),
        ("transfer", {"to": "nobody"}),
        ("agent", {"agent": "nobody"}),
        ("end", {"text": ""}),
        ("mute", {"agent": "perhaps"}),
    ],
    ids=json.dumps,
)
async def test_what_makes_no_sense_is_refused(desk: Desk, verb: str, body: dict[str, Any]) -> None:
    answer = await desk.ask("PUT" if verb == "mute" else "POST", verb, body)
    assert answer.status_code == 422, answer.text
    assert desk.notes == []


async def test_keys_are_pressed_and_noted(desk: Desk) -> None:
    await desk.done("POST", "keys", {"keys": "12#"})
    assert "".join(desk.office.pbx.pressed) == "12#"
    assert desk.notes == ["keys-sent"]

    async def fails(*_: object, **__: object) -> None:
        raise PbxUnavailable("Asterisk is gone.")

    desk.office.pbx.press_key = fails  # type: ignore[method-assign]
    answer = await desk.ask("POST", "keys", {"keys": "1"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "pbx_unavailable")


async def test_the_person_is_put_through(desk: Desk) -> None:
    answer = await desk.ask("POST", "transfer", {"to": "911"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "emergency_number")
    await desk.done("POST", "transfer", {"to": "+1 415 555 0177", "text": "I'll put you through."})
    await desk.until(lambda: desk.leg.closed)
    assert desk.office.pbx.next == [(desk.call_id, "+14155550177")]
    assert "I'll put you through." in desk.said


async def test_another_agent_goes_on_with_what_was_said(desk: Desk) -> None:
    brain = OneMind(Mind("Sales here."))
    desk.office.board._agents = {**desk.office.board._agents, "sales": Agent(AgentSettings(), brain)}
    await desk.hear(3.0)
    await desk.done("POST", "agent", {"agent": "sales"})
    await desk.until(lambda: "Sales here." in desk.said)
    (briefing,) = brain.briefings
    assert (briefing.agent, [turn.text for turn in briefing.so_far]) == ("sales", ["Hello."])
    assert "agent-changed" in desk.notes
    brain.error = BrainError("It is not there.")
    assert (await desk.ask("POST", "agent", {"agent": "sales"})).status_code == 502


async def test_the_state_of_a_call_is_told_with_every_change(desk: Desk) -> None:
    quiet = await desk.done("GET", "control")
    assert quiet == {
        "held": False,
        "agentMuted": False,
        "personMuted": False,
        "recordingPaused": False,
        "takenOver": False,
        "listeners": 0,
    }
    assert (await desk.done("POST", "hold"))["held"]
    assert not (await desk.done("DELETE", "hold"))["held"]
    muted = await desk.done("PUT", "mute", {"agent": True, "person": True})
    assert (muted["agentMuted"], muted["personMuted"]) == (True, True)
    assert await desk.done("PUT", "mute", {}) == quiet
    assert (await desk.done("POST", "recording/pause"))["recordingPaused"]
    assert await desk.done("DELETE", "recording/pause") == quiet
    assert desk.notes == ["held", "resumed", "muted", "muted", "recording-paused", "recording-resumed"]


# ── supervisors ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_both_sides_are_heard_until_the_call_ends(desk: Desk) -> None:
    async with desk.http.stream("GET", f"/calls/{desk.call_id}/audio") as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
        pieces = answer.aiter_bytes()
        heard = await anext(pieces)
        assert heard[:4] == b"RIFF"
        await desk.until(lambda: "listening-in" in desk.notes)
        await desk.done("POST", "say", {"text": "Do you hear me?"})
        await desk.until(lambda: "Do you hear me?" in desk.said)
        await desk.hear(2.0)
        assert (await desk.done("GET", "control"))["listeners"] == 1
        desk.leg.close()
        async with asyncio.timeout(20):
            heard += b"".join([piece async for piece in pieces])
    sound = heard[44:]
    assert len(sound) % 4 == 0
    assert any(sound)


async def test_who_stops_listening_is_forgotten(desk: Desk) -> None:
    async with desk.http.stream("GET", f"/calls/{desk.call_id}/audio") as answer:
        await anext(answer.aiter_bytes())
        await desk.until(lambda: "listening-in" in desk.notes)
    await desk.until(lambda: "listening-ended" in desk.notes)
    assert (await desk.done("GET", "control"))["listeners"] == 0


async def test_a_supervisor_takes_over_and_gives_the_call_back(desk: Desk) -> None:
    async with connect(desk.socket, proxy=None) as supervisor:
        assert (await desk.done("GET", "control"))["takenOver"]
        with pytest.raises(InvalidStatus) as refused:
            await connect(desk.socket, proxy=None)
        assert refused.value.response.status_code == 409
        theirs = tone(0.3, 1000.0)
        await supervisor.send(theirs)
        await desk.until(lambda: theirs in desk.leg.heard)
        async with asyncio.timeout(20):
            assert await supervisor.recv() == SILENCE
    await desk.until(lambda: desk.notes == ["taken-over", "given-back"])


async def test_the_end_of_the_call_is_told_to_who_has_taken_it_over(desk: Desk) -> None:
    async with connect(desk.socket, proxy=None) as supervisor:
        desk.leg.close()
        async with asyncio.timeout(20):
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await supervisor.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1000, "The conversation is over.")


async def test_words_are_no_audio(desk: Desk) -> None:
    async with connect(desk.socket, proxy=None) as supervisor:
        await supervisor.send("Hello?")
        async with asyncio.timeout(20):
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await supervisor.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1003
    await desk.until(lambda: "given-back" in desk.notes)


async def test_another_sites_page_may_not_speak_in_a_call(desk: Desk) -> None:
    for origin in ("https://evil.example", "null"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(desk.socket, proxy=None, origin=websockets.Origin(origin))
        assert refused.value.response.status_code == 403
    async with connect(desk.socket, proxy=None, origin=websockets.Origin(desk.url)):
        assert (await desk.done("GET", "control"))["takenOver"]


async def test_nobody_takes_over_a_call_that_is_none(desk: Desk) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(desk.socket.replace(desk.call_id, "nothing"), proxy=None)
    assert refused.value.response.status_code == 404
    assert json.loads(refused.value.response.body)["error"]["code"] == "unknown_call"


async def test_a_supervisor_needs_a_key_where_there_is_one(tmp_path: Path) -> None:
    office, settings = Office(), ServiceSettings.model_validate({"api_key": "s3cret-key-of-the-test"})
    async with office.board, serving(app_of(office, tmp_path, settings)) as url:
        socket = f"{url.replace('http', 'ws', 1)}/calls/nothing/takeover"
        for key, status in (("wrong", 403), ("s3cret-key-of-the-test", 404)):
            with pytest.raises(InvalidStatus) as refused:
                await connect(socket, proxy=None, additional_headers={"Authorization": f"Bearer {key}"})
            assert refused.value.response.status_code == status
