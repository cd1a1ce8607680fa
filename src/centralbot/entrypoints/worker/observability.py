"""What the worker measures, logs and answers to /readyz."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import Counter, Gauge, Histogram

from centralbot.domain.errors import CentralbotError, Forbidden
from centralbot.domain.handlers import RELEVANT
from centralbot.domain.outbox import ActionStatus, Outcome, Settlement
from centralbot.entrypoints.metrics import new_registry
from centralbot.ports.clock import Clock
from centralbot.ports.outbox import ClaimedAction, MalformedAction

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


log = structlog.get_logger("centralbot.worker")

KEY_HINT = "CENTRALBOT_BOT_KEY_ID and CENTRALBOT_BOT_SECRET have to be an active key's: see 'centralbot keys list'"


class Observers:
    """:class:`WorkObserver` and :class:`SyncObserver`: facts in, one line each out; no bodies, no secrets."""

    def __init__(self, metrics: WorkerMetrics) -> None:
        self._metrics = metrics
        self._failing: str | None = None

    @property
    def refusal(self) -> str | None:
        """What to correct where the backend refuses this worker, as its last claim showed."""
        return KEY_HINT if self._failing == Forbidden.code else None

    def claimed(self, actions: Sequence[ClaimedAction | MalformedAction]) -> None:
        if self._failing is not None:
            self._failing = None
            log.info("claim.recovered")
        self._metrics.claims.labels("yes" if actions else "no").inc()

    def claim_failed(self, error: Exception) -> None:
        code = _code(error)
        self._metrics.claim_errors.labels(code).inc()
        if code != self._failing:  # one line when it begins, or is something else now, and one when it is over
            self._failing = code
            hint = {"hint": KEY_HINT} if code == "FORBIDDEN" else {}
            log.warning("claim.failed", code=code, error=_message(error), **hint)

    def settled(
        self, action: ClaimedAction, settlement: Settlement, status: ActionStatus | None, error: Exception | None
    ) -> None:
        outcome = settlement.outcome
        self._metrics.actions.labels(action.action_type.value, outcome.value).inc()
        if settlement.pause_installation_s is not None:
            self._metrics.pauses.labels(_bounded(settlement.failure_code)).inc()
        facts = {
            "action_id": str(action.id),
            "action_type": action.action_type.value,
            "installation_id": action.installation_id,
            "repo_id": action.repo_id,
            "pr_number": action.pr_number,
            "attempts": action.attempts,
            "outcome": outcome.value,
            "comment_id": settlement.comment_id,
        }
        if settlement.failure_code is not None:
            facts |= {"failure_code": settlement.failure_code, "failure_message": settlement.failure_message}
        if error is not None:
            code = _code(error)
            self._metrics.report_errors.labels(code).inc()
            log.warning("action.not_reported", code=code, error=_message(error), **facts)
        elif outcome in (Outcome.SUCCEEDED, Outcome.RELEASED):
            log.info("action.done", status=str(status), **facts)
        else:
            log.warning("action.failed", status=str(status), **facts)

    def malformed(self, action: MalformedAction, status: ActionStatus | None, error: Exception | None) -> None:
        self._metrics.actions.labels("unreadable", Outcome.FAILED.value).inc()
        facts = {"action_id": str(action.id), "failure_code": action.code, "failure_message": action.message}
        if error is not None:
            self._metrics.report_errors.labels(_code(error)).inc()
            facts |= {"code": _code(error), "error": _message(error)}
        log.error("action.unreadable", status=str(status), hint="the backend is newer than this worker?", **facts)

    def repositories_synced(self, installation_id: int, *, repositories: int, error: Exception | None) -> None:
        self._metrics.repository_lists.labels("ok" if error is None else "failed").inc()
        if error is None:
            log.info("repositories.synced", installation_id=installation_id, repositories=repositories)
        else:
            hint = "run: centralbot sync"
            log.error(
                "repositories.not_synced",
                installation_id=installation_id,
                error=_message(error),
                code=_code(error),
                hint=hint,
            )


def _code(error: Exception) -> str:
    return error.code if isinstance(error, CentralbotError) else "INTERNAL"


def _message(error: Exception) -> str:
    return error.message if isinstance(error, CentralbotError) else f"{type(error).__name__}: {error}"


_REASONS = frozenset({"SUSPENDED", "INSTALLATION_NOT_FOUND", "BAD_CREDENTIALS", "RATE_LIMITED"})


def _bounded(reason: str | None) -> str:
    return reason if reason in _REASONS else "other"


Check = Callable[[], Awaitable[str]]
"""Returns a line that says what is there; raises CentralbotError with what is wrong."""

MAX_SKEW_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    ok: bool
    text: str


class Readiness:
    """Runs its checks when asked, each at most every ``for_s`` seconds, so that probes cost the peers little.

    ``clock_skew_s``: seconds that our clock is ahead of GitHub's, None before GitHub's first answer.
    """

    def __init__(
        self,
        *,
        checks: Mapping[str, tuple[float, Check]],
        clock: Clock,
        is_stopping: Callable[[], bool],
        clock_skew_s: Callable[[], float | None],
    ) -> None:
        self._checks = checks
        self._clock = clock
        self._is_stopping = is_stopping
        self._clock_skew_s = clock_skew_s
        self._known: dict[str, tuple[float, Finding]] = {}

    async def report(self) -> tuple[bool, dict[str, str]]:
        """Ready or not, and one line per check."""
        findings = {name: await self._find(name, for_s, check) for name, (for_s, check) in self._checks.items()}
        findings["clock"] = self._clock_finding()
        if self._is_stopping():
            findings["process"] = Finding(ok=False, text="stopping")
        return all(found.ok for found in findings.values()), {name: found.text for name, found in findings.items()}

    async def _find(self, name: str, for_s: float, check: Check) -> Finding:
        known = self._known.get(name)
        now_s = self._clock.monotonic_s()
        if known is not None and now_s - known[0] < (for_s if known[1].ok else min(for_s, 5.0)):
            return known[1]
        try:
            found = Finding(ok=True, text=await check())
        except CentralbotError as exc:
            found = Finding(ok=False, text=exc.message)
        self._known[name] = (now_s, found)
        return found

    def _clock_finding(self) -> Finding:
        skew_s = self._clock_skew_s()
        if skew_s is None:
            return Finding(ok=True, text="not compared yet")
        text = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} GitHub's"
        if abs(skew_s) > MAX_SKEW_S:
            return Finding(ok=False, text=f"{text}: set the clock, signatures and tokens depend on it")
        return Finding(ok=True, text=text)
