"""The outbox as an operator sees it, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.challenges import locked_facts
from centralbot.adapters.postgres.database import Conflict, Connection, Database
from centralbot.adapters.postgres.queries import sql
from centralbot.domain import outbox
from centralbot.domain.challenge import CancelReason, Challenge, ChallengeStatus
from centralbot.domain.effects import NOTHING, AuditEvent, Effects
from centralbot.domain.errors import IllegalTransition, NotFound
from centralbot.domain.gating import DecisionContext, gate_comment
from centralbot.domain.outbox import Action, ActionStatus, ActionType
from centralbot.domain.verdicts import check_retry, on_notice_failed, renewed


class PostgresActions:
    """Lists, retries and cancels (port ``Actions``)."""

    def __init__(self, database: Database, *, max_attempts: int, notify: Callable[[], None]) -> None:
        self._database = database
        self._max_attempts = max_attempts
        self._notify = notify

    async def search(
        self, *, status: ActionStatus | None = None, before: UUID | None = None, limit: int = 100
    ) -> Sequence[Action]:
        parameters = {"status": status and status.value, "before": before, "limit": limit}
        return [codec.action(row) for row in await self._database.fetch(sql("search_actions"), parameters)]

    async def retry(self, action_id: UUID, *, gate: DecisionContext, actor: str) -> Action:
        async def work(connection: Connection, _: int) -> Action:
            action = await _locked(connection, action_id)
            now = await _now(connection)
            retried = outbox.operator_retry(action, max_attempts=self._max_attempts, now=now)
            challenge = await _unnoticed(connection, action)
            if challenge is None and action.challenge_id is not None:
                check_retry(action, await locked_facts(connection, action.challenge_id))
            parameters = {
                "action_id": action_id,
                "challenge_id": action.challenge_id,
                "marker": action.marker,
                "markdown": action.markdown,
                "reason": action.reason.value,
                "comment_id": action.comment_id,
                "attempts": retried.attempts,
            }
            more = NOTHING
            if challenge is not None:
                fresh = renewed(gate, challenge, now=now)
                comment = gate_comment(gate, fresh)
                parameters |= {
                    "challenge_id": fresh.id,
                    "marker": comment.marker,
                    "markdown": comment.markdown,
                    "reason": comment.reason.value,
                    "comment_id": comment.comment_id,
                    "attempts": 0,
                }
                made = AuditEvent(
                    id=gate.new_id(),
                    at=now,
                    event="challenge.created",
                    actor=actor,
                    installation_id=fresh.installation_id,
                    repo_id=fresh.repo_id,
                    pr_number=fresh.pr_number,
                    challenge_id=fresh.id,
                    detail={"renews": str(challenge.id)},
                )
                more = Effects(created=fresh, audit=(made,))
            await _audit(connection, gate, action, "action.retried", now=now, actor=actor, more=more)
            if not await (await connection.execute(sql("retry_action"), parameters)).fetchall():
                raise Conflict(f"action {action_id} changed meanwhile")
            return await _read(connection, action_id)

        action = await self._database.run(work)
        self._notify()
        return action

    async def cancel(self, action_id: UUID, *, gate: DecisionContext, actor: str) -> Action:
        async def work(connection: Connection, _: int) -> Action:
            action = await _locked(connection, action_id)
            if not await (await connection.execute(sql("cancel_action"), {"action_id": action_id})).fetchall():
                raise IllegalTransition(machine="action", state=action.status, event="cancel")
            now = await _now(connection)
            more = await _notice_lost(connection, gate, action)
            await _audit(connection, gate, action, "action.canceled", now=now, actor=actor, more=more)
            return await _read(connection, action_id)

        return await self._database.run(work)


async def _now(connection: Connection) -> datetime:
    now: datetime = (await (await connection.execute(sql("clock"))).fetchall())[0][0]
    return now


async def _audit(
    connection: Connection,
    gate: DecisionContext,
    action: Action,
    what: str,
    *,
    now: datetime,
    actor: str,
    more: Effects = NOTHING,
) -> None:
    audit = AuditEvent(
        id=gate.new_id(),
        at=now,
        event=what,
        actor=actor,
        installation_id=action.installation_id,
        repo_id=action.repo_id,
        pr_number=action.pr_number,
        challenge_id=action.challenge_id,
        detail={"action_id": str(action.id), "failure_code": action.failure_code},
    )
    parameters, _ = codec.effects_parameters([more, Effects(audit=(audit,))])
    await connection.execute(sql("apply_effects"), parameters)


async def _read(connection: Connection, action_id: UUID) -> Action:
    cursor = await connection.execute(sql("get_action"), {"id": action_id})
    row = await cursor.fetchone()
    if row is None:
        raise NotFound(f"there is no action {action_id}")
    return codec.action(row)


async def _locked(connection: Connection, action_id: UUID) -> Action:
    await connection.execute(sql("lock_action"), {"id": action_id})
    return await _read(connection, action_id)


async def _notice_lost(connection: Connection, gate: DecisionContext, action: Action) -> Effects:
    """A gate comment that will never be posted cancels the challenge that nobody was told of (invariant 1)."""
    if action.action_type is not ActionType.UPSERT_PR_COMMENT or action.challenge_id is None:
        return NOTHING
    return on_notice_failed(gate, await locked_facts(connection, action.challenge_id))


async def _unnoticed(connection: Connection, action: Action) -> Challenge | None:
    """The challenge that was canceled for want of just this comment, unless something newer counts."""
    if action.action_type is not ActionType.UPSERT_PR_COMMENT or action.challenge_id is None:
        return None
    place = {"repo_id": action.repo_id, "pr_number": action.pr_number}
    cursor = await connection.execute(sql("current_challenge"), place)
    row = await cursor.fetchone()
    challenge = None if row is None else codec.challenge(row)
    if (
        challenge is None
        or challenge.id != action.challenge_id
        or challenge.status is not ChallengeStatus.CANCELED
        or challenge.reason != CancelReason.NOTICE_FAILED
    ):
        return None
    return challenge
