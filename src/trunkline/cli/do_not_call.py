"""`trunkline dnc`: the do-not-call list, whether the service runs or not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trunkline.cli.shared import load_settings, opened_ledger
from trunkline.dialling.number_list import read_numbers
from trunkline.errors import NotOnList, RequestError
from trunkline.ledger import Unwanted
from trunkline.phone_numbers import to_e164

app = typer.Typer(help="The do-not-call list: numbers that are never called.", no_args_is_help=True)
console = Console(highlight=False)
err = Console(stderr=True, highlight=False)
FAULTS_SHOWN = 10
PAGE = 1000

Number = Annotated[str, typer.Argument(help="The number, as +14155550100.")]


@app.command("import")
def import_list(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A number a line, or CSV with a column `number`.")],
    prefix: Annotated[str, typer.Option(help="Country code of numbers written without one, as +1.")] = "",
    why: Annotated[str, typer.Option(help="Why they are not called.")] = "imported",
) -> None:
    """Put all numbers of a file on the list. Exit status 3 when some lines hold none."""
    settings = load_settings(context)
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            numbers, faults = read_numbers(lines, prefix=prefix)
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{file} can't be read: {error}.", remedy="It has to be a text file in UTF-8.") from error
    now = datetime.now(UTC)

    async def add() -> int:
        async with opened_ledger(settings) as ledger:
            return await ledger.put_on_list(Unwanted(number, now, why) for number in numbers)

    added = asyncio.run(add())
    console.print(f"{added} numbers are new on the list, {len(numbers) - added} were there already.")
    for fault in faults[:FAULTS_SHOWN]:
        err.print(f"  line {fault.line}: {fault.why}", markup=False)
    if faults:
        err.print(f"{len(faults)} lines hold no number and were left out.")
        raise typer.Exit(3)


@app.command()
def add(
    context: typer.Context,
    number: Number,
    why: Annotated[str, typer.Option(help="For whoever looks at it later.")] = "by hand",
) -> None:
    """Put one number on the list."""
    entry = Unwanted(to_e164(number), datetime.now(UTC), why)

    async def put() -> None:
        async with opened_ledger(load_settings(context)) as ledger:
            await ledger.put_on_list([entry])

    asyncio.run(put())
    console.print(f"{entry.number} is not called any more.")


@app.command()
def remove(context: typer.Context, number: Number) -> None:
    """Take one number off the list."""
    e164 = to_e164(number)

    async def take() -> bool:
        async with opened_ledger(load_settings(context)) as ledger:
            return await ledger.take_off_list(e164)

    if not asyncio.run(take()):
        raise NotOnList(f"{e164} is not on the do-not-call list.", remedy="`trunkline dnc list` shows the list.")
    console.print(f"{e164} may be called again.")


@app.command("list")
def show(context: typer.Context) -> None:
    """Print the list as CSV."""

    async def read() -> None:
        async with opened_ledger(load_settings(context)) as ledger:
            print("number,since,why")
            after = ""
            while page := await ledger.list_unwanted(limit=PAGE, after=after):
                for each in page:
                    print(f'{each.number},{each.at.isoformat(timespec="seconds")},"{each.why.replace(chr(34), "")}"')
                after = page[-1].number

    asyncio.run(read())
