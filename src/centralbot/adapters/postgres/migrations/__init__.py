"""What the migrations in ``versions/`` use. Importing this imports Alembic; ``migrate.py`` does so only when needed."""

from __future__ import annotations

from pathlib import Path

from alembic import op

_SQL = Path(__file__).parent / "sql"


def run_sql(name: str) -> None:
    """Execute all statements of ``sql/<name>.sql``, as they are, inside the migration's transaction."""
    driver_connection = op.get_bind().connection.driver_connection
    assert driver_connection is not None
    driver_connection.execute((_SQL / f"{name}.sql").read_bytes())
