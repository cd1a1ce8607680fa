"""What serves once, in PostgreSQL: the first insert wins."""

from __future__ import annotations

from datetime import datetime

from centralbot.adapters.postgres.database import Database
from centralbot.adapters.postgres.queries import sql


class PostgresSingleUse:
    """Things that serve once (port ``SingleUse``). A use whose answer was lost counts as used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def use(self, kind: str, digest: bytes, *, expires_at: datetime) -> bool:
        parameters = {"kind": kind, "digest": digest, "expires_at": expires_at}
        return bool(await self._database.fetch(sql("use_once"), parameters))
