"""What other people's pages and names try to do (row 47 of the faults)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, expect

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.config import Mode
from centralbot.domain.events import Actor
from tests.e2e.browser.stage import AUTHOR, OWNER, WITH_RULES, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")
MARKUP = "<img src=x onerror=window.owned=1><script>window.owned=1</script>"
MENTION = "@org-1/team"
TURNED = "evil\u202egnp.exe\u2066\u200b"
SHOWN = "evil\ufffdgnp.exe\ufffd\ufffd"
SENDS_ITSELF = """<!doctype html><title>A page of somebody else</title>
<form method="post" action="{action}">{fields}</form><script>document.forms[0].submit()</script>"""


@asynccontextmanager
async def somebody_else(page: str) -> AsyncIterator[int]:
    """A web server of somebody else's; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = page.encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def lured(stage: Stage, page: Page, path: str, /, **fields: str) -> Page:
    """The person opens that page in the browser in which they are signed in here; the form sends itself."""
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    async with somebody_else(SENDS_ITSELF.format(action=stage.api + path, fields=inputs)) as port:
        await page.goto(f"http://127.0.0.1:{port}/")
        await page.wait_for_url(f"{stage.api}{path}")
    return page


async def tab_of(stage: Stage, login: str) -> Page:
    """Signed in, and free to go to anybody's page."""
    page = await stage.tabs.open(anywhere=True)
    await stage.sign_in(page, login)
    return page


async def test_another_sites_page_verifies_nobody(stage: Stage) -> None:
    """The author's browser sends its form with the author's cookie, since both are on 127.0.0.1."""
    installed = await stage.repository()
    number, link = await stage.asked(installed)
    page = await lured(stage, await tab_of(stage, AUTHOR), link.removeprefix(stage.api))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Not allowed")
    await expect(page.get_by_role("main")).to_contain_text("another site's page")
    assert (await stage.world.challenge(installed.repo_id, number)).status is ChallengeStatus.PENDING


async def test_another_sites_page_changes_no_settings(stage: Stage) -> None:
    """Nor does it let anybody in, or sign anybody out."""
    installed = await stage.repository()
    number, _ = await stage.asked(installed)
    challenge = await stage.world.challenge(installed.repo_id, number)
    page, repo = await tab_of(stage, OWNER), f"/repos/{installed.repo_id}"
    fields = {"mode": "off", "window_s": "1", "window_s-unit": "minutes", "verification": "github-login"}
    for path, form in (
        (f"{repo}/settings", fields),
        (f"{repo}/whitelist", {"logins": AUTHOR}),
        (f"/challenges/{challenge.id}", {"action": "exempt"}),
    ):
        await lured(stage, page, path, **form)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Not allowed")
    await lured(stage, page, "/api/v1/auth/logout")
    await page.goto(f"{stage.api}/")
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    store = stage.world.backend.store
    record, entries = await store.repositories.get(installed.repo_id), await store.whitelist.entries(installed.repo_id)
    assert record is not None
    assert record.config is not None
    after = await stage.world.challenge(installed.repo_id, number)
    assert (record.config.mode, entries, after.status) == (Mode.ENFORCE, [], ChallengeStatus.PENDING)


async def test_an_older_browser_that_says_only_its_origin_is_no_way_in(stage: Stage) -> None:
    """Without Sec-Fetch-Site the Origin decides; ``null``, as from a sandboxed frame, is nobody's."""
    installed = await stage.repository()
    number, link = await stage.asked(installed)
    page = await tab_of(stage, AUTHOR)
    codes = [
        (await page.request.post(link, form={}, headers={"origin": origin})).status
        for origin in ("null", "http://127.0.0.1", "https://example.org", f"{stage.api}.example.org")
    ]
    assert (
        codes,
        (await stage.world.challenge(installed.repo_id, number)).status,
    ) == ([403] * 4, ChallengeStatus.PENDING)


async def inert(page: Page, *texts: str) -> None:
    """The texts are there to be read, and did nothing."""
    for text in texts:
        await expect(page.locator("body")).to_contain_text(text)
    assert await page.evaluate(
        "[document.querySelectorAll('img[src=x]').length,"
        " [...document.scripts].filter(one => one.text.includes('owned')).length, window.owned ?? null]"
    ) == [0, 0, None]


async def test_a_repositorys_rules_are_shown_as_they_were_typed(stage: Stage) -> None:
    """Markup, mentions and what turns the direction of text are only text."""
    installed = await stage.repository(verification=WITH_RULES, rules=f"{MARKUP}\n{MENTION}\n{TURNED}")
    _, link = await stage.asked(installed)
    await inert(await stage.page(link, AUTHOR), MARKUP, MENTION, SHOWN)
    await inert(await stage.page(f"{stage.api}/repos/{installed.repo_id}/settings", OWNER))


async def test_names_are_shown_as_they_are(stage: Stage) -> None:
    """On the author's pages and the owner's, whatever a login looks like."""
    installed = await stage.repository(fresh=True)
    number = await stage.world.open(installed.repository, f"{MARKUP}{TURNED}", title=MARKUP)
    await stage.world.shows(installed.repository, number, "open: asked")
    challenge = await stage.world.challenge(installed.repo_id, number)
    link = stage.world.backend.context.gate_url(challenge.id)
    odd = Actor(id=challenge.author_id, login=challenge.author_login)
    await stage.world.backend.store.whitelist.add(installed.repo_id, odd, actor="test")
    await inert(await stage.page(link), MARKUP, SHOWN)
    page = await stage.page(link, AUTHOR)
    await inert(page, MARKUP, SHOWN)
    owner = await stage.page(f"{stage.api}/repos/{installed.repo_id}", OWNER)
    for path in ("", "/whitelist"):
        await owner.goto(f"{stage.api}/repos/{installed.repo_id}{path}")
        await inert(owner, MARKUP, SHOWN)
    for path in (f"/challenges/{challenge.id}", f"/challenges/{challenge.id}?confirm=exempt"):
        await owner.goto(f"{stage.api}{path}")
        await inert(owner, MARKUP, SHOWN)
    (comment,) = (await stage.world.github.pull(installed.repository, number))["comments"]
    assert ("<img" in comment["body"], "\u202e" in comment["body"]) == (False, False)
