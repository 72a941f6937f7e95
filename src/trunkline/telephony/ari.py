"""Control of calls through Asterisk's REST interface (ARI)."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import ssl
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import httpx

from trunkline.errors import InvalidNumber, PbxUnavailable
from trunkline.events import CallArrived, FarEndGone, PbxEvent, PbxLost, PbxReady
from trunkline.models import CallId
from trunkline.ports import Extension
from trunkline.settings import E164, TrunkSettings
from trunkline.telephony.ari_bridges import Bridges
from trunkline.telephony.ari_connection import AriConnection
from trunkline.telephony.ari_events import ChannelNews, arrival_of, channel_of
from trunkline.telephony.asterisk_config import (
    ANSWER_EXTENSION,
    CALL_CONTEXT,
    CALL_EXTENSION,
    CALL_VARIABLE,
    GONE_CONTEXT,
    NEXT_VARIABLE,
    on_trunk,
    refer_string,
    target_string,
)
from trunkline.telephony.asterisk_config.carriers import as_received, as_sent
from trunkline.telephony.pbx_home import AriAddress

log = logging.getLogger(__name__)


class AriPbx:
    """Fits the port `Pbx`. `async with AriPbx(address, trunk) as pbx:` – connected inside the block.

    Entering raises `PbxUnavailable` when Asterisk can't be reached. `tls`: for an address with https.
    """

    def __init__(self, ari: AriAddress, trunk: TrunkSettings, tls: ssl.SSLContext | None = None) -> None:
        self._ari = ari
        self._trunk = trunk
        self._listeners: list[Callable[[PbxEvent], None]] = []
        self._news: dict[str, ChannelNews] = {}
        self._arrived: dict[CallId, str] = {}
        self._dialling: dict[str, asyncio.Task[None]] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self._unreached: dict[str, int | None] = {}
        """Channels whose order to end did not arrive, with the cause."""
        self._connection = AriConnection(ari, tls)
        self._http = self._connection.http
        self._bridges = Bridges(self._connection)

    def on_event(self, listener: Callable[[PbxEvent], None]) -> None:
        self._listeners.append(listener)

    @property
    def ready(self) -> bool:
        return self._connection.ready

    async def __aenter__(self) -> Self:
        await self._connection.open(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for channel in list(self._news):
            await self._end(channel)
        await self._connection.stop()
        if errands := [*self._errands, *self._dialling.values()]:
            await asyncio.wait(errands)
        await self._connection.close()

    # ── calls ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def dial(
        self,
        call_id: CallId,
        to: str,
        *,
        caller_id: str | None,
        ring_timeout: float,
        extension: Extension | None = None,
    ) -> None:
        """Places a call; see `Pbx.dial`. Also raises `InvalidNumber`, `TrunkNotConfigured`.

        `call_id` must be a UUID: it becomes the channel's id and the name of its media connection.
        """
        if caller_id is not None and not E164.fullmatch(caller_id):
            raise InvalidNumber(f"{caller_id!r} is not an E.164 number.", remedy="Write it as +14155550100.")
        endpoint = target_string(self._trunk, to)
        if not self.ready:
            raise PbxUnavailable("Asterisk can't be reached at the moment.", remedy="Try again in a moment.")
        parameters = {
            "endpoint": endpoint,
            "context": extension.context if extension else CALL_CONTEXT,
            "extension": extension.name if extension else CALL_EXTENSION,
            "priority": "1",
            "channelId": str(uuid.UUID(call_id)),
            "timeout": str(math.ceil(ring_timeout)),
            **({"callerId": self._shown(caller_id, to)} if caller_id is not None else {}),
        }
        # Events may overtake the answer to the request, so the call is known before it is sent.
        self._news[call_id] = ChannelNews(call_id)
        dialling = asyncio.create_task(self._originate(call_id, parameters))
        self._dialling[call_id] = dialling
        dialling.add_done_callback(lambda _: self._dialling.pop(call_id))
        try:
            await asyncio.shield(dialling)
        except asyncio.CancelledError:
            # The request is under way and a phone may ring: take it back.
            dialling.add_done_callback(lambda task: task.exception())
            self._run(self.hang_up(call_id))
            raise

    async def _originate(self, call_id: CallId, parameters: dict[str, str]) -> None:
        variables = {"CHANNEL(hangup_handler_push)": f"{GONE_CONTEXT},s,1"}
        try:
            response = await self._http.post("/channels", params=parameters, json={"variables": variables})
        except httpx.ConnectError as error:
            if self._news.pop(call_id, None) is not None:
                raise PbxUnavailable(f"Asterisk can't be reached: {error}.") from error
            return
        except httpx.HTTPError as error:
            # It may have got the request: a channel that came of it is ended, which is told like any other end.
            log.warning("call %s: no answer to the order to dial (%s)", call_id, type(error).__name__)
            if not await self._delete(call_id) and self._news.pop(call_id, None) is not None:
                self._tell(FarEndGone(call_id))
            return
        # A call that already ended was told as an event; there is nothing to add.
        if response.status_code != httpx.codes.OK and self._news.pop(call_id, None) is not None:
            raise PbxUnavailable(
                f"Asterisk refused to dial: {response.text[:200]}", remedy="Its log (`pbx/log/messages.log`) says why."
            )

    async def find_extension(self, context: str, number: str) -> Extension | None:
        """See `Pbx.find_extension`. The dialplan of a private Asterisk holds nothing but what we need ourselves."""
        return None

    async def answer(self, call_id: CallId) -> None:
        """Answers a call that has arrived; see `ChannelControl.answer`."""
        channel = self._channel(call_id)
        try:
            (
                await self._http.post(
                    f"/channels/{channel}/variable",
                    params={"variable": CALL_VARIABLE, "value": str(uuid.UUID(call_id))},
                )
            ).raise_for_status()
            (
                await self._http.post(
                    f"/channels/{channel}/continue",
                    params={"context": CALL_CONTEXT, "extension": ANSWER_EXTENSION, "priority": "1"},
                )
            ).raise_for_status()
        except httpx.HTTPError as error:
            raise PbxUnavailable(f"Asterisk could not answer the call ({error}).") from error

    async def hang_up(self, call_id: CallId, *, cause: int | None = None) -> None:
        """Ends the channel, whatever its state; see `ChannelControl.hang_up`."""
        channel = self._arrived.get(call_id, call_id)
        if channel in self._news:
            await self._end(channel, cause)

    async def press_key(self, call_id: CallId, key: str, *, seconds: float) -> None:
        """Sends one digit; see `Pbx.press_key`. The channel is in the dialplan, where ARI doesn't reach."""
        if not re.fullmatch(r"[0-9A-D*#]", key):
            raise PbxUnavailable(f"{key[:10]!r} is no key.")
        milliseconds = str(round(seconds * 1000))
        await self._connection.manage("PlayDTMF", channel=self._channel(call_id), digit=key, duration=milliseconds)

    async def connect_next(self, call_id: CallId, to: str, *, ring_timeout: float) -> None:
        """See `Pbx.connect_next`. Also raises `InvalidNumber`, `TrunkNotConfigured`."""
        channel, endpoint = self._channel(call_id), target_string(self._trunk, to)
        variables = {f"{NEXT_VARIABLE}_SECONDS": str(math.ceil(ring_timeout))}
        if on_trunk(to) and self._trunk.caller_ids:
            # A carrier lets nobody be called in the name of a caller who is not its customer.
            variables["CALLERID(num)"] = self._shown(self._trunk.caller_ids[0], to)
        if self._trunk.refer and (referred := refer_string(self._trunk, to)) is not None:
            variables[f"{NEXT_VARIABLE}_REFER"] = referred
        # Last, as it is what the dialplan looks at.
        for variable, value in (variables | {NEXT_VARIABLE: endpoint}).items():
            await self._connection.manage("Setvar", channel=channel, variable=variable, value=value)

    async def join(self, one: CallId, other: CallId) -> None:
        """See `Pbx.join`."""
        await self._bridges.arrange(self._channel(one), self._channel(other))

    def _shown(self, caller_id: str, to: str) -> str:
        """A number of ours as whoever is called gets it."""
        return as_sent(self._trunk, caller_id) if on_trunk(to) else caller_id

    def _channel(self, call_id: CallId) -> str:
        channel = self._arrived.get(call_id, call_id)
        if channel not in self._news:
            raise PbxUnavailable("The call is over.")
        return channel

    async def _end(self, channel: str, cause: int | None = None) -> None:
        if (dialling := self._dialling.get(channel)) is not None:
            # An order to end that overtook the order to dial would find no channel.
            await asyncio.wait([dialling])
        await self._delete(channel, cause)

    async def _delete(self, channel: str, cause: int | None = None) -> bool:
        """Whether there was such a channel; its end will be told by an event."""
        try:
            reason = {"reason_code": str(cause)} if cause is not None else {}
            response = await self._http.delete(f"/channels/{channel}", params=reason)
        except httpx.HTTPError as error:
            # If Asterisk is gone, so is the channel; if it hangs, the websocket notices.
            log.warning("channel %s: no answer to the order to hang up (%s)", channel, type(error).__name__)
            self._unreached[channel] = cause
            return False
        return response.status_code == httpx.codes.NO_CONTENT

    # ── events ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def greet(self) -> None:
        """Notes that Asterisk is there, and tells it what it has missed."""
        missed, self._unreached = self._unreached, {}
        for channel, cause in missed.items():
            await self._delete(channel, cause)
        info = (await self._http.get("/asterisk/info", params={"only": "system"})).raise_for_status().json()
        version = str(info.get("system", {}).get("version", "unknown"))
        self._tell(PbxReady(version.partition("+")[0]))

    def receive(self, message: Mapping[str, Any]) -> None:
        if (channel := channel_of(message)) is None:
            return
        if channel not in self._news:
            self._welcome(channel, message)
            return
        if (bridge := self._bridges.bridge_for(channel, message)) is not None:
            self._run(self._bridges.enter(channel, bridge))
            return
        event = self._news[channel].event_of(message)
        if isinstance(event, FarEndGone):
            self._forget(channel)
        if event is not None:
            self._tell(event)

    def lose(self, why: str) -> None:
        """Nobody knows what becomes of the calls."""
        self._abandon(PbxLost(why))

    def _abandon(self, lost: PbxLost) -> None:
        """All calls are over."""
        channels = list(self._news)
        self._news.clear()
        self._arrived.clear()
        self._bridges.forget()
        self._tell(lost)
        # Should only the connection be lost and not Asterisk, this makes true what was just told.
        for channel in channels:
            self._run(self._end(channel))

    def _forget(self, channel: str) -> None:
        """It is gone."""
        if (news := self._news.pop(channel, None)) is not None:
            self._arrived.pop(news.call_id, None)
        if (parted := self._bridges.leave(channel)) is not None:
            self._run(self._bridges.close(*parted))

    def _welcome(self, channel: str, message: Mapping[str, Any]) -> None:
        """Perhaps somebody calls."""
        if (arrival := arrival_of(message, CallId(str(uuid.uuid4())))) is not None:
            self._arrived[arrival.id] = channel
            self._news[channel] = ChannelNews(arrival.id)
            number, called = (as_received(self._trunk, text) for text in (arrival.number, arrival.called))
            self._tell(CallArrived(replace(arrival, number=number, called=called)))

    def _tell(self, event: PbxEvent) -> None:
        for listener in self._listeners:
            # Not called from here: a listener that fails must not end the listening.
            asyncio.get_running_loop().call_soon(listener, event)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        errand = asyncio.create_task(work)
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)
