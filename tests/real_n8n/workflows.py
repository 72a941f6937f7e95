"""Workflows for the tests: the shipped templates, and some that people may have written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trunkline.n8n.workflows import Workflow, read_workflow

CONFIGS = Path(__file__).parents[2] / "configs"
AGAIN = "Sorry, please say that again."


def shipped(name: str) -> Workflow:
    return read_workflow(CONFIGS / name)


def variant(workflow: Workflow, path: str, **replaced: str) -> Workflow:
    """A copy under another webhook path; words of its text may be replaced."""
    text = json.dumps(workflow.content)
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    content = json.loads(text)
    (webhook,) = (node for node in content["nodes"] if node["type"] == "n8n-nodes-base.webhook")
    webhook["parameters"]["path"] = path
    webhook["webhookId"] = path
    return Workflow(content | {"id": f"test-{path}", "name": path})


def _node(name: str, kind: str, version: float, parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "type": kind,
        "typeVersion": version,
        "position": [0, 0],
        "parameters": parameters,
        **more,
    }


def _workflow(path: str, nodes: list[dict[str, Any]], links: list[tuple[str, int, str]]) -> Workflow:
    connections: dict[str, dict[str, list[list[dict[str, Any]]]]] = {}
    for source, output, target in links:
        outputs = connections.setdefault(source, {}).setdefault("main", [])
        outputs += [[] for _ in range(output + 1 - len(outputs))]
        outputs[output].append({"node": target, "type": "main", "index": 0})
    content = {"id": f"test-{path}", "name": path, "nodes": nodes, "connections": connections}
    return Workflow(content | {"settings": {"executionOrder": "v1"}, "active": False})


def _webhook(path: str, version: float = 2.1, **parameters: Any) -> dict[str, Any]:
    content = {"httpMethod": "POST", "path": path, "responseMode": "responseNode", "options": {}} | parameters
    return _node("Webhook", "n8n-nodes-base.webhook", version, content, webhookId=path)


def _respond(name: str, body: str) -> dict[str, Any]:
    return _node(name, "n8n-nodes-base.respondToWebhook", 1.1, {"respondWith": "json", "responseBody": body})


def _is_welcome(mode: str) -> dict[str, Any]:
    """The old If node, as workflows of the seed's time have it."""
    conditions = {"string": [{"value1": mode, "value2": "welcome"}]}
    return _node("Welcome?", "n8n-nodes-base.if", 1, {"conditions": conditions})


def _transcribe() -> dict[str, Any]:
    parameters = {"resource": "audio", "operation": "transcribe", "binaryPropertyName": "file", "options": {}}
    return _node("Whisper", "@n8n/n8n-nodes-langchain.openAi", 1.8, parameters)


def _speech(text: str) -> dict[str, Any]:
    parameters = {"resource": "audio", "operation": "generate", "input": text, "voice": "alloy", "options": {}}
    return _node("Voice", "@n8n/n8n-nodes-langchain.openAi", 1.8, parameters)


def seed(path: str, version: float) -> Workflow:
    """As the set-up that Trunkline grew out of has it: `mode` decides, the recording is transcribed, text returns."""
    nodes = [
        _webhook(path, version),
        _is_welcome('={{$json["body"]["mode"]}}'),
        _respond("Welcome", '{"text_response": "Welcome to the seed."}'),
        _transcribe(),
        _respond("Answer", '={{ {"text_response": "You said: " + $json.text, "hangup": true} }}'),
    ]
    links = [
        ("Webhook", 0, "Welcome?"),
        ("Welcome?", 0, "Welcome"),
        ("Welcome?", 1, "Whisper"),
        ("Whisper", 0, "Answer"),
    ]
    return _workflow(path, nodes, links)


def seed_raw(path: str) -> Workflow:
    """The first Webhook node with Binary Data switched on, which loses a form's fields: the query string has them."""
    nodes = [
        _webhook(path, 1, options={"binaryData": True, "binaryPropertyName": "file"}),
        _is_welcome('={{$json["query"]["mode"]}}'),
        _respond("Welcome", '{"text_response": "Welcome in raw."}'),
        _respond(
            "Answer",
            '={{ {"text_response": "Turn " + $json.query.turn + ", " + $binary.file.mimeType, "hangup": true} }}',
        ),
    ]
    return _workflow(path, nodes, [("Webhook", 0, "Welcome?"), ("Welcome?", 0, "Welcome"), ("Welcome?", 1, "Answer")])


def speaks(path: str) -> Workflow:
    """Answers with audio: the welcome as the body, a turn by address – that of another webhook, which speaks it."""
    welcome = {"respondWith": "binary", "responseDataSource": "automatically", "options": {}}
    nodes = [
        _webhook(path),
        _is_welcome("={{ $json.query.mode }}"),
        _speech("Good morning. What shall I say to you?"),
        _node("Body", "n8n-nodes-base.respondToWebhook", 1.1, welcome),
        _transcribe(),
        _respond(
            "Address",
            """={{ {
              "audio_url": $('Webhook').first().json.webhookUrl
                + "-voice?text=Thank%20you%20for%20telling%20me.%20Goodbye.",
              "hangup": true
            } }}""",
        ),
    ]
    links = [
        *(("Webhook", 0, "Welcome?"), ("Welcome?", 0, "Voice"), ("Voice", 0, "Body")),
        *(("Welcome?", 1, "Whisper"), ("Whisper", 0, "Address")),
    ]
    return _workflow(path, nodes, links)


def voice(path: str) -> Workflow:
    """`GET …?text=` gives MP3."""
    nodes = [
        _webhook(path, httpMethod="GET"),
        _speech("={{ $json.query.text }}"),
        _node("Body", "n8n-nodes-base.respondToWebhook", 1.1, {"respondWith": "binary", "options": {}}),
    ]
    return _workflow(path, nodes, [("Webhook", 0, "Voice"), ("Voice", 0, "Body")])


def slow(path: str) -> Workflow:
    """A turn takes a minute."""
    nodes = [
        _webhook(path),
        _is_welcome("={{ $json.query.mode }}"),
        _respond("Welcome", '{"text_response": "Hello."}'),
        _node("Wait", "n8n-nodes-base.wait", 1.1, {"amount": 60, "unit": "seconds"}, webhookId=f"{path}-wait"),
        _respond("Answer", '{"text_response": "At last."}'),
    ]
    links = [("Webhook", 0, "Welcome?"), ("Welcome?", 0, "Welcome"), ("Welcome?", 1, "Wait"), ("Wait", 0, "Answer")]
    return _workflow(path, nodes, links)
