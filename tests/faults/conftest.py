"""The stores that faults are played on: both of them, or PostgreSQL where only a real one can show it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.contracts.adapters import open_memory, open_postgres
from tests.contracts.driver import UnderTest


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[UnderTest]:
    """A fresh, empty store."""
    opened = open_memory() if request.param == "memory" else open_postgres(request.getfixturevalue("database"))
    async with opened as under_test:
        yield under_test


@pytest.fixture
async def postgres(database: str) -> AsyncIterator[UnderTest]:
    """A fresh, empty PostgreSQL store."""
    async with open_postgres(database) as under_test:
        yield under_test
