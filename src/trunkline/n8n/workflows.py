"""Workflows and credentials for an n8n: read, made complete, imported and published by n8n's own commands."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from trunkline.errors import N8nUnavailable, SettingsError
from trunkline.n8n.fetch import N8nProgram
from trunkline.n8n.home import N8nHome, free_port, write_private

OPENAI: Final = "openAiApi"
OPENAI_URL: Final = "https://api.openai.com/v1"
_USERS: Final = {
    "@n8n/n8n-nodes-langchain.openAi": OPENAI,
    "@n8n/n8n-nodes-langchain.lmChatOpenAi": OPENAI,
}
"""Kind of credential by type of node, for the nodes of our templates."""
_WEBHOOK: Final = "n8n-nodes-base.webhook"


@dataclass(frozen=True, slots=True)
class Credential:
    """Something secret that nodes of a kind need."""

    id: str
    name: str
    kind: str
    data: Mapping[str, str]

    def exported(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "type": self.kind, "data": dict(self.data)}


def openai_credential(key: str, url: str = OPENAI_URL) -> Credential:
    return Credential("trunklineOpenAi", "OpenAI (Trunkline)", OPENAI, {"apiKey": key, "url": url})


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow as n8n exports it."""

    content: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.content["id"])

    @property
    def name(self) -> str:
        return str(self.content.get("name") or self.id)

    @property
    def webhooks(self) -> list[str]:
        """Paths of its webhooks behind `/webhook/`."""
        nodes = self.content["nodes"]
        return [
            str(node["parameters"].get("path"))
            for node in nodes
            if node["type"] == _WEBHOOK and node["parameters"].get("path") and not node.get("disabled")
        ]

    @property
    def wants(self) -> set[str]:
        """Kinds of credentials that nodes lack."""
        kinds = ((_USERS.get(node["type"]), node.get("credentials") or {}) for node in self.content["nodes"])
        return {kind for kind, has in kinds if kind is not None and kind not in has}

    def with_credentials(self, credentials: Sequence[Credential]) -> Workflow:
        """Every node that lacks one gets the first of its kind."""
        by_kind = {credential.kind: credential for credential in reversed(credentials)}

        def completed(node: Mapping[str, Any]) -> dict[str, Any]:
            kind = _USERS.get(node["type"], "")
            has = dict(node.get("credentials") or {})
            if kind in has or (found := by_kind.get(kind)) is None:
                return dict(node)
            return {**node, "credentials": {**has, kind: {"id": found.id, "name": found.name}}}

        return replace(self, content={**self.content, "nodes": [completed(node) for node in self.content["nodes"]]})


def read_workflow(file: Path) -> Workflow:
    """A file of n8n's (*Download*, or one of ours). Raises `SettingsError`."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} can't be read as a workflow: {error}.") from error
    if not isinstance(content, dict) or not {"nodes", "connections"} <= content.keys():
        raise SettingsError(
            f"{file} is no workflow of n8n.", remedy="Download it in n8n's editor: the menu beside the name."
        )
    # n8n's import needs an id. A second import of the same file replaces the first one.
    content.setdefault("id", hashlib.sha256(file.name.encode()).hexdigest()[:16])
    return Workflow(content)


async def import_into(
    home: N8nHome, program: N8nProgram, workflows: Sequence[Workflow], credentials: Sequence[Credential]
) -> None:
    """Into the n8n of a folder, which doesn't run meanwhile; published, so they are active when it starts.

    Raises `N8nUnavailable`.
    """
    if not workflows and not credentials:
        return
    # Secrets are in there; the folder is only ours, and gone in a moment.
    with tempfile.TemporaryDirectory(dir=home.folder) as name:
        file = Path(name) / "import.json"
        if credentials:
            write_private(file, json.dumps([credential.exported() for credential in credentials]))
            await _run(home, program, "import:credentials", f"--input={file}")
        if workflows:
            complete = [workflow.with_credentials(credentials) for workflow in workflows]
            write_private(file, json.dumps([dict(workflow.content) for workflow in complete]))
            await _run(home, program, "import:workflow", f"--input={file}")
    for workflow in workflows:
        await _run(home, program, "publish:workflow", f"--id={workflow.id}")
    home.remember_webhooks([path for workflow in workflows for path in workflow.webhooks])


async def _run(home: N8nHome, program: N8nProgram, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(*program.command, *arguments),
        cwd=home.folder,
        env=home.environment(program, free_port()),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        pass_fds=(home.descriptor,),
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            os.kill(process.pid, 9)
            await process.wait()
    said = output.decode(errors="replace")
    # n8n's commands end with status 0 when they fail.
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    failed = [i for i, line in enumerate(lines) if "error occurred" in line.lower() or "Error updating" in line]
    if process.returncode or failed:
        reason = " ".join(lines[failed[0] :][:4] if failed else lines[-4:])
        raise N8nUnavailable(f"n8n {arguments[0]} failed: {reason}", remedy="Check the workflow file in n8n's editor.")
