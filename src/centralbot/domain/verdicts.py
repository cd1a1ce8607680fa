"""What happens to a challenge after it was made: time runs out, the author passes, a maintainer overrules.

Pure functions from facts to :class:`~centralbot.domain.effects.Effects`; a store applies them under a lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from centralbot.domain import comments
from centralbot.domain.challenge import CancelReason, Challenge, ChallengeEvent, ChallengeStatus, extended, transition
from centralbot.domain.effects import NOTHING, SYSTEM, AuditEvent, CancelActions, ChallengeChange, Effects
from centralbot.domain.errors import ChallengeNotPending
from centralbot.domain.gating import DecisionContext, gate_comment
from centralbot.domain.outbox import Action, ActionReason, ActionType, NewAction
from centralbot.domain.rules import MAINTAINER, WHITELISTED

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


MAYBE_CLOSED = frozenset({CloseState.IN_FLIGHT, CloseState.UNKNOWN, CloseState.CLOSED})
"""A late pass is followed by a reopen, which looks at the pull request before it does anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeFacts:
    """A challenge under lock and what surrounds it. ``now`` is the store's clock.

    ``challenge.installation_id`` is the installation that its repository is in by now, if any.
    ``superseded``: the pull request has another, active challenge. ``whitelisted``: its author is, now.
    ``switched_off``: its repository is off, now.
    """

    now: datetime
    challenge: Challenge
    whitelisted: bool = False
    switched_off: bool = False
    superseded: bool = False
    close: CloseState = CloseState.NONE


def on_deadline(gate: DecisionContext, facts: ChallengeFacts, *, position: int = 0) -> Effects:
    """What a due challenge becomes: EXEMPT for an author whitelisted by now, else TIMED_OUT_CLOSED and a close.

    CANCELED in a repository that is off by now: nobody hears of a maintainer's reopen or label there, so nobody closes.
    ``position`` (0, 1, …) is its place among the closes that wait in its repository; later ones are spaced out.
    """
    challenge, now = facts.challenge, facts.now
    if facts.whitelisted:
        after = transition(challenge, ChallengeEvent.EXEMPT, reason=WHITELISTED.code, now=now)
        text = comments.exempt(after, WHITELISTED)
        return _changed(
            gate, challenge, after, now, actions=_say(gate, after, text, ActionReason.EXEMPT), cancel="CHALLENGE_EXEMPT"
        )
    if facts.switched_off and not challenge.is_shadow:
        after = transition(challenge, ChallengeEvent.CANCEL, reason=CancelReason.SWITCHED_OFF, now=now)
        actions = _say(gate, after, comments.canceled(CancelReason.SWITCHED_OFF), ActionReason.CANCELED)
        return _changed(gate, challenge, after, now, actions=actions, cancel="CHALLENGE_CANCELED")
    after = transition(challenge, ChallengeEvent.TIME_OUT, reason="DEADLINE", now=now)
    actions = ()
    if not after.is_shadow:
        close = NewAction(
            id=gate.new_id(),
            action_type=ActionType.CLOSE_PR_WITH_COMMENT,
            installation_id=after.installation_id,
            repo_id=after.repo_id,
            repo_full_name=after.repo_full_name,
            pr_number=after.pr_number,
            challenge_id=after.id,
            marker=comments.timeout_marker(after.id),
            markdown=comments.timed_out(after, gate.gate_url(after.id)),
            reason=ActionReason.CHALLENGE_TIMED_OUT,
            delay_s=position * CLOSE_SPACING_S,
        )
        actions = (close,)
    return _changed(gate, challenge, after, now, actions=actions)


def on_verified(gate: DecisionContext, facts: ChallengeFacts, *, actor: str) -> Effects:
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
    actions = _say(gate, after, comments.verified(after), ActionReason.VERIFIED)
    if late and not after.is_shadow and facts.close in MAYBE_CLOSED:
        actions = (_reopen(gate, after), *actions)
    return _changed(gate, challenge, after, now, actions=actions, cancel="CHALLENGE_VERIFIED", actor=actor)


def on_exempted(gate: DecisionContext, facts: ChallengeFacts, *, actor: str) -> Effects:
    """A maintainer lets the author in. Raises ChallengeNotPending unless the challenge is pending."""
    after = transition(facts.challenge, ChallengeEvent.EXEMPT, reason=MAINTAINER.code, now=facts.now)
    text = comments.exempt(after, MAINTAINER)
    actions = _say(gate, after, text, ActionReason.EXEMPT)
    return _changed(gate, facts.challenge, after, facts.now, actions=actions, cancel="CHALLENGE_EXEMPT", actor=actor)


def on_canceled(gate: DecisionContext, facts: ChallengeFacts, *, actor: str) -> Effects:
    """A maintainer calls the check off. Raises ChallengeNotPending unless the challenge is pending."""
    after = transition(facts.challenge, ChallengeEvent.CANCEL, reason=CancelReason.MAINTAINER, now=facts.now)
    text = comments.canceled(CancelReason.MAINTAINER)
    actions = _say(gate, after, text, ActionReason.CANCELED)
    return _changed(gate, facts.challenge, after, facts.now, actions=actions, cancel="CHALLENGE_CANCELED", actor=actor)


def on_extended(gate: DecisionContext, facts: ChallengeFacts, *, by_s: int, actor: str) -> Effects:
    """A maintainer gives ``by_s`` more seconds. Raises ChallengeNotPending unless the challenge is pending."""
    before, now = facts.challenge, facts.now
    after = extended(before, by_s=by_s, now=now)
    text = comments.extended(after, gate.gate_url(after.id))
    actions = _say(gate, after, text, ActionReason.DEADLINE_EXTENDED)
    detail = {"by_s": by_s}
    audit = _audit(gate, after, now, "challenge.extended", actor=actor, detail=detail)
    return Effects(changed=ChallengeChange(expected=before.status, challenge=after), actions=actions, audit=(audit,))


def on_notice_failed(gate: DecisionContext, facts: ChallengeFacts) -> Effects:
    """The gate comment can never be posted, so nobody may be closed for it (invariant 1)."""
    challenge = facts.challenge
    if challenge.status is not ChallengeStatus.PENDING or challenge.deadline_at is not None:
        return NOTHING
    after = transition(challenge, ChallengeEvent.CANCEL, reason=CancelReason.NOTICE_FAILED, now=facts.now)
    return _changed(gate, challenge, after, facts.now, cancel=CancelReason.NOTICE_FAILED)


_SPOKEN_OF: Mapping[ActionReason, ChallengeStatus] = {
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
    if challenge.status is not _SPOKEN_OF[action.reason] or closed_anew:
        said = "a newer challenge" if closed_anew else challenge.status
        raise ChallengeNotPending(f"the action of challenge {challenge.id} was overtaken by {said}; cancel it instead")


def renewed(gate: DecisionContext, challenge: Challenge, *, now: datetime) -> Challenge:
    """A fresh challenge in place of one canceled for want of its comment, when an operator retries that comment."""
    return replace(
        challenge,
        id=gate.new_id(),
        status=ChallengeStatus.PENDING,
        reason=None,
        deadline_at=None,
        gate_comment_id=None,
        created_at=now,
        updated_at=now,
    )


def _say(gate: DecisionContext, challenge: Challenge, text: str, reason: ActionReason) -> tuple[NewAction, ...]:
    return () if challenge.is_shadow else (gate_comment(gate, challenge, text, reason),)


def _reopen(gate: DecisionContext, challenge: Challenge) -> NewAction:
    return NewAction(
        id=gate.new_id(),
        action_type=ActionType.REOPEN_PR_WITH_COMMENT,
        installation_id=challenge.installation_id,
        repo_id=challenge.repo_id,
        repo_full_name=challenge.repo_full_name,
        pr_number=challenge.pr_number,
        challenge_id=challenge.id,
        marker=comments.reopen_marker(challenge.id),
        markdown=comments.reopened(challenge),
        reason=ActionReason.VERIFIED_LATE,
    )


_AUDIT_NAMES = {
    ChallengeStatus.VERIFIED: "challenge.verified",
    ChallengeStatus.EXEMPT: "challenge.exempted",
    ChallengeStatus.CANCELED: "challenge.canceled",
    ChallengeStatus.TIMED_OUT_CLOSED: "challenge.timed_out",
}


def _changed(
    gate: DecisionContext,
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
        cancel_actions=None if cancel is None else CancelActions.of(after, cancel),
        actions=actions,
        audit=(_audit(gate, after, now, _AUDIT_NAMES[after.status], actor=actor, detail=detail),),
    )


def _audit(
    gate: DecisionContext,
    challenge: Challenge,
    now: datetime,
    what: str,
    *,
    actor: str,
    detail: Mapping[str, str | int | None],
) -> AuditEvent:
    return AuditEvent(
        id=gate.new_id(),
        at=now,
        event=what,
        actor=actor,
        installation_id=challenge.installation_id,
        repo_id=challenge.repo_id,
        pr_number=challenge.pr_number,
        challenge_id=challenge.id,
        detail=detail,
    )
