"""One fleet of real processes for all tests of a run; each leaves it whole for the next."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from centralbot.entrypoints.demo.fleet import Fleet
from tests.e2e.fleets import SETTINGS, a_secret, backend_of
from tests.e2e.world import World


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
    dsn = make_conninfo(postgres_dsn, dbname=name)
    fleet = Fleet(
        directory=tmp_path_factory.mktemp("fleet"),
        store={"CENTRALBOT_DATABASE_URL": dsn, "CENTRALBOT_SECRET_KEY": a_secret()},
        settings=SETTINGS,
        key=("e2e", a_secret()),
    )
    async with backend_of(fleet) as backend:
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
