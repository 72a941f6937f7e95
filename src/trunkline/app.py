"""Wires the house: settings → store, speech, Asterisk → switchboard → web. Started in order, stopped in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import uvicorn
from fastapi import FastAPI

from trunkline.agi_door import AgiDoor
from trunkline.brains import make_brain
from trunkline.brains.stop_calling import HeedsStop
from trunkline.call import Line
from trunkline.carriers.twilio.facts import open_facts
from trunkline.carriers.twilio.failed_calls import FailedCalls
from trunkline.conversation.conversation import Senses
from trunkline.conversation.load import LoadGauge
from trunkline.dialling.guards import Guards
from trunkline.erasure import Eraser
from trunkline.errors import NotReady, SettingsError
from trunkline.ports import Brain
from trunkline.process import allow_open_files, collector_at_bay
from trunkline.settings import AgentSettings, DiallingSettings, Settings
from trunkline.speech import (
    make_speech_to_text,
    make_text_to_speech,
    make_turn_end_detector,
    make_voice_detector,
)
from trunkline.speech.engines import Engines
from trunkline.store import open_keyring, open_recordings, open_shelf, open_store
from trunkline.store.access import SqlAccessBook
from trunkline.store.ledger import SqlLedger
from trunkline.switchboard import Agent, Switchboard
from trunkline.telephony.agi_server import AgiServer
from trunkline.telephony.agi_turns import SharedFolder, clear
from trunkline.telephony.audiosocket_server import AudioSocketServer
from trunkline.telephony.pacing_clock import PacingClock
from trunkline.telephony.pbx import PrivateAsterisk
from trunkline.telephony.phone_system import PhoneSystem, open_phone_system
from trunkline.tracing import Tracing, tracer
from trunkline.web import Callbacks, Metrics, Part, create_app

log = logging.getLogger(__name__)

LONGEST_MESSAGE = 64 * 1024
"""Bytes of a WebSocket message: four seconds of a supervisor's audio."""


@dataclass(frozen=True, slots=True)
class House:
    """Everything that runs, for whoever serves it or tests it."""

    switchboard: Switchboard
    phone: PhoneSystem
    clock: PacingClock
    load: LoadGauge
    web: FastAPI
    agi: tuple[str, int] | None = None
    """Where the AGI door is, if it is open."""

    @property
    def asterisk(self) -> PrivateAsterisk:
        """Ours; to be asked for only where it is."""
        assert self.phone.private is not None, "attached to one that isn't ours"
        return self.phone.private

    @property
    def audio(self) -> AudioSocketServer:
        return self.phone.audio


@asynccontextmanager
async def open_house(
    settings: Settings, *, senses: Senses | None = None, brains: Callable[[AgentSettings], Brain] = make_brain
) -> AsyncIterator[House]:
    """Start everything but the HTTP port. `senses`, `brains`: others than those of the settings.

    Raises `SettingsError` or what a part that doesn't start raises (`PbxUnavailable`, `SpeechUnavailable` …).
    """
    allow_open_files(settings.service.max_calls)
    async with AsyncExitStack() as house:
        minds = {name: _heeding(brains(agent), settings.dialling) for name, agent in settings.agents.items()}
        for mind in minds.values():
            house.push_async_callback(mind.close)
        store = await open_store(settings.service)
        house.push_async_callback(store.close)
        keys = await open_keyring(settings.privacy)
        recordings = open_recordings(settings.service, keys)
        shelf = await open_shelf(settings.service, keys)
        house.push_async_callback(shelf.close)
        clock = PacingClock(asyncio.get_running_loop())
        engines = None
        if senses is None:
            senses, engines = await _open_senses(settings, house, clock)
        agents = {
            name: Agent(agent, minds[name], _own_senses(senses, engines, agent) if engines else None)
            for name, agent in ((name, _telling(agent, settings)) for name, agent in settings.agents.items())
        }
        load = LoadGauge(senses.waiting)
        clock.watch(load.woke)
        clock.at_rest(load.rests)
        phone = await house.enter_async_context(open_phone_system(settings, clock))
        line = Line(phone.pbx, phone.audio, senses, shelf, load)
        ledger = SqlLedger(store.tables)
        guards = Guards(settings, ledger)
        switchboard = Switchboard(settings, agents, line, store, guards)
        callbacks = Callbacks(store, switchboard.settled)
        house.push_async_callback(callbacks.close)  # behind the switchboard: the calls it ends are told as well
        switchboard.watch(callbacks.watch)
        switchboard.watch(Tracing(tracer()).watch)
        if (facts := open_facts(settings.twilio)) is not None:
            failed = FailedCalls(facts, store, switchboard.settled)
            house.push_async_callback(failed.close)
            switchboard.watch(failed.watch)
        await house.enter_async_context(switchboard)
        house.callback(asyncio.create_task(Eraser(store, recordings, settings.privacy).run(), name="eraser").cancel)
        agi = await _open_agi_door(settings, switchboard, phone.audio_port, house) if settings.agi.enabled else None

        def health() -> Mapping[str, Part]:
            return {
                "pbx": Part(phone.pbx.ready, {"version": phone.version, "mode": settings.asterisk.mode}),
                # No trunk is a state to be told of, not a fault: incoming calls and the console work without one.
                "trunk": Part(True, {"configured": settings.trunk.host is not None}),
                "speech": Part(True, {"model": settings.speech.stt_model, "voice": settings.speech.tts_engine}),
                "load": Part(True, {"level": load.level.name.lower()}),
            }

        web = create_app(
            switchboard,
            store,
            settings.service,
            recordings=recordings,
            privacy=settings.privacy,
            metrics=Metrics(
                lambda: phone.audio.counters, clock.report, load, engines.counters if engines else None, guards
            ),
            health=health,
            ledger=ledger,
            access=SqlAccessBook(store.tables),
        )
        house.enter_context(collector_at_bay())
        yield House(switchboard, phone, clock, load, web, agi)


async def _open_agi_door(
    settings: Settings, switchboard: Switchboard, audio_port: int, house: AsyncExitStack
) -> tuple[str, int]:
    agi = settings.agi
    folder = (agi.folder or settings.service.data_dir / "agi").absolute()
    try:
        await asyncio.to_thread(clear, folder)
    except OSError as error:
        raise SettingsError(
            f"The folder {folder} can't be used: {error.strerror}.", remedy="Set agi.folder."
        ) from error
    door = AgiDoor(switchboard, settings, SharedFolder(folder, agi.folder_there or str(folder)), audio_port)
    server = AgiServer(door.receive, agi.allowed, max_connections=2 * settings.service.max_calls)
    address = await server.start(agi.host, agi.port)
    house.push_async_callback(server.close)
    log.info("The AGI door is at agi://%s:%d/AGENT", *address)
    return address


async def _open_senses(settings: Settings, house: AsyncExitStack, clock: PacingClock) -> tuple[Senses, Engines]:
    """The engines of the settings, warm: the first call must not wait for a model."""
    detector = make_voice_detector()
    clock.before_legs(detector.run_pending)
    ears, voice = make_speech_to_text(settings.speech), make_text_to_speech(settings.speech)
    engines = Engines(settings.speech, ears, voice)
    house.push_async_callback(engines.close)
    turn_end = make_turn_end_detector(settings.speech)
    house.push_async_callback(turn_end.close)
    await asyncio.gather(engines.warm_up(), turn_end.warm_up())
    return Senses(detector, ears, voice, turn_end, waiting=lambda: ears.waiting + turn_end.waiting), engines


def _heeding(mind: Brain, dialling: DiallingSettings) -> Brain:
    return HeedsStop(mind, dialling.stop_reply) if dialling.heed_stop else mind


def _own_senses(senses: Senses, engines: Engines, agent: AgentSettings) -> Senses:
    return replace(senses, speech_to_text=engines.ears(agent), text_to_speech=engines.voice(agent))


def _telling(agent: AgentSettings, settings: Settings) -> AgentSettings:
    """With what its people are told, be it its own."""
    return agent if agent.notices is not None else agent.model_copy(update={"notices": settings.privacy.notices})


def bind(host: str, port: int) -> socket.socket:
    """The HTTP port, taken before anything slow is started. Raises `NotReady` when it isn't free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Inherited by what is accepted; asyncio itself sets it only on sockets it made.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise NotReady(
            f"The service can't listen on {host}:{port}: {error.strerror}.",
            remedy="Something else uses the port: stop it, or set service.port (0 takes a free one).",
        ) from error
    return sock


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs the house: live calls have to be ended before the connections that watch them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(house: House, sock: socket.socket) -> AsyncIterator[None]:
    """HTTP on `sock` inside the block; live calls are ended when it is left."""
    server = _Server(
        uvicorn.Config(
            house.web,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=3,
            ws_max_size=LONGEST_MESSAGE,
            ws_per_message_deflate=False,  # audio hardly shrinks, and every frame would be tried
        )
    )
    sock.listen(server.config.backlog)  # uvicorn does so a moment later; whoever is told of us may connect at once
    task = asyncio.create_task(server.serve(sockets=[sock]), name="http")
    try:
        yield
    finally:
        await house.switchboard.end_calls()
        server.should_exit = True
        await task
