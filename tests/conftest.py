"""What every test may use: directories that the embedded server's account can enter, databases, stores.

All test processes of one run (pytest-xdist) share one embedded server through one data directory, and copy their
databases from one migrated template. The last process out stops the server; the one that began the run removes the
directory.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from centralbot.adapters import embedded_postgres
from centralbot.adapters.postgres.migrate import migrate
from tests.contracts.adapters import open_memory, open_postgres
from tests.contracts.driver import UnderTest

TEMPLATE = "migrated_template"
TEMPLATE_LOCK = 7
RUN_DIR = pytest.StashKey[Path]()


def _make_open_dir() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="centralbot-test-"))
    directory.chmod(0o711)
    return directory


def pytest_configure(config: pytest.Config) -> None:
    """Choose the directory of this run's server; a pytest-xdist worker is told it."""
    told = getattr(config, "workerinput", {}).get("centralbot_run_dir")
    config.stash[RUN_DIR] = Path(told) if told else _make_open_dir()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a pytest-xdist worker."""
    node.workerinput["centralbot_run_dir"] = str(node.config.stash[RUN_DIR])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the directory, once every process of the run has ended."""
    if not hasattr(config, "workerinput"):
        elsewhere = config.stash[RUN_DIR] / "data" / "postgresql.location"
        if elsewhere.exists():
            shutil.rmtree(elsewhere.read_text().strip(), ignore_errors=True)
        shutil.rmtree(config.stash[RUN_DIR], ignore_errors=True)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly what was not run for want of a browser (tests/e2e/browser)."""
    skipped = terminalreporter.stats.get("skipped", [])
    left = sum("NO BROWSER FOUND" in str(report.longrepr) for report in skipped)
    if left:
        terminalreporter.section("NO BROWSER FOUND", sep="!", red=True, bold=True)
        said = f"NO BROWSER FOUND: {left} browser tests were not run; install chromium"
        terminalreporter.line(f"{said}, or name one in CENTRALBOT_TEST_BROWSER", red=True, bold=True)


@pytest.fixture(scope="session")
def open_dir_factory() -> Iterator[Callable[[], Path]]:
    """Make temporary directories that other users can pass through (as root, the server is another user)."""
    made: list[Path] = []

    def make() -> Path:
        made.append(_make_open_dir())
        return made[-1]

    yield make
    for directory in made:
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def postgres_dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    """The embedded server of this test run, as a superuser. Tests use ``database``; this is for making databases.

    ``CENTRALBOT_TEST_DATABASE_URL`` names another server instead: PostgreSQL 15 to 17, by hand and without xdist.
    """
    if other := os.environ.get("CENTRALBOT_TEST_DATABASE_URL"):
        yield other
        return
    with embedded_postgres.start(request.config.stash[RUN_DIR] / "data") as server:
        # Nothing here outlives the run, so nothing has to reach the disk.
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.dsn


def _create(postgres_dsn: str, *, template: str) -> str:
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(
            SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(Identifier(name), Identifier(template))
        )
    return make_conninfo(postgres_dsn, dbname=name)


def _drop(postgres_dsn: str, dsn: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(str(name))))


@pytest.fixture(scope="session")
def migrated_template(postgres_dsn: str) -> str:
    """The name of a database at the newest schema, made by the first process that asks."""
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (TEMPLATE_LOCK,))
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", (TEMPLATE,)).fetchone() is None:
            draft = f"{TEMPLATE}_draft"
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(draft)))
            migrate(make_conninfo(postgres_dsn, dbname=draft))
            connection.execute(SQL("ALTER DATABASE {} RENAME TO {}").format(Identifier(draft), Identifier(TEMPLATE)))
    return TEMPLATE


@pytest.fixture
def new_database(postgres_dsn: str, migrated_template: str) -> Iterator[Callable[[], str]]:
    """Make as many fresh, migrated databases as a test wants; each call gives the DSN of one."""
    made: list[str] = []

    def make() -> str:
        made.append(_create(postgres_dsn, template=migrated_template))
        return made[-1]

    yield make
    for dsn in made:
        _drop(postgres_dsn, dsn)


@pytest.fixture
def database(new_database: Callable[[], str]) -> str:
    """The DSN of a fresh, migrated database of this test's own."""
    return new_database()


@pytest.fixture
def empty_database(postgres_dsn: str) -> Iterator[str]:
    """The DSN of a database without any table."""
    dsn = _create(postgres_dsn, template="template0")
    yield dsn
    _drop(postgres_dsn, dsn)


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[UnderTest]:
    """A fresh, empty store, of each make in turn: a new adapter is one more parameter here."""
    opened = open_memory() if request.param == "memory" else open_postgres(request.getfixturevalue("database"))
    async with opened as under_test:
        yield under_test


@pytest.fixture
async def postgres(database: str) -> AsyncIterator[UnderTest]:
    """A fresh, empty PostgreSQL store, for what only a real one can show."""
    async with open_postgres(database) as under_test:
        yield under_test
