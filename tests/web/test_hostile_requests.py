"""Two hundred requests that are hostile or unlawful, over HTTP: none is dialled, each is told why by its code."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.doubles_ledger import MemoryAccessBook
from tests.test_switchboard import Office
from tests.web.hostile_requests import TABLE, US, Row
from tests.web.serving import serving
from trunkline.access import ApiKey, Scope, digest
from trunkline.dialling.guards import Guards
from trunkline.errors import DiallingRefused
from trunkline.ledger import Attempt, Caps, Stop, Unwanted
from trunkline.settings import AgentSettings, DiallingSettings, ServiceSettings, Settings, TrunkSettings
from trunkline.store import Recordings
from trunkline.web import Metrics, create_app

NIGHT = datetime(2026, 3, 4, 11, 0, tzinfo=UTC)
"""Three in the morning in San Francisco."""
DIALLING: dict[str, dict[str, Any]] = {
    "plain": {},
    "night": {"hours": {"US": ["us"]}},
    "consent": {"consent_required": True},
    "listed": {},
    "often": {"calls_per_number": 1},
    "day": {"calls_per_day": 1},
    "spent": {"spend_per_day": 1.0, "prices": {"+1": 0.5}},
    "stopped": {"stopped": True},
    "switched": {},
    "keyed": {},
}
GUARDED = {kind.code for kind in DiallingRefused.__subclasses__()}


class House(Office):
    """A switchboard with guards, and a phone system that would dial whatever comes through."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.settings = Settings(
            trunk=TrunkSettings(host="trunk.example.com", caller_ids=("+14155550111",)),
            dialling=DiallingSettings.model_validate({"countries": ["US"], **DIALLING[name]}),
            agents={"me": AgentSettings()},
        )
        self.access = MemoryAccessBook()
        self.guards = Guards(self.settings, self.ledger, lambda: NIGHT)
        self.board = self.make_board()

    async def prepare(self, name: str) -> None:
        match name:
            case "listed":
                await self.ledger.put_on_list([Unwanted(US, NIGHT, "imported")])
            case "often" | "day" | "spent":
                await self.ledger.reserve(Attempt(NIGHT, US, 1.0), Caps(NIGHT))
            case "switched":
                await self.ledger.set_stop(Stop(NIGHT, "complaints"))
            case "keyed":
                await self.access.add_key(ApiKey("reader", digest(b"reader"), frozenset({Scope.READ}), NIGHT))


@asynccontextmanager
async def opened(name: str, recordings: Recordings) -> AsyncIterator[tuple[House, httpx.AsyncClient]]:
    house = House(name)
    await house.prepare(name)
    app = create_app(
        house.board,
        house.store,
        ServiceSettings(),
        recordings=recordings,
        metrics=Metrics(refusals=house.guards),
        health=dict,
        ledger=house.ledger,
        access=house.access,
    )
    async with house.board, serving(app) as url, httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http:
        yield house, http


async def ask(http: httpx.AsyncClient, row: Row) -> str:
    """What is wrong with the answer; empty: nothing."""
    body = {"context": "me", **row.body} if isinstance(row.body, dict) and "phoneNumber" in row.body else row.body
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await http.post("/call", content=content, headers={"content-type": "application/json", **row.headers})
    error = answer.json().get("error", {})
    told = (answer.status_code, error.get("code"))
    if told != (row.status, row.code):
        return f"{row.house}: {ascii(row.body)[:120]} is answered {told}, not {(row.status, row.code)}"
    return "" if error["message"] and error["remedy"] else f"{row.house}: {ascii(row.body)[:120]} has no remedy"


async def test_none_of_two_hundred_reaches_the_phone_system(tmp_path: Path) -> None:
    assert len(TABLE) >= 200
    for name in DIALLING:
        mine = [row for row in TABLE if row.house == name]
        assert mine, name
        async with opened(name, Recordings(tmp_path)) as (house, http):
            before = await house.ledger.usage(NIGHT - timedelta(days=1))
            wrong = [problem for row in mine if (problem := await ask(http, row))]
            assert not wrong, "\n".join(wrong)
            assert house.pbx.dialled == [] and house.pbx.next == []
            assert await house.store.recent() == []
            assert await house.ledger.usage(NIGHT - timedelta(days=1)) == before
            guarded = Counter(row.code for row in mine if row.code in GUARDED)
            assert Counter(refusal.code for refusal in house.ledger.noted) == guarded == house.guards.refused
            asked = Counter(row.code for row in mine if row.status not in (401, 413) and row.code != "host_refused")
            assert Counter(line.code for line in house.access.lines) == asked


@pytest.mark.parametrize("name", ["plain", "listed", "keyed"])
async def test_the_same_houses_place_calls_that_are_neither(tmp_path: Path, name: str) -> None:
    async with opened(name, Recordings(tmp_path)) as (house, http):
        await house.access.add_key(ApiKey("caller", digest(b"caller"), frozenset({Scope.CALL}), NIGHT))
        answer = await http.post(
            "/call",
            json={"phoneNumber": "+1 415 555 0102", "context": "me"},
            headers={"authorization": "Bearer caller"},
        )
        assert answer.status_code == 202
        await house.until(lambda: bool(house.pbx.dialled))
    assert [number for _, number, _ in house.pbx.dialled] == ["+14155550102"]
