"""Tables and columns of the people's side: sessions, labels, rules."""

from __future__ import annotations

from centralbot.adapters.postgres.migrations import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add what is new; what an older process writes still fits."""
    run_sql("0002_people")
