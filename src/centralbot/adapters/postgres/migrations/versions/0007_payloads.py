"""Actions as envelopes with typed payloads."""

from __future__ import annotations

from centralbot.adapters.postgres.migrations import run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Gather each action's text into its payload."""
    run_sql("0007_payloads")
