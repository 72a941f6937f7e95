"""`trunkline serve`: the service, until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import logging
import signal

import typer
import uvloop
from rich.console import Console

from trunkline import logs
from trunkline.cli.shared import load_settings
from trunkline.settings import Settings

log = logging.getLogger(__name__)


def serve(
    context: typer.Context,
    port: int | None = typer.Option(
        None, "--port", help="Port of the HTTP API instead of service.port; 0: a free one."
    ),
    announce: bool = typer.Option(False, "--announce", help="Print one line of JSON when ready, for other programs."),
) -> None:
    """Run the service: HTTP API, Asterisk, agents. Ctrl-C ends live calls, then stops."""
    settings = load_settings(context)
    if port is not None:
        settings = settings.model_copy(update={"service": settings.service.model_copy(update={"port": port})})
    logs.set_up(settings)
    uvloop.run(_serve(settings, announce))


async def _serve(settings: Settings, announce: bool) -> None:
    # Imported here: the whole house takes a second to load, which no other command should wait for.
    from trunkline.app import bind, open_house, serving  # noqa: PLC0415

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with bind(settings.service.host, settings.service.port) as sock:
        if not announce:
            Console(stderr=True).print("[dim]Starting Asterisk and the speech engines …[/dim]")
        async with open_house(settings) as house, serving(house, sock):
            host, port = sock.getsockname()[:2]
            url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            if announce:
                private = house.phone.private
                print(json.dumps({"service": url, "asterisk": private.pid if private else None}), flush=True)
            else:
                _welcome(settings, url)
            await stop.wait()
            log.info("Stopping: %d live calls are ended", len(house.switchboard.live_calls))


def _welcome(settings: Settings, url: str) -> None:
    console = Console(stderr=True, highlight=False)
    console.print(f"[bold green]✓[/bold green] Trunkline is ready at [bold]{url}[/bold] (API pages: {url}/docs)")
    if settings.trunk.host is None:
        console.print("  [yellow]No trunk is configured yet:[/yellow] set trunk.host in trunkline.toml to place calls.")
    else:
        body = json.dumps({"phoneNumber": "+1…", "context": next(iter(settings.agents))})
        console.print(f"  Place a call:  curl -X POST {url}/call -H 'Content-Type: application/json' -d '{body}'")
