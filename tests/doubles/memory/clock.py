"""A clock that stands still until told otherwise, and ids that come in order: everything reproducible."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

START = datetime(2026, 2, 16, 12, 0, tzinfo=UTC)


class ManualClock:
    """Time moves by :meth:`advance`, or by somebody sleeping: a sleep returns at once, that much later."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._now = start

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return (self._now - self._start).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self._now += timedelta(seconds=seconds)


class SequentialIds:
    """UUIDs of version 7's shape that count up, and one fixed jitter."""

    def __init__(self, *, start: int = 1, jitter: float = 0.5) -> None:
        self._next = start
        self._jitter = jitter

    def new_id(self) -> UUID:
        serial, self._next = self._next, self._next + 1
        return UUID(int=(serial << 80) | (0x7 << 76) | (0b10 << 62) | serial)

    def jitter(self) -> float:
        return self._jitter
