"""Challenges outside of ingest: reading them, deciding about one under lock, and what an owner reads about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.effects import AuditEvent, Effects
from centralbot.domain.reports import ShadowReport
from centralbot.domain.verdicts import ChallengeFacts

DecideChallenge = Callable[[ChallengeFacts], Effects]
DecideDue = Callable[[ChallengeFacts, int], Effects]

MAX_NOTES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Evidence of one passed verifier: its kind and what was seen, without personal data beyond GitHub's id."""

    id: UUID
    kind: str
    evidence: dict[str, str | int | None]


class Challenges(Protocol):
    """Reads and decides. All methods raise Unavailable when the store cannot answer."""

    async def get(self, challenge_id: UUID) -> Challenge:
        """One challenge. Raises NotFound."""
        ...

    async def facts(self, challenge_id: UUID) -> ChallengeFacts:
        """What a decision about it would be given, to show and not to decide upon: nothing is locked. Raises NotFound.

        Whoever has a link may look as often as they like, and must hold nobody up by it.
        """
        ...

    async def decide(self, challenge_id: UUID, decide: DecideChallenge, *, proofs: Sequence[Proof] = ()) -> Challenge:
        """Lock the challenge, decide, write the effects and the proofs in one transaction; return it as it is then.

        Raises NotFound, and whatever ``decide`` raises, with nothing changed.
        """
        ...

    async def note(
        self, challenge_id: UUID, event: str, *, actor: str, detail: Mapping[str, str | int | bool | None]
    ) -> None:
        """Write one audit row about it that changes nothing. Raises NotFound.

        After ``MAX_NOTES`` of the same ``event`` about one challenge no more are written: trying again and again
        fills nothing.
        """
        ...

    async def search(
        self,
        *,
        repo_id: int | None = None,
        status: ChallengeStatus | None = None,
        before: UUID | None = None,
        limit: int = 50,
    ) -> Sequence[Challenge]:
        """Newest first; ``before`` is the last id of the page before."""
        ...

    async def history(self, challenge_id: UUID) -> Sequence[AuditEvent]:
        """What happened to it, oldest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long settled things are kept: everything older than these times goes."""

    deliveries_before: datetime
    actions_before: datetime
    audit_before: datetime


class Upkeep(Protocol):
    """What the sweeper does to the store, in bounded batches, any number of sweepers at once.

    Each call is one transaction over at most ``limit`` rows and returns how many it changed; fewer than ``limit``
    means that this sweeper found no more. Rows that another sweeper holds are skipped.
    """

    async def sweep_due(self, decide: DecideDue, *, limit: int) -> tuple[int, int]:
        """Decide due challenges, oldest deadline first; returns (timed out, let go: exempt or canceled).

        ``decide`` gets the facts and the challenge's position among the closes that wait in its repository.
        """
        ...

    async def rescue_expired(self, *, max_attempts: int, limit: int) -> tuple[int, int]:
        """Give back leases that ran out; returns (returned, dead). A dead gate comment cancels its challenge."""
        ...

    async def cancel_orphaned(self, *, limit: int) -> int:
        """Cancel queued actions whose installation is deleted or whose repository left it; closes also where it is off.

        A comment that goes so takes the challenge with it that nobody was told of.
        """
        ...

    async def prune(self, retention: Retention, *, limit: int) -> int:
        """Delete old deliveries, signatures, settled actions and audit rows."""
        ...


MAX_REPORT_DAYS = 7
"""A close is known to be of a merge by its delivery, and deliveries are kept for 8 days."""


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
