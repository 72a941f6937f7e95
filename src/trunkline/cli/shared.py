"""What every command needs: the settings, and errors told as a sentence instead of a traceback."""

from __future__ import annotations

from pathlib import Path

import typer

from trunkline.settings import Settings
from trunkline.settings_file import load

AUDIOSOCKET = "127.0.0.1:9092"
SECRETS_FILE = Path(".env")
MASK = "••••••••"


def load_settings(context: typer.Context) -> Settings:
    """The settings as `--config` and the environment say. Raises `SettingsError`."""
    root = context.find_root()
    config = root.params.get("config")
    return load(Path(str(config)) if config else None)
