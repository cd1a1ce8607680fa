"""Which browser the tests drive: a Chromium of this machine. Nothing is downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = "NO BROWSER FOUND"
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_browser() -> str | None:
    """``CENTRALBOT_TEST_BROWSER``, else the first one on the PATH; None where there is none."""
    return os.environ.get("CENTRALBOT_TEST_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)


@asynccontextmanager
async def launched(path: str, **environ: str) -> AsyncIterator[Browser]:
    """That browser, without a screen, with these variables. Raises playwright's Error where it does not start."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path,
            env={**os.environ, **environ},
            args=list(QUIET),
            chromium_sandbox=os.geteuid() != 0,  # Chromium's sandbox refuses to run as root
        )
        try:
            yield browser
        finally:
            await browser.close()
