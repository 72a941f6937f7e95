"""A private n8n ends with whoever wanted it, or when it is told to; nothing of it stays."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from trunkline.n8n.fetch import find_n8n
from trunkline.settings import ENV_PREFIX

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(find_n8n() is None, reason="there is no n8n: make parts-n8n"),
]
OWNER = """
import asyncio, sys
from pathlib import Path
from trunkline.n8n.fetch import find_n8n
from trunkline.n8n.instance import private_n8n

async def main():
    async with private_n8n(find_n8n(), Path(sys.argv[1])) as url:
        print(url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def of_folder(folder: Path) -> list[str]:
    """Command lines of processes that live in this folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:  # it ended, or it is somebody else's
            continue
    return found


async def gone(folder: Path) -> None:
    async with asyncio.timeout(20):
        while await asyncio.to_thread(of_folder, folder):
            await asyncio.sleep(0.1)


async def test_it_dies_with_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "n8n"
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    url = (await owner.stdout.readline()).decode().strip()
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{url}/healthz")).status_code == 200
    assert of_folder(folder)
    owner.kill()
    await owner.wait()
    await gone(folder)


async def trunkline(folder: Path, *arguments: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ENV_PREFIX)}
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "trunkline", "n8n", *arguments),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await command.communicate()
    assert command.returncode == 0, said.decode()
    return said.decode()


async def test_it_stays_until_it_is_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "n8n"
    try:
        url = (await trunkline(tmp_path, "start", "--port", "0")).split()[-1]
        assert url in await trunkline(tmp_path, "start")  # it runs already
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(f"{url}/healthz")).status_code == 200
    finally:
        assert "has ended" in await trunkline(tmp_path, "stop")
    await gone(folder)
    assert "No n8n is running" in await trunkline(tmp_path, "stop")
