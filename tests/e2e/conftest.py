"""One fleet of real processes for all tests of a run; each leaves it whole for the next."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from centralbot.domain.signing import signing_key
from centralbot.entrypoints.demo.fleet import Fleet
from centralbot.entrypoints.roots.backend import open_backend
from centralbot.entrypoints.settings import GateSettings, OutboxSettings, StoreSettings
from tests.e2e.world import World

LEASE_S = 4
SETTINGS = {
    "CENTRALBOT_WRITE_INTERVAL_S": "0",
    "CENTRALBOT_LEASE_S": str(LEASE_S),
    "CENTRALBOT_DEFAULT_MODE": "enforce",
    "CENTRALBOT_WINDOW_S": "600",
}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_world(
    postgres_dsn: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """The fleet, started once."""
    name = f"e2e_{uuid4().hex}"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(
            SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(migrated_template))
        )
    key = ("e2e", secrets.token_urlsafe(32))
    dsn, secret_key = make_conninfo(postgres_dsn, dbname=name), secrets.token_urlsafe(32)
    fleet = Fleet(
        directory=tmp_path_factory.mktemp("fleet"),
        store={"CENTRALBOT_DATABASE_URL": dsn, "CENTRALBOT_SECRET_KEY": secret_key},
        settings=SETTINGS,
        key=key,
    )
    store = StoreSettings(database_url=dsn, data_dir=Path("unused"), secret_key=secret_key)
    gate = GateSettings(public_url=fleet.api_url, window_s=600, default_mode="enforce")
    outbox = OutboxSettings(lease_s=LEASE_S, max_attempts=12)
    async with open_backend(store, gate, outbox, max_connections=4) as backend:
        await backend.store.keys.create(key[0], signing_key(key[1]), allow_unbound=False)
        try:
            await fleet.start(workers=2)
            yield World(fleet=fleet, backend=backend)
        finally:
            await fleet.stop()
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest_asyncio.fixture(loop_scope="session")
async def world(running_world: World) -> AsyncIterator[World]:
    """The fleet, whole; faults that a test made end with it."""
    yield running_world
    await running_world.github.clear_faults()
    await running_world.github.act("resume_delivery")
