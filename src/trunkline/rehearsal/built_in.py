"""The set-up a newcomer rehearses with: a service in a process of its own, whose trunk leads to the carrier."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from trunkline.rehearsal.placing import Service
from trunkline.rehearsal.stage import serving
from trunkline.settings import DEFAULT_AGENT, Settings

AGENTS = Path(__file__).parent / "agents"
"""Scripts of agents that shipped scenarios call for, by file name: `agent: reception` is `reception.yaml`."""
RING_SECONDS = 8
"""A phone nobody picks up shouldn't take a minute of a rehearsal."""


@asynccontextmanager
async def built_in_service(
    folder: Path, trunk: Mapping[str, object], settings: Settings, agent: str
) -> AsyncIterator[Service]:
    """A service inside the block; `folder` (absolute) gets its log and data."""
    agents: dict[str, object] = {file.stem: {"script": file.absolute()} for file in AGENTS.glob("*.yaml")}
    agents |= {name: own.model_dump(exclude_unset=True) for name, own in settings.agents.items()}
    agents.setdefault(DEFAULT_AGENT, {})
    sections: dict[str, Mapping[str, object]] = {
        "service": {"data_dir": "data"},
        "trunk": {**trunk, "ring_timeout": RING_SECONDS},
        "speech": settings.speech.model_dump(exclude_defaults=True),
        "asterisk": settings.asterisk.model_dump(include={"binary", "cache_dir", "apt_mirror"}, exclude_defaults=True),
        "agents": agents,
    }
    async with serving(folder, sections) as (url, _, _):
        yield Service(url, agent)
