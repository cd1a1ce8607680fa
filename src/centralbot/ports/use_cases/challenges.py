"""What people do to a challenge: its author passes, a maintainer overrules."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from centralbot.domain import verdicts
from centralbot.domain.challenge import Challenge
from centralbot.domain.gating import DecisionContext
from centralbot.ports.challenges import Challenges, Proof


class ChallengeService:
    """The use cases over one challenge. All raise NotFound, ChallengeNotPending, Unavailable.

    ``actor`` names who did it for the audit: ``github:<user id>``, or the operator.
    """

    def __init__(self, challenges: Challenges, context: DecisionContext) -> None:
        self._challenges = challenges
        self._context = context

    async def verify(self, challenge_id: UUID, *, actor: str, proofs: Sequence[Proof] = ()) -> Challenge:
        """The author has passed every proof; again is the same answer. Late, the pull request is reopened."""
        return await self._challenges.decide(
            challenge_id, lambda facts: verdicts.on_verified(self._context, facts, actor=actor), proofs=proofs
        )

    async def exempt(self, challenge_id: UUID, *, actor: str) -> Challenge:
        """A maintainer lets the author in."""
        return await self._challenges.decide(
            challenge_id, lambda facts: verdicts.on_exempted(self._context, facts, actor=actor)
        )

    async def cancel(self, challenge_id: UUID, *, actor: str) -> Challenge:
        """A maintainer calls the check off."""
        return await self._challenges.decide(
            challenge_id, lambda facts: verdicts.on_canceled(self._context, facts, actor=actor)
        )

    async def extend(self, challenge_id: UUID, *, by_s: int, actor: str) -> Challenge:
        """A maintainer gives ``by_s`` more seconds."""
        return await self._challenges.decide(
            challenge_id, lambda facts: verdicts.on_extended(self._context, facts, by_s=by_s, actor=actor)
        )
