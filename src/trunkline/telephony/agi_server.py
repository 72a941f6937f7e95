"""Where the dialplan of any Asterisk hands calls to us: a TCP server for AGI.

AGI has no authentication, so only the networks that the settings name may connect.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import IPv4Network, ip_address
from typing import Final

from trunkline.errors import NotReady, PbxUnavailable, ProtocolError
from trunkline.telephony.agi_protocol import AgiParser, Asked, HungUp, Reply, command

ENVIRONMENT_SECONDS: Final = 5.0
"""How long a connection may take to say what it wants."""
COMMAND_SECONDS: Final = 10.0
"""How long Asterisk may take for a command, beside what the command itself takes."""
LINGER_SECONDS: Final = 1.0
"""How long what was said last may take to leave."""
READ_BYTES: Final = 4096

log = logging.getLogger(__name__)


class Fault(enum.StrEnum):
    """What ends a connection against its peer's will; counted."""

    FOREIGN = "its address is in none of agi.networks"
    TOO_MANY = "as many connections as calls may be live are open"
    SLOW = "it did not say in time what it wants"
    MALFORMED = "malformed line"


class AgiConnection:
    """One `AGI()` of a dialplan. Commands are followed one after the other; their order is that of the calls."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._waiting: deque[asyncio.Future[Reply]] = deque()
        self._busy_until = 0.0
        self._on_end: Callable[[], None] = lambda: None
        self.hung_up = False
        """The channel is dead; variables can be read and set still."""
        self.closed = False

    @property
    def our_address(self) -> str:
        """The address at which this Asterisk reaches us."""
        return str(self._writer.get_extra_info("sockname")[0])

    def on_end(self, listener: Callable[[], None]) -> None:
        """Who is told, on the event loop, that the channel is dead or the connection gone; at once if it is so."""
        self._on_end = listener
        if self.hung_up or self.closed:
            listener()

    async def command(self, verb: str, *arguments: object, seconds: float = 0.0) -> Reply:
        """What Asterisk answers to a command that takes so many `seconds` by itself.

        Raises `PbxUnavailable` when the connection is gone, or when no answer came: it is closed then.
        """
        loop = asyncio.get_running_loop()
        line = command(verb, *arguments)
        if self.closed:
            raise PbxUnavailable("The AGI connection of this call is closed.")
        reply: asyncio.Future[Reply] = loop.create_future()
        self._waiting.append(reply)  # stays there if we are cancelled: its answer comes all the same
        self._busy_until = max(self._busy_until, loop.time()) + seconds
        self._writer.write(line)
        try:
            async with asyncio.timeout_at(self._busy_until + COMMAND_SECONDS):
                return await reply
        except TimeoutError:
            self.close()
            raise PbxUnavailable(f"Asterisk did not answer {verb} over AGI.") from None

    def close(self) -> None:
        """The dialplan goes on."""
        if not self.closed:
            self.closed = True
            self._writer.close()
            for reply in self._waiting:
                if not reply.done():
                    reply.set_exception(PbxUnavailable("The AGI connection of this call is closed."))
            self._waiting.clear()
            self._on_end()

    async def environment(self, parser: AgiParser) -> Asked | None:
        """What the dialplan asks for; `None` when it left before it had said so. Raises `ProtocolError`."""
        while data := await self._reader.read(READ_BYTES):
            events = list(parser.feed(data))
            if events:
                if len(events) > 1:
                    raise ProtocolError("AGI: an answer came before a question.")
                return events[0] if isinstance(events[0], Asked) else None
        return None

    async def follow(self, parser: AgiParser) -> None:
        """Read until the connection ends. Raises `ProtocolError`."""
        try:
            while not self.closed and (data := await self._reader.read(READ_BYTES)):
                for event in parser.feed(data):
                    self._take(event)
        except ConnectionError:
            pass  # as good as its end
        finally:
            self.close()

    def _take(self, event: Asked | Reply | HungUp) -> None:
        if isinstance(event, HungUp):
            self.hung_up = True
            self._on_end()
        elif isinstance(event, Reply):
            if not self._waiting:
                raise ProtocolError("AGI: an answer came without a question.")
            reply = self._waiting.popleft()
            if not self._waiting:
                self._busy_until = 0.0
            if not reply.done():
                reply.set_result(event)


OnCall = Callable[[AgiConnection, Asked], Awaitable[None]]
"""Does with a call what is to be done; when it returns, the connection is closed and the dialplan goes on."""


class AgiServer:
    """Listens inside `start` … `close`."""

    def __init__(self, on_call: OnCall, networks: Sequence[IPv4Network], *, max_connections: int) -> None:
        self._on_call = on_call
        self._networks = networks
        self._max_connections = max_connections
        self._faults: Counter[Fault] = Counter()
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    @property
    def faults(self) -> Mapping[Fault, int]:
        """How often which happened."""
        return dict(self._faults)

    @property
    def connections(self) -> int:
        return len(self._sessions)

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; port 0 takes a free one. Raises `NotReady` when the port isn't free."""
        try:
            self._server = await asyncio.start_server(self._accept, host, port, limit=2 * READ_BYTES)
        except OSError as error:
            raise NotReady(
                f"The AGI door can't listen on {host}:{port}: {error.strerror}.",
                remedy="Something else uses the port: stop it, or set agi.port.",
            ) from error
        address: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        return address

    async def close(self) -> None:
        """Stop listening, and end what doesn't end by itself at once; returns when all connections are gone."""
        if self._server is None:
            return
        self._server.close()
        if self._sessions:
            await asyncio.wait(self._sessions, timeout=LINGER_SECONDS)
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self.objection(writer.get_extra_info("peername")[0])
        if fault is not None:
            self._refuse(writer, fault)
            return
        session = asyncio.create_task(self._serve(reader, writer), name="agi")
        self._sessions.add(session)
        session.add_done_callback(self._sessions.discard)

    def objection(self, address: str) -> Fault | None:
        """Why nobody may connect from there at the moment."""
        peer = ip_address(address)
        if not peer.is_loopback and not any(peer in network for network in self._networks):
            return Fault.FOREIGN
        return Fault.TOO_MANY if len(self._sessions) >= self._max_connections else None

    def _refuse(self, writer: asyncio.StreamWriter, fault: Fault, detail: str = "") -> None:
        self._faults[fault] += 1
        log.warning("AGI connection from %s closed: %s", writer.get_extra_info("peername"), detail or fault)
        writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The outermost frame of a connection: whatever goes wrong in it ends no other."""
        connection, parser = AgiConnection(reader, writer), AgiParser()
        too_late = asyncio.get_running_loop().call_later(ENVIRONMENT_SECONDS, self._refuse, writer, Fault.SLOW)
        try:
            asked = await connection.environment(parser)
            too_late.cancel()
            if asked is not None:
                await self._hold(connection, parser, asked)
        except ProtocolError as error:
            self._refuse(writer, Fault.MALFORMED, error.message)
        except ConnectionError as error:
            log.info("An AGI connection broke: %s", error)
        except Exception:
            log.exception("An AGI connection failed")
        finally:
            too_late.cancel()
            connection.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    await writer.wait_closed()
            writer.transport.abort()

    async def _hold(self, connection: AgiConnection, parser: AgiParser, asked: Asked) -> None:
        following = asyncio.create_task(connection.follow(parser), name="agi replies")
        try:
            await self._on_call(connection, asked)
        finally:
            connection.close()
            if not following.done():
                following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        if not following.cancelled() and (error := following.exception()) is not None:
            raise error
