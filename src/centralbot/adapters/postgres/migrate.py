"""Versioned migrations: what the schema is at, and bringing it to what this centralbot needs.

Alembic is imported only when something is pending: a start on a current schema costs one query.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors

from centralbot.adapters.postgres.queries import sql
from centralbot.domain.errors import CentralbotError, Unavailable

OLDEST_SERVER = 15
LOCK_TIMEOUT_S = 60.0
_LOCK_KEY = 0x63656E7472616C62  # "centralb" as a bigint: nobody else's by accident
_MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaError(CentralbotError):
    """The database's schema or version does not fit this centralbot. The message says what to do."""

    code = "SCHEMA"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaStatus:
    """Revisions are numbers as text (``0001``). ``current`` is None on an empty database, ``pending`` file names."""

    current: str | None
    head: str
    pending: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationReport:
    """What one call did; ``applied`` is empty where the schema was current."""

    frm: str | None
    to: str
    applied: list[str]


def status(dsn: str) -> SchemaStatus:
    """Compare the database with this centralbot. Raises SchemaError (not usable) and Unavailable (no answer)."""
    with _session(dsn) as connection:
        return _status(connection)


def migrate(dsn: str, *, lock_timeout_s: float = LOCK_TIMEOUT_S) -> MigrationReport:
    """Apply what is pending, all of it or nothing. Any number of processes may call this at once: one does the work.

    ``dsn`` is anything that libpq takes. Raises SchemaError and Unavailable.
    """
    with _session(dsn) as connection:
        before = _status(connection)
        if before.pending:
            _lock(connection, lock_timeout_s)
            before = _status(connection)
        if before.pending:
            _upgrade(dsn)
        return MigrationReport(frm=before.current, to=before.head, applied=before.pending)


def _revisions() -> dict[str, str]:
    """Revision → file name, in order; the numbers in the file names are the revisions."""
    names = sorted(path.stem for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))
    return {name.partition("_")[0]: name for name in names}


@contextmanager
def _session(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=10) as connection:
            yield connection
    except (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction) as exc:
        raise SchemaError(
            f"PostgreSQL refuses: {exc.diag.message_primary}; CENTRALBOT_DATABASE_URL has to name a server that can be "
            f"written to, and a role that may make tables there (GRANT CREATE ON SCHEMA public TO that role)"
        ) from exc
    except psycopg.OperationalError as exc:
        said = " ".join(str(exc).split())[:300]
        raise Unavailable(f"PostgreSQL does not answer: {said}; is CENTRALBOT_DATABASE_URL right?") from exc


def _status(connection: psycopg.Connection[Any]) -> SchemaStatus:
    version = connection.info.server_version
    if version < OLDEST_SERVER * 10000:
        raise SchemaError(
            f"PostgreSQL {version // 10000} is too old: centralbot needs {OLDEST_SERVER} or newer; upgrade the server "
            f"or set CENTRALBOT_DATABASE_URL to another one"
        )
    revisions = _revisions()
    known = list(revisions)
    try:
        row = connection.execute(sql("schema_revision")).fetchone()
    except errors.UndefinedTable:
        row = None
    current: str | None = row[0] if row else None
    if current is not None and current not in revisions:
        raise SchemaError(
            f"the database is at schema revision {current}, which this centralbot (head {known[-1]}) does not know: it "
            f"was migrated by a newer one; install that version, or restore a backup from before"
        )
    pending = known[known.index(current) + 1 :] if current is not None else known
    return SchemaStatus(current=current, head=known[-1], pending=[revisions[revision] for revision in pending])


def _lock(connection: psycopg.Connection[Any], timeout_s: float) -> None:
    try:
        connection.execute(sql("schema_lock"), {"key": _LOCK_KEY, "lock_timeout_ms": str(int(timeout_s * 1000))})
    except errors.LockNotAvailable as exc:
        raise SchemaError(
            f"another process has been migrating this database for more than {timeout_s:g} s; wait for it and start "
            f"again (pg_locks shows who holds the advisory lock)"
        ) from exc


def _upgrade(dsn: str) -> None:
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    except DBAPIError as exc:
        raise (exc.orig or exc) from exc
