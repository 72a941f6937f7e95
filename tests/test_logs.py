from __future__ import annotations

import logging
import sys

import pytest
from pydantic import SecretStr

from trunkline.logs import DiscreetFormatter, SecretMask, secrets_of, set_up
from trunkline.settings import PrivacySettings, ServiceSettings, Settings, TrunkSettings
from trunkline.settings_file import effective


def test_secrets_are_masked_wherever_they_stand() -> None:
    settings = Settings(
        service=ServiceSettings(api_key=SecretStr("an-api-key-of-some-length")),
        trunk=TrunkSettings(host="x.example.com", username="me", password=SecretStr("hunter2x")),
    )
    mask = SecretMask(secrets_of(settings))
    record = logging.LogRecord(
        "x", logging.INFO, "f", 1, "tried %s with %s", ("hunter2x", "an-api-key-of-some-length"), None
    )
    assert mask.filter(record)
    assert "hunter2x" not in record.getMessage()
    assert "an-api-key" not in record.getMessage()
    assert "tried" in record.getMessage()


def test_a_line_without_a_secret_is_left_alone() -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, "%d calls", (3,), None)
    assert SecretMask(["hunter2x"]).filter(record)
    assert record.args == (3,)


def test_secrets_in_a_list_are_masked_as_well() -> None:
    key = "A" * 43 + "="
    settings = Settings(privacy=PrivacySettings(old_recording_keys=(SecretStr(key),)))
    assert key in set(secrets_of(settings))
    assert dict(effective(settings))["privacy.old_recording_keys"] == "••••••••"


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("A call from +14155550123 to +442079460000.", "A call from +1415•••0123 to +44207•••0000."),
        ("caller 14155550123: busy", "caller 1415•••0123: busy"),
        ("sip:+14155550123@trunk.example.com", "sip:+1415•••0123@trunk.example.com"),
        ("Call 6f1c1b9e-4c3a-4e3f-9a53-123456789012 ended", None),
        ("200 OK after 12345 ms, 160000 bytes, at 1740830400.123", None),
        ("dialled 911 and 100", None),
    ],
)
def test_numbers_are_masked_and_nothing_else_is(line: str, masked: str | None) -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, "%s", (line,), None)
    assert DiscreetFormatter("%(message)s").format(record) == (masked or line)


def test_numbers_in_a_traceback_are_masked_too() -> None:
    try:
        raise ValueError("nobody at +14155550123")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "broke", (), sys.exc_info())
    assert "+1415•••0123" in DiscreetFormatter().format(record)
    assert "+14155550123" not in DiscreetFormatter().format(record)


@pytest.mark.parametrize(("mask", "shown"), [(True, "+1415•••0123"), (False, "+14155550123")])
def test_masking_numbers_is_a_setting(mask: bool, shown: str, capfd: pytest.CaptureFixture[str]) -> None:
    before = logging.root.handlers[:], logging.root.level
    try:
        set_up(Settings(privacy=PrivacySettings(mask_numbers=mask)))
        logging.getLogger("trunkline.test").warning("Calling %s", "+14155550123")
        logging.root.handlers[0].flush()
    finally:
        logging.root.handlers[:], level = before[0], before[1]
        logging.root.setLevel(level)
    assert capfd.readouterr().err.endswith(f"Calling {shown}\n")
