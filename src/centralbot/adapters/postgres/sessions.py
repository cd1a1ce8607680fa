"""Sessions in PostgreSQL, and nonces: what serves once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from cryptography.fernet import InvalidToken

from centralbot.adapters.postgres.database import Connection, Database
from centralbot.adapters.postgres.keys import Cipher
from centralbot.adapters.postgres.queries import sql
from centralbot.domain.errors import Unavailable
from centralbot.domain.events import Actor
from centralbot.ports.people import UserTokens
from centralbot.ports.sessions import Session

RENEW_TIMEOUT_S = 10.0
"""Below the connection's idle-in-transaction timeout: the row lock is held while GitHub answers."""
RENEWALS_AT_ONCE = 2
"""Each holds a connection while GitHub answers; a slow GitHub must not take them all from ingest."""


class PostgresSessions:
    """Starts, finds, renews and ends sessions (port ``Sessions``).

    Tokens that another CENTRALBOT_SECRET_KEY encrypted cannot be read: their session counts as signed out.
    """

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher
        self._renewals = asyncio.Semaphore(RENEWALS_AT_ONCE)
        self._locks: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def start(self, session: Session, token_digest: bytes) -> None:
        parameters = {
            "id": session.id,
            "token_digest": token_digest,
            "user_id": session.user.id,
            "login": session.user.login,
            "created_at": session.created_at,
            "expires_at": session.expires_at,
            **self._encrypted(session.tokens),
        }
        await self._execute("session_start", parameters)

    async def remember(self, user: Actor) -> None:
        await self._execute("user_seen", {"user_id": user.id, "login": user.login})

    async def find(self, token_digest: bytes) -> Session | None:
        rows = await self._database.fetch(sql("session_find"), {"token_digest": token_digest})
        return self._session(rows[0]) if rows else None

    async def renew(
        self, session_id: UUID, renew: Callable[[UserTokens], Awaitable[UserTokens | None]]
    ) -> Session | None:
        fresh: dict[UserTokens, UserTokens | None] = {}

        async def work(connection: Connection, _: int) -> Session | None:
            row = await (await connection.execute(sql("session_lock"), {"id": session_id})).fetchone()
            session = None if row is None else self._session(row)
            if session is None:
                return None
            before = session.tokens
            if before not in fresh:  # else the commit failed: GitHub gives new tokens for old ones only once
                try:
                    async with asyncio.timeout(RENEW_TIMEOUT_S):
                        fresh[before] = await renew(before)
                except TimeoutError as exc:
                    raise Unavailable("GitHub did not renew the sign-in in time") from exc
            after = fresh[before]
            if after is None:
                return session
            await connection.execute(sql("session_renew"), {"id": session_id, **self._encrypted(after)})
            return Session(
                id=session.id,
                user=session.user,
                tokens=after,
                created_at=session.created_at,
                expires_at=session.expires_at,
            )

        lock = self._locks.setdefault(session_id, asyncio.Lock())
        async with lock, self._renewals:  # callers of one process wait here, without a connection of their own
            return await self._database.run(work)

    async def revoke(self, token_digest: bytes) -> Session | None:
        rows = await self._database.fetch(sql("session_revoke"), {"token_digest": token_digest})
        return self._session(rows[0]) if rows else None

    async def revoke_all(self, user_id: int) -> int:
        return len(await self._database.fetch(sql("session_revoke_all"), {"user_id": user_id}))

    async def _execute(self, name: str, parameters: dict[str, object]) -> None:
        async def work(connection: Connection, _: int) -> None:
            await connection.execute(sql(name), parameters)

        await self._database.run(work, transaction=False)

    def _encrypted(self, tokens: UserTokens) -> dict[str, object]:
        refresh = tokens.refresh_token
        return {
            "access_token": self._cipher.encrypt(tokens.access_token.encode()),
            "access_expires_at": tokens.expires_at,
            "refresh_token": None if refresh is None else self._cipher.encrypt(refresh.encode()),
            "refresh_expires_at": tokens.refresh_expires_at,
        }

    def _session(self, row: Sequence[Any]) -> Session | None:
        try:
            tokens = UserTokens(
                access_token=self._cipher.decrypt(bytes(row[3])).decode(),
                expires_at=row[4],
                refresh_token=None if row[5] is None else self._cipher.decrypt(bytes(row[5])).decode(),
                refresh_expires_at=row[6],
            )
        except InvalidToken:
            return None
        return Session(
            id=row[0],
            user=Actor(id=row[1], login=row[2]),
            tokens=tokens,
            created_at=row[7],
            expires_at=row[8],
        )


class PostgresNonces:
    """Things that serve once (port ``Nonces``). A use whose answer was lost counts as used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def use(self, kind: str, digest: bytes, *, expires_at: datetime) -> bool:
        parameters = {"kind": kind, "digest": digest, "expires_at": expires_at}
        return bool(await self._database.fetch(sql("use_once"), parameters))
