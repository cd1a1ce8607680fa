"""Whether PostgreSQL can serve, and what waits in it."""

from __future__ import annotations

import asyncio
from datetime import datetime

from centralbot.adapters.postgres import migrate
from centralbot.adapters.postgres.database import Database
from centralbot.adapters.postgres.queries import sql
from centralbot.domain.errors import Unavailable
from centralbot.ports.admin import Backlog


class PostgresHealth:
    """Checks, clock and counts (port ``Health``)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self) -> str:
        version = (await self._database.fetch(sql("server_version")))[0][0]
        status = await asyncio.to_thread(migrate.status, self._database.dsn)
        if status.pending:
            raise Unavailable(
                f"the schema is at {status.current or 'nothing'}, {status.head} is needed: run 'centralbot db migrate'"
            )
        return f"PostgreSQL {version}, schema {status.current}"

    async def now(self) -> datetime:
        now: datetime = (await self._database.fetch(sql("clock")))[0][0]
        return now

    async def backlog(self) -> Backlog:
        pending, claimed, oldest_pending, oldest_claimed, due = (await self._database.fetch(sql("backlog")))[0]
        return Backlog(
            by_status={"PENDING": pending, "CLAIMED": claimed},
            oldest_pending_s=None if oldest_pending is None else float(oldest_pending),
            oldest_claimed_s=None if oldest_claimed is None else float(oldest_claimed),
            due_challenges=due,
        )
