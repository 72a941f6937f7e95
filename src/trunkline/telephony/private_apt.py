"""apt with a state of its own: fetches packages of a Debian or Ubuntu suite without root, the machine stays as it is.

Everything is authenticated as on any machine: the suite's signature against the distribution's archive keyring, the
index against the suite, every package against the index.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from trunkline.errors import PbxUnavailable

Progress = Callable[[str, float | None], None]
"""Told what is being done, and how much of it is done (0 to 1) where that is known."""

_KEYRINGS: Final = Path("/usr/share/keyrings")


@dataclass(frozen=True, slots=True)
class Suite:
    """Where packages come from."""

    origin: str
    """`Debian` or `Ubuntu`."""
    releases: tuple[str, ...]
    components: str
    keyring: Path


class AptFailed(PbxUnavailable):
    """apt could not do it; `output` is what it said."""

    def __init__(self, doing: str, output: str) -> None:
        reasons = [line[2:].strip() for line in output.splitlines() if line.startswith(("E:", "W:"))]
        super().__init__(
            f"apt could not {doing}: {reasons[-1] if reasons else output.strip()[-200:] or 'no reason given'}",
            remedy="Check that this machine reaches its package mirror (asterisk.apt_mirror names another one), "
            "or install Asterisk 18 or newer and name it in asterisk.binary.",
        )
        self.output = output


def suite_with_asterisk() -> Suite:
    """The suite this machine gets Asterisk from. Raises `PbxUnavailable` where there is none."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    family = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None or not family & {"debian", "ubuntu"}:
        raise PbxUnavailable(
            "There is no Asterisk 18 or newer on this machine, and it can be fetched on Debian and Ubuntu only.",
            remedy="Install Asterisk with the system's package manager and name it in asterisk.binary.",
        )
    if "ubuntu" in family:
        codename = release.get("UBUNTU_CODENAME", release.get("VERSION_CODENAME", ""))
        keyring = _KEYRINGS / "ubuntu-archive-keyring.gpg"
        return Suite("Ubuntu", (codename, f"{codename}-updates"), "main universe", keyring)
    # Neither bookworm nor trixie carries Asterisk.
    return Suite("Debian", ("forky",), "main", _KEYRINGS / "debian-archive-keyring.gpg")


class PrivateApt:
    """apt working in `folder`; `held` are descriptors its processes keep open (a lock that must outlive us)."""

    def __init__(self, folder: Path, *, held: Sequence[int] = ()) -> None:
        self._folder = folder
        self._held = tuple(held)
        self._config = folder / "apt.conf"
        for name in ("lists/partial", "cache/archives/partial", "trusted", "log", "packages"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        # As if nothing were installed: apt then resolves everything, the C library included.
        (folder / "status").write_text("")
        self._config.write_text(_configuration(folder))

    async def mirrors(self, origin: str) -> list[str]:
        """Addresses this machine itself gets packages of `origin` from, likeliest first."""
        known = await self._targets("$(ORIGIN)|$(LABEL)|$(REPO_URI)")
        own = [line.rsplit("|", 1)[1] for line in known if line.startswith(f"{origin}|{origin}|")]
        # On a machine that never ran `apt-get update` the origins are unknown: the signature will tell.
        return list(dict.fromkeys(own or await self._targets("$(REPO_URI)", "--no-release-info")))

    async def _targets(self, line: str, *options: str) -> list[str]:
        try:
            listed = await self._run("read its sources", "apt-get", "indextargets", *options, "--format", line)
        except AptFailed:
            return []
        return listed.splitlines()

    async def update(self, mirror: str, suite: Suite) -> None:
        """Fetches the signed index of the suite."""
        options = "lang=none target=Packages"
        if not any((self._folder / "trusted").iterdir()):
            options += f" signed-by={suite.keyring}"
        (self._folder / "sources.list").write_text(
            "".join(f"deb [{options}] {mirror} {release} {suite.components}\n" for release in suite.releases)
        )
        await self._run(f"read the {suite.releases[0]} index", "apt-get", *self._options, "update")

    async def renew_keyring(self, mirror: str, suite: Suite) -> None:
        """For a machine whose archive keyring is older than `suite`: takes the newer one of the machine's own release.

        The keyring package is itself authenticated by the keyring that is here.
        """
        release = platform.freedesktop_os_release()["VERSION_CODENAME"]
        await self.update(mirror, replace(suite, releases=(release,), components="main"))
        package = suite.keyring.stem
        (deb,) = await self.download([package], "the archive's newer keys", lambda _text, _share: None)
        unpacked = self._folder / "keyring"
        await self._run("unpack the archive's newer keys", "dpkg-deb", "--extract", str(deb), str(unpacked))
        # The .gpg of a newer package may be a link to its .pgp.
        (keys,) = (unpacked / "usr/share/keyrings").glob(f"{package}.gpg")
        shutil.copyfile(keys, self._folder / "trusted" / keys.name)

    async def depends(self, package: str) -> list[str]:
        """Names a package depends on; of alternatives the first."""
        stanza = (await self._show([package]))[0]
        entries = (entry.split("|")[0].split() for entry in stanza.get("Depends", "").split(","))
        return [words[0].split(":")[0] for words in entries if words]

    async def version(self, package: str) -> str:
        return (await self._show([package]))[0]["Version"]

    async def closure(self, packages: Iterable[str]) -> list[str]:
        """The packages and all they need, as `name=version`."""
        printed = await self._run(
            "resolve Asterisk's libraries",
            *("apt-get", *self._options, "install", "--simulate", "--no-install-recommends", "--yes", *packages),
        )
        return [f"{name}={version}" for name, version in re.findall(r"^Inst (\S+) .*?\((\S+)", printed, re.MULTILINE)]

    async def download(self, packages: Sequence[str], what: str, progress: Progress) -> list[Path]:
        """Fetches packages (`name` or `name=version`, no dependencies); what is there already isn't fetched again."""
        folder = self._folder / "packages"

        def on_line(line: str) -> None:
            if match := re.match(r"dlstatus:\d+:([\d.]+):", line):
                progress(what, float(match[1]) / 100)

        await self._run(
            f"download {what}",
            *("apt-get", *self._options, "download", "-o", "APT::Status-Fd=1", *packages),
            cwd=folder,
            on_line=on_line,
        )
        files = []
        for stanza in await self._show(packages):
            version = stanza["Version"].replace(":", "%3a")
            file = folder / f"{stanza['Package']}_{version}_{stanza['Architecture']}.deb"
            # apt takes a file of the right size for finished; after a crash it may not be.
            if await asyncio.to_thread(_sha256, file) != stanza["SHA256"]:
                file.unlink(missing_ok=True)
                raise AptFailed(f"download {what}", f"E: {file.name} arrived damaged; start again")
            files.append(file)
        return files

    async def _show(self, packages: Sequence[str]) -> list[dict[str, str]]:
        printed = await self._run(
            f"find the package {packages[0]}", "apt-cache", *self._options, "show", "--no-all-versions", *packages
        )
        return [
            dict(re.findall(r"^(\S+): (.*)$", stanza, re.MULTILINE))
            for stanza in printed.split("\n\n")
            if stanza.strip()
        ]

    @property
    def _options(self) -> tuple[str, ...]:
        return ("-q", "--config-file", str(self._config))

    async def _run(
        self, doing: str, *command: str, cwd: Path | None = None, on_line: Callable[[str], None] | None = None
    ) -> str:
        """Output of a command; raises `AptFailed`. A cancelled one is ended."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            pass_fds=self._held,
        )
        assert process.stdout is not None
        lines = []
        try:
            async for raw in process.stdout:
                line = raw.decode(errors="replace").rstrip("\n")
                lines.append(line)
                if on_line is not None:
                    on_line(line)
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
        if code != 0:
            raise AptFailed(doing, "\n".join(lines))
        return "\n".join(lines)


def _configuration(folder: Path) -> str:
    """Read after the machine's own configuration, of which proxies and logins stay in force."""
    return f"""\
Dir::State "{folder}";
Dir::State::status "{folder}/status";
Dir::State::lists "{folder}/lists";
Dir::Cache "{folder}/cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Dir::Log "{folder}/log";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "{folder}/trusted";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Default-Release;
APT::Sandbox::User "";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
APT::Update::Error-Mode "any";
Acquire::Retries "2";
"""


def _sha256(file: Path) -> str | None:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return None
