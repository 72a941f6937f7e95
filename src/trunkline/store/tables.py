"""The tables: calls, what was said in them, and what happened to them.

Whoever changes these adds a migration under `migrations/versions`; a test compares the two.
Only what SQLite and PostgreSQL have in common is used.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
)

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """`text` with U+FFFD for what no database keeps: NUL and halves of surrogate pairs.

    Such text comes from brains and carriers; losing a whole turn over one character would be the greater harm.
    """
    return _UNSTORABLE.sub("\ufffd", text)


class FreeText(TypeDecorator[str]):
    """Text from outside, made storable; of any length unless one is given."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class UtcTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC. SQLite has no time zones, so a naive time would silently mean something else."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(column_0_label)s",
    }
)

calls = Table(
    "calls",
    metadata,
    Column("id", FreeText(64), primary_key=True),
    Column("direction", String(16), nullable=False),
    Column("number", FreeText, nullable=False),
    Column("agent", FreeText, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("caller_id", FreeText),
    Column("variables", JSON, nullable=False),
    Column("script", FreeText),
    Column("callback_url", FreeText),
    Column("dialled_at", UtcTime),
    Column("ringing_at", UtcTime),
    Column("answered_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("greeting_ms", Float),
    Column("disposition", String(16)),
    Column("reason", FreeText),
    Column("hung_up_by", String(16)),
    Column("sip_code", Integer),
    Column("sip_reason", FreeText),
    Column("q850_cause", Integer),
    Column("recording", FreeText),
    Column("forgotten_at", UtcTime),
    # One index per way `recent` walks: newest first over all, over one state, over one number.
    Index("ix_calls_created_at", "created_at", "id"),
    Index("ix_calls_state", "state", "created_at", "id"),
    Index("ix_calls_number", "number", "created_at", "id"),
    Index("ix_calls_ended_at", "ended_at"),
)

turns = Table(
    "turns",
    metadata,
    Column("call_id", FreeText(64), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("speaker", String(16), nullable=False),
    Column("text", FreeText, nullable=False),
    Column("started", Float, nullable=False),
    Column("ended", Float, nullable=False),
    Column("timings", JSON(none_as_null=True)),
    Column("confidence", Float),
    Column("keys", FreeText, nullable=False),
    Column("cut_off", Boolean, nullable=False),
    Column("intended", FreeText),
)

call_events = Table(
    "call_events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("call_id", FreeText(64), ForeignKey("calls.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    Column("kind", FreeText, nullable=False),
    Column("text", FreeText, nullable=False),
    Column("data", JSON, nullable=False),
)

dial_attempts = Table(
    "dial_attempts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False, index=True),
    Column("number", FreeText, nullable=False),
    Column("cost", Float, nullable=False),
    Column("call_id", FreeText(64), index=True),
    Index("ix_dial_attempts_number", "number", "at"),
)

do_not_call = Table(
    "do_not_call",
    metadata,
    Column("number", FreeText(16), primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("why", FreeText, nullable=False),
)

dialling_stop = Table(
    "dialling_stop",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("why", FreeText, nullable=False),
)

refusals = Table(
    "refusals",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("number", FreeText, nullable=False, index=True),
    Column("purpose", String(16), nullable=False),
    Column("code", String(64), nullable=False),
    Column("message", FreeText, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("name", FreeText(64), primary_key=True),
    Column("digest", String(64), nullable=False, index=True, unique=True),
    Column("scopes", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

audit_lines = Table(
    "audit_lines",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("key", FreeText, nullable=False),
    Column("request", FreeText, nullable=False),
    Column("number", FreeText),
    Column("status", Integer, nullable=False),
    Column("code", String(64)),
)
