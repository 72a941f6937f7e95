"""A system prompt with its blanks filled in. Pure."""

from __future__ import annotations

from datetime import datetime

from trunkline.brains.templates import BLANK
from trunkline.ports import CallBriefing
from trunkline.settings import AgentSettings


def rendered(agent: AgentSettings, call: CallBriefing, now: datetime) -> str:
    """Line ends stay as they are. A blank without a value becomes nothing; other curly brackets are left alone."""
    values = {
        "number": call.number,
        "agent": call.agent,
        "direction": call.direction.value,
        "today": f"{now:%A}, {now.day} {now:%B %Y}",
        "time": f"{now:%H:%M}",
        **agent.variables,
        **call.variables,
    }
    return BLANK.sub(lambda blank: values.get(blank[1], ""), agent.openai.prompt)
