"""Repositories, their configuration and their whitelist in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.database import Connection, Database
from centralbot.adapters.postgres.deliveries import lock_key
from centralbot.adapters.postgres.queries import sql
from centralbot.domain.config import DOCUMENT_VERSION, RepoConfig, change, to_document
from centralbot.domain.errors import ValidationError
from centralbot.domain.events import Actor
from centralbot.domain.installation import UNSAID, Installation, InstallationStatus
from centralbot.ports.admin import RepositoryRecord, WhitelistEntry


class PostgresRepositories:
    """Repositories and their configuration (port ``Repositories``)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, repo_id: int) -> RepositoryRecord | None:
        rows = await self._database.fetch(sql("repository"), {"repo_id": repo_id})
        return _record(rows[0]) if rows else None

    async def list(self) -> Sequence[RepositoryRecord]:
        return [_record(row) for row in await self._database.fetch(sql("repositories"))]

    async def configure(self, repo_id: int, config: RepoConfig, *, actor: str) -> None:
        async def work(connection: Connection, now: datetime, _: int) -> None:
            row = await (await connection.execute(sql("configuration"), {"repo_id": repo_id})).fetchone()
            before = None if row is None else codec.config(row.config)
            kept = None if row is None else msgspec.json.decode(row.config)
            parameters = {
                "repo_id": repo_id,
                "version": DOCUMENT_VERSION,
                "config": codec.document(to_document(config, kept)),
                "changed": before != config,
                "actor": actor,
                "detail": codec.document(change(before, config)),
                "now": now,
            }
            await connection.execute(sql("configure_repository"), parameters)

        await self._database.decide(
            work, lock=[lock_key("c", repo_id)]
        )  # so that what it was is what it was just before

    async def connect(self, repo_id: int, *, installation_id: int, full_name: str) -> None:
        parameters = {"repo_id": repo_id, "installation_id": installation_id, "full_name": full_name}

        async def work(connection: Connection, now: datetime, _: int) -> None:
            cursor = await connection.execute(sql("installation_status"), parameters)
            row = await cursor.fetchone()
            if row is not None and row.status == InstallationStatus.DELETED:
                raise ValidationError(
                    f"installation {installation_id} is deleted: GitHub never uses its id again; "
                    "install the App anew and give the new installation's id"
                )
            await connection.execute(sql("leave_others"), parameters)
            told = {**parameters, "now": now, "unsaid": UNSAID, "status": InstallationStatus.ACTIVE.value}
            await connection.execute(sql("connect_repository"), told)

        await self._database.decide(work)

    async def installations(self) -> Sequence[Installation]:
        return [codec.installation(row) for row in await self._database.fetch(sql("installations"))]


def _record(row: Any) -> RepositoryRecord:
    return RepositoryRecord.of(
        row.known_id,
        repository=None if row.repo_id is None else codec.repository(row),
        installation=None if row.installation_id is None else codec.installation(row),
        config=None if row.config is None else codec.config(row.config),
        configured_at=row.configured_at,
    )


class PostgresWhitelist:
    """A repository's whitelist (port ``Whitelist``)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, repo_id: int, user: Actor, *, actor: str) -> None:
        parameters = {"repo_id": repo_id, "user_id": user.id, "login": user.login, "actor": actor}

        async def work(connection: Connection, _: int) -> None:
            await connection.execute(sql("whitelist_add"), parameters)

        await self._database.run(work, transaction=False)

    async def remove(self, repo_id: int, user_id: int, *, actor: str) -> bool:
        parameters = {"repo_id": repo_id, "user_id": user_id, "actor": actor}
        return bool(await self._database.fetch(sql("whitelist_remove"), parameters))

    async def replace(self, repo_id: int, users: Sequence[Actor], *, actor: str) -> None:
        parameters = {
            "repo_id": repo_id,
            "user_ids": [user.id for user in users],
            "logins": [user.login for user in users],
            "actor": actor,
        }

        async def work(connection: Connection, _: int) -> None:
            await connection.execute(sql("whitelist_replace"), parameters)

        await self._database.run(work, lock=[lock_key("w", repo_id)])  # of two at once, the later one stands alone

    async def entries(self, repo_id: int) -> Sequence[WhitelistEntry]:
        rows = await self._database.fetch(sql("whitelist_entries"), {"repo_id": repo_id})
        return [WhitelistEntry(user=Actor(id=row[0], login=row[1]), added_at=row[2]) for row in rows]
