"""`trunkline pbx`: the private Asterisk, by hand. `trunkline serve` starts and ends its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from trunkline.cli.pbx_install import install, uninstall
from trunkline.cli.shared import AUDIOSOCKET, MASK, load_settings
from trunkline.errors import PbxUnavailable
from trunkline.settings import Settings
from trunkline.telephony.asterisk_config import render as rendered_files
from trunkline.telephony.asterisk_fetch import find_asterisk, provide_asterisk, provide_sounds
from trunkline.telephony.pbx_boot import console_output
from trunkline.telephony.pbx_detached import start_detached, stop_detached
from trunkline.telephony.pbx_home import PbxHome, PbxState, read_state, write_private
from trunkline.telephony.private_apt import Progress as FetchProgress

app = typer.Typer(no_args_is_help=True, help="The private Asterisk, by hand; `trunkline serve` starts its own.")
app.command()(install)
app.command()(uninstall)

AudioSocket = Annotated[str, typer.Option(help="host:port that takes the audio of answered calls.")]


@app.command()
def fetch(
    context: typer.Context,
    sounds: Annotated[bool, typer.Option("--sounds", help="Also fetch the prompts that rehearsals use.")] = False,
) -> None:
    """Find an Asterisk on this machine, or fetch one into the cache."""
    settings = load_settings(context).asterisk
    with shown_progress() as shown:
        program = asyncio.run(provide_asterisk(settings, shown))
        folder = asyncio.run(provide_sounds(settings, shown)) if sounds else None
    print(f"Asterisk {program.version}: {program.command[-1]}")
    if folder is not None:
        print(f"{len(folder.texts())} recorded prompts: {folder.path}")


@app.command()
def start(
    context: typer.Context,
    audiosocket: AudioSocket = AUDIOSOCKET,
) -> None:
    """Start a private Asterisk that stays until `trunkline pbx stop`."""
    settings = load_settings(context)
    with shown_progress() as shown:
        program = asyncio.run(provide_asterisk(settings.asterisk, shown))
    state = asyncio.run(start_detached(program, settings, audiosocket))
    _describe(state)


@app.command()
def stop(context: typer.Context) -> None:
    """End it; calls are hung up first."""
    stopped = asyncio.run(stop_detached(_folder(load_settings(context))))
    print("Asterisk has ended." if stopped else "No Asterisk is running.")


@app.command()
def status(context: typer.Context) -> None:
    """Tell whether it runs, where, and how many calls it has; exit status 1 when it doesn't run."""
    state = read_state(_folder(load_settings(context)))
    if state is None:
        print("No Asterisk is running.")
        raise typer.Exit(1)
    _describe(state)
    print(asyncio.run(console_output(state.command, "core show channels count")).strip())


@app.command()
def console(
    context: typer.Context,
    command: Annotated[list[str] | None, typer.Argument(help="One command, as `core show channels`.")] = None,
) -> None:
    """Open Asterisk's console."""
    state = read_state(_folder(load_settings(context)))
    if state is None:
        raise PbxUnavailable(
            "No Asterisk is running.", remedy="Start it with `trunkline serve` or `trunkline pbx start`."
        )
    asterisk = [*state.command, *(["-rx", " ".join(command)] if command else ["-r"])]
    os.execv(asterisk[0], asterisk)


@app.command()
def render(
    context: typer.Context,
    to: Annotated[Path | None, typer.Option(help="Write the files, secrets included, into this folder.")] = None,
    audiosocket: AudioSocket = AUDIOSOCKET,
) -> None:
    """Show the configuration Asterisk would get; secrets are masked."""
    settings = load_settings(context)
    program = asyncio.run(find_asterisk(settings.asterisk))
    if program is None:
        raise PbxUnavailable("There is no Asterisk yet.", remedy="Fetch one with `trunkline pbx fetch`.")
    home = PbxHome(_folder(settings))
    instance = home.plan(program, settings, audiosocket)
    home.close()
    if to is not None:
        to.mkdir(parents=True, exist_ok=True)
        for name, text in rendered_files(instance).items():
            write_private(to / name, text)
        print(f"Written to {to}.")
        return
    if settings.trunk.password is not None:
        instance = replace(instance, trunk=settings.trunk.model_copy(update={"password": SecretStr(MASK)}))
    for name, text in rendered_files(replace(instance, ari_password=MASK)).items():
        print(f"### {name}\n{text}")


def _folder(settings: Settings) -> Path:
    return settings.service.data_dir / "pbx"


def _describe(state: PbxState) -> None:
    print(f"Asterisk {state.version} is running (process {state.warden}).\nSIP {state.sip}\nARI {state.ari.url}")


@contextmanager
def shown_progress() -> Iterator[FetchProgress]:
    """Shows what fetching is doing: a bar on a terminal, a line per step elsewhere."""
    console = Console(stderr=True)
    said: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("looking for Asterisk", total=None)

        def show(text: str, share: float | None) -> None:
            progress.update(task, description=text, completed=share or 0.0, total=None if share is None else 1.0)
            if not console.is_terminal and text not in said:
                said.append(text)
                console.print(text)

        yield show
