"""What the sweeper does to PostgreSQL: bounded, set-based batches; any number of sweepers at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import product
from typing import Any
from uuid import UUID

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.challenges import first_id_at
from centralbot.adapters.postgres.database import Conflict, Connection, Database
from centralbot.adapters.postgres.locking import withdraw
from centralbot.adapters.postgres.queries import sql
from centralbot.adapters.postgres.writer import Write
from centralbot.domain.actions import ActionType
from centralbot.domain.challenge import Challenge, ChallengeStatus, is_due
from centralbot.domain.config import Mode
from centralbot.domain.dedup import NONCE_MARGIN, replay_horizon
from centralbot.domain.effects import Effects
from centralbot.domain.gating import DecisionContext
from centralbot.domain.installation import UNSAID, InstallationStatus
from centralbot.domain.outbox import ActionStatus, Envelope, is_live, needs_rescue
from centralbot.domain.results import ActionDecision, on_orphaned, on_rescue, orphaned
from centralbot.domain.verdicts import CloseState, close_state, facts_of, worth_keeping
from centralbot.ports.challenges import DecideDue, Retention


class PostgresUpkeep:
    """Deadlines, lost leases, orphaned actions and retention (port ``Upkeep``)."""

    def __init__(self, database: Database, *, context: DecisionContext, notify: Callable[[], None]) -> None:
        self._database = database
        self._context = context
        self._notify = notify

    async def sweep_due(self, decide: DecideDue, *, limit: int) -> tuple[int, int]:
        async def work(connection: Connection, now: datetime, _: int) -> tuple[int, int]:
            asked = {"limit": limit, "now": now}
            rows = await (await connection.execute(sql("lock_due"), asked, binary=True)).fetchall()
            positions: dict[int, int] = {}
            time_outs = codec.TimeOuts()
            others: list[Effects] = []
            timed_out = let_go = 0
            for row in rows:
                challenge = codec.challenge(row)
                if not is_due(challenge, now=now):
                    continue
                position = positions.setdefault(challenge.repo_id, row.closes)
                facts = facts_of(
                    challenge,
                    now=now,
                    of_pull_request=(),  # it is active itself, and there is only one
                    whitelisted=row.whitelisted,
                    mode=None if row.repository_mode is None else Mode(row.repository_mode),
                    close=None,
                    kept=None,
                    installation_id=row.here,
                    repo_full_name=row.full_name,
                )
                effects = decide(facts, position)
                if effects.changed is not None and effects.changed.challenge.status is ChallengeStatus.TIMED_OUT_CLOSED:
                    timed_out += 1
                    positions[challenge.repo_id] = position + 1
                else:
                    let_go += 1
                if not time_outs.add(effects):
                    others.append(effects)
            for alike, expected in time_outs.parameters():
                await _write(connection, sql("time_out"), {**alike, "now": now}, expected=expected)
            if others:
                write = Write(now)
                for effects in others:
                    write.effects(effects)
                await withdraw(connection, write, others, now)
                await write.run(connection)
            return timed_out, let_go

        counts = await self._database.decide(work)
        if sum(counts):
            self._notify()
        return counts

    async def rescue_expired(self, *, max_attempts: int, limit: int) -> tuple[int, int]:
        async def work(connection: Connection, now: datetime, _: int) -> tuple[int, int]:
            asked = {"limit": limit, "now": now, "max_attempts": max_attempts}
            rows = await (await connection.execute(sql("lock_lost"), asked, binary=True)).fetchall()
            decisions, challenges = [], _Challenges()
            for row in rows:
                action = Envelope(**codec.envelope(row))
                if needs_rescue(action, max_attempts=max_attempts, now=now):
                    challenge = challenges.of(row)
                    decision = on_rescue(self._context, action, challenge, max_attempts=max_attempts, now=now)
                    decisions.append(challenges.after(decision))
            await _put(connection, decisions, now)
            dead = sum(one.action.status is ActionStatus.FAILED for one in decisions)
            return len(decisions) - dead, dead

        returned, dead = await self._database.decide(work)
        if returned:
            self._notify()
        return returned, dead

    async def cancel_orphaned(self, *, limit: int) -> int:
        async def work(connection: Connection, now: datetime, _: int) -> int:
            asked = {**_ORPHANED, "limit": limit, "now": now}
            rows = await (await connection.execute(sql("lock_orphaned"), asked, binary=True)).fetchall()
            decisions, challenges = [], _Challenges()
            for row in rows:
                action = Envelope(**codec.envelope(row))
                why = orphaned(
                    action,
                    installation=None if row.place_status is None else InstallationStatus(row.place_status),
                    repository_active=row.place_active,
                    switched_off=row.place_mode == Mode.OFF,
                )
                if why is not None and not is_live(action, now=now):
                    decision = on_orphaned(self._context, action, challenges.of(row), why=why, now=now)
                    decisions.append(challenges.after(decision))
            await _put(connection, decisions, now)
            return len(decisions)

        return await self._database.decide(work)

    async def prune(self, retention: Retention, *, limit: int) -> int:
        now = (await self._database.fetch(sql("clock")))[0][0]
        pruned = await self._prune_actions(first_id_at(retention.actions_before), limit)
        for query, before in (
            ("prune_deliveries", retention.deliveries_before),
            ("prune_replays", replay_horizon(now)),
            ("prune_audit", first_id_at(retention.audit_before)),
            ("prune_sessions", now),
            ("prune_nonces", now - NONCE_MARGIN),
        ):
            pruned += await self._prune(sql(query), before, limit)
        return pruned

    async def _prune(self, query: bytes, before: datetime | int | UUID, limit: int) -> int:
        async def work(connection: Connection, _: int) -> int:
            return (await connection.execute(query, {"before": before, "limit": limit})).rowcount

        return await self._database.run(work, transaction=False)

    async def _prune_actions(self, before: UUID, limit: int) -> int:
        async def work(connection: Connection, now: datetime, _: int) -> int:
            cursor = await connection.execute(sql("lock_old_actions"), {"before": before, "limit": limit})
            old = [Envelope(**codec.settled(row)) for row in await cursor.fetchall()]
            closes: dict[UUID, CloseState] = {}
            for action in old:
                if action.action_type is ActionType.CLOSE_PR_WITH_COMMENT and action.challenge_id is not None:
                    kept = worth_keeping(close_state(action, now=now))
                    if kept is not None:
                        closes[action.challenge_id] = kept
            parameters = {
                "ids": [action.id for action in old],
                "challenges": list(closes),
                "closes": codec.document([{"challenge_id": i, "close_state": kept} for i, kept in closes.items()]),
            }
            if old:
                await connection.execute(sql("delete_actions"), parameters)
            return len(old)

        return await self._database.decide(work)


class _Challenges:
    """The challenges of one batch, each as the decisions before have left it: two actions may be about one."""

    def __init__(self) -> None:
        self._changed: dict[UUID, Challenge] = {}

    def of(self, row: Any) -> Challenge | None:
        """The challenge of a row, if it has one."""
        return None if row.id is None else self._changed.get(row.id) or codec.challenge(row)

    def after(self, decision: ActionDecision[Envelope]) -> ActionDecision[Envelope]:
        """Remember what ``decision`` made of its challenge."""
        change = decision.effects.changed
        if change is not None:
            self._changed[change.challenge.id] = change.challenge
        return decision


def _combinations() -> dict[str, list[Any]]:
    """Every combination for which the domain counts a queued action as orphaned, as columns for ``lock_orphaned``."""
    found = []
    for status, active, mode, action_type in product(
        (None, *InstallationStatus), (None, True, False), (None, *Mode), ActionType
    ):
        action = Envelope(
            id=UUID(int=0),
            seq=0,
            action_type=action_type,
            installation_id=1,
            repo_id=1,
            pr_number=1,
            challenge_id=None,
            supersede_key=None,
            run_at=UNSAID,
            status=ActionStatus.PENDING,
            attempts=0,
            worker_id=None,
            claim_token=None,
            last_outcome=None,
            last_token=None,
            last_worker_id=None,
            failure_code=None,
            failure_message=None,
            settled_at=None,
            cancel_reason=None,
        )
        if orphaned(action, installation=status, repository_active=active, switched_off=mode is Mode.OFF):
            closes = action_type is ActionType.CLOSE_PR_WITH_COMMENT
            found.append(
                (None if status is None else status.value, active, None if mode is None else mode.value, closes)
            )
    columns = zip(*dict.fromkeys(found), strict=True)
    return dict(zip(("statuses", "active", "modes", "closes"), map(list, columns), strict=True))


_ORPHANED = _combinations()


async def _put(connection: Connection, decisions: list[ActionDecision[Envelope]], now: datetime) -> None:
    """Write what was decided of actions, and withdraw what their challenges have queued besides."""
    write = Write(now)
    for decision in decisions:
        write.put(decision.action)
        write.effects(decision.effects)
    touching = [one.effects for one in decisions if one.effects.touches_queue]
    if touching:
        await withdraw(connection, write, touching, now, besides=[one.action.id for one in decisions])
    await write.run(connection)


async def _write(connection: Connection, query: bytes, parameters: Mapping[str, Any], *, expected: int) -> None:
    done = await (await connection.execute(query, parameters)).fetchone()
    if done is None or done[0] != expected:
        raise Conflict("a due challenge changed meanwhile")
