"""`trunkline speech`: fetch the models, try the voice, try the recognition."""

from __future__ import annotations

import asyncio
import time
import wave
from pathlib import Path
from typing import Annotated

import soxr
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from trunkline.audio import SAMPLE_BYTES, SAMPLE_RATE, from_float, seconds_of, to_float
from trunkline.cli.shared import load_settings
from trunkline.errors import RequestError
from trunkline.speech import make_speech_to_text, make_text_to_speech, whisper_model
from trunkline.speech.smart_turn import smart_turn_model

app = typer.Typer(help="Speech on this machine: models, voice, recognition.", no_args_is_help=True)
console = Console(highlight=False)


@app.command()
def fetch(context: typer.Context) -> None:
    """Fetch and verify the speech models; a damaged one is replaced. Quick when they are there."""
    settings = load_settings(context).speech
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("looking for the speech models", total=None)

        def report(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        folders = {
            "Whisper": whisper_model(settings, report, replace=True),
            "Smart Turn": smart_turn_model(settings, report, replace=True),
        }
    for name, folder in folders.items():
        console.print(f"[green]✓[/green] {name} model: {folder}")


@app.command()
def say(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="What to say.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="WAV file to write (8 kHz, mono).")],
    voice: Annotated[str, typer.Option(help="Voice of the engine; empty: its default.")] = "",
    speed: Annotated[float, typer.Option(min=0.5, max=2.0, help="Pace of the voice.")] = 1.0,
) -> None:
    """Speak TEXT into a WAV file, as a caller would hear it."""
    settings = load_settings(context).speech

    async def speak() -> tuple[bytes, float]:
        engine = make_text_to_speech(settings)
        try:
            await engine.warm_up()
            begun = time.perf_counter()
            first = 0.0
            sound = bytearray()
            async for piece in engine.synthesise(text, voice=voice, speed=speed):
                first = first or time.perf_counter() - begun
                sound += piece
            return bytes(sound), first
        finally:
            await engine.close()

    sound, first = asyncio.run(speak())
    with wave.open(str(output), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(sound)
    console.print(f"[green]✓[/green] {output}: {seconds_of(sound):.1f} s; first audio after {first * 1000:.0f} ms")


@app.command()
def transcribe(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="WAV file, 16-bit, at most 30 s.")],
    language: Annotated[str, typer.Option(help="Language that is spoken.")] = "en",
    hint: Annotated[str, typer.Option(help="Words likely to occur, as 'yes, no, Thursday'.")] = "",
) -> None:
    """Print the words in FILE, heard as through a telephone."""
    settings = load_settings(context).speech
    audio = telephone_audio(file)

    async def understand() -> tuple[str, float, float]:
        engine = make_speech_to_text(settings)
        try:
            await engine.warm_up()
            begun = time.perf_counter()
            found = await engine.transcribe(audio, language=language, hint=hint)
            return found.text, found.confidence, time.perf_counter() - begun
        finally:
            await engine.close()

    try:
        text, confidence, took = asyncio.run(understand())
    except ValueError as error:
        raise RequestError(f"{file}: {error}.") from error
    print(text)
    console.print(f"[dim]confidence {confidence:.2f}, {seconds_of(audio):.1f} s understood in {took:.2f} s[/dim]")


def telephone_audio(file: Path) -> bytes:
    """A WAV file as 8 kHz 16-bit mono; of several channels the first. Raises `RequestError`."""
    try:
        with wave.open(str(file), "rb") as source:
            if source.getsampwidth() != SAMPLE_BYTES:
                raise RequestError(
                    f"{file} has {8 * source.getsampwidth()}-bit samples.", remedy="Give it 16-bit ones."
                )
            rate, channels = source.getframerate(), source.getnchannels()
            samples = to_float(source.readframes(source.getnframes()))[::channels]
    except (wave.Error, EOFError) as error:
        raise RequestError(f"{file} is not a WAV file: {error}.") from error
    return from_float(soxr.resample(samples, rate, SAMPLE_RATE))
