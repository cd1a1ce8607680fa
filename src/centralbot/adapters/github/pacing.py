"""One write at a time per installation, and a second between them, as GitHub asks of those who create content.

Source: https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from centralbot.ports.driven.clock import Clock

_SWEEP_ABOVE: Final = 1_024


@dataclass(slots=True)
class _Lane:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    next_at_s: float = float("-inf")
    users: int = 0


class WritePacing:
    """Hands out turns to write, first come first served, one lane per installation; no lane waits for another."""

    def __init__(self, clock: Clock, interval_s: float) -> None:
        self._clock = clock
        self._interval_s = interval_s
        self._lanes: dict[int, _Lane] = {}

    @asynccontextmanager
    async def turn(self, installation_id: int, ready: Callable[[], None]) -> AsyncIterator[None]:
        """Wait for a turn and hold it. Writes begin at least ``interval_s`` apart; the first begins at once.

        ``ready`` is called when the turn comes and again after the wait: what it raises gives the turn away unused.
        """
        lane = self._lane(installation_id)
        lane.users += 1
        try:
            async with lane.lock:
                ready()
                if (wait_s := lane.next_at_s - self._clock.monotonic_s()) > 0:
                    await self._clock.sleep(wait_s)
                    ready()
                lane.next_at_s = self._clock.monotonic_s() + self._interval_s
                yield
        finally:
            lane.users -= 1

    def _lane(self, installation_id: int) -> _Lane:
        if len(self._lanes) >= _SWEEP_ABOVE and installation_id not in self._lanes:
            now_s = self._clock.monotonic_s()
            self._lanes = {key: lane for key, lane in self._lanes.items() if lane.users or lane.next_at_s > now_s}
        return self._lanes.setdefault(installation_id, _Lane())
