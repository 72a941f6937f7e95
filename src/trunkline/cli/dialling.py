"""`trunkline dialling`: the switch that lets nobody be called, and what went out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console

from trunkline.cli.shared import load_settings, opened_ledger
from trunkline.ledger import Stop

app = typer.Typer(help="Whether calls may go out.", no_args_is_help=True)
console = Console(highlight=False)


@app.command()
def stop(
    context: typer.Context,
    why: Annotated[str, typer.Argument(help="For whoever wonders why nobody is called.")],
) -> None:
    """Nobody is called any more; live calls go on. A running service obeys at once."""
    _switch(context, Stop(datetime.now(UTC), why))
    console.print("Nobody is called any more, until `trunkline dialling resume`.")


@app.command()
def resume(context: typer.Context) -> None:
    """Calls may go out again."""
    _switch(context, None)
    console.print("Calls may go out.")


@app.command()
def status(context: typer.Context) -> None:
    """Whether calls may go out, and what went out in 24 hours."""
    settings = load_settings(context)

    async def look() -> None:
        async with opened_ledger(settings) as ledger:
            stopped = await ledger.stop()
            usage = await ledger.usage(datetime.now(UTC) - timedelta(hours=24))
        if settings.dialling.stopped:
            console.print("Nobody is called: dialling.stopped is set in the settings.")
        elif stopped is not None:
            console.print(f"Nobody is called since {stopped.at:%Y-%m-%d %H:%M} UTC: {stopped.why}.", markup=False)
        else:
            console.print("Calls may go out.")
        console.print(f"In 24 hours: {usage.attempts} calls and transfers, cost {usage.cost:.2f}.")

    asyncio.run(look())


def _switch(context: typer.Context, wanted: Stop | None) -> None:
    async def change() -> None:
        async with opened_ledger(load_settings(context)) as ledger:
            await ledger.set_stop(wanted)

    asyncio.run(change())
