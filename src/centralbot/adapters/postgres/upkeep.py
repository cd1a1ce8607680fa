"""What the sweeper does to PostgreSQL: bounded, set-based batches; any number of sweepers at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.database import Conflict, Connection, Database
from centralbot.adapters.postgres.queries import sql
from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.dedup import SINGLE_USE_MARGIN, replay_horizon
from centralbot.domain.effects import Effects
from centralbot.domain.verdicts import ChallengeFacts
from centralbot.ports.challenges import DecideDue, Retention

ID_SKEW = timedelta(hours=1)
"""How far the clock that made an id may be from the store's."""


def first_id_at(time: datetime) -> UUID:
    """The smallest UUID of version 7 for a moment: what sorts before it is older."""
    return UUID(int=int(time.timestamp() * 1000) << 80)


class PostgresUpkeep:
    """Deadlines, expired leases, strays and retention (port ``Upkeep``)."""

    def __init__(self, database: Database, *, notify: Callable[[], None]) -> None:
        self._database = database
        self._notify = notify

    async def sweep_due(self, decide: DecideDue, *, limit: int) -> tuple[int, int]:
        async def work(connection: Connection, _: int) -> tuple[int, int]:
            rows = await (await connection.execute(sql("due_challenges"), {"limit": limit}, binary=True)).fetchall()
            if not rows:
                return 0, 0
            positions: dict[int, int] = {}
            time_outs = codec.TimeOuts()
            others: list[Effects] = []
            timed_out = 0
            for row in rows:
                challenge = codec.challenge(row[4:])
                position = positions.setdefault(challenge.repo_id, row[3])
                facts = ChallengeFacts(now=row[0], challenge=challenge, whitelisted=row[1], switched_off=row[2])
                effects = decide(facts, position)
                if effects.changed is not None and effects.changed.challenge.status is ChallengeStatus.TIMED_OUT_CLOSED:
                    timed_out += 1
                    positions[challenge.repo_id] = position + 1
                if not time_outs.add(effects):
                    others.append(effects)
            for alike, expected in time_outs.parameters():
                await _write(connection, sql("time_out"), {**alike, "now": rows[0][0]}, expected=expected)
            if others:
                parameters, expected = codec.effects_parameters(others)
                await _write(connection, sql("apply_effects"), parameters, expected=expected)
            return timed_out, len(rows) - timed_out

        counts = await self._database.run(work)
        if sum(counts):
            self._notify()
        return counts

    async def rescue_expired(self, *, max_attempts: int, limit: int) -> tuple[int, int]:
        parameters = {"max_attempts": max_attempts, "limit": limit}
        returned, dead = (await self._database.fetch(sql("rescue_expired"), parameters))[0]
        if returned:
            self._notify()
        return returned, dead

    async def cancel_orphaned(self, *, limit: int) -> int:
        return len(await self._database.fetch(sql("cancel_orphaned"), {"limit": limit}))

    async def prune(self, retention: Retention, *, limit: int) -> int:
        now = (await self._database.fetch(sql("clock")))[0][0]
        pruned = 0
        for query, before in (
            ("prune_deliveries", retention.deliveries_before),
            ("prune_replays", replay_horizon(now)),
            ("prune_actions", first_id_at(retention.actions_before)),
            ("prune_audit", first_id_at(retention.audit_before)),
            ("prune_sessions", now),
            ("prune_nonces", now - SINGLE_USE_MARGIN),
        ):
            pruned += await self._prune(sql(query), before, limit)
        return pruned

    async def _prune(self, query: bytes, before: datetime | int | UUID, limit: int) -> int:
        async def work(connection: Connection, _: int) -> int:
            return (await connection.execute(query, {"before": before, "limit": limit})).rowcount

        return await self._database.run(work, transaction=False)


async def _write(connection: Connection, query: bytes, parameters: Mapping[str, Any], *, expected: int) -> None:
    done = await (await connection.execute(query, parameters)).fetchone()
    if done is None or done[0] != expected:
        raise Conflict("a due challenge changed meanwhile")
