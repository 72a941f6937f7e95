"""The web's surroundings in tests: a switchboard that does what each test says, a store in memory, a client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
from fastapi import FastAPI

from tests.doubles_ledger import MemoryAccessBook, MemoryLedger
from tests.doubles_store import MemoryCallStore
from tests.store.records import at
from trunkline.errors import CallEnded, TrunklineError, UnknownAgent, UnknownCall
from trunkline.events import CallCreated, CallNoted, CallStateChanged, CallUpdate, GreetingStarted, TurnFinished
from trunkline.live_call import LiveCall
from trunkline.models import CallEnd, CallId, CallRecord, CallRequest, CallState, Direction, Disposition, HangUpBy
from trunkline.ports import CallStore, Watcher
from trunkline.settings import DEFAULT_AGENT, ServiceSettings
from trunkline.store import Keyring, Recordings
from trunkline.web import Metrics, Part, create_app

FIRST = "00000000-0000-4000-8000-000000000001"


class FakeSwitchboard:
    """Fits `web.Verbs`: keeps calls as the real one does, and dials nobody."""

    def __init__(self, store: CallStore) -> None:
        self.store = store
        self.requests: list[CallRequest] = []
        self.refusal: TrunklineError | Exception | None = None
        self._live: dict[CallId, CallRecord] = {}
        self._watchers: list[Watcher] = []

    async def place_call(self, request: CallRequest) -> CallRecord:
        self.requests.append(request)
        if self.refusal is not None:
            raise self.refusal
        if request.agent != DEFAULT_AGENT:
            raise UnknownAgent(f"There is no agent {request.agent!r}.", agents=[DEFAULT_AGENT])
        number = len(self.requests)
        call = CallRecord(
            id=CallId(f"00000000-0000-4000-8000-{number:012d}"),
            direction=Direction.OUTBOUND,
            number=request.number,
            agent=request.agent,
            state=CallState.QUEUED,
            created_at=at(number),
            caller_id=request.caller_id,
            variables=request.variables,
            script=request.script,
            callback_url=request.callback_url,
        )
        await self.store.add(call)
        self._live[call.id] = call
        self.publish(CallCreated(call))
        return call

    async def hang_up(self, call_id: CallId) -> CallRecord:
        if (call := self._live.get(call_id)) is None:
            if await self.store.get(call_id) is None:
                raise UnknownCall(f"There is no call {call_id}.")
            raise CallEnded(f"Call {call_id} has already ended.")
        end = CallEnd(Disposition.CANCELLED, "Hung up on request.", HangUpBy.OPERATOR)
        await self.tell(CallStateChanged(call_id, CallState.ENDED, at(60), end))
        return call

    async def live_call(self, call_id: CallId) -> LiveCall:
        raise NotImplementedError("what is done in a live call is tried with the real switchboard")

    async def change_agent(self, call_id: CallId, name: str, *, now: bool = False) -> None:
        raise NotImplementedError

    @property
    def live_calls(self) -> Mapping[CallId, CallRecord]:
        return dict(self._live)

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def publish(self, update: CallUpdate) -> None:
        for watcher in tuple(self._watchers):
            watcher(update)

    async def tell(self, update: CallUpdate) -> None:
        """Something happens in a call: it is stored and published."""
        match update:
            case CallStateChanged(call_id, CallState.ENDED, when, end, recording):
                assert end is not None
                await self.store.end(call_id, end, when, recording=recording)
                self._live.pop(call_id, None)
            case CallStateChanged(call_id, state, when):
                await self.store.set_state(call_id, state, when)
                self._live[call_id] = replace(self._live[call_id], state=state)
            case GreetingStarted(call_id, greeting_ms):
                await self.store.set_greeting(call_id, greeting_ms)
            case TurnFinished(call_id, turn):
                await self.store.add_turn(call_id, turn)
            case CallNoted(_, event):
                await self.store.add_event(event)
            case _:
                pass
        self.publish(update)


class Desk:
    """An application and what it stands on."""

    def __init__(self, folder: Path, settings: ServiceSettings | None = None) -> None:
        self.store = MemoryCallStore()
        self.switchboard = FakeSwitchboard(self.store)
        self.settings = settings or ServiceSettings()
        self.recordings = folder
        self.keys = Keyring()
        self.metrics = Metrics()
        self.ledger = MemoryLedger()
        self.access = MemoryAccessBook()
        self.parts = {"pbx": Part(True, {"version": "22.5.2"}), "speech": Part(True)}

    def app(self) -> FastAPI:
        return create_app(
            self.switchboard,
            self.store,
            self.settings,
            recordings=Recordings(self.recordings, self.keys),
            metrics=self.metrics,
            health=lambda: self.parts,
            ledger=self.ledger,
            access=self.access,
        )


@asynccontextmanager
async def client_of(app: FastAPI, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3030", headers=headers) as client:
        yield client
