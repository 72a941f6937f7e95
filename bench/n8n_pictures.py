"""`python -m bench.n8n_pictures`: the pictures of docs/n8n.md, taken of a real n8n's editor in headless Chromium.

Needs `chromium` (Debian and Ubuntu: apt install chromium) and n8n (`make parts-n8n`).
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from trunkline.errors import NotReady
from trunkline.n8n.fetch import provide_n8n
from trunkline.n8n.instance import private_n8n
from trunkline.n8n.workflows import openai_credential, read_workflow

ROOT = Path(__file__).parent.parent
OUTPUT = ROOT / "docs" / "pictures"
PICTURES = {
    "n8n-workflow-template.json": "n8n-conversation.png",
    "n8n-streaming-template.json": "n8n-streaming.png",
    "n8n-trigger-call-workflow.json": "n8n-place-call.png",
    "n8n-call-finished-workflow.json": "n8n-call-finished.png",
}
WIDTH, HEIGHT = 1600, 950
QUIET = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip
LOAD_SECONDS = 60.0


class Tab:
    """One page of Chromium, by its DevTools protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    async def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(await self._socket.recv())).get("id") != number:
            pass
        if "error" in answer:
            raise NotReady(f"Chromium refuses {method}: {answer['error']['message']}")
        found: dict[str, Any] = answer["result"]
        return found

    async def value(self, expression: str) -> Any:
        return (await self.do("Runtime.evaluate", expression=expression, returnByValue=True))["result"].get("value")

    async def until(self, expression: str) -> None:
        async with asyncio.timeout(LOAD_SECONDS):
            while not await self.value(expression):  # noqa: ASYNC110 - only asking tells
                await asyncio.sleep(0.2)

    async def click(self, test_id: str) -> None:
        """Does nothing where there is no such element."""
        await self.value(f"document.querySelector('[data-test-id=\"{test_id}\"]')?.click()")

    async def picture(self, file: Path) -> None:
        shot = await self.do("Page.captureScreenshot", format="png")
        await asyncio.to_thread(file.write_bytes, base64.b64decode(shot["data"]))


@asynccontextmanager
async def chromium() -> AsyncIterator[Tab]:
    """An empty page. Raises `NotReady`."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise NotReady("There is no Chromium.", remedy="apt install chromium")
    options = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else []), f"--window-size={WIDTH},{HEIGHT}"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = await asyncio.create_subprocess_exec(
            *(program, *options, f"--user-data-dir={profile}", "about:blank"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            port_file = Path(profile) / "DevToolsActivePort"
            async with asyncio.timeout(LOAD_SECONDS):
                while not await asyncio.to_thread(port_file.exists):  # noqa: ASYNC110 - likewise
                    await asyncio.sleep(0.1)
            port = (await asyncio.to_thread(port_file.read_text)).split()[0]
            async with httpx.AsyncClient(trust_env=False) as http:
                pages = (await http.get(f"http://127.0.0.1:{port}/json/list")).json()
            address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
            async with connect(address, max_size=1 << 26, proxy=None) as socket:
                yield Tab(socket)
        finally:
            browser.terminate()
            await browser.wait()


async def sign_in(url: str) -> str:
    """Makes the owner of an n8n that has none; the cookie that proves it."""
    owner = {
        "email": "you@example.com",
        "firstName": "You",
        "lastName": "Example",
        "password": f"A1{secrets.token_urlsafe(16)}",
    }
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        answer = await http.post(f"{url}/rest/owner/setup", json=owner)
        answer.raise_for_status()
        return str(answer.cookies["n8n-auth"])


async def main() -> None:
    program = await provide_n8n(lambda what, _: print(what))  # noqa: T201
    workflows = {name: read_workflow(ROOT / "configs" / name) for name in PICTURES}
    await asyncio.to_thread(OUTPUT.mkdir, exist_ok=True)
    credential = openai_credential("sk-of-a-picture")
    with tempfile.TemporaryDirectory() as folder:
        running = private_n8n(program, Path(folder), workflows=list(workflows.values()), credentials=[credential])
        async with running as url, chromium() as tab:
            cookie = await sign_in(url)
            await tab.do("Network.setCookie", name="n8n-auth", value=cookie, url=url, httpOnly=True)
            await tab.do(
                "Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False
            )
            for name, picture in PICTURES.items():
                nodes = sum("stickyNote" not in node["type"] for node in workflows[name].content["nodes"])
                await tab.do("Page.navigate", url=f"{url}/workflow/{workflows[name].id}")
                await tab.until(f"document.querySelectorAll('[data-test-id=\"canvas-node\"]').length >= {nodes}")
                await asyncio.sleep(2)  # icons come, the canvas settles
                await tab.click("suggested-actions-close")
                await tab.click("zoom-to-fit")
                await asyncio.sleep(1.5)
                await tab.picture(OUTPUT / picture)
                print(OUTPUT / picture)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
