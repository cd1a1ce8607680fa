"""What the worker measures. Values of labels are bounded: what is unknown counts as ``other``."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram

from centralbot.entrypoints.metrics import new_registry
from centralbot.entrypoints.worker.normalize import RELEVANT

_LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class WorkerMetrics:
    """Counters and gauges of one worker process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = new_registry()
        self.deliveries = Counter(
            "centralbot_webhook_deliveries",
            "Webhook deliveries by event, action and result",
            ("event", "action", "result"),
            registry=registry,
        )
        self.delivery_seconds = Histogram(
            "centralbot_webhook_seconds", "Time to answer a webhook", buckets=_LATENCIES, registry=registry
        )
        self.claims = Counter(
            "centralbot_claims", "Claims answered, by whether there was work", ("found",), registry=registry
        )
        self.claim_errors = Counter(
            "centralbot_claim_errors", "Claims not answered, by code", ("code",), registry=registry
        )
        self.actions = Counter(
            "centralbot_actions", "Actions executed by type and outcome", ("action_type", "outcome"), registry=registry
        )
        self.report_errors = Counter(
            "centralbot_report_errors", "Results that could not be reported, by code", ("code",), registry=registry
        )
        self.github_requests = Counter(
            "centralbot_github_requests",
            "Requests to GitHub by operation and status",
            ("operation", "status"),
            registry=registry,
        )
        self.github_seconds = Histogram(
            "centralbot_github_request_seconds",
            "Time that GitHub took, by operation",
            ("operation",),
            buckets=_LATENCIES,
            registry=registry,
        )
        self.pauses = Counter("centralbot_pauses", "Installations paused, by reason", ("reason",), registry=registry)
        self.repository_lists = Counter(
            "centralbot_repository_lists",
            "Full repository lists brought to the backend, by result",
            ("result",),
            registry=registry,
        )
        self._in_flight = Gauge("centralbot_actions_in_flight", "Actions in hand", registry=registry)

    def in_flight_is(self, count: Callable[[], float]) -> None:
        """Read the number of actions in hand from ``count`` at every scrape."""
        self._in_flight.set_function(count)

    def delivery(self, event: str, action: str, result: str, seconds: float) -> None:
        """Count one delivery that was answered."""
        known = RELEVANT.get(event)
        if known is None:
            event, action = ("ping", "") if event == "ping" else ("other", "other")
        elif action not in known:
            action = "other"
        self.deliveries.labels(event, action, result).inc()
        self.delivery_seconds.observe(seconds)

    def github_request(self, operation: str, status: int, seconds: float) -> None:
        """Count one request to GitHub; status 0 stands for no answer."""
        self.github_requests.labels(operation, str(status)).inc()
        self.github_seconds.labels(operation).observe(seconds)
