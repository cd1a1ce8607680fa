"""The outbox in PostgreSQL: a claim is one statement, and results that wait together share one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import randrange
from typing import Any
from uuid import UUID

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.database import Connection, Database
from centralbot.adapters.postgres.grouper import Grouper
from centralbot.adapters.postgres.notifier import Notifier
from centralbot.adapters.postgres.queries import sql
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.errors import ActionNotHeld, NotFound
from centralbot.domain.outbox import Action, ActionStatus, Outcome, Settlement, backoff_s
from centralbot.ports.clock import Ids
from centralbot.ports.deliveries import SignatureReplayed
from centralbot.ports.outbox import ClaimRequest, OutboxRules

UNBOUNDED = 1_000_000
MAX_TEXT = 1000
_NO_RESULT_YET = (None,) * 6


@dataclass(frozen=True, slots=True)
class _Item:
    settlement: Settlement
    use: SignatureUse | None


class PostgresOutbox:
    """The queue of what the bot shall do (port ``Outbox``)."""

    def __init__(self, database: Database, notifier: Notifier, *, ids: Ids, rules: OutboxRules) -> None:
        self._database = database
        self._notifier = notifier
        self._ids = ids
        self._rules = rules
        self._grouper: Grouper[_Item, ActionStatus] = Grouper(self._flush, lambda item: (item.settlement.action_id,))

    async def claim(self, request: ClaimRequest, *, use: SignatureUse | None = None) -> Sequence[Action]:
        parameters = {
            "worker_id": request.worker_id,
            "limit": request.limit,
            "types": [action_type.value for action_type in request.action_types],
            "per_installation": request.max_per_installation or UNBOUNDED,
            "lease_s": self._rules.lease_s,
            "max_attempts": self._rules.max_attempts,
            "after": randrange(1 << 40),  # noqa: S311 - where to start on the circle of installations
            "signed_at": None if use is None else use.signed_at,
            "digest": None if use is None else use.digest,
        }

        async def work(connection: Connection, attempt: int) -> list[Any]:
            parameters["first_try"] = attempt == 0
            return await (await connection.execute(sql("claim_actions"), parameters, binary=True)).fetchall()

        rows = await self._database.run(work, transaction=False)
        if rows and rows[0][0] is None:
            raise SignatureReplayed("the signature was used before")
        actions = [_claimed(row, request.worker_id) for row in rows]
        actions.sort(key=lambda action: action.seq)
        return actions

    async def settle(self, settlement: Settlement, *, use: SignatureUse | None = None) -> ActionStatus:
        return await self._grouper.submit(_Item(settlement, use))

    async def wait(self, timeout_s: float) -> None:
        await self._notifier.wait(timeout_s)

    async def _flush(self, batch: Sequence[_Item]) -> list[ActionStatus | Exception]:
        results = [self._result(item) for item in batch]

        async def work(connection: Connection, attempt: int) -> dict[UUID, tuple[str | None, bool]]:
            parameters = {
                "results": codec.document(results),
                "max_attempts": self._rules.max_attempts,
                "first_try": attempt == 0,
            }
            cursor = await connection.execute(sql("settle_actions"), parameters, binary=True)
            return {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}

        taken = await self._database.run(work, transaction=False)
        outcomes: list[ActionStatus | Exception] = []
        for item in batch:
            status, replayed = taken[item.settlement.action_id]
            if replayed:
                outcomes.append(SignatureReplayed("the signature was used before"))
            elif status is None:
                outcomes.append(await self._explain(item.settlement))
            else:
                outcomes.append(ActionStatus(status))
        self._notifier.notify()  # the next action of that pull request or installation may be free now
        return outcomes

    def _result(self, item: _Item) -> dict[str, object]:
        settlement, use = item.settlement, item.use
        jitter = self._ids.jitter()
        delays: list[float] = []
        if settlement.outcome is Outcome.RETRYABLE_FAILURE and settlement.retry_after_s is None:
            delays = [backoff_s(n + 1, jitter=jitter) for n in range(min(self._rules.max_attempts, 32))]
        return {
            "action_id": settlement.action_id,
            "worker_id": settlement.worker_id,
            "outcome": settlement.outcome,
            "failure_code": settlement.failure_code and settlement.failure_code[:MAX_TEXT],
            "failure_message": settlement.failure_message and settlement.failure_message[:MAX_TEXT],
            "claim_token": settlement.claim_token,
            "retry_after_s": settlement.retry_after_s,
            "pause_installation_s": settlement.pause_installation_s,
            "comment_id": settlement.comment_id,
            "delays": delays,
            "signed_at": None if use is None else use.signed_at,
            "digest": None if use is None else use.digest.hex(),
        }

    async def _explain(self, settlement: Settlement) -> ActionStatus | Exception:
        """Why a result did not count: said before (the same answer again), unknown, or not held."""
        rows = await self._database.fetch(sql("find_settled"), {"action_id": settlement.action_id})
        if not rows:
            return NotFound(f"there is no action {settlement.action_id}")
        settled, worker, token, outcome, held_token, last_worker, last_token, last_outcome = rows[0]
        if settled is None:
            worker, token, outcome, settled = last_worker, last_token, last_outcome, ActionStatus.PENDING
        same = worker == settlement.worker_id and outcome == settlement.outcome
        if same and held_token is None and settlement.claim_token in (None, token):
            return ActionStatus(settled)
        return ActionNotHeld(f"action {settlement.action_id} is not held by this worker's claim")


def _claimed(row: Sequence[Any], worker_id: str) -> Action:
    """A row of claim_actions: the columns of bot_actions_now up to created_at, then attempts, claim_token, run_at."""
    *known, attempts, claim_token, run_at = row
    return codec.action((*known, run_at, ActionStatus.CLAIMED, attempts, worker_id, claim_token, *_NO_RESULT_YET))
