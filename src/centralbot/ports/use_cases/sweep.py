"""The sweeper: due challenges, expired leases, strays and retention, in bounded batches."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

from centralbot.domain import verdicts
from centralbot.domain.dedup import DELIVERY_RETENTION
from centralbot.domain.effects import Effects
from centralbot.domain.gating import DecisionContext
from centralbot.domain.outbox import OutboxRules
from centralbot.domain.verdicts import ChallengeFacts
from centralbot.ports.admin import Health
from centralbot.ports.challenges import Retention, Upkeep

BATCH = 1_000
PRUNE_BATCH = 5_000
ACTION_RETENTION = timedelta(days=30)
AUDIT_RETENTION = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What one pass did, in rows. ``exempt``: challenges that came due and were let go."""

    timed_out: int = 0
    exempt: int = 0
    leases_returned: int = 0
    actions_dead: int = 0
    orphaned_canceled: int = 0
    rows_pruned: int = 0


class Sweep:
    """One pass over what is due. Any number of sweepers may run at once; each due challenge is decided once."""

    def __init__(
        self, upkeep: Upkeep, health: Health, context: DecisionContext, rules: OutboxRules, *, lanes: int = 3
    ) -> None:
        self._upkeep = upkeep
        self._health = health
        self._context = context
        self._rules = rules
        self._lanes = lanes

    async def once(self, *, retention: bool = True) -> SweepReport:
        """Sweep until nothing more is due. Raises Unavailable; what was committed by then stays."""
        # Lanes: while PostgreSQL writes one batch, Python decides the next, and the third waits for neither.
        swept = await asyncio.gather(*(self._due() for _ in range(self._lanes)))
        report = SweepReport(timed_out=sum(lane[0] for lane in swept), exempt=sum(lane[1] for lane in swept))
        while True:
            returned, dead = await self._upkeep.rescue_expired(max_attempts=self._rules.max_attempts, limit=BATCH)
            report = replace(
                report, leases_returned=report.leases_returned + returned, actions_dead=report.actions_dead + dead
            )
            if returned + dead < BATCH:
                break
        while canceled := await self._upkeep.cancel_orphaned(limit=BATCH):
            report = replace(report, orphaned_canceled=report.orphaned_canceled + canceled)
        if retention:
            report = replace(report, rows_pruned=await self._prune())
        return report

    async def _due(self) -> tuple[int, int]:
        timed_out = exempt = 0
        while True:
            batch = await self._upkeep.sweep_due(self._decide, limit=BATCH)
            timed_out += batch[0]
            exempt += batch[1]
            if sum(batch) < BATCH:
                return timed_out, exempt

    def _decide(self, facts: ChallengeFacts, position: int) -> Effects:
        return verdicts.on_deadline(self._context, facts, position=position)

    async def _prune(self) -> int:
        now = await self._health.now()
        limits = Retention(
            deliveries_before=now - DELIVERY_RETENTION,
            actions_before=now - ACTION_RETENTION,
            audit_before=now - AUDIT_RETENTION,
        )
        pruned = 0
        while batch := await self._upkeep.prune(limits, limit=PRUNE_BATCH):
            pruned += batch
        return pruned
