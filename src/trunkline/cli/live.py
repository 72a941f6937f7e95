"""A call in the terminal, as it is spoken."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

PERSON, AGENT = "bold cyan", "bold yellow"


class LiveCall:
    """Prints a call's live events (`GET /calls/{id}/events`), one after the other."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._answering = False

    def show(self, kind: str, data: dict[str, Any]) -> None:
        """`kind` and `data` of one event."""
        match kind:
            case "state" if data["state"] == "ended":
                self._ended(data)
            case "state":
                self._note(str(data["state"]).replace("-", " "))
            case "greeting":
                self._note(f"greeting heard {data['greetingMs']:.0f} ms after the answer")
            case "sentence":
                line = Text("  agent   ", AGENT) + Text(data["text"], "default")
                if data["gapMs"] is not None:
                    line += Text(f"   {data['gapMs']:.0f} ms", "green" if data["gapMs"] < 1000 else "red")
                self._console.print(line)
            case "turn" if data["speaker"] == "person":
                said = data["text"] or (f"presses {data['keys']}" if data["keys"] else "…")
                self._console.print(Text("  person  ", PERSON) + Text(said, "default"))
            case "turn" if data["cutOff"]:
                self._note(f"interrupted; heard: {data['text'] or 'nothing'}")
            case "note":
                self._note(data["text"])
            case _:
                pass

    def _note(self, text: str) -> None:
        self._console.print(Text(f"  · {text}", "dim"))

    def _ended(self, data: dict[str, Any]) -> None:
        code = f" ({data['sipCode']})" if data.get("sipCode") else ""
        good = data["disposition"] == "answered"
        self._console.print(
            Text("  ✓ " if good else "  ✗ ", "bold green" if good else "bold red")
            + Text(f"{data['disposition']}{code}: {data['reason']}")
        )
