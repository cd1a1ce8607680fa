"""The whole store in PostgreSQL, opened and closed as one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from centralbot.adapters.postgres.actions import PostgresActions
from centralbot.adapters.postgres.challenges import PostgresChallenges
from centralbot.adapters.postgres.database import ANSWER_S, Database
from centralbot.adapters.postgres.deliveries import PostgresDeliveries
from centralbot.adapters.postgres.health import PostgresHealth
from centralbot.adapters.postgres.keys import Cipher, PostgresServiceKeys
from centralbot.adapters.postgres.notifier import Notifier
from centralbot.adapters.postgres.outbox import PostgresOutbox
from centralbot.adapters.postgres.reports import PostgresReports
from centralbot.adapters.postgres.repositories import PostgresRepositories, PostgresWhitelist
from centralbot.adapters.postgres.sessions import PostgresNonces, PostgresSessions
from centralbot.adapters.postgres.upkeep import PostgresUpkeep
from centralbot.domain.gating import DecisionContext
from centralbot.domain.outbox import OutboxRules
from centralbot.ports.clock import Ids


class PostgresStore:
    """Every store port over one database; made by :meth:`open`."""

    def __init__(
        self,
        database: Database,
        notifier: Notifier,
        cipher: Cipher,
        *,
        ids: Ids,
        rules: OutboxRules,
        context: DecisionContext,
    ) -> None:
        wake = notifier.notify
        self.deliveries = PostgresDeliveries(database, context=context, notify=wake)
        self.outbox = PostgresOutbox(database, notifier, ids=ids, rules=rules, context=context)
        self.challenges = PostgresChallenges(database, notify=wake)
        self.upkeep = PostgresUpkeep(database, context=context, notify=wake)
        self.repositories = PostgresRepositories(database)
        self.whitelist = PostgresWhitelist(database)
        self.actions = PostgresActions(database, rules=rules, notify=wake)
        self.keys = PostgresServiceKeys(
            database, cipher, notify=lambda: notifier.notify("keys"), listen=notifier.listen
        )
        self.health = PostgresHealth(database)
        self.sessions = PostgresSessions(database, cipher)
        self.nonces = PostgresNonces(database)
        self.reports = PostgresReports(database)
        notifier.on_keys_changed = self.keys.forget_cached

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        dsn: str,
        *,
        secret_key: str,
        ids: Ids,
        context: DecisionContext,
        rules: OutboxRules | None = None,
        max_connections: int = 8,
        answer_s: float = ANSWER_S,
    ) -> AsyncIterator[PostgresStore]:
        """Connect to a migrated database; closed at the end of the block.

        ``secret_key`` is CENTRALBOT_SECRET_KEY; ``context`` is what decisions need beside what is stored; what takes
        the server longer than ``answer_s`` is Unavailable. Raises Unavailable when the server does not answer.
        """
        database = Database(dsn, max_connections=max_connections, answer_s=answer_s)
        await database.open()
        notifier = Notifier(dsn)
        try:
            yield cls(database, notifier, Cipher(secret_key), ids=ids, rules=rules or OutboxRules(), context=context)
        finally:
            await notifier.close()
            await database.close()
