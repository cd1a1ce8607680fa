"""Service keys in PostgreSQL, encrypted at rest."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from centralbot.adapters.postgres.database import Connection, Database
from centralbot.adapters.postgres.queries import sql
from centralbot.domain.errors import Unavailable, ValidationError
from centralbot.ports.admin import ServiceKey, StoredKey


def derive(secret_key: str, purpose: str) -> bytes:
    """32 bytes for one purpose; keys of different purposes tell nothing of each other."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"centralbot:{purpose}".encode()).derive(
        secret_key.encode()
    )


class Cipher:
    """Encrypts small secrets; what is sealed for one ``purpose`` opens for no other."""

    def __init__(self, secret_key: str, purpose: str = "at-rest") -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(derive(secret_key, purpose)))

    def encrypt(self, value: bytes) -> bytes:
        return self._fernet.encrypt(value)

    def decrypt(self, value: bytes) -> bytes:
        """Raises InvalidToken under another key."""
        return self._fernet.decrypt(value)


CACHE_S = 5.0


class PostgresServiceKeys:
    """Creates, lists, revokes and finds keys (port ``ServiceKeys``)."""

    def __init__(
        self, database: Database, cipher: Cipher, *, notify: Callable[[], None], listen: Callable[[], None]
    ) -> None:
        self._database = database
        self._cipher = cipher
        self._notify = notify
        self._listen = listen
        self._cache: dict[str, tuple[float, ServiceKey]] = {}
        self._changes = 0

    async def create(self, key_id: str, signing_key: bytes, *, allow_unbound: bool) -> ServiceKey:
        parameters = {
            "key_id": key_id,
            "encrypted_key": self._cipher.encrypt(signing_key),
            "allow_unbound": allow_unbound,
        }

        async def work(connection: Connection, _: int) -> Any:
            try:
                cursor = await connection.execute(sql("key_create"), parameters)
            except psycopg.errors.UniqueViolation as exc:
                raise ValidationError(f"key_id: {key_id!r} is taken; choose another id") from exc
            return await cursor.fetchone()

        row = await self._database.run(work, transaction=False)
        self._notify()
        return self._key(row)

    async def list(self) -> Sequence[StoredKey]:
        return [
            StoredKey(
                key_id=row[0],
                allow_unbound=row[2],
                created_at=row[3],
                revoked_at=row[4],
                readable=self._open(row[1]) is not None,
            )
            for row in await self._database.fetch(sql("key_list"))
        ]

    async def revoke(self, key_id: str) -> bool:
        revoked = bool(await self._database.fetch(sql("key_revoke"), {"key_id": key_id}))
        self.forget_cached()
        self._notify()
        return revoked

    async def find_active(self, key_id: str) -> ServiceKey | None:
        cached = self._cache.get(key_id)
        if cached is not None and time.monotonic() < cached[0]:
            return cached[1]
        self._listen()
        changes = self._changes
        rows = await self._database.fetch(sql("key_find"), {"key_id": key_id})
        if not rows:
            self._cache.pop(key_id, None)
            return None
        key = self._key(rows[0])
        if changes == self._changes:  # else it may have been revoked since it was read
            self._cache[key_id] = (time.monotonic() + CACHE_S, key)
        return key

    def forget_cached(self) -> None:
        """Ask the database next time: some process created or revoked a key."""
        self._changes += 1
        self._cache.clear()

    def _key(self, row: Sequence[Any]) -> ServiceKey:
        signing_key = self._open(row[1])
        if signing_key is None:
            raise Unavailable(
                f"service key {row[0]!r} cannot be decrypted: CENTRALBOT_SECRET_KEY is not the one it was stored under"
            )
        return ServiceKey(
            key_id=row[0], signing_key=signing_key, allow_unbound=row[2], created_at=row[3], revoked_at=row[4]
        )

    def _open(self, encrypted_key: bytes) -> bytes | None:
        """The signing key, None under another secret key."""
        try:
            return self._cipher.decrypt(bytes(encrypted_key))
        except InvalidToken:
            return None
