"""The backend as a worker sees it, in one process: no HTTP, no signatures, the same answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from centralbot.domain.events import Event, OutcomeT
from centralbot.domain.gating import DecisionContext
from centralbot.domain.outbox import Action, ActionStatus, Settlement
from centralbot.ports.clock import Clock
from centralbot.ports.deliveries import Deliveries
from centralbot.ports.outbox import ClaimedAction, ClaimRequest, Outbox
from centralbot.ports.use_cases.ingest import Ingest


class MemoryEventSink:
    """See :class:`~centralbot.ports.backend.EventSink`."""

    def __init__(self, deliveries: Deliveries, context: DecisionContext) -> None:
        self._ingest = Ingest(deliveries, context)

    async def send(self, event: Event[OutcomeT]) -> OutcomeT:
        return await self._ingest.take(event)


class MemoryActionSource:
    """See :class:`~centralbot.ports.outbox.ActionSource`. Waits by the event loop's time."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock

    async def claim(self, request: ClaimRequest, *, wait_s: float = 0.0) -> Sequence[ClaimedAction]:
        loop = asyncio.get_running_loop()
        end = loop.time() + wait_s
        while True:
            actions = await self._outbox.claim(request)
            left_s = end - loop.time()
            if actions or left_s <= 0:
                return [_as_claimed(action) for action in actions]
            await self._outbox.wait(left_s)

    async def settle(self, settlement: Settlement) -> ActionStatus:
        return await self._outbox.settle(settlement)

    def backend_now(self) -> datetime:
        return self._clock.now()


def _as_claimed(action: Action) -> ClaimedAction:
    return ClaimedAction(
        id=action.id,
        installation_id=action.installation_id,
        repo_id=action.repo_id,
        repo_full_name=action.repo_full_name,
        pr_number=action.pr_number,
        challenge_id=action.challenge_id,
        payload=action.payload,
        policy=action.policy,
        attempts=action.attempts - 1,
        created_at=action.created_at,
        claim_token=action.claim_token,
        lease_expires_at=action.run_at,
    )
