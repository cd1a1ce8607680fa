"""What the backend measures."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from centralbot.domain.handlers import RELEVANT
from centralbot.entrypoints.metrics import new_registry
from centralbot.ports.admin import Backlog

_LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class ApiMetrics:
    """Counters and gauges of one API process. Label values are bounded: what is unknown counts as ``other``."""

    def __init__(self) -> None:
        self.registry = new_registry()
        # Looking labels up takes a lock and a few microseconds: kept, as there are few.
        self._children: dict[tuple[Counter, tuple[str, ...]], Counter] = {}
        self._latencies: dict[str, Histogram] = {}
        self.deliveries = Counter(
            "centralbot_deliveries",
            "Deliveries by event, action and result",
            ("event", "action", "result"),
            registry=self.registry,
        )
        self.requests = Counter(
            "centralbot_api_requests",
            "Internal requests by endpoint and status",
            ("endpoint", "status"),
            registry=self.registry,
        )
        self.latency = Histogram(
            "centralbot_api_request_seconds",
            "Time to answer internal requests, waiting claims excluded",
            ("endpoint",),
            buckets=_LATENCIES,
            registry=self.registry,
        )
        self.claimed = Counter(
            "centralbot_actions_claimed", "Actions handed out by type", ("action_type",), registry=self.registry
        )
        self.results = Counter(
            "centralbot_action_results",
            "Results taken by outcome and status",
            ("outcome", "status"),
            registry=self.registry,
        )
        self._backlog = Gauge(
            "centralbot_backlog_actions", "Unsettled actions by status", ("status",), registry=self.registry
        )
        self._oldest_pending = Gauge(
            "centralbot_oldest_pending_action_seconds", "Age of the oldest pending action", registry=self.registry
        )
        self._oldest_claimed = Gauge(
            "centralbot_oldest_claimed_action_seconds", "Age of the oldest claimed action", registry=self.registry
        )
        self._due = Gauge("centralbot_due_challenges", "Challenges whose time has run out", registry=self.registry)

    def delivery(self, event: str, action: str, result: str) -> None:
        """Count one delivery."""
        known = RELEVANT.get(event)
        if known is None:
            event = action = "other"
        elif action not in known:
            action = "other"
        self.count(self.deliveries, event, action, result)

    def count(self, counter: Counter, *labels: str) -> None:
        """Add one under these labels."""
        child = self._children.get((counter, labels))
        if child is None:
            child = self._children[counter, labels] = counter.labels(*labels)
        child.inc()

    def took(self, endpoint: str, seconds: float) -> None:
        """Record how long an answer took."""
        child = self._latencies.get(endpoint)
        if child is None:
            child = self._latencies[endpoint] = self.latency.labels(endpoint)
        child.observe(seconds)

    def backlog(self, backlog: Backlog) -> None:
        """Set the gauges to what the store counts now."""
        for status, count in backlog.by_status.items():
            self._backlog.labels(status).set(count)
        self._oldest_pending.set(backlog.oldest_pending_s or 0.0)
        self._oldest_claimed.set(backlog.oldest_claimed_s or 0.0)
        self._due.set(backlog.due_challenges)
