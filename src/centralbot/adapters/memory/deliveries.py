"""Deliveries in memory: decided and written in one step."""

from __future__ import annotations

from centralbot.adapters.memory.effects import apply, cancel_dropped
from centralbot.adapters.memory.state import State, TakenDelivery
from centralbot.domain.challenge import CancelReason
from centralbot.domain.dedup import (
    DUPLICATE_INSTALLATION,
    InstallationOutcome,
    PullRequestOutcome,
    SignatureUse,
    duplicate_pull_request,
)
from centralbot.domain.events import InstallationEvent, PullRequestEvent
from centralbot.domain.gating import GateFacts
from centralbot.domain.installation import InstallationEffects, InstallationFacts, InstallationStatus
from centralbot.ports.driven.deliveries import DecideInstallation, DecidePullRequest


class MemoryDeliveries:
    """See :class:`~centralbot.ports.driven.deliveries.Deliveries`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def take_pull_request(
        self, event: PullRequestEvent, decide: DecidePullRequest, *, use: SignatureUse | None = None
    ) -> PullRequestOutcome:
        state, key = self._state, (event.delivery_id, "pull_request")
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
            closed=(event.repository.id, event.number) if event.action == "closed" else None,
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

    def _gate_facts(self, event: PullRequestEvent) -> GateFacts:
        state, pr_key = self._state, (event.repository.id, event.number)
        installation = state.installations.get(event.installation_id)
        row = state.repositories.get((event.installation_id, event.repository.id))
        return GateFacts(
            now=state.now(),
            installation=None if installation is None else installation.status,
            repository_active=row is not None and row.active,
            config=state.configs.get(event.repository.id),
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
        if effects.uninstalled:
            cancel_dropped(state, lambda it: it.installation_id == event.installation_id, CancelReason.UNINSTALLED)
        dropped = frozenset(effects.dropped)
        cancel_dropped(state, lambda it: (it.installation_id, it.repo_id) in dropped, CancelReason.REPOSITORY_REMOVED)
        state.wake()
