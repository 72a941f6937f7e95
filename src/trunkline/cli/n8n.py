"""`trunkline n8n`: a private n8n by hand, and a look at any webhook as a call would use it."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from trunkline.cli.shared import load_settings
from trunkline.cli.speech import telephone_audio
from trunkline.errors import SettingsError
from trunkline.n8n.check import Finding, check
from trunkline.n8n.fetch import N8nProgram, provide_n8n
from trunkline.n8n.home import USUAL_PORT, read_state
from trunkline.n8n.instance import occupy, start_detached, stop_detached
from trunkline.n8n.workflows import OPENAI_URL, Credential, Workflow, import_into, openai_credential, read_workflow
from trunkline.ports import PersonTurn
from trunkline.settings import DEFAULT_AGENT, AgentSettings, N8nSettings, Settings
from trunkline.speech import make_text_to_speech

app = typer.Typer(no_args_is_help=True, help="A private n8n by hand; `check` looks at anybody's webhook.")
console = Console(highlight=False)
FAILED = 3
STAND_IN_KEY = "sk-rehearsal"
"""Nothing secret: whoever reaches the stand-in may use it."""
TURN = "Yes, that suits me. What are your opening hours?"


@app.command()
def fetch() -> None:
    """Bring n8n and its Node.js into the cache (about 3 GB, 4 to 9 minutes); quick when they are there."""
    program = asyncio.run(_fetched())
    print(f"n8n {program.version}: {program.script}")


@app.command()
def start(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Port of the editor and the webhooks; a free one where it is taken.")] = (
        USUAL_PORT
    ),
) -> None:
    """Start a private n8n that stays until `trunkline n8n stop`."""
    folder = _folder(load_settings(context))

    async def run() -> str:
        if (running := read_state(folder)) is not None:
            return running.url
        program = await _fetched()
        console.print("[dim]Starting n8n …[/dim]")
        return (await start_detached(program, folder, port=port)).url

    print(f"n8n is running: {asyncio.run(run())}")


@app.command()
def stop(context: typer.Context) -> None:
    """End it."""
    stopped = asyncio.run(stop_detached(_folder(load_settings(context))))
    print("n8n has ended." if stopped else "No n8n is running.")


@app.command("import")
def import_(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Workflow files of n8n.")],
    *,
    openai_key: Annotated[
        str | None,
        typer.Option(envvar="OPENAI_API_KEY", show_envvar=True, help="Key for the nodes that need one of OpenAI."),
    ] = None,
    openai_url: Annotated[str, typer.Option(help="Another server of OpenAI's protocol.")] = OPENAI_URL,
) -> None:
    """Import workflows into the private n8n and publish them; earlier ones are replaced. It is restarted if it runs."""
    workflows = [read_workflow(file) for file in files]
    credentials = [openai_credential(openai_key, openai_url)] if openai_key else []
    folder = _folder(load_settings(context))
    url = asyncio.run(_import(folder, workflows, credentials))
    for workflow in workflows:
        console.print(f"[green]✓[/green] {workflow.name}")
        for path in workflow.webhooks:
            console.print(f"  {url or 'http://…'}/webhook/{path}")
        if workflow.wants and not credentials:
            console.print(
                "  [yellow]needs an OpenAI credential:[/yellow] choose it in the editor, or give --openai-key"
            )


async def _import(folder: Path, workflows: list[Workflow], credentials: list[Credential]) -> str | None:
    """Where the n8n runs, if it did."""
    program = await _fetched()
    console.print("[dim]Importing …[/dim]")
    running = await stop_detached(folder)
    home = await occupy(folder)
    try:
        await import_into(home, program, workflows, credentials)
    finally:
        home.close()
    if running is None:
        return None
    console.print("[dim]Starting n8n again …[/dim]")
    return (await start_detached(program, folder, port=int(running.url.rpartition(":")[2]))).url


@app.command("check")
def check_(
    context: typer.Context,
    url: Annotated[str | None, typer.Argument(help="Production URL of a webhook; without it, the agent's own.")] = None,
    *,
    agent: Annotated[str, typer.Option(help="Agent whose settings are used (credentials, limits).")] = DEFAULT_AGENT,
    say: Annotated[str, typer.Option(help="What the person says.")] = TURN,
    wav: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A recording of what they say instead.")
    ] = None,
) -> None:
    """Try a webhook as a call would use it: a welcome and a spoken turn. Tells what is wrong, and what to do."""
    settings = load_settings(context)
    manners = _checked(settings, agent, url)
    console.print(f"[bold]▸[/bold] {manners.n8n.webhook_url}")

    async def run() -> list[Finding]:
        audio = telephone_audio(wav) if wav is not None else await _spoken(settings, say)
        return await check(manners, agent, PersonTurn(1, "" if wav else say, audio))

    findings = asyncio.run(run())
    for finding in findings:
        _show(finding)
    if any(finding.fault is not None for finding in findings):
        raise typer.Exit(FAILED)


@app.command()
def models(
    context: typer.Context,
    *,
    port: Annotated[int, typer.Option(help="Port; 0: a free one.")] = 8801,
    key: Annotated[str, typer.Option(help="The key it wants.")] = STAND_IN_KEY,
    script: Annotated[str, typer.Option(help="Script of the chat: appointment, or a YAML file.")] = "appointment",
    announce: Annotated[bool, typer.Option("--announce", help="Print one line of JSON when ready.")] = False,
) -> None:
    """Stand in for OpenAI: a scripted chat, the local Whisper and voice. For trying n8n without a key."""
    # Imported here: a web server and the engines take a second to load, which no other command should wait for.
    from trunkline.rehearsal.openai_stand_in import openai_stand_in, stand_in_engines  # noqa: PLC0415

    settings = load_settings(context)

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with stand_in_engines(settings, script) as engines, openai_stand_in(*engines, key=key, port=port) as url:
            print(json.dumps({"openai": url, "key": key}) if announce else f"{url}  key: {key}", flush=True)
            await stop.wait()

    asyncio.run(run())


def _checked(settings: Settings, name: str, url: str | None) -> AgentSettings:
    found = settings.agents.get(name)
    own = found.n8n if found is not None else N8nSettings()
    if url is None and own.webhook_url is None:
        raise SettingsError(f"The agent {name} has no webhook.", remedy="Name the webhook's production URL.")
    try:
        n8n = N8nSettings.model_validate({**own.model_dump(), "webhook_url": url or own.webhook_url})
    except ValueError as error:
        raise SettingsError(f"{url} is no address of a webhook.", remedy="Copy the Webhook node's URL.") from error
    return (found or AgentSettings()).model_copy(update={"brain": "n8n", "n8n": n8n})


async def _spoken(settings: Settings, text: str) -> bytes:
    engine = make_text_to_speech(settings.speech)
    try:
        await engine.warm_up()
        return b"".join([piece async for piece in engine.synthesise(text)])
    finally:
        await engine.close()


def _show(finding: Finding) -> None:
    if finding.fault is not None:
        console.print(f"[bold red]✗[/bold red] {finding.name}: [bold]{finding.fault.message}[/bold]", markup=True)
        console.print(f"  {finding.fault.remedy}", markup=False)
        return
    way = "streamed" if finding.streamed else "not streamed"
    times = [f"first byte {finding.first_byte:.2f} s" if finding.first_byte is not None else ""]
    times += [f"first words {finding.first_words:.2f} s" if finding.first_words is not None else "nothing is said"]
    times += [f"all {finding.total:.2f} s", way]
    console.print(f"[bold green]✓[/bold green] {finding.name}: {' · '.join(time for time in times if time)}")
    if finding.text:
        console.print(f"  “{finding.text}”", markup=False)
    if finding.audio_seconds:
        console.print(f"  audio of {finding.audio_seconds:.1f} s")
    for deed in finding.does:
        console.print(f"  then: {deed}", markup=False)
    for remark in finding.remarks:
        console.print("  [yellow]![/yellow]", end=" ")
        console.print(remark, markup=False)


def _folder(settings: Settings) -> Path:
    return settings.service.data_dir / "n8n"


async def _fetched() -> N8nProgram:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    shown = Console(stderr=True)
    said: list[str] = []
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as progress:
        task = progress.add_task("looking for n8n", total=None)

        def show(text: str, share: float | None) -> None:
            progress.update(task, description=text, completed=share or 0.0, total=None if share is None else 1.0)
            if not shown.is_terminal and text not in said:
                said.append(text)
                shown.print(text)

        return await provide_n8n(show)
