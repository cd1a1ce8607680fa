"""Ingest: one delivery in, one decision, one effect."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import cast

from centralbot.domain import gating, installation
from centralbot.domain.config import Mode
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.events import (
    Event,
    EventOutcome,
    InstallationEvent,
    OutcomeT,
    PullRequestActivity,
    PullRequestEvent,
    PullRequestOutcome,
)
from centralbot.domain.gating import DecisionContext
from centralbot.domain.handlers import HANDLERS
from centralbot.ports.deliveries import Deliveries


class Ingest:
    """Takes normalized deliveries. Raises what :class:`~centralbot.ports.deliveries.Deliveries` raises."""

    def __init__(self, deliveries: Deliveries, context: DecisionContext) -> None:
        self._deliveries = deliveries
        self._context = context

    def take(self, event: Event[OutcomeT], *, use: SignatureUse | None = None) -> Awaitable[OutcomeT]:
        """Have the event's handler decide, and record what it did."""
        taken: Awaitable[EventOutcome]
        match event:
            case PullRequestActivity():
                decide, context = HANDLERS[event.event_name].decide, self._context
                taken = self._deliveries.take_pull_request(event, lambda facts: decide(context, event, facts), use=use)
            case InstallationEvent():
                taken = self._deliveries.take_installation(
                    event, lambda facts: installation.decide(event, facts), use=use
                )
            case _:
                raise TypeError(f"nobody handles {type(event).__name__}")
        return cast("Awaitable[OutcomeT]", taken)

    async def admit(self, use: SignatureUse) -> None:
        """Let a batch in by its signature, once; its deliveries are taken without."""
        await self._deliveries.admit(use)

    async def found(self, event: PullRequestEvent, *, mode: Mode) -> PullRequestOutcome:
        """Decide and record an open pull request that GitHub was asked for, in a repository then in ``mode``."""
        context = self._context
        return await self._deliveries.take_pull_request(
            event, lambda facts: gating.decide_found(context, event, facts, mode=mode)
        )
