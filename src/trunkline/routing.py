"""Who answers an incoming call: settings, call and moment in, an agent's name or a refusal out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from trunkline.models import Arrival
from trunkline.settings import DEFAULT_AGENT, Settings


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """The caller is not let in."""

    why: str


def agent_for(arrival: Arrival, settings: Settings, now: datetime) -> str | TurnedAway:
    """The agent who answers. `now` knows its time zone."""
    incoming = settings.incoming
    if _fits(arrival.number, incoming.blocked):
        return TurnedAway("The caller is on the list incoming.blocked.")
    if arrival.agent is not None:
        return arrival.agent
    for route in incoming.routes.values():
        if (
            _fits(arrival.called, route.called or ("*",))
            and _fits(arrival.number, route.caller or ("*",))
            and (not route.hours or incoming.hours[route.hours].times.open_at(now))
        ):
            return route.agent
    return incoming.agent or (DEFAULT_AGENT if DEFAULT_AGENT in settings.agents else next(iter(settings.agents)))


def _fits(number: str, patterns: Iterable[str]) -> bool:
    return any(number.startswith(pattern[:-1]) if pattern.endswith("*") else number == pattern for pattern in patterns)
