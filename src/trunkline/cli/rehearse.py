"""`trunkline rehearse`: a stand-in carrier with scripted people, for any phone system to call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from trunkline.cli.shared import load_settings
from trunkline.errors import SettingsError
from trunkline.rehearsal.config import CarrierConfig, load_config, make_config
from trunkline.rehearsal.progress import (
    AgentSpoke,
    CallOver,
    CallPlaced,
    CallTurnedAway,
    CarrierListening,
    KeyHeard,
    KeysPressed,
    PersonSpoke,
    PhoneAnswered,
    PhoneRang,
    Progress,
    to_json_line,
)
from trunkline.rehearsal.scenario import load_scenario
from trunkline.rehearsal.session import Plan, Service, run
from trunkline.rehearsal.termination import ANSWERS
from trunkline.settings import DEFAULT_AGENT

FAILED = 3
"""Exit status when a side wasn't heard or a call didn't go as its script wants."""
TERMINATED = 143
"""Exit status after SIGTERM, as a shell has it."""


def rehearse(
    context: typer.Context,
    scenario: Annotated[list[str], typer.Argument(help="Scenario files, or names of shipped ones.")],
    *,
    listen: Annotated[str, typer.Option(help="Address of SIP; port 0 takes a free one.")] = "127.0.0.1:0",
    carrier: Annotated[Path | None, typer.Option(help="YAML file with what the carrier lets through.")] = None,
    host: Annotated[str | None, typer.Option(help="Termination URI calls must be sent to.")] = None,
    user: Annotated[str | None, typer.Option(help="User of the credential list.")] = None,
    password: Annotated[
        str | None, typer.Option(envvar="TRUNKLINE_REHEARSAL_PASSWORD", help="Its password.", show_envvar=True)
    ] = None,
    call: Annotated[bool, typer.Option("--call", help="Have the service place the calls.")] = False,
    service: Annotated[str, typer.Option(help="Address of the service, with --call.")] = "http://127.0.0.1:3030",
    agent: Annotated[str, typer.Option(help="Agent that is to call, with --call.")] = DEFAULT_AGENT,
    calls: Annotated[int, typer.Option(min=1, help="Calls to wait for.")] = 1,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for each.")] = 300.0,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Folder for reports and recordings.")] = None,
    json_lines: Annotated[bool, typer.Option("--json", help="Progress as JSON lines.")] = False,
) -> None:
    """Rehearse: people that follow a script answer calls, over real SIP and RTP, and every reply is timed."""
    settings = load_settings(context)
    api_key = settings.service.api_key
    plan = Plan(
        scenarios=tuple(load_scenario(name) for name in scenario),
        carrier=_carrier(carrier, listen, host=host, username=user, password=password),
        calls=calls,
        timeout=timeout,
        out_dir=output or settings.service.data_dir / "rehearsals",
        service=Service(service, agent, api_key.get_secret_value() if api_key else None) if call else None,
    )
    outcomes = run(plan, settings, _print_json if json_lines else _printer(Console(highlight=False)))
    if outcomes is None:
        raise typer.Exit(TERMINATED)
    for complaint in (complaint for outcome in outcomes for complaint in outcome.complaints):
        Console(stderr=True).print(f"[red]✗[/red] {complaint}", markup=True, highlight=False)
    if any(outcome.complaints for outcome in outcomes):
        raise typer.Exit(FAILED)


def _carrier(file: Path | None, listen: str, **given: str | None) -> CarrierConfig:
    """The file's carrier (or the default one) with what the command line gives on top."""
    address, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit():
        raise SettingsError(f"--listen {listen!r} is no address.", remedy="Write it as 127.0.0.1:5060.")
    config = load_config(file) if file is not None else CarrierConfig()
    content = config.model_dump() | {key: value for key, value in given.items() if value is not None}
    return make_config(content | {"listen_host": address, "listen_port": int(port)}, "the command line")


def _print_json(event: Progress) -> None:
    print(to_json_line(event), flush=True)


def _printer(console: Console) -> Callable[[Progress], None]:
    """Progress for people."""

    def show(event: Progress) -> None:
        match event:
            case CarrierListening():
                console.print(f"[bold]The stand-in carrier listens on {event.host}:{event.port}.[/bold]")
                console.print("Point a trunk at it:\n\n\\[trunk]")
                for key, value in event.trunk.items():
                    text = f'"{value}"' if isinstance(value, str) else str(value).replace("'", '"')
                    console.print(f"{key} = {text}", markup=False)
                console.print()
            case CallPlaced():
                console.print(f"asked for a call to {event.number} [dim]({event.call_id})[/dim]")
            case CallTurnedAway():
                answer = ANSWERS[event.cause]
                console.print(
                    f"[red]refused[/red] a call to {event.number}: {answer.code} {answer.phrase} ({event.cause.value})"
                )
            case PhoneRang():
                console.print(f"☎  {event.number} rings: {event.person}")
            case PhoneAnswered():
                console.print("   answered")
            case PersonSpoke():
                console.print(f"{event.at:7.2f}  person  {event.text}", markup=False)
            case KeysPressed():
                console.print(f"{event.at:7.2f}  person  presses {event.keys}", markup=False)
            case AgentSpoke():
                gap = "" if event.gap_ms is None else f"after {event.gap_ms:.0f} ms"
                console.print(f"{event.at:7.2f}  agent   … {gap}")
            case KeyHeard():
                console.print(f"{event.at:7.2f}  agent   presses {event.key}", markup=False)
            case CallOver():
                console.print(_table(event))

    return show


def _table(event: CallOver) -> Table:
    report = event.report
    title = f"{report.outcome}, ended by the {report.ended_by}"
    if report.duration is not None:
        title += f" after {report.duration:.1f} s"
    table = Table(title=title, title_justify="left")
    table.add_column("the person said")
    table.add_column("turn gap", justify="right")
    table.add_column("barge-in stop", justify="right")
    if report.greeting_ms is not None:
        table.add_row("[dim]answer → first word[/dim]", f"{report.greeting_ms:.0f} ms", "")
    for turn in report.turns:
        table.add_row(
            turn.text,
            "–" if turn.gap_ms is None else f"{turn.gap_ms:.0f} ms",
            "" if turn.stop_ms is None else f"{turn.stop_ms:.0f} ms",
        )
    received = report.received
    table.caption = (
        f"{received.packets} packets, {received.lost} lost, {received.gaps} gaps, {received.early} early"
        + ("; the measuring side was late, don't trust the times" if report.clock.late else "")
        + (f"\n{report.recording}" if report.recording else "")
    )
    return table
