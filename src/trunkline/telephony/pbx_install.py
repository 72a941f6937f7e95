"""`trunkline pbx install` and `uninstall`: the include folder in somebody's Asterisk, taken by it or taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trunkline.errors import PbxUnavailable
from trunkline.settings import Settings
from trunkline.telephony.include_check import Existing, Finding, clashes
from trunkline.telephony.include_files import Change, IncludeFiles
from trunkline.telephony.include_folder import FOLDER
from trunkline.telephony.running_asterisk import RunningAsterisk


@dataclass(frozen=True, slots=True)
class Undone:
    """What undoing did."""

    restored: tuple[Path, ...]
    """The owner's files that are as they were, to the byte."""
    edited: tuple[Path, ...]
    """Those somebody has edited since: only our line was taken out."""
    left: tuple[Path, ...]
    """Files in our folder that aren't ours."""


async def findings(
    existing: Existing,
    place: IncludeFiles,
    settings: Settings,
    files: Mapping[str, str],
    asterisk: RunningAsterisk | None,
) -> list[Finding]:
    """What stands in the way, and what the owner should know. Raises `PbxUnavailable`."""
    found = clashes(existing, files, settings)
    if asterisk is None:
        return found
    named_already = any(finding.fatal for finding in found)
    found += await asterisk.objections(place.folder, files)
    if not place.exists and not named_already:
        # What it has by other ways than these files: a database, Lua, a module.
        remedy = "Rename or remove it: Trunkline's has that name."
        found += [Finding(f"Asterisk knows {name} already.", remedy) for name in await asterisk.knows(files)]
    return found


async def install(
    place: IncludeFiles, files: Mapping[str, str], changes: Sequence[Change], asterisk: RunningAsterisk | None
) -> None:
    """Writes the changes and has Asterisk take them; takes them back and raises `PbxUnavailable` when it doesn't.

    Without an Asterisk it stays unfinished: the next run has one take it.
    """
    finished_before = place.exists and not place.unfinished

    async def take_back(asterisk: RunningAsterisk | None) -> None:
        if not finished_before:
            await uninstall(place, asterisk)
            return
        place.take_back(changes)
        place.finish()
        if asterisk is not None:
            await asterisk.reload()

    place.write(changes)
    if asterisk is None:
        return
    try:
        errors = [error for error in await asterisk.reload() if FOLDER in error]
        missing = await asterisk.lacks(files)
    except PbxUnavailable:
        await take_back(None)
        raise
    if missing or errors:
        await take_back(asterisk)
        raise PbxUnavailable(
            f"Asterisk didn't take {', '.join(missing) or 'it all'}; everything is as it was before.",
            remedy=f"It said: {' '.join(errors)}" if errors else "See whether your own file is right up to its end.",
        )
    place.finish()


async def uninstall(place: IncludeFiles, asterisk: RunningAsterisk | None) -> Undone:
    """Takes out the line, has Asterisk forget us, and removes the folder. Raises `PbxUnavailable`."""
    restored, edited = place.restore()
    if asterisk is not None:
        await asterisk.reload()
    return Undone(tuple(restored), tuple(edited), tuple(place.remove()))
