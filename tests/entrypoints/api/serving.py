"""The real application on PostgreSQL, served over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from centralbot.domain.challenge import Challenge
from centralbot.domain.config import Mode, RepoConfig
from centralbot.domain.signing import signing_key
from centralbot.entrypoints.roots.backend import Backend, api_server, open_backend
from centralbot.entrypoints.server import Server
from centralbot.entrypoints.settings import GateSettings, OutboxSettings, StoreSettings
from tests.contracts.adapters import turn_back
from tests.entrypoints.api.caller import KEY_ID, SECRET, Caller, caller
from tests.entrypoints.serving import listening


@dataclass
class Api:
    """A running backend: the caller's side of it, and the operator's."""

    bot: Caller
    backend: Backend
    dsn: str
    server: Server

    async def configure(self, mode: Mode = Mode.ENFORCE, repo_id: int = 999, **fields: Any) -> None:
        await self.backend.store.repositories.configure(repo_id, RepoConfig(mode=mode, **fields), actor="test")

    async def advance(self, seconds: float) -> None:
        """Let time pass for the store."""
        await turn_back(self.dsn, seconds)

    async def challenge(self, challenge_id: str) -> Challenge:
        return await self.backend.store.challenges.get(UUID(challenge_id))

    async def statuses(self) -> list[tuple[int, str, str]]:
        """Pull request, type and status of every action, oldest first."""
        found = await self.backend.store.actions.search(limit=1000)
        return [(action.pr_number, action.action_type.value, action.status.value) for action in reversed(found)]


Start = Callable[..., AbstractAsyncContextManager[Api]]


@asynccontextmanager
async def a_backend(dsn: str, gate: GateSettings, outbox: OutboxSettings) -> AsyncIterator[Backend]:
    """A backend over the database at ``dsn``, with one bound-only service key."""
    store = StoreSettings(database_url=dsn, data_dir=Path("/nonexistent"), secret_key="k" * 40)
    async with open_backend(store, gate, outbox) as backend:
        keys = backend.store.keys
        if await keys.find_active(KEY_ID) is None:
            await keys.create(KEY_ID, signing_key(SECRET), allow_unbound=False)
        yield backend


@asynccontextmanager
async def serving(
    dsn: str, *, default_mode: str = "enforce", lease_s: int = 60, attempts: int = 3
) -> AsyncIterator[Api]:
    """The API over the database at ``dsn``."""
    gate = GateSettings(public_url="https://bot.example", window_s=1800, default_mode=default_mode)
    outbox = OutboxSettings(lease_s=lease_s, max_attempts=attempts)
    async with a_backend(dsn, gate, outbox) as backend:
        server = api_server(backend, host="127.0.0.1", port=0)
        async with listening(server) as url, caller(url) as bot:
            yield Api(bot, backend, dsn, server)
