"""One store under test, with the steps that the suites are written in. Time only moves by ``advance``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from centralbot.domain import gating, installation, verdicts
from centralbot.domain.actions import ActionType
from centralbot.domain.challenge import Challenge
from centralbot.domain.config import RepoConfig
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.events import InstallationEvent, InstallationOutcome, PullRequestEvent, PullRequestOutcome
from centralbot.domain.gating import DecisionContext
from centralbot.domain.outbox import Action, ActionStatus, OutboxRules, Outcome
from centralbot.ports.outbox import ClaimRequest
from centralbot.ports.store import Store
from tests.builders import INSTALLATION, REPO, a_config, a_pull_request_event, a_settlement, an_installation_event

RULES = OutboxRules(lease_s=60, max_attempts=3)
COMMENT = 7007
EVERY_TYPE = tuple(ActionType)


@dataclass(frozen=True)
class UnderTest:
    """A store, the gate that it decides with, and a way to let time pass."""

    store: Store
    context: DecisionContext
    advance: Callable[[float], Awaitable[None]]

    async def take(self, event: PullRequestEvent, *, use: SignatureUse | None = None) -> PullRequestOutcome:
        return await self.store.deliveries.take_pull_request(
            event, lambda facts: gating.decide(self.context, event, facts), use=use
        )

    async def install(self, event: InstallationEvent, *, use: SignatureUse | None = None) -> InstallationOutcome:
        return await self.store.deliveries.take_installation(
            event, lambda facts: installation.decide(event, facts), use=use
        )

    async def connect(self, *repos: int, installation_id: int = INSTALLATION, config: RepoConfig | None = None) -> None:
        """Install the App on repositories that enforce (unless ``config`` says otherwise)."""
        repos = repos or (REPO,)
        await self.install(an_installation_event("created", *repos, installation_id=installation_id))
        for repo_id in repos:
            await self.store.repositories.configure(repo_id, config or a_config(), actor="test")

    async def opened(self, number: int = 42, **fields: Any) -> PullRequestOutcome:
        return await self.take(a_pull_request_event(number=number, **fields))

    async def claim(
        self,
        worker_id: str = "worker-1",
        *,
        limit: int = 100,
        types: Sequence[ActionType] = EVERY_TYPE,
        per_installation: int | None = None,
        use: SignatureUse | None = None,
    ) -> Sequence[Action]:
        request = ClaimRequest(
            worker_id=worker_id, limit=limit, action_types=tuple(types), max_per_installation=per_installation
        )
        return await self.store.outbox.claim(request, use=use)

    async def settle(self, action: Action, outcome: Outcome = Outcome.SUCCEEDED, **fields: Any) -> ActionStatus:
        return await self.store.outbox.settle(a_settlement(action, outcome, **fields))

    async def run_all(self, **fields: Any) -> list[Action]:
        """Claim and succeed until nothing is left; returns what was done, in order."""
        done: list[Action] = []
        while batch := await self.claim("runner"):
            for action in batch:
                await self.settle(action, **{"comment_id": COMMENT, **fields})
                done.append(action)
        return done

    async def challenged(self, number: int = 42, **fields: Any) -> Challenge:
        """A pull request with a pending challenge whose comment is not posted yet."""
        outcome = await self.opened(number, **fields)
        assert outcome.challenge_id is not None
        return await self.store.challenges.get(outcome.challenge_id)

    async def noticed(self, number: int = 42, **fields: Any) -> Challenge:
        """A pull request with a pending challenge whose comment is posted."""
        challenge = await self.challenged(number, **fields)
        await self.run_all()
        return await self.store.challenges.get(challenge.id)

    async def timed_out(self, number: int = 42, **fields: Any) -> Challenge:
        """A pull request whose time ran out; its close is queued."""
        challenge = await self.noticed(number, **fields)
        await self.advance(challenge.window_s + 1)
        await self.sweep()
        return await self.store.challenges.get(challenge.id)

    async def sweep(self, limit: int = 100) -> tuple[int, int]:
        return await self.store.upkeep.sweep_due(
            lambda facts, position: verdicts.on_deadline(self.context, facts, position=position), limit=limit
        )

    async def verify(self, challenge: Challenge) -> Challenge:
        return await self.store.challenges.decide(
            challenge.id, lambda facts: verdicts.on_verified(self.context, facts, actor="github:2002")
        )

    async def extend(self, challenge: Challenge, by_s: int = 600) -> Challenge:
        return await self.store.challenges.decide(
            challenge.id, lambda facts: verdicts.on_extended(self.context, facts, by_s=by_s, actor="github:3003")
        )

    async def action(self, action_id: Any) -> Action:
        return next(a for a in await self.store.actions.search(limit=1000) if a.id == action_id)

    async def statuses(self) -> list[tuple[ActionType, ActionStatus]]:
        """Every action's type and status, oldest first."""
        actions = await self.store.actions.search(limit=1000)
        return [(action.action_type, action.status) for action in reversed(actions)]
