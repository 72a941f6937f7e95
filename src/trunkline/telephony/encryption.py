"""What a secure trunk takes: of Asterisk, and of this machine."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Final

from trunkline.errors import PbxUnavailable, SettingsError
from trunkline.settings import AsteriskSettings
from trunkline.telephony.asterisk_config.transports import TlsFiles
from trunkline.telephony.asterisk_modules import SECURE
from trunkline.telephony.asterisk_program import AsteriskProgram

_OLDEST: Final = {18: 14, 19: 6}
"""Minor version, by the major one, from which Asterisk takes a certificate for `*.example.com`; 20 and up all do."""
_BUNDLES: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem")
"""Where Debian, Fedora and SUSE keep all authorities in one file."""


def check_encrypts(program: AsteriskProgram) -> None:
    """Raises `PbxUnavailable` for an Asterisk that can't keep a trunk secure."""
    remedy = "Install a newer one with SRTP, or let `trunkline pbx fetch` fetch one; or set trunk.secure to false."
    if missing := sorted(SECURE - program.modules()):
        raise PbxUnavailable(
            f"Asterisk lacks {missing[0]}, and can't encrypt without it (trunk.secure).", remedy=remedy
        )
    major, minor = (int(part) for part in (*program.version.split("."), "0")[:2])
    if minor < _OLDEST.get(major, 0):
        raise PbxUnavailable(
            f"Asterisk {program.version} is too old to check the trunk's certificate (trunk.secure).", remedy=remedy
        )


def tls_files(settings: AsteriskSettings) -> TlsFiles:
    """Raises `SettingsError` for a file that can't be read. Blocking, but short."""
    return TlsFiles(
        authorities=_readable("tls_ca", settings.tls_ca) or _trusted_here(),
        certificate=_readable("tls_certificate", settings.tls_certificate),
        key=_readable("tls_key", settings.tls_key),
    )


def _readable(key: str, path: Path | None) -> Path | None:
    if path is None:
        return None
    try:
        with path.open("rb"):
            return path.absolute()
    except OSError as error:
        raise SettingsError(
            f"asterisk.{key}: {path} can't be read: {error.strerror}.", remedy=f"Correct asterisk.{key}."
        ) from error


def _trusted_here() -> Path:
    """The one Python's own connections are checked against, where it is one file."""
    python = ssl.get_default_verify_paths()
    for name in (os.environ.get(python.openssl_cafile_env), *_BUNDLES, python.openssl_cafile):
        if name and Path(name).is_file():
            return Path(name)
    raise SettingsError(
        "No list of certificate authorities is on this machine, so the trunk's certificate can't be checked.",
        remedy="Install the system's package ca-certificates, or name a file of them in asterisk.tls_ca.",
    )
