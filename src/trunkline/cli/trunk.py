"""`trunkline trunk`: the trunk at Twilio, as the settings want it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.text import Text

from trunkline.carriers.public_address import public_address
from trunkline.carriers.twilio.facts import Facts
from trunkline.carriers.twilio.plan import Action, Resource, Step, Value, Wanted, steps
from trunkline.carriers.twilio.secrets_file import PasswordRecord, keep, strong_password
from trunkline.carriers.twilio.wanted import DEFAULT_USERNAME, check_password, domain, marked_name, wanted
from trunkline.cli import stand_in
from trunkline.cli.shared import SECRETS_FILE, load_settings
from trunkline.errors import TrunklineError
from trunkline.settings import ENV_PREFIX, Settings

if TYPE_CHECKING:
    from twilio.rest import Client

    from trunkline.carriers.twilio.account import Account

app = typer.Typer(no_args_is_help=True, help="The trunk at Twilio: planned, set up, kept right, removed.")

CONSOLE = Console(highlight=False, soft_wrap=True, markup=False)
SIGNS = {Action.CREATE: ("+", "green"), Action.UPDATE: ("~", "yellow"), Action.DELETE: ("-", "red")}
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


@app.command()
def plan(context: typer.Context) -> None:
    """Show what `apply` would do; nothing is changed. Exit status 2 when there is something to do."""
    settings = load_settings(context)
    account, target = _account(settings), _wanted(settings)
    account.check(target)
    todo = steps(target.resources(), account.found())
    _show_plan(todo)
    if todo:
        raise typer.Exit(2)


@app.command()
def apply(context: typer.Context, yes: Yes = False) -> None:
    """Make the trunk at Twilio what the settings say. May be run any time: what is right already is not touched."""
    settings = load_settings(context)
    target = _wanted(settings)
    account = _account(settings)
    account.check(target)
    todo = steps(target.resources(), account.found())
    _show_plan(todo)
    if not todo:
        return
    _ask(yes, "Do this?")
    settings = _with_password(settings)
    account = _account(settings)
    _carry_out(account, steps(target.resources(), account.found()))
    left = steps(target.resources(), account.found())
    if left:
        _show_plan(left)
        raise typer.Exit(1)
    CONSOLE.print(f"{target.domain} is ready. Calls go out as {target.username} from {', '.join(target.addresses)}.")


@app.command()
def destroy(context: typer.Context, yes: Yes = False) -> None:
    """Remove the trunk and its lists: only what is ours. Numbers stay yours."""
    settings = load_settings(context)
    account = _account(settings)
    todo = steps((), account.found())
    _show_plan(todo)
    if not todo:
        return
    CONSOLE.print("Twilio keeps the domain of a deleted trunk from being used again for up to 30 days.", style="yellow")
    _ask(yes, "Remove all this?")
    _carry_out(account, todo)


@app.command()
def show(context: typer.Context) -> None:
    """Show the account and what of ours is there."""
    settings = load_settings(context)
    summary = Facts(_client(settings)).summary()
    if summary is None:
        CONSOLE.print("The account's state and balance are told to a main API key or to twilio.auth_token alone.")
    else:
        balance = "not told" if summary.balance is None else f"{summary.balance} {summary.currency}"
        CONSOLE.print(f"Account {summary.name}: {summary.status}, {summary.kind}, balance {balance}")
    found = [resource for resource in _account(settings).found() if resource.sid]
    for resource in found:
        CONSOLE.print(Text(f"{resource.kind}: {resource.name} ") + Text(resource.sid, "dim"))
        for key, value in resource.values.items():
            CONSOLE.print(f"    {key} = {_text(value)}")
    if not found:
        CONSOLE.print(f"There is nothing named {marked_name(settings)!r}. `trunkline trunk apply` sets it up.")


def _account(settings: Settings) -> Account:
    from trunkline.carriers.twilio.account import Account  # noqa: PLC0415  # as below

    password = settings.trunk.password
    return Account(
        _client(settings),
        marked_name(settings),
        PasswordRecord(settings.service.data_dir / "trunk.json"),
        password.get_secret_value() if password else None,
    )


def _client(settings: Settings) -> Client:
    # Takes a quarter of a second to import, which no other command should.
    from trunkline.carriers.twilio.account import connect  # noqa: PLC0415

    return connect(settings.twilio)


def _wanted(settings: Settings) -> Wanted:
    """Checks the settings, and finds and shows the address. Raises `SettingsError`, `CarrierError`."""
    domain(settings)
    if settings.trunk.password is not None:
        check_password(settings.trunk.password.get_secret_value())
    addresses, origin = settings.twilio.addresses, "twilio.addresses"
    if not addresses and settings.asterisk.external_address:
        addresses, origin = (settings.asterisk.external_address,), "asterisk.external_address"
    if not addresses:
        service = settings.twilio.address_service
        addresses, origin = (public_address(service),), f"as {service} sees this machine"
    target = wanted(settings, addresses)
    CONSOLE.print(f"Calls may come from {', '.join(target.addresses)} ({origin}).")
    return target


def _with_password(settings: Settings) -> Settings:
    """Settings with a password, kept before Twilio hears it: whatever happens next, it isn't lost."""
    if settings.trunk.password is not None:
        return settings
    password = strong_password()
    keep(
        SECRETS_FILE,
        {f"{ENV_PREFIX}TRUNK__USERNAME": DEFAULT_USERNAME, f"{ENV_PREFIX}TRUNK__PASSWORD": password},
    )
    CONSOLE.print(f"A password was made and is kept in {SECRETS_FILE}, which only you can read.")
    trunk = settings.trunk.model_copy(update={"username": DEFAULT_USERNAME, "password": SecretStr(password)})
    return settings.model_copy(update={"trunk": trunk})


def _carry_out(account: Account, todo: tuple[Step, ...]) -> None:
    for number, step in enumerate(todo, start=1):
        try:
            account.write(step)
        except TrunklineError:
            CONSOLE.print(f"{number - 1} of {len(todo)} steps are done; this one failed: {_title(step)}", style="red")
            raise
        CONSOLE.print(Text("✓ ", "green") + Text(f"{_title(step)}"))


def _show_plan(todo: tuple[Step, ...]) -> None:
    if not todo:
        CONSOLE.print("Nothing to do: all is as it should be.")
        return
    for step in todo:
        sign, colour = SIGNS[step.action]
        CONSOLE.print(Text(f"{sign} {_name(step.resource)}", colour))
        for change in step.changes:
            before = "" if step.action is Action.CREATE else f"{_text(change.before)} → "
            CONSOLE.print(Text(f"    {change.key}: {before}{_text(change.after)}"))
    counts = (f"{sum(step.action is action for step in todo)} to {action}" for action in Action)
    CONSOLE.print(Text(f"Plan: {', '.join(counts)}.", "bold"))


def _title(step: Step) -> str:
    return f"{step.action} {_name(step.resource)}"


def _name(resource: Resource) -> str:
    return f"{resource.kind} {resource.name}"


def _text(value: Value) -> str:
    return "nothing" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _ask(yes: bool, question: str) -> None:
    if not yes and not typer.confirm(question):
        raise typer.Exit(1)


app.command("stand-in")(stand_in.stand_in)
