"""What a secure trunk takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from trunkline.errors import PbxUnavailable, SettingsError
from trunkline.settings import AsteriskSettings
from trunkline.telephony.asterisk_config.transports import TlsFiles
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.encryption import check_encrypts, tls_files


@pytest.fixture
def program(tmp_path: Path) -> AsteriskProgram:
    (tmp_path / "res_srtp.so").touch()
    return AsteriskProgram("22.5.1", ("asterisk",), tmp_path, tmp_path)


def test_an_asterisk_that_encrypts(program: AsteriskProgram) -> None:
    for version in ("18.14.0", "19.6.0", "20.0.0", "22.10.1", "23"):
        check_encrypts(replace(program, version=version))


def test_an_asterisk_that_does_not(program: AsteriskProgram) -> None:
    for version in ("18.13.0", "19.5.0", "18"):
        with pytest.raises(PbxUnavailable, match="too old"):
            check_encrypts(replace(program, version=version))
    (program.modules_dir / "res_srtp.so").unlink()
    with pytest.raises(PbxUnavailable, match="res_srtp"):
        check_encrypts(program)


def test_files_the_settings_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ca", "certificate", "key"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    named = AsteriskSettings(tls_ca=Path("ca"), tls_certificate=Path("certificate"), tls_key=tmp_path / "key")
    assert tls_files(named) == TlsFiles(tmp_path / "ca", tmp_path / "certificate", tmp_path / "key")


@pytest.mark.parametrize("key", ["tls_ca", "tls_certificate", "tls_key"])
def test_a_file_that_is_not_there(tmp_path: Path, key: str) -> None:
    files = dict.fromkeys(("tls_ca", "tls_certificate", "tls_key"), tmp_path / "there")
    (tmp_path / "there").touch()
    with pytest.raises(SettingsError, match=rf"asterisk\.{key}: .*absent"):
        tls_files(AsteriskSettings.model_validate(files | {key: tmp_path / "absent"}))


def test_what_this_machine_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ours.pem").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ours.pem"))
    assert tls_files(AsteriskSettings()) == TlsFiles(tmp_path / "ours.pem")


def test_a_certificate_without_its_key() -> None:
    with pytest.raises(ValidationError, match="go together"):
        AsteriskSettings(tls_certificate=Path("certificate"))
