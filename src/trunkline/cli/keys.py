"""`trunkline keys`: API keys, and what was asked with them."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from trunkline.access import ApiKey, Scope, digest, new_key
from trunkline.cli.shared import load_settings, opened_access_book
from trunkline.errors import RequestError

app = typer.Typer(help="API keys: each with a name, and with what it opens.", no_args_is_help=True)
console = Console(highlight=False)


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Who will use it, as n8n.")],
    scope: Annotated[
        list[Scope],
        typer.Option(
            help="What it opens: call (place and steer calls), read, admin (everything). Several are allowed."
        ),
    ],
) -> None:
    """Make a key and print it. It is shown this once; only its hash is kept."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
        raise RequestError(f"{name!r} is no name for a key.", remedy="Use letters, digits, - _ and ., at most 64.")
    key = new_key()

    async def add() -> None:
        async with opened_access_book(load_settings(context)) as book:
            await book.add_key(ApiKey(name, digest(key.encode()), frozenset(scope), datetime.now(UTC)))

    asyncio.run(add())
    print(key)
    Console(stderr=True).print("Keep it: it is not shown again. A running service knows it within a second.")


@app.command("list")
def show(context: typer.Context) -> None:
    """The keys there are; what opens is not kept and not shown."""

    async def read() -> list[ApiKey]:
        async with opened_access_book(load_settings(context)) as book:
            return await book.keys()

    table = Table("name", "opens", "since", box=None, header_style="bold")
    for key in asyncio.run(read()):
        table.add_row(key.name, ", ".join(sorted(key.scopes)), f"{key.created_at:%Y-%m-%d %H:%M}")
    console.print(table)


@app.command()
def revoke(context: typer.Context, name: Annotated[str, typer.Argument(help="Name of the key.")]) -> None:
    """The key opens nothing any more, within a second."""

    async def remove() -> bool:
        async with opened_access_book(load_settings(context)) as book:
            return await book.revoke(name)

    if not asyncio.run(remove()):
        raise RequestError(f"There is no key {name!r}.", remedy="`trunkline keys list` shows those there are.")
    console.print(f"{name} opens nothing any more.", markup=False)


@app.command()
def audit(
    context: typer.Context,
    key: Annotated[str | None, typer.Option(help="Only of this key.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Lines, the newest.")] = 100,
) -> None:
    """What was asked with which key: every request that changes something, or that a key does not open."""

    async def read() -> None:
        async with opened_access_book(load_settings(context)) as book:
            for line in reversed(await book.audit(limit=limit, key=key)):
                outcome = f"{line.status} {line.code or ''}".rstrip()
                number = line.number or ""
                console.print(
                    f"{line.at:%Y-%m-%d %H:%M:%S}  {line.key or '(no key)'}  {line.request}  {number}  {outcome}",
                    markup=False,
                    soft_wrap=True,
                )

    asyncio.run(read())
