"""What `trunkline n8n check` finds out about a webhook that answers in some way, and what it advises."""

from __future__ import annotations

import pytest

from tests.brains.n8n_server import N8nServer, reply, stream
from tests.doubles import tone
from trunkline.brains.n8n_faults import FaultKind
from trunkline.n8n import check as checking
from trunkline.n8n.check import Finding, check
from trunkline.ports import PersonTurn
from trunkline.settings import AgentSettings, N8nSettings

TURN = PersonTurn(1, "What are your opening hours?", tone(1.0))


async def findings(server: N8nServer) -> list[Finding]:
    agent = AgentSettings(brain="n8n", n8n=N8nSettings(webhook_url=server.url))
    return await check(agent, "clinic", TURN)


STREAMED = stream("From nine to five. ")


async def test_a_webhook_as_it_should_be() -> None:
    async with N8nServer(STREAMED) as server:
        welcome, turn = await findings(server)
    assert (welcome.fault, turn.fault) == (None, None)
    assert (welcome.text, welcome.streamed) == ("Hello there.", False)
    assert (turn.text, turn.streamed) == ("From nine to five.", True)
    for found in (welcome, turn):
        assert found.first_byte is not None and found.first_words is not None
        assert found.first_byte <= found.first_words <= found.total
        assert found.remarks == []
    (asked,) = server.turns
    assert asked.query["call_id"].startswith("check-")
    assert asked.file.startswith(b"RIFF")
    assert asked.fields["transcript"] == TURN.text


async def test_what_is_done_besides_speaking() -> None:
    async with N8nServer(reply({"text_response": "One moment.", "dtmf": "12#", "transfer": "+14155550177"})) as server:
        _, turn = await findings(server)
    assert turn.does == ["press 12#", "transfer to +14155550177"]


async def test_a_turn_that_is_taken_for_a_welcome() -> None:
    async with N8nServer(reply({"text_response": "Hello there."})) as server:
        _, turn = await findings(server)
    assert turn.fault is None
    (remark,) = turn.remarks
    assert "$json.query.mode" in remark


async def test_a_lasting_fault_ends_it() -> None:
    async with N8nServer() as server:
        server.welcome = reply({"message": "Workflow was started"})
        (welcome,) = await findings(server)
    assert welcome.fault is not None and welcome.fault.kind is FaultKind.ANSWERS_AT_ONCE
    assert not server.turns


async def test_a_fault_of_one_answer_does_not() -> None:
    async with N8nServer() as server:
        server.welcome = reply({"message": "Error in workflow"}, status=500)
        welcome, turn = await findings(server)
    assert welcome.fault is not None and welcome.fault.kind is FaultKind.WORKFLOW_FAILED
    assert turn.fault is None and turn.text == "Fine."


async def test_slowness_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every answer counting as slow: a welcome that stays so, and a turn that isn't streamed."""
    monkeypatch.setattr(checking, "SLOW_WELCOME", 0.0)
    monkeypatch.setattr(checking, "SLOW_WORDS", 0.0)
    async with N8nServer() as server:
        welcome, turn = await findings(server)
    assert "fixed sentence" in welcome.remarks[0]
    assert "n8n-streaming-template.json" in turn.remarks[0]
    async with N8nServer(STREAMED) as server:
        _, turn = await findings(server)
    assert turn.remarks == ["The person waits long for the first word."]
