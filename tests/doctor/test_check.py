"""Checks run at the same time, each with its own limit; whatever one does, the others are told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.brains.n8n_server import N8nServer, reply
from trunkline.doctor.check import State, Verdict, examine, well
from trunkline.doctor.minds import N8n
from trunkline.errors import PbxUnavailable
from trunkline.settings import AgentSettings, N8nSettings


@dataclass
class Toy:
    name: str
    does: Callable[[], Awaitable[Verdict]]
    limit: float = 5.0

    async def run(self) -> Verdict:
        return await self.does()


async def test_each_for_itself() -> None:
    together = asyncio.Barrier(2)

    async def meets() -> Verdict:
        await together.wait()
        return well("met")

    async def hangs() -> Verdict:
        await asyncio.Event().wait()
        raise AssertionError

    async def finds() -> Verdict:
        raise PbxUnavailable("No Asterisk.", remedy="Fetch one.")

    async def breaks() -> Verdict:
        raise KeyError("oops")

    toys = [Toy("a", meets), Toy("b", hangs, 0.01), Toy("c", finds), Toy("d", breaks), Toy("e", meets)]
    findings = await examine(toys)
    assert [finding.name for finding in findings] == list("abcde")
    states = [finding.verdict.state for finding in findings]
    assert states == [State.WELL, State.WRONG, State.WRONG, State.WRONG, State.WELL]
    assert findings[2].as_json() == {
        "name": "c",
        "state": "wrong",
        "text": "No Asterisk.",
        "remedy": "Fetch one.",
        "remarks": [],
        "seconds": round(findings[2].seconds, 3),
    }
    assert "oops" in findings[3].verdict.text


async def test_a_workflow_is_asked_for_its_welcome_and_nothing_else() -> None:
    async with N8nServer() as server:
        agent = AgentSettings(brain="n8n", n8n=N8nSettings(webhook_url=server.url))
        (found,) = await examine([N8n("clinic", agent)])
        assert (found.name, found.verdict.state) == ("n8n (clinic)", State.WELL)
        assert not server.turns
        server.welcome = reply({"message": "Workflow was started"})
        (found,) = await examine([N8n("clinic", agent)])
    assert found.verdict.state is State.WRONG
    assert "Respond to" in found.verdict.remedy


async def test_a_workflow_nobody_runs() -> None:
    agent = AgentSettings(brain="n8n", n8n=N8nSettings(webhook_url="http://127.0.0.1:9/webhook/x"))
    (found,) = await examine([N8n("clinic", agent)])
    assert found.verdict.state is State.WRONG and "Start n8n" in found.verdict.remedy
