"""`trunkline trunk stand-in`: a Twilio account that is none, to set a trunk up in and to call through."""

from __future__ import annotations

import asyncio
import secrets
import signal
from contextlib import AsyncExitStack
from typing import Annotated

import typer
from rich.console import Console

from trunkline.cli.rehearse_print import printer
from trunkline.cli.shared import load_settings
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.scenario import load_scenario
from trunkline.rehearsal.session import studio_for
from trunkline.rehearsal.twilio_account import TwilioAccount
from trunkline.rehearsal.twilio_api import TwilioApi
from trunkline.settings import ENV_PREFIX, Settings

NUMBER, HOST = "+14155550100", "rehearsal.pstn.twilio.com"


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
        url = stack.enter_context(TwilioApi(account).serving())
        lines = (
            "Into trunkline.toml:\n",
            "[trunk]",
            f'host = "{HOST}"',
            f'proxy = "{carrier.host}:{carrier.port}"',
            f'caller_ids = ["{NUMBER}"]\n',
            "[twilio]",
            f'account_sid = "{account.sid}"',
            f'api_key_sid = "{user}"',
            f'api_url = "{url}"',
            f'addresses = ["{carrier.host}"]',
            f'numbers = ["{NUMBER}"]\n',
            "Into .env:\n",
            f"{ENV_PREFIX}TWILIO__API_KEY_SECRET={password}",
        )
        for line in lines:
            console.print(line, markup=False)
        await stopped.wait()
