"""What the use cases report, as log lines and metrics."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from centralbot.domain.errors import CentralbotError, Forbidden
from centralbot.domain.outbox import ActionStatus, Outcome, Settlement
from centralbot.entrypoints.worker.metrics import WorkerMetrics
from centralbot.ports.driven.outbox import ClaimedAction

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

    def claimed(self, actions: Sequence[ClaimedAction]) -> None:
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
