"""What a rehearsal looks like while it happens and when it is over, for people and as lines of JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table

from trunkline.rehearsal.judgement import Verdict
from trunkline.rehearsal.progress import (
    AgentSpoke,
    BuiltInStarting,
    CallOver,
    CallPlaced,
    CallTurnedAway,
    CarrierListening,
    Judging,
    KeyHeard,
    KeysPressed,
    PersonSpoke,
    PhoneAnswered,
    PhoneRang,
    Progress,
    to_json_line,
)
from trunkline.rehearsal.session import Outcome, place
from trunkline.rehearsal.termination import ANSWERS

MARKS = {Verdict.MET: "[green]✓[/green]", Verdict.FAILED: "[red]✗[/red]", Verdict.NOT_JUDGED: "[yellow]?[/yellow]"}


def print_json(event: Progress) -> None:
    print(to_json_line(event), flush=True)


def printer(console: Console) -> Callable[[Progress], None]:
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
            case BuiltInStarting() | Judging():
                _stage(console, event)
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
            case PersonSpoke() | KeysPressed() | AgentSpoke() | KeyHeard():
                console.print(f"{event.at:7.2f}  {_heard(event)}", markup=False)
            case CallOver():
                console.print(_table(event))

    return show


def _heard(event: PersonSpoke | KeysPressed | AgentSpoke | KeyHeard) -> str:
    match event:
        case PersonSpoke():
            return f"person  {event.text}"
        case KeysPressed():
            return f"person  presses {event.keys}"
        case AgentSpoke():
            return "agent   … " + ("" if event.gap_ms is None else f"after {event.gap_ms:.0f} ms")
        case KeyHeard():
            return f"agent   presses {event.key}"


def _stage(console: Console, event: BuiltInStarting | Judging) -> None:
    if isinstance(event, Judging):
        text = f"Listening to {event.calls} recordings"
    else:
        text = "Starting a service of our own, and its Asterisk"
    console.print(f"[bold]▸[/bold] {text}", markup=True)


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


def briefly(console: Console) -> Callable[[Progress], None]:
    """Progress of many calls: a line for each that is over."""

    def show(event: Progress) -> None:
        match event:
            case BuiltInStarting() | Judging():
                _stage(console, event)
            case CallTurnedAway():
                console.print(f"[red]refused[/red] a call to {event.number}: {event.cause.value}")
            case CallOver():
                report = event.report
                gaps = ", ".join(f"{gap:.0f}" for gap in report.gaps_ms)
                seconds = "" if report.duration is None else f" after {report.duration:.1f} s"
                console.print(
                    f"☎  {report.person}: {report.outcome}, ended by the {report.ended_by}{seconds}"
                    + (f"; turn gaps {gaps} ms" if gaps else ""),
                    markup=False,
                )

    return show


def print_verdicts(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Every call with what wasn't met, and the sum."""
    console.print()
    for outcome in outcomes:
        verdicts = [finding.verdict for finding in outcome.findings]
        failed, unjudged = verdicts.count(Verdict.FAILED), verdicts.count(Verdict.NOT_JUDGED)
        mark = Verdict.FAILED if failed else Verdict.NOT_JUDGED if unjudged else Verdict.MET
        met = f"{verdicts.count(Verdict.MET)} of {len(verdicts)} as expected"
        console.print(f"{MARKS[mark]} [bold]{outcome.attempt.scenario.name}[/bold] [dim]{met}[/dim]")
        for finding in outcome.findings:
            if finding.verdict is not Verdict.MET:
                console.print(f"  {MARKS[finding.verdict]} ", end="")
                console.print(f"{place(finding)}: wanted {finding.wanted}, got {finding.got}", markup=False)
    failures = sum(bool(outcome.complaints) for outcome in outcomes)
    unjudged = sum(finding.verdict is Verdict.NOT_JUDGED for outcome in outcomes for finding in outcome.findings)
    console.print(f"\n{len(outcomes)} calls, {failures} not as expected", end="")
    console.print(f"; {unjudged} expectations could not be judged" if unjudged else "")
