"""`trunkline settings`: the effective settings, or all that can be set."""

from __future__ import annotations

from collections.abc import Iterator

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Table

from trunkline.cli.shared import load_settings
from trunkline.settings import (
    AgentSettings,
    ListeningSettings,
    N8nSettings,
    NoticeSettings,
    OriginationSettings,
    Settings,
    SpeechServerSettings,
)
from trunkline.settings.openai import HttpToolSettings, McpServerSettings, OpenAISettings
from trunkline.settings_file import effective

SECTIONS: dict[str, type[BaseModel]] = {
    **{
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    },
    "twilio.origination.NAME": OriginationSettings,
    "speech.servers.NAME": SpeechServerSettings,
    "privacy.notices": NoticeSettings,
    "agents.NAME": AgentSettings,
    "agents.NAME.listening": ListeningSettings,
    "agents.NAME.n8n": N8nSettings,
    "agents.NAME.openai": OpenAISettings,
    "agents.NAME.openai.tools.TOOL": HttpToolSettings,
    "agents.NAME.openai.mcp.SERVER": McpServerSettings,
}


def settings(
    context: typer.Context,
    markdown: bool = typer.Option(False, "--markdown", help="Describe every setting there is, as docs/settings.md."),
) -> None:
    """Show the effective settings; secrets are masked."""
    if markdown:
        print("\n".join(reference()))
        return
    table = Table("setting", "value", box=None, header_style="bold")
    for key, value in effective(load_settings(context)):
        table.add_row(key, value or "[dim]not set[/dim]")
    Console().print(table)


def reference() -> Iterator[str]:
    """`docs/settings.md`, line by line, from the code."""
    yield "# Settings"
    yield ""
    yield "<!-- Made by `trunkline settings --markdown`; a test compares it with the code. -->"
    yield ""
    yield "One file, `trunkline.toml`, in the working directory (`--config FILE` or `TRUNKLINE_CONFIG` name another)."
    yield "Every setting can also come from the environment, `TRUNKLINE_SECTION__KEY` (as `TRUNKLINE_TRUNK__HOST`), or"
    yield "from a file `.env` of such lines. The environment beats `.env`, `.env` the file, and the file the defaults."
    yield "With none of them Trunkline runs on its defaults. `trunkline settings` shows what is in force."
    for section, model in SECTIONS.items():
        yield ""
        yield f"## `[{section}]`"
        yield ""
        if model.__doc__:
            about = model.__doc__.split(": ", 1)[-1].strip()
            yield about[0].upper() + about[1:]
            yield ""
        yield "| key | default | what it does |"
        yield "|---|---|---|"
        for name, field in model.model_fields.items():
            if name not in ("listening", "n8n", "openai", "tools", "mcp", "servers", "origination", "notices"):
                yield f"| `{name}` | {_default(field)} | {(field.description or '').replace(chr(10), ' ')} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    default = field.get_default(call_default_factory=True)
    if default is None or default in ("", (), {}):
        return "–"
    return "`••••`" if isinstance(default, SecretStr) else f"`{default}`"
