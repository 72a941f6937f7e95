"""The doctor asks a model's server, and tells what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.brains.n8n_server import Play
from tests.brains.openai_server import ModelServer, agent_of, error, says
from trunkline.doctor.check import Finding, State, examine
from trunkline.doctor.minds import Model

REFUSED = error(401, "Incorrect API key provided.", "invalid_api_key")


async def look(server: ModelServer, **openai: Any) -> Finding:
    (finding,) = await examine([Model("clinic", agent_of(server, **openai))])
    return finding


async def test_a_model_that_answers_is_well() -> None:
    async with ModelServer(says("Hello.")) as server:
        finding = await look(server)
        assert finding.name == "model (clinic)"
        assert finding.verdict.state is State.WELL and finding.verdict.text.startswith("small spoke after ")
        assert [tool["function"]["name"] for tool in server.asked[0]["tools"]] == ["hang_up"]


@pytest.mark.parametrize(
    ("play", "cause", "remedy"),
    [
        (REFUSED, "refuses the key: Incorrect API key", "openai.api_key"),
        (error(404, "The model `small` does not exist."), "knows no such model", "openai.model"),
        (error(429, "You exceeded your quota.", "insufficient_quota"), "no credit left", "Add credit"),
        (error(400, "Invalid schema for function 'x'."), "Invalid schema", "the tools' schemas"),
    ],
)
async def test_what_is_wrong_has_a_cause_and_a_remedy(play: Play, cause: str, remedy: str) -> None:
    async with ModelServer(play) as server:
        verdict = (await look(server)).verdict
        assert verdict.state is State.WRONG
        assert cause in verdict.text and remedy in verdict.remedy


async def test_an_mcp_server_that_is_gone_is_told() -> None:
    async with ModelServer() as server:
        verdict = (await look(server, mcp={"calendar": {"url": "http://127.0.0.1:1/mcp"}})).verdict
        assert verdict.state is State.WRONG
        assert "MCP server calendar" in verdict.text and "openai.mcp.calendar.url" in verdict.remedy
