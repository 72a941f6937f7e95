"""Logging for the whole service: one line a fact, and no secret in any of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, SecretStr

from trunkline.phone_numbers import with_numbers_masked
from trunkline.settings import Settings

MASK = "••••••••"
SHORTEST_SECRET = 4
"""A shorter one would blot out innocent text, and protects nothing."""


class SecretMask(logging.Filter):
    """Blots the given secrets out of every line, wherever they come from (a URL in a library's error, say)."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._secrets = sorted({s for s in secrets if len(s) >= SHORTEST_SECRET}, key=len, reverse=True)

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if any(secret in message for secret in self._secrets):
            for secret in self._secrets:
                message = message.replace(secret, MASK)
            record.msg, record.args = message, ()
        return True


def secrets_of(settings: BaseModel) -> Iterator[str]:
    """Every secret in the settings."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, BaseModel):
            yield from secrets_of(value)
        elif isinstance(value, dict | tuple):
            for item in value.values() if isinstance(value, dict) else value:
                if isinstance(item, BaseModel):
                    yield from secrets_of(item)
                elif isinstance(item, SecretStr):
                    yield item.get_secret_value()


class DiscreetFormatter(logging.Formatter):
    """Masks telephone numbers, those in tracebacks included."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = with_numbers_masked(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return with_numbers_masked(super().formatException(ei))


def set_up(settings: Settings) -> None:
    """Log to standard error at `service.log_level`, secrets masked, and numbers if `privacy.mask_numbers` says so."""
    handler = logging.StreamHandler()
    kind = DiscreetFormatter if settings.privacy.mask_numbers else logging.Formatter
    handler.setFormatter(kind("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    handler.addFilter(SecretMask(secrets_of(settings)))
    logging.basicConfig(level=settings.service.log_level.upper(), handlers=[handler], force=True)
    for chatty in ("httpx", "httpx2", "mcp", "httpcore", "websockets", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
