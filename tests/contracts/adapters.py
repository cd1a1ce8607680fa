"""How each adapter is opened for a test, and how time passes in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import psycopg

from centralbot.adapters.postgres.store import PostgresStore
from centralbot.adapters.system import SystemIds
from centralbot.domain.gating import DecisionContext
from centralbot.domain.outbox import OutboxRules
from tests.builders import a_context
from tests.contracts.driver import RULES, UnderTest
from tests.doubles.memory.clock import ManualClock, SequentialIds
from tests.doubles.memory.store import MemoryStore

Open = Callable[[], AbstractAsyncContextManager[UnderTest]]


class HalfJitterIds(SystemIds):
    """Real ids, but chance is always in the middle."""

    def jitter(self) -> float:
        return 0.5


def a_memory_store(
    clock: ManualClock, ids: SequentialIds, context: DecisionContext | None = None, *, rules: OutboxRules = RULES
) -> UnderTest:
    """A store of dictionaries over a clock that the test turns."""
    context = context or a_context(new_id=ids.new_id)

    async def advance(seconds: float) -> None:
        clock.advance(seconds)

    return UnderTest(store=MemoryStore(clock, ids, rules, context), context=context, advance=advance)


@asynccontextmanager
async def open_memory(*, rules: OutboxRules = RULES) -> AsyncIterator[UnderTest]:
    """The same with a clock and ids of its own."""
    yield a_memory_store(ManualClock(), SequentialIds(), rules=rules)


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
async def open_postgres(dsn: str, *, rules: OutboxRules = RULES) -> AsyncIterator[UnderTest]:
    """The store in a migrated database of the test's own."""
    ids = HalfJitterIds()

    async def advance(seconds: float) -> None:
        await turn_back(dsn, seconds)

    context = a_context(new_id=ids.new_id)
    opened = PostgresStore.open(dsn, secret_key="secret-key-of-the-tests", ids=ids, context=context, rules=rules)
    async with opened as store:
        yield UnderTest(store=store, context=context, advance=advance)
