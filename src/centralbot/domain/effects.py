"""What a decision changes: values that a store writes in one transaction, guarded by the states they expect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from centralbot.domain.actions import ActionType
from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.outbox import NewAction
from centralbot.domain.withdrawals import CancelActions

SYSTEM = "centralbot"
"""The actor of everything that no person did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Who did what to which challenge, when and why. ``detail`` holds ids, logins and reasons, nothing secret."""

    id: UUID
    at: datetime
    event: str
    actor: str
    installation_id: int | None = None
    repo_id: int | None = None
    pr_number: int | None = None
    challenge_id: UUID | None = None
    detail: Mapping[str, str | int | bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeChange:
    """The challenge as it shall be. It applies only while the stored one still has the status ``expected``."""

    expected: ChallengeStatus
    challenge: Challenge


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Everything that one decision writes. Withdrawals come first, then changes, then what is new."""

    created: Challenge | None = None
    changed: ChallengeChange | None = None
    cancel_actions: CancelActions | None = None
    actions: tuple[NewAction, ...] = ()
    audit: tuple[AuditEvent, ...] = ()

    @property
    def touches_queue(self) -> bool:
        """Whether actions that are queued already may be changed by it; those of a new challenge find none."""
        new = None if self.created is None else self.created.id
        return self.cancel_actions is not None or any(action.challenge_id != new for action in self.actions)


def cancel_actions(challenge: Challenge, reason: str, action_type: ActionType | None = None) -> CancelActions:
    """Withdraw what a challenge has queued."""
    return CancelActions(
        challenge_id=challenge.id,
        repo_id=challenge.repo_id,
        pr_number=challenge.pr_number,
        reason=reason,
        action_type=action_type,
    )


NOTHING = Effects()
