"""One cluster of real processes over a PostgreSQL of its own for all tests here; the three counts after each."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest_asyncio
from psycopg.conninfo import make_conninfo

from centralbot.adapters.postgres.migrate import migrate
from centralbot.domain.signing import signing_key
from centralbot.entrypoints.roots.backend import open_backend
from centralbot.entrypoints.settings import GateSettings, OutboxSettings, StoreSettings
from tests.e2e.conftest import LEASE_S, SETTINGS
from tests.reliability.cluster import Cluster, Server
from tests.reliability.oracles import Counts
from tests.reliability.tcp_proxies import StoreProxy
from tests.reliability.world import ReliableWorld


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_crew(open_dir_factory: Callable[[], Path]) -> AsyncIterator[ReliableWorld]:
    """The cluster, started once. Its processes reach the store through a relay; what the tests read does not."""
    directory = open_dir_factory()
    server = Server(directory=directory / "data")
    server.start()
    migrate(server.dsn)
    to_store = StoreProxy(socket=server.socket)
    await to_store.open(directory / server.socket.name)
    key, secret_key = ("reliable", secrets.token_urlsafe(32)), secrets.token_urlsafe(32)
    relayed = make_conninfo(server.dsn, host=str(directory))
    cluster = Cluster(
        directory=directory,
        store={"CENTRALBOT_DATABASE_URL": relayed, "CENTRALBOT_SECRET_KEY": secret_key},
        settings=SETTINGS,
        key=key,
    )
    store = StoreSettings(database_url=server.dsn, data_dir=Path("unused"), secret_key=secret_key)
    gate = GateSettings(public_url=cluster.api_url, window_s=600, default_mode="enforce")
    try:
        async with open_backend(
            store, gate, OutboxSettings(lease_s=LEASE_S, max_attempts=12), max_connections=4
        ) as backend:
            await backend.store.keys.create(key[0], signing_key(key[1]), allow_unbound=False)
            try:
                await cluster.start()
                yield ReliableWorld(fleet=cluster, backend=backend, server=server, to_store=to_store)
            finally:
                await cluster.stop()
    finally:
        await to_store.close()
        server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def world(running_crew: ReliableWorld) -> AsyncIterator[ReliableWorld]:
    """The cluster, whole. Afterwards nothing may be lost, doubled or closed that should not be."""
    yield running_crew
    await running_crew.github.clear_faults()
    assert await running_crew.counted() == Counts()
