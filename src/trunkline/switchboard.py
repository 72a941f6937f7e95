"""The product's verbs: place a call, hang it up, see which are live. One per service."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from trunkline.call import Line, OutboundCall
from trunkline.conversation.conversation import Senses
from trunkline.errors import (
    CallEnded,
    CallerIdNotAllowed,
    NotReady,
    PbxUnavailable,
    TooManyCalls,
    TrunkNotConfigured,
    UnknownAgent,
    UnknownCall,
)
from trunkline.events import CallCreated, CallUpdate, PbxEvent, PbxLost, PbxReady
from trunkline.journal import Journal
from trunkline.models import CallEnd, CallId, CallRecord, CallRequest, CallState, Direction, Disposition, HangUpBy
from trunkline.phone_numbers import to_e164
from trunkline.ports import Brain, CallStore, Watcher
from trunkline.settings import AgentSettings, Settings

log = logging.getLogger(__name__)

GOODBYE_SECONDS = 5.0
"""How long live calls get to end when the service stops."""


@dataclass(frozen=True, slots=True)
class Agent:
    """A named agent: its manners, its mind, and its own ears and voice if it has any."""

    settings: AgentSettings
    brain: Brain
    senses: Senses | None = None


class Switchboard:
    """Use it as an async context manager: leaving it ends every call and writes everything down."""

    def __init__(self, settings: Settings, agents: Mapping[str, Agent], line: Line, store: CallStore) -> None:
        self._settings = settings
        self._agents = agents
        self._line = line
        self._store = store
        self._journal = Journal(store)
        self._watchers: list[Watcher] = [self._journal.note]
        self._calls: dict[CallId, OutboundCall] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._writing: asyncio.Task[None] | None = None
        self._closing = False
        line.pbx.on_event(self._on_pbx)

    async def __aenter__(self) -> Self:
        end = CallEnd(Disposition.FAILED, "The service stopped during the call.", HangUpBy.SYSTEM)
        recordings = await self._line.recordings.repair()
        for orphan in await self._store.close_orphans(end, datetime.now(UTC), recordings=recordings):
            log.warning("Call %s was open when the service stopped; it is closed now", orphan)
        self._writing = asyncio.create_task(self._journal.run(), name="journal")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end_calls()
        await self._journal.drain()
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    # ── verbs ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def place_call(self, request: CallRequest) -> CallRecord:
        """Dial. Returns as soon as the call is written down; its progress goes to the watchers.

        Raises `UnknownAgent`, `InvalidNumber`, `CallerIdNotAllowed`, `TrunkNotConfigured`, `PbxUnavailable`,
        `TooManyCalls` or `StoreError`; nothing was dialled then.
        """
        agent = self._agent(request.agent)
        caller_id = self._check(request)
        record = CallRecord(
            id=CallId(str(uuid.uuid4())),
            direction=Direction.OUTBOUND,
            number=request.number,
            agent=request.agent,
            state=CallState.QUEUED,
            created_at=datetime.now(UTC),
            caller_id=caller_id,
            variables={**agent.settings.variables, **request.variables},
            script=request.script,
            callback_url=request.callback_url,
        )
        call = OutboundCall(
            record,
            agent.settings,
            agent.brain,
            self._line if agent.senses is None else replace(self._line, senses=agent.senses),
            ring_timeout=self._settings.trunk.ring_timeout,
            publish=self._publish,
            may_dial=self._dialable,
        )
        self._calls[record.id] = call
        try:
            await self._store.add(record)
        except BaseException:
            del self._calls[record.id]
            raise
        self._publish(CallCreated(record))
        task = asyncio.create_task(call.run(), name=f"call {record.id}")
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._finished(record.id, done))
        return record

    async def hang_up(self, call_id: CallId) -> CallRecord:
        """End a call in whatever state it is. Raises `UnknownCall`, `CallEnded`."""
        if (call := self._calls.get(call_id)) is not None:
            call.hang_up(HangUpBy.OPERATOR)
            return call.record
        record = await self._store.get(call_id)
        if record is None:
            raise UnknownCall(f"There is no call {call_id}.", remedy="GET /calls lists the calls there are.")
        raise CallEnded(f"Call {call_id} has already ended.")

    async def end_calls(self) -> None:
        """Hang up every live call, because the service stops; no new one is taken afterwards."""
        self._closing = True
        for call in list(self._calls.values()):
            call.hang_up(HangUpBy.SYSTEM)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=GOODBYE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    @property
    def live_calls(self) -> Mapping[CallId, CallRecord]:
        """Calls that have not ended, as they are now (without turns and events)."""
        return {call_id: call.record for call_id, call in self._calls.items()}

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` every update of every call, until the returned function is called."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    async def settled(self) -> None:
        """Until everything that has happened so far is in the store."""
        await self._journal.drain()

    # ── inside ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _agent(self, name: str) -> Agent:
        if (agent := self._agents.get(name)) is None:
            raise UnknownAgent(
                f"There is no agent {name!r}.",
                remedy=f"Agents are: {', '.join(self._agents)}. Others can be added to the settings.",
                agents=list(self._agents),
            )
        return agent

    def _check(self, request: CallRequest) -> str | None:
        """Whether this call may be placed now, and the caller ID it shows."""
        trunk = self._settings.trunk
        self._dialable(request.number)
        if request.caller_id is not None and request.caller_id not in trunk.caller_ids:
            raise CallerIdNotAllowed(
                f"The caller ID {request.caller_id!r} is not one of this trunk's.",
                remedy="Add it to trunk.caller_ids, or leave callerId out to show the first of them.",
            )
        if trunk.host is None:
            raise TrunkNotConfigured(
                "No trunk is configured, so no call can be placed.",
                remedy="Set trunk.host (and username, password, caller_ids) in trunkline.toml.",
            )
        if self._closing:
            raise NotReady("The service is stopping.")
        if not self._line.pbx.ready:
            raise PbxUnavailable("Asterisk is not ready.", remedy="It is restarted by itself; try again in a moment.")
        if len(self._calls) >= self._settings.service.max_calls:
            raise TooManyCalls(
                f"{len(self._calls)} calls are running, as many as service.max_calls allows.",
                remedy="Try again when one has ended, or raise service.max_calls.",
            )
        return request.caller_id or (trunk.caller_ids[0] if trunk.caller_ids else None)

    @staticmethod
    def _dialable(written: str) -> str:
        """The number in E.164, if it may be dialled: what holds for a new call and for a transfer alike.

        Raises `InvalidNumber`.
        """
        return to_e164(written)

    def _publish(self, update: CallUpdate) -> None:
        for watcher in tuple(self._watchers):
            watcher(update)

    def _on_pbx(self, event: PbxEvent) -> None:
        match event:
            case PbxLost():
                log.error("Asterisk is gone: %s", event.why)
                for call in list(self._calls.values()):
                    call.pbx_lost(event)
            case PbxReady():
                log.info("Asterisk %s is ready", event.version)
            case _:
                if (found := self._calls.get(event.call_id)) is not None:
                    found.far_end(event)

    def _finished(self, call_id: CallId, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._calls.pop(call_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("Call %s: its task failed", call_id, exc_info=error)
