from __future__ import annotations

import logging

from pydantic import SecretStr

from trunkline.logs import SecretMask, secrets_of
from trunkline.settings import ServiceSettings, Settings, TrunkSettings


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
