"""The whole product for tests: a house as `trunkline serve` opens it, with a real Asterisk and HTTP on a real socket.

Only the speech engines are doubles, so a call takes about a second. The trunk leads to an address where each test puts
a carrier of its own. Everything runs on one loop and one clock: what both worlds saw can be laid side by side.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
import time
import wave
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.doubles import FakeSpeechToText, FakeTextToSpeech, FakeVoiceDetector, tone
from trunkline.app import House, bind, open_house, serving
from trunkline.audio import SAMPLE_RATE
from trunkline.brains import make_brain
from trunkline.conversation.conversation import Senses
from trunkline.events import CallCreated, CallStateChanged, CallUpdate
from trunkline.models import CallId, CallState
from trunkline.ports import Brain
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.scenario import Scenario
from trunkline.settings import (
    AgentSettings,
    IncomingSettings,
    ListeningSettings,
    PrivacySettings,
    ServiceSettings,
    Settings,
    TransferSettings,
    TrunkSettings,
)

NUMBER = "+14155550123"
CALLER_ID, OTHER_CALLER_ID = "+14155550100", "+14155550101"
HOST = CarrierConfig().host
TIMEOUT = 20.0
POLL = 0.01
"""Seconds between two looks at what tells nobody when it changes (files, threads, another process)."""
AGENT = "brief"
TOGETHER = 10
"""Calls at the same time, at most."""
PERSON_HERTZ = 500.0

LONG = "This is " + "rather a long sentence " * 6 + "and here it ends."
"""About three seconds."""
SCRIPT = f"""
about: Says little but for one long sentence, understands "yes", "no" and "tell me more".
greeting: "Hi."
intents:
  more: [tell me more]
steps:
  talk:
    ask: "Yes?"
    on:
      yes: {{say: "I see.", quiet: true}}
      no: part
      more: {{say: "{LONG}", quiet: true}}
  part:
    say: "Bye."
    end: true
"""


Doubles = tuple[FakeVoiceDetector, FakeSpeechToText, FakeTextToSpeech]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What there is while no call is live. Pooled connections (database, ARI) don't count: they come as more is done at
    the same time, and stay.
    """

    tasks: frozenset[asyncio.Task[Any]]
    files: int
    threads: int
    asterisk_files: int
    asterisk_threads: int

    def surplus(self, before: Inventory) -> str:
        """What there is more of than before, in words; nothing is an empty text."""
        this = asyncio.current_task()
        found = [task.get_name() for task in self.tasks - before.tasks if task is not this and not task.done()]
        for name in ("files", "asterisk_files"):
            more = getattr(self, name) - getattr(before, name)
            found += [f"{more} {name}"] if more > 0 else []
        return ", ".join(found)


class Premises:
    """One house and what belongs to it. Opened by `open_premises`."""

    def __init__(
        self, house: House, http: httpx.AsyncClient, doubles: Doubles, *, trunk: tuple[str, int], folder: Path
    ) -> None:
        self.house = house
        self.http = http
        self.detector, self.ears, self.voice = doubles
        self.trunk = trunk
        self.folder = folder
        self.updates: dict[CallId, list[tuple[float, CallUpdate]]] = defaultdict(list)
        """Everything that was published of each call, with its time on the monotonic clock."""
        self._news = asyncio.Event()
        house.switchboard.watch(self._note)

    # ── the carrier ────────────────────────────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def carrier(self, *people: Scenario, record: bool = False, **config: Any) -> AsyncIterator[StandInCarrier]:
        """A carrier where the trunk leads, as it suits the house's trunk unless `config` says otherwise."""
        host, port = self.trunk
        suitable = {"listen_host": host, "listen_port": port, "calls_per_second": None}
        out_dir = self.folder / "carrier" if record else None
        settings = CarrierConfig.model_validate(suitable | config)
        async with StandInCarrier(settings, people, out_dir=out_dir) as carrier:
            carrier.on_event(lambda _: self._news.set())
            yield carrier
        await self.until(lambda: _free(self.trunk))  # its socket is closed with the loop's next turn

    def person(self, *steps: object, hertz: float = PERSON_HERTZ, **more: Any) -> Scenario:
        """Somebody who picks up at once. `{"wav": "hm.wav"}` is 0.2 s of a tone."""
        name = more.pop("name", f"somebody at {hertz:g} Hz")
        file = self.folder / f"{hertz:g}" / "hm.wav"
        file.parent.mkdir(exist_ok=True)
        with wave.open(str(file), "wb") as wav:
            wav.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
            wav.writeframes(tone(0.2, hertz))
        content = {"name": name, "folder": file.parent, "phone": {"rings_ms": 0}, "steps": list(steps)}
        return Scenario.model_validate(content | more)

    # ── calls ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def call(self, number: str = NUMBER, **body: Any) -> CallId:
        """`POST /call`."""
        answer = await self.http.post("/call", json={"phoneNumber": number, "context": AGENT} | body)
        assert answer.status_code == 202, answer.text
        return CallId(answer.json()["sessionId"])

    async def delete(self, call_id: CallId) -> None:
        """`DELETE /calls/{id}`."""
        answer = await self.http.delete(f"/calls/{call_id}")
        assert answer.status_code == 202, answer.text

    async def get(self, call_id: CallId) -> dict[str, Any]:
        """`GET /calls/{id}`, with all that has happened so far."""
        await self.house.switchboard.settled()
        answer = await self.http.get(f"/calls/{call_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def ended(self, call_id: CallId) -> dict[str, Any]:
        """`GET /calls/{id}` as soon as the call has ended."""
        await self.until(lambda: self.has_ended(call_id))
        return await self.get(call_id)

    def has_ended(self, call_id: CallId) -> bool:
        return self.reached(call_id, CallState.ENDED) and call_id not in self.house.switchboard.live_calls

    def reached(self, call_id: CallId, state: CallState) -> bool:
        return self.when(call_id, lambda update: isinstance(update, CallStateChanged) and update.state is state) > 0

    def over(self, call_id: CallId) -> float:
        """When its end was published: leg, conversation and channel are gone by then."""
        return self.when(call_id, lambda update: isinstance(update, CallStateChanged) and update.end is not None)

    def when(self, call_id: CallId, what: Callable[[CallUpdate], bool]) -> float:
        """When the first such update was published; 0 while there is none."""
        return next((at for at, update in self.updates[call_id] if what(update)), 0.0)

    async def until(self, condition: Callable[[], bool], timeout: float = TIMEOUT) -> None:
        """Looked at whenever a call's update or a carrier's event comes, and now and then."""
        async with asyncio.timeout(timeout):
            while not condition():
                self._news.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), POLL)

    def _note(self, update: CallUpdate) -> None:
        call_id = update.call.id if isinstance(update, CallCreated) else update.call_id
        self.updates[call_id].append((time.monotonic(), update))
        self._news.set()

    def forget(self) -> None:
        """All that was noted of calls so far, here and by the doubles."""
        self.updates.clear()
        self.detector.streams.clear()
        self.ears.texts.clear()
        self.ears.heard.clear()
        self.ears.hints.clear()
        self.voice.said.clear()
        self.voice.synthesised.clear()

    # ── what is left ───────────────────────────────────────────────────────────────────────────────────────────

    def inventory(self) -> Inventory:
        us, asterisk = psutil.Process(), psutil.Process(self.house.asterisk.pid)
        pooled = sum(Path(file.path).name.startswith("trunkline.db") for file in us.open_files())
        return Inventory(
            tasks=frozenset(task for task in asyncio.all_tasks() if not task.done()),
            files=us.num_fds() - pooled - self._connections(us),
            threads=threading.active_count(),
            asterisk_files=asterisk.num_fds() - self._connections(asterisk),
            asterisk_threads=asterisk.num_threads(),
        )

    def _connections(self, process: psutil.Process) -> int:
        """Connections of ARI, on either side of them."""
        instance = self.house.asterisk.instance
        ari = (instance.http_address, instance.http_port)
        return sum(ari in (end.laddr, end.raddr) for end in process.net_connections("tcp") if end.raddr)

    async def nothing_is_left(self, before: Inventory) -> None:
        """Of all calls placed so far: no channel, leg, task or file, on either side."""
        house = self.house
        assert not house.switchboard.live_calls
        assert house.audio.counters.legs_open == 0
        assert all(stream.closed for stream in self.detector.streams)
        for call_id in self.updates:
            house.audio.expect(call_id, lambda leg: leg.close())  # raises where it is expected still
            house.audio.forget(call_id)
        async with asyncio.timeout(TIMEOUT):
            while "0 active channels" not in await house.asterisk.command("core show channels count"):
                await asyncio.sleep(POLL)
        now = self.inventory()
        try:
            async with asyncio.timeout(TIMEOUT):
                while surplus := now.surplus(before):
                    await asyncio.sleep(POLL)
                    now = self.inventory()
        except TimeoutError:
            raise AssertionError(f"left over: {surplus}") from None


@asynccontextmanager
async def left_as_found(premises: Premises) -> AsyncIterator[Premises]:
    """For tests that share a house: it is as it was when each is over."""
    premises.forget()
    before = premises.inventory()
    yield premises
    await premises.nothing_is_left(before)


@asynccontextmanager
async def open_premises(
    folder: Path,
    *,
    ring_timeout: float | None = None,
    voice: FakeTextToSpeech | None = None,
    ears: FakeSpeechToText | None = None,
    incoming: IncomingSettings | None = None,
    transfers: Mapping[str, TransferSettings] | None = None,
    privacy: PrivacySettings | None = None,
    brains: Callable[[AgentSettings], Brain] = make_brain,
    carrier: tuple[str, int] | None = None,
    **agent: Any,
) -> AsyncIterator[Premises]:
    """A house with one agent, `brief`. `ring_timeout` may be shorter than the settings allow for people; `carrier`:
    where its trunk leads, if not anywhere.
    """
    address = carrier or an_address()
    (folder / "brief.yaml").write_text(SCRIPT, encoding="utf-8")
    listening = ListeningSettings(pause_seconds=0.06, end_silence_seconds=0.1, longest_silence_seconds=0.1)
    manners = {"brain": "scripted", "script": str(folder / "brief.yaml"), "listening": listening}
    trunk = trunk_to(address)
    settings = Settings(
        incoming=incoming or IncomingSettings(),
        transfers=dict(transfers or {}),
        privacy=privacy or PrivacySettings(),
        service=ServiceSettings(data_dir=folder / "data", port=0),
        trunk=trunk if ring_timeout is None else trunk.model_copy(update={"ring_timeout": ring_timeout}),
        agents={AGENT: AgentSettings.model_validate(manners | agent)},
    )
    doubles = (FakeVoiceDetector(), ears or FakeSpeechToText(), voice or FakeTextToSpeech(seconds_per_character=0.02))
    with bind("127.0.0.1", 0) as sock:
        url = "http://{}:{}".format(*sock.getsockname())
        async with (
            open_house(settings, senses=Senses(*doubles), brains=brains) as house,
            serving(house, sock),
            # One connection per request: kept ones would come and go among the files that are counted.
            httpx.AsyncClient(base_url=url, trust_env=False, timeout=TIMEOUT, headers={"connection": "close"}) as http,
        ):
            premises = Premises(house, http, doubles, trunk=address, folder=folder)
            await _warm_up(premises)
            yield premises


def trunk_to(address: tuple[str, int]) -> TrunkSettings:
    """The trunk of a house whose carrier is there."""
    return TrunkSettings.model_validate(
        {
            "host": HOST,
            "proxy": "{}:{}".format(*address),
            "username": CarrierConfig().username,
            "password": CarrierConfig().password,
            "caller_ids": (CALLER_ID, OTHER_CALLER_ID),
            "qualify_seconds": 0,
            "identify": ("127.0.0.1",),
        }
    )


async def _warm_up(premises: Premises) -> None:
    """What is opened once and kept (threads, Asterisk's modules) belongs to the house, not to a call."""

    async def one() -> None:
        await premises.ended(await premises.call())

    async with premises.carrier(premises.person({"pause_ms": 50}, "hang_up")):
        await asyncio.gather(*(one() for _ in range(TOGETHER)))
    await asyncio.gather(*(premises.http.get("/calls") for _ in range(TOGETHER)))
    premises.forget()


def an_address() -> tuple[str, int]:
    """A loopback address nobody else uses, and a port there: carriers come and go at it."""
    host = f"127.{secrets.randbelow(200) + 50}.{secrets.randbelow(256)}.{secrets.randbelow(254) + 1}"
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.bind((host, 0))
        return host, int(probe.getsockname()[1])


def _free(address: tuple[str, int]) -> bool:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.bind(address)
        except OSError:
            return False
    return True
