"""How each adapter is opened for a test, and how time passes in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import psycopg

from centralbot.adapters.postgres.store import PostgresStore
from centralbot.adapters.system import SystemIds
from centralbot.domain.config import RepoConfig
from centralbot.domain.gating import DecisionContext
from centralbot.ports.clock import Ids
from tests.contracts.driver import RULES, UnderTest
from tests.doubles.memory.clock import ManualClock, SequentialIds
from tests.doubles.memory.store import MemoryStore

Open = Callable[[], AbstractAsyncContextManager[UnderTest]]


class HalfJitterIds(SystemIds):
    """Real ids, but chance is always in the middle."""

    def jitter(self) -> float:
        return 0.5


def gate_of(ids: Ids) -> DecisionContext:
    return DecisionContext(defaults=RepoConfig(), new_id=ids.new_id, gate_url=lambda i: f"https://bot.example/g/{i}")


@asynccontextmanager
async def open_memory() -> AsyncIterator[UnderTest]:
    """A store of dictionaries, and a clock that the test turns."""
    clock, ids = ManualClock(), SequentialIds()
    gate = gate_of(ids)

    async def advance(seconds: float) -> None:
        clock.advance(seconds)

    yield UnderTest(store=MemoryStore(clock, ids, RULES, gate), gate=gate, advance=advance)


PAST = {
    "bot_action_queue": ("run_at",),
    "bot_actions": ("created_at", "settled_at"),
    "pr_challenge_keys": ("created_at",),
    "pr_challenges": ("created_at", "deadline_at"),
    "github_installations": ("paused_until",),
    "github_event_deliveries": ("received_at",),
    "repo_configs": ("updated_at",),
    "user_sessions": ("expires_at",),
    "single_uses": ("expires_at",),
}


async def turn_back(dsn: str, seconds: float) -> None:
    """PostgreSQL's clock cannot be turned, so everything that it wrote moves into the past instead."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        for table, columns in PAST.items():
            moved = ", ".join(f"{column} = {column} - make_interval(secs => %(by)s)" for column in columns)
            await connection.execute(f"UPDATE {table} SET {moved}".encode(), {"by": seconds})


@asynccontextmanager
async def open_postgres(dsn: str) -> AsyncIterator[UnderTest]:
    """The store in a migrated database of the test's own."""
    ids = HalfJitterIds()

    async def advance(seconds: float) -> None:
        await turn_back(dsn, seconds)

    async with PostgresStore.open(dsn, secret_key="secret-key-of-the-tests", ids=ids, rules=RULES) as store:
        yield UnderTest(store=store, gate=gate_of(ids), advance=advance)
