"""A repository's configuration as one JSON document with a version."""

from __future__ import annotations

from centralbot.adapters.postgres.migrations import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Move every column of a configuration into its document; the mode stays a column, made from the document."""
    run_sql("0006_config_document")
