"""The owner's pages in their states."""

from __future__ import annotations

from playwright.async_api import Page

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.config import Mode
from tests.e2e.browser.scenes import OWN, Arrive, scene
from tests.e2e.browser.stage import AUTHOR, OWNER, STRANGER, Stage
from tests.e2e.world import Installed

SHADOWED = 5
"""Pull requests that shadow mode would have closed; one of them is merged."""


async def checked(stage: Stage) -> tuple[Installed, str]:
    """A repository with something of everything, and the id of the check that still waits in it."""

    async def make() -> tuple[Installed, str]:
        installed = await stage.repository(fresh=True)
        repository, world = installed.repository, stage.world
        await world.github.act("open_pull_request", repository=repository, author=OWNER)
        await world.github.act("open_pull_request", repository=repository, author="helper", association="COLLABORATOR")
        number, link = await stage.asked(installed)
        page = await stage.page(link, AUTHOR)
        await page.get_by_role("button", name="Verify", exact=True).click()
        await world.becomes(installed.repo_id, number, ChallengeStatus.VERIFIED)
        number, _ = await stage.asked(installed, "pat")
        await world.github.act("merge", repository=repository, number=number)
        await world.becomes(installed.repo_id, number, ChallengeStatus.CANCELED)
        number, _ = await stage.asked(installed, "dot")
        return installed, str((await world.challenge(installed.repo_id, number)).id)

    found: tuple[Installed, str] = await stage.once("checked", make)
    return found


async def shadowed(stage: Stage) -> Installed:
    """A repository in shadow mode that has seen a few pull requests."""

    async def make() -> Installed:
        installed = await stage.repository(fresh=True, mode=Mode.SHADOW, window_s=1)
        world, repository = stage.world, installed.repository
        await world.open(repository, OWNER)
        numbers = [await world.open(repository, f"author-{number}") for number in range(SHADOWED)]
        for number in numbers:
            await world.becomes(installed.repo_id, number, ChallengeStatus.TIMED_OUT_CLOSED)
        await world.github.act("merge", repository=repository, number=numbers[0])
        await world.fleet.until("the merge's delivery", world.github.is_idle)
        return installed

    found: Installed = await stage.once("shadowed", make)
    return found


async def visit(stage: Stage, path: str, login: str = OWNER) -> Page:
    return await stage.page(f"{stage.api}{path}", login)


@scene("welcome", "A door in front of your pull requests", "Sign in with GitHub")
async def welcome(stage: Stage) -> Page:
    return await stage.page(stage.api + "/")


@scene("repositories", "Your repositories", "/repo")
async def repositories(stage: Stage) -> Page:
    await checked(stage)
    await shadowed(stage)
    return await visit(stage, "/")


@scene("no-repositories", "Your repositories", "No repository yet")
async def no_repositories(stage: Stage) -> Page:
    return await visit(stage, "/", STRANGER)


def of_checked(path: str) -> Arrive:
    async def arrive(stage: Stage) -> Page:
        installed, _ = await checked(stage)
        return await visit(stage, f"/repos/{installed.repo_id}{path}")

    return arrive


overview = scene("overview", OWN, "The last seven days", "verified", "by mona", "Passed in time")(of_checked(""))
settings = scene("settings", OWN, "Time to pass", "Exempt authors", "Save settings")(of_checked("/settings"))
whitelist = scene("whitelist", OWN, "Nobody yet.", "GitHub logins")(of_checked("/whitelist"))
audit = scene("audit", OWN, "What happened here, and who did it")(of_checked("/audit"))


@scene("settings-refused", OWN, "Nothing was saved.", "Enter a whole number", "Choose at least one")
async def settings_refused(stage: Stage) -> Page:
    page = await of_checked("/settings")(stage)
    await page.get_by_label("Time to pass").fill("9999999")
    for box in await page.get_by_role("group", name="Proofs").get_by_role("checkbox").all():
        await box.uncheck()
    await page.get_by_role("button", name="Save settings").click()
    await page.get_by_role("alert").wait_for()
    return page


@scene("settings-saved", OWN, "Saved.")
async def settings_saved(stage: Stage) -> Page:
    page = await of_checked("/settings")(stage)
    await page.get_by_role("button", name="Save settings").click()
    await page.get_by_role("status").wait_for()
    return page


@scene("whitelist-unknown", OWN, "GitHub has no account named nobody-of-that-name")
async def whitelist_unknown(stage: Stage) -> Page:
    page = await of_checked("/whitelist")(stage)
    await page.get_by_label("GitHub logins").fill("mona, nobody-of-that-name")
    await page.get_by_role("button", name="Add").click()
    await page.get_by_role("alert").wait_for()
    return page


@scene("whitelist-filled", OWN, "Added.", "willow", "Remove")
async def whitelist_filled(stage: Stage) -> Page:
    await stage.world.github.act("add_user", login="willow")
    installed = await stage.repository(mode=Mode.ENFORCE, draft_prs_gated=False)
    page = await visit(stage, f"/repos/{installed.repo_id}/whitelist")
    await page.get_by_label("GitHub logins").fill("willow")
    await page.get_by_role("button", name="Add").click()
    await page.get_by_role("status").wait_for()
    return page


@scene("shadow", OWN, "It would have closed 5", "1 of them merged later", "Would be closed")
async def shadow(stage: Stage) -> Page:
    installed = await shadowed(stage)
    return await visit(stage, f"/repos/{installed.repo_id}")


@scene("off", OWN, "Nothing is checked here yet", "Choose a mode")
async def off(stage: Stage) -> Page:
    installed = await stage.repository(mode=Mode.OFF)
    return await visit(stage, f"/repos/{installed.repo_id}")


@scene("not-connected", OWN, "not on this repository", "Add the repository on GitHub")
async def not_connected(stage: Stage) -> Page:
    async def make() -> int:
        installed = await stage.repository(fresh=True, names=("kept", "left"))
        left = installed.repositories[f"{installed.org}/left"]
        await stage.world.github.act("remove_repositories", installation_id=installed.id, repositories=[left])
        await stage.world.connected(left, False)
        return left

    return await visit(stage, f"/repos/{await stage.once('not connected', make)}")


def of_check(query: str = "") -> Arrive:
    async def arrive(stage: Stage) -> Page:
        _, challenge_id = await checked(stage)
        return await visit(stage, f"/challenges/{challenge_id}{query}")

    return arrive


check = scene("check", OWN, "What happened, and why", "Override this check", "dot")(of_check())
exempting = scene("check-exempt", OWN, "Exempt dot?", "Exempt author")(of_check("?confirm=exempt"))
extending = scene("check-extend", OWN, "How much more time?", "Give more time")(of_check("?confirm=extend"))
canceling = scene("check-cancel", OWN, "Cancel this check?", "Cancel check")(of_check("?confirm=cancel"))


@scene("check-extend-refused", OWN, "Enter a whole number: at least a minute")
async def extend_refused(stage: Stage) -> Page:
    page = await of_check("?confirm=extend")(stage)
    await page.get_by_label("More time", exact=True).fill("0")
    await page.locator("form[action^='/challenges/']").evaluate("form => form.noValidate = true")
    await page.get_by_role("button", name="Give more time").click()
    await page.get_by_role("alert").wait_for()
    return page


@scene("check-verified", OWN, "Proofs passed", "github-login", "Verified")
async def check_verified(stage: Stage) -> Page:
    installed, _ = await checked(stage)
    page = await visit(stage, f"/repos/{installed.repo_id}?status=VERIFIED")
    await page.get_by_role("link", name="#3").click()
    await page.get_by_text("Proofs passed").wait_for()
    return page


@scene("forbidden", "Not allowed", "To the start page")
async def forbidden(stage: Stage) -> Page:
    installed, _ = await checked(stage)
    return await visit(stage, f"/repos/{installed.repo_id}", STRANGER)


@scene("not-found", "Page not found", "To the start page")
async def not_found(stage: Stage) -> Page:
    return await visit(stage, "/challenges/00000000-0000-7000-8000-000000000000")


@scene("no-such-page", "Page not found", "Check the address", "To the start page")
async def no_such_page(stage: Stage) -> Page:
    return await stage.page(f"{stage.api}/repo/1/setings")


@scene("sign-in-again", "Please sign in again", "nothing was changed")
async def sign_in_again(stage: Stage) -> Page:
    page = await of_checked("/settings")(stage)
    await page.context.clear_cookies()
    await page.get_by_role("button", name="Save settings").click()
    return page


@scene("sign-in-failed", "You are not signed in", "Nothing was changed.", "Sign in with GitHub")
async def sign_in_failed(stage: Stage) -> Page:
    return await stage.page(f"{stage.api}/api/v1/auth/github/callback?code=abc&state=forged")


@scene("sign-in-canceled", "You are not signed in", "You canceled the sign-in at GitHub.", "To the start page")
async def sign_in_canceled(stage: Stage) -> Page:
    page = await of_checked("/settings")(stage)
    await page.context.clear_cookies()
    await page.reload()
    await page.get_by_role("button", name="Cancel").click()
    return page


OWNER_SCENES = (
    welcome,
    repositories,
    no_repositories,
    overview,
    settings,
    settings_refused,
    settings_saved,
    whitelist,
    whitelist_unknown,
    whitelist_filled,
    audit,
    shadow,
    off,
    not_connected,
    check,
    exempting,
    extending,
    extend_refused,
    canceling,
    check_verified,
    forbidden,
    not_found,
    no_such_page,
    sign_in_again,
    sign_in_failed,
    sign_in_canceled,
)
