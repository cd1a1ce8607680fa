"""A process's hold on the embedded server: the first one in starts it, the last one out stops it."""

from __future__ import annotations

import atexit
import os
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg

from centralbot.adapters.embedded_postgres.account import choose_account
from centralbot.adapters.embedded_postgres.errors import EmbeddedPostgresError
from centralbot.adapters.embedded_postgres.locks import UsersLock, starting_or_stopping
from centralbot.adapters.embedded_postgres.places import binaries, prepare_home, remembered_home, socket_dir
from centralbot.adapters.embedded_postgres.server import PORT, SUPERUSER, Cluster

DATABASE = "centralbot"


class EmbeddedPostgres:
    """One process's handle. Closing it stops the server only if no other living process has one.

    A handle ends with its process, however that dies. After a kill of the last one the server runs on, its data
    safe; the next process that starts adopts it, and the next last one out stops it.
    """

    def __init__(self, *, data_dir: Path, dsn: str, cluster: Cluster, users: UsersLock) -> None:
        self.data_dir = data_dir
        self.dsn = dsn
        self._cluster = cluster
        self._users: UsersLock | None = users
        self._pid = os.getpid()
        atexit.register(self.stop)

    @property
    def files(self) -> Path:
        """Where the server's files really are; not under ``data_dir`` when its account cannot get there."""
        return self._cluster.home

    def stop(self) -> bool:
        """Give the handle up; True if that stopped the server. Again is harmless. Blocks, for some seconds at most."""
        # A forked child shares the lock: what it gives up, the parent would lose.
        if self._users is None or self._pid != os.getpid():
            return False
        users, self._users = self._users, None
        atexit.unregister(self.stop)
        with starting_or_stopping(self.data_dir / "postgresql.lock"):
            last = users.leave()
            if last:
                self._cluster.stop()
            return last

    close = stop

    def __enter__(self) -> EmbeddedPostgres:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def was_started(data_dir: Path) -> bool:
    """Whether a server of ``data_dir`` was ever started, as far as this account can see."""
    return os.path.exists(data_dir / "postgresql.lock")  # noqa: PTH110 - Path.exists raises where it may not look


def start(data_dir: Path) -> EmbeddedPostgres:
    """Start the server of ``data_dir``, or join the one that runs, and make the database on first use.

    Blocks: seconds on first use. Any number of processes may do this at once, as root or as the directory's owner.
    Raises EmbeddedPostgresError.
    """
    try:
        data_dir = data_dir.expanduser().resolve()
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with starting_or_stopping(data_dir / "postgresql.lock"):
            account = choose_account(data_dir, remembered_home(data_dir) / "data")
            programs = binaries(account)
            home = prepare_home(data_dir, account)
            cluster = Cluster(home=home, binaries=programs, socket_dir=socket_dir(home, account), account=account)
            cluster.ensure_made()
            cluster.ensure_running()
            _ensure_database(cluster)
            users = UsersLock(data_dir / "postgresql.users")
    except OSError as error:
        raise EmbeddedPostgresError(
            f"the embedded PostgreSQL cannot use {data_dir}: {error}; set CENTRALBOT_DATA_DIR to a directory that you "
            f"can write, or CENTRALBOT_DATABASE_URL to a PostgreSQL server"
        ) from error
    return EmbeddedPostgres(data_dir=data_dir, dsn=_dsn(cluster, DATABASE), cluster=cluster, users=users)


def _dsn(cluster: Cluster, database: str) -> str:
    return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(cluster.socket_dir), safe='/')}&port={PORT}"


def _ensure_database(cluster: Cluster) -> None:
    try:
        with psycopg.connect(_dsn(cluster, "postgres"), autocommit=True, connect_timeout=10) as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,)).fetchall():
                connection.execute(f'CREATE DATABASE "{DATABASE}"')
    except psycopg.Error as error:
        raise EmbeddedPostgresError(f"the embedded PostgreSQL does not answer: {error}; see {cluster.log}") from error
