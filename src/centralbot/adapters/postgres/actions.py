"""The outbox as an operator sees it, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.database import Connection, Database
from centralbot.adapters.postgres.locking import locked_facts, withdraw
from centralbot.adapters.postgres.queries import sql
from centralbot.adapters.postgres.writer import Write
from centralbot.domain.challenge import counting
from centralbot.domain.errors import NotFound
from centralbot.domain.gating import DecisionContext
from centralbot.domain.outbox import SETTLED, Action, ActionStatus, OutboxRules
from centralbot.domain.results import on_operator_cancel, on_operator_retry
from centralbot.domain.verdicts import ChallengeFacts


class PostgresActions:
    """Lists, retries and cancels (port ``Actions``)."""

    def __init__(self, database: Database, *, rules: OutboxRules, notify: Callable[[], None]) -> None:
        self._database = database
        self._rules = rules
        self._notify = notify

    async def search(
        self, *, status: ActionStatus | None = None, before: UUID | None = None, limit: int = 100
    ) -> Sequence[Action]:
        is_settled = status in SETTLED
        parameters = {
            "settled": status.value if status is not None and is_settled else None,
            "held": None if status is None or is_settled else status is ActionStatus.CLAIMED,
            "before": before,
            "limit": limit,
        }
        return [_action(row) for row in await self._database.fetch(sql("search_actions"), parameters)]

    async def retry(self, action_id: UUID, *, context: DecisionContext, actor: str) -> Action:
        async def work(connection: Connection, now: datetime, _: int) -> Action:
            action = await _locked(connection, action_id)
            facts = await _facts(connection, action)
            counts = facts is not None and await _counting(connection, action) == facts.challenge.id
            decision = on_operator_retry(context, action, facts, counts=counts, rules=self._rules, actor=actor, now=now)
            write = Write(now)
            write.revive(decision.action)
            write.effects(decision.effects)
            await write.run(connection)
            return await _read(connection, action_id)

        action = await self._database.decide(work)
        self._notify()
        return action

    async def cancel(self, action_id: UUID, *, context: DecisionContext, actor: str) -> Action:
        async def work(connection: Connection, now: datetime, _: int) -> Action:
            action = await _locked(connection, action_id)
            facts = await _facts(connection, action)
            challenge = None if facts is None else facts.challenge
            decision = on_operator_cancel(context, action, challenge, actor=actor, now=now)
            write = Write(now)
            write.put(decision.action)
            write.effects(decision.effects)
            if decision.effects.touches_queue:
                await withdraw(connection, write, [decision.effects], now, besides=[action_id])
            await write.run(connection)
            return await _read(connection, action_id)

        return await self._database.decide(work)


def _action(row: Any) -> Action:
    return codec.action(row, codec.envelope(row) if row.a_settled is None else codec.settled(row))


async def _read(connection: Connection, action_id: UUID) -> Action:
    cursor = await connection.execute(sql("get_action"), {"id": action_id})
    row = await cursor.fetchone()
    if row is None:
        raise NotFound(f"there is no action {action_id}")
    return _action(row)


async def _locked(connection: Connection, action_id: UUID) -> Action:
    """The action, its row and its place in the queue locked: who claims or settles it locks that place alone."""
    await connection.execute(sql("lock_action"), {"id": action_id})
    action = await _read(connection, action_id)
    places = codec.document([{"repo_id": action.repo_id, "pr_number": action.pr_number}])
    await connection.execute(sql("lock_outstanding"), {"places": places})
    return await _read(connection, action_id)


async def _facts(connection: Connection, action: Action) -> ChallengeFacts | None:
    return None if action.challenge_id is None else await locked_facts(connection, action.challenge_id)


async def _counting(connection: Connection, action: Action) -> UUID | None:
    """The challenge that counts of the action's pull request."""
    place = {"repo_id": action.repo_id, "pr_number": action.pr_number}
    rows = await (await connection.execute(sql("challenges_of_pull_request"), place)).fetchall()
    challenge = counting(codec.challenge(row) for row in rows)
    return None if challenge is None else challenge.id
