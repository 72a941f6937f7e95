"""A little Debian archive in a folder, signed with keys of its own: real apt, no network."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path

from trunkline.telephony.private_apt import Suite


class DebianArchive:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.architecture = _run("dpkg", "--print-architecture").strip()
        self._gnupg = folder / "gnupg"
        self._gnupg.mkdir(mode=0o700, parents=True)
        (folder / "pool").mkdir()

    @property
    def mirror(self) -> str:
        return f"file:{self.folder}"

    def close(self) -> None:
        _run("gpgconf", "--homedir", str(self._gnupg), "--kill", "all")

    def key(self, name: str) -> Path:
        """A new signing key; its public half in a keyring file."""
        keyring = self.folder / f"{name}.gpg"
        self._gpg("--quick-generate-key", f"{name}@archive.example", "ed25519", "sign", "never")
        self._gpg("--output", str(keyring), "--export", f"{name}@archive.example")
        return keyring

    def package(self, name: str, version: str, files: Mapping[str, str], depends: str = "") -> Path:
        """Builds a package; `files` by path below `/`."""
        tree = self.folder / "build" / name
        for path, text in {**files, f"usr/share/doc/{name}/copyright": "none\n"}.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
            (tree / path).chmod(0o755)
        (tree / "DEBIAN").mkdir(mode=0o755)
        control = {
            "Package": name,
            "Version": version,
            "Architecture": self.architecture,
            "Maintainer": "Nobody <nobody@archive.example>",
            **({"Depends": depends} if depends else {}),
            "Description": name,
        }
        (tree / "DEBIAN/control").write_text("".join(f"{key}: {value}\n" for key, value in control.items()))
        deb = self.folder / "pool" / f"{name}_{version.replace(':', '%3a')}_{self.architecture}.deb"
        _run("dpkg-deb", "--root-owner-group", "--build", str(tree), str(deb))
        return deb

    def release(self, codename: str, key: str, *packages: Path) -> None:
        """Publishes a suite that holds the packages, signed with the key."""
        stanzas = []
        for deb in packages:
            data = deb.read_bytes()
            sums = f"SHA256: {hashlib.sha256(data).hexdigest()}\nSize: {len(data)}\n"
            stanzas.append(f"{_run('dpkg-deb', '--field', str(deb))}Filename: pool/{deb.name}\n{sums}")
        suite = self.folder / "dists" / codename
        index = suite / "main" / f"binary-{self.architecture}" / "Packages"
        index.parent.mkdir(parents=True, exist_ok=True)
        index.write_text("\n".join(stanzas))
        data = index.read_bytes()
        (suite / "Release").write_text(
            f"Origin: Debian\nLabel: Debian\nSuite: {codename}\nCodename: {codename}\nComponents: main\n"
            f"Architectures: {self.architecture}\nDate: {_run('date', '-Ru').strip()}\n"
            f"SHA256:\n {hashlib.sha256(data).hexdigest()} {len(data)} {index.relative_to(suite)}\n"
        )
        (suite / "InRelease").unlink(missing_ok=True)
        self._gpg(
            *("--local-user", f"{key}@archive.example", "--output", str(suite / "InRelease")),
            *("--clearsign", str(suite / "Release")),
        )

    def suite(self, keyring: Path) -> Suite:
        return Suite("Debian", ("forky",), "main", keyring)

    def _gpg(self, *arguments: str) -> None:
        _run("gpg", "--homedir", str(self._gnupg), "--batch", "--quiet", "--yes", "--passphrase", "", *arguments)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
