"""Trunks of every kind between two real Asterisks: tones both ways, and what each side saw of the other."""

from __future__ import annotations

import asyncio
import ssl
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.real.conftest import PrivateAsteriskFactory
from tests.real.far_end import PASSWORD, USER, FarEnd, Manner, far_end
from tests.real.test_tone import TIMEOUT, TONE_SECONDS, Telephonist, hertz_and_level, tone
from trunkline.events import CallArrived, FarEndGone, PbxEvent
from trunkline.models import CallId
from trunkline.ports import CallLeg
from trunkline.settings import AsteriskSettings, TrunkSettings
from trunkline.telephony.ari import AriPbx
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.audiosocket_server import AudioSocketServer
from trunkline.telephony.pacing_clock import PacingClock
from trunkline.telephony.pbx import PrivateAsterisk

NUMBER, CALLER_ID = "+14155550123", "+14155550100"
FAR_HERTZ, OUR_HERTZ = 1004, 620


@dataclass(frozen=True, slots=True)
class Authority:
    """Vouches for certificates of loopback addresses."""

    ca: trustme.CA
    folder: Path

    @property
    def file(self) -> Path:
        self.folder.mkdir(exist_ok=True)
        self.ca.cert_pem.write_to_path(self.folder / "ca.pem")
        return self.folder / "ca.pem"

    def certificate(self, name: str) -> Path:
        """Certificate and key in one file."""
        issued = self.ca.issue_cert(*(f"127.0.0.{last}" for last in range(11, 255)))
        issued.private_key_and_cert_chain_pem.write_to_path(self.folder / f"{name}.pem")
        return self.folder / f"{name}.pem"

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        return context


@dataclass
class Trunk:
    """Two Asterisks, and our two ends of what they say to each other."""

    far: FarEnd
    near: PrivateAsterisk
    ari: AriPbx
    legs: AudioSocketServer
    far_call: CallId
    transport: str
    events: asyncio.Queue[PbxEvent] = field(default_factory=asyncio.Queue)

    async def told(self, kind: type[PbxEvent]) -> PbxEvent:
        async with asyncio.timeout(TIMEOUT):
            while not isinstance(event := await self.events.get(), kind):
                pass
        return event

    async def until_said(self, where: PrivateAsterisk | FarEnd, line: str, what: str) -> None:
        """Waits until a console answers so."""
        ask = where.console if isinstance(where, FarEnd) else where.command
        async with asyncio.timeout(TIMEOUT):
            while what not in await ask(line):
                await asyncio.sleep(0.05)

    async def call(self) -> tuple[Telephonist, Telephonist]:
        """Ours and theirs, when both have heard each other for a while; the call is over then."""
        ours, theirs = Telephonist(says=tone(OUR_HERTZ, "ulaw")), Telephonist(says=tone(FAR_HERTZ, "ulaw"))
        call_id = CallId(str(uuid.uuid4()))
        self.legs.expect(call_id, ours.take)
        self.legs.expect(self.far_call, theirs.take)
        await self.ari.dial(call_id, NUMBER, caller_id=CALLER_ID, ring_timeout=30)
        async with asyncio.timeout(TIMEOUT):
            leg = await ours.leg
        await self._talked(leg, ours, theirs)
        return ours, theirs

    async def be_called(self, number: str, endpoint: str | None = None) -> tuple[Telephonist, Telephonist]:
        """The same, placed by the far end: to its customer's number, or to what is registered for an endpoint."""
        ours, theirs = Telephonist(says=tone(OUR_HERTZ, "ulaw")), Telephonist(says=tone(FAR_HERTZ, "ulaw"))
        self.legs.expect(self.far_call, theirs.take)
        instance = self.near.instance
        address = f"sip:{number}@{instance.sip_address}:{instance.sip_port};transport={self.transport}"
        await self.far.console(f"channel originate {endpoint or f'PJSIP/{USER}/{address}'} extension s@talk")
        arrived = await self.told(CallArrived)
        assert isinstance(arrived, CallArrived) and arrived.arrival.called == number
        self.legs.expect(arrived.arrival.id, ours.take)
        await self.ari.answer(arrived.arrival.id)
        async with asyncio.timeout(TIMEOUT):
            leg = await ours.leg
        await self._talked(leg, ours, theirs)
        return ours, theirs

    async def _talked(self, leg: CallLeg, *both: Telephonist) -> None:
        for one in both:
            await one.until(lambda one=one: len(one.heard) >= 1.5 * TONE_SECONDS * 50)  # type: ignore[misc]
        leg.close()
        await self.told(FarEndGone)
        async with asyncio.timeout(TIMEOUT):
            await asyncio.gather(*(one.closed for one in both))

    async def connect(self, authority: Authority) -> None:
        """Connects to our Asterisk as a carrier does. Raises where that is refused."""
        instance = self.near.instance
        async with asyncio.timeout(TIMEOUT):
            _, writer = await asyncio.open_connection(instance.sip_address, instance.sip_port, ssl=authority.context())
        writer.transport.abort()


@asynccontextmanager
async def trunk_between(
    program: AsteriskProgram,
    private_asterisk: PrivateAsteriskFactory,
    folder: Path,
    manner: Manner,
    asterisk: AsteriskSettings | None = None,
    **trunk: Any,
) -> AsyncIterator[Trunk]:
    legs = AudioSocketServer(PacingClock(asyncio.get_running_loop()))
    audiosocket = "{}:{}".format(*await legs.start())
    far_call = CallId(str(uuid.uuid4()))
    async with far_end(program, folder / "far", far_call, audiosocket, manner) as far:
        own = {"host": far.address, "username": USER, "password": PASSWORD, "qualify_seconds": 0, "codecs": ["ulaw"]}
        settings = TrunkSettings.model_validate(own | trunk)
        async with (
            private_asterisk(settings, audiosocket=audiosocket, asterisk=asterisk, folder=folder / "near") as near,
            AriPbx(near.ari, settings) as ari,
        ):
            between = Trunk(far, near, ari, legs, far_call, manner.transport)
            ari.on_event(between.events.put_nowait)
            yield between
    await legs.close()


def heard_each_other(ours: Telephonist, theirs: Telephonist) -> None:
    assert hertz_and_level(b"".join(ours.heard)) == pytest.approx((FAR_HERTZ, -10), abs=0.25)
    assert hertz_and_level(b"".join(theirs.heard)) == pytest.approx((OUR_HERTZ, -10), abs=0.25)


async def test_a_call_over_tcp_to_a_carrier_that_knows_our_address(
    asterisk_program: AsteriskProgram, private_asterisk: PrivateAsteriskFactory, tmp_path: Path
) -> None:
    manner = Manner(transport="tcp", by_address=True)
    async with trunk_between(asterisk_program, private_asterisk, tmp_path, manner, transport="tcp") as trunk:
        heard_each_other(*await trunk.call())
        assert f"called {NUMBER} from <sip:{CALLER_ID}@127." in trunk.far.log()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(trustme.CA(), tmp_path)


async def test_secure_calls_are_encrypted_in_both_directions(
    asterisk_program: AsteriskProgram, private_asterisk: PrivateAsteriskFactory, tmp_path: Path, authority: Authority
) -> None:
    theirs, ours = authority.certificate("theirs"), authority.certificate("ours")
    # The carrier takes no call without SRTP.
    manner = Manner(transport="tls", certificate=theirs, by_address=True)
    asterisk = AsteriskSettings(tls_ca=authority.file, tls_certificate=ours, tls_key=ours)
    async with trunk_between(asterisk_program, private_asterisk, tmp_path, manner, asterisk, secure=True) as trunk:
        assert trunk.near.instance.sip_port == 5061
        heard_each_other(*await trunk.call())
        heard_each_other(*await trunk.be_called(CALLER_ID))
        await trunk.connect(authority)


async def test_a_carrier_whose_certificate_nobody_vouches_for_is_not_called(
    asterisk_program: AsteriskProgram, private_asterisk: PrivateAsteriskFactory, tmp_path: Path, authority: Authority
) -> None:
    manner = Manner(transport="tls", certificate=authority.certificate("theirs"), by_address=True)
    another = Authority(trustme.CA(), tmp_path / "another")
    asterisk = AsteriskSettings(tls_ca=another.file)
    async with trunk_between(asterisk_program, private_asterisk, tmp_path, manner, asterisk, secure=True) as trunk:
        await trunk.ari.dial(CallId(str(uuid.uuid4())), NUMBER, caller_id=CALLER_ID, ring_timeout=30)
        await trunk.told(FarEndGone)
        assert "called" not in trunk.far.log()
        # Without a certificate of our own nobody can call in either.
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await trunk.connect(authority)


async def test_a_registered_trunk_calls_and_is_called(
    asterisk_program: AsteriskProgram, private_asterisk: PrivateAsteriskFactory, tmp_path: Path
) -> None:
    async with trunk_between(
        asterisk_program,
        private_asterisk,
        tmp_path,
        Manner(),
        carrier="registration",
        number_format="digits",
        # Not where the carrier is: it is known by what it was told when we registered.
        identify=["198.51.100.0/24"],
    ) as trunk:
        await trunk.near.command("pjsip send register trunk")  # by itself it takes its time, up to 10 s
        await trunk.until_said(trunk.near, "pjsip show registrations", "Registered")
        heard_each_other(*await trunk.call())
        digits, shown = NUMBER.removeprefix("+"), CALLER_ID.removeprefix("+")
        log = trunk.far.log()
        assert f"called {digits} from <sip:{USER}@127." in log
        assert f"<sip:{shown}@" in log.partition("pai ")[2]

        heard_each_other(*await trunk.be_called(f"+{USER}", f"PJSIP/{USER}"))
