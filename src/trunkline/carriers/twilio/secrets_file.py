"""The password of the credential: made here, kept in `.env` (mode 600), where the settings find it; never shown.

Twilio doesn't give passwords back. So `trunk.json` remembers which credential got which one, and when: a credential
that is another one, or was changed since, gets the password again.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import string
from collections.abc import Mapping
from pathlib import Path

LETTERS = string.ascii_letters + string.digits
LENGTH = 32
"""About 190 bits; no character that `.env`, pjsip.conf or a shell would read as anything else."""


def strong_password() -> str:
    while True:
        password = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
        if all(any(kind(letter) for letter in password) for kind in (str.isupper, str.islower, str.isdigit)):
            return password


def keep(file: Path, variables: Mapping[str, str]) -> None:
    """Puts lines `NAME=value` into the file, other lines left as they are; nobody else may read it."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    lines = [line for line in lines if line.split("=")[0].strip() not in variables]
    _write_private(file, "\n".join([*lines, *(f"{name}={value}" for name, value in variables.items())]) + "\n")


class PasswordRecord:
    """What is known of the password at Twilio. Holds a slow hash of it, salted with the credential's id."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def fits(self, sid: str, changed: str, password: str) -> bool:
        """Whether this credential, changed last at `changed`, was given this password by us then."""
        return self._known() == _record(sid, changed, password)

    def remember(self, sid: str, changed: str, password: str) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        _write_private(self._file, json.dumps(_record(sid, changed, password)) + "\n")

    def forget(self, sid: str) -> None:
        if self._known().get("credential") == sid:
            self._file.unlink()

    def _known(self) -> dict[str, str]:
        try:
            known = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}


def _record(sid: str, changed: str, password: str) -> dict[str, str]:
    mark = hashlib.scrypt(password.encode(), salt=sid.encode(), n=2**14, r=8, p=1).hex()
    return {"credential": sid, "changed": changed, "password_hash": mark}


def _write_private(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)  # a leftover of an earlier try
    # O_EXCL: whoever may write the folder could have put a link there, which root must not follow.
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        if os.geteuid() == 0:  # by sudo: whoever runs the service has to read it
            owner = (path if path.exists() else path.absolute().parent).stat()
            os.fchown(stream.fileno(), owner.st_uid, owner.st_gid)
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    new.rename(path)
