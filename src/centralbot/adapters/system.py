"""The system's clock, and ids and chance from its generators."""

from __future__ import annotations

import asyncio
import os
import random
import time
from datetime import UTC, datetime
from struct import unpack
from threading import Lock
from uuid import UUID

__all__ = ["SystemClock", "SystemIds"]


class SystemClock:
    """:class:`centralbot.ports.clock.Clock` over the operating system."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Seconds that never go back; they go on while the process is stopped."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait, on the running event loop."""
        await asyncio.sleep(seconds)


_VERSION_7 = 7 << 76
_VARIANT = 2 << 62
_RANDOM_62 = (1 << 62) - 1
_POOL = 256


class SystemIds:
    """:class:`centralbot.ports.clock.Ids`: UUIDs of version 7, ascending within the process.

    The 12 bits after the milliseconds hold their fraction, as RFC 9562 section 6.2 (method 3) allows; two ids of the
    same instant are told apart by counting it up.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._last = 0
        self._chances: list[int] = []

    def new_id(self) -> UUID:
        """A UUID that is greater than every one before it."""
        ms, rest_ns = divmod(time.time_ns(), 1_000_000)
        instant = ms << 12 | (rest_ns << 12) // 1_000_000
        with self._lock:
            if instant <= self._last:
                instant = self._last + 1
            self._last = instant
            if not self._chances:  # one system call for many ids
                self._chances.extend(unpack(f"{_POOL}Q", os.urandom(8 * _POOL)))
            chance = self._chances.pop() & _RANDOM_62
        return UUID(int=(instant >> 12) << 80 | _VERSION_7 | (instant & 0xFFF) << 64 | _VARIANT | chance)

    def jitter(self) -> float:
        """A random number in [0, 1); chance for spreading load, not for secrets."""
        return random.random()  # noqa: S311
