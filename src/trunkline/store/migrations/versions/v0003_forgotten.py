"""When a call's transcript was deleted; calls by the time of their end."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("calls", sa.Column("forgotten_at", sa.DateTime(timezone=True)))
    op.create_index("ix_calls_ended_at", "calls", ["ended_at"])
