"""Migrations on real databases: from nothing, at once, again, and refused."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import IntegrityError
from psycopg.conninfo import make_conninfo

from centralbot.adapters.postgres import migrations
from centralbot.adapters.postgres.migrate import MigrationReport, SchemaError, migrate, status
from centralbot.adapters.postgres.store import PostgresStore
from centralbot.adapters.system import SystemIds
from centralbot.domain.actions import ActionReason, ActionType, CloseWithComment, UpsertComment
from centralbot.domain.config import Mode, RepoConfig
from centralbot.domain.errors import Unavailable
from centralbot.domain.events import AuthorAssociation
from centralbot.domain.outbox import OutboxRules
from centralbot.ports.outbox import ClaimRequest
from tests.builders import a_context, comment_of

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


def a_database_at(dsn: str, revision: str) -> psycopg.Connection[Any]:
    """A connection to what centralbot had made of an empty database at that revision."""
    connection = psycopg.connect(dsn)
    for step in sorted((Path(migrations.__file__).parent / "sql").glob("*.sql")):
        if step.name[:4] <= revision:
            connection.execute(step.read_bytes())
    connection.execute("create table alembic_version (version_num varchar(32) primary key)")
    connection.execute("insert into alembic_version values (%s)", [revision])
    return connection


def test_a_database_of_the_first_version_keeps_what_it_has(empty_database: str) -> None:
    """What is new takes its default."""
    configure = (
        "insert into repo_configs (repo_id, mode, draft_prs_gated, window_s, verification, exempt_associations, "
        "exempt_bots, comment_on_exempt, updated_by) values (%s, 'enforce', true, 600, '{}', '{}', true, true, 'test')"
    )
    join = "insert into github_installation_repositories values (123, %s, 'org/repo', %s, %s)"
    with a_database_at(empty_database, "0001") as connection:
        connection.execute(configure, [1])
        for repo_id, active, told in ((1, True, "2026-02-16Z"), (2, False, "2026-02-16Z"), (3, True, "1970-01-01Z")):
            connection.execute(join, [repo_id, active, told])
    report = migrate(empty_database)
    assert (report.frm, report.applied[0]) == ("0001", "0002_people")
    with psycopg.connect(empty_database) as connection:
        rows = connection.execute(
            "select repo_id, config->>'exempt_label', config->>'rules' from repo_configs order by repo_id"
        ).fetchall()
        since = connection.execute(
            "select active_since = changed_at, active_since > now() - interval '1 hour' "
            "from github_installation_repositories order by repo_id"
        ).fetchall()
    assert rows == [(1, "centralbot:exempt", "")]
    assert since == [(True, False), (None, None), (False, True)]  # an operator's word (1970) counts from now


def a_store(dsn: str) -> AbstractAsyncContextManager[PostgresStore]:
    """The store over a migrated database."""
    ids, context = SystemIds(), a_context()
    return PostgresStore.open(dsn, secret_key="secret-key-of-the-tests", ids=ids, context=context, rules=OutboxRules())


COLUMNS = (
    "mode", "draft_prs_gated", "window_s", "verification", "exempt_associations", "exempt_bots", "comment_on_exempt",
    "exempt_label", "rules",
)  # fmt: skip
CONFIGURATIONS: list[tuple[Any, ...]] = [
    ("off", True, 1800, ["github-login", "proof-of-work"], ["COLLABORATOR", "MEMBER", "OWNER"], True, True,
     "centralbot:exempt", ""),
    ("shadow", False, 1, ["attestation"], [], False, False, "", "Be kind.\n\tTest it."),
    ("enforce", True, 2_592_000, [], [it.value for it in AuthorAssociation], True, False, "x" * 50,
     "\u00e4\U0001f600" * 2000),
    ("enforce", False, 61, ["a-proof-of-their-own", "github-login"], ["NONE"], False, True, "a\tb ", '"\\\b\x1b[31m'),
    ("enforce", True, 600, ["github-login", "github-login"], ["OWNER", "OWNER"], True, True, "null", "{}"),
]  # fmt: skip


async def test_a_configuration_in_columns_is_the_same_as_a_document(empty_database: str) -> None:
    """All that there was: odd values, which an older command line let through, and since when it is so."""
    names, places = ", ".join(COLUMNS), ", ".join(["%s"] * len(COLUMNS))
    since = "'2026-02-16Z'"
    configure = (
        f"insert into repo_configs (repo_id, {names}, updated_by, updated_at) values (%s, {places}, 't', {since})"
    )
    join = f"insert into github_installation_repositories values (123, %s, 'org/repo', true, {since}, {since})"
    install = f"insert into github_installations (installation_id, status, changed_at) values (123, 'ACTIVE', {since})"
    with a_database_at(empty_database, "0005") as connection:
        connection.execute(install.encode())
        for repo_id, values in enumerate(CONFIGURATIONS, 1):
            connection.execute(configure.encode(), [repo_id, *values])
            connection.execute(join.encode(), [repo_id])
    assert migrate(empty_database).applied[0] == "0006_config_document"
    async with a_store(empty_database) as store:
        records = [await store.repositories.get(repo_id) for repo_id in range(1, len(CONFIGURATIONS) + 1)]
        listed = await store.repositories.list()
    assert [None if it is None else it.config for it in records] == [as_it_was(it) for it in CONFIGURATIONS]
    assert {None if it is None else it.gated_since for it in records} == {datetime(2026, 2, 16, tzinfo=UTC)}
    assert sorted(listed, key=lambda it: it.repo_id) == records


def as_it_was(values: tuple[Any, ...]) -> RepoConfig:
    """What was read from the columns."""
    row = dict(zip(COLUMNS, values, strict=True))
    row["mode"] = Mode(row["mode"])
    row["verification"] = tuple(row["verification"])
    row["exempt_associations"] = frozenset(AuthorAssociation(it) for it in row["exempt_associations"])
    return RepoConfig(**row)


def test_the_mode_is_read_and_checked_in_sql(empty_database: str) -> None:
    """Queries compare it without opening the document; a word that is none is refused."""
    migrate(empty_database)
    insert = "insert into repo_configs (repo_id, version, config, updated_by) values (1, 1, %s, 'test')"
    with psycopg.connect(empty_database) as connection:
        connection.execute(insert, ['{"mode": "shadow"}'])
        assert connection.execute("select mode from repo_configs").fetchall() == [("shadow",)]
    for odd in ('{"mode": "on"}', "{}", "[]", "null"):
        with psycopg.connect(empty_database) as connection, pytest.raises(IntegrityError):
            connection.execute("update repo_configs set config = %s", [odd])


ACTIONS_AT_0006 = """
insert into github_installations (installation_id, status, changed_at) values (123, 'ACTIVE', '2026-02-16Z');
insert into bot_actions (id, action_type, installation_id, repo_id, repo_full_name, pr_number, marker, markdown, reason,
                         comment_id, settled, settled_at, attempts, worker_id, claim_token, outcome, failure_code)
values ('00000000-0000-7000-8000-000000000001', 'UPSERT_PR_COMMENT', 123, 999, 'org/repo', 1, 'm:1',
        E'a "quoted"\\n\u00e4', 'VERIFICATION_REQUIRED', 7, 'DONE', '2026-02-16Z', 2, 'w',
        '00000000-0000-4000-8000-000000000009', 'SUCCEEDED', null),
       ('00000000-0000-7000-8000-000000000002', 'CLOSE_PR_WITH_COMMENT', 123, 999, 'org/repo', 2, 'm:2', 'Closed',
        'CHALLENGE_TIMED_OUT', null, 'FAILED', '2026-02-16Z', 12, 'w', null, 'RETRYABLE_FAILURE', 'HTTP_502'),
       ('00000000-0000-7000-8000-000000000003', 'REOPEN_PR_WITH_COMMENT', 123, 999, 'org/repo', 3, 'm:3', 'Reopened',
        'VERIFIED_LATE', null, null, null, 0, null, null, null, null);
insert into bot_action_queue (action_id, installation_id, repo_id, pr_number, action_type, marker, run_at, attempts,
                              worker_id, claim_token)
values ('00000000-0000-7000-8000-000000000003', 123, 999, 3, 'REOPEN_PR_WITH_COMMENT', 'm:3', '2026-02-16Z', 1,
        'w', '00000000-0000-4000-8000-000000000008');
"""


async def test_actions_keep_their_texts_and_their_places(empty_database: str) -> None:
    """Done, dead and held: each as it was, its text in its payload; a lease that is out is claimed again."""
    with a_database_at(empty_database, "0006") as connection:
        connection.execute(ACTIONS_AT_0006.encode())
    assert migrate(empty_database).applied == ["0007_payloads"]
    async with a_store(empty_database) as store:
        held, dead, done = await store.actions.search()
        claim = ClaimRequest(worker_id="new", action_types=tuple(ActionType))
        (again,) = await store.outbox.claim(claim)
    assert done.payload == UpsertComment(
        marker="m:1", markdown='a "quoted"\n\u00e4', reason=ActionReason.VERIFICATION_REQUIRED, comment_id=7
    )
    assert (done.status, done.attempts, done.last_worker_id, done.last_outcome) == ("DONE", 2, "w", "SUCCEEDED")
    assert (dead.status, dead.attempts, dead.failure_code) == ("FAILED", 12, "HTTP_502")
    assert dead.payload == CloseWithComment(marker="m:2", markdown="Closed", reason=ActionReason.CHALLENGE_TIMED_OUT)
    assert (held.status, held.supersede_key, comment_of(held).markdown) == ("CLAIMED", "m:3", "Reopened")
    assert (again.id, again.attempts, again.payload) == (held.id, 2, held.payload)
