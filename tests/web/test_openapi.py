"""Requests made from the API's own description: whatever it allows is answered, and nothing breaks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

from tests.test_switchboard import Office
from tests.web.serving import serving
from trunkline.call import Line
from trunkline.conversation.load import LoadGauge
from trunkline.dialling.guards import Guards
from trunkline.settings import DEFAULT_AGENT, AgentSettings, ServiceSettings
from trunkline.store import Recordings, open_store
from trunkline.store.access import SqlAccessBook
from trunkline.store.ledger import SqlLedger
from trunkline.switchboard import Agent, Switchboard
from trunkline.web import Metrics, create_app

EXAMPLES = 10
"""Requests of each route."""
NUMBER = "+14155550100"
ENDLESS = "GET /calls/{call_id}/events"
"""Goes on as long as its call lives."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service on a loop and thread of its own: the requests come from this one."""
    addresses: list[str] = []
    ready, done = threading.Event(), threading.Event()
    folder = tmp_path_factory.mktemp("recordings")

    async def serve() -> None:
        store = await open_store(ServiceSettings(data_dir=folder))
        ledger, house = SqlLedger(store.tables), Office(max_calls=1000)
        line = Line(house.pbx, house.legs, house.senses, house.shelf, LoadGauge())
        # The agent has the default name, and nobody who is called picks up.
        agents = {DEFAULT_AGENT: Agent(AgentSettings(), house.brain)}
        board = Switchboard(house.settings, agents, line, store, Guards(house.settings, ledger))
        app = create_app(
            board,
            store,
            ServiceSettings(),
            recordings=Recordings(folder),
            metrics=Metrics(),
            health=dict,
            ledger=ledger,
            access=SqlAccessBook(store.tables),
        )
        async with board, serving(app) as address:
            addresses.append(address)
            ready.set()
            await asyncio.to_thread(done.wait)
            await board.end_calls()
        await store.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(30)
    yield addresses[0]
    done.set()
    thread.join(30)
    assert not thread.is_alive()


@dataclass(frozen=True)
class Known:
    """What requests may be about that exists; the description can't tell them."""

    live: str
    ended: str

    def put_into(self, case: schemathesis.Case[Any], label: str, random: Random) -> None:
        """Half of the requests are left as they were made."""
        if random.random() < 0.5:
            return
        if "call_id" in case.path_parameters:
            case.path_parameters["call_id"] = self.ended if label == ENDLESS else random.choice((self.live, self.ended))
        if "number" in case.path_parameters:
            case.path_parameters["number"] = NUMBER
        if isinstance(case.body, dict) and "phoneNumber" in case.body:
            case.body |= {"phoneNumber": NUMBER, "callerId": None, "context": DEFAULT_AGENT}
        if isinstance(case.body, dict) and "sessionId" in case.body:
            case.body = {"sessionId": self.ended}


def place(url: str) -> str:
    answer = httpx.post(f"{url}/call", json={"phoneNumber": NUMBER}, trust_env=False)
    return str(answer.json()["sessionId"])


def statuses_of(operation: APIOperation[Any, Any, Any, Any], url: str, known: Known) -> set[int]:
    """What requests of one route were answered with."""
    statuses = set()

    @given(case=operation.as_strategy(), random=st.randoms(use_true_random=False))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case[Any], random: Random) -> None:
        known.put_into(case, operation.label, random)
        answer = case.call(base_url=url, timeout=30)
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=[not_a_server_error])

    ask()
    return statuses


def test_nothing_that_the_description_allows_breaks_the_service(url: str) -> None:
    known = Known(place(url), place(url))
    assert httpx.delete(f"{url}/calls/{known.ended}", trust_env=False).status_code == 202
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    statuses = {operation.label: statuses_of(operation, url, known) for operation in operations}
    assert len(statuses) > 25
    assert 202 in statuses["POST /call"] and 200 in statuses["GET /calls/{call_id}"], statuses
