"""The outbox: everything about the states and transitions of an action lives in this file, and runs in every store.

An action is one thing that the bot shall do on GitHub: an envelope, which is all that this file looks at, and a payload
(:mod:`centralbot.domain.actions`). A *claim* hands it to one worker as a *lease*; a *result*
settles it, and counts only from the claim that holds the action. A lease that runs out gives the action back, and the
lost claim counts toward the attempt limit. What is done stays done.

Order: actions of one pull request are handed out one at a time, in the order of their ``seq``. A newer action with
the same ``supersede_key`` replaces an unexecuted older one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from centralbot.domain.actions import ActionType, AnyPayload
from centralbot.domain.errors import ActionNotHeld, IllegalTransition
from centralbot.domain.facts import UNKNOWN, Facts
from centralbot.domain.machine import Table, step
from centralbot.domain.policy import Policy


class ActionStatus(StrEnum):
    """Where an action is; see ``TRANSITIONS``."""

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
    WITHHELD = "WITHHELD"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRules:
    """How long a lease lasts, in seconds, and how many claims an action gets before it is dead."""

    lease_s: float = 60.0
    max_attempts: int = 12


BACKOFF_BASE_S = 2.0
BACKOFF_CAP_S = 900.0
WITHHELD_S = 60.0
"""Seconds until an action that a worker withheld is handed out again, where the worker names no other time."""


def backoff_s(attempts: int, *, jitter: float) -> float:
    """Seconds to wait after the ``attempts``-th claim failed (1, 2, …), for ``jitter`` in [0, 1).

    Doubles from two seconds to a cap of 15 minutes; the upper half is jittered so that a burst of failures spreads.
    """
    delay = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0 ** min(attempts - 1, 30))
    return delay * (0.5 + 0.5 * jitter)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAction:
    """An action to queue. ``delay_s`` postpones its first claim."""

    id: UUID
    installation_id: int
    repo_id: int
    repo_full_name: str
    pr_number: int
    challenge_id: UUID | None
    payload: AnyPayload
    delay_s: float = 0.0

    @property
    def action_type(self) -> ActionType:
        return self.payload.action_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a worker says of an action. Where ``claim_token`` is None the worker's id alone must match the claim."""

    action_id: UUID
    worker_id: str
    outcome: Outcome
    claim_token: UUID | None
    failure_code: str | None = None
    failure_message: str | None = None
    retry_after_s: float | None = None
    pause_installation_s: float | None = None
    comment_id: int | None = None
    facts: Facts = UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """An action's place in the machine, whatever it does. ``attempts`` counts claims so far, released ones not.

    ``run_at``: when it may (next) be claimed, or when the lease on it runs out. ``cancel_reason``: its cancellation was
    requested while a worker held it, so it is canceled when it comes back unfinished.

    Every field has to be given: with a past forgotten a canceled close would be begun again, or a close that may have
    happened would not be undone.
    """

    id: UUID
    seq: int
    action_type: ActionType
    installation_id: int
    repo_id: int
    pr_number: int
    challenge_id: UUID | None
    supersede_key: str | None
    run_at: datetime
    status: ActionStatus
    attempts: int
    worker_id: str | None
    claim_token: UUID | None
    last_outcome: Outcome | None
    last_token: UUID | None
    last_worker_id: str | None
    failure_code: str | None
    failure_message: str | None
    settled_at: datetime | None
    cancel_reason: str | None

    @property
    def pr_key(self) -> tuple[int, int]:
        return (self.repo_id, self.pr_number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(Envelope):
    """An envelope with what is in it. ``policy``: what a worker judges with; only an action that is claimed has one."""

    repo_full_name: str
    created_at: datetime
    payload: AnyPayload
    policy: Policy | None


A = TypeVar("A", bound=Envelope)


def runs_at(new: NewAction, *, now: datetime) -> datetime:
    """When a new action may first be claimed."""
    return now + timedelta(seconds=new.delay_s) if new.delay_s else now


def queued(new: NewAction, *, seq: int, now: datetime) -> Action:
    """A new action in the queue."""
    return Action(
        id=new.id,
        seq=seq,
        action_type=new.action_type,
        installation_id=new.installation_id,
        repo_id=new.repo_id,
        repo_full_name=new.repo_full_name,
        pr_number=new.pr_number,
        challenge_id=new.challenge_id,
        supersede_key=new.payload.supersede_key,
        payload=new.payload,
        policy=None,
        created_at=now,
        run_at=runs_at(new, now=now),
        status=S.PENDING,
        attempts=0,
        worker_id=None,
        claim_token=None,
        last_outcome=None,
        last_token=None,
        last_worker_id=None,
        failure_code=None,
        failure_message=None,
        settled_at=None,
        cancel_reason=None,
    )


def is_live(action: Envelope, *, now: datetime) -> bool:
    """Whether a worker holds the action by a lease that has not run out."""
    return action.status is S.CLAIMED and action.run_at > now


def is_ready(action: Envelope, *, now: datetime, max_attempts: int) -> bool:
    """Whether the action itself may be claimed now: pending and due, or claimed with its lease out."""
    unsettled = action.status in (S.PENDING, S.CLAIMED) and action.cancel_reason is None
    return unsettled and action.run_at <= now and action.attempts < max_attempts


def claim(action: A, *, worker_id: str, token: UUID, lease_s: float, now: datetime) -> A:
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


def needs_rescue(action: Envelope, *, max_attempts: int, now: datetime) -> bool:
    """Whether nobody will claim the action as it is: its lease ran out, or it waits with its attempts used up."""
    if action.status is S.CLAIMED:
        return not is_live(action, now=now)
    return action.status is S.PENDING and action.attempts >= max_attempts


def rescue(action: A, *, max_attempts: int, now: datetime) -> A:
    """Give back a lease that ran out; at the attempt limit the action is dead, and a canceled one is canceled."""
    if action.cancel_reason is not None:
        return cancel(action, reason=action.cancel_reason, now=now)
    status = step("action", TRANSITIONS, action.status, E.EXPIRE)
    code = "LEASE_EXPIRED"
    freed = replace(action, status=status, worker_id=None, claim_token=None, run_at=now, failure_code=code)
    if action.attempts >= max_attempts:
        message = "the last allowed claim ran out without a result"
        return fail(_unanswered(freed), code=code, message=message, now=now)
    return freed


def exhaust(action: A, *, now: datetime) -> A:
    """Bury what waits with its attempts used up: nobody would ever claim it, nor what is queued behind it."""
    return fail(action, code=action.failure_code or "ATTEMPTS_USED_UP", message=action.failure_message, now=now)


def fail(action: A, *, code: str, message: str | None, now: datetime) -> A:
    """Bury the action with its reason."""
    status = step("action", TRANSITIONS, action.status, E.FAIL)
    return replace(action, status=status, failure_code=code, failure_message=message, settled_at=now)


def cancel(action: A, *, reason: str, now: datetime) -> A:
    """Cancel the action with a reason. Raises IllegalTransition for one that is done or canceled."""
    status = step("action", TRANSITIONS, action.status, E.CANCEL)
    return replace(_unanswered(action), status=status, failure_code=reason, settled_at=now)


def request_cancel(action: A, *, reason: str) -> A:
    """Mark an action that a worker holds: what it does still counts, but it is not begun again."""
    return replace(action, cancel_reason=action.cancel_reason or reason)


def withdraw(action: A, *, reason: str, now: datetime) -> A:
    """Cancel the action at once, or when it comes back from the worker that holds it."""
    if is_live(action, now=now):
        return request_cancel(action, reason=reason)
    return cancel(action, reason=reason, now=now)


def cancel_removed(action: A, *, reason: str, now: datetime) -> A:
    """Cancel the action of a place that was left; one that a worker holds may end, and is orphaned if it comes back."""
    return action if is_live(action, now=now) else cancel(action, reason=reason, now=now)


def operator_cancel(action: A, *, now: datetime) -> A:
    """Cancel by an operator's word. Raises IllegalTransition for one that a worker holds, or that is done."""
    if is_live(action, now=now):
        raise IllegalTransition(machine="action", state=action.status, event=E.CANCEL)
    return cancel(action, reason="OPERATOR", now=now)


def operator_retry(action: A, *, max_attempts: int, now: datetime) -> A:
    """Bring a dead action back with fresh attempts; results of its earlier life are no longer repeats.

    One attempt stays counted, as far as the limit allows: it may have written without being heard, so the next looks.
    """
    status = step("action", TRANSITIONS, action.status, E.OPERATOR_RETRY)
    attempts = min(action.attempts, 1, max_attempts - 1)
    return replace(_unanswered(action), status=status, attempts=attempts, run_at=now, settled_at=None)


def _unanswered(action: A) -> A:
    """Without a holder and without a past: a late result is no repeat of anything."""
    return replace(
        action,
        worker_id=None,
        claim_token=None,
        cancel_reason=None,
        last_outcome=None,
        last_token=None,
        last_worker_id=None,
    )


def is_repeat(action: Envelope, settlement: Settlement) -> bool:
    """Whether this very result was already taken from this worker: then the answer is the same again."""
    return (
        action.claim_token is None
        and action.last_outcome is settlement.outcome
        and action.last_worker_id == settlement.worker_id
        and settlement.claim_token in (None, action.last_token)
    )


def settle(action: A, settlement: Settlement, *, max_attempts: int, jitter: float, now: datetime) -> A:
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
    event = _EVENTS[outcome]
    if event is E.RETRY_LATER and action.attempts >= max_attempts:
        event = E.FAIL
    canceled = action.cancel_reason is not None and outcome in _UNFINISHED
    if canceled:
        event = E.CANCEL
    status = step("action", TRANSITIONS, action.status, event)
    delay = 0.0
    if event is E.RETRY_LATER:
        asked = settlement.retry_after_s
        delay = backoff_s(action.attempts, jitter=jitter) if asked is None else asked
    elif outcome is Outcome.WITHHELD:
        delay = settlement.retry_after_s or WITHHELD_S
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
        failure_code=action.cancel_reason if canceled else settlement.failure_code,
        failure_message=settlement.failure_message,
        settled_at=now if status in SETTLED else None,
    )


_EVENTS = {
    Outcome.SUCCEEDED: E.SUCCEED,
    Outcome.FAILED: E.FAIL,
    Outcome.RELEASED: E.RELEASE,
    Outcome.WITHHELD: E.RELEASE,
    Outcome.RETRYABLE_FAILURE: E.RETRY_LATER,
}
_UNFINISHED = frozenset({Outcome.RELEASED, Outcome.RETRYABLE_FAILURE, Outcome.WITHHELD})
