"""Brains: what decides on the words of an agent."""

from __future__ import annotations

from datetime import datetime

from trunkline.brains.n8n import N8nBrain
from trunkline.brains.openai_chat import OpenAIBrain
from trunkline.brains.script_file import load
from trunkline.brains.scripted import Clock, ScriptedBrain
from trunkline.ports import Brain
from trunkline.settings import AgentSettings

__all__ = ["make_brain"]


def make_brain(agent: AgentSettings, *, clock: Clock = datetime.now) -> Brain:
    """The brain an agent's settings ask for. Reads its script: call it at start-up. Raises `SettingsError`."""
    manners = {"n8n": agent.n8n, "openai": agent.openai}.get(agent.brain)
    script = None
    if manners is None or manners.fallback == "script":
        script = ScriptedBrain(load(agent.script), greeting=agent.greeting, variables=agent.variables, clock=clock)
    match agent.brain:
        case "n8n":
            return N8nBrain(agent, script)
        case "openai":
            return OpenAIBrain(agent, script, clock=clock)
    assert script is not None
    return script
