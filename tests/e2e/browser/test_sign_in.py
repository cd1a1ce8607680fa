"""Signing in with GitHub, and what it must refuse (rows 49 and 50 of the faults)."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browser.stage import AUTHOR, OWNER, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def stopped_at_callback(stage: Stage, login: str) -> tuple[Page, str]:
    """A browser that signed in at GitHub, and the address that it was about to be sent back to."""
    await stage.world.github.act("add_user", login=login)
    page = await stage.page(f"{stage.api}/api/v1/auth/github/start?return_to=/")
    action = await page.locator("form").get_attribute("action")
    github = stage.world.github.url
    answer = await page.request.post(
        f"{github}{action}", form={"login": login}, headers={"origin": github}, max_redirects=0
    )
    return page, answer.headers["location"]


async def test_a_callback_serves_only_the_browser_that_began(stage: Stage) -> None:
    """Opened elsewhere it is refused and costs the one who began nothing; a second time it is refused too."""
    page, callback = await stopped_at_callback(stage, OWNER)
    attacker = await stage.page(callback)
    await expect(attacker.get_by_role("heading", level=1)).to_have_text("You are not signed in")
    await attacker.goto(f"{stage.api}/")
    await expect(attacker.get_by_role("button", name="Sign out")).to_have_count(0)
    await page.goto(callback)
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    await page.goto(callback)
    await expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in")


async def test_a_forged_state_is_refused(stage: Stage) -> None:
    """Nobody is signed in by an address that somebody sent them."""
    page, callback = await stopped_at_callback(stage, OWNER)
    before, state = callback.split("state=")
    await page.goto(f"{before}state={state[::-1]}")
    await expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in")


async def test_who_cancels_at_github_reads_so_and_can_go_back(stage: Stage) -> None:
    """Signed out, and nothing is asked of them again by itself."""
    _, link = await stage.asked(await stage.repository())
    page = await stage.page(link)
    await page.get_by_role("link", name="Sign in with GitHub to verify").click()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("alert")).to_have_text("You canceled the sign-in at GitHub.")
    await page.get_by_role("link", name="Back to the check").click()
    await page.wait_for_url(link)
    await expect(page.get_by_role("link", name="Sign in with GitHub to verify")).to_be_visible()


async def test_who_signs_out_on_a_checks_page_stays_there(stage: Stage) -> None:
    """The way back to it is in the comment alone."""
    _, link = await stage.asked(await stage.repository())
    page = await stage.page(link, AUTHOR)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("link", name="Sign in with GitHub to verify")).to_be_visible()
    assert page.url == link


@pytest.mark.parametrize("path", ["/settings", "/audit", "?status=VERIFIED"])
async def test_a_deep_link_survives_signing_in(stage: Stage, path: str) -> None:
    """Who was on the way to a page gets there."""
    installed = await stage.repository()
    await stage.world.github.act("add_user", login=OWNER)
    url = f"{stage.api}/repos/{installed.repo_id}{path}"
    page = await stage.page(url)
    await stage.choose(page, OWNER)
    await page.wait_for_url(url)
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()


@pytest.mark.parametrize(
    "elsewhere", ["https://example.org/", "//example.org/", "/\\example.org", "javascript:alert(1)"]
)
async def test_signing_in_leads_nowhere_else(stage: Stage, elsewhere: str) -> None:
    """An address of somebody else's to return to is not followed."""
    page = await stage.tabs.open()
    await page.goto(f"{stage.api}/api/v1/auth/github/start?return_to={elsewhere}")
    await stage.world.github.act("add_user", login=AUTHOR)
    await page.reload()
    await stage.choose(page, AUTHOR)
    await page.wait_for_url(f"{stage.api}/")


async def test_while_github_is_away_nobody_is_signed_in_and_a_page_says_so(stage: Stage) -> None:
    """And the way back is not lost: once GitHub answers again, they get where they wanted."""
    _, link = await stage.asked(await stage.repository())
    page = await stage.page(link, may_fail=True)
    await stage.world.github.act("faults", operation="oauth/access-token", kind="status", status=502)
    await page.get_by_role("link", name="Sign in with GitHub to verify").click()
    await stage.choose(page, AUTHOR)
    await expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in")
    await stage.world.github.clear_faults()
    await page.get_by_role("link", name="Sign in with GitHub").click()
    await page.wait_for_url(link)
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
