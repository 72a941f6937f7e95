"""A whole phone call as a user has it: real speech both ways, a real Asterisk, and every answer from a real n8n."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.real_n8n.conftest import RealN8n
from trunkline.rehearsal.stage import finished_call, follow, place_call, stage
from trunkline.rehearsal.words import share_heard
from trunkline.settings import DEFAULT_AGENT, AgentSettings

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]
OURS = {AgentSettings().filler, AgentSettings().hold_on}
"""What the service says by itself while it waits for an answer."""


@pytest.mark.parametrize("path", ["trunkline", "trunkline-streaming"])
async def test_every_answer_came_from_n8n(n8n: RealN8n, tmp_path: Path, path: str) -> None:
    n8n.chat.said.clear()
    agents = {DEFAULT_AGENT: {"brain": "n8n", "n8n": {"webhook_url": n8n.webhook(path)}}}
    async with stage(tmp_path, ["appointment"], settings={"agents": agents}) as running:
        call_id = await place_call(running, "+14155550123", context=DEFAULT_AGENT)
        async for _ in follow(running, call_id):
            pass
        over = await running.carrier.line(lambda line: line["event"] == "call_over", 30)
        call = await finished_call(running, call_id)
    report = over["report"]
    assert (call["disposition"], call["hungUpBy"], report["problems"]) == ("answered", "agent", [])
    assert [event["text"] for event in call["events"] if event["kind"].startswith("brain")] == []
    greeting, *answers = words_of(call)
    assert "Does that still suit you?" in greeting
    assert len(answers) >= 5
    # The chat's sentences are the scripted brain's; each turn of the agent is made of such sentences, and of no others.
    known = " ".join(n8n.chat.said)
    for answer in answers:
        assert share_heard(answer, known) > 0.99, answer
    assert "appointment is now on" in answers[-1]
    spoken = [turn["text"] for turn in report["turns"]]
    understood = [turn["text"] for turn in call["turns"] if turn["speaker"] == "person"]
    assert sum(share_heard(one, other) >= 2 / 3 for one, other in zip(spoken, understood, strict=False)) >= 4


def words_of(call: dict[str, Any]) -> list[str]:
    """The agent's turns, without what is only said to bridge a silence."""
    found = []
    for turn in call["turns"]:
        if turn["speaker"] != "agent":
            continue
        text = turn["text"]
        for bridge in OURS:
            text = text.replace(bridge, "").strip()
        if text:
            found.append(text)
    return found
