"""The shipped workflows as files: complete, explained, and without anything of whoever made them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from trunkline.n8n.workflows import OPENAI, openai_credential, read_workflow

CONFIGS = Path(__file__).parents[2] / "configs"
FILES = sorted(CONFIGS.glob("n8n-*.json"))
CONVERSATIONS = [file for file in FILES if "template" in file.name]
NOTE = "n8n-nodes-base.stickyNote"


def nodes(file: Path) -> dict[str, dict[str, Any]]:
    return {node["name"]: node for node in json.loads(file.read_text(encoding="utf-8"))["nodes"]}


def by_type(file: Path, kind: str) -> list[dict[str, Any]]:
    return [node for node in nodes(file).values() if node["type"].endswith(kind)]


def links(file: Path) -> list[tuple[str, str, int, str]]:
    """Source, kind, output, target."""
    found = []
    for source, kinds in json.loads(file.read_text(encoding="utf-8"))["connections"].items():
        for kind, outputs in kinds.items():
            found += [(source, kind, i, link["node"]) for i, output in enumerate(outputs) for link in output]
    return found


def test_there_are_four() -> None:
    assert [file.name for file in FILES] == [
        "n8n-call-finished-workflow.json",
        "n8n-streaming-template.json",
        "n8n-trigger-call-workflow.json",
        "n8n-workflow-template.json",
    ]
    workflows = [read_workflow(file) for file in FILES]
    for names in ([w.id for w in workflows], [w.name for w in workflows], [p for w in workflows for p in w.webhooks]):
        assert len(set(names)) == 4


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_node_is_reached_and_explained(file: Path) -> None:
    here = nodes(file)
    assert len({node["id"] for node in here.values()}) == len(here)
    connected = {end for source, _, _, target in links(file) for end in (source, target)}
    assert connected == {name for name, node in here.items() if node["type"] != NOTE}
    assert len(by_type(file, "stickyNote")) >= 3
    for webhook in by_type(file, ".webhook"):
        assert webhook["webhookId"]  # without it n8n makes another address at every import


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_notes_cover_no_node(file: Path) -> None:
    here = nodes(file).values()
    for note in by_type(file, "stickyNote"):
        left, top = note["position"]
        right, bottom = left + note["parameters"]["width"], top + note["parameters"]["height"]
        for node in here:
            if node["type"] == NOTE:
                continue
            x, y = node["position"]
            assert not (left - 100 < x < right and top - 120 < y < bottom), (note["name"], node["name"])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nothing_private_and_no_credential_is_in_it(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "credentials" not in text.replace("OpenAI credential", "")
    assert not re.search(r"sk-\w|instanceId|@gmail|/root/|/home/", text)
    assert json.loads(text)["active"] is False
    assert json.loads(text)["pinData"] == {}


@pytest.mark.parametrize("file", CONVERSATIONS, ids=lambda file: file.stem)
def test_whatever_fails_is_answered(file: Path) -> None:
    """Every way from the webhook ends in an answer, the ways of failures too."""
    (transcribe,), (agent,) = by_type(file, ".openAi"), by_type(file, ".agent")
    for node in (transcribe, agent):
        assert node["onError"] == "continueErrorOutput"
        targets = [
            target
            for source, kind, output, target in links(file)
            if (source, kind, output) == (node["name"], "main", 1)
        ]
        assert [nodes(file)[target]["type"].split(".")[-1] for target in targets] == ["respondToWebhook"]
    (switch,) = by_type(file, ".switch")
    assert {output for source, _, output, _ in links(file) if source == switch["name"]} == {0, 1, 2}
    for respond in by_type(file, ".respondToWebhook"):
        body = respond["parameters"]["responseBody"]
        assert body.startswith("={{") or json.loads(body)["text_response"]


@pytest.mark.parametrize("file", CONVERSATIONS, ids=lambda file: file.stem)
def test_a_turn_costs_few_expressions(file: Path) -> None:
    """They are what n8n spends its time with: mode, direction, what was said, memory, answer."""
    functional = [node for node in nodes(file).values() if node["type"] != NOTE]
    assert json.dumps(functional).count("={{") <= 6


@pytest.mark.parametrize("file", CONVERSATIONS, ids=lambda file: file.stem)
def test_the_memory_belongs_to_the_call(file: Path) -> None:
    (memory,) = by_type(file, ".memoryBufferWindow")
    assert memory["parameters"]["sessionIdType"] == "customKey"
    assert "query.call_id" in memory["parameters"]["sessionKey"]


def test_only_the_streaming_one_streams() -> None:
    modes = {}
    for file in CONVERSATIONS:
        (webhook,), (agent,) = by_type(file, ".webhook"), by_type(file, ".agent")
        modes[file.stem] = (webhook["parameters"]["responseMode"], agent["parameters"]["options"]["enableStreaming"])
    assert modes == {
        "n8n-workflow-template": ("responseNode", False),
        "n8n-streaming-template": ("streaming", True),
    }


def test_credentials_go_where_they_are_wanted() -> None:
    workflow = read_workflow(CONFIGS / "n8n-workflow-template.json")
    assert workflow.wants == {OPENAI}
    credential = openai_credential("sk-secret")
    complete = workflow.with_credentials([credential])
    assert complete.wants == set()
    holders = [node for node in complete.content["nodes"] if "credentials" in node]
    assert [node["name"] for node in holders] == ["Transcribe", "Chat model"]
    assert all(node["credentials"] == {OPENAI: {"id": credential.id, "name": credential.name}} for node in holders)
    assert "sk-secret" not in json.dumps(complete.content)
    # Somebody's own choice stays.
    other = openai_credential("sk-other", "http://127.0.0.1:9/v1")
    assert complete.with_credentials([other]).content == complete.content
