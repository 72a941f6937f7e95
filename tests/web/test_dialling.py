"""The routes of who may be dialled: the switch, the list, the refusals; and what is counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.store.records import at
from tests.web.desk import Desk
from trunkline.ledger import Attempt, Caps, Purpose, Refusal
from trunkline.web import Metrics

NUMBER, PATH = "+14155550100", "/do-not-call/+14155550100"


async def test_the_switch(desk: Desk, client: httpx.AsyncClient) -> None:
    assert (await client.get("/dialling")).json() == {"stopped": None, "calls": 0, "cost": 0.0}
    stopped = await client.put("/dialling/stop", json={"why": "complaints"})
    assert stopped.json()["stopped"]["why"] == "complaints"
    assert (await desk.ledger.stop()) is not None
    assert (await client.delete("/dialling/stop")).json()["stopped"] is None
    assert (await client.delete("/dialling/stop")).status_code == 200
    assert (await client.put("/dialling/stop", json={})).status_code == 422


async def test_what_went_out_in_24_hours(desk: Desk, client: httpx.AsyncClient) -> None:
    now = datetime.now(UTC)
    for age in (0, 23, 25):
        attempt = Attempt(now - timedelta(hours=age), NUMBER, 0.25)
        await desk.ledger.reserve(attempt, Caps(now - timedelta(days=2)))
    assert (await client.get("/dialling")).json() == {"stopped": None, "calls": 2, "cost": 0.5}


async def test_the_list(client: httpx.AsyncClient) -> None:
    assert (await client.get(PATH)).json()["error"]["code"] == "not_on_list"
    assert (await client.put(PATH, json={"why": "asked"})).json()["why"] == "asked"
    assert (await client.put("/do-not-call/14155550101", json={"why": "asked"})).status_code == 200
    again = (await client.put(PATH, json={"why": "once more"})).json()
    assert (again["number"], again["why"]) == (NUMBER, "asked")
    assert (await client.get("/do-not-call/%2B1%20415%20555%200100")).json() == again
    first = (await client.get("/do-not-call", params={"limit": 1})).json()
    assert ([each["number"] for each in first["numbers"]], first["next"]) == ([NUMBER], NUMBER)
    rest = (await client.get("/do-not-call", params={"after": first["next"]})).json()
    assert ([each["number"] for each in rest["numbers"]], rest["next"]) == (["+14155550101"], None)
    assert (await client.delete(PATH)).status_code == 204
    assert (await client.delete(PATH)).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_what_is_no_number(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/do-not-call/nobody", json={"why": "asked"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_number")


async def test_refusals(desk: Desk, client: httpx.AsyncClient) -> None:
    for second, number in enumerate(("+1415•••0100", "+1900•••0100", "+1415•••0100")):
        await desk.ledger.note_refusal(Refusal(at(second), number, Purpose.CALL, "do_not_call", "No."))
    page = (await client.get("/refusals", params={"limit": 2})).json()
    assert [(each["id"], each["number"]) for each in page["refusals"]] == [(3, "+1415•••0100"), (2, "+1900•••0100")]
    assert page["next"] == 2
    rest = (await client.get("/refusals", params={"before": 2})).json()
    assert ([each["id"] for each in rest["refusals"]], rest["next"]) == ([1], None)
    one = (await client.get("/refusals", params={"number": NUMBER})).json()
    assert [each["id"] for each in one["refusals"]] == [3, 1]
    assert (await client.get("/refusals", params={"number": "nobody"})).status_code == 422


def test_refusals_are_counted() -> None:
    @dataclass
    class Counted:
        refused: Mapping[str, int]

    text = Metrics(refusals=Counted({"do_not_call": 2})).text().decode()
    assert 'trunkline_dialling_refused_total{code="do_not_call"} 2.0' in text
