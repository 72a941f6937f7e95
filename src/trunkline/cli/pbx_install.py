"""`trunkline pbx install` and `uninstall`: Trunkline in an Asterisk of one's own."""

from __future__ import annotations

import asyncio
import difflib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.text import Text

from trunkline.carriers.twilio.secrets_file import keep, strong_password
from trunkline.cli.shared import MASK, SECRETS_FILE, load_settings
from trunkline.errors import PbxUnavailable, SettingsError
from trunkline.settings import ENV_PREFIX, Settings
from trunkline.settings.section import ipv4_networks
from trunkline.telephony import pbx_install
from trunkline.telephony.asterisk_config.transports import TlsFiles
from trunkline.telephony.encryption import tls_files
from trunkline.telephony.include_check import Existing, Finding, read_existing
from trunkline.telephony.include_files import Change, IncludeFiles
from trunkline.telephony.include_folder import NAMES, Guest, render_folder
from trunkline.telephony.running_asterisk import RunningAsterisk, console_of

CONSOLE = Console(highlight=False, soft_wrap=True, markup=False)
STAND_IN = "made-by-install"
"""Shown masked, never written."""
Folder = Annotated[Path, typer.Option(help="Asterisk's configuration, as /etc/asterisk.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
NoReload = Annotated[bool, typer.Option("--no-reload", help="Leave the running Asterisk alone.")]
AsteriskConf = Annotated[
    Path | None, typer.Option(help="asterisk.conf of the running Asterisk; empty: the one in the folder.")
]


def install(  # noqa: PLR0917 - Typer passes options by name
    context: typer.Context,
    into: Folder,
    agi: Annotated[
        str | None, typer.Option(help="host:port where that Asterisk reaches our AGI; empty: as set.")
    ] = None,
    audiosocket: Annotated[
        str | None, typer.Option(help="host:port where that Asterisk brings the audio of calls; empty: as set.")
    ] = None,
    permit: Annotated[
        list[str] | None, typer.Option(help="Network trunkline serve comes from, where it is another machine's.")
    ] = None,
    asterisk_conf: AsteriskConf = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; status 2 if anything.")] = False,
    no_reload: NoReload = False,
    yes: Yes = False,
) -> None:
    """Put trunk, agents and contexts into an Asterisk of your own. May be run any time: what is right stays."""
    settings = load_settings(context)
    existing = _existing(into, writing=not dry_run)
    asterisk = asyncio.run(_running(settings, asterisk_conf or _conf(existing.folder), no_reload))
    place = _place(existing, asyncio.run(asterisk.group()) if asterisk is not None else None)
    password = settings.asterisk.ari_password or SecretStr(STAND_IN if dry_run else strong_password())
    guest = Guest(
        settings,
        agi or f"{settings.agi.host}:{settings.agi.port}",
        audiosocket or f"{settings.asterisk.audio_host}:{settings.asterisk.audio_port}",
        password.get_secret_value(),
        tls_files(settings.asterisk) if settings.trunk.secure else TlsFiles(),
        existing.transport(settings),
        _networks(permit or ()),
    )
    files = render_folder(guest)
    _tell(asyncio.run(pbx_install.findings(existing, place, settings, files, asterisk)))
    changes = place.plan(files)
    _show(changes)
    if not changes and not (place.unfinished and asterisk is not None):
        CONSOLE.print("Nothing to do: all is as it should be.")
        return
    if dry_run:
        raise typer.Exit(2)
    _ask(yes, "Do this?")
    if settings.asterisk.ari_password is None:
        keep(SECRETS_FILE, {f"{ENV_PREFIX}ASTERISK__ARI_PASSWORD": password.get_secret_value()})
        CONSOLE.print(f"A password was made for our user in that Asterisk; it is kept in {SECRETS_FILE}.")
    asyncio.run(pbx_install.install(place, files, changes, asterisk))
    if asterisk is None:
        CONSOLE.print("Written. Asterisk was not reloaded: run this again when it may be, to see that it takes it.")
    else:
        CONSOLE.print("Asterisk has taken it.", style="green")


def uninstall(
    context: typer.Context,
    from_: Annotated[Path, typer.Option("--from", help="Asterisk's configuration, as /etc/asterisk.")],
    asterisk_conf: AsteriskConf = None,
    no_reload: NoReload = False,
    yes: Yes = False,
) -> None:
    """Take Trunkline out of an Asterisk of your own: your files are as they were before."""
    settings = load_settings(context)
    existing = _existing(from_, writing=True)
    place = _place(existing)
    if not place.exists:
        CONSOLE.print(f"There is nothing of Trunkline in {from_}.")
        return
    _ask(yes, f"Remove Trunkline from {from_}?")
    asterisk = asyncio.run(_running(settings, asterisk_conf or _conf(existing.folder), no_reload))
    undone = asyncio.run(pbx_install.uninstall(place, asterisk))
    for path in undone.restored:
        CONSOLE.print(Text("✓ ", "green") + Text(f"{path} is as it was before, to the byte."))
    for path in undone.edited:
        CONSOLE.print(Text("! ", "yellow") + Text(f"{path} was edited since: only our line is gone from it."))
    for path in undone.left:
        CONSOLE.print(Text("! ", "yellow") + Text(f"{path} isn't ours and stays."))
    if asterisk is not None:
        CONSOLE.print("Asterisk has read its configuration again.")


def _networks(written: Sequence[str]) -> tuple[str, ...]:
    """Raises `SettingsError`."""
    try:
        return ipv4_networks(written)
    except ValueError as error:
        raise SettingsError(f"--permit: {error}.") from None


def _existing(folder: Path, *, writing: bool) -> Existing:
    """What is there. Raises `PbxUnavailable` when that is no Asterisk configuration, or can't be changed."""
    if not (folder / "extensions.conf").exists():
        raise PbxUnavailable(
            f"{folder} is no Asterisk configuration: it has no extensions.conf.", remedy="Name the right folder."
        )
    if writing and not os.access(folder, os.W_OK | os.X_OK):
        raise PbxUnavailable(f"{folder} can't be written.", remedy="Run it as a user who may, as with sudo.")
    return read_existing(folder.absolute())


def _place(existing: Existing, group: int | None = None) -> IncludeFiles:
    return IncludeFiles(existing.folder, {name: existing.place(name) for name in NAMES}, group)


def _conf(folder: Path) -> Path | None:
    found = folder / "asterisk.conf"
    return found if found.exists() else None


async def _running(settings: Settings, asterisk_conf: Path | None, no_reload: bool) -> RunningAsterisk | None:
    """`None` when there is none, or it isn't wanted."""
    if no_reload:
        return None
    command = await console_of(settings.asterisk, asterisk_conf)
    asterisk = RunningAsterisk(command) if command is not None else None
    if asterisk is None or await asterisk.version() is None:
        CONSOLE.print("No running Asterisk can be reached: it is neither checked nor reloaded.", style="yellow")
        return None
    return asterisk


def _tell(findings: Sequence[Finding]) -> None:
    """Raises the first one that stands in the way, after all have been shown."""
    for finding in findings:
        sign, colour = ("✗ ", "red") if finding.fatal else ("! ", "yellow")
        CONSOLE.print(Text(sign, colour) + Text(finding.message) + Text(f" {finding.remedy}", "dim"))
    if fatal := [finding for finding in findings if finding.fatal]:
        what = "This stands" if len(fatal) == 1 else f"{len(fatal)} things stand"
        raise PbxUnavailable(f"{what} in the way; nothing was written.")


def _show(changes: Sequence[Change]) -> None:
    for change in changes:
        before, after = (_masked(change, content) for content in (change.before, change.after))
        CONSOLE.print(Text(f"{'+' if change.before is None else '~'} {change.path}", "bold"))
        for line in list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]:
            CONSOLE.print(Text(f"    {line}", {"+": "green", "-": "red"}.get(line[:1], "dim")))


def _masked(change: Change, content: bytes | None) -> list[str]:
    text = (content or b"").decode(errors="replace")
    return re.sub(r"(?m)^(\s*(?:password|secret)\s*=\s*).*$", rf"\g<1>{MASK}", text).splitlines()


def _ask(yes: bool, question: str) -> None:
    if not yes and not typer.confirm(question):
        raise typer.Exit(1)
