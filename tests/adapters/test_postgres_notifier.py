"""Waking other processes: connections only where they are needed, and nothing unsaid."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from centralbot.adapters.postgres.notifier import POLL_S, Notifier

HEARD_WITHIN_S = 0.9 * POLL_S
"""Sooner than the slow poll would find it."""


@asynccontextmanager
async def a_notifier(dsn: str) -> AsyncIterator[Notifier]:
    notifier = Notifier(dsn)
    try:
        yield notifier
    finally:
        await notifier.close()


OTHERS = (
    "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and query ~* %s"
)


async def connections(database: str, saying: str = "") -> list[int]:
    """The server processes of everybody else in the test's database, by what they said last."""
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        return [pid for (pid,) in await (await connection.execute(OTHERS, (saying,))).fetchall()]


async def one_connection(database: str, saying: str) -> int:
    """Waits for it."""
    async with asyncio.timeout(10):
        while True:
            if found := await connections(database, saying):
                return found[0]
            await asyncio.sleep(0.02)


@pytest.fixture
async def heard(database: str) -> AsyncIterator[asyncio.Event]:
    """Set once another process hears that keys changed."""
    heard = asyncio.Event()
    async with a_notifier(database) as other:
        other.listen()
        await one_connection(database, "^listen")
        await asyncio.sleep(0.05)
        other.on_keys_changed = heard.set
        yield heard


async def test_who_only_sweeps_connects_only_to_speak(database: str) -> None:
    """A command that neither waits nor keeps anything costs the server no connection."""
    async with a_notifier(database) as notifier:
        await asyncio.sleep(0.1)
        assert await connections(database) == []
        notifier.notify()
        speaker = await one_connection(database, "pg_notify")
        assert await connections(database) == [speaker]


async def test_the_last_word_of_a_command_is_heard(database: str, heard: asyncio.Event) -> None:
    """`keys revoke` ends at once; what it has to say is said first."""
    async with a_notifier(database) as notifier:
        notifier.notify("keys")
    await asyncio.wait_for(heard.wait(), HEARD_WITHIN_S)


async def test_a_lost_connection_loses_no_word(database: str, heard: asyncio.Event) -> None:
    """It is said again over the next one."""
    async with a_notifier(database) as notifier:
        notifier.notify("keys")
        await asyncio.wait_for(heard.wait(), 10)
        heard.clear()
        speaker = await one_connection(database, "pg_notify")
        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
            await connection.execute("select pg_terminate_backend(%s, 5000)", (speaker,))
        notifier.notify("keys")
        await asyncio.wait_for(heard.wait(), 10)


async def test_a_server_that_is_away_does_not_hold_up_the_end(database: str) -> None:
    """The end waits a second at most."""
    async with asyncio.timeout(10), a_notifier(database.replace("dbname=", "dbname=no_such_")) as notifier:
        notifier.notify()
