"""Verifying in the very moment in which time runs out (row 36 of the faults)."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page

from centralbot.domain.challenge import ChallengeStatus
from tests.e2e.browser.stage import AUTHOR, Stage
from tests.e2e.world import Installed

pytestmark = pytest.mark.asyncio(loop_scope="session")
WINDOW_S = 7
MOMENTS_S = (-0.1, 0.1, 0.3, 0.5, 0.7, 0.9)
"""When to press the button, from the deadline on: the sweeper comes by once in each second."""


async def press_at(stage: Stage, installed: Installed, number: int, page: Page, moment_s: float) -> None:
    """Press the button that long after the deadline, by the store's clock."""
    deadline = (await stage.world.challenge(installed.repo_id, number)).deadline_at
    assert deadline is not None
    await asyncio.sleep((deadline - await stage.world.backend.store.health.now()).total_seconds() + moment_s)
    await page.get_by_role("button", name="Verify").click()
    await page.get_by_role("heading", name="Verified").wait_for()


async def test_verification_and_sweeper_in_one_moment_have_one_winner(stage: Stage) -> None:
    """Whoever wins: the author has passed, and the pull request is open in the end and stays so."""
    installed = await stage.repository(window_s=WINDOW_S)
    author = await stage.page(f"{stage.api}/", AUTHOR)
    opened = await asyncio.gather(*(stage.asked(installed) for _ in MOMENTS_S))
    pages = [await author.context.new_page() for _ in MOMENTS_S]
    await asyncio.gather(*(page.goto(link) for page, (_, link) in zip(pages, opened, strict=True)))
    await asyncio.gather(
        *(
            press_at(stage, installed, number, page, moment_s)
            for moment_s, page, (number, _) in zip(MOMENTS_S, pages, opened, strict=True)
        )
    )
    await stage.world.swept()
    await stage.world.settled()
    found = []
    for number, _ in opened:
        pull = await stage.world.github.pull(installed.repository, number)
        status = (await stage.world.challenge(installed.repo_id, number)).status
        acts = [one["action"] for one in pull["history"]]
        found.append((pull["state"], status, acts.count("closed") - acts.count("reopened")))
    assert [("open", ChallengeStatus.VERIFIED, 0)] * len(MOMENTS_S) == found
