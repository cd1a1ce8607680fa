"""A second process of the fleet at a chosen moment: another thread, event loop, pool and connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from threading import Thread
from typing import TypeVar

import psycopg

from tests.contracts.adapters import open_postgres
from tests.contracts.driver import UnderTest

T = TypeVar("T")


def elsewhere(dsn: str, do: Callable[[UnderTest], Awaitable[T]]) -> T:
    """Do something on the same database from outside, and wait for it. Callable from inside a pure decision."""
    results: list[T] = []

    async def run() -> None:
        async with open_postgres(dsn) as other:
            results.append(await do(other))

    thread = Thread(target=lambda: asyncio.run(run()))
    thread.start()
    thread.join()
    return results[0]


async def until_somebody_waits(connection: psycopg.AsyncConnection[tuple[int]]) -> None:
    """Return once another session of this database waits for a lock."""
    while True:
        cursor = await connection.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        )
        row = await cursor.fetchone()
        if row is not None and row[0]:
            return
        await asyncio.sleep(0.01)
