"""A process that keeps an embedded PostgreSQL with one migrated database for each player, until its input ends.

A process of its own, since whoever forks the players must not have imported the domain. Prints the server's DSN and
then one DSN a line.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

REPOSITORY = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True)
class Databases:
    """A superuser's DSN and one database for each player."""

    server: str
    players: tuple[str, ...]


@contextmanager
def databases(players: int) -> Iterator[Databases]:
    """Start the process; it stops and takes everything with it at the end."""
    command = [sys.executable, "-m", "tests.mutants.server", str(players)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        dsns = [process.stdout.readline().strip() for _ in range(players + 1)]
        if not all(dsns):
            raise RuntimeError("the database server did not start")
        yield Databases(dsns[0], tuple(dsns[1:]))
        process.stdin.close()


def main() -> None:
    from centralbot.adapters import embedded_postgres
    from centralbot.adapters.postgres.migrate import migrate

    with tempfile.TemporaryDirectory(prefix="centralbot-mutants-") as name:
        directory = Path(name)
        directory.chmod(0o711)  # as root, the server is another user
        with embedded_postgres.start(directory / "data") as server:
            print(server.dsn, flush=True)
            with psycopg.connect(server.dsn, autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("SELECT pg_reload_conf()")
                for number in range(int(sys.argv[1])):
                    player = f"player_{number}"
                    connection.execute(SQL("CREATE DATABASE {}").format(Identifier(player)))
                    dsn = make_conninfo(server.dsn, dbname=player)
                    migrate(dsn)
                    print(dsn, flush=True)
            sys.stdin.read()


if __name__ == "__main__":
    main()
