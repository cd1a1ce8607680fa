"""What an owner reads about a repository, from PostgreSQL: index ranges of bounded size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.database import Database
from centralbot.adapters.postgres.queries import sql
from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.config import Mode
from centralbot.domain.effects import AuditEvent
from centralbot.domain.gating import Reason
from centralbot.domain.reports import ShadowGroup, ShadowReport, shadow_report
from centralbot.ports.challenges import MAX_REPORT_DAYS, StoredProof


class PostgresReports:
    """Reads (port ``Reports``)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def audit(self, repo_id: int, *, before: UUID | None = None, limit: int = 50) -> Sequence[AuditEvent]:
        parameters = {"repo_id": repo_id, "before": before, "limit": limit}
        return [codec.audit_event(row) for row in await self._database.fetch(sql("audit_of_repo"), parameters)]

    async def shadow(self, repo_id: int, *, days: int = 7) -> ShadowReport:
        since = await self._since(days)
        parameters = {"repo_id": repo_id, "since": since, "mode": Mode.SHADOW.value, "merged": Reason.MERGED.value}
        rows = await self._database.fetch(sql("shadow_groups"), parameters)
        groups = (
            ShadowGroup(status=ChallengeStatus(row.status), asked=row.asked, merged=row.merged, count=row.count)
            for row in rows
        )
        return shadow_report(since, groups)

    async def outcomes(self, repo_id: int, *, days: int = 7) -> Mapping[ChallengeStatus, int]:
        parameters = {"repo_id": repo_id, "since": await self._since(days), "mode": Mode.ENFORCE.value}
        rows = await self._database.fetch(sql("challenge_outcomes"), parameters)
        return {ChallengeStatus(row.status): row.count for row in rows}

    async def _since(self, days: int) -> datetime:
        now: datetime = (await self._database.fetch(sql("clock")))[0][0]
        return now - timedelta(days=min(days, MAX_REPORT_DAYS))

    async def proofs(self, challenge_id: UUID) -> Sequence[StoredProof]:
        rows = await self._database.fetch(sql("challenge_proofs"), {"challenge_id": challenge_id})
        return [StoredProof(kind=row[0], evidence=row[1], passed_at=row[2]) for row in rows]

    async def logins(self, user_ids: Sequence[int]) -> dict[int, str]:
        rows = await self._database.fetch(sql("logins"), {"user_ids": list(dict.fromkeys(user_ids))})
        return {row[0]: row[1] for row in rows}
