"""The keys of challenges beside their rows."""

from __future__ import annotations

from centralbot.adapters.postgres.migrations import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table, fill it, and drop the index whose place it takes."""
    run_sql("0004_challenge_keys")
