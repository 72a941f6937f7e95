"""A real n8n with our templates beside the demo, and the stand-in for the paid models they ask: all on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trunkline.errors import SettingsError
from trunkline.n8n.fetch import N8nProgram
from trunkline.n8n.instance import private_n8n
from trunkline.n8n.workflows import Workflow, openai_credential, read_workflow
from trunkline.rehearsal.stage import START_SECONDS, Program

CONVERSATION: Final = "n8n-workflow-template.json"
STREAMED: Final = "n8n-streaming-template.json"


def template(name: str) -> Workflow:
    """One of the workflows that come with Trunkline. Raises `SettingsError`."""
    folder = Path(__file__).parents[3] / "configs"
    if not folder.is_dir():
        raise SettingsError("The workflows are part of Trunkline's source tree.", remedy="Run this in a checkout.")
    return read_workflow(folder / name)


@dataclass(frozen=True, slots=True)
class N8nStage:
    """What is running."""

    url: str
    """Of n8n."""

    def agent(self, workflow: Workflow) -> dict[str, object]:
        """Settings of an agent whose words come of that workflow."""
        (path,) = workflow.webhooks
        return {"brain": "n8n", "n8n": {"webhook_url": f"{self.url}/webhook/{path}"}}


@asynccontextmanager
async def n8n_stage(
    program: N8nProgram, folder: Path, workflows: Sequence[Workflow], tell: Callable[[str], None] = lambda _: None
) -> AsyncIterator[N8nStage]:
    """An n8n with these workflows inside the block. Raises `NotReady`."""
    tell("Starting a stand-in for OpenAI's models: a scripted chat, the local Whisper and voice")
    await asyncio.to_thread(_furnish, folder)
    models = await Program.start(folder, "models", "n8n", "models", "--port", "0", "--announce")
    try:
        listening = await models.line(lambda line: "openai" in line, START_SECONDS)
        credential = openai_credential(listening["key"], listening["openai"])
        tell(f"Starting n8n {program.version} with {', '.join(workflow.name for workflow in workflows)}")
        async with private_n8n(program, folder / "n8n", workflows=workflows, credentials=[credential]) as url:
            yield N8nStage(url)
    finally:
        await models.stop()


def _furnish(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trunkline.toml").touch()
