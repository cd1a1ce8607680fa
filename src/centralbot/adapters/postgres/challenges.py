"""Challenges in PostgreSQL: reading them, and deciding about one under its row lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.database import Connection, Database
from centralbot.adapters.postgres.locking import facts_in, locked_facts, withdraw
from centralbot.adapters.postgres.queries import sql
from centralbot.adapters.postgres.writer import Write
from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.effects import NOTHING, AuditEvent
from centralbot.domain.errors import NotFound
from centralbot.domain.verdicts import ChallengeFacts
from centralbot.ports.challenges import MAX_NOTES, DecideChallenge, Proof

ID_SKEW = timedelta(hours=1)
"""How far the clock that made an id may be from the store's."""


def first_id_at(time: datetime) -> UUID:
    """The smallest UUID of version 7 for a moment: what sorts before it is older."""
    return UUID(int=int(time.timestamp() * 1000) << 80)


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
        return facts_in(
            await self._database.fetch(sql("challenge_facts"), {"challenge_id": challenge_id}), challenge_id
        )

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
