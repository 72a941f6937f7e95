"""Reading a script: YAML text → plain data with the line of every entry → `Script`, or an error naming the place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from trunkline.brains.script import Script, kinds_of_entries
from trunkline.brains.script_check import Place, problems
from trunkline.errors import SettingsError

COMMON = "common"
"""What every script builds on: yes and no, small talk, honesty about being a machine."""

Lines = dict[Place, int]


def load(name: str) -> Script:
    """The script called `name`: a sample that comes with Trunkline, or the path of a YAML file.

    Raises `SettingsError` naming file, line, entry, problem and remedy.
    """
    if name in samples():
        return parse(_sample(name), f"the sample script {name}")
    path = Path(name).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise SettingsError(
            f"There is no script {name}.",
            remedy=f"Name a YAML file, or a sample: {', '.join(samples())}.",
        ) from error
    except OSError as error:
        raise SettingsError(
            f"The script {name} can't be read: {error.strerror}.", remedy="Check its permissions."
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"The script {name} is not UTF-8 text.", remedy="Save it as UTF-8.") from error
    return parse(text, name)


def samples() -> list[str]:
    """Names of the scripts that come with Trunkline."""
    files = resources.files("trunkline.brains").joinpath("scripts").iterdir()
    return sorted(stem for file in files if (stem := file.name.removesuffix(".yaml")) not in (file.name, COMMON))


def common_intents() -> Mapping[str, Sequence[str]]:
    """Sample phrases that every script knows: yes, no, small talk."""
    intents: Mapping[str, Sequence[str]] = _read(_sample(COMMON), COMMON)[0]["intents"]
    return intents


def parse(text: str, file: str) -> Script:
    """The script in `text`; `file` names it in errors. Raises `SettingsError`."""
    data, lines = _read(text, file)
    common, _ = _read(_sample(COMMON), COMMON)
    try:
        script = Script.model_validate(_merge(common, data))
    except ValidationError as error:
        raise _misshapen(error, file, lines) from None
    if found := problems(script, own_intents=set(_names(data.get("intents")))):
        first = found[0]
        more = f" ({len(found) - 1} more problems)" if len(found) > 1 else ""
        raise SettingsError(f"{_where(file, first.place, lines)}{first.what}{more}.", remedy=first.remedy)
    return script


def _sample(name: str) -> str:
    return resources.files("trunkline.brains").joinpath("scripts", f"{name}.yaml").read_text(encoding="utf-8")


def _names(section: object) -> list[str]:
    return list(section) if isinstance(section, Mapping) else []


def _merge(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The script over the common part, entry by entry; sample phrases add up."""
    merged = {**common, **own}
    for section in ("variables", "anywhere", "keys", "not_understood"):
        if isinstance(own.get(section, {}), Mapping):
            merged[section] = {**common.get(section, {}), **own.get(section, {})}
    if isinstance(own.get("intents", {}), Mapping):
        merged["intents"] = dict(common["intents"])
        for intent, phrases in own.get("intents", {}).items():
            known = common["intents"].get(intent, [])
            added = [phrases] if isinstance(phrases, str) else phrases
            merged["intents"][intent] = [*known, *added] if isinstance(added, list) else added
    return merged


def _read(text: str, file: str) -> tuple[dict[str, Any], Lines]:
    """Plain data, every scalar as written (`yes` stays a word, 15:30 a time), and the line of every entry."""
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f", line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or str(error)
        raise SettingsError(
            f"{file}{at}: this is not valid YAML: {what}.",
            remedy="Check the indentation; sentences within {…} or […], or with a colon, need quotes.",
        ) from error
    if not isinstance(root, yaml.MappingNode):
        raise SettingsError(f"{file}: a script is a mapping.", remedy="Begin with greeting: and steps:.")
    lines: Lines = {}
    data = _plain(root, (), file, lines)
    assert isinstance(data, dict)
    return data, lines


def _plain(node: yaml.Node, place: Place, file: str, lines: Lines) -> Any:
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*place, str(n)), file, lines) for n, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return str(node.value)
    found: dict[str, Any] = {}
    for key, value in node.value:
        name = str(key.value)
        inner = (*place, name)
        if name in found:
            raise SettingsError(
                f"{file}, line {key.start_mark.line + 1}: {'.'.join(inner)} is there twice, "
                f"first in line {lines[inner]}.",
                remedy="Keep one of them, or give one another name.",
            )
        lines[inner] = key.start_mark.line + 1
        found[name] = _plain(value, inner, file, lines)
    return found


def _where(file: str, place: Place, lines: Lines) -> str:
    """`scripts/shop.yaml, line 12: steps.check: `; the nearest enclosing entry where the entry itself is missing."""
    inner = place
    while inner and inner not in lines:
        inner = inner[:-1]
    at = f", line {lines[inner]}" if inner else ""
    return f"{file}{at}: {'.'.join(place)}{': ' if place else ''}"


def _misshapen(error: ValidationError, file: str, lines: Lines) -> SettingsError:
    found = error.errors(include_url=False)
    # A misspelt entry is also missing under its right name: the misspelling is the news.
    first = min(found, key=lambda one: one["type"] != "extra_forbidden")
    place = tuple(str(part) for part in first["loc"])
    where = _where(file, place, lines)
    if first["type"] == "extra_forbidden":
        known = next(
            list(model.model_fields)
            for pattern, model in kinds_of_entries().items()
            if len(pattern) == len(place) - 1 and all(p in ("*", at) for p, at in zip(pattern, place, strict=False))
        )
        remedy = f"Known here: {', '.join(known)}."
        if " " in place[-1]:
            remedy = "Put a sentence with a comma or a colon into quotes, or onto a line of its own."
        return SettingsError(f"{where}there is no such entry.", remedy=remedy)
    if first["type"] == "missing":
        return SettingsError(f"{where}this entry is missing.", remedy="Add it; docs/scripts.md describes it.")
    what = first["msg"].removeprefix("Value error, ")
    return SettingsError(f"{where}{what[:1].lower()}{what[1:]}.", remedy="docs/scripts.md describes the entry.")
