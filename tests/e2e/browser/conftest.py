"""One browser for all tests of a run; every test has people of its own, and fails if anything went wrong for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.e2e.browser.chromium import NO_BROWSER, find_browser, launched
from tests.e2e.browser.stage import Stage
from tests.e2e.browser.tabs import Tabs
from tests.e2e.world import World


@pytest.fixture(scope="session")
def browser_path() -> str:
    """Where the browser is. Without one the test is not run, which the end of the run says loudly."""
    path = find_browser()
    if path is None:
        pytest.skip(NO_BROWSER)
    return path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(browser_path: str) -> AsyncIterator[Browser]:
    """The browser, started once."""
    async with launched(browser_path) as browser:
        yield browser


@pytest.fixture(scope="session")
def kept() -> dict[str, Any]:
    """What the tests of this run share."""
    return {}


@pytest_asyncio.fixture(loop_scope="session")
async def stage(browser: Browser, world: World, kept: dict[str, Any]) -> AsyncIterator[Stage]:
    """People at their browsers. Nothing may have gone wrong in any of them."""
    tabs = Tabs(browser=browser, ours=(world.fleet.api_url, world.github.url))
    stage = Stage(world=world, tabs=tabs, kept=kept)
    try:
        yield stage
    finally:
        await stage.close()
    assert tabs.problems == []
