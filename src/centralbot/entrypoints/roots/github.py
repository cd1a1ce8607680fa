"""GitHub as the App, for commands that ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from centralbot import __version__
from centralbot.adapters.github.app import GitHubApp, GitHubSettings, open_github
from centralbot.adapters.system import SystemClock, SystemIds
from centralbot.entrypoints.settings import GitHubAppSettings


@asynccontextmanager
async def open_app(settings: GitHubAppSettings) -> AsyncIterator[GitHubApp]:
    """The ports over GitHub; nothing is sent before the first call."""
    adapter = GitHubSettings(
        app_id=settings.app_id,
        private_key_pem=settings.private_key_pem,
        api_url=settings.api_url,
        user_agent=f"centralbot/{__version__}",
        write_interval_s=settings.write_interval_s,
    )
    async with open_github(adapter, clock=SystemClock(), jitter=SystemIds().jitter) as app:
        yield app
