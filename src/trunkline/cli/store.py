"""`trunkline store`: what is kept of calls, deleted by hand; the service may run meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from trunkline.cli.shared import load_settings
from trunkline.erasure import Erased, Eraser
from trunkline.models import CallId
from trunkline.phone_numbers import to_e164
from trunkline.settings import Settings

app = typer.Typer(help="What is kept of calls.", no_args_is_help=True)


@app.command()
def purge(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how much it would be.")] = False,
) -> None:
    """Delete what is kept longer than [privacy] says; the service does so by itself, once a day."""
    erased = _with_eraser(load_settings(context), lambda eraser: eraser.sweep(dry_run=dry_run))
    print(f"{'To be deleted' if dry_run else 'Deleted'}: {erased}.")


@app.command()
def forget(
    context: typer.Context,
    whom: Annotated[str, typer.Argument(help="A number, as +14155550100, or the id of a call.")],
) -> None:
    """Delete everything that is kept of a call, or of all calls with a number. Nothing brings it back."""
    number = to_e164(whom) if whom.lstrip().startswith("+") else None

    async def work(eraser: Eraser) -> Erased:
        return await (eraser.forget_call(CallId(whom)) if number is None else eraser.forget_number(number))

    print(f"Deleted: {_with_eraser(load_settings(context), work)}.")


def _with_eraser(settings: Settings, work: Callable[[Eraser], Awaitable[Erased]]) -> Erased:
    from trunkline.store import Keyring, open_recordings, open_store  # noqa: PLC0415  # slow to import

    async def run() -> Erased:
        store = await open_store(settings.service)
        try:
            # Deleting needs no key.
            return await work(Eraser(store, open_recordings(settings.service, Keyring()), settings.privacy))
        finally:
            await store.close()

    return asyncio.run(run())
