"""Fresh time-ordered ids and randomness."""

from __future__ import annotations

import os
import random
import time
from threading import Lock
from uuid import UUID

_VERSION_7 = 7 << 76
_VARIANT = 2 << 62
_RANDOM_62 = (1 << 62) - 1
_POOL = 2048


class SystemIds:
    """:class:`centralbot.ports.driven.clock.Ids`: UUIDs of version 7, ascending within the process.

    The 12 bits after the milliseconds hold their fraction, as RFC 9562 section 6.2 (method 3) allows; two ids of the
    same instant are told apart by counting it up.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._last = 0
        self._chance = b""
        self._used = 0

    def new_id(self) -> UUID:
        """A UUID that is greater than every one before it."""
        ms, rest_ns = divmod(time.time_ns(), 1_000_000)
        instant = ms << 12 | (rest_ns << 12) // 1_000_000
        with self._lock:
            self._last = instant = max(instant, self._last + 1)
            if self._used == len(self._chance):  # one system call for many ids
                self._chance, self._used = os.urandom(_POOL), 0
            self._used += 8
            chance = int.from_bytes(self._chance[self._used - 8 : self._used]) & _RANDOM_62
        return UUID(int=(instant >> 12) << 80 | _VERSION_7 | (instant & 0xFFF) << 64 | _VARIANT | chance)

    def jitter(self) -> float:
        """A random number in [0, 1); chance for spreading load, not for secrets."""
        return random.random()  # noqa: S311
