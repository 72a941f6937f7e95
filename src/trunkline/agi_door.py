"""The AGI door: a dialplan hands over a call, an agent takes it, the dialplan gets the results and goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from trunkline.errors import CallerBlocked, PbxUnavailable, TooManyCalls, TrunklineError
from trunkline.events import CallNoted, CallStateChanged, CallUpdate
from trunkline.models import ANONYMOUS, Arrival, CallEnd, CallId, Direction, Disposition, HangUpBy
from trunkline.ports import RESULT
from trunkline.settings import Settings
from trunkline.switchboard import Switchboard
from trunkline.telephony.agi_channel import AgiChannel, has_audiosocket
from trunkline.telephony.agi_protocol import Asked
from trunkline.telephony.agi_server import AgiConnection
from trunkline.telephony.agi_turns import AgiTurnChannel, SharedFolder

PREFIX: Final = "TRUNKLINE_"
"""Of the channel variables that are read and set."""
OURS: Final = frozenset({"mode", "direction", "number", "called"})
"""Parameters that say something of the call itself; all others are variables for the agent."""
MOST_VARIABLES: Final = 50
LONGEST_VALUE: Final = 400
"""Characters of a variable that is set."""
RESULTS_SECONDS: Final = 45.0
"""How long the results may take: before Asterisk reads them, it ends what it does, as a recording of up to 30 s."""
DISPOSITIONS: Final[Mapping[type[TrunklineError], Disposition]] = {
    TooManyCalls: Disposition.BUSY,
    CallerBlocked: Disposition.REJECTED,
}
"""How a call counts that no agent took; all else is a failure."""

_MEANT_FOR_DIALPLANS = re.compile(r"[\x00-\x1f\"$`\\&|;{}\[\]]")
"""What a person has said must not end a string of a dialplan, nor begin an expression or another endpoint in it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Results:
    """What the dialplan is told when the agent is done."""

    call_id: CallId
    end: CallEnd
    told: Mapping[str, object]
    """What the agent found out, by name."""
    next: tuple[str, float] | None = None
    """The number to put the person through to, and how long it may ring."""

    def variables(self) -> dict[str, str]:
        """Channel variables."""
        end = self.end
        found = {
            "CALL_ID": self.call_id,
            "DISPOSITION": end.disposition.upper(),
            "HANGUP_BY": end.hung_up_by,
            "REASON": end.reason,
            **{f"RESULT_{_name(name)}": str(value) for name, value in self.told.items()},
        }
        # Told even where there is nobody, so that a dialplan that asks twice doesn't dial whom the first agent named.
        to, seconds = self.next or ("", 0.0)
        found |= {"NEXT": to, "NEXT_SECONDS": f"{seconds:.0f}" if to else ""}
        return {
            f"{PREFIX}{name}": _MEANT_FOR_DIALPLANS.sub(" ", value)[:LONGEST_VALUE] for name, value in found.items()
        }


class AgiDoor:
    """`receive` is what an `AgiServer` does with a call."""

    def __init__(self, switchboard: Switchboard, settings: Settings, folder: SharedFolder, audio_port: int) -> None:
        self._switchboard = switchboard
        self._settings = settings
        self._folder = folder
        self._audio_port = audio_port

    async def receive(self, connection: AgiConnection, asked: Asked) -> None:
        """From the dialplan's question to its results."""
        # Where the dialplan has left, there is nobody to tell.
        with contextlib.suppress(PbxUnavailable, TimeoutError):
            results = await self._serve(connection, asked)
            async with asyncio.timeout(RESULTS_SECONDS):
                for name, value in results.variables().items():
                    await connection.command("SET VARIABLE", name, value)
                if results.end.hung_up_by is HangUpBy.OPERATOR and not connection.hung_up:
                    await connection.command("HANGUP")

    async def _serve(self, connection: AgiConnection, asked: Asked) -> Results:
        call_id = CallId(str(uuid.uuid4()))
        arrival = await self._arrival(connection, asked, call_id)
        channel = await self._channel(connection, asked, call_id)
        ended: asyncio.Future[CallEnd] = asyncio.get_running_loop().create_future()
        told: dict[str, object] = {}

        def watch(update: CallUpdate) -> None:
            match update:
                case CallStateChanged(call_id=of, end=CallEnd() as end) if of == call_id and not ended.done():
                    ended.set_result(end)
                case CallNoted(call_id=of, event=event) if of == call_id and event.kind == RESULT:
                    told.update(event.data)

        unwatch = self._switchboard.watch(watch)
        try:
            await self._switchboard.take_call(arrival, channel)
            end = await ended
        except TrunklineError as error:
            log.warning("A call that came by AGI is not taken: %s", error)
            end = CallEnd(DISPOSITIONS.get(type(error), Disposition.FAILED), str(error), HangUpBy.SYSTEM)
        finally:
            unwatch()
            await channel.release()
        return Results(call_id, end, told, channel.next)

    async def _arrival(self, connection: AgiConnection, asked: Asked, call_id: CallId) -> Arrival:
        given = {name: value for name, value in asked.parameters.items() if name not in OURS}
        agent = asked.agent or None
        wanted = [] if agent is None or agent not in self._settings.agents else self._settings.agents[agent].variables
        listed = re.split(r"[\s,]+", await _read(connection, "VARIABLES"))
        names = dict.fromkeys(name for name in (*wanted, *listed) if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,60}", name))
        for name in list(names)[:MOST_VARIABLES]:
            if name not in given and (value := await _read(connection, name.upper())):
                given[name] = value

        async def told(parameter: str, otherwise: str) -> str:
            return asked.parameters.get(parameter) or await _read(connection, parameter.upper()) or otherwise

        environment = asked.environment
        outbound = await told("direction", "") == Direction.OUTBOUND
        number = await told("number", environment.get("callerid", ""))
        called = environment.get("dnid", "")
        return Arrival(
            id=call_id,
            number=number if re.fullmatch(r"\+?[0-9]{1,20}", number) else ANONYMOUS,
            called=await told("called", called if called != "unknown" else environment.get("extension", "")),
            agent=agent,
            direction=Direction.OUTBOUND if outbound else Direction.INBOUND,
            variables=given,
        )

    async def _channel(self, connection: AgiConnection, asked: Asked, call_id: CallId) -> AgiChannel:
        report = self._switchboard.far_end
        if asked.parameters.get("mode") != "record" and await has_audiosocket(connection):
            return AgiChannel(connection, call_id, f"{connection.our_address}:{self._audio_port}", report)
        return AgiTurnChannel(connection, call_id, self._folder, report)


async def _read(connection: AgiConnection, name: str) -> str:
    return (await connection.command("GET VARIABLE", f"{PREFIX}{name}")).value or ""


def _name(name: str) -> str:
    return re.sub(r"[^A-Z0-9_]", "_", name.upper())[:40]
