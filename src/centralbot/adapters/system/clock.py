"""The one place that reads a clock."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """:class:`centralbot.ports.driven.clock.Clock` over the operating system."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Seconds that never go back; they go on while the process is stopped."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait, on the running event loop."""
        await asyncio.sleep(seconds)
