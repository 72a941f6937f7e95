"""Who answers which call."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from trunkline.models import ANONYMOUS, Arrival, CallId
from trunkline.routing import TurnedAway, agent_for
from trunkline.settings import DEFAULT_AGENT, Settings

MONDAY_NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SUNDAY = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CALLER, SALES, SUPPORT = "+14155550123", "+14155550100", "+14155550101"
INCOMING: dict[str, Any] = {
    "agent": "front-desk",
    "blocked": ["+1900*", "+14155550666"],
    "hours": {"office": {"open": ["mon-fri 09:00-17:00"]}},
    "routes": {
        "regulars": {"caller": ["+44*"], "agent": "british"},
        "sales": {"called": [SALES], "hours": "office", "agent": "sales"},
        "sales-closed": {"called": [SALES], "agent": "machine"},
        "unknown": {"caller": [ANONYMOUS], "agent": "careful"},
    },
}


def settings(**incoming: Any) -> Settings:
    names = ("front-desk", "british", "sales", "machine", "careful")
    return Settings.model_validate({"agents": {name: {} for name in names}, "incoming": INCOMING | incoming})


def answers(number: str = CALLER, called: str = SUPPORT, now: datetime = MONDAY_NOON, **more: Any) -> str | TurnedAway:
    return agent_for(Arrival(CallId("1"), number, called, **more), settings(), now)


def test_by_called_number_and_hours() -> None:
    assert answers(called=SALES) == "sales"
    assert answers(called=SALES, now=SUNDAY) == "machine"
    assert answers() == "front-desk"


def test_by_caller_and_the_first_route_that_fits() -> None:
    assert answers("+442079460000", SALES) == "british"
    assert answers(ANONYMOUS) == "careful"
    assert answers(ANONYMOUS, SALES) == "sales"


def test_whoever_was_asked_for_answers() -> None:
    assert answers(called=SALES, agent="machine") == "machine"


@pytest.mark.parametrize("number", ["+19005550100", "+14155550666"])
def test_the_blocked_are_turned_away_whoever_they_ask_for(number: str) -> None:
    assert isinstance(answers(number), TurnedAway)
    assert isinstance(answers(number, agent="machine"), TurnedAway)


def test_without_settings_the_default_agent_answers() -> None:
    arrival = Arrival(CallId("1"), CALLER, SALES)
    assert agent_for(arrival, Settings(), MONDAY_NOON) == DEFAULT_AGENT
    assert agent_for(arrival, Settings.model_validate({"agents": {"one": {}, "two": {}}}), MONDAY_NOON) == "one"


@pytest.mark.parametrize(
    ("incoming", "says"),
    [
        ({"agent": "nobody"}, r"incoming.agent names 'nobody'"),
        ({"routes": {"x": {"agent": "nobody"}}}, r"incoming.routes.x.agent names 'nobody'"),
        ({"routes": {"x": {"agent": "sales", "hours": "night"}}}, r"no \[incoming.hours.night\]"),
        ({"hours": {"x": {"time_zone": "Europe/Atlantis"}}}, "not a time zone"),
        ({"hours": {"x": {"open": ["always"]}}}, "mon-fri 09:00-17:00"),
        ({"blocked": ["+1 900"]}, "neither a number"),
    ],
)
def test_what_can_not_be_meant_is_refused_at_the_start(incoming: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        settings(**incoming)
