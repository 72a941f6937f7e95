"""API keys at the door: what they open, how often, and what is written down of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.store.records import at
from tests.web.desk import Desk, client_of
from trunkline.access import ApiKey, Scope, digest
from trunkline.settings import ServiceSettings
from trunkline.web import api_keys
from trunkline.web.scopes import scope_of

CALL = {"phoneNumber": "+14155550100"}
MASKED = "+1415•••0100"


async def desk_with(folder: Path, *scopes: Scope, **service: object) -> Desk:
    """One key, `secret`, that opens these."""
    desk = Desk(folder, ServiceSettings.model_validate(service))
    await desk.access.add_key(ApiKey("n8n", digest(b"secret"), frozenset(scopes), at(0)))
    return desk


@asynccontextmanager
async def visitor(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(desk.app(), authorization="Bearer secret") as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/calls", Scope.READ),
        ("GET", "/calls/x/recording", Scope.READ),
        ("HEAD", "/do-not-call", Scope.READ),
        ("GET", "/openapi.json", Scope.READ),
        ("POST", "/call", Scope.CALL),
        ("POST", "/hangup", Scope.CALL),
        ("DELETE", "/calls/x", Scope.CALL),
        ("POST", "/calls/x/say", Scope.CALL),
        ("GET", "/calls/x/takeover", Scope.CALL),
        ("PUT", "/do-not-call/+14155550100", Scope.CALL),
        ("DELETE", "/calls/x/data", Scope.ADMIN),
        ("DELETE", "/do-not-call/+14155550100", Scope.ADMIN),
        ("DELETE", "/numbers/+14155550100", Scope.ADMIN),
        ("PUT", "/dialling/stop", Scope.ADMIN),
        ("POST", "/whatever/comes", Scope.ADMIN),
        ("POST", "/calls", Scope.ADMIN),
        ("POST", "/callx", Scope.ADMIN),
    ],
)
def test_what_opens_what(method: str, path: str, scope: Scope) -> None:
    assert scope_of(method, path) is scope


async def test_a_key_that_was_made_is_asked_for_even_where_none_is_set(tmp_path: Path) -> None:
    desk = await desk_with(tmp_path, Scope.READ)
    async with client_of(desk.app()) as stranger:
        assert (await stranger.get("/calls")).status_code == 401
        assert (await stranger.get("/calls", headers={"x-api-key": "wrong"})).status_code == 401
        assert (await stranger.get("/calls", headers={"x-api-key": "secret"})).status_code == 200
        assert (await stranger.get("/health")).status_code == 200


async def test_a_key_keeps_to_its_scope(tmp_path: Path) -> None:
    desk = await desk_with(tmp_path, Scope.READ)
    async with visitor(desk) as client:
        answer = await client.post("/call", json=CALL)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "scope_missing")
    assert "'call'" in answer.json()["error"]["message"]
    assert desk.switchboard.requests == []


async def test_placing_calls_is_no_reading(tmp_path: Path) -> None:
    async with visitor(await desk_with(tmp_path, Scope.CALL)) as client:
        assert (await client.post("/call", json=CALL)).status_code == 202
        assert (await client.get("/calls")).status_code == 403


async def test_the_key_of_the_settings_opens_everything_beside_others(tmp_path: Path) -> None:
    desk = await desk_with(tmp_path, Scope.READ, api_key="key-of-the-settings")
    async with client_of(desk.app(), authorization="Bearer key-of-the-settings") as client:
        assert (await client.put("/dialling/stop", json={"why": "complaints"})).status_code == 200
    async with visitor(desk) as client:
        assert (await client.get("/calls")).status_code == 200


async def test_a_revoked_key_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "FRESH", 0.0)
    desk = await desk_with(tmp_path, Scope.READ, api_key="key-of-the-settings")
    async with visitor(desk) as client:
        assert (await client.get("/calls")).status_code == 200
        await desk.access.revoke("n8n")
        assert (await client.get("/calls")).status_code == 401


async def test_keys_that_cant_be_read_open_nothing(tmp_path: Path) -> None:
    desk = await desk_with(tmp_path, Scope.ADMIN)
    desk.access.broken = True
    async with visitor(desk) as client:
        answer = await client.post("/call", json=CALL)
        assert (await client.get("/health")).status_code == 200
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_failed")
    assert desk.switchboard.requests == []


async def test_a_key_keeps_to_its_rate(tmp_path: Path) -> None:
    desk = await desk_with(tmp_path, Scope.READ, api_key="key-of-the-settings", requests_per_second=0.001)
    async with visitor(desk) as client:
        answer = await client.get("/calls")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limited")
    assert int(answer.headers["retry-after"]) > 10


async def test_the_rate_is_that_of_each_key(tmp_path: Path) -> None:
    desk = await desk_with(tmp_path, Scope.READ, api_key="key-of-the-settings", requests_per_second=0.5)
    async with visitor(desk) as client:
        assert [(await client.get("/calls")).status_code for _ in range(2)] == [200, 429]
        other = await client.get("/calls", headers={"authorization": "Bearer key-of-the-settings"})
    assert other.status_code == 200


async def test_the_audit_log(tmp_path: Path) -> None:
    desk = await desk_with(tmp_path, Scope.CALL)
    async with visitor(desk) as client:
        await client.get("/health")
        await client.post("/call", json=CALL)
        await client.post("/call", json={"phoneNumber": "nobody"})
        await client.post("/call", json={"phone": "+14155550100"})
        await client.delete("/calls/none")
        await client.put("/do-not-call/+14155550100", json={"why": "asked"})
        await client.get("/refusals")
        await client.get("/calls", headers={"authorization": "Bearer wrong"})
    assert [(line.key, line.request, line.number, line.status, line.code) for line in desk.access.lines] == [
        ("n8n", "POST /call", MASKED, 202, None),
        ("n8n", "POST /call", "•••", 422, "invalid_number"),
        ("n8n", "POST /call", None, 422, "request_invalid"),
        ("n8n", "DELETE /calls/none", None, 404, "unknown_call"),
        ("n8n", f"PUT /do-not-call/{MASKED}", MASKED, 200, None),
        ("n8n", "GET /refusals", None, 403, "scope_missing"),
    ]


async def test_without_keys_the_log_names_none(desk: Desk, client: httpx.AsyncClient) -> None:
    await client.post("/call", json=CALL)
    assert [(line.key, line.request, line.status) for line in desk.access.lines] == [("", "POST /call", 202)]


async def test_a_log_that_cant_be_written_is_in_nobodys_way(desk: Desk, client: httpx.AsyncClient) -> None:
    await client.get("/calls")  # the keys are known for a second
    desk.access.broken = True
    assert (await client.post("/call", json=CALL)).status_code == 202
