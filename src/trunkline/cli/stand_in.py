"""`trunkline trunk stand-in`: a Twilio account that is none, to set a trunk up in and to call through."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import Annotated

import typer
from rich.console import Console

from trunkline.cli.rehearse_print import printer
from trunkline.cli.shared import load_settings
from trunkline.errors import TrunklineError
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.scenario import load_scenario
from trunkline.rehearsal.session import studio_for
from trunkline.rehearsal.twilio_account import TwilioAccount
from trunkline.rehearsal.twilio_api import TwilioApi
from trunkline.settings import ENV_PREFIX, Settings

NUMBER, HOST = "+14155550100", "rehearsal.pstn.twilio.com"
AUTHORITY = "stand-in-authority.pem"
"""In the data folder: what the carrier's certificate is checked against."""


def stand_in(
    context: typer.Context,
    scenario: Annotated[str, typer.Argument(help="Who answers: a file, or a shipped scenario.")] = "appointment",
    port: Annotated[int, typer.Option(min=0, help="UDP port of SIP; 0 takes a free one.")] = 0,
) -> None:
    """Start a Twilio account that is none, REST and SIP on this machine; tells what to set. Ends with Ctrl-C."""
    asyncio.run(_serve(load_settings(context), scenario, port))


async def _serve(settings: Settings, scenario: str, port: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    console, people = Console(highlight=False, soft_wrap=True), [load_scenario(scenario)]
    user, password = "SK" + secrets.token_hex(16), secrets.token_urlsafe(24)
    account = TwilioAccount(users={user: password})
    account.buy(NUMBER)
    async with AsyncExitStack() as stack:
        async with studio_for(people, settings) as studio:
            carrier = StandInCarrier(CarrierConfig(listen_port=port), people, account=account, studio=studio)
            carrier.on_event(printer(console))
            await stack.enter_async_context(carrier)
        url, asterisk = stack.enter_context(TwilioApi(account).serving()), _free_port(carrier.host)
        authority = settings.service.data_dir.absolute() / AUTHORITY
        authority.parent.mkdir(parents=True, exist_ok=True)
        authority.write_text(carrier.authority, encoding="utf-8")
        lines = (
            "Into rehearsal.toml:\n",
            "[trunk]",
            f'host = "{HOST}"',
            f'proxy = "{carrier.host}:{carrier.port}"    # with secure = true: {carrier.host}:{carrier.port_of("tls")}',
            f'caller_ids = ["{NUMBER}"]\n',
            "[asterisk]",
            f'address = "{carrier.host}"',
            f"sip_port = {asterisk}",
            f'tls_ca = "{authority}"\n',
            "[twilio]",
            f'account_sid = "{account.sid}"',
            f'api_key_sid = "{user}"',
            f'api_url = "{url}"',
            f'addresses = ["{carrier.host}"]',
            f'numbers = ["{NUMBER}"]\n',
            "[twilio.origination.here]",
            f'sip_url = "sip:{carrier.host}:{asterisk}"\n',
            "Into .env:\n",
            f"{ENV_PREFIX}TWILIO__API_KEY_SECRET={password}\n",
            f"Enter has somebody call {NUMBER}; Ctrl-C ends.",
        )
        for line in lines:
            console.print(line, markup=False)
        calling = asyncio.create_task(_call_in(carrier, console))
        await stopped.wait()
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)


async def _call_in(carrier: StandInCarrier, console: Console) -> None:
    """A call to our number for every line that is typed."""
    async with aclosing(_typed()) as lines, asyncio.TaskGroup() as calls:
        async for _ in lines:
            calls.create_task(_one_call(carrier, console))


async def _one_call(carrier: StandInCarrier, console: Console) -> None:
    console.print(f"somebody calls {NUMBER}", markup=False)
    try:
        await carrier.call_in(NUMBER)
    except TrunklineError as error:
        console.print(f"{error.message} {error.remedy or ''}", markup=False)


async def _typed() -> AsyncGenerator[None]:
    """One for every line of standard input; none where nobody can type."""
    stdin, typed, loop = sys.stdin.fileno(), asyncio.Queue[str](), asyncio.get_running_loop()
    if os.isatty(stdin) and os.tcgetpgrp(stdin) != os.getpgrp():
        return  # in the background, where reading would stop us
    try:
        loop.add_reader(stdin, lambda: typed.put_nowait(sys.stdin.readline()))
    except PermissionError:
        return  # a file or /dev/null
    try:
        while await typed.get():
            yield
    finally:
        loop.remove_reader(stdin)


def _free_port(host: str) -> int:
    """UDP and TCP, for the Asterisk that is going to be called."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
