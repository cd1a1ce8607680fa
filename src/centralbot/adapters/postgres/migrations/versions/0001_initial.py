"""The first schema."""

from __future__ import annotations

from centralbot.adapters.postgres.migrations import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    run_sql("0001_initial")
