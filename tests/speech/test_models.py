from __future__ import annotations

import hashlib
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trunkline.errors import ModelRefused, SpeechUnavailable
from trunkline.speech.models import (
    ModelFile,
    PublishedModel,
    Report,
    Source,
    default_models_dir,
    provide,
    refetch,
    verify,
    verify_folder,
)

CONTENT = {"model.bin": b"weights" * 1000, "config.json": b"{}"}
MODEL = PublishedModel(
    "toy", tuple(ModelFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in CONTENT.items())
)


class Bringer:
    """A source that brings `content`, or nothing at all when there is none."""

    def __init__(self, content: dict[str, bytes] | None) -> None:
        self.content = content
        self.asked = 0

    def __call__(self, _model: PublishedModel, folder: Path, report: Report) -> None:
        self.asked += 1
        if self.content is None:
            raise SpeechUnavailable("Nobody at home.")
        for name, data in self.content.items():
            (folder / name).write_bytes(data)
            report("bringing", len(data), MODEL.size)


def quiet(_what: str, _done: int, _total: int) -> None:
    pass


def left_behind(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".toy.lock"}


def test_it_is_fetched_once(tmp_path: Path) -> None:
    source = Bringer(CONTENT)
    for _ in range(2):
        folder = provide(MODEL, tmp_path / "models", (source,), quiet)
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == CONTENT
    assert source.asked == 1
    assert left_behind(tmp_path / "models") == {"toy"}


def test_sources_are_asked_in_order_until_one_has_it(tmp_path: Path) -> None:
    sources = Bringer(None), Bringer(CONTENT), Bringer(CONTENT)
    provide(MODEL, tmp_path, sources, quiet)
    assert [source.asked for source in sources] == [1, 1, 0]


@pytest.mark.parametrize(
    "wrong",
    [{**CONTENT, "model.bin": b"other"}, {"model.bin": CONTENT["model.bin"]}, {}],
    ids=["other", "part", "none"],
)
def test_what_is_not_the_published_model_is_refused(tmp_path: Path, wrong: dict[str, bytes]) -> None:
    with pytest.raises(ModelRefused, match="toy is not here"):
        provide(MODEL, tmp_path, (Bringer(wrong), Bringer(None)), quiet)
    assert left_behind(tmp_path) == set()
    assert provide(MODEL, tmp_path, (Bringer(wrong), Bringer(CONTENT)), quiet) == tmp_path / "toy"


def test_where_nobody_has_it_all_reasons_are_told(tmp_path: Path) -> None:
    with pytest.raises(SpeechUnavailable, match=r"Nobody at home\. Nobody at home\. .*copy the model's files into"):
        provide(MODEL, tmp_path, (Bringer(None), Bringer(None)), quiet)


def test_a_damaged_copy_is_refused_and_replaced_only_when_asked_to(tmp_path: Path) -> None:
    source = Bringer(CONTENT)
    folder = provide(MODEL, tmp_path, (source,), quiet)
    (folder / "config.json").write_bytes(b"[]")
    with pytest.raises(ModelRefused, match=r"config\.json is not the published file of toy.*trunkline speech fetch"):
        provide(MODEL, tmp_path, (source,), quiet)
    assert source.asked == 1
    verify(MODEL, refetch(MODEL, tmp_path, (source,), quiet))
    refetch(MODEL, tmp_path, (source,), quiet)
    assert source.asked == 2


def test_two_at_a_time_fetch_once(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    bringer = Bringer(CONTENT)

    def slow(model: PublishedModel, folder: Path, report: Report) -> None:
        begun.set()
        assert go_on.wait(20)
        bringer(model, folder, report)

    def waiting(what: str, _done: int, _total: int) -> None:
        if "waiting" in what:
            go_on.set()

    source: Source = slow
    with ThreadPoolExecutor() as pool:
        first = pool.submit(provide, MODEL, tmp_path, (source,), quiet)
        assert begun.wait(20)
        second = pool.submit(provide, MODEL, tmp_path, (source,), waiting)
        assert first.result(20) == second.result(20)
    assert bringer.asked == 1


def test_an_abandoned_fetch_leaves_nothing(tmp_path: Path) -> None:
    class Abandoned(Exception):
        pass

    def abandon(_what: str, _done: int, _total: int) -> None:
        raise Abandoned

    with pytest.raises(Abandoned):
        provide(MODEL, tmp_path, (Bringer(CONTENT),), abandon)
    assert left_behind(tmp_path) == set()
    provide(MODEL, tmp_path, (Bringer(CONTENT),), quiet)


def test_a_folder_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpeechUnavailable, match=r"speech\.models_dir"):
        provide(MODEL, tmp_path / "file" / "models", (Bringer(CONTENT),), quiet)


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_models_dir() == tmp_path / "trunkline" / "models"


class TestOperatorsFolder:
    def test_the_published_model_is_known(self, tmp_path: Path) -> None:
        for name, data in CONTENT.items():
            (tmp_path / name).write_bytes(data)
        assert verify_folder(tmp_path, (MODEL,)) == tmp_path

    def test_another_model_needs_checksums(self, tmp_path: Path) -> None:
        (tmp_path / "model.bin").write_bytes(b"fine-tuned")
        (tmp_path / "config.json").write_bytes(b"{}")
        with pytest.raises(ModelRefused, match=r"sha256sum \* > SHA256SUMS"):
            verify_folder(tmp_path, (MODEL,))
        subprocess.run("sha256sum * > SHA256SUMS", shell=True, cwd=tmp_path, check=True)  # noqa: S602 - as documented
        assert verify_folder(tmp_path, (MODEL,)) == tmp_path

    def test_checksums_are_checked(self, tmp_path: Path) -> None:
        (tmp_path / "model.bin").write_bytes(b"fine-tuned")
        sums = tmp_path / "SHA256SUMS"
        sums.write_text(f"{'0' * 64}  model.bin\n")
        with pytest.raises(ModelRefused, match="not what SHA256SUMS says"):
            verify_folder(tmp_path, (MODEL,))
        sums.write_text(f"{hashlib.sha256(b'fine-tuned').hexdigest()} *model.bin\n{'0' * 64}  gone.json\n")
        with pytest.raises(ModelRefused, match=r"gone\.json can't be read"):
            verify_folder(tmp_path, (MODEL,))
        sums.write_text("")
        with pytest.raises(ModelRefused, match=r"does not list model\.bin"):
            verify_folder(tmp_path, (MODEL,))

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ModelRefused, match="holds no published model"):
            verify_folder(tmp_path / "nowhere", (MODEL,))
