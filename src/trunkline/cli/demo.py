"""`trunkline demo`: a call through a real Asterisk, heard on both sides."""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from trunkline.cli.live import LiveCall
from trunkline.cli.shared import load_settings
from trunkline.errors import RequestError
from trunkline.models import HangUpBy, Speaker, Turn, TurnTimings
from trunkline.n8n.fetch import provide_n8n
from trunkline.rehearsal.hearing import Hearing, hearing
from trunkline.rehearsal.n8n_stage import CONVERSATION, STREAMED, n8n_stage
from trunkline.rehearsal.n8n_stage import template as shipped
from trunkline.rehearsal.picture import draw_call
from trunkline.rehearsal.stage import Stage, finished_call, follow, place_call, stage
from trunkline.settings import DEFAULT_AGENT, Settings
from trunkline.speech import make_speech_to_text

NUMBER = "+14155550123"
LEAST_UNDERSTOOD = 4
REPORT_SECONDS = 30.0
MARK = "carrier.log"
"""Every demo has this file in its folder, and nobody's own folder has."""
FAILED = 3
console = Console(highlight=False)


def demo(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for recording and picture.")] = Path(
        "var/demo"
    ),
    n8n: Annotated[bool, typer.Option("--n8n", help="Let a workflow of a real n8n hold the conversation.")] = False,
    streamed: Annotated[bool, typer.Option("--streamed", help="With --n8n: the template that streams.")] = False,
) -> None:
    """Place a call to a stand-in carrier's scripted person, show it live, measure it and check that both were heard."""
    settings = load_settings(context)
    template = (STREAMED if streamed else CONVERSATION) if n8n or streamed else None
    complaints = asyncio.run(_demo(settings, output.absolute(), template))
    for complaint in complaints:
        console.print(f"[bold red]✗[/bold red] {complaint}")
    if complaints:
        raise typer.Exit(FAILED)
    console.print(f"[bold green]✓[/bold green] Both sides were heard. Listen: {output / 'call.wav'}")


async def _demo(settings: Settings, folder: Path, template: str | None) -> list[str]:
    await asyncio.to_thread(_clear, folder)
    async with (
        _brain(folder, template) as agent,
        stage(folder, ["appointment"], settings={"agents": {DEFAULT_AGENT: agent}}, tell=_step) as running,
    ):
        _step(f"POST {running.url}/call  {{phoneNumber: {NUMBER}}}")
        call_id = await place_call(running, NUMBER, context=DEFAULT_AGENT)
        live = LiveCall(console)
        async for kind, data in follow(running, call_id):
            live.show(kind, data)
        over = await running.carrier.line(lambda line: line["event"] == "call_over", REPORT_SECONDS)
        call = await finished_call(running, call_id)
        report = over["report"]
        if call["disposition"] != "answered" or not report["recording"]:
            return [f"The call ended as {call['disposition']}: {call['reason']}"]
        _step("Listening to the recordings")
        heard = await _collect(running, settings, call, report)
    _summary(call, report, heard)
    complaints = heard.complaints
    if heard.understood < LEAST_UNDERSTOOD:
        complaints.append(f"Only {heard.understood} of the person's turns were understood.")
    return complaints


@asynccontextmanager
async def _brain(folder: Path, template: str | None) -> AsyncIterator[dict[str, object]]:
    """Settings of the agent: the scripted brain's, or those of a workflow in an n8n that runs inside the block."""
    if template is None:
        yield {}
        return
    program = await provide_n8n(lambda what, _: None)
    workflow = await asyncio.to_thread(shipped, template)
    # Beside the demo's own folder, which begins empty.
    async with n8n_stage(program, folder.with_name(f"{folder.name}-n8n"), [workflow], _step) as running:
        yield running.agent(workflow)


async def _collect(running: Stage, settings: Settings, call: dict[str, Any], report: dict[str, Any]) -> Hearing:
    """Recording, picture and figures into the folder; what was heard."""
    folder = running.folder
    recording = folder / "carrier" / report["recording"]
    ears = make_speech_to_text(settings.speech)
    try:
        heard = await hearing(call, report, recording, ears)
    finally:
        await ears.close()
    figures = {"call": call, "carrier": report, "heard": {"agent": heard.agent, "person": heard.person}}
    await asyncio.to_thread(_keep, folder, recording, figures)
    await asyncio.to_thread(
        draw_call,
        folder / "call.wav",
        [_turn(turn) for turn in call["turns"]],
        folder / "call.png",
        "A call with Trunkline",
        subtitle=f"{call['durationSeconds']:.0f} s through a real Asterisk, recorded at the far end",
        greeting_ms=report["greeting_ms"],
        hung_up_by=HangUpBy(call["hungUpBy"]),
    )
    return heard


def _clear(folder: Path) -> None:
    """Make room for this demo; only an earlier one is thrown away for it."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / MARK).exists():
        raise RequestError(f"{folder} is not empty and not an earlier demo's.", remedy="Name another folder with -o.")
    shutil.rmtree(folder)


def _keep(folder: Path, recording: Path, figures: dict[str, Any]) -> None:
    shutil.copy(recording, folder / "call.wav")
    (folder / "call.json").write_text(json.dumps(figures, indent=2, ensure_ascii=False), encoding="utf-8")


def _turn(turn: dict[str, Any]) -> Turn:
    timings = turn["timings"]
    return Turn(
        number=turn["number"],
        speaker=Speaker(turn["speaker"]),
        text=turn["text"] or turn["keys"],
        started=turn["started"],
        ended=turn["ended"],
        timings=TurnTimings(gap_ms=timings["gapMs"]) if timings else None,
        cut_off=turn["cutOff"],
    )


def _step(text: str) -> None:
    console.print(f"[bold]▸[/bold] {text}", markup=True)


def _summary(call: dict[str, Any], report: dict[str, Any], heard: Hearing) -> None:
    table = Table(title="What the person's ear measured (the carrier's RTP clock)", title_justify="left", box=None)
    table.add_column("the person said")
    table.add_column("turn gap", justify="right")
    for name in ("end of turn", "words", "brain", "voice", "playout"):
        table.add_column(name, justify="right", style="dim")
    ours = [turn["timings"] or {} for turn in call["turns"] if turn["timings"]]
    for said, timings in zip(report["turns"], [*ours, *[{}] * len(report["turns"])], strict=False):
        gap = said["gap_ms"]
        steps = ("endpointingMs", "transcriptionMs", "brainMs", "synthesisMs", "playoutMs")
        table.add_row(
            said["text"],
            f"{gap:.0f} ms" if gap is not None else "–",
            *("" if timings.get(step) is None else f"{timings[step]:.0f}" for step in steps),
        )
    console.print()
    console.print(table)
    gaps = [turn["gap_ms"] for turn in report["turns"] if turn["gap_ms"] is not None]
    console.print(
        f"\nanswer → greeting {report['greeting_ms']:.0f} ms · turn gap median {statistics.median(gaps):.0f} ms · "
        f"packets lost {report['received']['lost']} · agent's words heard {heard.agent:.0%} · "
        f"person's words understood {heard.person:.0%}"
    )
