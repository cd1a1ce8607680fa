"""The outbox in PostgreSQL: claims and results are read and locked, decided by the domain, and written at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from random import randrange
from typing import Any
from uuid import UUID

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.database import Conflict, Connection, Database
from centralbot.adapters.postgres.grouper import Grouper
from centralbot.adapters.postgres.locking import locked_facts, withdraw
from centralbot.adapters.postgres.notifier import Notifier
from centralbot.adapters.postgres.queries import sql
from centralbot.adapters.postgres.writer import Write
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.effects import Effects
from centralbot.domain.errors import CentralbotError, NotFound
from centralbot.domain.gating import DecisionContext
from centralbot.domain.installation import InstallationStatus
from centralbot.domain.outbox import Action, ActionStatus, Envelope, OutboxRules, Outcome, Settlement
from centralbot.domain.results import Standing, hand_out, on_malformed, on_result
from centralbot.ports.clock import Ids
from centralbot.ports.deliveries import SignatureReplayed
from centralbot.ports.outbox import ClaimRequest

UNBOUNDED = 1_000_000


@dataclass(frozen=True, slots=True)
class _Item:
    settlement: Settlement
    use: SignatureUse | None


class PostgresOutbox:
    """The queue of what the bot shall do (port ``Outbox``)."""

    def __init__(
        self, database: Database, notifier: Notifier, *, ids: Ids, rules: OutboxRules, context: DecisionContext
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._ids = ids
        self._rules = rules
        self._context = context
        self._grouper: Grouper[_Item, ActionStatus] = Grouper(self._flush, lambda item: (item.settlement.action_id,))

    async def claim(self, request: ClaimRequest, *, use: SignatureUse | None = None) -> Sequence[Action]:
        parameters = {
            "limit": request.limit,
            "types": [action_type.value for action_type in request.action_types],
            "per_installation": request.max_per_installation or UNBOUNDED,
            "after": randrange(1 << 40),  # noqa: S311 - where to start on the circle of installations
            "signed_at": None if use is None else use.signed_at,
            "digest": None if use is None else use.digest,
        }

        async def work(connection: Connection, now: datetime, attempt: int) -> list[Action]:
            known = {**parameters, "now": now, "first_try": attempt == 0}
            rows = await (await connection.execute(sql("lock_claimable"), known, binary=True)).fetchall()
            if rows[0].replayed:
                raise SignatureReplayed("the signature was used before")
            write, claimed = Write(now), []
            for row in rows:
                if row.q_action_id is None:
                    continue
                action = self._handed_out(row, request.worker_id, write, now)
                if action is not None:
                    write.put(action)
                    claimed.append(action)
            await write.run(connection)
            return claimed

        return await self._database.decide(work)

    def _handed_out(self, row: Any, worker_id: str, write: Write, now: datetime) -> Action | None:
        fields = codec.envelope(row)
        try:
            action = codec.action(row, fields)
        except codec.MalformedPayload as exc:  # it fails alone: the others are handed out
            write.put(on_malformed(Envelope(**fields), message=str(exc), now=now))
            return None
        return hand_out(
            action,
            None if row.id is None else codec.challenge(row),
            self._context.defaults if row.config is None else codec.config(row.config),
            whitelisted=row.whitelisted,
            installation_status=InstallationStatus(row.lane_status),
            paused_until=row.lane_paused_until,
            repo_full_name=row.full_name_now,
            worker_id=worker_id,
            token=self._ids.new_id(),
            rules=self._rules,
            now=now,
        )

    async def settle(self, settlement: Settlement, *, use: SignatureUse | None = None) -> ActionStatus:
        return await self._grouper.submit(_Item(settlement, use))

    async def wait(self, timeout_s: float) -> None:
        await self._notifier.wait(timeout_s)

    async def _flush(self, batch: Sequence[_Item]) -> list[ActionStatus | Exception]:
        asked = [
            {
                "action_id": item.settlement.action_id,
                "pauses": item.settlement.pause_installation_s is not None,
                "signed_at": None if item.use is None else item.use.signed_at,
                "digest": None if item.use is None else item.use.digest.hex(),
            }
            for item in batch
        ]
        results = codec.document(asked)

        async def work(connection: Connection, now: datetime, attempt: int) -> list[ActionStatus | Exception]:
            known = {"results": results, "first_try": attempt == 0}
            rows = await (await connection.execute(sql("lock_results"), known, binary=True)).fetchall()
            found = {row.action_id: row for row in rows}
            write = Write(now)
            withdrawals: list[Effects] = []
            outcomes: list[ActionStatus | Exception] = []
            standings = await self._standings(connection, batch, found)
            for item in batch:
                try:
                    outcomes.append(
                        self._taken(
                            item.settlement,
                            found[item.settlement.action_id],
                            standings.get(item.settlement.action_id),
                            write,
                            withdrawals,
                            now,
                        )
                    )
                except CentralbotError as exc:
                    outcomes.append(exc)
            if withdrawals:
                await withdraw(connection, write, withdrawals, now, besides={row.action_id for row in rows})
            await write.run(connection)
            return outcomes

        outcomes = await self._database.decide(work)
        self._notifier.notify()  # the next action of that pull request or installation may be free now
        return outcomes

    async def _standings(
        self, connection: Connection, batch: Sequence[_Item], found: dict[UUID, Any]
    ) -> dict[UUID, Standing]:
        """How the challenges of withheld actions stand; there are few."""
        standings: dict[UUID, Standing] = {}
        for item in batch:
            row = found[item.settlement.action_id]
            if item.settlement.outcome is Outcome.WITHHELD and row.id is not None:
                facts = await locked_facts(connection, row.id)
                cursor = await connection.execute(sql("configuration"), {"repo_id": row.repo_id})
                known = await cursor.fetchone()
                config = self._context.defaults if known is None else codec.config(known.config)
                standings[item.settlement.action_id] = Standing(facts=facts, config=config)
        return standings

    def _taken(
        self,
        settlement: Settlement,
        row: Any,
        standing: Standing | None,
        write: Write,
        withdrawals: list[Effects],
        now: datetime,
    ) -> ActionStatus:
        """Decide one result. Raises SignatureReplayed, NotFound, ActionNotHeld; Conflict where it moved meanwhile."""
        if row.replayed:
            raise SignatureReplayed("the signature was used before")
        if row.q_action_id is not None:
            action = Envelope(**codec.envelope(row))
        elif row.a_settled is not None:
            action = Envelope(**codec.settled(row))
        elif row.a_id is not None:  # settled by somebody for whom we waited
            raise Conflict(f"action {settlement.action_id} changed meanwhile")
        else:
            raise NotFound(f"there is no action {settlement.action_id}")
        decision = on_result(
            self._context,
            settlement,
            action,
            None if row.id is None else codec.challenge(row),
            standing=standing,
            paused_until=row.paused_until,
            rules=self._rules,
            jitter=self._ids.jitter(),
            now=now,
        )
        after = decision.action
        if after is not action:
            write.put(after, comment_id=settlement.comment_id)
            write.effects(decision.effects)
            if decision.effects.touches_queue:
                withdrawals.append(decision.effects)
            if decision.paused_until is not None:
                write.pause(action.installation_id, decision.paused_until)
        return after.status
