"""PostgreSQL restarts, loses replies, kills connections and refuses transactions under load (rows 8, 9, 11)."""

from __future__ import annotations

import asyncio
import signal

import psycopg
import pytest
from psycopg.rows import TupleRow

from tests.reliability.tcp_proxies import ANYTHING, COMMIT
from tests.reliability.world import ReliableWorld

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_restart_of_the_store_in_mid_ingest_loses_nothing(world: ReliableWorld) -> None:
    """At once as in a crash, and fast: what was answered 2xx is there, the rest is sent again, and all is asked."""
    installed = [await world.install() for _ in range(3)]
    async with world.load(*installed) as opened:
        for how in (signal.SIGQUIT, signal.SIGINT, signal.SIGQUIT):
            await world.opened(opened, 15)
            await world.server.restart(how)
        await world.opened(opened, 15)
    await world.settled()
    await world.repaired()
    assert (await world.unasked(opened), await world.failed()) == ([], [])


@pytest.mark.parametrize("losing", [COMMIT, ANYTHING])
async def test_a_lost_reply_costs_no_delivery(world: ReliableWorld, losing: bytes) -> None:
    """Every third reply to COMMIT, then every twentieth to anything, is lost with its connection: done once."""
    installed = [await world.install() for _ in range(3)]
    relay = world.to_store
    relay.lost, relay.losing, relay.nth = 0, losing, 3 if losing else 20
    try:
        async with world.load(*installed) as opened:
            await world.opened(opened, 40)
    finally:
        relay.nth = 0
    await world.settled()
    await world.repaired()
    assert (await world.unasked(opened), relay.lost > 3) == ([], True)


def met_a_deadlock(store: psycopg.Connection[TupleRow]) -> bool:
    row = store.execute(DEADLOCKS).fetchone()
    return row is not None and row[0] > 0


async def test_deadlocks_and_ended_sessions_under_load_lose_nothing(world: ReliableWorld) -> None:
    """Somebody locks the same challenges the other way round, and ends sessions: whole transactions are tried again."""
    installed = [await world.install() for _ in range(2)]
    with psycopg.connect(world.server.dsn, autocommit=True) as store:
        store.execute("ALTER SYSTEM SET deadlock_timeout = '20ms'")
        store.execute("SELECT pg_reload_conf()")
        quarrel = asyncio.create_task(locks_backwards(world.server.dsn))
        try:
            async with world.load(*installed) as opened:
                await world.opened(opened, 10)
                while len(opened) < 60 or not met_a_deadlock(store):
                    for repository, number in opened[-4:]:
                        await world.github.act("push", repository=repository, number=number)
                    store.execute(END_ONE_SESSION)
        finally:
            quarrel.cancel()
            store.execute("ALTER SYSTEM RESET deadlock_timeout")
            store.execute("SELECT pg_reload_conf()")
    await asyncio.gather(quarrel, return_exceptions=True)
    await world.settled()
    await world.repaired()
    assert (await world.unasked(opened), await world.failed()) == ([], [])


DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
END_ONE_SESSION = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = '' AND random() < 0.05
"""


async def locks_backwards(dsn: str) -> None:
    """Lock the newest challenges, newest first, one by one, again and again."""
    async with await psycopg.AsyncConnection.connect(dsn, application_name="quarrel") as store:
        while True:
            try:
                async with store.transaction():
                    newest = await store.execute("SELECT id FROM pr_challenges ORDER BY id DESC LIMIT 6")
                    for row in await newest.fetchall():
                        await store.execute("SELECT FROM pr_challenges WHERE id = %s FOR UPDATE", row)
                        await asyncio.sleep(0.02)
            except psycopg.OperationalError:
                await asyncio.sleep(0.02)
