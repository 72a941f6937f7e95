"""`/health`, and the API's description of itself."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest

import trunkline
from tests.web.desk import Desk
from trunkline.errors import TrunklineError
from trunkline.switchboard import Switchboard
from trunkline.web import Part, Verbs


async def test_all_is_well(client: httpx.AsyncClient) -> None:
    await client.post("/call", json={"phoneNumber": "+14155550100"})
    answer = await client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "version": trunkline.__version__,
        "parts": {
            "pbx": {"ready": True, "version": "22.5.2"},
            "speech": {"ready": True},
            "store": {"ready": True},
            "calls": {"ready": True, "live": 1, "most": 50},
        },
    }


async def test_a_part_that_is_not_ready(desk: Desk, client: httpx.AsyncClient) -> None:
    desk.parts["pbx"] = Part(False, {"why": "restarting"})
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert answer.json()["parts"]["pbx"] == {"ready": False, "why": "restarting"}


async def test_a_store_that_is_not_ready(desk: Desk, client: httpx.AsyncClient) -> None:
    await desk.store.close()
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()["parts"]["store"]) == (503, {"ready": False})


async def test_a_store_that_hangs(desk: Desk, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(**_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("trunkline.web.service.STORE_PATIENCE", 0.01)
    monkeypatch.setattr(desk.store, "recent", hang)
    assert (await client.get("/health")).json()["parts"]["store"] == {"ready": False}


@pytest.fixture
async def description(client: httpx.AsyncClient) -> Any:
    return (await client.get("/openapi.json")).json()


async def test_every_route_is_described(description: Any) -> None:
    routes = {
        (method.upper(), path): route
        for path, methods in description["paths"].items()
        for method, route in methods.items()
    }
    # README.md names each of them (tests/test_docs.py).
    assert {("POST", "/call"), ("DELETE", "/calls/{call_id}"), ("GET", "/health")} < set(routes)
    for (_, path), route in routes.items():
        assert route["description"]
        assert bool(route.get("security")) == (path != "/health")


async def test_every_field_of_a_call_to_place_is_described(description: Any) -> None:
    fields = description["components"]["schemas"]["PlaceCall"]["properties"]
    assert set(fields) == {"phoneNumber", "context", "script", "callbackUrl", "callerId", "variables"}
    assert all(field["description"] for field in fields.values())
    assert fields["phoneNumber"]["examples"] == ["+14155550100"]


async def test_every_error_code_is_listed(description: Any) -> None:
    kinds = [TrunklineError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    listed = set(re.findall(r"`(\w+)`", description["info"]["description"]))
    assert {kind.code for kind in kinds} <= listed


async def test_the_pages_need_no_internet(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    wanted = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(wanted) >= 3
    for address in wanted:
        assert address.startswith("/static-offline-docs/")
        assert (await client.get(address)).status_code == 200
    assert "http://" not in page.text and "https://" not in page.text
    assert '"validatorUrl": null' in page.text


def test_the_switchboard_fits() -> None:
    def needs(_: type[Verbs]) -> None: ...

    needs(Switchboard)  # for the type checker
    assert all(hasattr(Switchboard, name) for name in ("place_call", "hang_up", "live_calls", "watch"))
