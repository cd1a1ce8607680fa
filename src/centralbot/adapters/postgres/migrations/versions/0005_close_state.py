"""What became of a close, once its action is forgotten."""

from __future__ import annotations

from centralbot.adapters.postgres.migrations import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column; what was forgotten before stays so."""
    run_sql("0005_close_state")
