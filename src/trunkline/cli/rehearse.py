"""`trunkline rehearse`: a stand-in carrier with scripted people, for any phone system to call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from trunkline.cli.rehearse_print import briefly, print_json, print_verdicts, printer
from trunkline.cli.shared import load_settings
from trunkline.errors import SettingsError
from trunkline.rehearsal.config import CarrierConfig, load_config, make_config
from trunkline.rehearsal.dialling import destination
from trunkline.rehearsal.line_conditions import read_conditions
from trunkline.rehearsal.page import write_results
from trunkline.rehearsal.placing import Service
from trunkline.rehearsal.scenario import Scenario, load_scenario, load_suite
from trunkline.rehearsal.session import Outcome, Plan, run
from trunkline.settings import DEFAULT_AGENT, Settings

FAILED = 3
"""Exit status when a side wasn't heard or a call didn't go as its script wants."""
TERMINATED = 143
"""Exit status after SIGTERM, as a shell has it."""


def rehearse(
    context: typer.Context,
    scenario: Annotated[list[str] | None, typer.Argument(help="Scenario files, or names of shipped ones.")] = None,
    *,
    suite: Annotated[
        list[str] | None, typer.Option(help="A folder of scenarios, or a tag of the shipped ones.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All shipped scenarios.")] = False,
    built_in: Annotated[bool, typer.Option("--built-in", help="Start a service of our own that calls.")] = False,
    call: Annotated[bool, typer.Option("--call", help="Have a running service place the calls.")] = False,
    dial: Annotated[str | None, typer.Option(help="People call this address instead: sip:number@host:port.")] = None,
    caller: Annotated[str | None, typer.Option(help="Number people show, with --dial.")] = None,
    parallel: Annotated[int, typer.Option(min=1, help="Calls at the same time.")] = 1,
    repeat: Annotated[int, typer.Option(min=1, help="How often each scenario is called.")] = 1,
    line: Annotated[list[str] | None, typer.Option(help='A fault of the line, as "noise: 20" or "echo: -20".')] = None,
    listen: Annotated[str, typer.Option(help="Address of SIP; port 0 takes a free one.")] = "127.0.0.1:0",
    carrier: Annotated[Path | None, typer.Option(help="YAML file with what the carrier lets through.")] = None,
    host: Annotated[str | None, typer.Option(help="Termination URI calls must be sent to.")] = None,
    user: Annotated[str | None, typer.Option(help="User of the credential list; with --dial ours.")] = None,
    password: Annotated[
        str | None, typer.Option(envvar="TRUNKLINE_REHEARSAL_PASSWORD", help="Its password.", show_envvar=True)
    ] = None,
    service: Annotated[str, typer.Option(help="Address of the service, with --call.")] = "http://127.0.0.1:3030",
    agent: Annotated[str, typer.Option(help="Agent that is to call.")] = DEFAULT_AGENT,
    calls: Annotated[int, typer.Option(min=1, help="Calls to wait for, where they come by themselves.")] = 1,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for each.")] = 300.0,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Folder for reports and recordings.")] = None,
    measure_only: Annotated[bool, typer.Option("--measure-only", help="Judge no expectations, write no page.")] = False,
    json_lines: Annotated[bool, typer.Option("--json", help="Progress as JSON lines.")] = False,
) -> None:
    """Rehearse: people that follow a script take calls or make them, and all that is heard is judged and timed."""
    settings = load_settings(context)
    people = _people(scenario or [], suite or [], everything, read_conditions(line or []))
    to = destination(dial, user, password, caller) if dial is not None else None
    if to is not None:
        people, user, password = _callers(people), None, None
    if built_in + call + (to is not None) > 1:
        raise SettingsError("--built-in, --call and --dial exclude each other.", remedy="Give one of them.")
    own = built_in or (bool(suite or everything) and not call and to is None)
    plan = Plan(
        scenarios=people,
        carrier=_carrier(carrier, listen, own=own, host=host, username=user, password=password),
        calls=calls,
        repeat=repeat,
        parallel=parallel,
        timeout=timeout,
        out_dir=output or settings.service.data_dir / "rehearsals",
        judged=not measure_only,
        service=_service(service, agent, settings) if call else None,
        built_in=agent if own else None,
        destination=to,
    )
    many = (len(people) * repeat if own or call or to is not None else calls) > 1
    console = Console(highlight=False)
    outcomes = run(plan, settings, print_json if json_lines else (briefly if many else printer)(console))
    if outcomes is None:
        raise typer.Exit(TERMINATED)
    _conclude(plan, outcomes, None if json_lines else console)


def _conclude(plan: Plan, outcomes: list[Outcome], console: Console | None) -> None:
    """Results into the folder and onto the screen; exit status 3 where something was not as expected."""
    if plan.judged and plan.out_dir is not None:
        page = write_results(plan.out_dir, outcomes)
        if console is not None:
            print_verdicts(console, outcomes)
            console.print(f"{page}", markup=False)
    for complaint in (complaint for outcome in outcomes for complaint in outcome.complaints):
        if console is None or not plan.judged:
            Console(stderr=True).print(f"[red]✗[/red] {escape(complaint)}", markup=True, highlight=False)
    if any(outcome.complaints for outcome in outcomes):
        raise typer.Exit(FAILED)


def _people(names: list[str], suites: list[str], everything: bool, line: dict[str, Any]) -> tuple[Scenario, ...]:
    people = [load_scenario(name) for name in names]
    wanted: list[str | None] = [None] if everything else list(suites)
    for suite in wanted:
        people += [person for person in load_suite(suite) if person.name not in {known.name for known in people}]
    if not people:
        raise SettingsError("Nobody was named.", remedy="Name scenarios, or give --suite or --all.")
    return tuple(person.with_line(line) if line else person for person in people)


def _callers(people: tuple[Scenario, ...]) -> tuple[Scenario, ...]:
    """Those that can call: the others are about what a phone does when it rings."""
    if callers := tuple(person for person in people if person.phone.then == "answers"):
        return callers
    raise SettingsError("None of these people ever answers, so none can call.", remedy="Name others.")


def _service(url: str, agent: str, settings: Settings) -> Service:
    api_key = settings.service.api_key
    return Service(url, agent, api_key.get_secret_value() if api_key else None)


def _carrier(file: Path | None, listen: str, *, own: bool, **given: str | None) -> CarrierConfig:
    """The file's carrier (or the default one) with what the command line gives on top."""
    address, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit():
        raise SettingsError(f"--listen {listen!r} is no address.", remedy="Write it as 127.0.0.1:5060.")
    config = load_config(file) if file is not None else CarrierConfig()
    content = config.model_dump() | {key: value for key, value in given.items() if value is not None}
    if own and file is None:
        content["calls_per_second"] = None  # what is rehearsed is the talk
    return make_config(content | {"listen_host": address, "listen_port": int(port)}, "the command line")
