"""One run of the suite in a forked process: with a mutant, or without to learn which test runs which line.

The parent has imported no module of this repository, so the mutated one takes its place before anything that depends
on it is imported: tables and constants that others copy or compile SQL from are mutated with it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import psycopg
import pytest

OURS = ("centralbot", "github_simulator", "tests", "conftest")
STORE = "postgres"
Line = tuple[str, int]
OUTSIDE = ""
"""In place of a test: what runs while modules are imported and tests are collected."""


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    BROKEN = "cannot be imported"
    UNPLAYED = "was not played"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to play: tests in this order (all of the files where none are named), on which databases."""

    files: Sequence[str]
    tests: Sequence[str] = ()
    server: str
    database: str
    log: Path
    module: str | None = None
    source: str = ""
    watched: Path | None = None


@dataclass(slots=True, kw_only=True)
class Played:
    """How it went. ``lines``: the tests that ran each line below ``watched``; ``modules``: what had been imported."""

    verdict: Verdict = Verdict.UNPLAYED
    by: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[Line, set[str]] = field(default_factory=dict)
    modules: list[str] = field(default_factory=list)


def play(job: Job, answer: Connection) -> None:
    """Run pytest in this process, which ends with it."""
    with job.log.open("wb") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    tempfile.tempdir = str(job.log.parent)
    os.environ |= {
        "CENTRALBOT_TEST_DATABASE_URL": job.server,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "TMPDIR": tempfile.tempdir,
    }
    if job.module is not None:
        sys.meta_path.insert(0, Planted(job.module, job.source))
    player = Player(job)
    arguments = ["-x", "-q", "--tb=short", "-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", *job.files]
    code = pytest.main(arguments, plugins=[player])
    played = player.played
    if code == pytest.ExitCode.OK:
        played.verdict = Verdict.PASSED
    elif code == pytest.ExitCode.TESTS_FAILED:
        played.verdict = Verdict.FAILED
    elif code in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR) and not played.seconds:
        played.verdict = Verdict.BROKEN
    played.modules = [name for name in sys.modules if name.partition(".")[0] not in OURS]
    answer.send(played)
    answer.close()
    sys.stdout.flush()
    os._exit(0)


class Planted(MetaPathFinder):
    """Finds the mutated source of one module before anybody else finds its file."""

    def __init__(self, module: str, source: str) -> None:
        self.module, self.source = module, source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(fullname)
        spec.loader = Source(fullname, spec.origin, self.source)
        return spec


class Source(SourceFileLoader):
    """A module whose code is not what its file says."""

    def __init__(self, fullname: str, path: str, source: str) -> None:
        super().__init__(fullname, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        code = compile(self.source, self.path, "exec", dont_inherit=True)
        assert isinstance(code, CodeType)
        return code


class Player:
    """A pytest plugin: plays the chosen tests of one store on one database, which it empties before each."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.played = Played()
        self.test = OUTSIDE
        self.lines: defaultdict[Line, set[str]] = defaultdict(set)
        self.connection: psycopg.Connection[Any] | None = None
        if job.watched is not None:
            self.watched = str(job.watched)
            sys.settrace(self._trace)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = {item.nodeid: item for item in items if is_on(item, STORE)}
        names = self.job.tests or chosen
        items[:] = [chosen[name] for name in names if name in chosen]

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> str | None:
        """Give every test the same database, emptied: making one takes longer than most tests."""
        if fixturedef.argname != "database":
            return None
        self._empty()
        fixturedef.cached_result = (self.job.database, fixturedef.cache_key(request), None)  # type: ignore[arg-type]
        return self.job.database

    def _empty(self) -> None:
        if self.connection is None:
            self.connection = psycopg.connect(self.job.database, autocommit=True)
        # A player that was killed, or a test that failed, may have left a transaction open.
        self.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        self.connection.execute(EMPTY)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self.test, started = item.nodeid, time.perf_counter()
        try:
            return (yield)
        finally:
            self.test = OUTSIDE
            self.played.seconds[item.nodeid] = time.perf_counter() - started

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.played.by:
            self.played.by = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.played.by:
            self.played.by = report.nodeid

    def pytest_sessionfinish(self) -> None:
        sys.settrace(None)
        self.played.lines = dict(self.lines)
        if self.connection is not None:
            self.connection.close()

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        return self._trace_lines if frame.f_code.co_filename.startswith(self.watched) else None

    def _trace_lines(self, frame: FrameType, event: str, argument: object) -> Any:
        self.lines[frame.f_code.co_filename, frame.f_lineno].add(self.test)
        return self._trace_lines


EMPTY = """
DO $$
DECLARE names text;
BEGIN
  SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') INTO names
    FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '%alembic%';
  EXECUTE 'TRUNCATE ' || names || ' RESTART IDENTITY CASCADE';
END $$
"""


def is_on(item: pytest.Item, store: str) -> bool:
    """Whether the test is parametrised with this store, or has a database in any case."""
    callspec = getattr(item, "callspec", None)
    parameters: Mapping[str, object] = {} if callspec is None else callspec.params
    return store in parameters.values() or "database" in getattr(item, "fixturenames", ())
