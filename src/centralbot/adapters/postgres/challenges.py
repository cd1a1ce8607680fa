"""Challenges in PostgreSQL: reading them, and deciding about one under its row lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.database import Conflict, Connection, Database
from centralbot.adapters.postgres.queries import sql
from centralbot.adapters.postgres.upkeep import ID_SKEW, first_id_at
from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.effects import NOTHING, AuditEvent
from centralbot.domain.errors import NotFound
from centralbot.domain.verdicts import ChallengeFacts, CloseState
from centralbot.ports.challenges import MAX_NOTES, DecideChallenge, Proof


async def locked_facts(connection: Connection, challenge_id: UUID) -> ChallengeFacts:
    """Lock a challenge and its close until the transaction ends, and read what deciding needs. Raises NotFound."""
    key: dict[str, object] = {"challenge_id": challenge_id}
    place = await (await connection.execute(sql("lock_challenge"), key)).fetchone()
    if place is None:
        raise NotFound(f"there is no challenge {challenge_id}")
    await connection.execute(sql("lock_close"), {**key, "repo_id": place[0], "pr_number": place[1]})
    return _facts(await (await connection.execute(sql("challenge_facts"), key)).fetchone(), challenge_id)


def _facts(row: Sequence[Any] | None, challenge_id: UUID) -> ChallengeFacts:
    if row is None:
        raise NotFound(f"there is no challenge {challenge_id}")
    return ChallengeFacts(
        now=row[0],
        challenge=codec.challenge(row[5:]),
        whitelisted=row[1],
        switched_off=row[2],
        superseded=row[3],
        close=CloseState(row[4] or CloseState.NONE),
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
        rows = await self._database.fetch(sql("challenge_facts"), {"challenge_id": challenge_id})
        return _facts(rows[0] if rows else None, challenge_id)

    async def decide(self, challenge_id: UUID, decide: DecideChallenge, *, proofs: Sequence[Proof] = ()) -> Challenge:
        async def work(connection: Connection, _: int) -> tuple[Challenge, bool]:
            facts = await locked_facts(connection, challenge_id)
            before = facts.challenge
            effects = decide(facts)
            if effects == NOTHING and not proofs:
                return before, False
            evidence: list[dict[str, object]] = [
                {"id": proof.id, "challenge_id": challenge_id, "kind": proof.kind, "evidence": proof.evidence}
                for proof in proofs
            ]
            parameters, expected = codec.effects_parameters([effects], proofs=evidence)
            done = await (await connection.execute(sql("apply_effects"), parameters)).fetchone()
            if done is None or done[0] != expected:
                raise Conflict(f"challenge {challenge_id} changed meanwhile")
            return before if effects.changed is None else effects.changed.challenge, True

        challenge, changed = await self._database.run(work)
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
