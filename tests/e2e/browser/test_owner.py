"""What owners do, and what GitHub and the API then show."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest
from playwright.async_api import Page, expect

from centralbot.domain.challenge import Challenge, ChallengeStatus
from tests.e2e.browser.stage import AUTHOR, OWNER, STRANGER, Stage
from tests.e2e.world import Installed

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def waiting(stage: Stage, installed: Installed) -> tuple[int, Challenge, Page]:
    """A pull request that waits, and its page before the owner."""
    number, _ = await stage.asked(installed)
    challenge = await stage.world.challenge(installed.repo_id, number)
    return number, challenge, await stage.page(f"{stage.api}/challenges/{challenge.id}", OWNER)


async def test_an_owner_comes_in_and_finds_what_happened(stage: Stage) -> None:
    """Sign in, my repositories, one of them, one check with what happened to it and why."""
    installed = await stage.repository(fresh=True)
    number, _ = await stage.asked(installed)
    await stage.world.github.act("add_user", login=OWNER)
    page = await stage.page(f"{stage.api}/")
    await page.get_by_role("main").get_by_role("link", name="Sign in with GitHub").click()
    await stage.choose(page, OWNER)
    await page.get_by_role("link", name=installed.repository).click()
    await page.get_by_role("link", name=f"#{number}", exact=True).click()
    story = page.get_by_role("region", name="What happened, and why").get_by_role("listitem")
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"#{number} by {AUTHOR}")
    await expect(story).not_to_have_count(0)
    await expect(page.get_by_text(installed.repository).first).to_be_visible()


async def test_saved_settings_are_in_force_for_the_next_pull_request(stage: Stage) -> None:
    """The API shows them, the next author is asked by them, and the audit names who saved."""
    installed = await stage.repository(fresh=True)
    page = await stage.page(f"{stage.api}/repos/{installed.repo_id}/settings", OWNER)
    await page.get_by_label("Time to pass").fill("45")
    await page.get_by_label("Unit").select_option("minutes")
    await page.get_by_role("checkbox", name="Attestation").check()
    await page.get_by_label("Rules to confirm").fill("Be kind.")
    await page.get_by_label("Exempting label").fill("let-in")
    await page.get_by_role("button", name="Save settings").click()
    await expect(page.get_by_role("status")).to_contain_text("Saved.")
    token = await stage.world.github.act("issue_user_token", login=OWNER)
    async with httpx.AsyncClient(trust_env=False, headers={"authorization": f"Bearer {token}"}) as client:
        config = (await client.get(f"{stage.api}/api/v1/repos/{installed.repo_id}/config")).json()
    number, _ = await stage.asked(installed)
    challenge = await stage.world.challenge(installed.repo_id, number)
    (comment,) = (await stage.world.github.pull(installed.repository, number))["comments"]
    verification = ["github-login", "attestation"]
    expected = (2_700, verification, 2_700, tuple(verification))
    assert expected == (config["window_s"], config["verification"], challenge.window_s, challenge.verification)
    assert "You have 45 minutes" in comment["body"]
    await page.get_by_role("link", name="Audit").click()
    await expect(page.get_by_role("row").filter(has_text=OWNER).first).to_be_visible()


async def test_errors_stand_beside_their_fields_and_keep_what_was_typed(stage: Stage) -> None:
    """Nothing is saved, nothing has to be typed again, and a screen reader hears what is wrong with a field."""
    installed = await stage.repository(window_s=600, draft_prs_gated=False)
    page = await stage.page(f"{stage.api}/repos/{installed.repo_id}/settings", OWNER)
    window, label = page.get_by_label("Time to pass"), page.get_by_label("Exempting label")
    await window.fill("99999")
    await page.get_by_label("Unit").select_option("days")
    await label.fill("typed by me")
    await page.get_by_role("radio", name="Shadow").check()
    await page.get_by_role("button", name="Save settings").click()
    await expect(page.get_by_role("alert")).to_contain_text("Nothing was saved.")
    await expect(window).to_have_value("99999")
    await expect(window).to_have_accessible_description(re.compile("no more than 30 days in all"))
    await expect(label).to_have_value("typed by me")
    await expect(page.get_by_role("radio", name="Shadow")).to_be_checked()
    record = await stage.world.backend.store.repositories.get(installed.repo_id)
    assert record is not None
    assert record.config is not None
    assert (record.config.window_s, record.config.mode) == (600, "enforce")


async def test_whom_the_owner_whitelists_need_not_pass(stage: Stage) -> None:
    """By login, all or none: an unknown one is said, and what was typed stays."""
    installed = await stage.repository(fresh=True)
    await stage.world.github.act("add_user", login="willow")
    page = await stage.page(f"{stage.api}/repos/{installed.repo_id}/whitelist", OWNER)
    logins, add = page.get_by_label("GitHub logins"), page.get_by_role("button", name="Add")
    await logins.fill("@willow, nobody-of-that-name")
    await add.click()
    await expect(page.get_by_role("alert")).to_contain_text("no account named nobody-of-that-name")
    await expect(logins).to_have_value("@willow, nobody-of-that-name")
    await expect(page.get_by_role("button", name="Remove willow")).to_have_count(0)
    await logins.fill("willow")
    await add.click()
    await expect(page.get_by_role("status")).to_contain_text("Added.")
    number = await stage.world.open(installed.repository, "willow")
    await stage.world.shows(installed.repository, number, "open: no check needed")
    await page.get_by_role("button", name="Remove willow").click()
    await expect(page.get_by_role("status")).to_contain_text("Removed.")
    number = await stage.world.open(installed.repository, "willow")
    await stage.world.shows(installed.repository, number, "open: asked")


async def test_more_time_reaches_the_author(stage: Stage) -> None:
    """The deadline moves by as much, and the comment on the pull request says until when."""
    installed = await stage.repository()
    number, before, page = await waiting(stage, installed)
    await page.get_by_role("link", name="Give more time").click()
    await page.get_by_label("More time", exact=True).fill("2")
    await page.get_by_label("Unit").select_option("hours")
    await page.get_by_role("button", name="Give more time").click()
    await expect(page.get_by_role("status")).to_contain_text("The author has more time.")
    after = await stage.world.challenge(installed.repo_id, number)
    assert before.deadline_at is not None
    assert before.deadline_at + timedelta(hours=2) == after.deadline_at

    async def said() -> bool:
        (comment,) = (await stage.world.github.pull(installed.repository, number))["comments"]
        return f"more time until {after.deadline_at:%Y-%m-%d %H:%M} UTC" in comment["body"]

    await stage.world.fleet.until("the comment", said)


async def test_whom_the_owner_lets_in_need_not_pass(stage: Stage) -> None:
    """GitHub shows it, and the audit says who did it."""
    installed = await stage.repository()
    number, _, page = await waiting(stage, installed)
    await page.get_by_role("link", name="Exempt author").click()
    await page.get_by_role("button", name="Exempt author").click()
    await expect(page.get_by_role("status")).to_contain_text("The author is exempt now.")
    await stage.world.shows(installed.repository, number, "open: no check needed")
    await page.goto(f"{stage.api}/repos/{installed.repo_id}/audit")
    row = page.get_by_role("row").filter(has_text=f"#{number}").filter(has_text=OWNER)
    await expect(row.first).to_be_visible()


async def test_a_check_that_the_owner_cancels_asks_for_nothing_more(stage: Stage) -> None:
    """GitHub shows it; the same again, from a page that was left open, is too late and changes nothing."""
    installed = await stage.repository()
    number, challenge, page = await waiting(stage, installed)
    other = await page.context.new_page()
    await other.goto(f"{stage.api}/challenges/{challenge.id}?confirm=exempt")
    await page.get_by_role("link", name="Cancel check").click()
    await page.get_by_role("button", name="Cancel check").click()
    await expect(page.get_by_role("status")).to_contain_text("The check is canceled.")
    await stage.world.shows(installed.repository, number, "open: Check canceled")
    await other.get_by_role("button", name="Exempt author").click()
    await expect(other.get_by_role("alert")).to_contain_text("It was too late for that")
    assert (await stage.world.challenge(installed.repo_id, number)).status is ChallengeStatus.CANCELED


async def test_who_may_not_write_sees_nothing_and_changes_nothing(stage: Stage) -> None:
    """Neither by the page nor by its form."""
    installed = await stage.repository()
    number, _ = await stage.asked(installed)
    challenge = await stage.world.challenge(installed.repo_id, number)
    page = await stage.page(f"{stage.api}/", STRANGER)
    await expect(page.get_by_text("No repository yet")).to_be_visible()
    paths = (
        f"/challenges/{challenge.id}",
        *(f"/repos/{installed.repo_id}{rest}" for rest in ("", "/settings", "/audit")),
    )
    seen = [(await page.request.get(stage.api + path)).status for path in paths]
    sent = await page.request.post(stage.api + paths[0], form={"action": "exempt"}, headers={"origin": stage.api})
    after = (await stage.world.challenge(installed.repo_id, number)).status
    assert ({*seen} <= {403, 404}, sent.status in (403, 404), after) == (True, True, ChallengeStatus.PENDING)


async def test_signing_out_ends_the_session_in_every_tab(stage: Stage) -> None:
    """A tab that was left open leads to signing in, also one that has a copy of the cookie."""
    installed = await stage.repository()
    path = f"/repos/{installed.repo_id}/settings"
    page = await stage.page(f"{stage.api}{path}", OWNER)
    elsewhere = await stage.tabs.open(storage_state=await page.context.storage_state())
    await elsewhere.goto(f"{stage.api}{path}")
    await expect(elsewhere.get_by_role("button", name="Save settings")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("main").get_by_role("link", name="Sign in with GitHub")).to_be_visible()
    await elsewhere.get_by_role("button", name="Save settings").click()
    await expect(elsewhere.get_by_role("heading", level=1)).to_have_text("Please sign in again")
    await elsewhere.get_by_role("link", name="Sign in with GitHub").click()
    await elsewhere.wait_for_url(f"{stage.api}{path}")
    await expect(elsewhere.get_by_role("button", name="Save settings")).to_be_visible()
