"""Alembic revisions, one file per step; `database.upgrade` applies them at start."""
