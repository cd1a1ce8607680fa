"""Migrations on real databases: from nothing, at once, again, and refused."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from centralbot.adapters.postgres import migrations
from centralbot.adapters.postgres.migrate import MigrationReport, SchemaError, migrate, status
from centralbot.domain.errors import Unavailable

CHILD = """
import sys
from centralbot.adapters.postgres.migrate import migrate
print(len(migrate(sys.argv[1]).applied), "alembic" in sys.modules, "sqlalchemy" in sys.modules)
"""


def run_child(dsn: str) -> str:
    done = subprocess.run([sys.executable, "-c", CHILD, dsn], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def test_four_processes_at_once_on_an_empty_database_apply_each_migration_once(empty_database: str) -> None:
    """One does the work; the others wait for it and find nothing left."""
    revisions = status(empty_database).pending
    with ThreadPoolExecutor(4) as pool:
        applied = [line.split()[0] for line in pool.map(run_child, [empty_database] * 4)]
    assert sorted(applied) == ["0", "0", "0", str(len(revisions))]
    assert status(empty_database).pending == []


def test_a_second_migration_does_nothing_and_imports_no_migration_tool(empty_database: str) -> None:
    """A normal start asks one question of the database."""
    first = migrate(empty_database)
    second = migrate(empty_database)
    assert first.frm is None
    assert first.applied[0] == "0001_initial"
    assert second == MigrationReport(frm=first.to, to=first.to, applied=[])
    assert run_child(empty_database) == "0 False False"


def test_a_database_of_a_newer_centralbot_is_refused(empty_database: str) -> None:
    """Guessing what a newer schema means would risk other people's pull requests."""
    migrate(empty_database)
    with psycopg.connect(empty_database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for use in (migrate, status):
        with pytest.raises(SchemaError, match=r"revision 9999.*newer"):
            use(empty_database)


def test_waiting_for_another_migration_ends_with_an_explanation(empty_database: str) -> None:
    """A migration that hangs must not hang every start without a word."""
    with psycopg.connect(empty_database) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (0x63656E7472616C62,))
        with pytest.raises(SchemaError, match=r"another process has been migrating this database for more than 0.05 s"):
            migrate(empty_database, lock_timeout_s=0.05)


def test_an_old_server_is_refused(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SQL needs PostgreSQL 15."""
    monkeypatch.setattr("centralbot.adapters.postgres.migrate.OLDEST_SERVER", 99)
    with pytest.raises(SchemaError, match=r"PostgreSQL \d+ is too old: centralbot needs 99"):
        migrate(empty_database)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("-c role=pg_read_all_data", "permission denied for schema public"),
        ("-c default_transaction_read_only=on", "cannot execute CREATE TABLE in a read-only transaction"),
    ],
)
def test_a_role_that_may_not_make_tables_is_told_what_it_needs(empty_database: str, options: str, said: str) -> None:
    """As on a server whose schema public is its owner's alone, and on a standby."""
    with pytest.raises(SchemaError, match=rf"refuses: {said}.*CENTRALBOT_DATABASE_URL.*GRANT CREATE"):
        migrate(make_conninfo(empty_database, options=options))
    assert status(empty_database).current is None


def test_a_server_that_does_not_answer_is_unavailable(
    open_dir_factory: Callable[[], object],
) -> None:
    """The reason is libpq's own."""
    with pytest.raises(Unavailable, match="PostgreSQL does not answer"):
        migrate(f"postgresql:///x?host={open_dir_factory()}")


def test_a_database_of_the_first_version_keeps_what_it_has(empty_database: str) -> None:
    """What is new takes its default; what an older process still writes fits."""
    first = Path(migrations.__file__).parent / "sql" / "0001_initial.sql"
    configure = (
        "insert into repo_configs (repo_id, mode, draft_prs_gated, window_s, verification, exempt_associations, "
        "exempt_bots, comment_on_exempt, updated_by) values (%s, 'enforce', true, 600, '{}', '{}', true, true, 'test')"
    )
    join = "insert into github_installation_repositories values (123, %s, 'org/repo', %s, %s)"
    with psycopg.connect(empty_database) as connection:
        connection.execute(first.read_bytes())
        connection.execute("create table alembic_version (version_num varchar(32) primary key)")
        connection.execute("insert into alembic_version values ('0001')")
        connection.execute(configure, [1])
        for repo_id, active, told in ((1, True, "2026-02-16Z"), (2, False, "2026-02-16Z"), (3, True, "1970-01-01Z")):
            connection.execute(join, [repo_id, active, told])
    report = migrate(empty_database)
    assert (report.frm, report.applied[0]) == ("0001", "0002_people")
    with psycopg.connect(empty_database) as connection:
        connection.execute(configure, [2])
        rows = connection.execute("select repo_id, exempt_label, rules from repo_configs order by repo_id").fetchall()
        since = connection.execute(
            "select active_since = changed_at, active_since > now() - interval '1 hour' "
            "from github_installation_repositories order by repo_id"
        ).fetchall()
    assert rows == [(1, "centralbot:exempt", ""), (2, "centralbot:exempt", "")]
    assert since == [(True, False), (None, None), (False, True)]  # an operator's word (1970) counts from now
