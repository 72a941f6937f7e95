"""The door: API key, host names, sizes; and what strangers get to see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest

from tests.web.desk import Desk, client_of
from trunkline.settings import ServiceSettings
from trunkline.web.guard import MOST_BYTES

KEY = "s3cret-key-of-the-test-ü"
PATHS = ["/calls", "/calls/x", "/metrics", "/openapi.json", "/docs", "/nothing", "/call", "/static-offline-docs/x"]


@pytest.fixture
async def stranger(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = ServiceSettings.model_validate({"host": "0.0.0.0", "api_key": KEY})
    async with client_of(Desk(tmp_path, settings).app()) as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer"},
        {"authorization": f"Basic {KEY}".encode()},
        {"authorization": KEY.encode()},
        {"x-api-key": KEY[:-1]},
        {"x-api-key": ""},
        {"x-api-key": b"\xff\xfe"},
        {"cookie": b"key=" + KEY.encode()},
    ],
    ids=ascii,
)
async def test_strangers_stay_outside(stranger: httpx.AsyncClient, path: str, headers: dict[str, str | bytes]) -> None:
    answer = await stranger.get(path, headers=_raw(headers))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert KEY not in answer.text


def _raw(headers: Mapping[str, str | bytes]) -> list[tuple[bytes, bytes]]:
    """Headers as they are on the wire, so that they may hold anything."""
    return [(name.encode(), value.encode() if isinstance(value, str) else value) for name, value in headers.items()]


async def test_a_stranger_places_no_call(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ServiceSettings.model_validate({"api_key": KEY}))
    async with client_of(desk.app()) as client:
        answer = await client.post("/call", json={"phoneNumber": "+14155550100"})
    assert answer.status_code == 401
    assert desk.switchboard.requests == []


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
async def test_the_key_opens(stranger: httpx.AsyncClient, header: str) -> None:
    value = f"Bearer {KEY}" if header == "authorization" else KEY
    answer = await stranger.get("/calls", headers=_raw({header: value}))
    assert answer.status_code == 200


async def test_health_is_open_to_all(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/health")).status_code == 200
    assert (await stranger.get("/health/")).status_code == 401


async def test_with_a_key_any_host_name_will_do(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/calls", headers=_raw({"host": "calls.example", "x-api-key": KEY}))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "host", ["127.0.0.1:3030", "127.0.0.1", "localhost:3030", "LOCALHOST", "[::1]:3030", "[::1]", "n8n.localhost:80"]
)
async def test_without_a_key_it_answers_to_its_address(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/calls", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3030", "localhost.evil.example", "127.0.0.1.nip.io", ""]
)
async def test_without_a_key_a_strange_name_is_refused(desk: Desk, client: httpx.AsyncClient, host: str) -> None:
    # DNS rebinding: a web page whose own name suddenly points to 127.0.0.1.
    answer = await client.post("/call", json={"phoneNumber": "+14155550100"}, headers={"host": host})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "host_refused")
    assert desk.switchboard.requests == []


async def test_the_largest_body(client: httpx.AsyncClient) -> None:
    body = b'{"phoneNumber": "+14155550100"}'
    headers = {"content-type": "application/json"}
    fits = await client.post("/call", content=body.ljust(MOST_BYTES), headers=headers)
    assert fits.status_code == 202
    too_large = await client.post("/call", content=body.ljust(MOST_BYTES + 1), headers=headers)
    assert (too_large.status_code, too_large.json()["error"]["code"]) == (413, "body_too_large")


async def test_a_body_that_does_not_tell_its_length(desk: Desk, client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * MOST_BYTES:
            sent += 1000
            yield b" " * 1000

    answer = await client.post("/call", content=endless(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
    assert desk.switchboard.requests == []


@pytest.mark.parametrize("length", ["9" * 30, "9" * 6000])
async def test_an_absurd_length(client: httpx.AsyncClient, length: str) -> None:
    answer = await client.get("/calls", headers={"content-length": length})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/call", 405, "method_not_allowed"),
        ("PUT", "/calls", 405, "method_not_allowed"),
        ("TRACE", "/calls", 405, "method_not_allowed"),
    ],
)
async def test_wrong_addresses_and_methods(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["remedy"]


async def test_what_breaks_stays_inside(
    desk: Desk, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    desk.switchboard.refusal = ZeroDivisionError("the secret of the house")
    answer = await client.post("/call", json={"phoneNumber": "+14155550100"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (500, "internal_error")
    assert "secret of the house" not in answer.text and "ZeroDivision" not in answer.text
    assert error["details"]["incident"] in caplog.text
    assert "the secret of the house" in caplog.text


async def test_websockets_go_through_the_door_too(tmp_path: Path) -> None:
    app = Desk(tmp_path, ServiceSettings.model_validate({"api_key": KEY})).app()
    sent: list[object] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: object) -> None:
        sent.append(message)

    await app({"type": "websocket", "path": "/ws", "headers": [], "query_string": b""}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]
