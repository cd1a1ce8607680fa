"""From the comment to VERIFIED, as contributors do it."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from centralbot.domain.challenge import ChallengeStatus
from tests.e2e.browser.stage import AUTHOR, RULES, STRANGER, WITH_RULES, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")
THE_LINK = "Verify this pull request"
WORK = ("github-login", "proof-of-work")
MAX_TABS = 40
FOCUSED = "document.activeElement.innerText || document.activeElement.labels?.[0]?.innerText || ''"
SHOWS_FOCUS = "getComputedStyle(document.activeElement).outlineStyle !== 'none'"


async def heading(page: Page, text: str) -> None:
    await expect(page.get_by_role("heading", level=1)).to_have_text(text)


async def tab_to(page: Page, text: str) -> None:
    """Press Tab until what has this text has the focus, and shows that it has."""
    for _ in range(MAX_TABS):
        await page.keyboard.press("Tab")
        if text in str(await page.evaluate(FOCUSED)):
            assert await page.evaluate(SHOWS_FOCUS) is True
            return
    raise AssertionError(f"the keyboard does not reach {text!r} on {page.url}")


async def test_three_clicks_lead_from_the_comment_to_verified(stage: Stage) -> None:
    """The link, sign in, who you are; the device does the rest, and the comment on the pull request says so."""
    installed = await stage.repository(verification=WORK)
    number, _ = await stage.asked(installed)
    page = await stage.page(stage.pull_page(installed, number))
    await page.get_by_role("link", name=THE_LINK).click()
    await page.get_by_role("link", name="Sign in with GitHub to verify").click()
    await stage.choose(page, AUTHOR)
    await heading(page, "Verified, thank you")
    await stage.world.shows(installed.repository, number, "open: verified")
    await page.get_by_role("link", name="Back to the pull request").click()
    await expect(page.get_by_role("heading", name="Verified")).to_be_visible()


async def test_the_whole_way_can_be_gone_with_a_keyboard(stage: Stage) -> None:
    """Tab, Space and Enter are enough, and what has the focus shows it."""
    installed = await stage.repository(verification=WITH_RULES, rules=RULES)
    number, link = await stage.asked(installed)
    page = await stage.page(link)
    await tab_to(page, "Sign in with GitHub to verify")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name=f"Continue as {AUTHOR}", exact=True).wait_for()
    await tab_to(page, f"Continue as {AUTHOR}")
    await page.keyboard.press("Enter")
    await page.get_by_role("checkbox").wait_for()
    await tab_to(page, "I have read this and confirm it")
    await page.keyboard.press("Space")
    await tab_to(page, "Verify")
    await page.keyboard.press("Enter")
    await heading(page, "Verified, thank you")
    await stage.world.becomes(installed.repo_id, number, ChallengeStatus.VERIFIED)


async def test_without_javascript_an_author_passes_where_no_computation_is_asked(stage: Stage) -> None:
    """Links and a form are all that it takes."""
    _, link = await stage.asked(await stage.repository(verification=WITH_RULES, rules=RULES))
    page = await stage.page(link, java_script_enabled=False)
    await page.get_by_role("link", name="Sign in with GitHub to verify").click()
    await stage.choose(page, AUTHOR)
    await page.get_by_role("checkbox").check()
    await page.get_by_role("button", name="Verify", exact=True).click()
    await heading(page, "Verified, thank you")


async def test_without_javascript_the_computation_says_what_it_needs(stage: Stage) -> None:
    """And how to pass without it."""
    installed = await stage.repository(verification=WORK)
    number, link = await stage.asked(installed)
    page = await stage.page(link, AUTHOR, java_script_enabled=False)
    said = page.locator("noscript > *")  # playwright's own search by text leaves out what is in <noscript>
    await expect(said).to_be_visible()
    await expect(said).to_have_text(re.compile(r"needs JavaScript.*ask a maintainer", re.DOTALL), use_inner_text=True)
    await page.get_by_role("button", name="Verify", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("Not verified yet.")
    assert (await stage.world.challenge(installed.repo_id, number)).status is ChallengeStatus.PENDING


async def test_the_countdown_runs_and_the_end_is_said_with_its_zone(stage: Stage) -> None:
    """In UTC, and as the person's own clock has it."""
    installed = await stage.repository()
    number, link = await stage.asked(installed)
    page = await stage.page(link, timezone_id="America/New_York")
    deadline = (await stage.world.challenge(installed.repo_id, number)).deadline_at
    assert deadline is not None
    until = page.locator("time")
    expected = (f"{deadline:%Y-%m-%dT%H:%M:%SZ}", f"{deadline.day} {deadline:%b %Y, %H:%M} UTC")
    assert expected == (await until.get_attribute("datetime"), await until.inner_text())
    await expect(page.get_by_text(re.compile(r"\d\d:\d\d GMT-[45] for you"))).to_be_visible()
    left = page.get_by_role("timer")
    await expect(left).to_contain_text(re.compile(r"^[89]:\d\d left$"))
    before = await left.inner_text()
    await expect(left).not_to_have_text(before)


async def test_with_the_wrong_account_another_one_can_be_chosen(stage: Stage) -> None:
    """GitHub asks anew who they are, though they are signed in there."""
    installed = await stage.repository()
    number, link = await stage.asked(installed)
    page = await stage.page(link, STRANGER)
    await heading(page, "You are signed in with a different account")
    await page.get_by_role("link", name="Use another account").click()
    await stage.choose(page, AUTHOR)
    await heading(page, "Verified, thank you")
    await stage.world.becomes(installed.repo_id, number, ChallengeStatus.VERIFIED)


async def test_nobody_but_the_author_can_verify(stage: Stage) -> None:
    """The form sent all the same is refused, and the refusal is in the audit."""
    installed = await stage.repository()
    number, link = await stage.asked(installed)
    page = await stage.page(link, STRANGER)
    answer = await page.request.post(link, form={}, headers={"origin": stage.api})
    challenge = await stage.world.challenge(installed.repo_id, number)
    events = await stage.world.backend.store.challenges.history(challenge.id)
    assert (answer.status, challenge.status) == (403, ChallengeStatus.PENDING)
    assert "challenge.refused" in [event.event for event in events]


async def test_who_verifies_late_is_reopened(stage: Stage) -> None:
    """By the bot, which says so on the pull request."""
    installed, number, link = await stage.closed()
    page = await stage.page(link, AUTHOR)
    await heading(page, "Closed for now, and easy to bring back")
    await page.get_by_role("button", name="Verify and reopen").click()
    await heading(page, "Verified, welcome back")
    await stage.world.shows(installed.repository, number, "open: verified + told why + Reopened")


async def test_who_verifies_late_without_a_branch_is_told_plainly(stage: Stage) -> None:
    """GitHub does not reopen it, and the comment on the pull request says what to do."""
    installed, number, link = await stage.closed()
    await stage.world.github.act("delete_head_branch", repository=installed.repository, number=number)
    page = await stage.page(link, AUTHOR)
    await page.get_by_role("button", name="Verify and reopen").click()
    await heading(page, "Verified, welcome back")
    wanted = "closed by bot: verified + told why + Verified, but it stays closed"
    await stage.world.shows(installed.repository, number, wanted)
    await page.goto(stage.pull_page(installed, number))
    await expect(page.get_by_text("Please open a new pull request with your changes.")).to_be_visible()


async def test_too_many_unknown_links_slow_down_nobody_else(stage: Stage) -> None:
    """Only the address that they come from."""
    link = (await stage.asked(await stage.repository()))[1]
    guesser = await stage.tabs.open(extra_http_headers={"x-forwarded-for": "203.0.113.3"})
    codes = [(await guesser.request.get(f"{stage.api}/g/{number:043}")).status for number in range(40)]
    await guesser.goto(link)
    other = await stage.page(link)
    assert codes == [404] * 30 + [429] * 10
    await heading(guesser, "One minute, please")
    await heading(other, "Verify your pull request")
