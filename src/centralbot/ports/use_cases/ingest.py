"""Ingest: one delivery in, one decision, one effect."""

from __future__ import annotations

from centralbot.domain import gating, installation
from centralbot.domain.config import Mode
from centralbot.domain.dedup import InstallationOutcome, PullRequestOutcome, SignatureUse
from centralbot.domain.events import InstallationEvent, PullRequestEvent
from centralbot.domain.gating import DecisionContext
from centralbot.ports.deliveries import Deliveries


class Ingest:
    """Takes normalized deliveries. Raises what :class:`~centralbot.ports.deliveries.Deliveries` raises."""

    def __init__(self, deliveries: Deliveries, context: DecisionContext) -> None:
        self._deliveries = deliveries
        self._context = context

    async def pull_request(self, event: PullRequestEvent, *, use: SignatureUse | None = None) -> PullRequestOutcome:
        """Decide and record one pull request delivery."""
        context = self._context
        return await self._deliveries.take_pull_request(
            event, lambda facts: gating.decide(context, event, facts), use=use
        )

    async def found(self, event: PullRequestEvent, *, mode: Mode) -> PullRequestOutcome:
        """Decide and record an open pull request that GitHub was asked for, in a repository then in ``mode``."""
        context = self._context
        return await self._deliveries.take_pull_request(
            event, lambda facts: gating.decide_found(context, event, facts, mode=mode)
        )

    async def installation(self, event: InstallationEvent, *, use: SignatureUse | None = None) -> InstallationOutcome:
        """Decide and record one installation delivery."""
        return await self._deliveries.take_installation(event, lambda facts: installation.decide(event, facts), use=use)
