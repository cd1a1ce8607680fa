"""One cluster of real processes over a PostgreSQL of its own for all tests here; the three counts after each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest_asyncio
from psycopg.conninfo import make_conninfo

from centralbot.adapters.postgres.migrate import migrate
from tests.e2e.fleets import SETTINGS, a_secret, backend_of
from tests.oracles import Counts
from tests.reliability.cluster import Cluster, Server
from tests.reliability.tcp_proxies import StoreProxy
from tests.reliability.world import ReliableWorld


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_cluster(open_dir_factory: Callable[[], Path]) -> AsyncIterator[ReliableWorld]:
    """The cluster, started once. Its processes reach the store through a relay; what the tests read does not."""
    directory = open_dir_factory()
    server = Server(directory=directory / "data")
    server.start()
    migrate(server.dsn)
    to_store = StoreProxy(socket=server.socket)
    await to_store.open(directory / server.socket.name)
    relayed = make_conninfo(server.dsn, host=str(directory))
    cluster = Cluster(
        directory=directory,
        store={"CENTRALBOT_DATABASE_URL": relayed, "CENTRALBOT_SECRET_KEY": a_secret()},
        settings=SETTINGS,
        key=("reliable", a_secret()),
    )
    try:
        async with backend_of(cluster, database_url=server.dsn) as backend:
            try:
                await cluster.start()
                yield ReliableWorld(fleet=cluster, backend=backend, server=server, to_store=to_store)
            finally:
                await cluster.stop()
    finally:
        await to_store.close()
        server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def world(running_cluster: ReliableWorld) -> AsyncIterator[ReliableWorld]:
    """The cluster, whole. Afterwards nothing may be lost, doubled or closed that should not be."""
    yield running_cluster
    await running_cluster.github.clear_faults()
    assert await running_cluster.counted() == Counts()
