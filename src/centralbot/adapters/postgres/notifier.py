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
FLUSH_S = 1.0
POLL_S = 1.0


class Notifier:
    """Tells every process of the fleet that something may have become claimable, or that keys changed."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._waiters: set[asyncio.Future[None]] = set()
        self._send = asyncio.Event()
        self._said = asyncio.Event()
        self._topics: set[str] = set()
        self._listener: asyncio.Task[None] | None = None
        self._speaker: asyncio.Task[None] | None = None
        self.on_keys_changed: Callable[[], None] = lambda: None

    async def close(self) -> None:
        """Stop; a notification that is due is still sent, if the server answers within a second."""
        if self._topics:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._said.wait(), FLUSH_S)
        tasks = [task for task in (self._listener, self._speaker) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._wake()

    def listen(self) -> None:
        """Hear the other processes from now on. Whoever keeps or waits for something says so; a sweep need not hear."""
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen())

    def notify(self, topic: str = "actions") -> None:
        """Wake the waiters of this process at once, and those of the others within milliseconds."""
        if topic == "actions":
            self._wake()
        self._topics.add(topic)
        self._said.clear()
        self._send.set()
        if self._speaker is None:
            self._speaker = asyncio.create_task(self._speak())

    async def wait(self, timeout_s: float) -> None:
        """Return on a notification, or after ``timeout_s`` or the slow poll's second, whichever is first."""
        self.listen()
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
        topics: set[str] = set()
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
                        topics = set()
                        if not self._topics:
                            self._said.set()
                        await asyncio.sleep(DEBOUNCE_S)
            except (psycopg.Error, OSError):
                self._topics |= topics  # what a lost connection did not say is said by the next
                if self._topics:
                    self._send.set()
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
