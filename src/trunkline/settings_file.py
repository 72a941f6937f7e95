"""Settings from `trunkline.toml`, `.env` and the environment, with errors that name key, value, file and remedy."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from trunkline.errors import SettingsError
from trunkline.settings import (
    ENV_PREFIX,
    AgentSettings,
    ListeningSettings,
    N8nSettings,
    NoticeSettings,
    OriginationSettings,
    Settings,
    SpeechServerSettings,
)
from trunkline.settings.openai import HttpToolSettings, McpServerSettings, OpenAISettings

DEFAULT_FILE = Path("trunkline.toml")


def load(file: Path | None = None, *, env_file: Path | None = Path(".env")) -> Settings:
    """Settings from `file` (default: `TRUNKLINE_CONFIG`, else `trunkline.toml` if it exists), `.env` and environment.

    Raises `SettingsError` naming key, value, file and remedy.
    """
    named = file or (Path(os.environ[f"{ENV_PREFIX}CONFIG"]) if os.environ.get(f"{ENV_PREFIX}CONFIG") else None)
    path = named or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    content: dict[str, Any] = {}
    if path is not None:
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise SettingsError(
                f"The settings file {path} does not exist.", remedy="Create it or name another."
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"The settings file {path} is not valid TOML: {error}.", remedy="Correct that line."
            ) from error
        except OSError as error:
            raise SettingsError(
                f"The settings file {path} can't be read: {error.strerror}.", remedy="Check its permissions."
            ) from error
        if unknown := sorted(set(content) - set(Settings.model_fields)):
            raise SettingsError(
                f"{path}: there is no section [{unknown[0]}].",
                remedy=f"Sections are: {', '.join(Settings.model_fields)}.",
            )
    _check_environment(env_file)
    try:
        return Settings(_env_file=env_file, **content)
    except ValidationError as error:
        raise _explain(error, content, path, env_file) from None


def effective(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every key with its effective value as text, secrets masked; for `trunkline settings`."""

    def walk(prefix: str, value: object) -> Iterator[tuple[str, str]]:
        if isinstance(value, BaseModel):
            for name in type(value).model_fields:
                yield from walk(f"{prefix}.{name}" if prefix else name, getattr(value, name))
        elif isinstance(value, Mapping) and value and all(isinstance(v, BaseModel) for v in value.values()):
            for name, item in value.items():
                yield from walk(f"{prefix}.{name}", item)
        elif isinstance(value, SecretStr) or (
            isinstance(value, tuple) and any(isinstance(v, SecretStr) for v in value)
        ):
            yield prefix, "••••••••"
        else:
            yield prefix, _toml(value)

    yield from walk("", settings)


def toml(sections: Mapping[str, Mapping[str, object]]) -> str:
    """Settings as a file that `load` reads. Keys without a value are left out."""
    lines: list[str] = []
    for name, values in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {_toml(value)}" for key, value in values.items() if value is not None]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str() | Path():
            return json.dumps(str(value), ensure_ascii=False)
        case tuple() | list():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case Mapping():
            return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
        case _:
            return str(value)


def _check_environment(env_file: Path | None) -> None:
    """A misspelt variable would otherwise be ignored silently."""
    names = [name for name in os.environ if name.upper().startswith(ENV_PREFIX) and "__" in name]
    if env_file is not None and env_file.exists():
        lines = env_file.read_text(encoding="utf-8", errors="replace").splitlines()
        names += [name for line in lines if "=" in line and (name := line.split("=")[0].strip()).startswith(ENV_PREFIX)]
    for name in names:
        section, *rest = name.upper().removeprefix(ENV_PREFIX).lower().split("__")
        field = Settings.model_fields.get(section)
        if field is None or section == "agents" or not rest:
            known = field is not None or section == "config"
        else:
            kind = field.annotation
            known = isinstance(kind, type) and issubclass(kind, BaseModel) and rest[0] in kind.model_fields
        if not known:
            raise SettingsError(
                f"The environment variable {name} names no setting.",
                remedy="Write TRUNKLINE_SECTION__KEY, as TRUNKLINE_TRUNK__HOST; `trunkline settings` lists the keys.",
            )


def _explain(
    error: ValidationError, content: Mapping[str, Any], path: Path | None, env_file: Path | None
) -> SettingsError:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    variable = ENV_PREFIX + "__".join(str(part).upper() for part in first["loc"])
    if variable in os.environ:
        where = f"the environment variable {variable}"
    elif (
        env_file is not None
        and env_file.exists()
        and variable in env_file.read_text(encoding="utf-8", errors="replace")
    ):
        where = str(env_file)
    else:
        where = str(path) if path is not None else "the environment"
    value: object = content
    for part in first["loc"]:
        value = value.get(part) if isinstance(value, Mapping) else None
    shown = os.environ.get(variable, value)
    secret = any(word in key for word in ("password", "key", "secret", "token", "auth_value", "database_url"))
    said = "" if shown is None or isinstance(shown, Mapping) else f" = {'••••••••' if secret else repr(shown)}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        section = Settings.model_fields.get(str(first["loc"][0]))
        kind = section.annotation if section else None
        known = list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []
        if first["loc"][0] == "agents":
            parts = {
                "tools": HttpToolSettings,
                "mcp": McpServerSettings,
                "listening": ListeningSettings,
                "n8n": N8nSettings,
                "openai": OpenAISettings,
                "notices": NoticeSettings,
            }
            kind = next((parts[part] for part in parts if part in first["loc"]), AgentSettings)
            known = list(kind.model_fields)
        elif "servers" in first["loc"]:
            known = list(SpeechServerSettings.model_fields)
        elif "notices" in first["loc"]:
            known = list(NoticeSettings.model_fields)
        elif "origination" in first["loc"]:
            known = list(OriginationSettings.model_fields)
        return SettingsError(f"{where}: there is no setting {key}.", remedy=f"Known here: {', '.join(known)}.")
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return SettingsError(
        f"{where}: {key}{said}: {message}{more}.",
        remedy="Correct it and start again; docs/settings.md describes every key.",
        key=key,
    )
