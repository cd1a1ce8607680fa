"""The gate: what one pull request event means, given what the store knows. A pure function, in the contract's order.

Each outcome carries its reason. Staleness is judged by the pull request's own ``updated_at``: an event older than the
newest known ``closed`` (or than the challenge it would cancel) changes nothing, since GitHub promises no order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from centralbot.domain import comments
from centralbot.domain.actions import ActionReason, AnyPayload, UpsertComment
from centralbot.domain.challenge import CancelReason, Challenge, ChallengeEvent, ChallengeStatus, made, transition
from centralbot.domain.config import Mode, RepoConfig
from centralbot.domain.effects import NOTHING, SYSTEM, AuditEvent, ChallengeChange, Effects, cancel_actions
from centralbot.domain.events import IngestStatus, PullRequestEvent
from centralbot.domain.installation import InstallationStatus
from centralbot.domain.outbox import NewAction
from centralbot.domain.rules import (
    DRAFT,
    RULES,
    Rule,
    Subject,
    Verdict,
    evaluate,
    is_bot,
    is_exempt_label,
    recorded,
)
from centralbot.domain.withdrawals import CancelActions

RELEVANT_ACTIONS = frozenset(
    {"opened", "reopened", "synchronize", "ready_for_review", "converted_to_draft", "closed", "labeled"}
)
"""``labeled`` is relevant only with the repository's own label, which the backend alone knows."""


CLOSING = frozenset({"closed"})
"""Actions that say when a pull request was closed: no older event counts any more."""


class Reason(StrEnum):
    """Why an event was decided as it was."""

    IRRELEVANT_ACTION = "IRRELEVANT_ACTION"
    INSTALLATION_NOT_ACTIVE = "INSTALLATION_NOT_ACTIVE"
    REPOSITORY_NOT_ACTIVE = "REPOSITORY_NOT_ACTIVE"
    MODE_OFF = "MODE_OFF"
    STALE = "STALE_EVENT"
    CLOSED = "PR_CLOSED"
    MERGED = "PR_MERGED"
    NOTHING_PENDING = "NOTHING_PENDING"
    DRAFTED = "CONVERTED_TO_DRAFT"
    DRAFT_NOT_GATED = "DRAFT_NOT_GATED"
    ALREADY_VERIFIED = "ALREADY_VERIFIED"
    ALREADY_EXEMPT = "ALREADY_EXEMPT"
    ALREADY_PENDING = "ALREADY_PENDING"
    ALREADY_TIMED_OUT = "ALREADY_TIMED_OUT"
    EXEMPT = "EXEMPT"
    CHALLENGED = "CHALLENGED"
    ALREADY_DECIDED = "ALREADY_DECIDED"
    MODE_CHANGED = "MODE_CHANGED"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFacts:
    """What the store knows when it decides. ``challenge`` is the pull request's active one, else its newest.

    ``config`` is None where the repository has none; ``now`` is the store's clock.
    """

    now: datetime
    installation: InstallationStatus | None
    repository_active: bool
    config: RepoConfig | None
    whitelisted: bool
    challenge: Challenge | None
    last_closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionContext:
    """What deciding needs beside the facts: the defaults, a source of ids, and the link of a challenge's page."""

    defaults: RepoConfig
    new_id: Callable[[], UUID]
    gate_url: Callable[[UUID], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An outcome with its reason and what it changes."""

    status: IngestStatus
    reason: str
    challenge_id: UUID | None = None
    effects: Effects = NOTHING


def decide(context: DecisionContext, event: PullRequestEvent, facts: GateFacts) -> Decision:
    """Decide one pull request event (contract section 3.1). Pure: calling it again changes nothing but the ids.

    The repository's label exempts whatever is pending or unknown. After a time-out it only stops a close that is still
    queued: it makes no new challenge, so that a late pass still reopens, and a maintainer's own reopen exempts.
    """
    config = facts.config or context.defaults
    if event.action not in RELEVANT_ACTIONS or (event.action == "labeled" and not is_exempt_label(event.label, config)):
        return _ignored(Reason.IRRELEVANT_ACTION)
    if facts.installation is not InstallationStatus.ACTIVE:
        return _ignored(Reason.INSTALLATION_NOT_ACTIVE)
    if not facts.repository_active:
        return _ignored(Reason.REPOSITORY_NOT_ACTIVE)
    if config.mode is Mode.OFF:
        return _ignored(Reason.MODE_OFF)
    if event.action in CLOSING:
        if event.merged:
            return _cancel(context, event, facts, config, CancelReason.PR_MERGED, Reason.MERGED)
        return _cancel(context, event, facts, config, CancelReason.PR_CLOSED, Reason.CLOSED)
    if _is_stale(event, facts):
        return _ignored(Reason.STALE)
    subject = Subject.of_event(event, config=config, whitelisted=facts.whitelisted, now=facts.now)
    if DRAFT.applies(subject):
        if event.action == "converted_to_draft":
            return _cancel(context, event, facts, config, CancelReason.DRAFTED, Reason.DRAFTED)
        return _ignored(Reason.DRAFT_NOT_GATED)
    return _gate(context, event, facts, config, evaluate(RULES, subject))


def decide_found(context: DecisionContext, event: PullRequestEvent, facts: GateFacts, *, mode: Mode) -> Decision:
    """Decide an open pull request that no webhook told of: found by asking GitHub, as ``opened``. Pure.

    One that ever had a challenge is left as it is, however that ended: a maintainer may have called it off. So is one
    of a repository whose mode is no longer the ``mode`` that it was looked for under: it may be older than the new one.
    """
    if facts.challenge is not None:
        return _no_op(Reason.ALREADY_DECIDED, facts.challenge)
    if (facts.config or context.defaults).mode is not mode:
        return _ignored(Reason.MODE_CHANGED)
    return decide(context, event, facts)


def _gate(
    context: DecisionContext, event: PullRequestEvent, facts: GateFacts, config: RepoConfig, verdict: Verdict
) -> Decision:
    current = facts.challenge
    if current is not None:
        if current.status is ChallengeStatus.VERIFIED:
            return _no_op(Reason.ALREADY_VERIFIED, current)
        if current.status is ChallengeStatus.EXEMPT:
            return _no_op(Reason.ALREADY_EXEMPT, current)
        if current.status is ChallengeStatus.TIMED_OUT_CLOSED and event.action == "labeled":
            # Nothing new, so that a late pass still reopens; but a close that is only queued is not what they want.
            return _no_op(Reason.ALREADY_TIMED_OUT, current, Effects(cancel_actions=cancel_actions(current, "LABELED")))
    if verdict.exempt is not None:
        return _exempt(context, event, facts, config, verdict.exempt)
    if current is not None:
        if current.status is ChallengeStatus.PENDING:
            return _still_pending(event, current)
        if current.status is ChallengeStatus.TIMED_OUT_CLOSED and event.action != "reopened":
            # Only a reopen makes a timed-out pull request new; anything else is late or about to meet its close.
            return _no_op(Reason.ALREADY_TIMED_OUT, current)
    challenge = made(event, config, challenge_id=context.new_id(), now=facts.now)
    actions: tuple[NewAction, ...] = ()
    if not challenge.is_shadow:
        actions = (gate_comment(context, challenge),)
    else:  # nobody is told anything, so the clock of what would have happened starts here
        challenge = replace(challenge, deadline_at=facts.now + timedelta(seconds=challenge.window_s))
    audit = _audit(
        context,
        event,
        facts,
        config,
        "challenge.created",
        challenge.id,
        window_s=challenge.window_s,
        **recorded(verdict),
    )
    effects = Effects(created=challenge, cancel_actions=_replaced(current), actions=actions, audit=(audit,))
    return Decision(status=IngestStatus.ACCEPTED, reason=Reason.CHALLENGED, challenge_id=challenge.id, effects=effects)


def _exempt(
    context: DecisionContext, event: PullRequestEvent, facts: GateFacts, config: RepoConfig, why: Rule
) -> Decision:
    current = facts.challenge
    actions: tuple[NewAction, ...] = ()
    if current is not None and current.status is ChallengeStatus.PENDING:
        after = transition(current, ChallengeEvent.EXEMPT, reason=why.code, now=facts.now)
        if not current.is_shadow:  # the gate comment may be out already: it must not go on asking
            actions = (gate_comment(context, after, comments.exempt(after, why), ActionReason.EXEMPT),)
        effects = Effects(
            changed=ChallengeChange(expected=current.status, challenge=after),
            cancel_actions=cancel_actions(current, "CHALLENGE_EXEMPT"),
            actions=actions,
            audit=(_audit(context, event, facts, config, "challenge.exempted", after.id, why=why.code, was="PENDING"),),
        )
    else:
        after = made(event, config, challenge_id=context.new_id(), now=facts.now, exempt=why.code)
        if config.comment_on_exempt and why.is_announced and not after.is_shadow:
            actions = (gate_comment(context, after, comments.exempt(after, why), ActionReason.EXEMPT),)
        audit = _audit(context, event, facts, config, "challenge.exempted", after.id, why=why.code)
        effects = Effects(created=after, cancel_actions=_replaced(current), actions=actions, audit=(audit,))
    return Decision(status=IngestStatus.ACCEPTED, reason=Reason.EXEMPT, challenge_id=after.id, effects=effects)


def _replaced(current: Challenge | None) -> CancelActions | None:
    """A timed-out challenge may still have its close queued: it must not hit what a new challenge decides."""
    if current is None or current.status is not ChallengeStatus.TIMED_OUT_CLOSED:
        return None
    return cancel_actions(current, "CHALLENGE_REPLACED")


def _cancel(
    context: DecisionContext,
    event: PullRequestEvent,
    facts: GateFacts,
    config: RepoConfig,
    why: CancelReason,
    reason: Reason,
) -> Decision:
    current = facts.challenge
    if current is None or current.status not in (ChallengeStatus.PENDING, ChallengeStatus.TIMED_OUT_CLOSED):
        return _ignored(Reason.NOTHING_PENDING)
    if event.at < current.event_at:
        return _ignored(Reason.STALE)
    cancel = cancel_actions(current, why)
    if current.status is ChallengeStatus.TIMED_OUT_CLOSED:  # terminal here, but nothing need be closed any more
        # Our own close, perhaps: its action stays, to find out and to say so (then a late pass reopens).
        effects = NOTHING if _is_by_an_app(event) else Effects(cancel_actions=cancel)
        return Decision(status=IngestStatus.ACCEPTED, reason=reason, challenge_id=current.id, effects=effects)
    after = transition(current, ChallengeEvent.CANCEL, reason=why, now=facts.now)
    actions: tuple[NewAction, ...] = ()
    if why is CancelReason.DRAFTED and current.deadline_at is not None and not current.is_shadow:
        actions = (gate_comment(context, after, comments.canceled(why), ActionReason.CANCELED),)
    effects = Effects(
        changed=ChallengeChange(expected=current.status, challenge=after),
        cancel_actions=cancel,
        actions=actions,
        audit=(_audit(context, event, facts, config, "challenge.canceled", after.id, why=why.value),),
    )
    return Decision(status=IngestStatus.ACCEPTED, reason=reason, challenge_id=after.id, effects=effects)


def _is_by_an_app(event: PullRequestEvent) -> bool:
    return event.sender is not None and event.sender.login.endswith("[bot]")


def _is_stale(event: PullRequestEvent, facts: GateFacts) -> bool:
    closed_at = facts.last_closed_at
    if closed_at is None:
        return False
    if event.action == "reopened" or event.updated_at is None:
        return event.at < closed_at  # a reopen within the same second follows its close; event_time alone is coarse
    return event.at <= closed_at


def _still_pending(event: PullRequestEvent, current: Challenge) -> Decision:
    effects = NOTHING
    if event.at > current.event_at:
        newer = replace(current, head_sha=event.head_sha, event_at=event.at)
        effects = Effects(changed=ChallengeChange(expected=current.status, challenge=newer))
    return Decision(
        status=IngestStatus.ACCEPTED, reason=Reason.ALREADY_PENDING, challenge_id=current.id, effects=effects
    )


def gate_comment(
    context: DecisionContext,
    challenge: Challenge,
    markdown: str | None = None,
    reason: ActionReason = ActionReason.VERIFICATION_REQUIRED,
) -> NewAction:
    """The action that creates or rewrites a challenge's one gate comment."""
    return action_of(
        context,
        challenge,
        UpsertComment(
            marker=comments.gate_marker(challenge.id),
            markdown=markdown if markdown is not None else comments.gate(challenge, context.gate_url(challenge.id)),
            reason=reason,
            comment_id=challenge.gate_comment_id,
        ),
    )


def action_of(
    context: DecisionContext, challenge: Challenge, payload: AnyPayload, *, delay_s: float = 0.0
) -> NewAction:
    """An action about a challenge's pull request."""
    return NewAction(
        id=context.new_id(),
        installation_id=challenge.installation_id,
        repo_id=challenge.repo_id,
        repo_full_name=challenge.repo_full_name,
        pr_number=challenge.pr_number,
        challenge_id=challenge.id,
        payload=payload,
        delay_s=delay_s,
    )


def _audit(
    context: DecisionContext,
    event: PullRequestEvent,
    facts: GateFacts,
    config: RepoConfig,
    what: str,
    challenge_id: UUID,
    **detail: str | int,
) -> AuditEvent:
    """What was done and what it was decided on, so that it can be explained (:mod:`centralbot.domain.trace`)."""
    sender, association = event.sender, event.author_association
    return AuditEvent(
        id=context.new_id(),
        at=facts.now,
        event=what,
        actor=SYSTEM if sender is None else f"github:{sender.id}",
        installation_id=event.installation_id,
        repo_id=event.repository.id,
        pr_number=event.number,
        challenge_id=challenge_id,
        detail={
            "action": event.action,
            "delivery_id": event.delivery_id,
            "mode": config.mode.value,
            "association": None if association is None else association.value,
            "bot": is_bot(event.author, event.author_type) is True,
            "draft": event.is_draft,
            **({} if sender is None else {"sender": sender.login}),
            **detail,
        },
    )


def _ignored(reason: Reason) -> Decision:
    return Decision(status=IngestStatus.IGNORED, reason=reason)


def _no_op(reason: Reason, challenge: Challenge, effects: Effects = NOTHING) -> Decision:
    return Decision(status=IngestStatus.ACCEPTED, reason=reason, challenge_id=challenge.id, effects=effects)
