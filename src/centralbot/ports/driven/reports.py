"""What an owner reads about a repository, beside its challenges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.effects import AuditEvent

MAX_REPORT_DAYS = 7
"""A close is known to be of a merge by its delivery, and deliveries are kept for 8 days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """What shadow mode would have done since ``since``.

    ``challenged`` pull requests would have been asked; ``passed`` were let through, asked or not.
    ``would_close_merged`` of ``would_close`` were merged all the same: those closes would have been wrong.
    """

    since: datetime
    challenged: int
    would_close: int
    would_close_merged: int
    passed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredProof:
    """A proof as it was passed."""

    kind: str
    evidence: dict[str, str | int | None]
    passed_at: datetime


class Reports(Protocol):
    """Reads. All methods raise Unavailable."""

    async def audit(self, repo_id: int, *, before: UUID | None = None, limit: int = 50) -> Sequence[AuditEvent]:
        """What happened in a repository and who did it, newest first; ``before`` is the last id of the page before."""
        ...

    async def shadow(self, repo_id: int, *, days: int = 7) -> ShadowReport:
        """What shadow mode would have done in the last ``days`` (at most ``MAX_REPORT_DAYS``)."""
        ...

    async def outcomes(self, repo_id: int, *, days: int = 7) -> Mapping[ChallengeStatus, int]:
        """How many enforced challenges of the last ``days`` (at most ``MAX_REPORT_DAYS``) are where by now."""
        ...

    async def proofs(self, challenge_id: UUID) -> Sequence[StoredProof]:
        """The proofs that were passed, oldest first."""
        ...

    async def logins(self, user_ids: Sequence[int]) -> dict[int, str]:
        """The last known logins of people who signed in or are whitelisted; unknown ids are missing."""
        ...
