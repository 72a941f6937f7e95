"""The command line: one file per command group. It prints and asks; it decides nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

import trunkline
from trunkline.cli import (
    calls,
    demo,
    dialling,
    do_not_call,
    doctor,
    keys,
    n8n,
    pbx,
    rehearse,
    serve,
    settings,
    speech,
    store,
    trunk,
)
from trunkline.errors import TrunklineError

app = typer.Typer(
    name="trunkline",
    help="AI phone calls on your own phone system.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"trunkline {trunkline.__version__}")
        raise typer.Exit


@app.callback()
def root(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Settings file (trunkline.toml).")] = None,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version.")
    ] = False,
) -> None:
    pass


app.command()(serve.serve)
app.command()(demo.demo)
app.command()(calls.call)
app.command("hangup")(calls.hang_up)
app.command()(rehearse.rehearse)
app.command()(settings.settings)
app.command()(doctor.doctor)
app.add_typer(pbx.app, name="pbx")
app.add_typer(trunk.app, name="trunk")
app.add_typer(dialling.app, name="dialling")
app.add_typer(do_not_call.app, name="dnc")
app.add_typer(keys.app, name="keys")
app.add_typer(speech.app, name="speech")
app.add_typer(n8n.app, name="n8n")
app.add_typer(store.app, name="store")


def main() -> None:
    """Entry point. Errors we raise on purpose become one sentence and exit status 1."""
    try:
        app()
    except TrunklineError as error:
        console = Console(stderr=True)
        console.print(Text("✗ ", "bold red") + Text(error.message, "bold"))
        if error.remedy:
            console.print(Text("  " + error.remedy))
        sys.exit(1)
