"""The contributor's pages (contract §6) while something is asked, or was."""

from __future__ import annotations

import signal
from typing import Any

from playwright.async_api import Page

from centralbot.domain.challenge import ChallengeStatus
from tests.e2e.browser.scenes import scene
from tests.e2e.browser.stage import AUTHOR, OWNER, RULES, STRANGER, WITH_RULES, Stage

WORK = ("github-login", "proof-of-work")


async def asked(stage: Stage, **config: Any) -> str:
    """The link of a pull request that waits for its author; nobody passes it."""

    async def make() -> str:
        return (await stage.asked(await stage.repository(**config)))[1]

    link: str = await stage.once(f"asked {sorted(config.items())}", make)
    return link


async def late(stage: Stage) -> str:
    """The link of one whose time ran out; nobody passes it."""

    async def make() -> str:
        return (await stage.closed())[2]

    link: str = await stage.once("late", make)
    return link


@scene("waiting", "Verify your pull request", "Sign in with GitHub to verify", "Read what you will confirm")
async def waiting(stage: Stage) -> Page:
    link = await asked(stage, verification=("github-login", "proof-of-work", "attestation"), rules=RULES)
    return await stage.page(link)


@scene("waiting-rules", "Verify your pull request", "You are mona, the author", "Every change has a test.")
async def waiting_rules(stage: Stage) -> Page:
    return await stage.page(await asked(stage, verification=WITH_RULES, rules=RULES), AUTHOR)


@scene("waiting-work-done", "Verify your pull request", "Let your device do a short computation (done)", "Done.")
async def waiting_work_done(stage: Stage) -> Page:
    page = await stage.page(await asked(stage, verification=WORK), AUTHOR)
    await page.get_by_text("Done.").wait_for()
    return page


@scene("refused", "Verify your pull request", "Not verified yet.", "tick the box")
async def refused(stage: Stage) -> Page:
    page = await stage.page(await asked(stage, verification=WITH_RULES, rules=RULES), AUTHOR)
    await page.get_by_role("checkbox").evaluate("box => box.required = false")
    await page.get_by_role("button", name="Verify", exact=True).click()
    await page.get_by_role("alert").wait_for()
    return page


@scene("wrong-account", "You are signed in with a different account", "Use another account", STRANGER, AUTHOR)
async def wrong_account(stage: Stage) -> Page:
    return await stage.page(await asked(stage), STRANGER)


@scene("not-started", "Verify your pull request", "Your time has not started yet.", "10 minutes")
async def not_started(stage: Stage) -> Page:
    installed = await stage.repository(fresh=True)
    fault = {"kind": "status", "status": 502, "installation_id": installed.id}
    await stage.world.github.act("faults", operation="issues/create-comment", **fault)
    number = await stage.world.open(installed.repository, AUTHOR)
    # Closed afterwards: an action that is still to be tried would keep others waiting for the outbox to be empty.
    stage.after.push_async_callback(
        stage.world.github.act, "close_pull_request", repository=installed.repository, number=number
    )

    async def known() -> str | None:
        found = await stage.world.backend.store.challenges.search(repo_id=installed.repo_id)
        return stage.world.backend.context.gate_url(found[0].id) if found else None

    return await stage.page(await stage.world.fleet.until("the challenge", known))


@scene("time-is-up", "Verify your pull request", "Time is up", "about to be closed")
async def time_is_up(stage: Stage) -> Page:
    sweeper = stage.world.fleet.children["sweeper"]
    sweeper.send(signal.SIGSTOP)
    stage.after.callback(sweeper.send, signal.SIGCONT)
    installed = await stage.repository(window_s=1)
    number, link = await stage.asked(installed)
    deadline = (await stage.world.challenge(installed.repo_id, number)).deadline_at
    assert deadline is not None

    async def over() -> bool:
        return await stage.world.backend.store.health.now() > deadline

    await stage.world.fleet.until("the deadline", over)
    return await stage.page(link)


@scene(
    "late", "Closed for now, and easy to bring back", "verify now and it is reopened", "Sign in with GitHub to verify"
)
async def late_signed_out(stage: Stage) -> Page:
    return await stage.page(await late(stage))


@scene("late-author", "Closed for now, and easy to bring back", "Verify and reopen")
async def late_author(stage: Stage) -> Page:
    return await stage.page(await late(stage), AUTHOR)


@scene("late-verified", "Verified, welcome back", "The pull request is being reopened.")
async def late_verified(stage: Stage) -> Page:
    page = await stage.page((await stage.closed())[2], AUTHOR)
    # Nothing is heard of GitHub until the page was seen: the words change once the bot has reopened it.
    await stage.world.github.act("faults", operation="pulls/*", kind="latency", latency_s=1.5)
    await page.get_by_role("button", name="Verify and reopen").click()
    return page


@scene("superseded", "A newer check has replaced this one", "the bot's latest comment")
async def superseded(stage: Stage) -> Page:
    async def make() -> str:
        installed, number, link = await stage.closed()

        async def known() -> int:
            return len(await stage.world.backend.store.challenges.search(repo_id=installed.repo_id))

        async def again() -> bool:
            return await known() > before

        before = await known()
        await stage.world.github.act("reopen", repository=installed.repository, number=number, by=AUTHOR)
        await stage.world.fleet.until("the newer check", again)
        return link

    return await stage.page(await stage.once("superseded", make))


@scene("verified", "Verified, thank you", "your pull request stays open", "Back to the pull request")
async def verified(stage: Stage) -> Page:
    _, link = await stage.asked(await stage.repository())
    page = await stage.page(link, AUTHOR)
    await page.get_by_role("button", name="Verify", exact=True).click()
    return page


@scene("exempt-by-maintainer", "No check needed", "A maintainer let its author in by hand.")
async def exempt_by_maintainer(stage: Stage) -> Page:
    installed = await stage.repository()
    number, link = await stage.asked(installed)
    challenge = await stage.world.challenge(installed.repo_id, number)
    page = await stage.page(f"{stage.api}/challenges/{challenge.id}?confirm=exempt", OWNER)
    await page.get_by_role("button", name="Exempt author").click()
    await page.goto(link)
    return page


@scene("exempt-by-label", "No check needed", "A maintainer put a label on it")
async def exempt_by_label(stage: Stage) -> Page:
    installed = await stage.repository()
    number, link = await stage.asked(installed)
    act = {"repository": installed.repository, "number": number, "name": "centralbot:exempt", "by": OWNER}
    await stage.world.github.act("label", **act)
    await stage.world.becomes(installed.repo_id, number, ChallengeStatus.EXEMPT)
    return await stage.page(link)


@scene("exempt-by-reopening", "No check needed", "A maintainer reopened it")
async def exempt_by_reopening(stage: Stage) -> Page:
    installed, number, _ = await stage.closed()
    await stage.world.github.act("reopen", repository=installed.repository, number=number, by=OWNER)
    challenge = await stage.world.becomes(installed.repo_id, number, ChallengeStatus.EXEMPT)
    return await stage.page(stage.world.backend.context.gate_url(challenge.id))


async def canceled(stage: Stage, act: str) -> Page:
    installed = await stage.repository()
    number, link = await stage.asked(installed)
    await stage.world.github.act(act, repository=installed.repository, number=number)
    await stage.world.becomes(installed.repo_id, number, ChallengeStatus.CANCELED)
    return await stage.page(link)


@scene("canceled-by-merge", "This check is over", "Congratulations!")
async def canceled_by_merge(stage: Stage) -> Page:
    return await canceled(stage, "merge")


@scene("canceled-by-close", "This check is over", "The pull request was closed before the check was passed.")
async def canceled_by_close(stage: Stage) -> Page:
    return await canceled(stage, "close_pull_request")


@scene("canceled-by-maintainer", "This check is over", "A maintainer canceled the check.")
async def canceled_by_maintainer(stage: Stage) -> Page:
    installed = await stage.repository()
    number, link = await stage.asked(installed)
    challenge = await stage.world.challenge(installed.repo_id, number)
    page = await stage.page(f"{stage.api}/challenges/{challenge.id}?confirm=cancel", OWNER)
    await page.get_by_role("button", name="Cancel check").click()
    await page.goto(link)
    return page


@scene("unknown-link", "This link leads nowhere", "It may have been cut off when it was copied")
async def unknown_link(stage: Stage) -> Page:
    return await stage.page(f"{stage.api}/g/{'A' * 43}", extra_http_headers={"x-forwarded-for": "203.0.113.1"})


@scene("slow-down", "One minute, please", "Wait a minute")
async def slow_down(stage: Stage) -> Page:
    page = await stage.tabs.open(extra_http_headers={"x-forwarded-for": "203.0.113.2"})
    for number in range(31):
        await page.request.get(f"{stage.api}/g/{number:043}")
    await page.goto(await asked(stage))
    return page


GATE_SCENES = (
    waiting,
    waiting_rules,
    waiting_work_done,
    refused,
    wrong_account,
    not_started,
    time_is_up,
    late_signed_out,
    late_author,
    late_verified,
    superseded,
    verified,
    exempt_by_maintainer,
    exempt_by_label,
    exempt_by_reopening,
    canceled_by_merge,
    canceled_by_close,
    canceled_by_maintainer,
    unknown_link,
    slow_down,
)
