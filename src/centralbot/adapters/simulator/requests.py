"""The log of API requests that the simulator has answered, for checks and for measuring."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from .model import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One request. ``at`` is Unix seconds when it came; ``…_s`` are the machine's monotonic clock.

    ``effect_s`` is when the request changed or read the world, before any fault that delays the answer; None when
    it did neither. ``status`` 0 means no answer.
    """

    index: int
    at: float
    started_s: float
    effect_s: float | None
    ended_s: float
    method: str
    path: str
    operation: str
    installation_id: int | None
    repository_id: int | None
    status: int

    def shape(self) -> Json:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True, kw_only=True)
class RequestLog:
    """The latest requests one by one, and counts of all of them."""

    entries: deque[Logged] = field(default_factory=lambda: deque(maxlen=100_000))
    total: int = 0
    by_operation: Counter[str] = field(default_factory=Counter)
    by_installation: Counter[int] = field(default_factory=Counter)
    by_status: Counter[int] = field(default_factory=Counter)

    def add(self, entry: Logged) -> None:
        self.entries.append(entry)
        self.total += 1
        self.by_operation[entry.operation] += 1
        self.by_status[entry.status] += 1
        if entry.installation_id is not None:
            self.by_installation[entry.installation_id] += 1

    def counts(self) -> Json:
        """Totals, with keys as strings."""
        return {
            "total": self.total,
            "by_operation": dict(self.by_operation),
            "by_installation": {str(key): value for key, value in self.by_installation.items()},
            "by_status": {str(key): value for key, value in self.by_status.items()},
        }

    def find(self, *, operation: str | None = None, installation_id: int | None = None, since: int = 0) -> list[Json]:
        """Entries from index ``since`` on, oldest first."""
        return [
            entry.shape()
            for entry in self.entries
            if entry.index >= since
            and (operation is None or entry.operation == operation)
            and (installation_id is None or entry.installation_id == installation_id)
        ]

    def clear(self) -> None:
        """Forget everything, before a measurement."""
        self.entries.clear()
        self.total = 0
        for counter in (self.by_operation, self.by_status):
            counter.clear()
        self.by_installation.clear()
