"""Challenges in PostgreSQL: reading them, and deciding about one under its row lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.database import Connection, Database
from centralbot.adapters.postgres.outbox import withdraw
from centralbot.adapters.postgres.queries import sql
from centralbot.adapters.postgres.writer import Write
from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.config import Mode
from centralbot.domain.effects import NOTHING, AuditEvent
from centralbot.domain.errors import NotFound
from centralbot.domain.outbox import Envelope
from centralbot.domain.verdicts import ChallengeFacts, CloseState, facts_of
from centralbot.ports.challenges import MAX_NOTES, DecideChallenge, Proof

ID_SKEW = timedelta(hours=1)
"""How far the clock that made an id may be from the store's."""


def first_id_at(time: datetime) -> UUID:
    """The smallest UUID of version 7 for a moment: what sorts before it is older."""
    return UUID(int=int(time.timestamp() * 1000) << 80)


async def locked_facts(connection: Connection, challenge_id: UUID) -> ChallengeFacts:
    """Lock a challenge and what its pull request has queued until the transaction ends, and read what deciding needs.

    So no claim takes its close while its end is decided. Raises NotFound.
    """
    key: dict[str, object] = {"challenge_id": challenge_id}
    place = await (await connection.execute(sql("lock_challenge"), key)).fetchone()
    if place is None:
        raise NotFound(f"there is no challenge {challenge_id}")
    places = codec.document([{"repo_id": place.repo_id, "pr_number": place.pr_number}])
    await connection.execute(sql("lock_outstanding"), {"places": places})
    return _facts(await (await connection.execute(sql("challenge_facts"), key)).fetchall(), challenge_id)


def _facts(rows: Sequence[Any], challenge_id: UUID) -> ChallengeFacts:
    row = next((row for row in rows if not row.other), None)
    if row is None:
        raise NotFound(f"there is no challenge {challenge_id}")
    close: Envelope | None = None
    if row.a_id is not None:
        close = Envelope(**(codec.envelope(row) if row.a_settled is None else codec.settled(row)))
    return facts_of(
        codec.challenge(row),
        now=row.now,
        of_pull_request=[codec.challenge(one) for one in rows],
        whitelisted=row.whitelisted,
        mode=None if row.repository_mode is None else Mode(row.repository_mode),
        close=close,
        kept=None if row.close_state is None else CloseState(row.close_state),
        installation_id=row.here,
        repo_full_name=row.full_name,
    )


class PostgresChallenges:
    """Reads and decides (port ``Challenges``)."""

    def __init__(self, database: Database, *, notify: Callable[[], None]) -> None:
        self._database = database
        self._notify = notify

    async def get(self, challenge_id: UUID) -> Challenge:
        rows = await self._database.fetch(sql("get_challenge"), {"id": challenge_id})
        if not rows:
            raise NotFound(f"there is no challenge {challenge_id}")
        return codec.challenge(rows[0])

    async def facts(self, challenge_id: UUID) -> ChallengeFacts:
        return _facts(await self._database.fetch(sql("challenge_facts"), {"challenge_id": challenge_id}), challenge_id)

    async def decide(self, challenge_id: UUID, decide: DecideChallenge, *, proofs: Sequence[Proof] = ()) -> Challenge:
        async def work(connection: Connection, now: datetime, _: int) -> tuple[Challenge, bool]:
            facts = await locked_facts(connection, challenge_id)
            before = facts.challenge
            effects = decide(facts)
            if effects == NOTHING and not proofs:
                return before, False
            write = Write(now)
            write.effects(effects)
            write.prove(
                [
                    {"id": proof.id, "challenge_id": challenge_id, "kind": proof.kind, "evidence": proof.evidence}
                    for proof in proofs
                ]
            )
            if effects.touches_queue:
                await withdraw(connection, write, [effects], now)
            await write.run(connection)
            return before if effects.changed is None else effects.changed.challenge, True

        challenge, changed = await self._database.decide(work)
        if changed:
            self._notify()
        return challenge

    async def note(
        self, challenge_id: UUID, event: str, *, actor: str, detail: Mapping[str, str | int | bool | None]
    ) -> None:
        parameters = {
            "challenge_id": challenge_id,
            "event": event,
            "actor": actor,
            "detail": codec.document(detail),
            "most": MAX_NOTES,
        }
        if not await self._database.fetch(sql("note_challenge"), parameters):
            raise NotFound(f"there is no challenge {challenge_id}")

    async def search(
        self,
        *,
        repo_id: int | None = None,
        status: ChallengeStatus | None = None,
        before: UUID | None = None,
        limit: int = 50,
    ) -> Sequence[Challenge]:
        parameters = {"repo_id": repo_id, "status": status and status.value, "before": before, "limit": limit}
        query = sql("search_challenges" if repo_id is None else "search_challenges_of_repo")
        return [codec.challenge(row) for row in await self._database.fetch(query, parameters)]

    async def history(self, challenge_id: UUID) -> Sequence[AuditEvent]:
        challenge = await self.get(challenge_id)
        first_id = first_id_at(challenge.created_at - ID_SKEW)
        parameters = {"repo_id": challenge.repo_id, "first_id": first_id, "challenge_id": challenge_id}
        rows = await self._database.fetch(sql("challenge_history"), parameters)
        return [codec.audit_event(row) for row in rows]
