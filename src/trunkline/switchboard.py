"""The product's verbs: place a call, hang it up, see which are live. One per service."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

from trunkline.brains.announcement import Announcement
from trunkline.call import Call, Line
from trunkline.colleague_call import ColleagueCall, manners_for, mind_for, record_for
from trunkline.conversation.conversation import Senses
from trunkline.dialling.guards import Guards
from trunkline.dialplan_call import DialplanCall
from trunkline.errors import (
    CallEnded,
    CallerBlocked,
    CallerIdNotAllowed,
    NotReady,
    PbxUnavailable,
    TooManyCalls,
    TrunklineError,
    TrunkNotConfigured,
    UnknownAgent,
    UnknownCall,
)
from trunkline.events import (
    CallArrived,
    CallCreated,
    CallStateChanged,
    CallUpdate,
    LegEvent,
    PbxEvent,
    PbxLost,
    PbxReady,
)
from trunkline.incoming_call import IncomingCall
from trunkline.journal import Journal
from trunkline.live_call import LiveCall
from trunkline.models import (
    Arrival,
    CallEnd,
    CallId,
    CallRecord,
    CallRequest,
    CallState,
    Direction,
    Disposition,
    HangUpBy,
)
from trunkline.outbound_call import OutboundCall
from trunkline.phone_numbers import to_e164
from trunkline.ports import Brain, CallStore, ChannelControl, TurnChannel, Watcher
from trunkline.recorded_call import RecordedCall
from trunkline.routing import TurnedAway, agent_for
from trunkline.settings import AgentSettings, Settings
from trunkline.transfers import Target, TransferDesk

log = logging.getLogger(__name__)

GOODBYE_SECONDS = 5.0
"""How long live calls get to end when the service stops."""
USER_BUSY, CALL_REJECTED, SWITCH_CONGESTION = 17, 21, 42
"""Q.850 causes of calls that are not answered; Asterisk makes 486, 403 and 503 of them."""
CAUSES: Final[Mapping[type[TrunklineError], int]] = {TooManyCalls: USER_BUSY, CallerBlocked: CALL_REJECTED}


@dataclass(frozen=True, slots=True)
class Agent:
    """A named agent: its manners, its mind, and its own ears and voice if it has any."""

    settings: AgentSettings
    brain: Brain
    senses: Senses | None = None


DIALPLAN: Final = Agent(AgentSettings(), Announcement(""))
"""Stands for the agent of a call that a context of the dialplan has."""


class Switchboard:
    """Use it as an async context manager: leaving it ends every call and writes everything down."""

    def __init__(
        self, settings: Settings, agents: Mapping[str, Agent], line: Line, store: CallStore, guards: Guards
    ) -> None:
        self._settings = settings
        self._agents = agents
        self._line = line
        self._store = store
        self._guards = guards
        self._journal = Journal(store)
        self._watchers: list[Watcher] = [self._journal.note, guards.watch]
        self._calls: dict[CallId, Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._writing: asyncio.Task[None] | None = None
        self._closing = False
        self._desk = TransferDesk(settings.transfers, self._guards.admit_transfer, self._ask_colleague)
        line.pbx.on_event(self._on_pbx)

    async def __aenter__(self) -> Self:
        end = CallEnd(Disposition.FAILED, "The service stopped during the call.", HangUpBy.SYSTEM)
        recordings = await self._line.recordings.repair()
        for orphan in await self._store.close_orphans(end, datetime.now(UTC), recordings=recordings):
            log.warning("Call %s was open when the service stopped; it is closed now", orphan)
            # An Asterisk that outlived the service may have it still.
            await self._line.pbx.hang_up(orphan)
        self._writing = asyncio.create_task(self._journal.run(), name="journal")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end_calls()
        await self._guards.settled()
        await self._journal.drain()
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    # ── verbs ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def place_call(self, request: CallRequest) -> CallRecord:
        """Dial. Returns as soon as the call is written down; its progress goes to the watchers.

        Where no agent has the name, a context of the phone system's own dialplan may: it has the call then.

        Raises `UnknownAgent`, `InvalidNumber`, `CallerIdNotAllowed`, `TrunkNotConfigured`, `PbxUnavailable`,
        `TooManyCalls`, `DiallingRefused` or `StoreError`; nothing was dialled then.
        """
        agent = self._agents.get(request.agent) or await self._dialplan(request)
        to_e164(request.number)
        caller_id = self._check(request)
        call_id = CallId(str(uuid.uuid4()))
        await self._guards.admit_call(request, call_id, longest=agent.settings.max_call_seconds)
        self._check_room()  # others may have begun meanwhile
        record = CallRecord(
            id=call_id,
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
        kind = DialplanCall if agent is DIALPLAN else OutboundCall
        call = kind(
            record,
            agent.settings,
            agent.brain,
            self._line_of(agent),
            self._line.pbx,
            ring_timeout=self._settings.trunk.ring_timeout,
            publish=self._publish,
            desk=self._desk,
        )
        await self._begin(call)
        return record

    async def take_call(self, arrival: Arrival, channel: ChannelControl) -> CallRecord:
        """Have an agent answer a call that waits, over `channel`. Its progress goes to the watchers.

        Over a `TurnChannel` they speak turn by turn, otherwise the audio comes as a leg.

        Raises `CallerBlocked`, `UnknownAgent`, `TooManyCalls`, `NotReady` or `StoreError`: the caller waits still, and
        whoever asked tells them.
        """
        name = agent_for(arrival, self._settings, datetime.now(UTC))
        record = CallRecord(
            id=arrival.id,
            direction=arrival.direction,
            number=arrival.number,
            agent=name if isinstance(name, str) else "",
            state=CallState.RINGING,
            created_at=datetime.now(UTC),
            caller_id=arrival.called,
            variables=dict(arrival.variables),
            ringing_at=datetime.now(UTC),
        )
        if isinstance(name, TurnedAway):
            await self._refuse(record, Disposition.REJECTED, name.why)
            raise CallerBlocked(name.why)
        agent = self._agent(name)
        self._check_room()
        full = self._incoming_full()
        if full and not self._settings.incoming.full_message:
            why = "As many calls have come in as incoming.max_calls allows."
            await self._refuse(record, Disposition.BUSY, why)
            raise TooManyCalls(why, remedy="Raise incoming.max_calls, or have callers told: incoming.full_message.")
        kind = RecordedCall if isinstance(channel, TurnChannel) else IncomingCall
        call = kind(
            replace(record, variables={**agent.settings.variables, **arrival.variables}),
            agent.settings,
            Announcement(self._settings.incoming.full_message) if full else agent.brain,
            self._line_of(agent),
            channel,
            ring_timeout=self._settings.trunk.ring_timeout,
            publish=self._publish,
            desk=self._desk,
        )
        await self._begin(call)
        return call.record

    def far_end(self, event: LegEvent) -> None:
        """What becomes of a call's far end, from whoever controls it."""
        if (found := self._calls.get(event.call_id)) is not None:
            found.far_end(event)

    async def hang_up(self, call_id: CallId) -> CallRecord:
        """End a call in whatever state it is. Raises `UnknownCall`, `CallEnded`."""
        call = await self._live(call_id)
        call.hang_up(HangUpBy.OPERATOR)
        return call.record

    async def change_agent(self, call_id: CallId, name: str, *, now: bool = False) -> None:
        """Have another agent go on with a call. Raises `UnknownAgent`, `UnknownCall`, `CallEnded`, `WrongMoment`."""
        agent, call = self._agent(name), await self.live_call(call_id)
        await call.change_agent(name, agent.settings, agent.brain, agent.senses or self._line.senses, now=now)

    async def live_call(self, call_id: CallId) -> LiveCall:
        """A call that has not ended, to do something with it. Raises `UnknownCall`, `CallEnded`."""
        return LiveCall(await self._live(call_id))

    async def _live(self, call_id: CallId) -> Call:
        if (call := self._calls.get(call_id)) is not None:
            return call
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

    async def _dialplan(self, request: CallRequest) -> Agent:
        """Raises `UnknownAgent`, `PbxUnavailable`."""
        extension = await self._line.pbx.find_extension(request.agent, request.number)
        return self._agent(request.agent) if extension is None else DIALPLAN

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
        if not self._line.pbx.ready:
            raise PbxUnavailable("Asterisk is not ready.", remedy="Try again in a moment.")
        self._check_room()
        return request.caller_id or (trunk.caller_ids[0] if trunk.caller_ids else None)

    def _check_room(self) -> None:
        """Whether one more call can be carried. Raises `NotReady`, `TooManyCalls`."""
        if self._closing:
            raise NotReady("The service is stopping.")
        if len(self._calls) >= self._settings.service.max_calls:
            raise TooManyCalls(
                f"{len(self._calls)} calls are running, as many as service.max_calls allows.",
                remedy="Try again when one has ended, or raise service.max_calls.",
            )

    def _incoming_full(self) -> bool:
        allowed = self._settings.incoming.max_calls
        running = sum(isinstance(call, IncomingCall) for call in self._calls.values())
        return allowed is not None and running >= allowed

    def _line_of(self, agent: Agent) -> Line:
        return self._line if agent.senses is None else replace(self._line, senses=agent.senses)

    async def _begin(self, call: Call) -> None:
        """Write it down, then let it run."""
        record = call.record
        self._calls[record.id] = call
        try:
            await self._store.add(record)
        except BaseException:
            del self._calls[record.id]
            raise
        self._publish(CallCreated(record))
        self._accompany(call.run(), f"call {record.id}").add_done_callback(lambda _: self._calls.pop(record.id))

    def _accompany(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    async def _refuse(self, record: CallRecord, disposition: Disposition, why: str) -> None:
        """Write down a call that nobody answers."""
        log.warning("A call from %s to %s is refused: %s", record.number, record.caller_id, why)
        await self._store.add(record)
        self._publish(CallCreated(record))
        end = CallEnd(disposition, why, HangUpBy.SYSTEM)
        self._publish(CallStateChanged(record.id, CallState.ENDED, datetime.now(UTC), end))

    async def _arrived(self, arrival: Arrival) -> None:
        """A call on the trunk: an agent answers, or the caller is told why nobody does."""
        try:
            await self.take_call(arrival, self._line.pbx)
        except TrunklineError as error:
            log.warning("Call %s from %s is not answered: %s", arrival.id, arrival.number, error)
            cause = CAUSES.get(type(error), SWITCH_CONGESTION)
            await self._line.pbx.hang_up(arrival.id, cause=cause)

    async def _ask_colleague(self, person: CallRecord, target: Target, about: str) -> ColleagueCall:
        """See `TransferDesk.ask`: a call of its own, which counts as any other does."""
        self._check_room()
        agent = self._agent(person.agent)
        call = ColleagueCall(
            record_for(person, target, self._settings.trunk.caller_ids),
            manners_for(agent.settings, target),
            mind_for(person, target, about),
            self._line_of(agent),
            self._line.pbx,
            ring_timeout=target.manners.ring_seconds or self._settings.trunk.ring_timeout,
            publish=self._publish,
            desk=self._desk,
        )
        await self._begin(call)
        return call

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
            case CallArrived(arrival):
                self._accompany(self._arrived(arrival), f"arrival {arrival.id}")
            case _:
                self.far_end(event)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("The task of %s failed", task.get_name(), exc_info=error)
