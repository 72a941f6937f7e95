"""`trunkline doctor`: what is wrong with this set-up, and what to do about it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from trunkline.carriers.twilio.facts import Facts, open_facts
from trunkline.cli.loop_call import LoopCall
from trunkline.cli.shared import load_settings
from trunkline.doctor.account import Account
from trunkline.doctor.check import Check, Finding, State, Verdict, examine, well, wrong
from trunkline.doctor.external import AudioPort, ExternalAsterisk, NotOurs
from trunkline.doctor.machine import Asterisk, Clock, Disk
from trunkline.doctor.minds import Model, N8n, Speech
from trunkline.doctor.network import Nat, Ports
from trunkline.doctor.speech_servers import speech_server_checks
from trunkline.doctor.trunk import Dns, sip_checks
from trunkline.doctor.twilio import account_checks
from trunkline.errors import SettingsError
from trunkline.settings import Settings

FAILED = 3
MARKS = {State.WELL: ("✓", "bold green"), State.WRONG: ("✗", "bold red"), State.SKIPPED: ("–", "dim")}
NARROWEST = 30
"""Columns of text, however narrow the terminal is."""
console = Console(highlight=False)


def doctor(
    context: typer.Context,
    call: Annotated[
        str, typer.Option(metavar="NUMBER", help="Also call this number, which costs what a call costs.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a page.")] = False,
) -> None:
    """Look at everything a call needs and tell what is wrong, why, and what to do. Nobody is called unasked."""
    try:
        settings = load_settings(context)
    except SettingsError as error:
        findings = [Finding("settings", wrong(error.message, error.remedy or ""), 0.0)]
    else:
        with Console(stderr=True).status("Looking at everything a call needs …"):
            found = asyncio.run(examine(checks(settings, call)))
        findings = [Finding("settings", judge_settings(settings), 0.0), *found]
    healthy = all(finding.verdict.state is not State.WRONG for finding in findings)
    if as_json:
        print(json.dumps({"healthy": healthy, "checks": [finding.as_json() for finding in findings]}))
    else:
        _show(findings)
    if not healthy:
        raise typer.Exit(FAILED)


def checks(settings: Settings, call: str = "") -> list[Check]:
    """All there are for these settings; they run at the same time. `call`: a number that is really called as well."""
    trunk, facts = settings.trunk, open_facts(settings.twilio)
    private = settings.asterisk.mode == "private"
    machine: list[Check] = [ExternalAsterisk(settings), AudioPort(settings)]
    if private:
        machine = [Asterisk(settings), Ports(settings)]
    account = None if facts is None else Account(facts, settings)
    workflows = [N8n(name, agent) for name, agent in settings.agents.items() if agent.brain == "n8n"]
    models = [Model(name, agent) for name, agent in settings.agents.items() if agent.brain == "openai"]
    return [
        *machine,
        Dns(trunk),
        *([Nat(settings)] if private else []),
        *sip_checks(trunk, account, settings.asterisk.tls_ca),
        *account_checks(account, settings),
        Speech(settings),
        *speech_server_checks(settings),
        *workflows,
        *models,
        Disk(settings),
        Clock(),
        *([LoopCall(settings)] if private else []),
        *([_real_call(settings, call, facts) if private else NotOurs("call")] if call else []),
    ]


def _real_call(settings: Settings, number: str, facts: Facts | None) -> Check:
    from trunkline.doctor.real_call import RealCall  # noqa: PLC0415  # it brings the store, which is slow to import

    return RealCall(settings, number, facts)


def judge_settings(settings: Settings) -> Verdict:
    """What can be read may still lack something."""
    trunk = settings.trunk
    agents = f"{len(settings.agents)} agent{'s' if len(settings.agents) > 1 else ''}"
    if trunk.host is None:
        return well(f"{agents}, no trunk", "Set trunk.host, username, password and caller_ids to place calls.")
    if not trunk.caller_ids:
        return wrong(
            "trunk.caller_ids is empty, and carriers refuse calls that show no number of theirs.",
            "Set it to numbers that were bought from or verified with the carrier.",
        )
    return well(f"{agents}, trunk {trunk.host}, caller ID {trunk.caller_ids[0]}")


def _show(findings: Sequence[Finding]) -> None:
    indent = max(len(finding.name) for finding in findings) + 4
    for finding in findings:
        verdict = finding.verdict
        mark, style = MARKS[verdict.state]
        head = Text.assemble((f"{mark} ", style), finding.name.ljust(indent - 2))
        told = [Text(verdict.text, "bold" if verdict.state is State.WRONG else "")]
        told += [Text(verdict.remedy)] if verdict.remedy else []
        told += [Text(remark, "yellow") for remark in verdict.remarks]
        for line in (part for text in told for part in _wrapped(text, indent)):
            console.print(Text.assemble(head, line), soft_wrap=True)
            head = Text(" " * indent)


def _wrapped(text: Text, indent: int) -> Sequence[Text]:
    """Lines that fit beside the names in a terminal; whole in a file or a pipe, where somebody may search it."""
    if not console.is_terminal:
        return [text]
    return list(text.wrap(console, max(console.width - indent, NARROWEST)))
