"""The whole product attached to an Asterisk that is not its own, by https and through a relay that can be cut."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from tests.real import doomed_service
from tests.real.premises import AGENT, CALLER_ID, NUMBER, TIMEOUT, Premises, an_address, open_premises, trunk_to
from tests.real.test_ari_connection import Relay
from tests.real.their_asterisk import BOOT_SECONDS, CONTEXT, HTTPS_PORT, PASSWORD, TheirAsterisk
from trunkline.app import open_house
from trunkline.errors import PbxUnavailable
from trunkline.events import CallUpdate, TurnFinished
from trunkline.models import CallId, CallState, Disposition
from trunkline.rehearsal.dialling import Destination, dial_all
from trunkline.rehearsal.studio import Studio
from trunkline.settings import ENV_PREFIX, AsteriskSettings, Settings
from trunkline.store import open_store
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.external_pbx import look_at

pytestmark = pytest.mark.asyncio(loop_scope="module")

CUT_SECONDS = 3.0
HEARD = {"wait_for_agent": {"silence_ms": 200}}
MORE = {"wav": "hm.wav", "text": "tell me more"}
NO = {"wav": "hm.wav", "text": "no"}


class Site:
    """Their Asterisk, the relay before its https port, and a house of ours that is attached to it."""

    def __init__(self, theirs: TheirAsterisk, relay: Relay, premises: Premises, asterisk: AsteriskSettings) -> None:
        self.theirs = theirs
        self.relay = relay
        self.premises = premises
        self.asterisk = asterisk

    @asynccontextmanager
    async def cut_off(self) -> AsyncIterator[None]:
        """ARI can't be reached inside the block."""
        self.relay.closed = True
        self.relay.cut()
        await self.health(503)
        yield
        self.relay.closed = False
        await self.health(200)

    async def health(self, status: int) -> None:
        async with asyncio.timeout(TIMEOUT):
            while (await self.premises.http.get("/health")).status_code != status:
                await asyncio.sleep(0.02)

    async def one_more_call(self) -> None:
        office = self.premises
        office.ears.texts.append("no")
        async with office.carrier(office.person(HEARD, NO)):
            call = await office.ended(await office.call())
        assert call["transcript"].splitlines() == ["Agent: Hi. Yes?", "Person: no", "Agent: Bye."]
        assert (call["disposition"], call["hungUpBy"]) == ("answered", "agent")
        await self.theirs.until_no_channels()


@pytest.fixture(scope="module")
def environment() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(
    asterisk_program: AsteriskProgram, environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    theirs = TheirAsterisk(tmp_path_factory.mktemp("theirs"), asterisk_program)
    carrier = an_address()
    host, audio_port, agi_port = *an_address(), free_port()
    settings = Settings().model_copy(update={"trunk": trunk_to(carrier)})
    theirs.furnish(settings, agi=f"{host}:{agi_port}", audiosocket=f"{host}:{audio_port}")
    relay = Relay(theirs.address, HTTPS_PORT)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    asterisk = AsteriskSettings(
        mode="external",
        ari_url="https://127.0.0.1:{1}/ari".format(*server.sockets[0].getsockname()),
        ari_password=SecretStr(PASSWORD),
        ari_ca=theirs.ca,
        audio_host=host,
        audio_port=audio_port,
    )
    given = asterisk.model_dump(exclude_defaults=True) | {"ari_password": PASSWORD}
    for key, value in given.items():
        environment.setenv(f"{ENV_PREFIX}ASTERISK__{key.upper()}", str(value))
    for key, value in {"enabled": "true", "host": host, "port": str(agi_port)}.items():
        environment.setenv(f"{ENV_PREFIX}AGI__{key.upper()}", value)
    try:
        await theirs.start()
        async with open_premises(tmp_path_factory.mktemp("house"), carrier=carrier) as premises:
            yield Site(theirs, relay, premises, asterisk)
    finally:
        server.close()
        await theirs.close()


@pytest_asyncio.fixture(loop_scope="module")
async def quiet(site: Site) -> AsyncIterator[Site]:
    """Without a call, before and behind."""
    site.premises.forget()
    await site.theirs.until_no_channels()
    yield site
    await site.theirs.until_no_channels()


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def greeted(update: CallUpdate) -> bool:
    return isinstance(update, TurnFinished)


async def in_conversation(office: Premises) -> CallId:
    call_id = await office.call()
    await office.until(lambda: office.when(call_id, greeted) > 0)
    return call_id


async def test_calls_go_out_and_come_in(quiet: Site) -> None:
    office = quiet.premises
    await quiet.one_more_call()
    office.ears.texts.append("no")
    to = Destination(CALLER_ID, quiet.theirs.address, caller=NUMBER)
    (attempt,) = await dial_all(to, [await Studio().person(office.person(HEARD, NO, HEARD))])
    assert attempt.report is not None and attempt.report.problems == ()
    call_id = list(office.updates)[-1]
    call = await office.ended(call_id)
    assert (call["direction"], call["number"], call["agent"]) == ("inbound", NUMBER, AGENT)


async def test_a_context_of_its_dialplan_has_the_call(quiet: Site) -> None:
    office = quiet.premises
    async with office.carrier(office.person({"pause_ms": 10_000})) as carrier:
        call_id = await office.call(context=CONTEXT)
        call = await office.ended(call_id)
        report = await carrier.next_report(TIMEOUT)
    assert (call["agent"], call["disposition"], call["sipCode"]) == (CONTEXT, "answered", 200)
    assert (call["turns"], call["recording"]) == ([], None)
    assert report.ended_by == "caller"
    unknown = await office.http.post("/call", json={"phoneNumber": NUMBER, "context": "no-such-context"})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (422, "unknown_agent")


async def test_keys_and_transfers_go_through_it(quiet: Site) -> None:
    """Its manager interface has to let us."""
    office = quiet.premises
    person = office.person({"pause_ms": 20_000}, numbers=[NUMBER], name="person")
    colleague = office.person({"pause_ms": 500}, "hang_up", numbers=["+14155550177"], name="colleague")
    async with office.carrier(person, colleague) as carrier:
        call_id = await in_conversation(office)
        for verb, body in (("keys", {"keys": "5"}), ("transfer", {"to": "+14155550177", "now": True})):
            answer = await office.http.post(f"/calls/{call_id}/{verb}", json=body)
            assert answer.is_success, answer.text
        call = await office.ended(call_id)
        reports = {report.person: report for report in [await carrier.next_report(TIMEOUT) for _ in range(2)]}
    assert reports["person"].keys_heard == "5"
    assert reports["colleague"].outcome == "answered"
    assert (call["disposition"], call["hungUpBy"]) == ("answered", "agent")


async def test_calls_go_on_while_ari_is_cut(quiet: Site) -> None:
    """One goes on and is talked in, one is hung up by its person, one still rings when it is given up."""
    office = quiet.premises
    office.ears.texts.extend(["tell me more", "no"])
    talks = office.person(
        HEARD, {"pause_ms": 1000}, MORE, HEARD, {"pause_ms": 3000}, NO, numbers=["+14155550001"], name="talks"
    )
    leaves = office.person({"pause_ms": 2000}, "hang_up", numbers=["+14155550002"], name="leaves")
    rings = office.person({"pause_ms": 100}, phone={"rings_ms": 60_000}, numbers=["+14155550003"], name="rings")
    async with office.carrier(talks, leaves, rings) as carrier:
        talking, leaving, ringing = [await office.call(f"+1415555000{number}") for number in (1, 2, 3)]
        await office.until(lambda: all(office.when(one, greeted) > 0 for one in (talking, leaving)))
        await office.until(lambda: office.reached(ringing, CallState.RINGING))
        async with quiet.cut_off():
            await office.delete(ringing)
            await office.until(lambda: office.has_ended(ringing))
            assert (await office.http.post("/call", json={"phoneNumber": NUMBER})).status_code == 503
            await asyncio.sleep(CUT_SECONDS)
            assert talking in office.house.switchboard.live_calls
        ends = {one: await office.ended(one) for one in (talking, leaving, ringing)}
        reports = [await carrier.next_report(TIMEOUT) for _ in ends]
    assert ends[talking]["transcript"].splitlines()[-2:] == ["Person: no", "Agent: Bye."]
    assert (ends[talking]["disposition"], ends[talking]["hungUpBy"]) == ("answered", "agent")
    assert (ends[leaving]["disposition"], ends[leaving]["hungUpBy"]) == ("answered", "person")
    assert (ends[ringing]["disposition"], ends[ringing]["hungUpBy"]) == ("cancelled", "operator")
    assert all(report.problems == () for report in reports)
    await quiet.one_more_call()


async def test_asterisk_dies_and_comes_back(quiet: Site, record_property: Callable[[str, object], None]) -> None:
    office = quiet.premises
    async with office.carrier(office.person({"pause_ms": 60_000})):
        call_id = await in_conversation(office)
        await quiet.theirs.kill()
        await quiet.health(503)
        await quiet.theirs.start()
        back = time.monotonic()
        call = await office.ended(call_id)
        await quiet.health(200)
        record_property("ready_after_s", round(time.monotonic() - back, 2))
    assert (call["disposition"], call["hungUpBy"]) == ("failed", "system")
    assert call["reason"].startswith("Asterisk was lost during the call")
    assert "by itself" not in call["reason"]
    await quiet.one_more_call()


async def test_a_service_that_was_killed_leaves_no_phone_ringing(
    quiet: Site, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    office = quiet.premises
    with environment.context() as elsewhere:
        # The house here has the ports.
        elsewhere.setenv(f"{ENV_PREFIX}ASTERISK__AUDIO_PORT", str(free_port()))
        elsewhere.setenv(f"{ENV_PREFIX}AGI__ENABLED", "false")
        async with office.carrier(office.person({"pause_ms": 100}, phone={"rings_ms": 60_000})) as carrier:
            arguments = [str(tmp_path), office.trunk[0], str(office.trunk[1])]
            service = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", doomed_service.__name__, *arguments), stdout=asyncio.subprocess.PIPE
            )
            assert service.stdout is not None
            call_id = CallId((await asyncio.wait_for(service.stdout.readline(), BOOT_SECONDS)).decode().strip())
            service.kill()
            await service.wait()
            assert "1 active channel" in await quiet.theirs.says("core show channels count")
            settings = doomed_service.settings_of(tmp_path, office.trunk)
            async with open_house(settings, senses=doomed_service.senses()):
                store = await open_store(settings.service)
                call = await store.get(call_id)
                await store.close()
                report = await carrier.next_report(TIMEOUT)
    assert call is not None and call.end is not None
    assert (call.state, call.end.disposition) == (CallState.ENDED, Disposition.FAILED)
    assert report.outcome == "cancelled"


async def test_what_is_missing_is_told_with_what_to_do(quiet: Site, tmp_path: Path) -> None:
    settings = Settings()
    found = await look_at(settings)
    assert found.findings == ()
    for change, words in {
        ("ari_password", SecretStr("wrong")): "refuses the user trunkline",
        ("ari_ca", None): "certificate",
        ("ari_url", "https://127.0.0.1:9/ari"): "doesn't answer",
    }.items():
        asterisk = settings.asterisk.model_copy(update=dict([change]))
        with pytest.raises(PbxUnavailable, match=words):
            await look_at(settings.model_copy(update={"asterisk": asterisk}))
    says = quiet.theirs.says
    for module in (modules := ("res_ari_bridges", "app_userevent", "res_ari_endpoints")):
        await says(f"module unload {module}.so")
    lacking = (await look_at(settings)).findings
    for module in modules:
        await says(f"module load {module}.so")
    assert [(finding.message.split(":")[0], finding.fatal) for finding in lacking] == [
        ("Asterisk doesn't run its module app_userevent.", True),
        ("Asterisk doesn't run its module res_ari_bridges", False),
    ]
    await says("dialplan remove context trunkline-call")
    lacking = (await look_at(settings)).findings
    await says("dialplan reload")
    assert [finding.message for finding in lacking] == ["Asterisk's dialplan has no context trunkline-call."]
    assert "pbx install" in lacking[0].remedy
