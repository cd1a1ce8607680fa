"""Time, ids and chance, so that the core has none of its own."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID


class Clock(Protocol):
    """The one place that reads a clock."""

    def now(self) -> datetime:
        """The time now, aware, in UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        ...


class Ids(Protocol):
    """Fresh identifiers and randomness."""

    def new_id(self) -> UUID:
        """A time-ordered UUID (version 7, RFC 9562)."""
        ...

    def jitter(self) -> float:
        """A random number in [0, 1)."""
        ...
