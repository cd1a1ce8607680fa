"""The outbox: everything about the states and transitions of an action lives in this file.

An action is one thing that the bot shall do on GitHub. A *claim* hands it to one worker as a *lease*; a *result*
settles it, and counts only from the claim that holds the action. A lease that runs out gives the action back, and the
lost claim counts toward the attempt limit. What is done stays done.

Order: actions of one pull request are handed out one at a time, in the order of their ``seq``. A newer comment with
the same marker replaces an unexecuted older one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from centralbot.domain.errors import ActionNotHeld
from centralbot.domain.machine import Table, step


class ActionType(StrEnum):
    UPSERT_PR_COMMENT = "UPSERT_PR_COMMENT"
    CLOSE_PR_WITH_COMMENT = "CLOSE_PR_WITH_COMMENT"
    REOPEN_PR_WITH_COMMENT = "REOPEN_PR_WITH_COMMENT"


DEFAULT_ACTION_TYPES = (ActionType.UPSERT_PR_COMMENT, ActionType.CLOSE_PR_WITH_COMMENT)
"""What a worker that names no types can execute."""


class ActionReason(StrEnum):
    """Why an action was queued: the payload's ``reason``."""

    VERIFICATION_REQUIRED = "VERIFICATION_REQUIRED"
    VERIFIED = "VERIFIED"
    EXEMPT = "EXEMPT"
    CANCELED = "CANCELED"
    DEADLINE_EXTENDED = "DEADLINE_EXTENDED"
    CHALLENGE_TIMED_OUT = "CHALLENGE_TIMED_OUT"
    VERIFIED_LATE = "VERIFIED_LATE"


class ActionStatus(StrEnum):
    PENDING = "PENDING"
    CLAIMED = "CLAIMED"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class ActionEvent(StrEnum):
    CLAIM = "claim"
    SUCCEED = "succeeded"
    RETRY_LATER = "retryable"
    RELEASE = "released"
    EXPIRE = "lease out"
    FAIL = "failed"
    CANCEL = "superseded or canceled"
    OPERATOR_RETRY = "operator retry"


class Outcome(StrEnum):
    """What a worker reports of an action that it held."""

    SUCCEEDED = "SUCCEEDED"
    RETRYABLE_FAILURE = "RETRYABLE_FAILURE"
    FAILED = "FAILED"
    RELEASED = "RELEASED"


S, E = ActionStatus, ActionEvent

TRANSITIONS: Table[ActionStatus, ActionEvent] = {
    S.PENDING: {E.CLAIM: S.CLAIMED, E.CANCEL: S.CANCELED, E.FAIL: S.FAILED},
    S.CLAIMED: {
        E.SUCCEED: S.DONE,
        E.RETRY_LATER: S.PENDING,
        E.RELEASE: S.PENDING,
        E.EXPIRE: S.PENDING,
        E.FAIL: S.FAILED,
        E.CANCEL: S.CANCELED,
    },
    S.FAILED: {E.OPERATOR_RETRY: S.PENDING, E.CANCEL: S.CANCELED},
    S.DONE: {},
    S.CANCELED: {},
}

SETTLED: frozenset[ActionStatus] = frozenset({S.DONE, S.FAILED, S.CANCELED})
"""Nothing will happen to an action in one of these unless an operator asks for it."""

ALREADY_CLOSED = "ALREADY_CLOSED"
"""The ``failure_code`` of a close that succeeded because somebody else had closed or merged: the bot did nothing."""

BACKOFF_BASE_S = 2.0
BACKOFF_CAP_S = 900.0


def backoff_s(attempts: int, *, jitter: float) -> float:
    """Seconds to wait after the ``attempts``-th claim failed (1, 2, …), for ``jitter`` in [0, 1).

    Doubles from two seconds to a cap of 15 minutes; the upper half is jittered so that a burst of failures spreads.
    """
    delay = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0 ** min(attempts - 1, 30))
    return delay * (0.5 + 0.5 * jitter)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAction:
    """An action to queue. ``delay_s`` postpones its first claim; a newer action of one marker replaces an older one."""

    id: UUID
    action_type: ActionType
    installation_id: int
    repo_id: int
    repo_full_name: str
    pr_number: int
    challenge_id: UUID | None
    marker: str
    markdown: str
    reason: ActionReason
    comment_id: int | None = None
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a worker says of an action. Without ``claim_token`` the worker's id alone must match the claim."""

    action_id: UUID
    worker_id: str
    outcome: Outcome
    failure_code: str | None = None
    failure_message: str | None = None
    claim_token: UUID | None = None
    retry_after_s: float | None = None
    pause_installation_s: float | None = None
    comment_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A queued action with its place in the machine. ``attempts`` counts claims so far, released ones not.

    ``cancel_reason``: it was overtaken while a worker held it, and is canceled when it comes back unfinished.
    """

    id: UUID
    seq: int
    action_type: ActionType
    installation_id: int
    repo_id: int
    repo_full_name: str
    pr_number: int
    challenge_id: UUID | None
    marker: str
    markdown: str
    reason: ActionReason
    comment_id: int | None
    created_at: datetime
    run_at: datetime
    status: ActionStatus = S.PENDING
    attempts: int = 0
    worker_id: str | None = None
    claim_token: UUID | None = None
    last_outcome: Outcome | None = None
    last_token: UUID | None = None
    last_worker_id: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    settled_at: datetime | None = None
    cancel_reason: str | None = None

    @property
    def pr_key(self) -> tuple[int, int]:
        return (self.repo_id, self.pr_number)


def is_ready(action: Action, *, now: datetime, max_attempts: int) -> bool:
    """Whether the action itself may be claimed now: pending and due, or claimed with its lease out."""
    unsettled = action.status in (S.PENDING, S.CLAIMED) and action.cancel_reason is None
    return unsettled and action.run_at <= now and action.attempts < max_attempts


def claim(action: Action, *, worker_id: str, token: UUID, lease_s: float, now: datetime) -> Action:
    """Lease the action to a worker until ``now + lease_s``; an expired lease is given back first."""
    status = action.status
    if status is S.CLAIMED:
        status = step("action", TRANSITIONS, status, E.EXPIRE)
    return replace(
        action,
        status=step("action", TRANSITIONS, status, E.CLAIM),
        attempts=action.attempts + 1,
        worker_id=worker_id,
        claim_token=token,
        run_at=now + timedelta(seconds=lease_s),
    )


def expire(action: Action, *, max_attempts: int, now: datetime) -> Action:
    """Give back a lease that ran out; at the attempt limit the action is dead, and an overtaken one is canceled."""
    if action.cancel_reason is not None:
        return cancel(action, reason=action.cancel_reason, now=now)
    status = step("action", TRANSITIONS, action.status, E.EXPIRE)
    code = "LEASE_EXPIRED"
    freed = replace(action, status=status, worker_id=None, claim_token=None, run_at=now, failure_code=code)
    if action.attempts >= max_attempts:
        message = "the last allowed claim ran out without a result"
        return fail(_unanswered(freed), code=code, message=message, now=now)
    return freed


def fail(action: Action, *, code: str, message: str | None, now: datetime) -> Action:
    """Bury the action with its reason."""
    status = step("action", TRANSITIONS, action.status, E.FAIL)
    return replace(action, status=status, failure_code=code, failure_message=message, settled_at=now)


def cancel(action: Action, *, reason: str, now: datetime) -> Action:
    """Cancel the action with a reason. Raises IllegalTransition for one that is done or canceled."""
    status = step("action", TRANSITIONS, action.status, E.CANCEL)
    return replace(_unanswered(action), status=status, failure_code=reason, settled_at=now)


def operator_retry(action: Action, *, max_attempts: int, now: datetime) -> Action:
    """Bring a dead action back with fresh attempts; results of its earlier life are no longer repeats.

    One attempt stays counted, as far as the limit allows: it may have written without being heard, so the next looks.
    """
    status = step("action", TRANSITIONS, action.status, E.OPERATOR_RETRY)
    attempts = min(action.attempts, 1, max_attempts - 1)
    return replace(_unanswered(action), status=status, attempts=attempts, run_at=now, settled_at=None)


def _unanswered(action: Action) -> Action:
    """Without a holder and without a past: a late result is no repeat of anything."""
    nobody = replace(action, worker_id=None, claim_token=None, cancel_reason=None)
    return replace(nobody, last_outcome=None, last_token=None, last_worker_id=None)


def request_cancel(action: Action, *, reason: str) -> Action:
    """Mark an action that a worker holds: what it does still counts, but it is not begun again."""
    return replace(action, cancel_reason=action.cancel_reason or reason)


def is_repeat(action: Action, settlement: Settlement) -> bool:
    """Whether this very result was already taken from this worker: then the answer is the same again."""
    return (
        action.claim_token is None
        and action.last_outcome is settlement.outcome
        and action.last_worker_id == settlement.worker_id
        and settlement.claim_token in (None, action.last_token)
    )


def settle(action: Action, settlement: Settlement, *, max_attempts: int, jitter: float, now: datetime) -> Action:
    """The action after a worker's result.

    Raises ActionNotHeld, and nothing has changed, unless the worker (and the claim, where it names one) holds it.
    """
    if (
        action.status is not S.CLAIMED
        or action.worker_id != settlement.worker_id
        or settlement.claim_token not in (None, action.claim_token)
    ):
        raise ActionNotHeld(f"action {action.id} is not held by this worker's claim")
    outcome = settlement.outcome
    event = {
        Outcome.SUCCEEDED: E.SUCCEED,
        Outcome.FAILED: E.FAIL,
        Outcome.RELEASED: E.RELEASE,
        Outcome.RETRYABLE_FAILURE: E.FAIL if action.attempts >= max_attempts else E.RETRY_LATER,
    }[outcome]
    overtaken = action.cancel_reason is not None and outcome in (Outcome.RELEASED, Outcome.RETRYABLE_FAILURE)
    if overtaken:
        event = E.CANCEL
    status = step("action", TRANSITIONS, action.status, event)
    delay = 0.0
    if event is E.RETRY_LATER:
        asked = settlement.retry_after_s
        delay = backoff_s(action.attempts, jitter=jitter) if asked is None else asked
    return replace(
        action,
        status=status,
        attempts=action.attempts - (event is E.RELEASE),
        run_at=now + timedelta(seconds=delay),
        worker_id=None,
        claim_token=None,
        last_outcome=outcome,
        last_token=action.claim_token,
        last_worker_id=settlement.worker_id,
        failure_code=action.cancel_reason if overtaken else settlement.failure_code,
        failure_message=settlement.failure_message,
        comment_id=settlement.comment_id or action.comment_id,
        settled_at=now if status in SETTLED else None,
    )
