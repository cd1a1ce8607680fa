"""What happens to a challenge after it was made: time runs out, the author passes, a maintainer overrules.

Pure functions from facts to :class:`~centralbot.domain.effects.Effects`; a store applies them under a lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from centralbot.domain import comments
from centralbot.domain.actions import ALREADY_CLOSED, ActionReason, CloseWithComment, ReopenWithComment
from centralbot.domain.challenge import (
    TRANSITIONS,
    CancelReason,
    Challenge,
    ChallengeEvent,
    ChallengeStatus,
    extended,
    transition,
)
from centralbot.domain.config import Mode
from centralbot.domain.effects import NOTHING, SYSTEM, AuditEvent, ChallengeChange, Effects, cancel_actions
from centralbot.domain.errors import ChallengeNotPending
from centralbot.domain.gating import DecisionContext, action_of, gate_comment
from centralbot.domain.machine import sources
from centralbot.domain.outbox import ActionStatus, Envelope, NewAction, Outcome, is_live
from centralbot.domain.rules import MAINTAINER, WHITELISTED, Exemption

CLOSE_SPACING_S = 5.0
"""Seconds between two closes in one repository when many come due at once (a sweeper that was down for a week)."""


class CloseState(StrEnum):
    """How far the close of a timed-out challenge has come.

    ``UNKNOWN``: an earlier claim was lost or failed, and GitHub may have closed the pull request all the same.
    """

    NONE = "NONE"
    QUEUED = "QUEUED"
    IN_FLIGHT = "IN_FLIGHT"
    UNKNOWN = "UNKNOWN"
    CLOSED = "CLOSED"
    NOT_BY_US = "NOT_BY_US"


def close_state(close: Envelope | None, *, now: datetime) -> CloseState:
    """How far the newest close of a challenge has come; ``close`` None where there is none."""
    if close is None or close.status is ActionStatus.CANCELED:
        return CloseState.NONE
    if close.status is ActionStatus.FAILED:  # refused, or given up without an answer
        return CloseState.NONE if close.last_outcome is Outcome.FAILED else CloseState.UNKNOWN
    if close.status is ActionStatus.DONE:
        return CloseState.NOT_BY_US if close.failure_code == ALREADY_CLOSED else CloseState.CLOSED
    if is_live(close, now=now):
        return CloseState.IN_FLIGHT
    return CloseState.UNKNOWN if close.attempts else CloseState.QUEUED


MAYBE_CLOSED = frozenset({CloseState.IN_FLIGHT, CloseState.UNKNOWN, CloseState.CLOSED})
"""A late pass is followed by a reopen, which looks at the pull request before it does anything."""


def worth_keeping(state: CloseState) -> CloseState | None:
    """What to keep with a challenge when its close is pruned: an author may pass late at any time."""
    return state if state in MAYBE_CLOSED else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeFacts:
    """A challenge under lock and what surrounds it. ``now`` is the store's clock.

    ``challenge.installation_id`` is the installation that its repository is in by now, if any.
    ``superseded``: the pull request has another, active challenge. ``whitelisted``: its author is, now.
    ``switched_off``: its repository is off, now.
    """

    now: datetime
    challenge: Challenge
    whitelisted: bool
    switched_off: bool
    superseded: bool
    close: CloseState


def facts_of(
    challenge: Challenge,
    *,
    now: datetime,
    of_pull_request: Iterable[Challenge],
    whitelisted: bool,
    mode: Mode | None,
    close: Envelope | None,
    kept: CloseState | None,
    installation_id: int | None,
    repo_full_name: str | None,
) -> ChallengeFacts:
    """The facts about a challenge, from what a store has.

    ``of_pull_request``: all challenges of its pull request. ``mode``: its repository's own, now. ``close``: its newest
    close; ``kept``: what was kept of one that was pruned. ``installation_id`` and ``repo_full_name``: where its
    repository is now, where that is known.
    """
    here, name = installation_id or challenge.installation_id, repo_full_name or challenge.repo_full_name
    if (here, name) != (challenge.installation_id, challenge.repo_full_name):
        challenge = replace(challenge, installation_id=here, repo_full_name=name)
    return ChallengeFacts(
        now=now,
        challenge=challenge,
        whitelisted=whitelisted,
        switched_off=mode is Mode.OFF,
        superseded=any(other.is_active and other.id != challenge.id for other in of_pull_request),
        close=kept if close is None and kept is not None else close_state(close, now=now),
    )


def on_deadline(context: DecisionContext, facts: ChallengeFacts, *, position: int = 0) -> Effects:
    """What a due challenge becomes: EXEMPT for an author whitelisted by now, else TIMED_OUT_CLOSED and a close.

    CANCELED in a repository that is off by now: nobody hears of a maintainer's reopen or label there, so nobody closes.
    ``position`` (0, 1, …) is its place among the closes that wait in its repository; later ones are spaced out.
    """
    challenge, now = facts.challenge, facts.now
    if facts.whitelisted:
        after = transition(challenge, ChallengeEvent.EXEMPT, reason=WHITELISTED.code, now=now)
        text = comments.exempt(after, WHITELISTED)
        return _changed(
            context,
            challenge,
            after,
            now,
            actions=_say(context, after, text, ActionReason.EXEMPT),
            cancel="CHALLENGE_EXEMPT",
        )
    if facts.switched_off and not challenge.is_shadow:
        after = transition(challenge, ChallengeEvent.CANCEL, reason=CancelReason.SWITCHED_OFF, now=now)
        actions = _say(context, after, comments.canceled(CancelReason.SWITCHED_OFF), ActionReason.CANCELED)
        return _changed(context, challenge, after, now, actions=actions, cancel="CHALLENGE_CANCELED")
    after = transition(challenge, ChallengeEvent.TIME_OUT, reason="DEADLINE", now=now)
    actions = ()
    if not after.is_shadow:
        close = CloseWithComment(
            marker=comments.timeout_marker(after.id),
            markdown=comments.timed_out(after, context.gate_url(after.id)),
            reason=ActionReason.CHALLENGE_TIMED_OUT,
        )
        actions = (action_of(context, after, close, delay_s=position * CLOSE_SPACING_S),)
    return _changed(context, challenge, after, now, actions=actions)


def on_verified(context: DecisionContext, facts: ChallengeFacts, *, actor: str) -> Effects:
    """What passing every proof does: at once while pending, late after the close; nothing when verified already.

    Raises ChallengeNotPending for a canceled or exempt challenge, and for a late pass when the pull request has a
    newer challenge that counts.
    """
    challenge, now = facts.challenge, facts.now
    if challenge.status is ChallengeStatus.VERIFIED:
        return NOTHING
    late = challenge.status is ChallengeStatus.TIMED_OUT_CLOSED
    if late and facts.superseded:
        raise ChallengeNotPending(f"challenge {challenge.id} was replaced by a newer one of its pull request")
    after = transition(challenge, ChallengeEvent.VERIFY, reason="LATE" if late else "IN_TIME", now=now)
    actions = _say(context, after, comments.verified(after), ActionReason.VERIFIED)
    if late and not after.is_shadow and facts.close in MAYBE_CLOSED:
        actions = (_reopen(context, after), *actions)
    return _changed(context, challenge, after, now, actions=actions, cancel="CHALLENGE_VERIFIED", actor=actor)


def on_exempted(context: DecisionContext, facts: ChallengeFacts, *, actor: str) -> Effects:
    """A maintainer lets the author in. Raises ChallengeNotPending unless the challenge is pending."""
    after = transition(facts.challenge, ChallengeEvent.EXEMPT, reason=MAINTAINER.code, now=facts.now)
    text = comments.exempt(after, MAINTAINER)
    actions = _say(context, after, text, ActionReason.EXEMPT)
    return _changed(context, facts.challenge, after, facts.now, actions=actions, cancel="CHALLENGE_EXEMPT", actor=actor)


def on_canceled(context: DecisionContext, facts: ChallengeFacts, *, actor: str) -> Effects:
    """A maintainer calls the check off. Raises ChallengeNotPending unless the challenge is pending."""
    after = transition(facts.challenge, ChallengeEvent.CANCEL, reason=CancelReason.MAINTAINER, now=facts.now)
    text = comments.canceled(CancelReason.MAINTAINER)
    actions = _say(context, after, text, ActionReason.CANCELED)
    return _changed(
        context, facts.challenge, after, facts.now, actions=actions, cancel="CHALLENGE_CANCELED", actor=actor
    )


def on_extended(context: DecisionContext, facts: ChallengeFacts, *, by_s: int, actor: str) -> Effects:
    """A maintainer gives ``by_s`` more seconds. Raises ChallengeNotPending unless the challenge is pending."""
    before, now = facts.challenge, facts.now
    after = extended(before, by_s=by_s, now=now)
    text = comments.extended(after, context.gate_url(after.id))
    actions = _say(context, after, text, ActionReason.DEADLINE_EXTENDED)
    detail = {"by_s": by_s}
    audit = _audit(context, after, now, "challenge.extended", actor=actor, detail=detail)
    return Effects(changed=ChallengeChange(expected=before.status, challenge=after), actions=actions, audit=(audit,))


def on_withheld(context: DecisionContext, facts: ChallengeFacts, why: Exemption) -> Effects:
    """A worker found the author exempt right before it wrote: nobody is asked, nobody is closed.

    Also after time ran out, unless something newer counts by then: the close was withheld.
    """
    challenge, now = facts.challenge, facts.now
    if challenge.status not in sources(TRANSITIONS, ChallengeEvent.WITHHOLD) or facts.superseded:
        return NOTHING
    after = transition(challenge, ChallengeEvent.WITHHOLD, reason=why.code, now=now)
    actions: tuple[NewAction, ...] = ()
    if challenge.deadline_at is not None:  # the gate comment is out: it must not go on asking
        actions = _say(context, after, comments.exempt(after, why), ActionReason.EXEMPT)
    return _changed(context, challenge, after, now, actions=actions, cancel="CHALLENGE_EXEMPT")


def on_notice_lost(
    context: DecisionContext, challenge: Challenge, *, now: datetime, why: CancelReason = CancelReason.NOTICE_FAILED
) -> Effects:
    """The gate comment will never be posted, so nobody may be closed for it (invariant 1)."""
    if challenge.status is not ChallengeStatus.PENDING or challenge.deadline_at is not None:
        return NOTHING
    gone = on_gone(context, challenge, now=now, why=why)
    return replace(gone, cancel_actions=cancel_actions(challenge, why))


def on_gone(context: DecisionContext, challenge: Challenge, *, now: datetime, why: CancelReason) -> Effects:
    """A challenge that nobody can be told of, or answer, any more. Raises ChallengeNotPending unless it is pending."""
    after = transition(challenge, ChallengeEvent.CANCEL, reason=why, now=now)
    return _changed(context, challenge, after, now)


def _say(context: DecisionContext, challenge: Challenge, text: str, reason: ActionReason) -> tuple[NewAction, ...]:
    return () if challenge.is_shadow else (gate_comment(context, challenge, text, reason),)


def _reopen(context: DecisionContext, challenge: Challenge) -> NewAction:
    payload = ReopenWithComment(
        marker=comments.reopen_marker(challenge.id),
        markdown=comments.reopened(challenge),
        reason=ActionReason.VERIFIED_LATE,
    )
    return action_of(context, challenge, payload)


_AUDIT_NAMES = {
    ChallengeStatus.VERIFIED: "challenge.verified",
    ChallengeStatus.EXEMPT: "challenge.exempted",
    ChallengeStatus.CANCELED: "challenge.canceled",
    ChallengeStatus.TIMED_OUT_CLOSED: "challenge.timed_out",
}


def _changed(
    context: DecisionContext,
    before: Challenge,
    after: Challenge,
    now: datetime,
    *,
    actions: tuple[NewAction, ...] = (),
    cancel: str | None = None,
    actor: str = SYSTEM,
) -> Effects:
    detail: dict[str, str | int | None] = {"why": after.reason, "was": before.status.value, "mode": after.mode.value}
    if after.status is ChallengeStatus.VERIFIED and before.deadline_at is not None:
        detail["left_s"] = int((before.deadline_at - now).total_seconds())
    return Effects(
        changed=ChallengeChange(expected=before.status, challenge=after),
        cancel_actions=None if cancel is None else cancel_actions(after, cancel),
        actions=actions,
        audit=(_audit(context, after, now, _AUDIT_NAMES[after.status], actor=actor, detail=detail),),
    )


def _audit(
    context: DecisionContext,
    challenge: Challenge,
    now: datetime,
    what: str,
    *,
    actor: str,
    detail: Mapping[str, str | int | None],
) -> AuditEvent:
    return AuditEvent(
        id=context.new_id(),
        at=now,
        event=what,
        actor=actor,
        installation_id=challenge.installation_id,
        repo_id=challenge.repo_id,
        pr_number=challenge.pr_number,
        challenge_id=challenge.id,
        detail=detail,
    )
