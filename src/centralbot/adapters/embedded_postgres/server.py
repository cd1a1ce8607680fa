"""The embedded server: started by the first process that needs it, stopped by the last."""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg

from centralbot.adapters.embedded_postgres.places import (
    Account,
    EmbeddedPostgresError,
    UsersLock,
    binaries,
    choose_account,
    prepare_home,
    remembered_home,
    socket_dir,
    starting_or_stopping,
)

START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 60
LOG_LIMIT_BYTES = 10 * 1024 * 1024
PORT = 5432
SUPERUSER = "postgres"

# Written to postgresql.conf when the cluster is made, so that whoever runs it can change them. Durability stays as
# PostgreSQL ships it: fsync, full_page_writes and synchronous_commit are on.
_CONFIGURATION = {
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",  # the log is one file, and nobody rotates it while the server runs
    "max_parallel_workers_per_gather": "0",  # small queries; parallel ones fill the 64 MB /dev/shm of a container
    "jit": "off",
    "wal_buffers": "16MB",  # else a sweep's sessions write the log themselves, thousands of times, while they wait
}
_ACCEPTING, _REJECTING = 0, 1  # exit codes of pg_isready


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The files of one server and how to reach it. ``home`` is private to ``account``."""

    home: Path
    binaries: Path
    socket_dir: Path
    account: Account

    @property
    def pgdata(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """Where the server writes its messages."""
        return self.home / "server.log"

    def ensure_made(self) -> None:
        """Make the cluster once. A rename at the end means that a killed attempt leaves no half of one."""
        if (self.pgdata / "PG_VERSION").exists():
            return
        draft = self.home / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        settings = [argument for name, value in _CONFIGURATION.items() for argument in ("-c", f"{name}={value}")]
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        # Trust is for the socket alone, whose directory only this account and root can enter.
        access = ["--auth-local=trust", "--auth-host=reject", f"--username={SUPERUSER}"]
        self._run("initdb", "-D", draft.name, *access, *locale, "--no-instructions", *settings)
        draft.rename(self.pgdata)

    def ensure_running(self) -> None:
        """Start the server, or find it running. Raises EmbeddedPostgresError with the end of its log."""
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while (state := self._state()) != _ACCEPTING:
            if state != _REJECTING and self._postmaster() is None:
                return self._start()
            if time.monotonic() > give_up_at:
                raise EmbeddedPostgresError(
                    f"the embedded PostgreSQL (process {self._postmaster()}) does not answer in {self.socket_dir}; see "
                    f"{self.log}, stop that process and start again"
                )
            time.sleep(0.05)
        return None

    def stop(self) -> None:
        """Stop the server, if it runs: sessions end, what is committed is on disk."""
        if self._postmaster() is not None:
            self._run("pg_ctl", "-D", self.pgdata.name, "-m", "fast", "-w", "-t", str(STOP_TIMEOUT_S), "stop")
        if self.socket_dir != self.home:
            with suppress(OSError):
                self.socket_dir.rmdir()

    def _state(self) -> int:
        return self._call("pg_isready", "-q", "-h", str(self.socket_dir), "-p", str(PORT), "-t", "5").returncode

    def _start(self) -> None:
        self._disown_stale_pid_file()
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        # No TCP port: nothing to collide with, nothing to reach from outside.
        socket = shlex.quote(str(self.socket_dir))
        options = f"-c cluster_name=centralbot -c listen_addresses= -c port={PORT} -k {socket}"
        self._run(
            *("pg_ctl", "-D", self.pgdata.name, "-l", self.log.name, "-o", options),
            *("-w", "-t", str(START_TIMEOUT_S), "start"),
        )

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self.pgdata / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    def _postmaster(self) -> int | None:
        """The process id of the running server; None if it is gone, even if its id belongs to another program now."""
        import psutil  # comes with the extra "embedded"

        lines = self._pid_file_lines()
        try:
            process = psutil.Process(int(lines[0]))
            running = process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, ValueError, IndexError):
            return None
        return int(lines[0]) if running else None

    def _disown_stale_pid_file(self) -> None:
        """Name ourselves in the file of a crashed server.

        PostgreSQL will not start while the id in the file is alive, and after a crash or a reboot it may belong to
        any program. An ancestor of its own it knows to be no server. Removing the file would also skip PostgreSQL's
        check that no backend of the crashed server still has its shared memory open.
        """
        if lines := self._pid_file_lines():
            text = "\n".join([str(os.getpid()), *lines[1:]]) + "\n"
            (self.pgdata / "postmaster.pid").write_text(text, encoding="utf-8")

    def _run(self, command: str, *arguments: str) -> None:
        done = self._call(command, *arguments)
        if done.returncode != 0:
            raise EmbeddedPostgresError(
                f"{command} failed for the embedded PostgreSQL in {self.home}: {_tail(done.stdout)}{self._log_tail()}; "
                f"set CENTRALBOT_DATA_DIR to another directory, or CENTRALBOT_DATABASE_URL to a PostgreSQL server"
            )

    def _call(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # A file and not a pipe: the server inherits it, and a pipe would only end when the server does.
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            done = subprocess.run(  # noqa: S603
                [str(self.binaries / command), *arguments],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.home,  # paths are relative to it: pg_ctl hands them to a shell, and quotes them badly
                # Not our environment: PGDATA, PGOPTIONS or a locale that is not installed would change what happens.
                env={"PATH": os.defpath, "LC_ALL": "C"},
                **self.account.popen_arguments(),
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read())

    def _log_tail(self) -> str:
        return (
            f"; its log ({self.log}) ends: {_tail(self.log.read_text(errors='replace'))}" if self.log.exists() else ""
        )


def _tail(text: str) -> str:
    return " | ".join(line.strip() for line in text.strip().splitlines()[-3:])


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
