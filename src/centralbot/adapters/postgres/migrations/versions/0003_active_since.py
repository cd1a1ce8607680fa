"""Since when a repository is in its installation."""

from __future__ import annotations

from centralbot.adapters.postgres.migrations import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; a row that an older process writes has none, which means that it is not known."""
    run_sql("0003_active_since")
