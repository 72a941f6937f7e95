"""The shipped workflows in a real n8n: imported, published, called – and looked at by `check` as a user would."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.real_n8n.conftest import RealN8n
from trunkline.brains.n8n_faults import FaultKind
from trunkline.n8n.check import Finding, check
from trunkline.ports import PersonTurn
from trunkline.settings import AgentSettings, N8nSettings
from trunkline.web.bodies import PlaceCall

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]  # the first one starts n8n
SAID = "What are your opening hours?"


async def spoken(n8n: RealN8n, text: str = SAID) -> PersonTurn:
    return PersonTurn(1, text, b"".join([piece async for piece in n8n.voice.synthesise(text)]))


async def looked_at(n8n: RealN8n, url: str, turn: PersonTurn | None = None, **more: Any) -> list[Finding]:
    settings = N8nSettings(webhook_url=url, **more)
    return await check(AgentSettings(brain="n8n", n8n=settings), "clinic", turn or await spoken(n8n))


@pytest.mark.parametrize(("path", "streamed"), [("trunkline", False), ("trunkline-streaming", True)])
async def test_the_conversation_templates(n8n: RealN8n, path: str, streamed: bool) -> None:
    welcome, turn = await looked_at(n8n, n8n.webhook(path))
    assert welcome.fault is None and turn.fault is None
    assert welcome.text.startswith("Hello") and welcome.text.endswith("Does that still suit you?")
    assert "Monday to Friday" in turn.text
    assert turn.does == []
    assert turn.streamed is streamed


@pytest.mark.parametrize("path", ["trunkline", "trunkline-streaming"])
async def test_a_model_that_says_goodbye_hangs_up(n8n: RealN8n, path: str) -> None:
    _, turn = await looked_at(n8n, n8n.webhook(path), await spoken(n8n, "Yes, I'll be there."))
    assert turn.fault is None
    assert "Goodbye" in turn.text and "hangup" not in turn.text.lower()
    assert turn.does == ["hang up"]


@pytest.mark.parametrize("path", ["trunkline", "trunkline-streaming"])
async def test_who_calls_us_is_greeted_otherwise(n8n: RealN8n, path: str) -> None:
    body = {"mode": "welcome", "caller_id": "+14155550123", "unique_id": "1.1", "direction": "inbound"}
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        answer = await http.post(n8n.webhook(path), json=body)
    assert "What can I do" in answer.text


@pytest.mark.parametrize("path", ["trunkline", "trunkline-streaming"])
async def test_what_cannot_be_understood_is_asked_again(n8n: RealN8n, path: str) -> None:
    """Silence: the transcription is empty, so the model isn't even asked. The person hears a sentence."""
    _, turn = await looked_at(n8n, n8n.webhook(path), PersonTurn(1, "", bytes(16000)))
    assert turn.fault is None
    assert "again" in turn.text


async def test_a_call_is_placed_by_webhook_and_by_form(n8n: RealN8n) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        answer = await http.post(n8n.webhook("place-call"), json={"phoneNumber": "+14155550123", "name": "Anna"})
        assert answer.json()["message"] == "Call initiated"
        form = f"{n8n.url}/form/trunkline-call"
        assert "Call somebody" in (await http.get(form)).text
        filled = {"field-0": (None, "+14155550124"), "field-1": (None, "Ben")}
        assert (await http.post(form, files=filled)).status_code == 200
    placed = [PlaceCall.model_validate(call) for call in n8n.calls]
    assert [(call.phone_number, call.variables) for call in placed] == [
        ("+14155550123", {"name": "Anna"}),
        ("+14155550124", {"name": "Ben"}),
    ]
    for call in placed:
        assert call.context == "outbound-ai-conversational"
        assert call.callback_url is not None and call.callback_url.endswith("/webhook/trunkline-call-finished")


async def test_the_end_of_a_call_is_taken(n8n: RealN8n) -> None:
    turns = [{"number": 1, "speaker": "agent", "text": "Hello."}, {"number": 2, "speaker": "person", "text": "Hi."}]
    call = {"id": "one", "number": "+14155550123", "disposition": "answered", "reason": "", "durationSeconds": 9.5}
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        answer = await http.post(n8n.webhook("trunkline-call-finished"), json=call | {"turns": turns})
    assert answer.status_code == 200
    async with asyncio.timeout(20):
        while n8n.executions("trunklinecall004") != ["success"]:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/webhook/nowhere", FaultKind.NOT_ACTIVE),
        ("/webhook-test/trunkline", FaultKind.TEST_ADDRESS),
        ("/nowhere/at/all", FaultKind.NOT_FOUND),
        ("/webhook/trunkline-call-finished", FaultKind.ANSWERS_AT_ONCE),
    ],
)
async def test_check_names_what_is_wrong(n8n: RealN8n, path: str, kind: FaultKind) -> None:
    (welcome,) = await looked_at(n8n, n8n.url + path)
    assert welcome.fault is not None
    assert welcome.fault.kind is kind
    assert welcome.fault.remedy


async def test_check_hears_that_audio_comes(n8n: RealN8n) -> None:
    welcome, turn = await looked_at(n8n, n8n.webhook("speaks"), allow_private_audio=True)
    assert welcome.fault is None and turn.fault is None
    assert welcome.audio_seconds > 1
    assert turn.audio_seconds > 1
    assert turn.does == ["hang up"]
