"""What every row of the benchmark stands on: one embedded PostgreSQL, and centralbot's own processes beside it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from centralbot.adapters import embedded_postgres
from centralbot.adapters.postgres.keys import Cipher
from centralbot.adapters.postgres.migrate import migrate
from centralbot.domain import signing
from centralbot.domain.config import DOCUMENT_VERSION, Mode, RepoConfig, to_document
from centralbot.domain.events import AuthorAssociation
from github_simulator.credentials import generate_private_key

KEY_ID, SECRET, SECRET_KEY, WEBHOOK_SECRET = "bench", "a secret of the benchmark", "k" * 48, "webhook secret"
INSTALLATIONS, REPOSITORIES = 1000, 5000
REPOSITORY_OFFSET = 999
"""Repository 999 + i belongs to installation i; it is the one that the simulator has."""
CONFIG = RepoConfig(
    mode=Mode.ENFORCE,
    verification=("github-login",),
    exempt_associations=frozenset({AuthorAssociation.OWNER}),
)
HOT = (
    "pr_challenges, pr_challenge_keys, bot_actions, bot_action_queue, audit_events, github_event_deliveries, "
    "internal_request_replays"
)


@dataclass(frozen=True, slots=True)
class Build:
    """A checkout of this project and the Python that has it installed."""

    root: Path
    python: Path

    def sql(self, name: str) -> str:
        """A statement of its benchmark, which knows its own schema."""
        return (self.root / "bench" / "sql" / f"{name}.sql").read_text()


HERE = Build(Path(__file__).absolute().parent.parent, Path(sys.executable))


@dataclass(slots=True)
class World:
    """One database and the settings that processes get. Everything is gone after the run."""

    directory: Path
    dsn: str
    database: psycopg.Connection[Any]
    environ: dict[str, str]
    build: Build = HERE
    hot: str = HOT
    children: list[subprocess.Popen[str]] = field(default_factory=list)

    def clean(self) -> None:
        """Empty tables, as after a vacuum."""
        self.database.execute(f"truncate {self.hot} cascade")
        self.database.execute("update github_installations set paused_until = null where paused_until is not null")
        self.database.execute("vacuum analyze")
        self.database.execute("checkpoint")

    @contextmanager
    def beside(self, name: str, build: Build = HERE) -> Iterator[World]:
        """Another database on the same server, perhaps another build's, for what is measured in turns with this one."""
        self.database.execute(f"create database {name}")
        dsn = other_database(self.dsn, name)
        command = [str(build.python), "-c", PREPARE, dsn]  # its own schema, its own rows
        hot = subprocess.run(
            command, cwd=build.root, env=self.environment({}, build), stdout=subprocess.PIPE, text=True, check=True
        ).stdout.splitlines()[-1]
        directory = self.directory / name
        directory.mkdir()
        with psycopg.connect(dsn, autocommit=True) as database:
            environ = {**self.environ, "CENTRALBOT_DATABASE_URL": dsn}
            yield World(directory, dsn, database, environ, build, hot)
        self.database.execute(f"drop database {name} with (force)")

    def count(self, table: str) -> int:
        row = self.database.execute(f"select count(*) from {table}").fetchone()
        return int(row[0]) if row else 0

    def environment(self, settings: Mapping[str, str], build: Build) -> dict[str, str]:
        return {**self.environ, **settings, "PYTHONPATH": str(build.root)}

    @contextmanager
    def api(self, **settings: str) -> Iterator[Server]:
        """``centralbot serve-api`` as in production, its log in a file."""
        port = free_port()
        with self._serving("serve-api", port, {"CENTRALBOT_API_PORT": str(port), **settings}) as server:
            yield server

    @contextmanager
    def worker(self, api: Server, github: str, *, polling: bool = False, **settings: str) -> Iterator[Server]:
        """``centralbot serve-worker`` as in production, or the one that polls."""
        port = free_port()
        places = {
            "CENTRALBOT_WORKER_PORT": str(port),
            "CENTRALBOT_BACKEND_URL": f"http://127.0.0.1:{api.port}",
            "CENTRALBOT_GITHUB_API_URL": github,
        }
        with self._serving("polling" if polling else "serve-worker", port, {**places, **settings}) as server:
            yield server

    @contextmanager
    def simulator(self, installations: int, pulls: int) -> Iterator[str]:
        """A GitHub that has these, of this build whatever the other processes are. Gives its address."""
        command = [str(HERE.python), "-m", "bench.processes.simulator", str(installations), str(pulls)]
        child = self._start(command, "simulator", {}, HERE, output=subprocess.PIPE)
        try:
            address = child.stdout.readline().strip() if child.stdout else ""
            if not address:
                raise RuntimeError(f"the simulator did not start: {self._log('simulator')}")
            yield address
        finally:
            self._stop(child)

    def run(self, module: str, *arguments: object, build: Build = HERE) -> dict[str, Any]:
        """A process of the benchmark to its end; its JSON."""
        command = [str(build.python), "-m", f"bench.processes.{module}", *map(str, arguments)]
        environ = self.environment({}, build)
        done = subprocess.run(
            command, cwd=build.root, env=environ, capture_output=True, text=True, timeout=180, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{module} failed: {done.stderr[-1500:]}")
        return dict(json.loads(done.stdout.splitlines()[-1]))

    @contextmanager
    def _serving(self, name: str, port: int, settings: dict[str, str]) -> Iterator[Server]:
        command = [str(self.build.python.parent / "centralbot"), name]
        if name == "polling":
            command = [str(self.build.python), "-m", "bench.processes.polling_worker"]
        child = self._start(command, name, settings, self.build)
        try:
            until = time.monotonic() + 20
            while not answers(f"http://127.0.0.1:{port}/healthz"):
                if child.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{name} did not start: {self._log(name)}")
                time.sleep(0.05)
            yield Server(port=port, pid=child.pid)
        finally:
            self._stop(child)

    def _log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text(errors="replace")[-1500:]

    def _start(
        self, command: list[str], name: str, settings: dict[str, str], build: Build, output: int | None = None
    ) -> subprocess.Popen[str]:
        environ = self.environment(settings, build)
        with (self.directory / f"{name}.log").open("w") as log:
            child = subprocess.Popen(
                command, cwd=build.root, env=environ, stdout=log if output is None else output, stderr=log, text=True
            )
        self.children.append(child)
        return child

    def _stop(self, child: subprocess.Popen[str]) -> None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(12)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@dataclass(frozen=True, slots=True)
class Server:
    """A process that serves."""

    port: int
    pid: int


@contextmanager
def opened() -> Iterator[World]:
    """An embedded server with migrated tables, 1000 installations and 5000 repositories that enforce the gate."""
    with tempfile.TemporaryDirectory(prefix="centralbot-bench-") as name:
        directory = Path(name)
        directory.chmod(0o711)
        with embedded_postgres.start(directory / "data") as server:
            migrate(server.dsn)
            with psycopg.connect(server.dsn, autocommit=True) as database:
                _populate(database)
                yield World(directory, server.dsn, database, _environ(server.dsn))


PREPARE = """
import sys
import psycopg
from bench import world
from centralbot.adapters.postgres.migrate import migrate
migrate(sys.argv[1])
with psycopg.connect(sys.argv[1], autocommit=True) as database:
    world._populate(database)
print(world.HOT)
"""
"""Migrates and fills a database as the build in whose directory it runs does it, and prints the tables to empty."""


def _populate(database: psycopg.Connection[Any]) -> None:
    database.execute(
        "insert into github_installations (installation_id, status, changed_at)"
        " select g, 'ACTIVE', '2019-01-01' from generate_series(1, %s) g", (INSTALLATIONS,),
    )  # fmt: skip
    database.execute(
        "insert into github_installation_repositories select 1 + g %% %s, g,"
        " case when g between 1000 and 1999 then 'org' || (g - 999) || '/r' else 'org/repo' end, true, '2019-01-01'"
        " from generate_series(1, %s) g", (INSTALLATIONS, REPOSITORIES),
    )  # fmt: skip
    database.execute(
        "insert into repo_configs (repo_id, version, config, updated_by)"
        " select g, %s, %s, 'bench' from generate_series(1, %s) g",
        (DOCUMENT_VERSION, json.dumps(to_document(CONFIG)), REPOSITORIES),
    )
    key = Cipher(SECRET_KEY).encrypt(signing.signing_key(SECRET))
    database.execute("insert into service_bot_keys (key_id, encrypted_key) values (%s, %s)", (KEY_ID, key))


def _environ(dsn: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CENTRALBOT_")}
    return ours | {
        "CENTRALBOT_DATABASE_URL": dsn,
        "CENTRALBOT_SECRET_KEY": SECRET_KEY,
        "CENTRALBOT_LOG_LEVEL": "info",
        "CENTRALBOT_LOG_FORMAT": "json",
        "CENTRALBOT_BOT_KEY_ID": KEY_ID,
        "CENTRALBOT_BOT_SECRET": SECRET,
        "CENTRALBOT_GITHUB_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "CENTRALBOT_GITHUB_APP_ID": "1200001",
        "CENTRALBOT_GITHUB_APP_PRIVATE_KEY": generate_private_key(),
    }


def other_database(dsn: str, name: str) -> str:
    """The same server's database ``name``."""
    made = re.sub(r"(://[^/?]*/)([^?]*)", rf"\g<1>{name}", dsn, count=1)
    return made if made != dsn else psycopg.conninfo.make_conninfo(dsn, dbname=name)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def control(base: str, name: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
    """The simulator's control API."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{base}/_simulator/{name}", data=data, method=method, headers={"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())
