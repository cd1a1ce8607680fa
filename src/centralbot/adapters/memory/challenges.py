"""Challenges in memory: reads, and decisions written in one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from centralbot.adapters.memory.effects import apply, audit
from centralbot.adapters.memory.state import State
from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.effects import AuditEvent
from centralbot.domain.verdicts import ChallengeFacts
from centralbot.ports.driven.challenges import MAX_NOTES, DecideChallenge, Proof
from centralbot.ports.driven.reports import StoredProof


class MemoryChallenges:
    """See :class:`~centralbot.ports.driven.challenges.Challenges`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def get(self, challenge_id: UUID) -> Challenge:
        return self._state.challenge(challenge_id)

    async def facts(self, challenge_id: UUID) -> ChallengeFacts:
        return self._state.facts(self._state.challenge(challenge_id))

    async def decide(self, challenge_id: UUID, decide: DecideChallenge, *, proofs: Sequence[Proof] = ()) -> Challenge:
        state = self._state
        apply(state, decide(state.facts(state.challenge(challenge_id))))
        for proof in proofs:
            passed = StoredProof(kind=proof.kind, evidence=proof.evidence, passed_at=state.now())
            state.proofs.setdefault((challenge_id, proof.kind), passed)
        return state.challenge(challenge_id)

    async def note(
        self, challenge_id: UUID, event: str, *, actor: str, detail: Mapping[str, str | int | bool | None]
    ) -> None:
        state, challenge = self._state, self._state.challenge(challenge_id)
        if sum(known.challenge_id == challenge_id and known.event == event for known in state.audit) < MAX_NOTES:
            audit(state, event, actor=actor, challenge=challenge, facts=detail)

    async def search(
        self,
        *,
        repo_id: int | None = None,
        status: ChallengeStatus | None = None,
        before: UUID | None = None,
        limit: int = 50,
    ) -> Sequence[Challenge]:
        found = [
            challenge
            for challenge in self._state.challenges.values()
            if repo_id in (None, challenge.repo_id)
            and status in (None, challenge.status)
            and (before is None or challenge.id < before)
        ]
        return sorted(found, key=lambda challenge: challenge.id, reverse=True)[:limit]

    async def history(self, challenge_id: UUID) -> Sequence[AuditEvent]:
        events = [event for event in self._state.audit if event.challenge_id == challenge_id]
        return sorted(events, key=lambda event: event.id)
