"""Deliveries and challenges in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from tests.doubles.memory.state import State, TakenDelivery, apply, audit

from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.dedup import DUPLICATE_INSTALLATION, SignatureUse, duplicate_pull_request
from centralbot.domain.effects import AuditEvent
from centralbot.domain.events import (
    InstallationEvent,
    InstallationOutcome,
    PullRequestActivity,
    PullRequestEvent,
    PullRequestOutcome,
)
from centralbot.domain.gating import CLOSING, GateFacts, Reason
from centralbot.domain.installation import InstallationEffects, InstallationFacts, InstallationStatus
from centralbot.domain.outbox import Action, cancel_removed
from centralbot.domain.reports import ShadowGroup, ShadowReport, shadow_report
from centralbot.domain.verdicts import ChallengeFacts, on_gone
from centralbot.ports.challenges import MAX_NOTES, MAX_REPORT_DAYS, DecideChallenge, Proof, StoredProof
from centralbot.ports.deliveries import DecideInstallation, DecidePullRequest


def _closes(event: PullRequestActivity) -> bool:
    return isinstance(event, PullRequestEvent) and event.action in CLOSING


class MemoryDeliveries:
    """See :class:`~centralbot.ports.deliveries.Deliveries`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def admit(self, use: SignatureUse) -> None:
        self._state.check_use(use)
        self._state.record_use(use)

    async def take_pull_request(
        self, event: PullRequestActivity, decide: DecidePullRequest, *, use: SignatureUse | None = None
    ) -> PullRequestOutcome:
        state, key = self._state, (event.delivery_id, event.event_name)
        state.check_use(use)
        if (taken := state.deliveries.get(key)) is not None:
            state.record_use(use)
            return duplicate_pull_request(taken.challenge_id)
        decision = decide(self._gate_facts(event))
        apply(state, decision.effects)
        state.record_use(use)
        state.deliveries[key] = TakenDelivery(
            received_at=state.now(),
            event_at=event.at,
            reason=decision.reason,
            challenge_id=decision.challenge_id,
            closed=(event.repository.id, event.number) if _closes(event) else None,
        )
        return PullRequestOutcome(
            status=decision.status,
            challenge_id=decision.challenge_id,
            enqueued_actions=len(decision.effects.actions),
            reason=decision.reason,
        )

    async def take_installation(
        self, event: InstallationEvent, decide: DecideInstallation, *, use: SignatureUse | None = None
    ) -> InstallationOutcome:
        state, key = self._state, (event.delivery_id, event.event_name)
        state.check_use(use)
        if key in state.deliveries:
            state.record_use(use)
            return DUPLICATE_INSTALLATION
        effects = decide(self._installation_facts(event))
        self._write(event, effects)
        state.record_use(use)
        state.deliveries[key] = TakenDelivery(
            received_at=state.now(), event_at=event.event_time, reason=effects.outcome.reason
        )
        return effects.outcome

    def _gate_facts(self, event: PullRequestActivity) -> GateFacts:
        state, pr_key = self._state, (event.repository.id, event.number)
        installation = state.installations.get(event.installation_id)
        row = state.repositories.get((event.installation_id, event.repository.id))
        return GateFacts(
            now=state.now(),
            installation=None if installation is None else installation.status,
            repository_active=row is not None and row.active,
            config=state.config(event.repository.id),
            whitelisted=(event.repository.id, event.author.id) in state.whitelist,
            challenge=state.current(*pr_key),
            last_closed_at=max((d.event_at for d in state.deliveries.values() if d.closed == pr_key), default=None),
        )

    def _installation_facts(self, event: InstallationEvent) -> InstallationFacts:
        state, ours = self._state, event.installation_id
        named = {repo.id for repo in (*event.repositories, *event.added)}
        rows = state.repositories.values()
        return InstallationFacts(
            installation=state.installations.get(ours),
            repositories={row.repo_id: row for row in rows if row.installation_id == ours},
            elsewhere={
                row.repo_id: row for row in rows if row.installation_id != ours and row.active and row.repo_id in named
            },
        )

    def _write(self, event: InstallationEvent, effects: InstallationEffects) -> None:
        state = self._state
        after = effects.installation
        if after is not None:
            before = state.installations.get(after.id)
            if before is not None and before.status is not after.status is InstallationStatus.ACTIVE:
                state.paused_until.pop(after.id, None)  # unsuspended: what it was paused for is over
            state.installations[after.id] = after
        for row in effects.repositories:
            state.repositories[row.installation_id, row.repo_id] = row
        self._cancel_removed(effects)
        state.wake()

    def _cancel_removed(self, effects: InstallationEffects) -> None:
        """Cancel the pending challenges and withdraw the queued actions of what left."""
        state, gone = self._state, frozenset(effects.dropped)
        all_of = effects.installation.id if effects.installation is not None and effects.uninstalled else None

        def left(it: Challenge | Action) -> bool:
            return it.installation_id == all_of or (it.installation_id, it.repo_id) in gone

        for challenge in [it for it in state.challenges.values() if it.status is ChallengeStatus.PENDING and left(it)]:
            apply(state, on_gone(state.context, challenge, now=state.now(), why=effects.removal))
        for action in filter(left, state.outstanding()):
            state.put_action(cancel_removed(action, reason=effects.removal, now=state.now()))


class MemoryChallenges:
    """See :class:`~centralbot.ports.challenges.Challenges`."""

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


class MemoryReports:
    """See :class:`~centralbot.ports.challenges.Reports`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def audit(self, repo_id: int, *, before: UUID | None = None, limit: int = 50) -> Sequence[AuditEvent]:
        found = [e for e in self._state.audit if e.repo_id == repo_id and (before is None or e.id < before)]
        return sorted(found, key=lambda event: event.id, reverse=True)[:limit]

    async def shadow(self, repo_id: int, *, days: int = 7) -> ShadowReport:
        state = self._state
        since = state.now() - timedelta(days=min(days, MAX_REPORT_DAYS))
        merged = {taken.closed for taken in state.deliveries.values() if taken.reason == Reason.MERGED}
        groups = (
            ShadowGroup(
                status=it.status,
                asked=it.deadline_at is not None,
                merged=(it.repo_id, it.pr_number) in merged,
                count=1,
            )
            for it in state.challenges.values()
            if it.repo_id == repo_id and it.is_shadow and it.created_at >= since
        )
        return shadow_report(since, groups)

    async def outcomes(self, repo_id: int, *, days: int = 7) -> Mapping[ChallengeStatus, int]:
        since = self._state.now() - timedelta(days=min(days, MAX_REPORT_DAYS))
        found = [it for it in self._state.challenges.values() if it.repo_id == repo_id and it.created_at >= since]
        return Counter(it.status for it in found if not it.is_shadow)

    async def proofs(self, challenge_id: UUID) -> Sequence[StoredProof]:
        return [proof for (of, _), proof in self._state.proofs.items() if of == challenge_id]

    async def logins(self, user_ids: Sequence[int]) -> dict[int, str]:
        entries = sorted(self._state.whitelist.values(), key=lambda entry: entry.added_at)
        known = {entry.user.id: entry.user.login for entry in entries} | self._state.logins
        return {user_id: known[user_id] for user_id in user_ids if user_id in known}
