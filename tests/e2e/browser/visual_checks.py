"""Whether a page can be used by everybody: axe-core in light and dark, and the width of a phone."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from tests.e2e.browser.tabs import DESKTOP, PHONE

SERIOUS = ("serious", "critical")
OPTIONS: dict[str, Any] = {"resultTypes": ["violations"]}
COLOURS = {**OPTIONS, "runOnly": ["color-contrast", "link-in-text-block"]}
"""What the colour scheme can change."""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
AXE = Axe()


async def flaws(page: Page, name: str) -> list[str]:
    """What is wrong with the page as it stands, each with the rule and the element."""
    found: list[str] = []
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")
    found += await _axe(page, f"{name}, light", OPTIONS)
    light = await _background(page)
    await page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    found += await _axe(page, f"{name}, dark", COLOURS)
    if await _background(page) == light:
        found.append(f"{name}: dark looks like light")
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")
    await page.set_viewport_size(PHONE)
    too_wide = int(await page.evaluate(TOO_WIDE))
    await page.set_viewport_size(DESKTOP)
    if too_wide > 0:
        found.append(f"{name}: {too_wide} pixels wider than a phone")
    return found


async def _axe(page: Page, name: str, options: dict[str, Any]) -> list[str]:
    results = await AXE.run(page, options=options)
    return [
        f"{name}: {rule['id']} ({rule['impact']}) at {' '.join(map(str, node['target']))}: {rule['help']}"
        for rule in results.response["violations"]
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


async def _background(page: Page) -> str:
    return str(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
