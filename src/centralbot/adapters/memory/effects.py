"""Writing what a decision changes: cancellations, then changes, then what is new, each by the domain's own steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from centralbot.adapters.memory.state import State
from centralbot.domain import outbox
from centralbot.domain.challenge import CancelReason, Challenge, ChallengeEvent, ChallengeStatus, transition
from centralbot.domain.effects import SYSTEM, AuditEvent, Effects
from centralbot.domain.errors import Unavailable
from centralbot.domain.outbox import Action, ActionType, NewAction
from centralbot.domain.verdicts import on_notice_failed

SUPERSEDED = "SUPERSEDED"


def apply(state: State, effects: Effects) -> None:
    """Write ``effects``. Raises Unavailable, and nothing has changed, where a guard does not hold."""
    change = effects.changed
    if change is not None and state.challenge(change.challenge.id).status is not change.expected:
        raise Unavailable("the challenge changed meanwhile; try again")
    if effects.cancel_actions is not None:
        of = effects.cancel_actions
        cancel(state, lambda action: action.challenge_id == of.challenge_id, reason=of.reason)
    if change is not None:
        state.put_challenge(change.challenge)
    if effects.created is not None:
        state.put_challenge(effects.created)
    for new in effects.actions:
        enqueue(state, new)
    state.audit.extend(effects.audit)


def cancel_queued(state: State, which: Callable[[Action], bool], *, reason: str, limit: int | None = None) -> int:
    """Cancel what ``which`` picks among the actions that no live lease holds; returns how many."""
    picked = [action for action in state.queued() if which(action)][:limit]
    for action in picked:
        state.put_action(outbox.cancel(action, reason=reason, now=state.now()))
    return len(picked)


def cancel(state: State, which: Callable[[Action], bool], *, reason: str) -> None:
    """Cancel what ``which`` picks: at once, or when it comes back from the worker that holds it."""
    cancel_queued(state, which, reason=reason)
    for action in state.outstanding():
        if which(action):
            state.put_action(outbox.overtake(action, reason=reason))


def enqueue(state: State, new: NewAction) -> Action:
    """Queue an action behind the others; it replaces unexecuted older ones with its marker on its pull request."""
    pr_key = (new.repo_id, new.pr_number)
    cancel(state, lambda old: old.pr_key == pr_key and old.marker == new.marker, reason=SUPERSEDED)
    action = Action(
        id=new.id,
        seq=state.next_seq(),
        action_type=new.action_type,
        installation_id=new.installation_id,
        repo_id=new.repo_id,
        repo_full_name=new.repo_full_name,
        pr_number=new.pr_number,
        challenge_id=new.challenge_id,
        marker=new.marker,
        markdown=new.markdown,
        reason=new.reason,
        comment_id=new.comment_id,
        created_at=state.now(),
        run_at=state.now() + timedelta(seconds=new.delay_s),
    )
    state.put_action(action)
    return action


def cancel_dropped(state: State, which: Callable[[Challenge | Action], bool], why: CancelReason) -> None:
    """Cancel the pending challenges and the queued actions of what left: an installation, or a repository in it."""
    for challenge in [c for c in state.challenges.values() if c.status is ChallengeStatus.PENDING and which(c)]:
        _cancel_challenge(state, challenge, why)
    cancel_queued(state, which, reason=why)


def cancel_unnoticed(state: State, comment: Action, why: CancelReason) -> None:
    """A comment that goes astray takes the challenge with it that nobody was told of."""
    challenge = None if comment.challenge_id is None else state.challenges.get(comment.challenge_id)
    if challenge is not None and challenge.status is ChallengeStatus.PENDING and challenge.deadline_at is None:
        _cancel_challenge(state, challenge, why)


def _cancel_challenge(state: State, challenge: Challenge, why: CancelReason) -> None:
    after = transition(challenge, ChallengeEvent.CANCEL, reason=why, now=state.now())
    state.put_challenge(after)
    audit(state, "challenge.canceled", challenge=after, why=why.value, was=challenge.status.value)


def bury_notice(state: State, dead: Action) -> None:
    """A gate comment that can never be posted cancels the challenge that nobody was told of (invariant 1)."""
    if dead.action_type is ActionType.UPSERT_PR_COMMENT and dead.challenge_id is not None:
        challenge = state.challenges.get(dead.challenge_id)
        if challenge is not None:
            apply(state, on_notice_failed(state.gate, state.facts(challenge)))


def rechallenge(action: Action, challenge: Challenge, comment: NewAction) -> Action:
    """The action, now carrying another challenge's comment, of which nothing was said yet."""
    return replace(
        action,
        attempts=0,
        challenge_id=challenge.id,
        marker=comment.marker,
        markdown=comment.markdown,
        reason=comment.reason,
        comment_id=comment.comment_id,
    )


def audit(
    state: State,
    event: str,
    *,
    actor: str = SYSTEM,
    challenge: Challenge | None = None,
    action: Action | None = None,
    repo_id: int | None = None,
    facts: Mapping[str, str | int | bool | None] | None = None,
    **detail: str | int | bool | None,
) -> None:
    """Record what somebody did, to a challenge, an action or a repository."""
    of = challenge or action
    challenge_id = challenge.id if challenge is not None else action.challenge_id if action is not None else None
    state.audit.append(
        AuditEvent(
            id=state.ids.new_id(),
            at=state.now(),
            event=event,
            actor=actor,
            installation_id=None if of is None else of.installation_id,
            repo_id=repo_id if of is None else of.repo_id,
            pr_number=None if of is None else of.pr_number,
            challenge_id=challenge_id,
            detail={**(facts or {}), **detail},
        )
    )
