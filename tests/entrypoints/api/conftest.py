"""The real application on PostgreSQL, served over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.entrypoints.api.serving import Api, serving


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    """A backend with the App installed on repository 999, where the default mode enforces."""
    async with serving(database) as running:
        await running.bot.install()
        yield running
