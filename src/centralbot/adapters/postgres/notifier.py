"""Waking waiting claims: LISTEN on one connection per process, NOTIFY after the commit and debounced.

Inside the transaction NOTIFY would serialize commits (measured: it halves ingest). A notification can be lost with the
connection; whoever waits polls slowly besides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import psycopg

CHANNEL = "centralbot"
DEBOUNCE_S = 0.02
"""The first of a burst goes at once. Waiters of this process never wait for it."""
RECONNECT_S = 0.5
POLL_S = 1.0


class Notifier:
    """Tells every process of the fleet that something may have become claimable, or that keys changed."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._waiters: set[asyncio.Future[None]] = set()
        self._send = asyncio.Event()
        self._topics: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self.on_keys_changed: Callable[[], None] = lambda: None

    async def open(self) -> None:
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._speak())]

    async def close(self) -> None:
        """Stop; a notification that is due is still sent."""
        if not self._tasks:
            return
        if self._topics:
            self._send.set()
            await asyncio.sleep(2 * DEBOUNCE_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._wake()

    def notify(self, topic: str = "actions") -> None:
        """Wake the waiters of this process at once, and those of the others within milliseconds."""
        if topic == "actions":
            self._wake()
        self._topics.add(topic)
        self._send.set()

    async def wait(self, timeout_s: float) -> None:
        """Return on a notification, or after ``timeout_s`` or the slow poll's second, whichever is first."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(future)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(future, min(timeout_s, POLL_S))
        finally:
            self._waiters.discard(future)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, set()
        for future in waiters:
            if not future.done():
                future.set_result(None)

    async def _speak(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._dsn, autocommit=True, connect_timeout=3
                ) as connection:
                    while True:
                        await self._send.wait()
                        self._send.clear()
                        topics, self._topics = self._topics, set()
                        for topic in topics:
                            await connection.execute("select pg_notify(%s, %s)", (CHANNEL, topic))
                        await asyncio.sleep(DEBOUNCE_S)
            except (psycopg.Error, OSError):
                await asyncio.sleep(RECONNECT_S)

    async def _listen(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._dsn, autocommit=True, connect_timeout=3
                ) as connection:
                    await connection.execute(f"listen {CHANNEL}")
                    self.on_keys_changed()  # whatever was missed while away
                    self._wake()
                    async for notification in connection.notifies():
                        if notification.payload == "keys":
                            self.on_keys_changed()
                        else:
                            self._wake()
            except (psycopg.Error, OSError):
                await asyncio.sleep(RECONNECT_S)
