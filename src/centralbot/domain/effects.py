"""What a decision changes: values that a store writes in one transaction, guarded by the states they expect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.outbox import NewAction

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
class CancelActions:
    """Cancel what a challenge has queued and no live claim holds."""

    challenge_id: UUID
    repo_id: int
    pr_number: int
    reason: str

    @classmethod
    def of(cls, challenge: Challenge, reason: str) -> CancelActions:
        return cls(challenge_id=challenge.id, repo_id=challenge.repo_id, pr_number=challenge.pr_number, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Everything that one decision writes. Cancellations come first, then changes, then what is new."""

    created: Challenge | None = None
    changed: ChallengeChange | None = None
    cancel_actions: CancelActions | None = None
    actions: tuple[NewAction, ...] = ()
    audit: tuple[AuditEvent, ...] = ()


NOTHING = Effects()
