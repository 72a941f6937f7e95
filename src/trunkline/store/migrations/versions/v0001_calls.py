"""Calls, turns and events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("direction", sa.String(16), nullable=False),
        sa.Column("number", sa.String, nullable=False),
        sa.Column("agent", sa.String, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("caller_id", sa.String),
        sa.Column("variables", sa.JSON, nullable=False),
        sa.Column("script", sa.String),
        sa.Column("callback_url", sa.String),
        sa.Column("dialled_at", sa.DateTime(timezone=True)),
        sa.Column("ringing_at", sa.DateTime(timezone=True)),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("greeting_ms", sa.Float),
        sa.Column("disposition", sa.String(16)),
        sa.Column("reason", sa.String),
        sa.Column("hung_up_by", sa.String(16)),
        sa.Column("sip_code", sa.Integer),
        sa.Column("sip_reason", sa.String),
        sa.Column("q850_cause", sa.Integer),
        sa.Column("recording", sa.String),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
    )
    op.create_index("ix_calls_created_at", "calls", ["created_at", "id"])
    op.create_index("ix_calls_state", "calls", ["state", "created_at", "id"])
    op.create_index("ix_calls_number", "calls", ["number", "created_at", "id"])
    op.create_table(
        "turns",
        sa.Column("call_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("speaker", sa.String(16), nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("started", sa.Float, nullable=False),
        sa.Column("ended", sa.Float, nullable=False),
        sa.Column("timings", sa.JSON),
        sa.Column("confidence", sa.Float),
        sa.Column("keys", sa.String, nullable=False),
        sa.Column("cut_off", sa.Boolean, nullable=False),
        sa.Column("intended", sa.String),
        sa.PrimaryKeyConstraint("call_id", "number", name="pk_turns"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_turns_call_id", ondelete="CASCADE"),
    )
    op.create_table(
        "call_events",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=True),
        sa.Column("call_id", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_call_events"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_call_events_call_id", ondelete="CASCADE"),
    )
    op.create_index("ix_call_events_call_id", "call_events", ["call_id"])
