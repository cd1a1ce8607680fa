"""What follows from what became of an action: its result, a lost lease, an operator's word, a repository that left.

Each decides the action's next state (:mod:`centralbot.domain.outbox`) and what that does to its challenge. Pure
functions; a store locks, reads what they are given, and writes what they return.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from centralbot.domain import installation, outbox
from centralbot.domain.actions import ALREADY_CLOSED, ActionReason, ActionType, CommentPayload
from centralbot.domain.challenge import CancelReason, Challenge, ChallengeStatus, noticed
from centralbot.domain.config import RepoConfig
from centralbot.domain.effects import NOTHING, SYSTEM, AuditEvent, ChallengeChange, Effects, cancel_actions
from centralbot.domain.errors import ActionNotHeld, ChallengeNotPending
from centralbot.domain.events import Actor
from centralbot.domain.gating import DecisionContext, gate_comment
from centralbot.domain.installation import InstallationStatus
from centralbot.domain.outbox import Action, ActionStatus, Envelope, OutboxRules, Outcome, Settlement
from centralbot.domain.policy import Policy, judge, policy_of
from centralbot.domain.rules import EXEMPTIONS
from centralbot.domain.verdicts import ChallengeFacts, on_notice_lost, on_withheld

A = TypeVar("A", bound=Envelope)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionDecision(Generic[A]):
    """The action as it shall be, what else changes, and until when its installation pauses (None: as it is)."""

    action: A
    effects: Effects = NOTHING
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a challenge stands under its repository's rules, now: what judging again needs."""

    facts: ChallengeFacts
    config: RepoConfig


def hand_out(
    action: Action,
    challenge: Challenge | None,
    config: RepoConfig,
    *,
    whitelisted: bool,
    installation_status: InstallationStatus,
    paused_until: datetime | None,
    repo_full_name: str | None,
    worker_id: str,
    token: UUID,
    rules: OutboxRules,
    now: datetime,
) -> Action | None:
    """Lease an action to a worker, or None where it may not be claimed now.

    Since it was queued its repository may have a new name (``repo_full_name``, where known), and its challenge's gate
    comment may have been posted. ``config`` and ``whitelisted`` (of the challenge's author) are what counts now.
    """
    ready = outbox.is_ready(action, now=now, max_attempts=rules.max_attempts)
    if not ready or not installation.hands_out(installation_status, paused_until, now=now):
        return None
    payload = action.payload
    if _is_notice(action) and challenge is not None and payload.known_comment_id is None:
        payload = payload.with_comment(challenge.gate_comment_id)
    name = repo_full_name or action.repo_full_name
    policy = policy_of(payload, challenge, config, whitelisted=whitelisted)
    if payload is not action.payload or name != action.repo_full_name or policy is not None:
        action = replace(action, payload=payload, repo_full_name=name, policy=policy)
    return outbox.claim(action, worker_id=worker_id, token=token, lease_s=rules.lease_s, now=now)


def on_malformed(action: A, *, message: str, now: datetime) -> A:
    """Bury an action whose payload cannot be read: it fails alone, and nothing is written to GitHub."""
    return outbox.fail(action, code="MALFORMED_ACTION", message=message, now=now)


def on_result(
    context: DecisionContext,
    settlement: Settlement,
    action: A,
    challenge: Challenge | None,
    *,
    standing: Standing | None,
    paused_until: datetime | None,
    rules: OutboxRules,
    jitter: float,
    now: datetime,
) -> ActionDecision[A]:
    """Take a worker's result. ``paused_until``: how long its installation pauses already.

    ``standing`` is needed for an action that was withheld: whether it is canceled or waits is judged here once more,
    with the facts that the worker saw. A posted gate comment starts its challenge's clock; one that is dead cancels its
    challenge. A close that somebody else had done already is not ours to undo. A result that was taken before changes
    nothing. Raises ActionNotHeld.
    """
    judged, withheld = action, NOTHING
    try:
        if settlement.outcome is Outcome.WITHHELD and standing is not None:
            judged, withheld = _judged_again(context, settlement, action, standing, now=now)
        after = outbox.settle(judged, settlement, max_attempts=rules.max_attempts, jitter=jitter, now=now)
    except ActionNotHeld:
        if outbox.is_repeat(action, settlement):
            return ActionDecision(action=action)
        raise
    pause_s = settlement.pause_installation_s
    if settlement.outcome is Outcome.WITHHELD:
        effects = withheld
    else:
        effects = _aftermath(context, after, challenge, comment_id=settlement.comment_id, now=now)
    return ActionDecision(
        action=after,
        effects=effects,
        paused_until=None if pause_s is None else installation.paused_until(paused_until, pause_s, now=now),
    )


def _judged_again(
    context: DecisionContext, settlement: Settlement, action: A, standing: Standing, *, now: datetime
) -> tuple[A, Effects]:
    """The action, to be canceled where the domain says no, and what becomes of its challenge."""
    facts, config = standing.facts, standing.config
    policy = Policy(
        author=Actor(id=facts.challenge.author_id, login=facts.challenge.author_login),
        config=config,
        whitelisted=facts.whitelisted,
        needs=frozenset(),
        closes=action.action_type is ActionType.CLOSE_PR_WITH_COMMENT,
    )
    judgement = judge(policy, settlement.facts, now=now)
    if judgement.withhold is None or judgement.retry_after_s is not None:
        return action, NOTHING
    effects = on_withheld(context, facts, EXEMPTIONS[judgement.withhold])
    return outbox.request_cancel(action, reason=judgement.withhold), effects


def on_rescue(
    context: DecisionContext, action: A, challenge: Challenge | None, *, max_attempts: int, now: datetime
) -> ActionDecision[A]:
    """Give back a lease that ran out, or bury what has no attempts left; a dead gate comment cancels its challenge."""
    if action.status is ActionStatus.CLAIMED:
        after = outbox.rescue(action, max_attempts=max_attempts, now=now)
    else:
        after = outbox.exhaust(action, now=now)
    return ActionDecision(action=after, effects=_aftermath(context, after, challenge, comment_id=None, now=now))


def orphaned(
    action: Envelope, *, installation: InstallationStatus | None, repository_active: bool | None, switched_off: bool
) -> str | None:
    """Why nobody wants a queued action any more, or None: its installation or repository left, or the gate is off.

    Of a repository that is switched off only closes are orphaned: what was said there may still be corrected.
    """
    if installation is InstallationStatus.DELETED:
        return CancelReason.UNINSTALLED
    if repository_active is False:
        return CancelReason.REPOSITORY_REMOVED
    is_close = action.action_type is ActionType.CLOSE_PR_WITH_COMMENT
    return CancelReason.SWITCHED_OFF if is_close and switched_off else None


def on_orphaned(
    context: DecisionContext, action: A, challenge: Challenge | None, *, why: str, now: datetime
) -> ActionDecision[A]:
    """Withdraw an action that nobody wants any more; an unposted gate comment takes its challenge with it."""
    after = outbox.withdraw(action, reason=why, now=now)
    effects = NOTHING
    if after.status is ActionStatus.CANCELED and _is_notice(action) and challenge is not None:
        effects = on_notice_lost(context, challenge, now=now, why=CancelReason(why))
    return ActionDecision(action=after, effects=effects)


def on_operator_cancel(
    context: DecisionContext, action: A, challenge: Challenge | None, *, actor: str, now: datetime
) -> ActionDecision[A]:
    """Cancel by an operator's word. Raises IllegalTransition for one that is held or done."""
    after = outbox.operator_cancel(action, now=now)
    effects = NOTHING
    if _is_notice(action) and challenge is not None:
        effects = on_notice_lost(context, challenge, now=now)
    audit = _audit(context, action, "action.canceled", actor=actor, now=now, failure_code=action.failure_code)
    return ActionDecision(action=after, effects=replace(effects, audit=(*effects.audit, audit)))


def on_operator_retry(
    context: DecisionContext,
    action: Action,
    facts: ChallengeFacts | None,
    *,
    counts: bool,
    rules: OutboxRules,
    actor: str,
    now: datetime,
) -> ActionDecision[Action]:
    """Bring a dead action back. ``counts``: its challenge is the one that counts of its pull request.

    Where that challenge was canceled for want of just this comment, the action now carries a renewed one. Raises
    IllegalTransition, and ChallengeNotPending for what something newer has overtaken.
    """
    retried = outbox.operator_retry(action, max_attempts=rules.max_attempts, now=now)
    audit = (_audit(context, action, "action.retried", actor=actor, now=now, failure_code=action.failure_code),)
    if facts is None:
        return ActionDecision(action=retried, effects=Effects(audit=audit))
    challenge = facts.challenge
    canceled = challenge.status is ChallengeStatus.CANCELED and challenge.reason == CancelReason.NOTICE_FAILED
    if not (counts and canceled and _is_notice(action)):
        check_retry(action, facts)
        return ActionDecision(action=retried, effects=Effects(audit=audit))
    fresh = _renewed(context, challenge, now=now)
    comment = gate_comment(context, fresh)
    renewed = replace(
        retried,
        attempts=0,
        challenge_id=fresh.id,
        payload=comment.payload,
        supersede_key=comment.payload.supersede_key,
    )
    created = AuditEvent(
        id=context.new_id(),
        at=now,
        event="challenge.created",
        actor=actor,
        installation_id=fresh.installation_id,
        repo_id=fresh.repo_id,
        pr_number=fresh.pr_number,
        challenge_id=fresh.id,
        detail={"renews": str(challenge.id)},
    )
    return ActionDecision(action=renewed, effects=Effects(created=fresh, audit=(created, *audit)))


_SPOKEN_OF: Mapping[str, ChallengeStatus] = {
    ActionReason.VERIFICATION_REQUIRED: ChallengeStatus.PENDING,
    ActionReason.DEADLINE_EXTENDED: ChallengeStatus.PENDING,
    ActionReason.VERIFIED: ChallengeStatus.VERIFIED,
    ActionReason.VERIFIED_LATE: ChallengeStatus.VERIFIED,
    ActionReason.EXEMPT: ChallengeStatus.EXEMPT,
    ActionReason.CANCELED: ChallengeStatus.CANCELED,
    ActionReason.CHALLENGE_TIMED_OUT: ChallengeStatus.TIMED_OUT_CLOSED,
}


def check_retry(action: Action, facts: ChallengeFacts) -> None:
    """Raises ChallengeNotPending unless its challenge still is what the action says or does.

    An old close hits no later decision (invariant 7), and an old comment takes no later one back.
    """
    challenge = facts.challenge
    closed_anew = facts.superseded and challenge.status is ChallengeStatus.TIMED_OUT_CLOSED
    says = _SPOKEN_OF[action.payload.reason] if isinstance(action.payload, CommentPayload) else challenge.status
    if challenge.status is not says or closed_anew:
        said = "a newer challenge" if closed_anew else challenge.status
        raise ChallengeNotPending(f"the action of challenge {challenge.id} was overtaken by {said}; cancel it instead")


def _renewed(context: DecisionContext, challenge: Challenge, *, now: datetime) -> Challenge:
    """A fresh challenge in place of one canceled for want of its comment."""
    return replace(
        challenge,
        id=context.new_id(),
        status=ChallengeStatus.PENDING,
        reason=None,
        deadline_at=None,
        gate_comment_id=None,
        created_at=now,
        updated_at=now,
    )


def _is_notice(action: Envelope) -> bool:
    return action.action_type is ActionType.UPSERT_PR_COMMENT


def _aftermath(
    context: DecisionContext, after: Envelope, challenge: Challenge | None, *, comment_id: int | None, now: datetime
) -> Effects:
    """What an action's new state does to its challenge and to what that has queued."""
    if challenge is None:
        return NOTHING
    if _is_notice(after):
        if after.status is ActionStatus.FAILED:
            return on_notice_lost(context, challenge, now=now)
        if after.status is ActionStatus.DONE:
            told = noticed(challenge, now=now, comment_id=comment_id)
            if told is not challenge:
                return Effects(changed=ChallengeChange(expected=challenge.status, challenge=told))
        return NOTHING
    is_close = after.action_type is ActionType.CLOSE_PR_WITH_COMMENT
    if is_close and after.status is ActionStatus.DONE and after.failure_code == ALREADY_CLOSED:
        # Somebody else had closed it: then it is not ours to reopen.
        reopen = ActionType.REOPEN_PR_WITH_COMMENT
        return Effects(cancel_actions=cancel_actions(challenge, "NOT_CLOSED_BY_US", reopen))
    return NOTHING


def _audit(
    context: DecisionContext, action: Envelope, what: str, *, now: datetime, actor: str = SYSTEM, **detail: str | None
) -> AuditEvent:
    action_id: UUID = action.id
    return AuditEvent(
        id=context.new_id(),
        at=now,
        event=what,
        actor=actor,
        installation_id=action.installation_id,
        repo_id=action.repo_id,
        pr_number=action.pr_number,
        challenge_id=action.challenge_id,
        detail={"action_id": str(action_id), **detail},
    )
