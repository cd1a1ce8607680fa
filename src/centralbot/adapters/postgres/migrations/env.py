"""Alembic's entry: runs the pending migrations on the connection that ``migrate.py`` opened, all in one transaction."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
