"""The stand-in carrier: SIP on every transport, scripted people behind it, a report for every call that reached one.

async with StandInCarrier(CarrierConfig(), people=[scenario], out_dir=folder) as carrier:
    ...                                     # point a trunk at carrier.host, carrier.port and place a call
    report = await carrier.next_report(timeout=60)
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from trunkline.errors import NotReady, SettingsError
from trunkline.ports import SpeechToText
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.frame_clock import FrameClock
from trunkline.rehearsal.listening import ThrowAwayAuthority, listen
from trunkline.rehearsal.measurement import magnitude_of
from trunkline.rehearsal.origination import Origination
from trunkline.rehearsal.progress import CallOver, CallTurnedAway, Progress
from trunkline.rehearsal.referral import Target
from trunkline.rehearsal.rehearsed_call import RehearsedCall
from trunkline.rehearsal.report import CallReport
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.sip_agent import SipAgent
from trunkline.rehearsal.sip_call import (
    AgentEvent,
    CallConfirmed,
    CallEnded,
    CallOffered,
    CallReferred,
    CallRefused,
    MediaMoved,
    SipCall,
)
from trunkline.rehearsal.studio import Studio
from trunkline.rehearsal.talk import Exchange, Person
from trunkline.rehearsal.termination import ANSWERS, Cause, Termination
from trunkline.rehearsal.transfer import OtherPerson, SipAddress, TransferTarget
from trunkline.rehearsal.trunk_rules import TrunkBook, TrunkRules
from trunkline.rehearsal.twilio_account import TwilioAccount
from trunkline.rehearsal.twilio_calls import TwilioCalls
from trunkline.rehearsal.twilio_trunks import TwilioTrunks
from trunkline.sip.digest import DigestGuard
from trunkline.sip.endpoint import SipEndpoint
from trunkline.sip.message import PeerAddress, Transport

NO_ACK = "The answer was never acknowledged along the Record-Route, so the carrier dropped the call."
WILDCARD = "*.pstn.twilio.com"
"""As the carrier's own certificate has it: termination URIs of an account's trunks."""
CALLER = "+14155550143"
"""Who calls in, where nobody else is named."""
FAREWELL_SECONDS = 1.0
"""How long a closing carrier waits for its BYEs to be answered."""


class StandInCarrier:
    """An async context manager; everything of it is gone when it is left."""

    def __init__(
        self,
        config: CarrierConfig,
        people: Sequence[Scenario],
        *,
        account: TwilioAccount | None = None,
        out_dir: Path | None = None,
        studio: Studio | None = None,
        recogniser: SpeechToText | None = None,
    ) -> None:
        """`account`: whose trunks, numbers and limits decide; `None`: the trunk of `config` does.

        `out_dir`: where reports and recordings are written; `None`: nowhere. `recogniser`: for `wait_for_words`.
        """
        self.config = config
        self.account = account or TwilioAccount()
        """Has the calls, and the alerts of those that were turned away."""
        self.trunks: TrunkBook = config if account is None else TwilioTrunks(account)
        self.reports: list[CallReport] = []
        """Of all calls that are over, in the order of their ends."""
        self.refused: list[tuple[str, Cause]] = []
        """(number, cause) of every INVITE that was turned away."""
        self._scenarios = people
        self._out_dir = out_dir
        self._studio = studio or Studio()
        self._recogniser = recogniser
        self._kept = TwilioCalls(self.account)
        self._people: list[Person] = []
        self._watchers: list[Callable[[Progress], None]] = []
        self._calls: dict[SipCall, RehearsedCall] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready: asyncio.Queue[CallReport] = asyncio.Queue()
        self._addresses: dict[Transport, PeerAddress]
        self._authority: ThrowAwayAuthority
        self._endpoint: SipEndpoint[SipAgent]
        self._exchange: Exchange

    @property
    def host(self) -> str:
        return self.config.listen_host

    @property
    def port(self) -> int:
        """UDP port of SIP."""
        return self.port_of("udp")

    def port_of(self, transport: Transport) -> int:
        """Port of SIP on that transport."""
        return self._addresses[transport][1]

    @property
    def authority(self) -> str:
        """Certificate of the authority that issued ours, as PEM: what a caller over TLS has to trust."""
        return self._authority.pem

    @property
    def agent(self) -> SipAgent:
        """The SIP side: its trace, its counters of malformed datagrams and lost ACKs."""
        return self._endpoint.agent

    @property
    def live_calls(self) -> int:
        return len(self._calls)

    def trunk_settings(self, transport: Transport = "udp", *, host: str | None = None) -> dict[str, object]:
        """What `[trunk]` needs to send calls here; over TLS `authority` has to be trusted as well.

        `host`: termination URI of the trunk that is meant; absent: that of the configuration.
        """
        trunk = self.trunks.trunk(host or self.config.host)
        if trunk is None:
            raise SettingsError(
                f"The account has no trunk whose termination URI is {host or self.config.host}.",
                remedy="Name one that it has.",
            )
        settings: dict[str, object] = {"host": trunk.domain, "proxy": f"{self.host}:{self.port_of(transport)}"}
        if transport != "udp":
            settings |= {"secure": True} if transport == "tls" else {"transport": transport}
        if trunk.passwords:
            username, password = next(iter(trunk.passwords.items()))
            settings |= {"username": username, "password": password}
        settings["caller_ids"] = sorted(trunk.caller_ids or ("+14155550100",))
        return settings

    def on_event(self, watcher: Callable[[Progress], None]) -> None:
        """Who is told of everything, on the event loop."""
        self._watchers.append(watcher)

    def tell(self, event: Progress) -> None:
        """Something that watchers should know."""
        for watcher in self._watchers:
            watcher(event)

    async def next_report(self, timeout: float) -> CallReport:
        """The next call that ends, or has ended and not been asked for. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout):
            return await self._ready.get()

    async def call_in(self, number: str, *, caller: str = CALLER, person: str | None = None) -> CallReport:
        """Somebody calls one of our numbers; the report, once that call is over.

        `person`: name of their scenario; absent: the first one. Raises `NotReady` where nobody gets such calls.
        """
        trunk = self.trunks.trunk_of(number)
        if trunk is None or not trunk.active:
            raise NotReady(
                f"Calls to {number} lead to no trunk that is in service.", remedy="Attach the number to a trunk."
            )
        who = next(one for one in self._people if person in (None, one.scenario.name))
        record, outcome, seconds = self._kept.began(trunk, number, caller, "trunking-originating"), "failed", 0.0
        origination = Origination(self._exchange, self.config.failover_seconds, random.Random())
        try:
            call = await origination.call(trunk, number, caller, who, record["sid"])
            report = await asyncio.to_thread(call.report, self._out_dir)
            outcome, seconds = report.outcome, report.duration or 0.0
        finally:
            self._kept.over(record, outcome, seconds)
        self._over(report)
        return report

    async def __aenter__(self) -> Self:
        """Prepare what people say, then listen. Raises `SettingsError`, `SpeechUnavailable`, `NotReady`."""
        _check_people(self._scenarios)
        self._people = [await self._studio.person(scenario) for scenario in self._scenarios]
        for clip in (clip for person in self._people for clip in person.clips.values()):
            clip.audible(magnitude_of(self.config.audible_dbfs))  # not for the first time while a call is measured
        if self._out_dir is not None:
            self._out_dir.mkdir(parents=True, exist_ok=True)
        config = self.config
        self._authority = await asyncio.to_thread(ThrowAwayAuthority, config.host, WILDCARD, config.listen_host)
        wires = await listen(config, self._authority.context)
        self._addresses = {wire.transport: wire.address for wire in wires}
        guard = DigestGuard(config.realm, secrets.token_bytes(16), secrets.token_hex(8))
        agent = SipAgent(Termination(config, guard, self.trunks), self._addresses, lambda: secrets.token_hex(8))
        self._endpoint = SipEndpoint(agent, wires, self._agent_event)
        self._exchange = Exchange(
            clock=FrameClock(),
            host=config.listen_host,
            threshold=magnitude_of(config.audible_dbfs),
            recogniser=self._recogniser,
            tell=self.tell,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sip, call in list(self._calls.items()):
            self._endpoint.act(lambda agent, now, sip=sip: agent.hang_up(sip, now))  # type: ignore[misc]
            call.talk.lose("carrier")
        await asyncio.gather(*self._tasks)
        await self._endpoint.quiet(FAREWELL_SECONDS)
        self._endpoint.close()

    # ── inside ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _agent_event(self, event: AgentEvent) -> None:
        match event:
            case CallOffered(sip):
                self._offered(sip)
            case CallRefused(number=number, cause=Cause() as cause, caller_id=caller_id, trunk=trunk):
                self._turned_away(trunk, number, caller_id, cause)
            case CallConfirmed(sip):
                if (call := self._calls.get(sip)) is not None:
                    call.confirm()
            case CallEnded(sip, how):
                if (call := self._calls.get(sip)) is not None:
                    call.talk.lose("carrier", NO_ACK) if how == "no ACK" else call.leave()
            case MediaMoved(sip, offer):
                if (call := self._calls.get(sip)) is not None:
                    call.line.move(offer)
            case CallReferred(sip, target):
                if (call := self._calls.get(sip)) is not None:
                    self._referred(call, target)

    def _offered(self, sip: SipCall) -> None:
        person = self._person_at(sip.accept.number)
        if person is None:
            answer = ANSWERS[Cause.NOBODY]
            self._endpoint.act(lambda agent, now: agent.refuse(sip, answer.code, answer.phrase, now))
            self._turned_away(sip.accept.trunk, sip.accept.number, sip.accept.caller_id, Cause.NOBODY)
            return
        self._calls[sip] = call = RehearsedCall(sip, person, self._exchange, self._endpoint)
        task = asyncio.create_task(self._accompany(sip, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _referred(self, call: RehearsedCall, target: Target) -> None:
        if not target.on_the_network:
            to: TransferTarget = SipAddress(target, call.sip.accept.caller_id, call.line, self._exchange)
        elif (person := self._person_at(target.number)) is not None:
            to = OtherPerson(person, call.line, self._exchange)
        else:
            answer = ANSWERS[Cause.NOBODY]
            self._endpoint.act(lambda agent, now: agent.notify(call.sip, answer.code, answer.phrase, now))
            return
        call.refer(to, self.config.timers.patience)

    async def _accompany(self, sip: SipCall, call: RehearsedCall) -> None:
        record = self._kept.began(sip.accept.trunk, sip.accept.number, sip.accept.caller_id)
        try:
            await call.run()
        finally:
            del self._calls[sip]
        report = await asyncio.to_thread(call.report, tuple(self.agent.trace), self._out_dir)
        self._kept.over(record, report.outcome, report.duration or 0.0)
        self._over(report)

    def _over(self, report: CallReport) -> None:
        self.reports.append(report)
        self._ready.put_nowait(report)
        self.tell(CallOver(report))

    def _person_at(self, number: str) -> Person | None:
        for person in self._people:
            if number in person.scenario.numbers:
                return person
        return next((person for person in self._people if not person.scenario.numbers), None)

    def _turned_away(self, trunk: TrunkRules | None, number: str, caller_id: str, cause: Cause) -> None:
        self.refused.append((number, cause))
        if trunk is not None:
            self._kept.refused(trunk, number, caller_id, ANSWERS[cause])
        self.tell(CallTurnedAway(number, cause))


def _check_people(scenarios: Sequence[Scenario]) -> None:
    """Every call must reach exactly one person, and every report name one."""
    names = [scenario.name for scenario in scenarios]
    numbers = [number for scenario in scenarios for number in scenario.numbers or ("every number",)]
    for kind, values in (("name", names), ("number", numbers)):
        if twice := sorted(value for value, times in Counter(values).items() if times > 1):
            raise SettingsError(
                f"Two scenarios have the same {kind}: {twice[0]}.", remedy=f"Give each its own {kind} in its file."
            )
