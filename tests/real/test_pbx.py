"""The private Asterisk as a process: starts, restarts, ends, and never outlives anybody."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
from pathlib import Path

import psutil
import pytest

from tests.real.conftest import NOBODY, PrivateAsteriskFactory
from trunkline.errors import PbxUnavailable
from trunkline.events import PbxEvent, PbxLost, PbxReady
from trunkline.settings import AsteriskSettings, ServiceSettings, Settings, TrunkSettings
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.pbx import PrivateAsterisk
from trunkline.telephony.pbx_detached import start_detached, stop_detached
from trunkline.telephony.pbx_home import read_state


async def _gone(pid: int) -> None:
    async with asyncio.timeout(10):
        while psutil.pid_exists(pid):
            await asyncio.sleep(0.02)


async def test_it_runs_inside_the_block_and_nowhere_else(private_asterisk: PrivateAsteriskFactory) -> None:
    async with private_asterisk() as pbx:
        assert "Asterisk" in await pbx.command("core show version")
        modules = await pbx.command("module show like chan_")
        assert "chan_pjsip.so" in modules and "Not Running" not in modules
        pid = pbx.pid
        assert pid is not None
    assert not psutil.pid_exists(pid)


PUBLIC = TrunkSettings(host="127.0.0.1:9", transport="tcp", identify=("198.51.100.0/30",), qualify_seconds=0)
BEHIND_NAT = AsteriskSettings(
    address="0.0.0.0", external_address="203.0.113.7", local_nets=("127.0.0.0/8", "10.1.2.3"), rtp_port_last=12000
)


SECURE = TrunkSettings(host="127.0.0.1:9", secure=True, qualify_seconds=0)


@pytest.mark.parametrize(
    ("trunk", "asterisk"),
    [(TrunkSettings(), AsteriskSettings()), (PUBLIC, BEHIND_NAT), (SECURE, AsteriskSettings())],
)
async def test_it_logs_no_complaint_about_its_own_configuration(
    private_asterisk: PrivateAsteriskFactory, tmp_path: Path, trunk: TrunkSettings, asterisk: AsteriskSettings
) -> None:
    async with private_asterisk(trunk, asterisk=asterisk):
        pass
    lines = (tmp_path / "pbx/log/messages.log").read_text().splitlines()
    assert lines
    assert [line for line in lines if " WARNING[" in line or " ERROR[" in line] == []


async def test_the_trunk_is_set_up_as_rendered(private_asterisk: PrivateAsteriskFactory) -> None:
    async with private_asterisk(PUBLIC, asterisk=BEHIND_NAT) as pbx:
        endpoint = await pbx.command("pjsip show endpoint trunkline-trunk")
        for line in (
            "from_domain *: 127.0.0.1$",
            "timers *: no$",
            "allow *: \\(ulaw\\|alaw\\)$",
            "transport *: trunkline-tcp$",
        ):
            assert re.search(line, endpoint, re.MULTILINE), line
        assert "Match: 198.51.100.0/30" in endpoint
        assert "sip:127.0.0.1:9;transport=tcp" in await pbx.command("pjsip show aor trunkline-trunk")


def _call_from_outside(address: tuple[str, int], number: str) -> str:
    """First line of what Asterisk answers to an uninvited INVITE."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.settimeout(5)
        caller.bind(("127.0.0.1", 0))
        host, port = caller.getsockname()
        lines = [
            f"INVITE sip:{number}@{address[0]} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{number};rport",
            "Max-Forwards: 70",
            f"From: <sip:anybody@{host}>;tag=1",
            f"To: <sip:{number}@{address[0]}>",
            f"Call-ID: {number}",
            "CSeq: 1 INVITE",
            f"Contact: <sip:anybody@{host}:{port}>",
            "Content-Length: 0",
        ]
        caller.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), address)
        while (answer := caller.recv(65536).decode().split("\r\n")[0]).startswith("SIP/2.0 1"):
            pass
        return answer


HERE = AsteriskSettings(address="127.0.0.1")
ELSEWHERE = TrunkSettings(host="acme.pstn.twilio.com", qualify_seconds=0)
UNKNOWN = TrunkSettings(host="carrier.example", qualify_seconds=0)
HERE_TOO = TrunkSettings(host="carrier.example", qualify_seconds=0, identify=("127.0.0.1/32",))


@pytest.mark.parametrize(
    ("trunk", "refusal"),
    [
        # Refused by the access list, before anybody looks at the request.
        (ELSEWHERE, "SIP/2.0 403 Forbidden"),
        # Where the carrier's addresses are unknown there is none, but nobody is taken for the trunk either.
        (UNKNOWN, "SIP/2.0 401 Unauthorized"),
        (HERE_TOO, "SIP/2.0 404 Not Found"),
    ],
)
async def test_nothing_of_ours_is_reachable_from_outside(
    private_asterisk: PrivateAsteriskFactory, trunk: TrunkSettings, refusal: str
) -> None:
    async with private_asterisk(trunk, asterisk=HERE) as pbx:
        address = (pbx.instance.sip_address, pbx.instance.sip_port)
        for name in ("media", "s"):
            assert await asyncio.to_thread(_call_from_outside, address, name) == refusal
        if trunk is not HERE_TOO:
            assert await asyncio.to_thread(_call_from_outside, address, "+14155550123") == refusal
        assert "0 active channels" in await pbx.command("core show channels count")
        assert pbx.instance.http_address.startswith("127.")


async def test_two_instances_live_side_by_side(private_asterisk: PrivateAsteriskFactory, tmp_path: Path) -> None:
    async with private_asterisk(folder=tmp_path / "one") as one, private_asterisk(folder=tmp_path / "two") as two:
        assert one.instance.sip_address != two.instance.sip_address
        assert one.instance.sip_port == two.instance.sip_port == 5060
        assert one.pid != two.pid


async def test_one_folder_takes_one_instance(
    private_asterisk: PrivateAsteriskFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trunkline.telephony.pbx_boot.SHUTDOWN_SECONDS", 0.1)
    async with private_asterisk():
        with pytest.raises(PbxUnavailable, match="Another Trunkline"):
            async with private_asterisk():
                raise AssertionError("two instances in one folder")


async def test_a_killed_asterisk_is_started_again_at_the_same_address(
    private_asterisk: PrivateAsteriskFactory,
) -> None:
    events: asyncio.Queue[PbxEvent] = asyncio.Queue()
    pbx = private_asterisk()
    assert isinstance(pbx, PrivateAsterisk)
    pbx.on_event(events.put_nowait)
    async with pbx:
        assert isinstance(await events.get(), PbxReady)
        pid, address = pbx.pid, pbx.ari
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            assert isinstance(await events.get(), PbxLost)
            assert isinstance(await events.get(), PbxReady)
        assert pbx.ari == address
        assert pbx.pid not in (None, pid)
        assert "Asterisk" in await pbx.command("core show version")


async def test_an_asterisk_that_cannot_start_says_why(asterisk_program: AsteriskProgram, tmp_path: Path) -> None:
    broken = AsteriskProgram(
        asterisk_program.version, ("/bin/sh", "-c", "echo no licence >&2; exit 3"), tmp_path, tmp_path
    )
    settings = Settings(service=ServiceSettings(data_dir=tmp_path))
    with pytest.raises(PbxUnavailable, match="ended at once: no licence"):
        async with PrivateAsterisk(broken, settings, audiosocket=NOBODY):
            raise AssertionError("started")
    assert read_state(tmp_path / "pbx") is None


OWNER = """
import asyncio, json, sys
from pathlib import Path
from trunkline.settings import AsteriskSettings, ServiceSettings, Settings, TrunkSettings
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.pbx import PrivateAsterisk

async def main():
    version, command, modules, data, folder = json.loads(sys.argv[1])
    program = AsteriskProgram(version, tuple(command), Path(modules), Path(data))
    settings = Settings(service=ServiceSettings(data_dir=Path(folder)))
    async with PrivateAsterisk(program, settings, audiosocket="127.0.0.1:9") as pbx:
        print(pbx.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_asterisk_ends_when_its_owner_is_killed(
    asterisk_program: AsteriskProgram, private_asterisk: PrivateAsteriskFactory, tmp_path: Path
) -> None:
    program = asterisk_program
    told = [program.version, program.command, str(program.modules_dir), str(program.data_dir), str(tmp_path)]
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", OWNER, json.dumps(told)), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    pid = int(await owner.stdout.readline())
    owner.kill()
    await owner.wait()
    await _gone(pid)
    # and what it left behind is no obstacle to the next one
    async with private_asterisk() as pbx:
        assert pbx.pid is not None


async def test_asterisk_ends_when_its_warden_is_killed(private_asterisk: PrivateAsteriskFactory) -> None:
    events: asyncio.Queue[PbxEvent] = asyncio.Queue()
    pbx = private_asterisk()
    assert isinstance(pbx, PrivateAsterisk)
    async with pbx:
        pid = pbx.pid
        assert pid is not None
        pbx.on_event(events.put_nowait)
        psutil.Process(pid).parent().kill()  # type: ignore[union-attr]
        await _gone(pid)
        async with asyncio.timeout(10):
            assert isinstance(await events.get(), PbxLost)
            assert isinstance(await events.get(), PbxReady)


async def test_a_detached_one_lives_until_it_is_stopped(asterisk_program: AsteriskProgram, tmp_path: Path) -> None:
    settings = Settings(service=ServiceSettings(data_dir=tmp_path))
    state = await start_detached(asterisk_program, settings, NOBODY)
    try:
        assert read_state(tmp_path / "pbx") == state
        asterisk = psutil.Process(state.warden).children()[0]
    finally:
        assert await stop_detached(tmp_path / "pbx")
    assert not asterisk.is_running()
    assert read_state(tmp_path / "pbx") is None
    assert not await stop_detached(tmp_path / "pbx")


async def test_a_folder_too_deep_for_a_socket_still_works(
    private_asterisk: PrivateAsteriskFactory, tmp_path: Path
) -> None:
    async with private_asterisk(folder=tmp_path / ("deep" * 30)) as pbx:
        assert "Asterisk" in await pbx.command("core show version")
        run_dir = pbx.instance.run_dir
    assert not run_dir.exists()
